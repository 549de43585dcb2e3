//! Spaces: making one, its key and revision, counting what it holds.

use beckon_shared::{
    chunk::ChunkKey,
    id::{AccountId, NodeId, SpaceId},
};
use sea_orm::{ActiveValue::Set, ConnectionTrait, EntityTrait};

use super::{
    Error, Txn,
    entity::{Kind, node, space},
    numbers, sql,
};
use crate::{
    access::GrantedSpace,
    clock::{Clock, random},
};

/// What a space holds, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Of the newest versions of all files that are not deleted.
    pub(crate) logical: u64,
    /// Of all chunks, as stored.
    pub(crate) stored: u64,
}

/// Makes the space of a new account, with its folder for files that are put in by hand.
pub(crate) async fn create(txn: &Txn, clock: &dyn Clock, account: AccountId) -> Result<SpaceId, Error> {
    let now = clock.now();
    let id = SpaceId::new(now, random(clock));
    let top = numbers(txn, 2).await?;
    let row = space::ActiveModel {
        id: Set(id.as_bytes().to_vec()),
        account: Set(account.as_bytes().to_vec()),
        name: Set("Drive".to_owned()),
        suite: Set(0),
        key_epoch: Set(0),
        chunk_key: Set(random::<32>(clock).to_vec()),
        top: Set(top),
        created: Set(now.0),
        revision: Set(0),
        quota: Set(None),
    };
    space::Entity::insert(row).exec_without_returning(txn).await?;
    let folder = |no, parent, name: &[u8]| node::ActiveModel {
        no: Set(no),
        id: Set(NodeId::new(now, random(clock)).as_bytes().to_vec()),
        space: Set(id.as_bytes().to_vec()),
        parent: Set(parent),
        name: Set(name.to_vec()),
        kind: Set(Kind::Folder),
        head: Set(None),
        source: Set(None),
        source_parent: Set(None),
        source_name: Set(None),
        created: Set(now.0),
        deleted_at: Set(None),
    };
    let nodes = [folder(top, None, b""), folder(top + 1, Some(top), b"Files")];
    node::Entity::insert_many(nodes).exec_without_returning(txn).await?;
    Ok(id)
}

/// The row of a space.
pub(crate) async fn row(on: &impl ConnectionTrait, space: &GrantedSpace) -> Result<space::Model, Error> {
    let found = space::Entity::find_by_id(space.column()).one(on).await?;
    found.ok_or_else(|| Error::bad_row("space"))
}

/// The key of a space's chunk ids.
pub(crate) async fn chunk_key(on: &impl ConnectionTrait, space: &GrantedSpace) -> Result<ChunkKey, Error> {
    key_of(&row(on, space).await?)
}

/// The key of a space's chunk ids.
pub(crate) fn key_of(row: &space::Model) -> Result<ChunkKey, Error> {
    row.chunk_key
        .as_slice()
        .try_into()
        .map(ChunkKey)
        .map_err(|_| Error::bad_row("chunk key"))
}

/// Says that a space changed; returns its new revision.
pub(crate) async fn bump_revision(txn: &Txn, space: &GrantedSpace) -> Result<u64, Error> {
    let statement = sql(
        "UPDATE space SET revision = revision + 1 WHERE id = $1 RETURNING revision",
        txn,
        [space.column().into()],
    );
    let row = txn
        .query_one_raw(statement)
        .await?
        .ok_or_else(|| Error::bad_row("space"))?;
    Ok(row.try_get::<i64>("", "revision")?.cast_unsigned())
}

/// Counts what a space holds.
pub(crate) async fn usage(on: &impl ConnectionTrait, space: &GrantedSpace) -> Result<Usage, Error> {
    let logical = "SELECT CAST(COALESCE(SUM(v.size), 0) AS BIGINT) AS total FROM node n JOIN version v ON v.no = n.head \
        WHERE n.space = $1 AND n.deleted_at IS NULL";
    let stored = "SELECT CAST(COALESCE(SUM(stored_len), 0) AS BIGINT) AS total FROM chunk WHERE space = $1";
    Ok(Usage {
        logical: total(on, space, logical).await?,
        stored: total(on, space, stored).await?,
    })
}

async fn total(on: &impl ConnectionTrait, space: &GrantedSpace, text: &str) -> Result<u64, Error> {
    let row = on.query_one_raw(sql(text, on, [space.column().into()])).await?;
    let total: i64 = row.ok_or_else(|| Error::bad_row("sum"))?.try_get("", "total")?;
    Ok(total.cast_unsigned())
}

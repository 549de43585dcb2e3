//! Spaces: making one, its key and revision, counting what it holds.

use std::collections::BTreeMap;

use beckon_shared::{
    chunk::ChunkKey,
    id::{AccountId, NodeId, SpaceId},
};
use sea_orm::{ActiveValue::Set, ConnectionTrait, EntityTrait, QueryResult};

use super::{
    Error, Txn,
    drive::search::folded,
    entity::{Kind, node, space},
    numbers,
    source::FILES,
    sql,
    word::{column, number},
};
use crate::{
    access::GrantedSpace,
    clock::{Clock, random},
    store::room::quota_is_full,
};

/// How full a space is, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fill {
    /// Content of all chunks that are durable, each once.
    pub(crate) content: u64,
    /// Content of those of them that nothing needs any more and that collection is to delete.
    pub(crate) marked: u64,
    /// What the database keeps of nodes, versions and commits.
    pub(crate) records: u64,
    /// The most that it may hold.
    pub(crate) quota: Option<u64>,
}

impl Fill {
    /// What counts. What is to be deleted does not: it is room again at once, but for no more than the quota, so that nobody
    /// fills the disk by uploading and deleting for good faster than is collected.
    pub(crate) fn used(&self) -> u64 {
        let free = self.marked.min(self.quota.unwrap_or(u64::MAX));
        self.content.saturating_sub(free).saturating_add(self.records)
    }

    /// Whether so many bytes more go in.
    pub(crate) fn has_room_for(&self, bytes: u64) -> bool {
        self.quota
            .is_none_or(|quota| self.used().saturating_add(bytes) <= quota)
    }

    /// Whether nothing more goes in.
    pub(crate) fn is_full(&self) -> bool {
        self.quota.is_some_and(|quota| self.used() >= quota)
    }
}

/// What a node, or a version besides its manifest, counts for: about what its rows take with their indexes. Bytes.
pub(crate) const RECORD: i64 = 512;

/// By how many bytes of content spaces grow, or shrink where it is negative.
pub(crate) type Growth = BTreeMap<Vec<u8>, i64>;

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
        folded: Set(folded(name)),
        kind: Set(Kind::Folder),
        head: Set(None),
        source: Set(None),
        source_parent: Set(None),
        source_name: Set(None),
        created: Set(now.0),
        deleted_at: Set(None),
    };
    let nodes = [folder(top, None, b""), folder(top + 1, Some(top), FILES)];
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

/// How full a space is.
pub(crate) async fn fill(on: &impl ConnectionTrait, space: SpaceId) -> Result<Fill, Error> {
    let text = "SELECT s.quota, COALESCE(u.used, 0) AS used, COALESCE(u.marked, 0) AS marked, \
        COALESCE(u.records, 0) AS records FROM space s LEFT JOIN space_usage u ON u.space = s.id WHERE s.id = $1";
    let row = on
        .query_one_raw(sql(text, on, [space.as_bytes().to_vec().into()]))
        .await?;
    let row = row.ok_or_else(|| Error::bad_row("space"))?;
    Ok(Fill {
        content: number(row.try_get("", "used")?)?,
        marked: number(row.try_get("", "marked")?)?,
        records: number(row.try_get("", "records")?)?,
        quota: row.try_get::<Option<i64>>("", "quota")?.map(i64::cast_unsigned),
    })
}

/// Keeps count of what spaces hold; in the transaction that adds or deletes the chunks, and as late in it as may be.
pub(crate) async fn grow(txn: &Txn, growth: &Growth) -> Result<(), Error> {
    let text = "INSERT INTO space_usage (space, used) VALUES ($1, $2)
        ON CONFLICT (space) DO UPDATE SET used = space_usage.used + excluded.used";
    for (space, bytes) in growth {
        txn.execute_raw(sql(text, txn, [space.clone().into(), (*bytes).into()]))
            .await?;
    }
    Ok(())
}

/// Keeps count of what collection has marked in spaces, as [`grow`] does of what they hold.
pub(crate) async fn grow_marked(txn: &Txn, growth: &Growth) -> Result<(), Error> {
    let text = "INSERT INTO space_usage (space, used, marked) VALUES ($1, 0, $2)
        ON CONFLICT (space) DO UPDATE SET marked = space_usage.marked + excluded.marked";
    for (space, bytes) in growth {
        txn.execute_raw(sql(text, txn, [space.clone().into(), (*bytes).into()]))
            .await?;
    }
    Ok(())
}

/// By how much spaces grow by these chunks: rows with `space` and `len`.
pub(crate) fn growth_of(rows: &[QueryResult]) -> Result<Growth, Error> {
    let mut growth = Growth::default();
    for row in rows {
        *growth.entry(row.try_get("", "space")?).or_default() += row.try_get::<i64>("", "len")?;
    }
    Ok(growth)
}

/// The same the other way: what is deleted or taken back.
pub(crate) fn shrunk(growth: Growth) -> Growth {
    growth.into_iter().map(|(space, bytes)| (space, -bytes)).collect()
}

/// Keeps count of what the database keeps for a space; as late in the transaction as may be.
pub(crate) async fn record(txn: &Txn, space: Vec<u8>, bytes: i64) -> Result<(), Error> {
    let text = "INSERT INTO space_usage (space, used, records) VALUES ($1, 0, $2)
        ON CONFLICT (space) DO UPDATE SET records = space_usage.records + excluded.records";
    txn.execute_raw(sql(text, txn, [space.into(), bytes.into()])).await?;
    Ok(())
}

/// Refuses what was just recorded if it is more than the quota lets in.
pub(crate) async fn check_quota(txn: &Txn, space: SpaceId) -> Result<(), Error> {
    let fill = fill(txn, space).await?;
    if fill.has_room_for(0) {
        return Ok(());
    }
    Err(quota_is_full(&fill))
}

/// Sets the most that a space may hold.
pub(crate) async fn set_quota(txn: &Txn, space: SpaceId, quota: Option<u64>) -> Result<(), Error> {
    let text = "UPDATE space SET quota = $2 WHERE id = $1";
    let values = [space.as_bytes().to_vec().into(), quota.map(column).into()];
    txn.execute_raw(sql(text, txn, values)).await?;
    Ok(())
}

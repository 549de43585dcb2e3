//! Making an older version of a file the newest again. The versions between stay what they are, and a machine that has the
//! last of them still does not put it on top again: see `Written::judge`.

use beckon_shared::{api::drive::MakeCurrent, error::ErrorCode, id::VersionId};
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter};

use super::change::{done, live, locked};
use crate::{
    access::GrantedSpace,
    clock::{Clock, random},
    store::meta::{
        Error, Meta, Txn,
        entity::{node, version},
        numbers, source,
        space::{RECORD, check_quota, record},
        sql,
    },
};

/// Gives a file a new version that holds what an older one holds. Returns the new revision; nothing where that version is
/// the newest already.
pub(crate) async fn make_current(
    meta: &Meta,
    clock: &dyn Clock,
    space: &GrantedSpace,
    asked: &MakeCurrent,
) -> Result<Option<u64>, Error> {
    space.writable()?;
    let (txn, revision) = locked(meta, space).await?;
    let row = live(&txn, space, asked.node).await?;
    if row.is_folder() {
        return Err(Error::refused(
            ErrorCode::BadRequest,
            "a folder has no older content of its own; choose a file in it",
        ));
    }
    let query = version::Entity::find()
        .filter(version::Column::Id.eq(asked.version.as_bytes()))
        .filter(version::Column::Node.eq(row.node.no));
    let old = query.one(&txn).await?.ok_or_else(|| {
        Error::refused(
            ErrorCode::NotFound,
            "this file has no such version (any more); list its versions again",
        )
    })?;
    if row.node.head == Some(old.no) {
        return Ok(None);
    }
    put(&txn, clock, space, &old, row.node.no).await?;
    check_quota(&txn, space.id()).await?;
    done(txn, revision).await.map(Some)
}

/// Has a node hold what a version holds, as a new version.
pub(super) async fn put(
    txn: &Txn,
    clock: &dyn Clock,
    space: &GrantedSpace,
    old: &version::Model,
    node: i64,
) -> Result<(), Error> {
    let new = copy(txn, clock, space, old.clone(), node).await?;
    let head = node::ActiveModel {
        no: Set(node),
        kind: Set(new.kind),
        head: Set(Some(new.no)),
        ..Default::default()
    };
    node::Entity::update(head).exec_without_returning(txn).await?;
    source::outdate(txn, &[node]).await
}

/// A version of the same content, of this moment; it belongs to no commit.
async fn copy(
    txn: &Txn,
    clock: &dyn Clock,
    space: &GrantedSpace,
    old: version::Model,
    node: i64,
) -> Result<version::Model, Error> {
    let now = clock.now();
    let (from, to) = (old.no, numbers(txn, 1).await?);
    let new = version::Model {
        no: to,
        id: VersionId::new(now, random(clock)).as_bytes().to_vec(),
        node,
        root_commit: None,
        created: now.0,
        ..old
    };
    version::Entity::insert(new.clone().into_active_model())
        .exec_without_returning(txn)
        .await?;
    for text in [
        "INSERT INTO manifest (version, bytes) SELECT CAST($1 AS BIGINT), bytes FROM manifest WHERE version = $2",
        "INSERT INTO chunk_use (chunk, version) SELECT chunk, CAST($1 AS BIGINT) FROM chunk_use WHERE version = $2",
    ] {
        txn.execute_raw(sql(text, txn, [to.into(), from.into()])).await?;
    }
    let text = "SELECT CAST(LENGTH(bytes) AS BIGINT) AS bytes FROM manifest WHERE version = $1";
    let row = txn.query_one_raw(sql(text, txn, [to.into()])).await?;
    let bytes: i64 = row.ok_or_else(|| Error::bad_row("manifest"))?.try_get("", "bytes")?;
    record(txn, space.column(), RECORD + bytes).await?;
    Ok(new)
}

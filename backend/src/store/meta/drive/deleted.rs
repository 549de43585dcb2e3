//! What was deleted and can be restored, until it is deleted for good.

use beckon_shared::{error::ErrorCode, id::NodeId};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, prelude::Expr,
};

use super::{
    Place,
    change::{check_count, done, locked},
    find,
    path::{Placed, placed},
    rows, with_head,
};
use crate::{
    access::GrantedSpace,
    clock::Clock,
    store::meta::{Error, Meta, entity::node, purge},
};

/// What was not deleted as a part of the folder that holds it.
const TOPS: &str = "EXISTS (SELECT 1 FROM node p WHERE p.no = node.parent AND (p.deleted_at IS NULL OR p.deleted_at <> node.deleted_at))";

/// At most `limit` deleted nodes, deleted last first, beginning behind `after`; without what was deleted with its folder.
pub(crate) async fn deleted(
    on: &impl ConnectionTrait,
    space: &GrantedSpace,
    after: Option<NodeId>,
    limit: u64,
) -> Result<Vec<Placed>, Error> {
    use node::Column::{DeletedAt, No, Space};
    let mut query = node::Entity::find()
        .filter(Space.eq(space.column()))
        .filter(DeletedAt.is_not_null())
        .filter(Expr::cust(TOPS));
    if let Some(after) = after {
        let last = find(on, space, &Place::Node(after)).await?.node;
        let earlier = Condition::all().add(DeletedAt.eq(last.deleted_at)).add(No.lt(last.no));
        query = query.filter(Condition::any().add(DeletedAt.lt(last.deleted_at)).add(earlier));
    }
    let query = query.order_by_desc(DeletedAt).order_by_desc(No).limit(limit);
    placed(on, rows(on, with_head(query).all(on).await?, None).await?).await
}

/// Nodes that are looked up at once when all of them go.
const ROUND: u32 = 1000;

/// Removes deleted nodes for good, with all below them. Returns the new revision.
pub(crate) async fn remove(
    meta: &Meta,
    clock: &dyn Clock,
    space: &GrantedSpace,
    nodes: &[NodeId],
) -> Result<u64, Error> {
    space.writable()?;
    check_count(nodes)?;
    let mut gone = Vec::new();
    for id in nodes {
        let row = find(meta.read(), space, &Place::Node(*id)).await?;
        if row.node.deleted_at.is_none() {
            return Err(Error::refused(
                ErrorCode::Conflict,
                "only what was deleted can be deleted for good; delete it first",
            ));
        }
        gone.push(row.node.no);
    }
    purge_all(meta, clock, space, &gone).await
}

/// Removes for good all that is deleted by now. Returns the new revision.
pub(crate) async fn remove_all(meta: &Meta, clock: &dyn Clock, space: &GrantedSpace) -> Result<u64, Error> {
    space.writable()?;
    let until = clock.now().0;
    loop {
        let gone = purge::deleted_of(meta.read(), space, until, ROUND).await?;
        let revision = purge_all(meta, clock, space, &gone).await?;
        if gone.is_empty() {
            return Ok(revision);
        }
    }
}

async fn purge_all(meta: &Meta, clock: &dyn Clock, space: &GrantedSpace, nodes: &[i64]) -> Result<u64, Error> {
    for node in nodes {
        purge::purge(meta, clock, *node, clock.now().0).await?;
    }
    let (txn, revision) = locked(meta, space).await?;
    done(txn, revision).await
}

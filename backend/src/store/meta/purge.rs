//! Removing for good what was deleted long ago.

use sea_orm::ConnectionTrait;

use super::{
    BATCH, Error, Meta, Txn,
    collect::{mark_unused, nos},
    drive::past::REMEMBERED,
    places, source,
    space::{Growth, RECORD, record},
    sql,
};
use crate::{access::GrantedSpace, clock::Clock};

/// Nodes that were deleted before a moment.
pub(crate) async fn deleted_before(on: &impl ConnectionTrait, before: i64, limit: u32) -> Result<Vec<i64>, Error> {
    let text = format!("SELECT no FROM node WHERE deleted_at <= $1 ORDER BY deleted_at LIMIT {limit}");
    nos(on, &text, vec![before.into()]).await
}

/// The nodes of a space that were deleted up to a moment, with what was deleted as a part of them.
pub(crate) async fn deleted_of(
    on: &impl ConnectionTrait,
    space: &GrantedSpace,
    until: i64,
    limit: u32,
) -> Result<Vec<i64>, Error> {
    let text =
        format!("SELECT no FROM node WHERE space = $1 AND deleted_at <= $2 ORDER BY deleted_at, no LIMIT {limit}");
    nos(on, &text, vec![space.column().into(), until.into()]).await
}

/// Removes nodes that are still deleted since before a moment, with all below them. Returns how many went.
///
/// The deepest go first, some hundred in a transaction: whenever it stops, what is left is a whole tree.
pub(crate) async fn purge(meta: &Meta, clock: &dyn Clock, node: i64, before: i64) -> Result<u64, Error> {
    let mut order = vec![node];
    let mut at = 0;
    while at < order.len() {
        let end = order.len().min(at + BATCH);
        let parents = &order[at..end];
        let children = children(meta, parents).await?;
        at = end;
        order.extend(children);
    }
    order.reverse();
    let mut gone = 0;
    for nodes in order.chunks(BATCH) {
        let txn = meta.write().await?;
        let text = "SELECT no FROM node WHERE no = $1 AND deleted_at <= $2";
        if nos(&txn, text, vec![node.into(), before.into()]).await?.is_empty() {
            // Restored meanwhile.
            return Ok(gone);
        }
        remove(&txn, nodes, clock.now().0).await?;
        txn.commit().await?;
        gone += nodes.len() as u64;
    }
    Ok(gone)
}

/// Live and deleted children are asked for apart, because each question has an index of its own.
async fn children(meta: &Meta, parents: &[i64]) -> Result<Vec<i64>, Error> {
    let mut found = Vec::new();
    for state in ["IS NULL", "IS NOT NULL"] {
        let text = format!(
            "SELECT no FROM node WHERE parent IN ({}) AND deleted_at {state}",
            places(1, parents.len())
        );
        found.extend(nos(meta.read(), &text, parents.iter().map(|no| (*no).into()).collect()).await?);
    }
    Ok(found)
}

async fn remove(txn: &Txn, nodes: &[i64], now: i64) -> Result<(), Error> {
    let list = places(1, nodes.len());
    let counted = counted(txn, nodes, &list).await?;
    source::begin_era(txn, nodes).await?;
    let versions = format!("SELECT no FROM version WHERE node IN ({list})");
    let values = || nodes.iter().map(|no| (*no).into());
    let used = format!("SELECT DISTINCT chunk AS no FROM chunk_use WHERE version IN ({versions})");
    let chunks = nos(txn, &used, values().collect()).await?;
    let statements = [
        format!("DELETE FROM chunk_use WHERE version IN ({versions})"),
        format!("DELETE FROM manifest WHERE version IN ({versions})"),
        format!("DELETE FROM node_past WHERE node IN ({list})"),
        format!("DELETE FROM version WHERE node IN ({list})"),
        // What was moved out of a folder lives on, bound to nothing.
        format!(
            "UPDATE node SET source_parent = NULL, source_name = NULL WHERE source_parent IN ({list}) AND deleted_at IS NULL"
        ),
        format!("DELETE FROM node WHERE no IN ({list})"),
    ];
    for text in statements {
        txn.execute_raw(sql(&text, txn, values())).await?;
    }
    mark_unused(txn, &chunks, now).await?;
    for (space, bytes) in counted {
        record(txn, space, bytes).await?;
    }
    Ok(())
}

/// What nodes count for with their versions, by space, as it is to grow.
async fn counted(txn: &Txn, nodes: &[i64], list: &str) -> Result<Growth, Error> {
    let text = format!(
        "SELECT space, CAST(SUM(bytes) AS BIGINT) AS bytes FROM (\
         SELECT space, {RECORD} AS bytes FROM node WHERE no IN ({list}) UNION ALL \
         SELECT n.space, {RECORD} + LENGTH(m.bytes) AS bytes FROM node n JOIN version v ON v.node = n.no \
         JOIN manifest m ON m.version = v.no WHERE n.no IN ({list}) UNION ALL \
         SELECT n.space, {REMEMBERED} AS bytes FROM node n JOIN node_past p ON p.node = n.no WHERE n.no IN ({list})) AS gone GROUP BY space"
    );
    let values = nodes.iter().map(|no| (*no).into());
    let rows = txn.query_all_raw(sql(&text, txn, values)).await?;
    rows.iter()
        .map(|row| Ok((row.try_get("", "space")?, -row.try_get::<i64>("", "bytes")?)))
        .collect()
}

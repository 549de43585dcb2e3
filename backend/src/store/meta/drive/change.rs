//! Moving, deleting and restoring nodes. Nothing that is stored is lost by any of it.

use beckon_shared::{
    api::drive::Move,
    error::ErrorCode,
    id::NodeId,
    path::{NAME_MAX, Name},
    time::Timestamp,
};
use sea_orm::{ConnectionTrait, Value};

use super::{Place, Row, child, find, past::remember, search::folded};
use crate::{
    access::GrantedSpace,
    store::{
        commit::DEPTH_MAX,
        meta::{
            Error, Meta, Txn,
            entity::Kind,
            source::{FILES, is_in_files},
            space::bump_revision,
            sql,
        },
    },
};

/// Nodes that may be deleted or restored at once.
pub(crate) const NODES_MAX: usize = 1000;

/// Nodes that people move, make or restore stand at most so deep: twice what a commit can bring below its root, so that
/// there is room for that wherever the root was moved.
const LEVELS_MAX: i64 = 2 * DEPTH_MAX as i64;

/// How many `name (restored 2)` are tried: each is looked for while nobody else can write.
const RESTORED_MAX: usize = 100;

/// The node `$1` and what lies below it, as far as it has the same mark of deletion.
const SUBTREE: &str = "WITH RECURSIVE below (no) AS (\
    SELECT CAST($1 AS BIGINT) UNION ALL \
    SELECT n.no FROM below b JOIN node n ON n.parent = b.no WHERE n.deleted_at";

/// Goes on behind [`SUBTREE`] with a mark of deletion. The sign keeps SQLite from looking each time through all that has the
/// mark, by the index of marks: with a large folder it would never come to an end.
const SAME_MARK: &str = "IS NOT NULL AND +n.deleted_at";

/// Gives a node another name, another folder, or both. It stays bound to where it came from, unless it goes into `Files`:
/// there no machine writes, so it uploads anew what it still has. Returns the new revision.
pub(crate) async fn move_node(meta: &Meta, space: &GrantedSpace, asked: &Move, now: Timestamp) -> Result<u64, Error> {
    space.writable()?;
    let (txn, revision) = locked(meta, space).await?;
    let row = movable(live(&txn, space, asked.node).await?)?;
    let folder = match asked.parent {
        Some(NodeId::TOP) => super::top(&txn, space).await?,
        Some(parent) => live(&txn, space, parent).await?,
        None => parent_of(&txn, space, &row).await?,
    };
    if !folder.is_folder() {
        return Err(Error::refused(
            ErrorCode::BadRequest,
            "only a folder can hold other things; name a folder to move it to",
        ));
    }
    if is_at_or_below(&txn, &folder, &row).await? {
        return Err(Error::refused(
            ErrorCode::BadRequest,
            "a folder cannot be moved into itself; choose another place",
        ));
    }
    if folder.is_top() && row.parent.is_some() && !is_machine_folder(&txn, space, &row).await? {
        return Err(Error::refused(
            ErrorCode::BadRequest,
            "only the folders of machines stand at the top of the drive; name a folder in it",
        ));
    }
    if row.node.parent != Some(folder.node.no) {
        check_depth(&txn, &folder, height(&txn, &row).await?).await?;
    }
    let name = asked.name.as_ref().map_or(row.node.name.as_slice(), Name::as_bytes);
    if let Some(other) = child(&txn, &folder, &parsed(name)?).await?
        && other.node.no != row.node.no
    {
        return Err(name_taken());
    }
    if is_in_files(&txn, folder.node.no).await? {
        bump_epochs(&txn, space, &row).await?;
    }
    remember(&txn, &[row.node.no], now).await?;
    let values = [
        folder.node.no.into(),
        name.to_vec().into(),
        folded(name).into(),
        row.node.no.into(),
    ];
    let text = "UPDATE node SET parent = $1, name = $2, folded = $3 WHERE no = $4";
    txn.execute_raw(sql(text, &txn, values)).await?;
    done(txn, revision).await
}

/// Puts nodes and all that lies below them to Deleted. Those that are there already stay so. Returns the new revision.
pub(crate) async fn delete(meta: &Meta, space: &GrantedSpace, nodes: &[NodeId], now: Timestamp) -> Result<u64, Error> {
    let (txn, revision) = begin(meta, space, nodes).await?;
    for id in nodes {
        let row = movable(find(&txn, space, &Place::Node(*id)).await?)?;
        if row.node.deleted_at.is_some() {
            continue;
        }
        bump_epochs(&txn, space, &row).await?;
        mark_deleted(&txn, row.node.no, now).await?;
    }
    done(txn, revision).await
}

/// Marks a node and all that is live below it. Its binding stays; it only counts among live nodes.
pub(crate) async fn mark_deleted(txn: &Txn, node: i64, now: Timestamp) -> Result<(), Error> {
    let text = format!("{SUBTREE} IS NULL) UPDATE node SET deleted_at = $2 WHERE no IN (SELECT no FROM below)");
    txn.execute_raw(sql(&text, txn, [node.into(), now.0.into()])).await?;
    Ok(())
}

/// Brings back what was deleted together with each node. Those that are live already stay so. Returns the new revision.
///
/// Where the name is taken by now it gets another one; where the same file was uploaded anew, that one stays bound to it.
pub(crate) async fn restore(meta: &Meta, space: &GrantedSpace, nodes: &[NodeId], now: Timestamp) -> Result<u64, Error> {
    let (txn, revision) = begin(meta, space, nodes).await?;
    for id in nodes {
        let row = find(&txn, space, &Place::Node(*id)).await?;
        if let Some(mark) = row.node.deleted_at {
            restore_one(&txn, space, &row, mark, now).await?;
        }
    }
    done(txn, revision).await
}

async fn restore_one(txn: &Txn, space: &GrantedSpace, row: &Row, mark: i64, now: Timestamp) -> Result<(), Error> {
    let folder = parent_of(txn, space, row).await?;
    if folder.node.deleted_at.is_some() {
        let name = String::from_utf8_lossy(&folder.node.name).into_owned();
        let message = format!(
            "the folder \"{name}\" that held it is deleted too; restore that folder ({}) first",
            folder.id()?
        );
        return Err(Error::refused(ErrorCode::Conflict, message));
    }
    check_depth(txn, &folder, height(txn, row).await?).await?;
    let name = free_name(txn, &folder, row).await?;
    remember(txn, &[row.node.no], now).await?;
    let values = [
        name.as_bytes().to_vec().into(),
        folded(name.as_bytes()).into(),
        row.node.no.into(),
    ];
    let text = "UPDATE node SET name = $1, folded = $2 WHERE no = $3";
    txn.execute_raw(sql(text, txn, values)).await?;
    let values = || -> [Value; 2] { [row.node.no.into(), mark.into()] };
    let unbind = format!(
        "{SUBTREE} {SAME_MARK} = $2) UPDATE node SET source = NULL, source_parent = NULL, source_name = NULL WHERE no IN (SELECT no FROM below) \
         AND EXISTS (SELECT 1 FROM node o WHERE o.deleted_at IS NULL AND o.source_parent = node.source_parent AND o.source_name = node.source_name)"
    );
    txn.execute_raw(sql(&unbind, txn, values())).await?;
    let unmark =
        format!("{SUBTREE} {SAME_MARK} = $2) UPDATE node SET deleted_at = NULL WHERE no IN (SELECT no FROM below)");
    txn.execute_raw(sql(&unmark, txn, values())).await?;
    bump_epochs(txn, space, row).await
}

/// Tells the machines whose live files lie in this subtree that what they remember as committed counts no more.
pub(super) async fn bump_epochs(txn: &Txn, space: &GrantedSpace, row: &Row) -> Result<(), Error> {
    let text = format!(
        "{SUBTREE} IS NULL) UPDATE source SET epoch = epoch + 1 WHERE space = $2 AND \
         (folder IN (SELECT no FROM below) OR no IN (SELECT source FROM node WHERE source IS NOT NULL AND no IN (SELECT no FROM below)))"
    );
    txn.execute_raw(sql(&text, txn, [row.node.no.into(), space.column().into()]))
        .await?;
    Ok(())
}

async fn begin(meta: &Meta, space: &GrantedSpace, nodes: &[NodeId]) -> Result<(Txn, u64), Error> {
    space.writable()?;
    check_count(nodes)?;
    locked(meta, space).await
}

/// Refuses more nodes than are changed at once.
pub(super) fn check_count(nodes: &[NodeId]) -> Result<(), Error> {
    if nodes.len() <= NODES_MAX {
        return Ok(());
    }
    Err(Error::refused(
        ErrorCode::TooLarge,
        format!("at most {NODES_MAX} at once; ask in several requests"),
    ))
}

/// A transaction with the space's next revision. That comes first, since it locks the space: no commit or other change
/// makes live what this one deletes, or deletes what this one moves into.
pub(super) async fn locked(meta: &Meta, space: &GrantedSpace) -> Result<(Txn, u64), Error> {
    let txn = meta.write().await?;
    let revision = bump_revision(&txn, space).await?;
    Ok((txn, revision))
}

pub(super) async fn done(txn: Txn, revision: u64) -> Result<u64, Error> {
    txn.commit().await?;
    Ok(revision)
}

/// A node that was not deleted.
pub(super) async fn live(txn: &Txn, space: &GrantedSpace, id: NodeId) -> Result<Row, Error> {
    let row = find(txn, space, &Place::Node(id)).await?;
    if row.node.deleted_at.is_some() {
        return Err(Error::refused(
            ErrorCode::Conflict,
            "this was deleted; restore it first",
        ));
    }
    Ok(row)
}

fn movable(row: Row) -> Result<Row, Error> {
    if row.is_top() {
        return Err(Error::refused(
            ErrorCode::BadRequest,
            "the drive itself stays where it is; choose something in it",
        ));
    }
    if is_files(&row) {
        return Err(Error::refused(
            ErrorCode::BadRequest,
            "the folder Files itself stays where it is and keeps its name; choose something in it",
        ));
    }
    Ok(row)
}

/// Whether it is the folder at the top for what people put in by hand, which every drive has.
fn is_files(row: &Row) -> bool {
    row.parent.is_none() && row.node.name == FILES && row.node.deleted_at.is_none()
}

async fn is_machine_folder(txn: &Txn, space: &GrantedSpace, row: &Row) -> Result<bool, Error> {
    let text = "SELECT 1 FROM machine_folder WHERE space = $1 AND folder = $2";
    Ok(txn
        .query_one_raw(sql(text, txn, [space.column().into(), row.node.no.into()]))
        .await?
        .is_some())
}

async fn parent_of(txn: &Txn, space: &GrantedSpace, row: &Row) -> Result<Row, Error> {
    match row.parent {
        Some(parent) => find(txn, space, &Place::Node(parent)).await,
        None => super::top(txn, space).await,
    }
}

pub(super) async fn is_at_or_below(txn: &Txn, folder: &Row, row: &Row) -> Result<bool, Error> {
    let text = "WITH RECURSIVE above (no, parent) AS (\
        SELECT no, parent FROM node WHERE no = $1 UNION ALL \
        SELECT n.no, n.parent FROM above a JOIN node n ON n.no = a.parent) SELECT no FROM above WHERE no = $2";
    Ok(txn
        .query_one_raw(sql(text, txn, [folder.node.no.into(), row.node.no.into()]))
        .await?
        .is_some())
}

/// How many levels a node has with all below it that has the same mark of deletion, or more than there may be.
async fn height(txn: &Txn, row: &Row) -> Result<i64, Error> {
    let mark = match row.node.deleted_at {
        Some(mark) => format!("{SAME_MARK} = {mark}"),
        None => "IS NULL".to_owned(),
    };
    let text = format!(
        "WITH RECURSIVE below (no, level) AS (SELECT CAST($1 AS BIGINT), CAST(1 AS BIGINT) UNION ALL \
         SELECT n.no, b.level + 1 FROM below b JOIN node n ON n.parent = b.no WHERE n.deleted_at {mark} AND b.level <= {LEVELS_MAX}) \
         SELECT MAX(level) AS level FROM below"
    );
    level(txn, &text, row).await
}

/// Refuses what would stand too deep: so many levels in a folder.
pub(super) async fn check_depth(txn: &Txn, folder: &Row, height: i64) -> Result<(), Error> {
    let text = "WITH RECURSIVE above (parent, level) AS (\
        SELECT parent, CAST(0 AS BIGINT) FROM node WHERE no = $1 UNION ALL \
        SELECT n.parent, a.level + 1 FROM above a JOIN node n ON n.no = a.parent) SELECT MAX(level) AS level FROM above";
    if level(txn, text, folder).await? + height <= LEVELS_MAX {
        return Ok(());
    }
    Err(Error::refused(
        ErrorCode::TooLarge,
        format!("nothing stands more than {LEVELS_MAX} folders deep in the drive; choose a folder further up"),
    ))
}

async fn level(txn: &Txn, text: &str, of: &Row) -> Result<i64, Error> {
    let row = txn.query_one_raw(sql(text, txn, [of.node.no.into()])).await?;
    Ok(row.ok_or_else(|| Error::bad_row("level"))?.try_get("", "level")?)
}

/// Its own name, or the first of `name (restored).txt`, `name (restored 2).txt`, ... that is free.
pub(super) async fn free_name(txn: &Txn, folder: &Row, row: &Row) -> Result<Name, Error> {
    let mut name = parsed(&row.node.name)?;
    for attempt in 1..=RESTORED_MAX {
        if child(txn, folder, &name).await?.is_none() {
            return Ok(name);
        }
        name = restored_name(&row.node.name, row.node.kind, attempt)?;
    }
    Err(name_taken())
}

pub(super) fn restored_name(name: &[u8], kind: Kind, attempt: usize) -> Result<Name, Error> {
    let suffix = if attempt == 1 {
        " (restored)".to_owned()
    } else {
        format!(" (restored {attempt})")
    };
    let dot = name
        .iter()
        .rposition(|byte| *byte == b'.')
        .filter(|at| *at > 0 && kind == Kind::File);
    let (stem, ending) = name.split_at(dot.unwrap_or(name.len()));
    let restored = [stem, suffix.as_bytes(), ending].concat();
    if restored.len() > NAME_MAX {
        Err(name_taken())
    } else {
        parsed(&restored)
    }
}

fn parsed(name: &[u8]) -> Result<Name, Error> {
    Name::new(name).map_err(|_| Error::refused(ErrorCode::BadRequest, "this cannot be a name; give it another one"))
}

pub(super) fn name_taken() -> Error {
    Error::refused(
        ErrorCode::NameTaken,
        "something of that name is there already; choose another name or another folder",
    )
}

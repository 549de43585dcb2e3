//! Removing and moving what paths are bound to, as the commits of a watch ask for it.
//!
//! A node goes with its path as long as it lies in the drive where its path says. What a person moved or renamed there stays
//! where the person wants it, and is only bound anew.

use std::collections::BTreeMap;

use beckon_shared::{
    error::ErrorCode,
    path::{Name, RootPath},
    time::Timestamp,
};
use sea_orm::{ConnectionTrait, EntityTrait};

use super::{
    BATCH, Error, Txn,
    drive::{change::mark_deleted, past::remember, search::folded},
    entity::{Kind, node, source},
    name::{NUMBER_MAX, free_name, numbered},
    places, source as sources, sql,
    tree::{Binding, Bound, Tree, with_folders},
};
use crate::{
    clock::Clock,
    store::commit::{CheckedShift, DEPTH_MAX, Shift},
};

/// The node `$1` and what lies below it in the drive with the mark of deletion `$2`. The sign keeps SQLite from looking each
/// time through all that has the mark, by the index of marks.
const REMOVED: &str = "WITH RECURSIVE below (no) AS (SELECT CAST($1 AS BIGINT) UNION ALL \
    SELECT n.no FROM below b JOIN node n ON n.parent = b.no WHERE n.deleted_at IS NOT NULL AND +n.deleted_at = $2)";

/// The node `$1` and what is live below it in the drive.
const LIVE: &str = "WITH RECURSIVE below (no) AS (SELECT CAST($1 AS BIGINT) UNION ALL \
    SELECT n.no FROM below b JOIN node n ON n.parent = b.no WHERE n.deleted_at IS NULL)";

/// The shifts of one commit, being applied.
pub(super) struct Shifts<'a> {
    txn: &'a Txn,
    clock: &'a dyn Clock,
    source: &'a source::Model,
    now: Timestamp,
    /// Row numbers from here on are free for folders.
    next: i64,
    /// How many folders were made.
    made: usize,
}

/// How many folders these may have to make.
pub(super) fn folders_of(shifts: &[CheckedShift]) -> usize {
    let depth = |shift: &CheckedShift| match &shift.shift {
        Shift::Remove(_) => 0,
        Shift::Move { to, .. } => to.names().count(),
    };
    shifts.iter().map(depth).sum()
}

impl<'a> Shifts<'a> {
    /// Row numbers from `next` on are free for as many folders as [`folders_of`] says.
    pub(super) fn new(txn: &'a Txn, clock: &'a dyn Clock, source: &'a source::Model, next: i64) -> Self {
        Self {
            txn,
            clock,
            source,
            now: clock.now(),
            next,
            made: 0,
        }
    }

    /// Applies them in their order. How many folders were made.
    pub(super) async fn apply(mut self, shifts: &[CheckedShift]) -> Result<usize, Error> {
        let mut removed = Vec::new();
        for shift in shifts {
            match &shift.shift {
                Shift::Remove(path) => removed.push(path),
                Shift::Move { from, to } => {
                    self.remove(&std::mem::take(&mut removed)).await?;
                    self.rebind(from, to).await?;
                }
            }
        }
        self.remove(&removed).await?;
        Ok(self.made)
    }

    async fn find(&self, paths: impl IntoIterator<Item = &RootPath>) -> Result<Tree<'a>, Error> {
        let wanted = with_folders(paths.into_iter().map(|path| (path.clone(), Kind::File)));
        let mut tree = Tree::new(self.txn, self.clock, self.source, Binding::Entry, self.next);
        tree.find(&wanted).await?;
        Ok(tree)
    }

    async fn remove(&self, paths: &[&RootPath]) -> Result<(), Error> {
        if paths.is_empty() {
            return Ok(());
        }
        let tree = self.find(paths.iter().copied()).await?;
        let (mut files, mut folders) = (Vec::new(), Vec::new());
        for bound in paths.iter().filter_map(|path| tree.get(path)) {
            match bound.kind {
                Kind::Folder => folders.push(bound.no),
                Kind::File | Kind::Symlink => files.push(bound.no),
            }
        }
        remove_files(self.txn, &files, self.now).await?;
        for folder in folders {
            self.remove_bound(folder).await?;
        }
        Ok(())
    }

    /// Removes a node with all below it, and what a person moved away from below it.
    async fn remove_bound(&self, node: i64) -> Result<(), Error> {
        let mut open = vec![node];
        while let Some(node) = open.pop() {
            remove_node(self.txn, self.source, node, self.now).await?;
            open.extend(self.moved_away(node).await?);
        }
        Ok(())
    }

    /// What is bound below a node that was removed, and lies elsewhere within the root's reach.
    async fn moved_away(&self, node: i64) -> Result<Vec<i64>, Error> {
        let text = format!(
            "{REMOVED} SELECT n.no FROM below b JOIN node n ON n.source_parent = b.no WHERE n.deleted_at IS NULL AND n.source = $3"
        );
        let values = [node.into(), self.now.0.into(), self.source.no.into()];
        let mut found = Vec::new();
        for row in self.txn.query_all_raw(sql(&text, self.txn, values)).await? {
            let no: i64 = row.try_get("", "no")?;
            if sources::is_reached(self.txn, self.source, no).await? {
                found.push(no);
            }
        }
        Ok(found)
    }

    /// Binds what `from` is bound to to another path.
    async fn rebind(&mut self, from: &RootPath, to: &RootPath) -> Result<(), Error> {
        let mut tree = self.find([from, to]).await?;
        let Some(moved) = tree.get(from) else { return Ok(()) };
        if let Some(there) = tree.get(to) {
            self.remove_bound(there.no).await?;
        }
        let (folder, name) = to.split_last().ok_or_else(|| Error::bad_row("path"))?;
        tree.make_missing(&folders(&folder)).await?;
        self.made += tree.made();
        self.next += i64::try_from(tree.made()).map_err(|_| Error::bad_row("count"))?;
        tree.write().await?;
        let Some(row) = self.live(moved).await? else {
            return Ok(());
        };
        let folder = tree.get(&folder).ok_or_else(|| Error::bad_row("folder"))?;
        self.check_depth(&row, from, to).await?;
        self.write(&row, folder.no, &name).await
    }

    /// A node that was not removed meanwhile, as it would be with what stood at the other path above it.
    async fn live(&self, bound: Bound) -> Result<Option<node::Model>, Error> {
        let row = node::Entity::find_by_id(bound.no).one(self.txn).await?;
        Ok(row.filter(|row| row.deleted_at.is_none()))
    }

    /// Refuses what would stand deeper than any commit could have put it.
    async fn check_depth(&self, row: &node::Model, from: &RootPath, to: &RootPath) -> Result<(), Error> {
        let (before, depth) = (from.names().count(), to.names().count());
        if depth <= before || row.kind != Kind::Folder {
            return Ok(());
        }
        let text = format!(
            "WITH RECURSIVE below (no, level) AS (SELECT CAST($1 AS BIGINT), CAST(0 AS BIGINT) UNION ALL \
             SELECT n.no, b.level + 1 FROM below b JOIN node n ON n.parent = b.no WHERE n.deleted_at IS NULL AND b.level <= {DEPTH_MAX}) \
             SELECT MAX(level) AS level FROM below"
        );
        let found = self.txn.query_one_raw(sql(&text, self.txn, [row.no.into()])).await?;
        let below: i64 = found.ok_or_else(|| Error::bad_row("level"))?.try_get("", "level")?;
        if usize::try_from(below).is_ok_and(|below| depth + below <= DEPTH_MAX) {
            return Ok(());
        }
        Err(Error::refused(
            ErrorCode::TooLarge,
            format!("a path would have more than {DEPTH_MAX} names; make that folder less deep"),
        ))
    }

    async fn write(&self, row: &node::Model, folder: i64, name: &Name) -> Result<(), Error> {
        let goes_along = lies_as_bound(row) && !is_at_or_below(self.txn, folder, row.no).await?;
        let (parent, called) = match (goes_along, row.parent) {
            (true, Some(parent)) if parent == folder && row.name == name.as_bytes() => (row.parent, row.name.clone()),
            (true, _) => {
                let free = free_name(self.txn, folder, name).await?;
                (Some(folder), free.as_bytes().to_vec())
            }
            (false, _) => (row.parent, row.name.clone()),
        };
        remember(self.txn, &[row.no], self.now).await?;
        let text =
            "UPDATE node SET source_parent = $1, source_name = $2, parent = $3, name = $4, folded = $5 WHERE no = $6";
        let values = [
            folder.into(),
            name.as_bytes().to_vec().into(),
            parent.into(),
            called.clone().into(),
            folded(&called).into(),
            row.no.into(),
        ];
        self.txn.execute_raw(sql(text, self.txn, values)).await?;
        Ok(())
    }
}

/// A folder with all above it.
fn folders(folder: &RootPath) -> BTreeMap<RootPath, Kind> {
    with_folders([(folder.clone(), Kind::Folder)])
}

/// Whether nobody moved or renamed a node in the drive: a number behind its name is from when the name was taken.
fn lies_as_bound(row: &node::Model) -> bool {
    let Some(Ok(bound)) = row.source_name.clone().map(Name::new) else {
        return false;
    };
    let is_called_so = || (2..=NUMBER_MAX).any(|number| row.name == numbered(&bound, number).as_bytes());
    row.parent == row.source_parent && (row.name == bound.as_bytes() || is_called_so())
}

async fn is_at_or_below(txn: &Txn, folder: i64, node: i64) -> Result<bool, Error> {
    let text = "WITH RECURSIVE above (no, parent) AS (\
        SELECT no, parent FROM node WHERE no = $1 UNION ALL \
        SELECT n.no, n.parent FROM above a JOIN node n ON n.no = a.parent) SELECT no FROM above WHERE no = $2";
    let found = txn.query_one_raw(sql(text, txn, [folder.into(), node.into()])).await?;
    Ok(found.is_some())
}

/// Puts files to Deleted that their own machine removed.
async fn remove_files(txn: &Txn, nodes: &[i64], now: Timestamp) -> Result<(), Error> {
    for nodes in nodes.chunks(BATCH) {
        let text = format!(
            "UPDATE node SET deleted_at = $1, removed_at = $1 WHERE deleted_at IS NULL AND no IN ({})",
            places(2, nodes.len())
        );
        let values = std::iter::once(now.0.into()).chain(nodes.iter().map(|no| (*no).into()));
        txn.execute_raw(sql(&text, txn, values)).await?;
    }
    Ok(())
}

/// Puts a node to Deleted with all below it, because its own machine says so. What of it came from elsewhere, its machines
/// must hear of: they have it still.
pub(super) async fn remove_node(txn: &Txn, source: &source::Model, node: i64, now: Timestamp) -> Result<(), Error> {
    let text = format!(
        "{LIVE} UPDATE source SET epoch = epoch + 1 WHERE no IN (SELECT n.source FROM below b JOIN node n ON n.no = b.no \
         WHERE n.no <> $1 AND (n.source <> $2 OR n.source_parent NOT IN (SELECT no FROM below)))"
    );
    txn.execute_raw(sql(&text, txn, [node.into(), source.no.into()]))
        .await?;
    mark_deleted(txn, node, now).await?;
    let text = format!(
        "{REMOVED} UPDATE node SET removed_at = $2 WHERE no IN (SELECT no FROM below) AND source = $3 \
         AND (no = $1 OR source_parent IN (SELECT no FROM below))"
    );
    txn.execute_raw(sql(&text, txn, [node.into(), now.0.into(), source.no.into()]))
        .await?;
    Ok(())
}

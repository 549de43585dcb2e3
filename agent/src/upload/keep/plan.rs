//! What of all that is gone from the machine moved, and what of it is really gone. Pure.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use beckon_shared::{
    commit::Change,
    entry::{Entry, EntryKind, SourceStamp},
    path::RootPath,
};

use super::look::Fresh;
use crate::index::Lost;

/// So many things that were in a folder are looked for in the one that may be the same.
const WITNESSES: usize = 16;

/// The removals and moves that bring what is stored to the shape of what is there.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Folders that are put first: new ones that something moved into, and those where something else was stored. Each comes
    /// before what is in it.
    pub(super) folders: Vec<Fresh>,
    /// Moves, then removals.
    pub(super) changes: Vec<Change>,
    /// How the folders and symlinks that moved look where they are now. A file is read once more, since a move leaves its mark
    /// in the stamp that people's clients compare.
    pub(super) stamps: Arc<HashMap<RootPath, SourceStamp>>,
    /// Sizes of the files that are gone for good.
    pub(super) gone: Vec<u64>,
}

impl Plan {
    /// Only what moved, if anything did.
    pub(super) fn moves_first(mut self) -> Self {
        let is_move = |change: &Change| matches!(change, Change::Move { .. });
        if self.changes.iter().any(is_move) {
            self.changes.retain(is_move);
            self.gone.clear();
        }
        self
    }

    /// Whether nothing moved and nothing is gone.
    pub(super) fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.folders.is_empty()
    }
}

/// Finds out what moved: something is new where nothing was, and is the file or folder that is gone from elsewhere.
///
/// `lost` are in the order of their paths' bytes, `fresh` in that of a walk.
pub(super) fn plan(lost: &[Lost], fresh: &[Fresh]) -> Plan {
    if lost.is_empty() && !fresh.iter().any(|one| one.is_other) {
        return Plan::default();
    }
    let moves = Moves::find(lost, fresh);
    let mut plan = Plan {
        folders: moves.folders(fresh),
        ..Plan::default()
    };
    let stamps = moves.found.iter().filter(|(_, to)| to.entry.kind != EntryKind::File);
    plan.stamps = Arc::new(stamps.map(|(_, to)| (to.path.clone(), to.entry.stamp)).collect());
    plan.changes = moves.changes();
    let mut removed = HashSet::new();
    for one in lost {
        if moves.covers(&one.path) {
            continue;
        }
        if one.row.is_stored_file() {
            plan.gone.push(one.row.stamp.size);
        }
        if !above(&one.path).any(|folder| removed.contains(&folder)) {
            removed.insert(one.path.clone());
            plan.changes.push(Change::Remove { path: one.path.clone() });
        }
    }
    plan
}

/// The folders above a path, from the lowest up.
fn above(path: &RootPath) -> impl Iterator<Item = RootPath> {
    std::iter::successors(path.split_last(), |(folder, _)| folder.split_last()).map(|(folder, _)| folder)
}

#[derive(Default)]
struct Moves<'a> {
    found: Vec<(&'a Lost, &'a crate::scan::Found)>,
    from: HashSet<&'a RootPath>,
}

impl<'a> Moves<'a> {
    fn find(lost: &'a [Lost], fresh: &'a [Fresh]) -> Self {
        let mut by_id: HashMap<u64, Vec<&Lost>> = HashMap::new();
        for one in lost.iter().filter(|one| one.row.stamp.file_id != 0) {
            by_id.entry(one.row.stamp.file_id).or_default().push(one);
        }
        let by_path: HashMap<_, _> = fresh.iter().map(|one| (&one.found.path, &one.found.entry)).collect();
        let mut moves = Self::default();
        let mut inside: Option<&RootPath> = None;
        for one in fresh.iter().filter(|one| one.is_new) {
            let to = &one.found;
            if inside.is_some_and(|folder| folder.holds(&to.path)) {
                continue;
            }
            let same = |lost: &&&'a Lost| is_same(lost, &to.entry) && moves.may_go(&lost.path, &to.path);
            let Some(from) = by_id.get(&to.entry.stamp.file_id).into_iter().flatten().find(same) else {
                continue;
            };
            if to.entry.kind == EntryKind::Folder {
                if !is_same_folder(from, lost, &to.path, &by_path) {
                    continue;
                }
                inside = Some(&to.path);
            }
            moves.from.insert(&from.path);
            moves.found.push((from, to));
        }
        moves
    }

    /// Whether what was at `from` can be moved to `to` after all moves so far.
    fn may_go(&self, from: &RootPath, to: &RootPath) -> bool {
        !self.covers(from) && !from.holds(to) && !to.holds(from)
    }

    /// Whether this, or a folder above it, has moved.
    fn covers(&self, path: &RootPath) -> bool {
        self.from.contains(path) || above(path).any(|folder| self.from.contains(&folder))
    }

    fn changes(&self) -> Vec<Change> {
        let moved = self.found.iter().map(|(from, to)| Change::Move {
            from: from.path.clone(),
            to: to.path.clone(),
        });
        moved.collect()
    }

    /// Folders above what moved of which the server does not know that they are there.
    fn folders(&self, fresh: &[Fresh]) -> Vec<Fresh> {
        let needed: HashSet<_> = self.found.iter().flat_map(|(_, to)| above(&to.path)).collect();
        let is_unknown = |one: &&Fresh| {
            let was_folder = one.known.as_ref().is_some_and(|row| row.kind == EntryKind::Folder);
            one.found.entry.kind == EntryKind::Folder && !was_folder
        };
        let mut folders: Vec<_> = fresh.iter().filter(is_unknown).collect();
        folders.retain(|one| one.is_other || needed.contains(&one.found.path));
        folders.into_iter().cloned().collect()
    }
}

/// Whether an entry may be what is gone. The system may use the number of a file again, but hardly with the same times.
fn is_same(lost: &Lost, entry: &Entry) -> bool {
    let (was, is) = (&lost.row.stamp, &entry.stamp);
    let looks_same = lost.row.kind == EntryKind::Folder || (was.size, was.mtime_ns) == (is.size, is.mtime_ns);
    lost.row.kind == entry.kind && was.file_id == is.file_id && looks_same
}

/// Whether something that was in a folder is in the one that has its number now: times of folders tell nothing.
fn is_same_folder(from: &Lost, lost: &[Lost], to: &RootPath, fresh: &HashMap<&RootPath, &Entry>) -> bool {
    let first = lost.partition_point(|one| one.path.as_bytes() < [from.path.as_bytes(), b"/"].concat().as_slice());
    let below = lost[first..].iter().take_while(|one| from.path.holds(&one.path));
    below.take(WITNESSES).any(|one| {
        let rest = &one.path.as_bytes()[from.path.as_bytes().len()..];
        let path = RootPath::new([to.as_bytes(), rest].concat());
        let entry = path.ok().and_then(|path| fresh.get(&path).copied());
        entry.is_some_and(|entry| entry.kind == one.row.kind && entry.stamp.file_id == one.row.stamp.file_id)
    })
}

#[cfg(test)]
mod tests;

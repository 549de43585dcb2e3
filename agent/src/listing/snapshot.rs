//! The names of one folder at one moment, sorted as far as somebody has looked.

use std::{
    cmp::Ordering,
    sync::{Mutex, PoisonError},
};

use beckon_shared::{
    browse::{ListAsk, Page},
    entry::{Direction, Entry, EntryKind, SortKey},
    error::{ErrorCode, Refusal},
    id::RootId,
    path::{Name, RootPath},
    wire,
};

use super::natural;
use crate::root::Folder;

/// The names of a snapshot have at most this many bytes together: 20 for each of the most that a session keeps.
const ARENA_MAX: usize = 64 << 20;
/// Not less than this is sorted at once.
const SORT_MIN: usize = if cfg!(test) { 16 } else { 4096 };
/// What an entry takes in a page at the least: its name's length, its kind, a stamp, no target.
const ENTRY_MIN: usize = 8;

/// The names of one folder at one moment.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) number: u64,
    root: RootId,
    path: RootPath,
    sort: SortKey,
    direction: Direction,
    /// All names, one after the other.
    names: Vec<u8>,
    total: usize,
    rows: Mutex<Rows>,
}

#[derive(Debug)]
struct Rows {
    rows: Vec<Row>,
    /// So many from the start are in their place for good.
    sorted: usize,
}

#[derive(Debug, Clone, Copy)]
struct Row {
    at: u32,
    len: u16,
    kind: EntryKind,
    /// What comes before the name in the order.
    key: u64,
}

impl Snapshot {
    /// Reads the names of a folder, at most `max`, and what it is to be sorted by.
    pub(super) fn take(number: u64, folder: &Folder, ask: &ListAsk, max: usize) -> Result<Self, Refusal> {
        let (mut names, mut rows) = (Vec::new(), Vec::new());
        folder.each_name(|name, kind| {
            let row = Row {
                at: u32::try_from(names.len()).map_err(|_| too_large())?,
                len: u16::try_from(name.as_bytes().len()).map_err(|_| too_large())?,
                kind,
                key: key(folder, ask.sort, &name, kind),
            };
            names.extend_from_slice(name.as_bytes());
            rows.push(row);
            if rows.len() > max || names.len() > ARENA_MAX {
                Err(too_large())
            } else {
                Ok(())
            }
        })?;
        Ok(Self {
            number,
            root: ask.root,
            path: ask.path.clone(),
            sort: ask.sort,
            direction: ask.direction,
            names,
            total: rows.len(),
            rows: Mutex::new(Rows { rows, sorted: 0 }),
        })
    }

    /// Whether it shows what is asked for.
    pub(super) fn is_of(&self, ask: &ListAsk) -> bool {
        (self.root, &self.path, self.sort, self.direction) == (ask.root, &ask.path, ask.sort, ask.direction)
    }

    /// Names in it.
    pub(super) fn total(&self) -> usize {
        self.total
    }

    /// The entries from `offset` on that fit into `max_bytes`, at least one. What vanished meanwhile is left out.
    pub(super) fn page(&self, folder: &Folder, offset: u64, max_bytes: usize) -> Result<Page, Refusal> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.total);
        let end = self.total.min(start.saturating_add(max_bytes / ENTRY_MIN));
        let mut entries = Vec::new();
        let (mut next, mut size) = (start, 0);
        while next < end {
            let batch = self.sorted(next, end.min(next + SORT_MIN));
            for row in batch {
                let Some(entry) = self.entry(folder, row)? else {
                    next += 1;
                    continue;
                };
                size += wire::encode(&entry).len();
                if size > max_bytes && !entries.is_empty() {
                    return Ok(self.cut(start, next, entries));
                }
                entries.push(entry);
                next += 1;
            }
        }
        Ok(self.cut(start, next, entries))
    }

    fn cut(&self, start: usize, next: usize, entries: Vec<Entry>) -> Page {
        Page {
            snapshot: self.number,
            total: self.total as u64,
            offset: start as u64,
            entries,
            next: next as u64,
        }
    }

    fn entry(&self, folder: &Folder, row: Row) -> Result<Option<Entry>, Refusal> {
        let Ok(name) = Name::new(self.name(row)) else {
            return Ok(None);
        };
        match folder.stat(&name) {
            Ok(entry) => Ok(Some(entry)),
            Err(refusal) if refusal.code == ErrorCode::NotFound => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }

    /// The rows of a range, which are in their place from then on.
    fn sorted(&self, start: usize, end: usize) -> Vec<Row> {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        if rows.sorted < end {
            // Twice as far each time, so that reading to the end costs no more than sorting at once.
            let from = rows.sorted;
            let to = end.max(from * 2).max(SORT_MIN).min(self.total);
            let rest = &mut rows.rows[from..];
            if to - from < rest.len() {
                rest.select_nth_unstable_by(to - from, |a, b| self.compare(a, b));
            }
            rest[..to - from].sort_unstable_by(|a, b| self.compare(a, b));
            rows.sorted = to;
        }
        rows.rows[start..end].to_vec()
    }

    /// Folders first, whichever end of the rest comes first. No two rows are equal, as no two names are.
    fn compare(&self, a: &Row, b: &Row) -> Ordering {
        let is_file = |row: &Row| row.kind != EntryKind::Folder;
        is_file(a).cmp(&is_file(b)).then_with(|| {
            let ascending = a
                .key
                .cmp(&b.key)
                .then_with(|| natural::compare(self.name(*a), self.name(*b)));
            match self.direction {
                Direction::Ascending => ascending,
                Direction::Descending => ascending.reverse(),
            }
        })
    }

    fn name(&self, row: Row) -> &[u8] {
        let at = row.at as usize;
        &self.names[at..at + usize::from(row.len)]
    }
}

/// The size of a folder says nothing to people, so folders have none to be sorted by.
fn key(folder: &Folder, sort: SortKey, name: &Name, kind: EntryKind) -> u64 {
    match (sort, kind) {
        (SortKey::Name, _) | (SortKey::Size, EntryKind::Folder) => 0,
        (SortKey::Size, _) => folder.stat(name).map(|entry| entry.stamp.size).unwrap_or_default(),
        // Times before 1970 are negative: flipping the sign bit keeps the order.
        (SortKey::Time, _) => {
            folder
                .stat(name)
                .map(|entry| entry.stamp.mtime_ns)
                .unwrap_or_default()
                .cast_unsigned()
                ^ (1 << 63)
        }
    }
}

fn too_large() -> Refusal {
    Refusal::new(
        ErrorCode::TooLarge,
        "the folder has more than two million entries, more than can be listed; list a folder below it",
    )
}

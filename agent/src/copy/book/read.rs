//! Questions to the book.

use beckon_shared::{
    browse::Conflict,
    chunk::ChunkRef,
    entry::EntryKind,
    error::Refusal,
    id::{ChunkId, RootId, TransferId},
    path::RootPath,
    wire,
};
use redb::ReadableDatabase;
use serde::de::DeserializeOwned;

use super::{
    Book, CHUNKS, CONFLICTS, INTENTS, MOVES, PARTS, ROWS, Table, WHERE, below, key, path_in,
    row::{Intent, Part, Row, decode_chunks},
    unusable,
};

/// Where a chunk was written on this machine: it may have changed since, so its id is verified when it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OwnChunk {
    /// The root.
    pub(crate) root: RootId,
    /// The file below it.
    pub(crate) path: RootPath,
    /// Where it begins there.
    pub(crate) offset: u64,
}

impl Book {
    /// What was written at a path.
    pub(crate) fn row(&self, transfer: TransferId, path: &RootPath) -> Result<Option<Row>, Refusal> {
        self.one(ROWS, transfer, path)
    }

    /// What is about to be at a path.
    pub(crate) fn intent(&self, transfer: TransferId, path: &RootPath) -> Result<Option<Intent>, Refusal> {
        self.one(INTENTS, transfer, path)
    }

    /// All that is about to come.
    pub(crate) fn intents(&self, transfer: TransferId) -> Result<Vec<(RootPath, Intent)>, Refusal> {
        let all = self.page(INTENTS, transfer, &RootPath::root(), None, usize::MAX)?;
        Ok(decoded(all).collect())
    }

    /// The moves that were announced, in their order.
    pub(crate) fn moves(&self, transfer: TransferId) -> Result<Vec<(RootPath, RootPath)>, Refusal> {
        let Some(copy) = self.copy(transfer) else {
            return Ok(Vec::new());
        };
        let (first, end) = below(copy.number, &RootPath::root());
        self.range(MOVES, &first, &end, usize::MAX, |_, value| wire::decode(value).ok())
    }

    /// A large file that has come in part.
    pub(crate) fn part(&self, transfer: TransferId, path: &RootPath) -> Result<Option<Part>, Refusal> {
        self.one(PARTS, transfer, path)
    }

    /// All files of a copy that have come in part.
    pub(crate) fn parts(&self, transfer: TransferId) -> Result<Vec<(RootPath, Part)>, Refusal> {
        let all = self.page(PARTS, transfer, &RootPath::root(), None, usize::MAX)?;
        Ok(decoded(all).collect())
    }

    /// The first `max` rows at and below a path that come behind `after`, in the order of their paths' bytes.
    pub(crate) fn rows(
        &self,
        transfer: TransferId,
        at: &RootPath,
        after: Option<&RootPath>,
        max: usize,
    ) -> Result<Vec<(RootPath, Row)>, Refusal> {
        Ok(decoded(self.page(ROWS, transfer, at, after, max)?).collect())
    }

    /// The chunks of a file that was written, in order.
    pub(crate) fn chunks(&self, transfer: TransferId, path: &RootPath) -> Result<Vec<ChunkRef>, Refusal> {
        let value = self.value(CHUNKS, transfer, path)?;
        Ok(value.map(|value| decode_chunks(&value)).unwrap_or_default())
    }

    /// Where each of these chunks was last written on this machine.
    pub(crate) fn own(&self, chunks: &[ChunkId]) -> Result<Vec<Option<OwnChunk>>, Refusal> {
        let roots: std::collections::HashMap<u32, RootId> =
            self.copies().values().map(|copy| (copy.number, copy.root)).collect();
        let found = |value: &[u8]| {
            let (number, offset, path) = wire::decode::<(u32, u64, RootPath)>(value).ok()?;
            let root = *roots.get(&number)?;
            Some(OwnChunk { root, path, offset })
        };
        let read = || -> Result<Vec<Option<OwnChunk>>, redb::Error> {
            let places = self.0.db.begin_read()?.open_table(WHERE)?;
            let place = |id: &ChunkId| {
                let place = places.get(id.as_bytes())?;
                Ok(place.and_then(|place| found(place.value())))
            };
            chunks.iter().map(place).collect()
        };
        read().map_err(|cause| unusable(&cause))
    }

    /// What was changed here of a copy, by path.
    pub(crate) fn conflicts(&self, transfer: TransferId) -> Result<Vec<Conflict>, Refusal> {
        let Some(copy) = self.copy(transfer) else {
            return Ok(Vec::new());
        };
        let (first, end) = below(copy.number, &RootPath::root());
        self.range(CONFLICTS, &first, &end, usize::MAX, |_, value| wire::decode(value).ok())
    }

    /// How many files were written at a path and below it, and their bytes.
    pub(crate) fn count(&self, transfer: TransferId, at: &RootPath) -> Result<(u64, u64), Refusal> {
        let (mut files, mut bytes) = (0, 0);
        let mut after = None;
        loop {
            let page = self.rows(transfer, at, after.as_ref(), PAGE)?;
            for (_, row) in page.iter().filter(|(_, row)| row.kind != EntryKind::Folder) {
                files += 1;
                bytes += if row.kind == EntryKind::File { row.stamp.size } else { 0 };
            }
            let Some((last, _)) = page.into_iter().next_back() else {
                return Ok((files, bytes));
            };
            after = Some(last);
        }
    }

    fn one<T: DeserializeOwned>(
        &self,
        table: Table,
        transfer: TransferId,
        path: &RootPath,
    ) -> Result<Option<T>, Refusal> {
        let value = self.value(table, transfer, path)?;
        Ok(value.and_then(|value| wire::decode(&value).ok()))
    }

    fn value(&self, table: Table, transfer: TransferId, path: &RootPath) -> Result<Option<Vec<u8>>, Refusal> {
        let Some(copy) = self.copy(transfer) else {
            return Ok(None);
        };
        let read = || -> Result<Option<Vec<u8>>, redb::Error> {
            let table = self.0.db.begin_read()?.open_table(table)?;
            let value = table.get(key(copy.number, path).as_slice())?;
            Ok(value.map(|value| value.value().to_vec()))
        };
        read().map_err(|cause| unusable(&cause))
    }

    /// Entries at and below a path. What is at the path itself comes first, though other paths may stand between it and what
    /// is below it.
    fn page(
        &self,
        table: Table,
        transfer: TransferId,
        at: &RootPath,
        after: Option<&RootPath>,
        max: usize,
    ) -> Result<Vec<(RootPath, Vec<u8>)>, Refusal> {
        let Some(copy) = self.copy(transfer) else {
            return Ok(Vec::new());
        };
        let mut page = Vec::new();
        if after.is_none() && !at.is_root() {
            page.extend(self.value(table, transfer, at)?.map(|value| (at.clone(), value)));
        }
        let (mut first, end) = below(copy.number, at);
        if let Some(after) = after.filter(|after| *after != at) {
            first = key(copy.number, after);
            first.push(0);
        }
        let entry = |key: &[u8], value: &[u8]| Some((path_in(key)?, value.to_vec()));
        page.extend(self.range(table, &first, &end, max - page.len(), entry)?);
        Ok(page)
    }

    fn range<T>(
        &self,
        table: Table,
        first: &[u8],
        end: &[u8],
        max: usize,
        entry: impl Fn(&[u8], &[u8]) -> Option<T>,
    ) -> Result<Vec<T>, Refusal> {
        if first >= end {
            return Ok(Vec::new());
        }
        let read = || -> Result<Vec<T>, redb::Error> {
            let table = self.0.db.begin_read()?.open_table(table)?;
            let mut all = Vec::new();
            for row in table.range(first..end)? {
                if all.len() >= max {
                    break;
                }
                let (key, value) = row?;
                all.extend(entry(key.value(), value.value()));
            }
            Ok(all)
        };
        read().map_err(|cause| unusable(&cause))
    }
}

/// So many rows are looked at between two looks at the book.
pub(crate) const PAGE: usize = 1000;

fn decoded<T: DeserializeOwned>(all: Vec<(RootPath, Vec<u8>)>) -> impl Iterator<Item = (RootPath, T)> {
    all.into_iter()
        .filter_map(|(path, value)| Some((path, wire::decode(&value).ok()?)))
}

//! What each follow wants: which manifest every path of the followed root holds, after the last commit that was taken. It is
//! kept of the whole root, so that what moves into the followed folder is known.
//!
//! Nothing here is forced to the disk by itself: the state and the number of its commit change together, so what a power
//! cut takes back is asked for again.

use std::collections::{HashMap, HashSet};

use beckon_shared::{
    commit::{ChainHead, Change},
    error::{ErrorCode, Refusal},
    id::{Hash, TransferId},
    manifest::{Content, Manifest},
    path::RootPath,
};
use redb::{
    Durability, ReadOnlyTable, ReadTransaction, ReadableDatabase, ReadableTable, StorageError, Table, TableDefinition,
    WriteTransaction,
};

use super::Book;
use crate::sound;

/// Transfer and path to [`Row`]. The digit in a table's name is the version of its records.
const WANTED: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("wanted.1");
/// Transfer to number and hash of the last commit that was taken.
const TAKEN: TableDefinition<'_, &[u8], (u64, [u8; 32])> = TableDefinition::new("taken.1");

/// Bytes of an id.
const ID: usize = 16;

/// What all follows of this machine want.
#[derive(Clone)]
pub(crate) struct Desired(Book);

/// Whether something can lie below an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nobody needed to know yet, or its manifest is kept no more.
    Unknown,
    /// It is a folder.
    Folder,
    /// It is a file or a symlink.
    Leaf,
}

/// What a path holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Row {
    manifest: Hash,
    kind: Kind,
}

/// What one follow wants, as it was at one moment.
pub(crate) struct View {
    rows: ReadOnlyTable<&'static [u8], &'static [u8]>,
    transfer: TransferId,
}

impl Kind {
    /// Of what a manifest describes.
    pub(crate) fn of(manifest: &Manifest) -> Self {
        match manifest.content {
            Content::Folder => Self::Folder,
            Content::File(_) | Content::Symlink(_) => Self::Leaf,
        }
    }
}

impl Desired {
    /// In the file of this book.
    pub(crate) fn open(book: Book) -> Result<Self, Refusal> {
        let made = || -> Result<(), redb::Error> {
            let write = book.db().begin_write()?;
            write.open_table(WANTED)?;
            write.open_table(TAKEN)?;
            write.commit()?;
            Ok(())
        };
        made().map_err(|cause| unusable(&cause))?;
        Ok(Self(book))
    }

    /// The last commit that was taken.
    pub(crate) fn head(&self, transfer: TransferId) -> Result<ChainHead, Refusal> {
        let look = || -> Result<ChainHead, redb::Error> {
            let read = self.0.db().begin_read()?;
            let taken = read.open_table(TAKEN)?.get(transfer.as_bytes())?;
            Ok(taken.map_or(ChainHead::EMPTY, |taken| {
                let (number, hash) = taken.value();
                ChainHead {
                    number,
                    hash: Hash(hash),
                }
            }))
        };
        look().map_err(|cause| unusable(&cause))
    }

    /// Of which manifests the kind must be known before these changes are taken: something lies below their paths.
    pub(crate) fn unclear(&self, transfer: TransferId, changes: &[Change]) -> Result<Vec<Hash>, Refusal> {
        self.try_unclear(transfer, changes).map_err(|cause| unusable(&cause))
    }

    fn try_unclear(&self, transfer: TransferId, changes: &[Change]) -> Result<Vec<Hash>, redb::Error> {
        let puts = || {
            changes.iter().filter_map(|change| match change {
                Change::Put { path, manifest } => Some((path, manifest)),
                Change::Remove { .. } | Change::Move { .. } => None,
            })
        };
        let above: HashSet<RootPath> = puts().flat_map(|(path, _)| above(path)).collect();
        let read = self.0.db().begin_read()?;
        let rows = read.open_table(WANTED)?;
        let mut unclear = HashSet::new();
        for (path, manifest) in puts() {
            if above.contains(path) || rows.range(below(transfer, path).as_range())?.next().is_some() {
                unclear.insert(*manifest);
            }
        }
        for folder in above {
            if let Some(Row {
                manifest,
                kind: Kind::Unknown,
            }) = get(&rows, transfer, &folder)?
            {
                unclear.insert(manifest);
            }
        }
        Ok(unclear.into_iter().collect())
    }

    /// Takes verified changes that follow the commit `before`, with the number of their last one. If others were taken since,
    /// nothing is, and the answer is false: what moved twice would be lost.
    pub(crate) fn advance(
        &self,
        transfer: TransferId,
        (before, head): (ChainHead, ChainHead),
        changes: &[Change],
        kinds: &HashMap<Hash, Kind>,
    ) -> Result<bool, Refusal> {
        let take = || -> Result<bool, redb::Error> {
            let write = self.begin()?;
            {
                let mut taken = write.open_table(TAKEN)?;
                let known = taken.get(transfer.as_bytes())?.map(|taken| taken.value());
                if known.unwrap_or_default() != (before.number, before.hash.0) {
                    return Ok(false);
                }
                taken.insert(transfer.as_bytes(), (head.number, head.hash.0))?;
                let mut taking = Taking {
                    rows: write.open_table(WANTED)?,
                    transfer,
                    kinds,
                    clear: HashSet::new(),
                };
                for change in changes {
                    taking.take(change)?;
                }
            }
            write.commit()?;
            Ok(true)
        };
        take().map_err(|cause| unusable(&cause))
    }

    /// What a follow wants now.
    pub(crate) fn view(&self, transfer: TransferId) -> Result<View, Refusal> {
        let look = || -> Result<View, redb::Error> {
            let rows = self.0.db().begin_read()?.open_table(WANTED)?;
            Ok(View { rows, transfer })
        };
        look().map_err(|cause| unusable(&cause))
    }

    /// Forgets a follow that is over.
    pub(crate) fn forget(&self, transfer: TransferId) -> Result<(), Refusal> {
        let forget = || -> Result<(), redb::Error> {
            let write = self.begin()?;
            {
                let mut rows = write.open_table(WANTED)?;
                rows.remove(key(transfer, &RootPath::root()).as_slice())?;
                rows.retain_in(below(transfer, &RootPath::root()).as_range(), |_, _| false)?;
                write.open_table(TAKEN)?.remove(transfer.as_bytes())?;
            }
            write.commit()?;
            Ok(())
        };
        forget().map_err(|cause| unusable(&cause))
    }

    fn begin(&self) -> Result<WriteTransaction, redb::Error> {
        let mut write = self.0.db().begin_write()?;
        // Whoever writes files forces the database to the disk, and this along with it.
        write.set_durability(Durability::None)?;
        Ok(write)
    }
}

/// Changes that are being taken.
struct Taking<'a> {
    rows: Table<'a, &'static [u8], &'static [u8]>,
    transfer: TransferId,
    kinds: &'a HashMap<Hash, Kind>,
    /// Folders above which, and at which, no file stands.
    clear: HashSet<RootPath>,
}

impl Taking<'_> {
    fn take(&mut self, change: &Change) -> Result<(), redb::Error> {
        match change {
            Change::Put { path, manifest } => self.put(path, *manifest),
            Change::Remove { path } => self.remove(path),
            Change::Move { from, to } => self.rename(from, to),
        }
    }

    fn put(&mut self, path: &RootPath, manifest: Hash) -> Result<(), redb::Error> {
        self.clear_above(path)?;
        let kind = self.kinds.get(&manifest).copied().unwrap_or(Kind::Unknown);
        if kind == Kind::Leaf {
            self.remove_below(path)?;
        }
        self.insert(path, Row { manifest, kind })
    }

    /// What takes the place of a file as a folder does so by what is put below it.
    fn clear_above(&mut self, path: &RootPath) -> Result<(), redb::Error> {
        for folder in above(path) {
            if self.clear.contains(&folder) {
                return Ok(());
            }
            if let Some(row) = get(&self.rows, self.transfer, &folder)? {
                let told = self.kinds.get(&row.manifest).copied().unwrap_or(Kind::Unknown);
                match (row.kind, told) {
                    (Kind::Leaf, _) | (Kind::Unknown, Kind::Leaf) => {
                        self.rows.remove(key(self.transfer, &folder).as_slice())?;
                    }
                    (Kind::Unknown, Kind::Folder) => self.insert(&folder, Row { kind: told, ..row })?,
                    (Kind::Folder, _) | (Kind::Unknown, Kind::Unknown) => {}
                }
            }
            self.clear.insert(folder);
        }
        Ok(())
    }

    /// Where nothing is at `from`, nothing happens: a device that does not know whether a commit was taken says the same again.
    fn rename(&mut self, from: &RootPath, to: &RootPath) -> Result<(), redb::Error> {
        let moved = self.rows_at(from)?;
        if moved.is_empty() {
            return Ok(());
        }
        self.remove(to)?;
        if to.holds(from) {
            return Ok(());
        }
        self.remove(from)?;
        for (path, row) in moved {
            // A path that is too long now is one that the device cannot have.
            if let Some(path) = rebased(&path, from, to) {
                self.insert(&path, row)?;
            }
        }
        Ok(())
    }

    fn rows_at(&self, path: &RootPath) -> Result<Vec<(RootPath, Row)>, redb::Error> {
        let own = get(&self.rows, self.transfer, path)?.map(|row| (path.clone(), row));
        let mut rows: Vec<_> = own.into_iter().collect();
        for entry in self.rows.range(below(self.transfer, path).as_range())? {
            let (key, row) = entry?;
            rows.push((path_of(key.value())?, Row::decode(row.value())?));
        }
        Ok(rows)
    }

    fn remove(&mut self, path: &RootPath) -> Result<(), redb::Error> {
        self.rows.remove(key(self.transfer, path).as_slice())?;
        self.remove_below(path)
    }

    fn remove_below(&mut self, path: &RootPath) -> Result<(), redb::Error> {
        self.clear.clear();
        self.rows
            .retain_in(below(self.transfer, path).as_range(), |_, _| false)?;
        Ok(())
    }

    fn insert(&mut self, path: &RootPath, row: Row) -> Result<(), redb::Error> {
        if row.kind == Kind::Leaf {
            self.clear.remove(path);
        }
        self.rows
            .insert(key(self.transfer, path).as_slice(), row.encode().as_slice())?;
        Ok(())
    }
}

impl View {
    /// The manifest that is wanted at a path of the followed root.
    pub(crate) fn get(&self, path: &RootPath) -> Result<Option<Hash>, Refusal> {
        let row = get(&self.rows, self.transfer, path).map_err(|cause| unusable(&cause))?;
        Ok(row.map(|row| row.manifest))
    }

    /// Whether something is wanted below a path.
    pub(crate) fn has_below(&self, path: &RootPath) -> Result<bool, Refusal> {
        let range = self.rows.range(below(self.transfer, path).as_range());
        range
            .map(|mut rows| rows.next().is_some())
            .map_err(|cause| unusable(&cause.into()))
    }

    /// What is wanted strictly below a path, and behind `after` in the order of bytes; at most so many.
    pub(crate) fn page(
        &self,
        folder: &RootPath,
        after: Option<&RootPath>,
        max: usize,
    ) -> Result<Vec<(RootPath, Hash)>, Refusal> {
        let read = || -> Result<Vec<(RootPath, Hash)>, redb::Error> {
            let mut range = below(self.transfer, folder);
            if let Some(after) = after {
                range.0 = [key(self.transfer, after), vec![0]].concat();
            }
            let rows = self.rows.range(range.as_range())?.take(max);
            rows.map(|entry| {
                let (key, row) = entry?;
                Ok((path_of(key.value())?, Row::decode(row.value())?.manifest))
            })
            .collect()
        };
        read().map_err(|cause| unusable(&cause))
    }
}

impl Row {
    fn encode(self) -> [u8; 33] {
        let mut bytes = [0; 33];
        bytes[..32].copy_from_slice(&self.manifest.0);
        bytes[32] = match self.kind {
            Kind::Unknown => 0,
            Kind::Folder => 1,
            Kind::Leaf => 2,
        };
        bytes
    }

    fn decode(bytes: &[u8]) -> Result<Self, redb::Error> {
        let (manifest, kind) = bytes.split_first_chunk().ok_or_else(corrupted)?;
        let kind = match kind {
            [0] => Kind::Unknown,
            [1] => Kind::Folder,
            [2] => Kind::Leaf,
            _ => return Err(corrupted()),
        };
        Ok(Self {
            manifest: Hash(*manifest),
            kind,
        })
    }
}

/// All that is kept here.
pub(crate) fn digest(read: &ReadTransaction, digest: &mut sound::Digest) -> Result<(), redb::Error> {
    sound::add(read, WANTED, digest)?;
    sound::add(read, TAKEN, digest)
}

/// The path at which something is after `from` moved to `to`; nothing if it would be too long.
pub(crate) fn rebased(path: &RootPath, from: &RootPath, to: &RootPath) -> Option<RootPath> {
    if !from.holds(path) {
        return None;
    }
    let rest = path.as_bytes().get(from.as_bytes().len()..)?;
    let rest = rest.strip_prefix(b"/").unwrap_or(rest);
    match (to.is_root(), rest.is_empty()) {
        (_, true) => Some(to.clone()),
        (true, false) => RootPath::new(rest).ok(),
        (false, false) => RootPath::new([to.as_bytes(), b"/", rest].concat()).ok(),
    }
}

/// The folders above a path, the nearest first, the root last.
pub(crate) fn above(path: &RootPath) -> impl Iterator<Item = RootPath> + use<> {
    let parent = |path: &RootPath| path.split_last().map(|(parent, _)| parent);
    std::iter::successors(parent(path), move |path| parent(path))
}

fn get(
    rows: &impl ReadableTable<&'static [u8], &'static [u8]>,
    transfer: TransferId,
    path: &RootPath,
) -> Result<Option<Row>, redb::Error> {
    let row = rows.get(key(transfer, path).as_slice())?;
    row.map(|row| Row::decode(row.value())).transpose()
}

/// Keys from the first to below the second.
struct Keys(Vec<u8>, Vec<u8>);

impl Keys {
    fn as_range(&self) -> std::ops::Range<&[u8]> {
        self.0.as_slice()..self.1.as_slice()
    }
}

/// Of everything strictly below a path.
fn below(transfer: TransferId, path: &RootPath) -> Keys {
    let key = key(transfer, path);
    match path.is_root() {
        // No path begins with a zero, and none with the highest byte of all so often.
        true => Keys(
            [key.as_slice(), &[1]].concat(),
            [key.as_slice(), &[0xff; 2 * ID]].concat(),
        ),
        false => Keys(
            [key.as_slice(), b"/"].concat(),
            // What comes next after the slash.
            [key.as_slice(), b"0"].concat(),
        ),
    }
}

fn key(transfer: TransferId, path: &RootPath) -> Vec<u8> {
    [transfer.as_bytes(), path.as_bytes()].concat()
}

fn path_of(key: &[u8]) -> Result<RootPath, redb::Error> {
    let path = key.get(ID..).ok_or_else(corrupted)?;
    RootPath::new(path).map_err(|_| corrupted())
}

fn corrupted() -> redb::Error {
    StorageError::Corrupted("a row of what is wanted cannot be read".to_owned()).into()
}

fn unusable(cause: &redb::Error) -> Refusal {
    tracing::error!(%cause, "the record of copies cannot be used");
    Refusal::new(
        ErrorCode::Internal,
        "the machine cannot use its record of copies; check the free space and the owner of its state folder, the agent's log says more",
    )
}

#[cfg(test)]
pub(crate) mod tests;

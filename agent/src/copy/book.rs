//! What of each copy was written here: kept over restarts, and never ahead of the disk.
//!
//! Everything here waits for the disk. Paths are below the root that is written in. What the origin wants stands in tables of
//! the same file, which whoever follows keeps.

mod pen;
mod read;
mod row;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use beckon_shared::{
    error::{ErrorCode, Refusal},
    id::{RootId, TransferId},
    path::RootPath,
    wire,
};
use redb::{Database, ReadableTable, StorageError, TableDefinition};
use tokio::sync::watch;

use super::want;
use crate::{sound, state::StateDir};

pub(crate) use pen::{Pen, Written};
pub(crate) use read::{OwnChunk, PAGE};
pub(crate) use row::{Copied, Intent, Part, Row};

/// The file in the state folder.
const FILE: &str = "copy.redb";
/// Memory for pages of the file. Bytes.
const CACHE: usize = 16 << 20;

type Table = TableDefinition<'static, &'static [u8], &'static [u8]>;

/// By transfer: [`Copied`]. The digit in a table's name is the version of its records.
const COPIES: Table = TableDefinition::new("copy.1");
/// By [`key`]: [`Row`].
const ROWS: Table = TableDefinition::new("row.1");
/// By [`key`]: the chunks of a file as [`row::encode_chunks`] puts them.
const CHUNKS: Table = TableDefinition::new("chunks.1");
/// By chunk id: where it was last written.
const WHERE: Table = TableDefinition::new("where.1");
/// By [`key`]: [`Intent`].
const INTENTS: Table = TableDefinition::new("intent.1");
/// By [`key`]: [`Part`].
const PARTS: Table = TableDefinition::new("part.1");
/// By [`key`], a zero byte and where the local side was kept: [`Conflict`](beckon_shared::browse::Conflict).
const CONFLICTS: Table = TableDefinition::new("conflict.1");
/// By the number of a copy and a place in their order: paths that something is about to move from and to.
const MOVES: Table = TableDefinition::new("move.1");
/// What is of the whole book.
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta.1");
/// In [`META`] from each start to the clean stop after it.
const RUNNING: &str = "running";

const TABLES: [Table; 8] = [COPIES, ROWS, CHUNKS, WHERE, INTENTS, PARTS, CONFLICTS, MOVES];

/// The file with all of it.
#[derive(Clone)]
pub(crate) struct Book(Arc<Inner>);

struct Inner {
    db: Database,
    copies: Mutex<HashMap<TransferId, Copied>>,
    changes: watch::Sender<u64>,
    choosing: Mutex<()>,
    was_damaged: bool,
    /// Says whether a simulated machine still has power.
    #[cfg(test)]
    power: Option<Box<dyn Fn() -> bool + Send + Sync>>,
}

impl Book {
    /// Opens the book of a state folder, or makes it. A damaged one is moved aside: then what is on the disk is compared with
    /// what is wanted, file by file.
    pub(crate) fn open(state: &StateDir) -> Result<Self, Refusal> {
        let cause = match open_database(state)? {
            Ok(db) => return Self::begin(db, false),
            Err(cause) => cause,
        };
        if matches!(cause, redb::Error::DatabaseAlreadyOpen) {
            let advice = "another agent uses this state folder; see: beckon status, or give --state another folder";
            return Err(Refusal::new(ErrorCode::Conflict, advice));
        }
        let aside = state.set_aside(FILE)?;
        tracing::warn!(%cause, aside = %aside.display(), "the book of copies was damaged: it is made anew, and what is here is compared with what is wanted");
        Self::begin(open_database(state)?.map_err(|cause| unusable(&cause))?, true)
    }

    /// A book that is forgotten with the process.
    #[cfg(test)]
    pub(crate) fn in_memory() -> Result<Self, Refusal> {
        let made = || -> Result<Database, redb::Error> {
            let db = Database::builder()
                .set_cache_size(CACHE)
                .create_with_backend(redb::backends::InMemoryBackend::new())?;
            make_tables(&db)?;
            Ok(db)
        };
        Self::begin(made().map_err(|cause| unusable(&cause))?, false)
    }

    fn begin(db: Database, was_damaged: bool) -> Result<Self, Refusal> {
        let copies = begin(&db).map_err(|cause| unusable(&cause))?;
        Ok(Self(Arc::new(Inner {
            db,
            copies: Mutex::new(copies),
            changes: watch::Sender::new(0),
            choosing: Mutex::default(),
            was_damaged,
            #[cfg(test)]
            power: None,
        })))
    }

    /// The same book after a start, in a machine that loses power when `power` says so.
    #[cfg(test)]
    pub(crate) fn restarted(self, power: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        let Ok(inner) = Arc::try_unwrap(self.0) else {
            panic!("somebody still has the book")
        };
        let copies = begin(&inner.db).unwrap();
        Self(Arc::new(Inner {
            copies: Mutex::new(copies),
            power: Some(Box::new(power)),
            ..inner
        }))
    }

    /// The agent stops as it should: what is here now is what was written.
    pub(crate) fn close(&self) {
        let write = || -> Result<(), redb::Error> {
            let write = self.0.db.begin_write()?;
            write.open_table(META)?.remove(RUNNING)?;
            write.commit()?;
            Ok(())
        };
        if let Err(cause) = write() {
            tracing::warn!(%cause, "the book of copies does not know that this stop is clean; files are looked at once more");
        }
    }

    /// The file, for tables of whoever follows.
    pub(crate) fn db(&self) -> &Database {
        &self.0.db
    }

    /// What the machine's owner should know of it.
    pub(crate) fn note(&self) -> Option<String> {
        let note = "the book of copies was damaged and made anew: files that were changed here since are kept beside the origin's";
        self.0.was_damaged.then(|| note.to_owned())
    }

    /// Counts how often somebody has chosen between sides here: whoever keeps a copy compares once more then.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    /// Held while a choice is carried out: two at once would take from each other what they rename.
    pub(super) fn choosing(&self) -> MutexGuard<'_, ()> {
        self.0.choosing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells whoever has [`Book::changes`].
    pub(super) fn tell_changed(&self) {
        self.0.changes.send_modify(|count| *count += 1);
    }

    /// Begins a copy in a root, or goes on with it.
    pub(crate) fn begin_copy(&self, transfer: TransferId, root: RootId) -> Result<(), Refusal> {
        if self.copy(transfer).is_some() {
            return Ok(());
        }
        let number = self.copies().values().map(|copy| copy.number + 1).max().unwrap_or(0);
        let copy = Copied {
            number,
            root,
            is_suspect: false,
        };
        self.save_copy(transfer, copy)
    }

    /// What is known of a copy as a whole.
    pub(crate) fn copy(&self, transfer: TransferId) -> Option<Copied> {
        self.copies().get(&transfer).cloned()
    }

    /// All copies that are known.
    pub(crate) fn all(&self) -> Vec<(TransferId, Copied)> {
        let mut all: Vec<_> = self.copies().iter().map(|(id, copy)| (*id, copy.clone())).collect();
        all.sort_unstable_by_key(|(id, _)| *id);
        all
    }

    /// Whether the agent stopped without notice since the copy was last looked through.
    pub(crate) fn is_suspect(&self, transfer: TransferId) -> bool {
        self.copy(transfer).is_some_and(|copy| copy.is_suspect)
    }

    /// The copy was looked through.
    pub(crate) fn trust(&self, transfer: TransferId) -> Result<(), Refusal> {
        match self.copy(transfer) {
            Some(copy) if copy.is_suspect => {
                let is_suspect = false;
                self.save_copy(transfer, Copied { is_suspect, ..copy })
            }
            _ => Ok(()),
        }
    }

    /// Forgets a copy that is over; conflicts that nobody has decided stay listed.
    pub(crate) fn forget(&self, transfer: TransferId) -> Result<(), Refusal> {
        if self.copy(transfer).is_none() {
            return Ok(());
        }
        let keeps = !self.conflicts(transfer)?.is_empty();
        self.write(transfer, |pen| pen.forget(transfer, keeps))?;
        if !keeps {
            self.copies().remove(&transfer);
        }
        Ok(())
    }

    fn save_copy(&self, transfer: TransferId, copy: Copied) -> Result<(), Refusal> {
        self.write_as(copy.number, |pen| pen.save_copy(transfer, &copy))?;
        self.copies().insert(transfer, copy);
        Ok(())
    }

    /// Changes what the book says of a copy, in one transaction that is durable afterwards.
    pub(crate) fn write<T>(
        &self,
        transfer: TransferId,
        change: impl FnOnce(&Pen<'_>) -> Result<T, redb::Error>,
    ) -> Result<T, Refusal> {
        self.write_as(self.known(transfer)?.number, change)
    }

    fn write_as<T>(&self, number: u32, change: impl FnOnce(&Pen<'_>) -> Result<T, redb::Error>) -> Result<T, Refusal> {
        let write = || -> Result<T, redb::Error> {
            let write = self.0.db.begin_write()?;
            let out = change(&Pen { write: &write, number })?;
            #[cfg(test)]
            if self.0.power.as_ref().is_some_and(|power| !power()) {
                write.abort()?;
                return Err(redb::Error::Corrupted("the power is gone".to_owned()));
            }
            write.commit()?;
            Ok(out)
        };
        write().map_err(|cause| unusable(&cause))
    }

    fn known(&self, transfer: TransferId) -> Result<Copied, Refusal> {
        self.copy(transfer).ok_or_else(|| {
            let advice = "this copy is over, or was never begun here; give the order again";
            Refusal::new(ErrorCode::NotFound, advice)
        })
    }

    fn copies(&self) -> MutexGuard<'_, HashMap<TransferId, Copied>> {
        self.0.copies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Marks that the agent runs. What was being copied when it last stopped without notice is suspect from then on.
fn begin(db: &Database) -> Result<HashMap<TransferId, Copied>, redb::Error> {
    let write = db.begin_write()?;
    let mut all = HashMap::new();
    {
        let was_running = write.open_table(META)?.insert(RUNNING, 1)?.is_some();
        let mut copies = write.open_table(COPIES)?;
        for row in copies.iter()? {
            let (id, copy) = row?;
            let id = TransferId::from_slice(id.value()).map_err(|_| corrupted())?;
            let mut copy: Copied = wire::decode(copy.value()).map_err(|_| corrupted())?;
            copy.is_suspect |= was_running;
            all.insert(id, copy);
        }
        for (id, copy) in &all {
            copies.insert(id.as_bytes(), wire::encode(copy).as_slice())?;
        }
    }
    write.commit()?;
    Ok(all)
}

/// The outer error is one of the state folder, the inner one of the database in it.
fn open_database(state: &StateDir) -> Result<Result<Database, redb::Error>, Refusal> {
    let file = state.open_private(FILE)?;
    // On some kinds of damage redb panics instead of returning an error.
    let opened = std::panic::catch_unwind(|| {
        let mut db = Database::builder().set_cache_size(CACHE).create_file(file)?;
        sound::check(&mut db, |read, digest| {
            TABLES
                .into_iter()
                .try_for_each(|table| sound::add(read, table, digest))?;
            sound::add(read, META, digest)?;
            want::digest(read, digest)
        })?;
        make_tables(&db)?;
        Ok(db)
    });
    Ok(opened.unwrap_or_else(|_| Err(corrupted())))
}

fn make_tables(db: &Database) -> Result<(), redb::Error> {
    let write = db.begin_write()?;
    for table in TABLES {
        write.open_table(table)?;
    }
    write.open_table(META)?;
    write.commit()?;
    Ok(())
}

fn corrupted() -> redb::Error {
    StorageError::Corrupted("a row of the book of copies cannot be read".to_owned()).into()
}

fn unusable(cause: &redb::Error) -> Refusal {
    tracing::error!(%cause, "the book of copies cannot be used");
    let advice = match cause {
        // Once a write has failed, the database takes no other before it is opened anew.
        redb::Error::Io(_) | redb::Error::PreviousIo => {
            "the agent could not write its book of copies; check the free space of its state folder, restart the agent, then resume"
        }
        _ => {
            "the agent could not write its book of copies; check the free space and the owner of its state folder, then resume"
        }
    };
    Refusal::new(ErrorCode::Internal, advice)
}

/// Where a path of a copy stands in a table.
fn key(number: u32, path: &RootPath) -> Vec<u8> {
    [&number.to_be_bytes(), path.as_bytes()].concat()
}

/// The keys of all paths below a path, without itself; of all paths for a root.
fn below(number: u32, path: &RootPath) -> (Vec<u8>, Vec<u8>) {
    if path.is_root() {
        let end = number
            .checked_add(1)
            .map_or(vec![u8::MAX; 5], |next| next.to_be_bytes().to_vec());
        return (number.to_be_bytes().to_vec(), end);
    }
    let (mut first, mut end) = (key(number, path), key(number, path));
    // `0` comes right after `/`.
    first.push(b'/');
    end.push(b'0');
    (first, end)
}

/// The path in a key.
fn path_in(key: &[u8]) -> Option<RootPath> {
    RootPath::new(key.get(4..)?).ok()
}

#[cfg(test)]
mod tests;

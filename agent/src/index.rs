//! What of each root the server confirmed as committed: what did not change since is neither read nor asked about again.
//! It is a cache: without it everything is asked once more, and nothing is sent twice.

mod gone;
mod pending;
mod row;
mod structure;
mod tally;
mod top;

use std::sync::Arc;

use beckon_shared::{
    bulk::{ERA, is_same_era},
    commit::ChainHead,
    error::{ErrorCode, Refusal},
    id::{RootId, SpaceId, TransferId},
    path::RootPath,
};
use redb::{
    Database, ReadOnlyTable, ReadTransaction, ReadableDatabase, ReadableTable, ReadableTableMetadata, StorageError,
    TableDefinition, TableError,
};

use crate::{fault, sound, state::StateDir};

pub(crate) use gone::Gone;
pub(crate) use row::{Row, Standing};
pub(crate) use structure::{Lost, Restructured};
pub(crate) use tally::Tally;

/// The file in the state folder.
const FILE: &str = "index.redb";
/// Memory for pages of the file. Bytes.
const CACHE: usize = 4 << 20;

/// Source number and path to [`Row`]. The digit in a table's name is the version of its records.
const ROWS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("row.1");
/// A source's number, its generation, the epoch last heard, and the newest commit's number and hash.
type StoredSource = (u32, u64, u64, u64, [u8; 32]);
/// The generation of rows of what may be stored soon.
const EXPECTED: u64 = u64::MAX;
/// By space and root.
const SOURCES: TableDefinition<'_, &[u8], StoredSource> = TableDefinition::new("source.1");

/// The file with all of it.
#[derive(Clone)]
pub(crate) struct Index {
    db: Arc<Database>,
    state: StateDir,
    /// Whether the one before was found damaged at this start.
    was_damaged: bool,
}

/// One root in one space, as far as the server still holds what this machine committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Source {
    key: [u8; 32],
    number: u32,
    /// What rows must carry to count: another one once the server's side changed, or went back in time. The upper half
    /// changes where no word of the server can make older rows count again.
    generation: u64,
    /// The epoch last heard.
    epoch: u64,
}

/// What the index says of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Known {
    /// The server confirmed this, and still holds it unless it told otherwise.
    Held(Row),
    /// The server confirmed something, and may have lost it since.
    Stale,
    /// Nothing.
    Nothing,
}

/// Rows that a commit has made true, and that commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Committed {
    /// The root's newest commit now.
    pub(crate) head: ChainHead,
    /// What it holds.
    pub(crate) rows: Vec<(RootPath, Row)>,
}

/// The rows of a source as they were at one moment.
pub(crate) struct View {
    rows: Option<ReadOnlyTable<&'static [u8], &'static [u8]>>,
    source: Source,
}

impl Index {
    /// Opens the index of a state folder, or makes it. A damaged one is moved aside: then everything is asked anew.
    pub(crate) fn open(state: &StateDir) -> Result<Self, Refusal> {
        let cause = match open_database(state)? {
            Ok(db) => {
                return Ok(Self {
                    db: Arc::new(db),
                    state: state.clone(),
                    was_damaged: false,
                });
            }
            Err(cause) => cause,
        };
        if matches!(cause, redb::Error::DatabaseAlreadyOpen) {
            let advice = "another agent uses this state folder; see: beckon status, or give --state another folder";
            return Err(Refusal::new(ErrorCode::Conflict, advice));
        }
        let aside = state.set_aside(FILE)?;
        tracing::warn!(%cause, aside = %aside.display(), "the index of uploads was damaged: it is made anew, and the server is asked again about every file");
        let db = open_database(state)?.map_err(|cause| unusable(&cause))?;
        Ok(Self {
            db: Arc::new(db),
            state: state.clone(),
            was_damaged: true,
        })
    }

    /// What the machine's owner should know of it.
    pub(crate) fn note(&self) -> Option<String> {
        let note = "the index of what is stored was damaged and made anew: the next uploads read all files once more and send only what the server does not hold; what was deleted or renamed on this machine since it was last stored stays in the drive under its old name, take it away there";
        self.was_damaged.then(|| note.to_owned())
    }

    /// An index that is forgotten with the process: everything is asked anew. What is kept of a transfer goes to `state`.
    pub(crate) fn in_memory(state: &StateDir) -> Result<Self, Refusal> {
        let made = || -> Result<Database, redb::Error> {
            let db = Database::builder()
                .set_cache_size(CACHE)
                .create_with_backend(redb::backends::InMemoryBackend::new())?;
            make_tables(&db)?;
            Ok(db)
        };
        Ok(Self {
            db: Arc::new(made().map_err(|cause| unusable(&cause))?),
            state: state.clone(),
            was_damaged: false,
        })
    }

    /// The source of a root's uploads to a space, whose epoch and newest commit the server has just told.
    ///
    /// Where the epoch is another one, or the server no longer knows the newest commit (its database is an older copy),
    /// nothing that was recorded counts any more.
    pub(crate) fn source(&self, space: SpaceId, root: RootId, epoch: u64, head: ChainHead) -> Result<Source, Refusal> {
        let key = source_key(space, root);
        match self.stored(&key) {
            Some((number, generation, known, at, hash)) if (known, at, hash) == (epoch, head.number, head.hash.0) => {
                Ok(Source {
                    key,
                    number,
                    generation,
                    epoch,
                })
            }
            _ => self.write_source(key, epoch, head).map_err(|cause| unusable(&cause)),
        }
    }

    /// The source as last heard of; nothing if nothing of the root was ever uploaded to the space.
    pub(crate) fn known_source(&self, space: SpaceId, root: RootId) -> Option<Source> {
        let key = source_key(space, root);
        let (number, generation, epoch, ..) = self.stored(&key)?;
        Some(Source {
            key,
            number,
            generation,
            epoch,
        })
    }

    fn stored(&self, key: &[u8; 32]) -> Option<StoredSource> {
        let read = self.db.begin_read().ok()?;
        let sources = read.open_table(SOURCES).ok()?;
        Some(sources.get(key.as_slice()).ok()??.value())
    }

    /// The rows of a source as they are now.
    pub(crate) fn view(&self, source: Source) -> View {
        let rows = self.db.begin_read().ok().and_then(|read| read.open_table(ROWS).ok());
        View { rows, source }
    }

    /// Records what was committed, durably, in one transaction.
    pub(crate) fn record(&self, source: Source, committed: &Committed) -> Result<(), Refusal> {
        let write = || -> Result<(), redb::Error> {
            let write = self.db.begin_write()?;
            {
                let mut table = write.open_table(ROWS)?;
                for (path, row) in &committed.rows {
                    table.insert(
                        row_key(source.number, path).as_slice(),
                        row.encode(source.generation).as_slice(),
                    )?;
                }
                let mut sources = write.open_table(SOURCES)?;
                let known = sources.get(source.key.as_slice())?.map(|known| known.value());
                if let Some((number, generation, epoch, ..)) = known {
                    let head = committed.head;
                    sources.insert(
                        source.key.as_slice(),
                        (number, generation, epoch, head.number, head.hash.0),
                    )?;
                }
            }
            fault::point("index-unwritten");
            write.commit()?;
            fault::point("index-written");
            Ok(())
        };
        write().map_err(|cause| unusable(&cause))
    }

    /// What a transfer has put on the wire, to be counted on.
    pub(crate) fn tally(&self, transfer: TransferId) -> Tally {
        Tally::open(&self.state, transfer)
    }

    /// Forgets what is kept of a transfer that is over.
    pub(crate) fn forget_transfer(&self, transfer: TransferId) {
        tally::forget(&self.state, transfer);
    }

    fn write_source(&self, key: [u8; 32], epoch: u64, head: ChainHead) -> Result<Source, redb::Error> {
        let write = self.db.begin_write()?;
        let source = {
            let mut sources = write.open_table(SOURCES)?;
            let known = sources.get(key.as_slice())?.map(|source| source.value());
            let (number, generation) = match known {
                Some((number, generation, known_epoch, known_number, known_hash)) => {
                    let is_known =
                        head.number > known_number || (head.number, head.hash.0) == (known_number, known_hash);
                    let next = if !is_known || !is_same_era(known_epoch, epoch) {
                        (generation / ERA + 1) * ERA
                    } else {
                        generation + u64::from(known_epoch != epoch)
                    };
                    (number, next)
                }
                None => (
                    sources
                        .iter()?
                        .try_fold(0, |top, source| Ok::<_, StorageError>(top.max(source?.1.value().0 + 1)))?,
                    0,
                ),
            };
            sources.insert(key.as_slice(), (number, generation, epoch, head.number, head.hash.0))?;
            Source {
                key,
                number,
                generation,
                epoch,
            }
        };
        write.commit()?;
        Ok(source)
    }
}

impl View {
    /// What the server confirmed of a path, unless its side of the root changed since.
    pub(crate) fn row(&self, path: &RootPath) -> Option<Row> {
        let (generation, row) = self.read(path)?;
        (generation == self.source.generation).then_some(row)
    }

    /// The source.
    pub(crate) fn source(&self) -> Source {
        self.source
    }

    /// What is known of a path when the server is in this epoch and has told what it holds no more.
    pub(crate) fn known(&self, path: &RootPath, epoch: u64) -> Known {
        match self.read(path) {
            None | Some((EXPECTED, _)) => Known::Nothing,
            Some((generation, row))
                if generation / ERA == self.source.generation / ERA && is_same_era(self.source.epoch, epoch) =>
            {
                Known::Held(row)
            }
            Some(_) => Known::Stale,
        }
    }

    fn read(&self, path: &RootPath) -> Option<(u64, Row)> {
        let row = self.rows.as_ref()?.get(row_key(self.source.number, path).as_slice());
        let row = row
            .inspect_err(
                |cause| tracing::warn!(%cause, "the index of uploads could not be read; the server is asked instead"),
            )
            .ok()??;
        Row::decode(row.value())
    }
}

fn open_database(state: &StateDir) -> Result<Result<Database, redb::Error>, Refusal> {
    let file = state.open_private(FILE)?;
    // On some kinds of damage redb panics instead of returning an error.
    let opened = std::panic::catch_unwind(|| {
        let mut db = Database::builder().set_cache_size(CACHE).create_file(file)?;
        sound::check(&mut db, digest)?;
        make_tables(&db)?;
        Ok(db)
    });
    Ok(opened
        .unwrap_or_else(|_| Err(redb::Error::Corrupted("it cannot be opened".into())))
        .map_err(|cause: redb::Error| cause))
}

/// What must be as before where a file was mended. To read all rows would take as long as to check them: a commit that is lost
/// shows in their number, or in what else it wrote.
fn digest(read: &ReadTransaction, digest: &mut sound::Digest) -> Result<(), redb::Error> {
    let rows = match read.open_table(ROWS) {
        Err(TableError::TableDoesNotExist(_)) => 0,
        opened => opened?.len()?,
    };
    digest.update(&rows.to_le_bytes());
    sound::add(read, SOURCES, digest)?;
    pending::digest(read, digest)?;
    top::digest(read, digest)
}

fn make_tables(db: &Database) -> Result<(), redb::Error> {
    let write = db.begin_write()?;
    write.open_table(ROWS)?;
    write.open_table(SOURCES)?;
    pending::open_table(&write)?;
    top::open_table(&write)?;
    write.commit()?;
    Ok(())
}

fn unusable(cause: &redb::Error) -> Refusal {
    tracing::error!(%cause, "the index of uploads cannot be used");
    let advice = "the agent could not write its index of uploads; check the free space and the owner of its state folder, then upload again";
    Refusal::new(ErrorCode::Internal, advice)
}

fn source_key(space: SpaceId, root: RootId) -> [u8; 32] {
    let mut key = [0; 32];
    key[..16].copy_from_slice(space.as_bytes());
    key[16..].copy_from_slice(root.as_bytes());
    key
}

fn row_key(source: u32, path: &RootPath) -> Vec<u8> {
    [&source.to_be_bytes(), path.as_bytes()].concat()
}

#[cfg(test)]
mod tests;

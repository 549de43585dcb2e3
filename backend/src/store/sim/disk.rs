//! The file system of a run: a platter behind a lock, whose every change is recorded, and which fails now and then.

use std::{
    io::{self, ErrorKind},
    ops::Range,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
};

use super::{
    platter::{Deed, Entry, Platter, Success},
    trace::{Event, Told},
};
use crate::store::blob::file_system::{FileSystem, Listed, NewFile, Room};

/// Bytes that the disk says are free.
const FREE: u64 = 1 << 30;

/// A simulated disk that takes down what happens; clones share it.
#[derive(Clone)]
pub(super) struct SimDisk(Arc<Mutex<Recording>>);

struct Recording {
    platter: Platter,
    events: Vec<Event>,
    faults: Option<Faults>,
}

/// Decides for each operation whether it fails.
pub(super) type Faults = Box<dyn FnMut(Doing) -> bool + Send>;

/// What an operation is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    /// Bytes that are written.
    Write,
    /// Bytes that are read.
    Read,
    /// Names that are changed.
    Name,
    /// Something that is made durable.
    Sync,
}

impl SimDisk {
    /// A disk as a crash has left it, or a new one.
    pub(super) fn new(platter: Platter) -> Self {
        Self(Arc::new(Mutex::new(Recording {
            platter,
            events: Vec::new(),
            faults: None,
        })))
    }

    /// Lets operations fail, or does so no more.
    pub(super) fn set_faults(&self, faults: Option<Faults>) {
        self.lock().faults = faults;
    }

    /// Takes down what was told.
    pub(super) fn tell(&self, told: Told) {
        self.lock().events.push(Event::Told(told));
    }

    /// Takes down that the database commits; `wal` tells the length of its log, under the lock.
    pub(super) fn committing(&self, wal: impl FnOnce() -> u64) {
        let mut recording = self.lock();
        let wal = wal();
        recording.events.push(Event::Commit { wal });
    }

    /// All that happened.
    pub(super) fn events(&self) -> Vec<Event> {
        self.lock().events.clone()
    }

    /// The disk as it is.
    pub(super) fn platter(&self) -> Platter {
        self.lock().platter.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Recording> {
        self.0.lock().unwrap()
    }

    fn change(&self, deed: Deed, failure: ErrorKind) -> io::Result<()> {
        let mut recording = self.lock();
        match recording.fails(Doing::Name) {
            true => Err(failure.into()),
            false => recording.take(deed),
        }
    }
}

impl Recording {
    fn fails(&mut self, doing: Doing) -> bool {
        self.faults.as_mut().is_some_and(|faults| faults(doing))
    }

    fn take(&mut self, deed: Deed) -> io::Result<()> {
        self.platter.apply(&deed)?;
        self.events.push(Event::Deed(deed));
        Ok(())
    }

    /// A sync that fails still has been tried.
    fn sync(&mut self, deed: impl FnOnce(Success) -> Deed) -> io::Result<()> {
        if self.fails(Doing::Sync) {
            self.take(deed(Success::Bad))?;
            return Err(broken());
        }
        self.take(deed(Success::Good))
    }
}

/// What Linux says of a bad sector: EIO.
fn broken() -> io::Error {
    io::Error::from_raw_os_error(rustix::io::Errno::IO.raw_os_error())
}

impl FileSystem for SimDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn NewFile>> {
        self.change(Deed::Create(path.to_owned()), ErrorKind::StorageFull)?;
        let number = self.lock().platter.live_file(path)?;
        Ok(Box::new(SimFile {
            disk: self.clone(),
            number,
        }))
    }

    fn read(&self, path: &Path, range: Range<u64>) -> io::Result<Vec<u8>> {
        let mut recording = self.lock();
        if recording.fails(Doing::Read) {
            return Err(broken());
        }
        let file = recording.platter.live_file(path)?;
        let bytes = recording.platter.live_bytes(file);
        let part = bytes.get(range.start as usize..range.end as usize);
        part.map(<[u8]>::to_vec).ok_or_else(|| ErrorKind::UnexpectedEof.into())
    }

    fn len(&self, path: &Path) -> io::Result<u64> {
        let recording = self.lock();
        let file = recording.platter.live_file(path)?;
        Ok(recording.platter.live_bytes(file).len() as u64)
    }

    fn exists(&self, path: &Path) -> bool {
        self.lock().platter.live(path).is_ok()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change(Deed::Rename(from.to_owned(), to.to_owned()), ErrorKind::StorageFull)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.change(Deed::Remove(path.to_owned()), ErrorKind::Other)
    }

    fn make_folder(&self, path: &Path) -> io::Result<()> {
        self.change(Deed::MakeFolder(path.to_owned()), ErrorKind::StorageFull)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        self.change(Deed::Remove(path.to_owned()), ErrorKind::Other)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        let path: PathBuf = path.to_owned();
        self.lock().sync(|success| Deed::SyncFolder(path, success))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<Listed>> {
        let recording = self.lock();
        let entries = recording.platter.live_entries(folder)?.iter();
        let listed = entries.map(|(name, entry)| Listed {
            name: name.clone(),
            is_folder: matches!(entry, Entry::Folder(_)),
        });
        Ok(listed.collect())
    }

    fn room(&self, _: &Path) -> io::Result<Option<Room>> {
        Ok(Some(Room {
            free: FREE,
            total: FREE,
        }))
    }
}

struct SimFile {
    disk: SimDisk,
    number: usize,
}

impl NewFile for SimFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut recording = self.disk.lock();
        if !recording.fails(Doing::Write) {
            return recording.take(Deed::Append(self.number, bytes.to_vec()));
        }
        // A disk that is full takes what it has room for.
        let room = bytes.len() / 3;
        recording.take(Deed::Append(self.number, bytes[..room].to_vec()))?;
        Err(ErrorKind::StorageFull.into())
    }

    fn sync(&mut self) -> io::Result<()> {
        let number = self.number;
        self.disk.lock().sync(|success| Deed::Sync(number, success))
    }
}

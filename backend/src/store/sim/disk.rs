//! The file system of a run: a platter behind a lock, whose every change is recorded, which fails now and then, and whose
//! program can end at any operation, with or without the power.

use std::{
    io::{self, ErrorKind},
    ops::Range,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};

use super::{
    luck::Luck,
    platter::{Deed, Entry, Platter, Success},
    trace::{Event, Told},
};
use crate::store::blob::file_system::{FileSystem, Listed, NewFile, Room};

/// Bytes that the disk says are free.
const FREE: u64 = 1 << 30;

/// A simulated disk that takes down what happens. Clones share it; those that a program had which has ended do nothing any more.
#[derive(Clone)]
pub(super) struct SimDisk {
    recording: Arc<Mutex<Recording>>,
    life: u64,
}

/// Of what no program's end can end.
const HARNESS: u64 = u64::MAX;

struct Recording {
    platter: Platter,
    /// With the length of the database's log when each happened.
    events: Vec<(u64, Event)>,
    log_len: Box<dyn Fn() -> u64 + Send>,
    faults: Option<Faults>,
    /// Counts the programs.
    life: u64,
    ending: Option<(usize, Ending)>,
}

/// Decides for each operation whether and how it fails.
pub(super) type Faults = Box<dyn FnMut(Doing) -> Option<Fault> + Send>;

/// What an operation is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Doing {
    /// Bytes that are written.
    Write,
    /// Bytes that are read.
    Read,
    /// Names that are changed.
    Name,
    /// Something that is made durable.
    Sync,
    /// Asking what there is.
    Look,
    /// A transaction of the database that is to be committed.
    Commit,
}

/// How an operation fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Fault {
    /// Something is broken: EIO.
    Broken,
    /// The disk is full: ENOSPC.
    Full,
}

impl Fault {
    fn error(self) -> io::Error {
        match self {
            Self::Broken => io::Error::from_raw_os_error(rustix::io::Errno::IO.raw_os_error()),
            Self::Full => ErrorKind::StorageFull.into(),
        }
    }
}

/// How a program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// It is killed: what it wrote is there, synced or not.
    Killed,
    /// The power goes.
    PowerCut(Luck),
}

impl SimDisk {
    /// A disk as a crash has left it, or a new one.
    pub(super) fn new(platter: Platter) -> Self {
        Self::beside(platter, || 0)
    }

    /// The same beside a database whose log is so long.
    pub(super) fn beside(platter: Platter, log_len: impl Fn() -> u64 + Send + 'static) -> Self {
        let recording = Recording {
            platter,
            events: Vec::new(),
            log_len: Box::new(log_len),
            faults: None,
            life: 0,
            ending: None,
        };
        Self {
            recording: Arc::new(Mutex::new(recording)),
            life: 0,
        }
    }

    /// Lets operations fail, or does so no more.
    pub(super) fn set_faults(&self, faults: Option<Faults>) {
        self.lock().faults = faults;
    }

    /// Ends the program after so many operations, or does so no more.
    pub(super) fn set_ending(&self, ending: Option<(usize, Ending)>) {
        self.lock().ending = ending;
    }

    /// Ends the program now.
    pub(super) fn end(&self, ending: Ending) {
        self.lock().end(ending);
    }

    /// Whether the program that has this is running.
    pub(super) fn is_alive(&self) -> bool {
        self.life == HARNESS || self.life == self.lock().life
    }

    /// For the program that begins now.
    pub(super) fn revived(&self) -> Self {
        Self {
            recording: self.recording.clone(),
            life: self.lock().life,
        }
    }

    /// For what does not end, and never fails.
    pub(super) fn of_harness(&self) -> Self {
        Self {
            recording: self.recording.clone(),
            life: HARNESS,
        }
    }

    /// Takes down what was told; whoever has ended tells nothing.
    pub(super) fn tell(&self, told: Told) {
        if let Ok(mut recording) = self.begin(None) {
            recording.take_down(Event::Told(told));
        }
    }

    /// Takes down that the database is about to commit; false where it fails.
    pub(super) fn may_commit(&self) -> bool {
        let Ok(mut recording) = self.begin(Some(Doing::Commit)) else {
            return false;
        };
        let wal = (recording.log_len)();
        recording.take_down(Event::Commit { wal });
        true
    }

    /// All that happened, with the length of the database's log at each moment.
    pub(super) fn events(&self) -> Vec<(u64, Event)> {
        self.lock().events.clone()
    }

    /// The disk as it is.
    pub(super) fn platter(&self) -> Platter {
        self.lock().platter.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Recording> {
        // A test that has panicked still tells what happened before.
        self.recording.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins an operation of the program that has this; most may fail before they have done anything.
    fn begin(&self, doing: Option<Doing>) -> io::Result<MutexGuard<'_, Recording>> {
        let mut recording = self.lock();
        if self.life == HARNESS {
            return Ok(recording);
        }
        if self.life == recording.life {
            recording.come_nearer_to_the_end();
        }
        if self.life != recording.life {
            return Err(io::Error::other("the program has ended"));
        }
        if let Some(fault) = doing.and_then(|doing| recording.fault(doing)) {
            return Err(fault.error());
        }
        Ok(recording)
    }

    fn change(&self, deed: Deed) -> io::Result<()> {
        self.begin(Some(Doing::Name))?.take(deed)
    }

    /// A sync that fails still has been tried.
    fn sync(&self, deed: impl FnOnce(Success) -> Deed) -> io::Result<()> {
        // A sync takes long: others do something meanwhile.
        std::thread::yield_now();
        let mut recording = self.begin(None)?;
        match recording.fault(Doing::Sync) {
            Some(fault) => {
                recording.take(deed(Success::Bad))?;
                Err(fault.error())
            }
            None => recording.take(deed(Success::Good)),
        }
    }
}

impl Recording {
    fn come_nearer_to_the_end(&mut self) {
        match self.ending.take() {
            Some((0, ending)) => self.end(ending),
            Some((left, ending)) => self.ending = Some((left - 1, ending)),
            None => {}
        }
    }

    fn end(&mut self, ending: Ending) {
        self.life += 1;
        match ending {
            Ending::Killed => self.take_down(Event::Killed),
            // It needs no folder that might be missing.
            Ending::PowerCut(luck) => _ = self.take(Deed::PowerCut(luck)),
        }
    }

    fn fault(&mut self, doing: Doing) -> Option<Fault> {
        let fault = self.faults.as_mut()?(doing)?;
        self.take_down(Event::Failed(doing, fault));
        Some(fault)
    }

    fn take(&mut self, deed: Deed) -> io::Result<()> {
        self.platter.apply(&deed)?;
        self.take_down(Event::Deed(deed));
        Ok(())
    }

    fn take_down(&mut self, event: Event) {
        self.events.push(((self.log_len)(), event));
    }
}

impl FileSystem for SimDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn NewFile>> {
        let mut recording = self.begin(Some(Doing::Name))?;
        recording.take(Deed::Create(path.to_owned()))?;
        Ok(Box::new(SimFile {
            disk: self.clone(),
            number: recording.platter.live_file(path)?,
        }))
    }

    fn read(&self, path: &Path, range: Range<u64>) -> io::Result<Vec<u8>> {
        let recording = self.begin(Some(Doing::Read))?;
        let file = recording.platter.live_file(path)?;
        let bytes = recording.platter.live_bytes(file);
        let part = bytes.get(range.start as usize..range.end as usize);
        part.map(<[u8]>::to_vec).ok_or_else(|| ErrorKind::UnexpectedEof.into())
    }

    fn len(&self, path: &Path) -> io::Result<u64> {
        let recording = self.begin(Some(Doing::Look))?;
        let file = recording.platter.live_file(path)?;
        Ok(recording.platter.live_bytes(file).len() as u64)
    }

    /// The standard library says no as well where it cannot know.
    fn exists(&self, path: &Path) -> bool {
        self.begin(Some(Doing::Look))
            .is_ok_and(|recording| recording.platter.live(path).is_ok())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change(Deed::Rename(from.to_owned(), to.to_owned()))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.change(Deed::Remove(path.to_owned()))
    }

    fn make_folder(&self, path: &Path) -> io::Result<()> {
        self.change(Deed::MakeFolder(path.to_owned()))
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        if !self.lock().platter.live_entries(path)?.is_empty() {
            return Err(ErrorKind::DirectoryNotEmpty.into());
        }
        self.change(Deed::Remove(path.to_owned()))
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        let path: PathBuf = path.to_owned();
        self.sync(|success| Deed::SyncFolder(path, success))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<Listed>> {
        let recording = self.begin(Some(Doing::Look))?;
        let entries = recording.platter.live_entries(folder)?.iter();
        let listed = entries.map(|(name, entry)| Listed {
            name: name.clone(),
            is_folder: matches!(entry, Entry::Folder(_)),
        });
        Ok(listed.collect())
    }

    /// A disk that is full says so.
    fn room(&self, _: &Path) -> io::Result<Option<Room>> {
        let free = match self.begin(Some(Doing::Look)) {
            Ok(_) => FREE,
            Err(error) if error.kind() == ErrorKind::StorageFull => 0,
            Err(error) => return Err(error),
        };
        Ok(Some(Room { free, total: FREE }))
    }
}

struct SimFile {
    disk: SimDisk,
    number: usize,
}

impl NewFile for SimFile {
    /// A disk that fails takes some of the bytes all the same.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut recording = self.disk.begin(None)?;
        let fault = recording.fault(Doing::Write);
        let taken = fault.map_or(bytes.len(), |_| bytes.len() / 3);
        recording.take(Deed::Append(self.number, bytes[..taken].to_vec()))?;
        fault.map_or(Ok(()), |fault| Err(fault.error()))
    }

    fn sync(&mut self) -> io::Result<()> {
        let number = self.number;
        self.disk.sync(|success| Deed::Sync(number, success))
    }
}

//! The local disk with a hand on it: seals are counted, can be held up, and can fail.

use std::{
    io,
    ops::Range,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use crate::store::{
    blob::{Blobs, PackSink, disk::DiskBlobs},
    pack::PackId,
};

/// The disk, watched.
pub(crate) struct TestBlobs {
    disk: DiskBlobs,
    hand: Arc<Hand>,
}

#[derive(Default)]
struct Hand {
    seals: AtomicUsize,
    failures: Mutex<Vec<io::ErrorKind>>,
    read_failure: Mutex<Option<i32>>,
    panics: AtomicBool,
    sealing: AtomicUsize,
    held: Mutex<bool>,
    released: Condvar,
    room: Mutex<Option<u64>>,
}

impl TestBlobs {
    pub(crate) fn new(disk: DiskBlobs) -> Self {
        Self {
            disk,
            hand: Arc::default(),
        }
    }

    /// How many packs were sealed.
    pub(crate) fn seals(&self) -> usize {
        self.hand.seals.load(Ordering::SeqCst)
    }

    /// Lets the next seals fail, one for each.
    pub(crate) fn fail(&self, kinds: &[io::ErrorKind]) {
        self.hand.failures.lock().unwrap().extend(kinds);
    }

    /// Lets all reads fail with an error number of the system, or succeed again.
    pub(crate) fn fail_reads(&self, number: Option<i32>) {
        *self.hand.read_failure.lock().unwrap() = number;
    }

    /// Lets the next write panic.
    pub(crate) fn panic_once(&self) {
        self.hand.panics.store(true, Ordering::SeqCst);
    }

    /// How many seals have begun.
    pub(crate) fn sealing(&self) -> usize {
        self.hand.sealing.load(Ordering::SeqCst)
    }

    /// Holds up all seals until [`Self::release`].
    pub(crate) fn hold(&self) {
        *self.hand.held.lock().unwrap() = true;
    }

    /// Lets seals go on.
    pub(crate) fn release(&self) {
        *self.hand.held.lock().unwrap() = false;
        self.hand.released.notify_all();
    }

    /// Says how much room there is.
    pub(crate) fn set_room(&self, room: u64) {
        *self.hand.room.lock().unwrap() = Some(room);
    }
}

impl Blobs for TestBlobs {
    fn begin(&self, pack: PackId) -> io::Result<Box<dyn PackSink>> {
        Ok(Box::new(TestSink {
            sink: self.disk.begin(pack)?,
            hand: self.hand.clone(),
        }))
    }

    fn read(&self, pack: PackId, range: Range<u64>) -> io::Result<Vec<u8>> {
        match *self.hand.read_failure.lock().unwrap() {
            Some(number) => Err(io::Error::from_raw_os_error(number)),
            None => self.disk.read(pack, range),
        }
    }

    fn len(&self, pack: PackId) -> io::Result<u64> {
        self.disk.len(pack)
    }

    fn delete(&self, pack: PackId) -> io::Result<()> {
        self.disk.delete(pack)
    }

    fn set_aside(&self, pack: PackId) -> io::Result<()> {
        self.disk.set_aside(pack)
    }

    fn secure(&self, pack: PackId) -> io::Result<()> {
        self.disk.secure(pack)
    }

    fn list(&self) -> io::Result<Vec<PackId>> {
        self.disk.list()
    }

    fn sweep(&self) -> io::Result<()> {
        self.disk.sweep()
    }

    fn room(&self) -> io::Result<Option<u64>> {
        let set = *self.hand.room.lock().unwrap();
        set.map_or_else(|| self.disk.room(), |room| Ok(Some(room)))
    }
}

struct TestSink {
    sink: Box<dyn PackSink>,
    hand: Arc<Hand>,
}

impl PackSink for TestSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        assert!(!self.hand.panics.swap(false, Ordering::SeqCst), "a test wants this");
        self.sink.write(bytes)
    }

    fn seal(self: Box<Self>) -> io::Result<()> {
        self.hand.sealing.fetch_add(1, Ordering::SeqCst);
        let held = self.hand.held.lock().unwrap();
        drop(self.hand.released.wait_while(held, |held| *held).unwrap());
        if let Some(kind) = self.hand.failures.lock().unwrap().pop() {
            return Err(kind.into());
        }
        self.sink.seal()?;
        self.hand.seals.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

//! How much a transfer has put on the wire and committed, across restarts of the agent.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom, Write},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use beckon_shared::id::TransferId;

use crate::state::StateDir;

/// The count on disk is never further behind than this. Bytes.
const GRAIN: u64 = 256 << 10;

/// Counts that outlive the process, though not a failure of the machine: they are written and never synced.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    sum: AtomicU64,
    files: AtomicU64,
    /// What `files` was when this run began.
    files_before: u64,
    /// Both, of eight bytes each, little-endian.
    file: Option<Mutex<File>>,
}

impl Tally {
    /// Goes on where the transfer was.
    pub(super) fn open(state: &StateDir, transfer: TransferId) -> Self {
        let file = state
            .open_private(&name(transfer))
            .inspect_err(|refusal| tracing::warn!(%refusal, "the count of sent bytes is not kept"));
        let mut file = file.ok();
        let mut next = || {
            let mut count = [0; 8];
            let is_there = file.as_mut().is_some_and(|file| file.read_exact(&mut count).is_ok());
            if is_there { u64::from_le_bytes(count) } else { 0 }
        };
        let (sum, files) = (next(), next());
        Self {
            sum: AtomicU64::new(sum),
            files: AtomicU64::new(files),
            files_before: files,
            file: file.map(Mutex::new),
        }
    }

    /// Counts bytes that go on the wire now.
    pub(crate) fn add(&self, bytes: u64) {
        let before = self.sum.fetch_add(bytes, Relaxed);
        if before / GRAIN != (before + bytes) / GRAIN {
            self.write();
        }
    }

    /// Counts files that a commit has stored.
    pub(crate) fn committed(&self, files: u64) {
        self.files.fetch_add(files, Relaxed);
        self.write();
    }

    /// How many files earlier runs have committed.
    pub(crate) fn files_before(&self) -> u64 {
        self.files_before
    }

    /// All bytes so far.
    pub(crate) fn sum(&self) -> u64 {
        self.sum.load(Relaxed)
    }

    fn write(&self) {
        let Some(file) = &self.file else { return };
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = [self.sum(), self.files.load(Relaxed)].map(u64::to_le_bytes).concat();
        if let Err(cause) = file.seek(SeekFrom::Start(0)).and_then(|_| file.write_all(&bytes)) {
            tracing::debug!(%cause, "the count of sent bytes was not written");
        }
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        self.write();
    }
}

/// Forgets the count of a transfer that is over.
pub(super) fn forget(state: &StateDir, transfer: TransferId) {
    if let Err(refusal) = state.remove(&name(transfer)) {
        tracing::debug!(%refusal, "a count of sent bytes stays behind");
    }
}

fn name(transfer: TransferId) -> String {
    format!("sent-{transfer}")
}

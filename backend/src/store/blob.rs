//! Where packs lie: a trait, so that an object store can take the local disk's place.
//!
//! All of it blocks: call it from blocking threads.

pub(crate) mod disk;
pub(crate) mod file_system;

use std::{io, ops::Range};

use super::pack::PackId;

/// Stored packs, each written once and never changed.
pub(crate) trait Blobs: Send + Sync + 'static {
    /// Begins a pack. Until it is sealed nobody can read it, and dropped unsealed it never was.
    fn begin(&self, pack: PackId) -> io::Result<Box<dyn PackSink>>;

    /// Exactly these bytes of a pack; `NotFound` where there is no such pack, `UnexpectedEof` where it is shorter.
    fn read(&self, pack: PackId, range: Range<u64>) -> io::Result<Vec<u8>>;

    /// The length of a pack; `NotFound` where there is none.
    fn len(&self, pack: PackId) -> io::Result<u64>;

    /// Deletes a pack; one that is not there is fine.
    fn delete(&self, pack: PackId) -> io::Result<()>;

    /// Puts a pack of which nothing can be used where only a person looks: its bytes stay, but it is listed and read no more.
    fn set_aside(&self, pack: PackId) -> io::Result<()>;

    /// Makes sure that a pack that was found, and that nobody counts on yet, stays: whoever sealed it may have ended, or failed,
    /// just before it was durable. After an error nobody may count on it either.
    fn secure(&self, pack: PackId) -> io::Result<()>;

    /// All sealed packs, in any order.
    fn list(&self) -> io::Result<Vec<PackId>>;

    /// Removes what unfinished packs of an earlier run left behind.
    fn sweep(&self) -> io::Result<()>;

    /// Bytes that are free for packs, where that is known.
    fn room(&self) -> io::Result<Option<u64>>;

    /// Bytes that there are for packs and all else, free or not, where that is known.
    fn total(&self) -> io::Result<Option<u64>> {
        Ok(None)
    }
}

/// A pack that is being written.
pub(crate) trait PackSink: Send {
    /// Appends; may keep bytes back until it has enough for an efficient write.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Makes the pack durable under its name; only when this returns well may anybody count on it.
    ///
    /// After an error the pack is lost: a failed sync is never tried again, since the kernel may have dropped the bytes
    /// and call the next try a success (Rebello et al., "Can Applications Recover from fsync Failures?", ATC 2020).
    fn seal(self: Box<Self>) -> io::Result<()>;
}

/// What every implementation keeps to.
#[cfg(test)]
pub(crate) mod contract;

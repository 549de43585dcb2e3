//! The few operations of a file system that writing to a place needs: a trait, so that a disk that loses power can take the
//! real one's place.
//!
//! What an operation changed is safe from lost power only once it is synced: bytes by [`NewFile::sync`], names by
//! [`Disk::sync_folder`], both by [`Disk::sync_all`].

mod native;

use std::io::{self, Read};

use beckon_shared::{
    entry::EntryKind,
    path::{Name, RootPath},
};

use crate::root::{Look, NewName};

pub(crate) use native::Native;

/// What writing needs of the file system below a root. No path is ever followed through a symlink. Everything blocks.
pub(crate) trait Disk: Send + Sync + 'static {
    /// Whether the root itself is there.
    fn is_there(&self) -> bool;

    /// What stands at a path; nothing if nothing does, or a folder above is missing. `NotADirectory` or the like if something
    /// else stands in the place of one above.
    fn look(&self, path: &RootPath) -> io::Result<Option<Look>>;

    /// All names in a folder, this program's own among them.
    fn names(&self, folder: &RootPath) -> io::Result<Vec<(Name, EntryKind)>>;

    /// Opens a file to read.
    fn read(&self, path: &RootPath) -> io::Result<Box<dyn Read + Send>>;

    /// Makes a file that was not there and is to get these permission bits.
    fn create(&self, path: &RootPath, mode: u32) -> io::Result<Box<dyn NewFile>>;

    /// Opens a file that was made before, to go on with it.
    fn reopen(&self, path: &RootPath) -> io::Result<Box<dyn NewFile>>;

    /// Makes a folder in one that is there.
    fn make_folder(&self, path: &RootPath) -> io::Result<()>;

    /// Makes a symlink.
    fn make_symlink(&self, path: &RootPath, target: &[u8]) -> io::Result<()>;

    /// Gives an entry another path.
    fn rename(&self, from: &RootPath, to: &RootPath, new: NewName) -> io::Result<()>;

    /// Has two entries change their paths, at once; false where the system or its disk cannot.
    fn exchange(&self, one: &RootPath, other: &RootPath) -> io::Result<bool>;

    /// Removes a file or symlink.
    fn remove_file(&self, path: &RootPath) -> io::Result<()>;

    /// Removes an empty folder.
    fn remove_folder(&self, path: &RootPath) -> io::Result<()>;

    /// Removes a folder with all that is in it.
    fn remove_tree(&self, path: &RootPath) -> io::Result<()>;

    /// Gives an entry its permission bits and modification time.
    fn set_meta(&self, path: &RootPath, kind: EntryKind, mode: u32, mtime_ns: i64) -> io::Result<()>;

    /// Gives a folder other permission bits and leaves its time.
    fn set_mode(&self, folder: &RootPath, mode: u32) -> io::Result<()>;

    /// Makes the names in a folder durable.
    fn sync_folder(&self, folder: &RootPath) -> io::Result<()>;

    /// Makes the bytes of a file durable that may be open for reading alone.
    fn sync_file(&self, path: &RootPath) -> io::Result<()>;

    /// From here on the next [`Disk::sync_all`] hears of what could not be written; false where the system has no such thing.
    fn begin(&self) -> io::Result<bool>;

    /// Makes all durable that was written; false where that turned out not to be possible at once.
    fn sync_all(&self) -> io::Result<bool>;

    /// Forgets which folders are where: somebody else may move them.
    fn forget(&self);
}

/// A file that is being written.
pub(crate) trait NewFile: Send {
    /// Writes all of these bytes from this offset on.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Exactly as many bytes as fit; `UnexpectedEof` where the file is shorter.
    fn read_at(&mut self, offset: u64, bytes: &mut [u8]) -> io::Result<()>;

    /// Makes it so long; what was not written is zeros.
    fn set_len(&mut self, len: u64) -> io::Result<()>;

    /// Gives it its permission bits and modification time.
    fn set_meta(&mut self, mode: u32, mtime_ns: i64) -> io::Result<()>;

    /// Makes the bytes, not the name, durable.
    fn sync(&mut self) -> io::Result<()>;
}

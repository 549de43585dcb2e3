//! The few operations of a file system that packs need: a trait, so that a disk that loses power can take the real one's place.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom, Write},
    ops::Range,
    path::Path,
};

/// What packs need of a file system. What an operation changed is safe from lost power only once it is synced: bytes by
/// [`NewFile::sync`], names by [`FileSystem::sync_folder`].
pub(crate) trait FileSystem: Send + Sync + 'static {
    /// Makes a file that was not there.
    fn create(&self, path: &Path) -> io::Result<Box<dyn NewFile>>;

    /// Exactly these bytes; `UnexpectedEof` where the file is shorter.
    fn read(&self, path: &Path, range: Range<u64>) -> io::Result<Vec<u8>>;

    /// The length of a file.
    fn len(&self, path: &Path) -> io::Result<u64>;

    /// Whether there is anything of this name.
    fn exists(&self, path: &Path) -> bool;

    /// Gives a file another name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes a folder in one that is there; `AlreadyExists` where there is one.
    fn make_folder(&self, path: &Path) -> io::Result<()>;

    /// Removes an empty folder.
    fn remove_folder(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a folder durable.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;

    /// What is in a folder, in any order.
    fn list(&self, folder: &Path) -> io::Result<Vec<Listed>>;

    /// How much room there is, where that is known.
    fn room(&self, folder: &Path) -> io::Result<Option<Room>>;
}

/// A file that is being written, from its beginning to its end.
pub(crate) trait NewFile: Send {
    /// Appends all of these bytes.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Makes the bytes, not the name, durable.
    fn sync(&mut self) -> io::Result<()>;
}

/// An entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    /// Its name; no pack has one that is not UTF-8.
    pub(crate) name: String,
    /// Whether it is a folder.
    pub(crate) is_folder: bool,
}

/// How much room there is, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    /// What is free.
    pub(crate) free: u64,
    /// All that there is.
    pub(crate) total: u64,
}

/// The machine's own.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Native;

impl FileSystem for Native {
    fn create(&self, path: &Path) -> io::Result<Box<dyn NewFile>> {
        Ok(Box::new(File::options().write(true).create_new(true).open(path)?))
    }

    fn read(&self, path: &Path, range: Range<u64>) -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(range.start))?;
        let len = usize::try_from(range.end.saturating_sub(range.start)).map_err(|_| io::ErrorKind::InvalidInput)?;
        let mut bytes = vec![0; len];
        file.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn len(&self, path: &Path) -> io::Result<u64> {
        Ok(fs::metadata(path)?.len())
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn make_folder(&self, path: &Path) -> io::Result<()> {
        fs::create_dir(path)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path)
    }

    #[cfg(unix)]
    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    /// Windows has no way to sync a folder, and journals names itself.
    #[cfg(not(unix))]
    fn sync_folder(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<Listed>> {
        let mut listed = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            listed.push(Listed {
                name: entry.file_name().to_string_lossy().into_owned(),
                is_folder: entry.file_type()?.is_dir(),
            });
        }
        Ok(listed)
    }

    fn room(&self, folder: &Path) -> io::Result<Option<Room>> {
        let disk = rustix::fs::statvfs(folder)?;
        Ok(Some(Room {
            free: disk.f_bavail.saturating_mul(disk.f_frsize),
            total: disk.f_blocks.saturating_mul(disk.f_frsize),
        }))
    }
}

impl NewFile for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

//! A file while it is downloaded: it grows beside its place under a temporary name, and takes its name once it is whole.

use std::{
    ffi::{OsStr, OsString},
    io::{self, Read, Seek, SeekFrom, Write},
    sync::Arc,
    time::SystemTime,
};

use beckon_shared::id::Hash;
use cap_std::fs::Dir;

use super::{
    download::Sink,
    local::{self, Clash, part_name, range_name},
};

/// Bytes gathered before they are written: fewer, larger writes.
const WRITE_SIZE: usize = 1 << 20;

/// What a file is given when it is whole.
#[derive(Debug, Clone, Copy)]
pub(super) struct Finish {
    /// Permission bits, 0 for the default.
    pub(super) mode: u32,
    /// Modification time, unless it is new.
    pub(super) mtime: Option<SystemTime>,
    /// Whether it must be on the disk before it takes its name, or whoever made it sees to that for many at once.
    pub(super) sync: Sync,
    /// What is done if something else has the name by then.
    pub(super) clash: Clash,
}

/// When a file is brought to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sync {
    /// Each by itself.
    Each,
    /// Its content at once; whoever made it sees to the names of many together.
    Content,
    /// All together, later.
    Later,
}

/// A file while it is downloaded.
#[derive(Debug)]
pub(super) struct Part {
    folder: Arc<Dir>,
    name: OsString,
    /// Its name until it is whole.
    temporary: OsString,
    file: Option<std::fs::File>,
    buffer: Vec<u8>,
    hasher: blake3::Hasher,
    len: u64,
}

/// What is done with bytes that an earlier try left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leftover {
    /// Go on behind them.
    Keep,
    /// Begin anew.
    Forget,
}

impl Part {
    /// Opens the temporary file of `name`. Only one program at a time may have it.
    pub(super) async fn open(folder: Arc<Dir>, name: &OsStr, leftover: Leftover) -> io::Result<Self> {
        let (name, temporary) = (name.to_owned(), part_name(name));
        blocking(move || Self::open_now(folder, (name, temporary), leftover)).await
    }

    /// Opens the temporary file of a range of `name`, empty. What an earlier try left of the whole file stays.
    pub(super) async fn open_range(folder: Arc<Dir>, name: &OsStr) -> io::Result<Self> {
        let (name, temporary) = (name.to_owned(), range_name(name));
        blocking(move || Self::open_now(folder, (name, temporary), Leftover::Forget)).await
    }

    fn open_now(folder: Arc<Dir>, (name, temporary): (OsString, OsString), leftover: Leftover) -> io::Result<Self> {
        let mut file = open_temporary(&folder, &temporary)?;
        let mut hasher = blake3::Hasher::new();
        let len = match leftover {
            Leftover::Keep => hash_all(&mut file, &mut hasher)?,
            Leftover::Forget => {
                file.set_len(0)?;
                0
            }
        };
        Ok(Self {
            folder,
            name,
            temporary,
            file: Some(file),
            buffer: Vec::new(),
            hasher,
            len,
        })
    }

    /// The hash of all that is there.
    pub(super) fn hash(&self) -> Hash {
        Hash(*self.hasher.finalize().as_bytes())
    }

    /// Gives the file its attributes and its name.
    pub(super) async fn finish(mut self, finish: Finish) -> io::Result<()> {
        self.flush().await?;
        blocking(move || self.finish_now(finish)).await
    }

    fn finish_now(self, finish: Finish) -> io::Result<()> {
        let Some(file) = &self.file else {
            return Err(io::ErrorKind::NotFound.into());
        };
        give_name(file, &self.folder, (&self.temporary, &self.name), finish)
    }

    /// Removes the temporary file.
    pub(super) fn discard(self) {
        // What cannot be removed is found and cut off by the next try.
        let _ = self.folder.remove_file(&self.temporary);
    }

    /// Takes back what stands behind `len`. What is left has no hash any more.
    pub(super) async fn cut(&mut self, len: u64) -> io::Result<()> {
        self.flush().await?;
        let Some(file) = &mut self.file else {
            return Err(io::ErrorKind::NotFound.into());
        };
        file.set_len(len)?;
        self.len = len;
        file.seek(SeekFrom::Start(len)).map(drop)
    }

    async fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let gone = || io::Error::from(io::ErrorKind::NotFound);
        let (mut file, buffer) = (self.file.take().ok_or_else(gone)?, std::mem::take(&mut self.buffer));
        let (file, mut buffer, written) = blocking(move || {
            let written = file.write_all(&buffer);
            Ok((file, buffer, written))
        })
        .await?;
        buffer.clear();
        (self.file, self.buffer) = (Some(file), buffer);
        written
    }
}

impl Sink for Part {
    fn len(&self) -> u64 {
        self.len
    }

    async fn restart(&mut self) -> io::Result<()> {
        self.buffer.clear();
        self.hasher.reset();
        self.len = 0;
        let Some(file) = &mut self.file else {
            return Err(io::ErrorKind::NotFound.into());
        };
        file.set_len(0)?;
        file.seek(SeekFrom::Start(0)).map(drop)
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hasher.update(bytes);
        self.len += bytes.len() as u64;
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= WRITE_SIZE {
            self.flush().await
        } else {
            Ok(())
        }
    }

    async fn pause(&mut self) -> io::Result<()> {
        self.flush().await
    }
}

/// Opens the temporary file `name`, with what an earlier try left in it. Only one program at a time may have it.
pub(super) fn open_temporary(folder: &Dir, name: &OsStr) -> io::Result<std::fs::File> {
    loop {
        let file = open_locked(folder, name)?;
        // Whoever had it may have given it away before it was locked here; then the name leads elsewhere.
        if still_leads_to(folder, name, &file)? {
            return Ok(file);
        }
    }
}

#[cfg(unix)]
fn still_leads_to(folder: &Dir, name: &OsStr, file: &std::fs::File) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let there = match folder.symlink_metadata(name) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(false),
        there => there?,
    };
    let here = file.metadata()?;
    let there = (
        cap_std::fs::MetadataExt::dev(&there),
        cap_std::fs::MetadataExt::ino(&there),
    );
    Ok(there == (here.dev(), here.ino()))
}

/// Windows does not tell this in a way that is stable yet.
#[cfg(not(unix))]
fn still_leads_to(_: &Dir, _: &OsStr, _: &std::fs::File) -> io::Result<bool> {
    Ok(true)
}

fn open_locked(folder: &Dir, name: &OsStr) -> io::Result<std::fs::File> {
    let options = &mut local::no_follow();
    let options = options.read(true).write(true).create(true);
    let file = folder.open_with(name, options)?.into_std();
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "something else has the temporary file's name",
        ));
    }
    file.try_lock().map_err(|_| {
        io::Error::new(
            io::ErrorKind::ResourceBusy,
            "another beckon get writes this file; wait for it to end",
        )
    })?;
    Ok(file)
}

/// Gives a temporary file that is whole its attributes and its name.
pub(super) fn give_name(
    file: &std::fs::File,
    folder: &Dir,
    (temporary, name): (&OsStr, &OsStr),
    finish: Finish,
) -> io::Result<()> {
    if let Some(permissions) = local::permissions(finish.mode) {
        file.set_permissions(permissions)?;
    }
    if let Some(mtime) = finish.mtime {
        file.set_modified(mtime)?;
    }
    if finish.sync != Sync::Later
        && let Err(cause) = file.sync_all()
    {
        // What can still be read of it may never have reached the disk, and no later try would find that out.
        let _ = folder.remove_file(temporary);
        return Err(cause);
    }
    rename(folder, (temporary, name), finish.clash)?;
    if finish.sync == Sync::Each {
        sync_folder(folder)?;
    }
    Ok(())
}

/// Takes the place of what stands there only if that is wanted.
fn rename(folder: &Dir, (from, to): (&OsStr, &OsStr), clash: Clash) -> io::Result<()> {
    // Something may have come there since the download began.
    local::may_take(folder, to, clash)?;
    #[cfg(target_os = "linux")]
    if clash == Clash::Refuse {
        use rustix::{fs::RenameFlags, io::Errno};
        match rustix::fs::renameat_with(folder, from, folder, to, RenameFlags::NOREPLACE) {
            // Not every file system can do it.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
            done => return Ok(done?),
        }
    }
    folder.rename(from, folder, to)
}

/// Brings new names in a folder to the disk.
#[cfg(unix)]
fn sync_folder(folder: &Dir) -> io::Result<()> {
    // Opened anew, because the handle may be one for walking only.
    folder.open(".")?.sync_all()
}

/// Windows has no way to do this, and orders renames by its journal.
#[cfg(not(unix))]
fn sync_folder(_: &Dir) -> io::Result<()> {
    Ok(())
}

/// Hashes all that a file holds and leaves the cursor at its end.
fn hash_all(file: &mut std::fs::File, hasher: &mut blake3::Hasher) -> io::Result<u64> {
    let mut buffer = vec![0; WRITE_SIZE];
    let mut len = 0;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(len);
        }
        hasher.update(&buffer[..read]);
        len += read as u64;
    }
}

/// The plain BLAKE3 of a file.
pub(super) async fn hash_of(mut file: std::fs::File) -> io::Result<Hash> {
    blocking(move || {
        let mut hasher = blake3::Hasher::new();
        hash_all(&mut file, &mut hasher)?;
        Ok(Hash(*hasher.finalize().as_bytes()))
    })
    .await
}

/// Runs what waits for the disk where nobody else is kept waiting.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|_| Err(io::Error::other("the work was stopped")))
}

#[cfg(test)]
mod tests;

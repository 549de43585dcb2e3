//! Packs on the local disk: `packs/ab/UUID.pack`, written as `packs/tmp/UUID` first.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom, Write},
    ops::Range,
    path::{Path, PathBuf},
};

use super::{Blobs, PackSink};
use crate::store::pack::PackId;

/// Pieces in which bytes go to the kernel: smaller ones cost time, larger ones memory.
const PIECE: usize = 1 << 20;

/// Where packs lie that nothing could be read of.
const LOST: &str = "lost";

/// Packs below a folder.
#[derive(Debug)]
pub(crate) struct DiskBlobs {
    folder: PathBuf,
}

impl DiskBlobs {
    /// Opens the folder `packs` in the server's data folder, and makes it if it is not there.
    pub(crate) fn open(data: &Path) -> io::Result<Self> {
        let folder = data.join("packs");
        fs::create_dir_all(folder.join("tmp"))?;
        sync_folder(&folder)?;
        sync_folder(data)?;
        // The data folder may be new as well. Its parent may be closed to this user: then somebody else made it before.
        if let Some(parent) = fs::canonicalize(data)?.parent() {
            let _ = sync_folder(parent);
        }
        Ok(Self { folder })
    }

    fn unfinished(&self, pack: PackId) -> PathBuf {
        self.folder.join("tmp").join(pack.to_string())
    }

    /// Spread over 256 folders by the last byte, which is random in a UUID of version 7 while the first ones are time.
    fn path(&self, pack: PackId) -> PathBuf {
        let last = pack.0.as_bytes()[15];
        self.folder.join(format!("{last:02x}")).join(format!("{pack}.pack"))
    }
}

impl Blobs for DiskBlobs {
    fn begin(&self, pack: PackId) -> io::Result<Box<dyn PackSink>> {
        if self.path(pack).exists() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let unfinished = self.unfinished(pack);
        let file = File::options().write(true).create_new(true).open(&unfinished)?;
        let sink = DiskSink {
            file,
            buffer: Vec::with_capacity(PIECE),
            unfinished,
            path: self.path(pack),
            sealed: false,
        };
        Ok(Box::new(sink))
    }

    fn read(&self, pack: PackId, range: Range<u64>) -> io::Result<Vec<u8>> {
        let mut file = File::open(self.path(pack))?;
        file.seek(SeekFrom::Start(range.start))?;
        let len = usize::try_from(range.end.saturating_sub(range.start)).map_err(|_| io::ErrorKind::InvalidInput)?;
        let mut bytes = vec![0; len];
        file.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn len(&self, pack: PackId) -> io::Result<u64> {
        Ok(fs::metadata(self.path(pack))?.len())
    }

    fn delete(&self, pack: PackId) -> io::Result<()> {
        match fs::remove_file(self.path(pack)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn set_aside(&self, pack: PackId) -> io::Result<()> {
        let lost = self.folder.join(LOST);
        make_folder(&lost)?;
        let path = self.path(pack);
        fs::rename(&path, lost.join(format!("{pack}.pack")))?;
        sync_folder(&lost)
    }

    fn list(&self) -> io::Result<Vec<PackId>> {
        let mut packs = Vec::new();
        for folder in fs::read_dir(&self.folder)? {
            let folder = folder?;
            if ["tmp", LOST].iter().any(|name| folder.file_name() == *name) || !folder.file_type()?.is_dir() {
                continue;
            }
            for file in fs::read_dir(folder.path())? {
                packs.extend(pack_of(&file?.path()));
            }
        }
        Ok(packs)
    }

    fn sweep(&self) -> io::Result<()> {
        for file in fs::read_dir(self.folder.join("tmp"))? {
            fs::remove_file(file?.path())?;
        }
        Ok(())
    }

    fn room(&self) -> io::Result<Option<u64>> {
        let disk = rustix::fs::statvfs(&self.folder)?;
        Ok(Some(disk.f_bavail.saturating_mul(disk.f_frsize)))
    }

    fn total(&self) -> io::Result<Option<u64>> {
        let disk = rustix::fs::statvfs(&self.folder)?;
        Ok(Some(disk.f_blocks.saturating_mul(disk.f_frsize)))
    }
}

fn pack_of(path: &Path) -> Option<PackId> {
    let name = path.file_name()?.to_str()?.strip_suffix(".pack")?;
    name.parse().ok().map(PackId)
}

/// A pack on its way to the disk.
struct DiskSink {
    file: File,
    buffer: Vec<u8>,
    unfinished: PathBuf,
    path: PathBuf,
    sealed: bool,
}

impl DiskSink {
    fn flush(&mut self) -> io::Result<()> {
        self.file.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

impl PackSink for DiskSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.buffer.len() + bytes.len() > PIECE {
            self.flush()?;
        }
        if bytes.len() >= PIECE {
            return self.file.write_all(bytes);
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    fn seal(mut self: Box<Self>) -> io::Result<()> {
        self.flush()?;
        self.file.sync_data()?;
        let folder = self.path.parent().ok_or(io::ErrorKind::InvalidInput)?;
        make_folder(folder)?;
        fs::rename(&self.unfinished, &self.path)?;
        self.sealed = true;
        sync_folder(folder).inspect_err(|_| {
            // Under its final name, but nobody was told of it: it must not come back with a rebuilt index.
            let _ = fs::remove_file(&self.path);
        })
    }
}

impl Drop for DiskSink {
    fn drop(&mut self) {
        if !self.sealed {
            // What cannot be removed now is swept at the next start.
            let _ = fs::remove_file(&self.unfinished);
        }
    }
}

fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(folder)?;
    folder.parent().map_or(Ok(()), sync_folder).inspect_err(|_| {
        // Whoever comes next must find it missing and sync its name anew.
        let _ = fs::remove_dir(folder);
    })
}

/// A new or renamed file is safe only when the folder that names it is on the disk as well.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Windows has no way to sync a folder, and journals names itself.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::blob::contract;

    #[test]
    fn the_disk_keeps_the_contract() {
        let folder = tempfile::tempdir().unwrap();
        contract::holds(|| DiskBlobs::open(folder.path()).unwrap());
    }

    #[test]
    fn an_unfinished_pack_lies_where_no_reader_looks() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = DiskBlobs::open(folder.path()).unwrap();
        let mut sink = blobs.begin(contract::id(1)).unwrap();
        sink.write(&vec![7; 3 * PIECE]).unwrap();
        std::mem::forget(sink);
        assert_eq!(fs::read_dir(folder.path().join("packs/tmp")).unwrap().count(), 1);
        let reopened = DiskBlobs::open(folder.path()).unwrap();
        assert_eq!(reopened.list().unwrap(), []);
        assert_eq!(
            reopened.read(contract::id(1), 0..1).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
        reopened.sweep().unwrap();
        assert_eq!(fs::read_dir(folder.path().join("packs/tmp")).unwrap().count(), 0);
    }

    #[test]
    fn what_is_set_aside_keeps_its_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = DiskBlobs::open(folder.path()).unwrap();
        let mut sink = blobs.begin(contract::id(1)).unwrap();
        sink.write(b"odd").unwrap();
        sink.seal().unwrap();
        blobs.set_aside(contract::id(1)).unwrap();
        let kept = folder
            .path()
            .join("packs/lost")
            .join(format!("{}.pack", contract::id(1)));
        assert_eq!(fs::read(kept).unwrap(), b"odd");
    }

    #[test]
    fn the_disk_knows_its_room() {
        let folder = tempfile::tempdir().unwrap();
        assert!(
            DiskBlobs::open(folder.path())
                .unwrap()
                .room()
                .unwrap()
                .is_some_and(|bytes| bytes > 0)
        );
    }
}

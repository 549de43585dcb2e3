//! Packs on the local disk: `packs/ab/UUID.pack`, written as `packs/tmp/UUID` first.

use std::{
    collections::HashSet,
    fs, io,
    ops::Range,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    Blobs, PackSink,
    file_system::{FileSystem, Listed, Native, NewFile, Room},
};
use crate::{
    fault,
    store::{pack::PackId, sabotage::sabotage},
};

/// Pieces in which bytes go to the kernel: smaller ones cost time, larger ones memory.
const PIECE: usize = 1 << 20;

/// Where packs lie that nothing could be read of.
const LOST: &str = "lost";

/// Where packs lie that are being written.
const UNFINISHED: &str = "tmp";

/// Packs below a folder.
pub(crate) struct DiskBlobs {
    disk: Arc<Disk>,
    folder: PathBuf,
    piece: usize,
}

impl DiskBlobs {
    /// Opens the folder `packs` in the server's data folder, and makes it if it is not there.
    pub(crate) fn open(data: &Path) -> io::Result<Self> {
        fs::create_dir_all(data)?;
        let blobs = Self::on(Arc::new(Native), data, PIECE)?;
        // The data folder may be new as well. Its parent may be closed to this user: then somebody else made it before.
        if let Some(parent) = fs::canonicalize(data)?.parent() {
            let _ = Native.sync_folder(parent);
        }
        Ok(blobs)
    }

    /// The same in a data folder of any file system that is there already; bytes go there in pieces of about so many.
    pub(crate) fn on(files: Arc<dyn FileSystem>, data: &Path, piece: usize) -> io::Result<Self> {
        let disk = Disk {
            files,
            doubtful: Mutex::default(),
            naming: std::array::from_fn(|_| Mutex::default()),
        };
        let blobs = Self {
            disk: Arc::new(disk),
            folder: data.join("packs"),
            piece,
        };
        blobs.lay_folders()?;
        Ok(blobs)
    }

    /// Makes the folders that are always there. They are synced also where they are there: whoever made them may have ended
    /// before it came to this.
    fn lay_folders(&self) -> io::Result<()> {
        let files = &self.disk.files;
        for folder in [&self.folder, &self.folder.join(UNFINISHED)] {
            match files.make_folder(folder) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
        }
        files.sync_folder(&self.folder)?;
        self.folder.parent().map_or(Ok(()), |data| files.sync_folder(data))
    }

    fn unfinished(&self, pack: PackId) -> PathBuf {
        self.folder.join(UNFINISHED).join(pack.to_string())
    }

    /// Where a pack lies.
    pub(crate) fn path(&self, pack: PackId) -> PathBuf {
        let folder = format!("{:02x}", shelf(pack));
        self.folder.join(folder).join(format!("{pack}.pack"))
    }

    fn space(&self) -> io::Result<Option<Room>> {
        self.disk.files.room(&self.folder)
    }

    fn sink(&self, pack: PackId) -> io::Result<DiskSink> {
        let unfinished = self.unfinished(pack);
        Ok(DiskSink {
            file: self.disk.files.create(&unfinished)?,
            disk: self.disk.clone(),
            buffer: Vec::with_capacity(self.piece),
            piece: self.piece,
            unfinished,
            path: self.path(pack),
            shelf: shelf(pack),
            is_named: false,
        })
    }
}

/// Which of the folders a pack lies in: spread by the last byte, which is random in a UUID of version 7 while the first ones
/// are time.
fn shelf(pack: PackId) -> u8 {
    pack.0.as_bytes()[15]
}

impl Blobs for DiskBlobs {
    fn begin(&self, pack: PackId) -> io::Result<Box<dyn PackSink>> {
        if self.disk.files.exists(&self.path(pack)) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        Ok(Box::new(self.sink(pack)?))
    }

    fn read(&self, pack: PackId, range: Range<u64>) -> io::Result<Vec<u8>> {
        self.disk.files.read(&self.path(pack), range)
    }

    fn len(&self, pack: PackId) -> io::Result<u64> {
        self.disk.files.len(&self.path(pack))
    }

    fn delete(&self, pack: PackId) -> io::Result<()> {
        match self.disk.files.remove(&self.path(pack)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn set_aside(&self, pack: PackId) -> io::Result<()> {
        let lost = self.folder.join(LOST);
        self.disk.make_folder(&lost)?;
        self.disk
            .files
            .rename(&self.path(pack), &lost.join(format!("{pack}.pack")))?;
        self.disk.sync_folder(&lost)
    }

    /// A copy takes its place: the syncs of the old one, or of its name, may have failed before a restart, and then no later
    /// one can be trusted.
    fn secure(&self, pack: PackId) -> io::Result<()> {
        let bytes = self.read(pack, 0..self.len(pack)?)?;
        let mut copy = self.sink(pack)?;
        copy.write(&bytes)?;
        copy.finish()?;
        copy.take_name()
    }

    fn list(&self) -> io::Result<Vec<PackId>> {
        let mut packs = Vec::new();
        for Listed { name, is_folder } in self.disk.files.list(&self.folder)? {
            if !is_folder || [UNFINISHED, LOST].contains(&name.as_str()) {
                continue;
            }
            let files = self.disk.files.list(&self.folder.join(name))?;
            packs.extend(files.iter().filter_map(|file| pack_of(&file.name)));
        }
        let doubtful = self.disk.doubtful();
        packs.retain(|pack| !doubtful.contains(&self.path(*pack)));
        Ok(packs)
    }

    /// Folders that hold nothing are made anew: whoever made them may have ended, or failed, before their names were synced.
    fn sweep(&self) -> io::Result<()> {
        let files = &self.disk.files;
        let unfinished = self.folder.join(UNFINISHED);
        for file in files.list(&unfinished)? {
            files.remove(&unfinished.join(file.name))?;
        }
        let folders = files.list(&self.folder)?.into_iter().filter(|entry| entry.is_folder);
        for folder in folders.map(|entry| self.folder.join(entry.name)) {
            self.remove_empty(&folder)?;
        }
        self.remove_empty(&self.folder)?;
        self.lay_folders()
    }

    fn room(&self) -> io::Result<Option<u64>> {
        Ok(self.space()?.map(|room| room.free))
    }

    fn total(&self) -> io::Result<Option<u64>> {
        Ok(self.space()?.map(|room| room.total))
    }
}

impl DiskBlobs {
    fn remove_empty(&self, folder: &Path) -> io::Result<()> {
        match self.disk.files.list(folder)?.is_empty() {
            true => self.disk.files.remove_folder(folder),
            false => Ok(()),
        }
    }
}

fn pack_of(name: &str) -> Option<PackId> {
    name.strip_suffix(".pack")?.parse().ok().map(PackId)
}

/// A pack on its way to the disk.
struct DiskSink {
    file: Box<dyn NewFile>,
    disk: Arc<Disk>,
    buffer: Vec<u8>,
    piece: usize,
    unfinished: PathBuf,
    path: PathBuf,
    shelf: u8,
    is_named: bool,
}

impl DiskSink {
    fn flush(&mut self) -> io::Result<()> {
        self.file.append(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    /// Makes the bytes durable.
    fn finish(&mut self) -> io::Result<()> {
        self.flush()?;
        fault::point("pack-written");
        sabotage!(NoSync => return Ok(()));
        self.file.sync()?;
        fault::point("pack-synced");
        Ok(())
    }

    /// Gives the pack its final name and makes that durable.
    fn take_name(&mut self) -> io::Result<()> {
        let folder = self.path.parent().ok_or(io::ErrorKind::InvalidInput)?;
        self.disk.make_folder(folder)?;
        // A sync that fails dooms all names that wait for it. One by one, each is named by a sync of its own.
        let _naming = self.disk.naming(self.shelf);
        self.disk.files.rename(&self.unfinished, &self.path)?;
        self.is_named = true;
        fault::point("pack-named");
        self.disk.sync_folder(folder)
    }
}

impl PackSink for DiskSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.buffer.len() + bytes.len() > self.piece {
            self.flush()?;
        }
        if bytes.len() >= self.piece {
            return self.file.append(bytes);
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    fn seal(mut self: Box<Self>) -> io::Result<()> {
        self.finish()?;
        let named = self.take_name();
        // Under its final name, but nobody was told of it, and no later sync can be trusted to keep that name.
        if named.is_err() && self.is_named && self.disk.files.remove(&self.path).is_err() {
            self.disk.doubtful().insert(self.path.clone());
        }
        named
    }
}

impl Drop for DiskSink {
    fn drop(&mut self) {
        if !self.is_named {
            // What cannot be removed now is swept at the next start.
            let _ = self.disk.files.remove(&self.unfinished);
        }
    }
}

/// The file system, with what is known of its folders.
struct Disk {
    files: Arc<dyn FileSystem>,
    /// Folders and packs whose name could neither be synced nor be taken back: the next power cut may take them.
    doubtful: Mutex<HashSet<PathBuf>>,
    /// Held while a name in one of the folders is given and synced.
    naming: [Mutex<()>; 256],
}

impl Disk {
    fn doubtful(&self) -> MutexGuard<'_, HashSet<PathBuf>> {
        // No code that can panic runs under this lock.
        self.doubtful.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn naming(&self, shelf: u8) -> MutexGuard<'_, ()> {
        self.naming[usize::from(shelf)]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a folder, or waits until whoever makes it has synced its name.
    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        let mut doubtful = self.doubtful();
        if doubtful.contains(folder) {
            self.files.remove_folder(folder)?;
            doubtful.remove(folder);
        }
        if self.files.exists(folder) {
            return Ok(());
        }
        self.files.make_folder(folder)?;
        let synced = folder.parent().map_or(Ok(()), |parent| self.sync_folder(parent));
        // A sync that failed is not tried again on the same name: the folder must go, and is made anew by whoever comes next.
        if synced.is_err() && self.files.remove_folder(folder).is_err() {
            doubtful.insert(folder.to_owned());
        }
        synced
    }

    /// A new or renamed file is safe only when the folder that names it is on the disk as well.
    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        sabotage!(NoFolderSync => return Ok(()));
        self.files.sync_folder(folder)
    }
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

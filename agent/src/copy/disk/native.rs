//! The machine's own disk, through the directory handles of a root.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use beckon_shared::{
    entry::EntryKind,
    path::{Name, RootPath},
};

use super::{Disk, NewFile};
use crate::root::{Folder, Look, NewName, Root, set_meta};

/// So many folders are kept open at once.
const FOLDERS_MAX: usize = 64;

/// A root's disk.
pub(crate) struct Native {
    root: Arc<Root>,
    folders: Mutex<HashMap<RootPath, Arc<Folder>>>,
    whole: Mutex<Option<File>>,
    /// Whether a folder of another disk was met, which syncing the root's does not reach.
    is_several: AtomicBool,
}

impl Native {
    /// Of this root.
    pub(crate) fn new(root: Arc<Root>) -> Self {
        Self {
            root,
            folders: Mutex::default(),
            whole: Mutex::default(),
            is_several: AtomicBool::new(false),
        }
    }

    fn folders(&self) -> MutexGuard<'_, HashMap<RootPath, Arc<Folder>>> {
        self.folders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn folder(&self, path: &RootPath) -> io::Result<Arc<Folder>> {
        if let Some(folder) = self.folders().get(path) {
            return Ok(Arc::clone(folder));
        }
        let folder = Arc::new(match path.split_last() {
            Some((above, name)) => self.folder(&above)?.enter(&name)?,
            None => self.root.enter(path)?,
        });
        if let Some((above, _)) = path.split_last()
            && !self.folder(&above)?.is_on_same_disk(&folder)?
        {
            self.is_several.store(true, Relaxed);
        }
        let mut folders = self.folders();
        if folders.len() >= FOLDERS_MAX {
            folders.clear();
        }
        folders.insert(path.clone(), Arc::clone(&folder));
        Ok(folder)
    }

    fn parent(&self, path: &RootPath) -> io::Result<(Arc<Folder>, Name)> {
        let (above, name) = path.split_last().ok_or(io::ErrorKind::InvalidInput)?;
        Ok((self.folder(&above)?, name))
    }
}

impl Disk for Native {
    fn is_there(&self) -> bool {
        self.root.enter(&RootPath::root()).is_ok()
    }

    fn look(&self, path: &RootPath) -> io::Result<Option<Look>> {
        let (folder, name) = match self.parent(path) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
            parent => parent?,
        };
        folder.look(&name)
    }

    fn names(&self, folder: &RootPath) -> io::Result<Vec<(Name, EntryKind)>> {
        self.folder(folder)?.all_names()
    }

    fn read(&self, path: &RootPath) -> io::Result<Box<dyn Read + Send>> {
        let (folder, name) = self.parent(path)?;
        Ok(Box::new(folder.read(&name)?))
    }

    fn create(&self, path: &RootPath, mode: u32) -> io::Result<Box<dyn NewFile>> {
        let (folder, name) = self.parent(path)?;
        Ok(Box::new(folder.create(&name, mode)?))
    }

    fn reopen(&self, path: &RootPath) -> io::Result<Box<dyn NewFile>> {
        let (folder, name) = self.parent(path)?;
        Ok(Box::new(folder.reopen(&name)?))
    }

    fn make_folder(&self, path: &RootPath) -> io::Result<()> {
        let (folder, name) = self.parent(path)?;
        folder.make_folder(&name)
    }

    fn make_symlink(&self, path: &RootPath, target: &[u8]) -> io::Result<()> {
        let (folder, name) = self.parent(path)?;
        folder.make_symlink(&name, target)
    }

    fn rename(&self, from: &RootPath, to: &RootPath, new: NewName) -> io::Result<()> {
        let ((from_folder, from_name), (to_folder, to_name)) = (self.parent(from)?, self.parent(to)?);
        from_folder.rename(&from_name, &to_folder, &to_name, new)?;
        // Handles below a folder that moved would still work, under the wrong path.
        self.folders().retain(|path, _| !from.holds(path) && !to.holds(path));
        Ok(())
    }

    fn exchange(&self, one: &RootPath, other: &RootPath) -> io::Result<bool> {
        let ((folder, name), (other_folder, other_name)) = (self.parent(one)?, self.parent(other)?);
        let is_done = folder.exchange(&name, &other_folder, &other_name)?;
        self.folders().retain(|path, _| !one.holds(path) && !other.holds(path));
        Ok(is_done)
    }

    fn remove_file(&self, path: &RootPath) -> io::Result<()> {
        let (folder, name) = self.parent(path)?;
        folder.remove_file(&name)
    }

    fn remove_folder(&self, path: &RootPath) -> io::Result<()> {
        let (folder, name) = self.parent(path)?;
        folder.remove_folder(&name)?;
        self.folders().retain(|open, _| !path.holds(open));
        Ok(())
    }

    fn remove_tree(&self, path: &RootPath) -> io::Result<()> {
        let (folder, name) = self.parent(path)?;
        self.folders().retain(|open, _| !path.holds(open));
        folder.remove_tree(&name)
    }

    fn set_meta(&self, path: &RootPath, kind: EntryKind, mode: u32, mtime_ns: i64) -> io::Result<()> {
        let (folder, name) = self.parent(path)?;
        folder.set_meta(&name, kind, mode, mtime_ns)
    }

    fn set_mode(&self, path: &RootPath, mode: u32) -> io::Result<()> {
        let (folder, name) = self.parent(path)?;
        folder.set_mode(&name, mode)
    }

    fn sync_folder(&self, folder: &RootPath) -> io::Result<()> {
        self.folder(folder)?.sync()
    }

    fn sync_file(&self, path: &RootPath) -> io::Result<()> {
        let (folder, name) = self.parent(path)?;
        folder.read(&name)?.sync_all()
    }

    fn begin(&self) -> io::Result<bool> {
        if cfg!(not(target_os = "linux")) {
            return Ok(false);
        }
        let handle = self.folder(&RootPath::root())?.sync_handle()?;
        *self.whole.lock().unwrap_or_else(PoisonError::into_inner) = Some(handle);
        Ok(true)
    }

    #[cfg(target_os = "linux")]
    fn sync_all(&self) -> io::Result<bool> {
        let handle = self.whole.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(handle) = handle.filter(|_| !self.is_several.load(Relaxed)) else {
            return Ok(false);
        };
        rustix::fs::syncfs(handle)?;
        Ok(true)
    }

    #[cfg(not(target_os = "linux"))]
    fn sync_all(&self) -> io::Result<bool> {
        Ok(false)
    }

    fn forget(&self) {
        self.folders().clear();
    }
}

impl NewFile for File {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.seek(SeekFrom::Start(offset))?;
        self.write_all(bytes)
    }

    fn read_at(&mut self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.seek(SeekFrom::Start(offset))?;
        self.read_exact(bytes)
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        File::set_len(self, len)
    }

    fn set_meta(&mut self, mode: u32, mtime_ns: i64) -> io::Result<()> {
        set_meta(self, mode, mtime_ns)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_all()
    }
}

//! Folders in which something was given a name or lost one, and what has to be done to them afterwards.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    io,
};

use beckon_shared::{entry::EntryKind, path::RootPath};

use crate::copy::disk::Disk;

/// More folders than this are made durable by one call for the whole disk.
const FEW: usize = 8;
/// What a folder's owner needs to change what is in it.
const OWNER_MAY_WRITE: u32 = 0o300;

/// Folders of which the names are to be made durable, and such as were opened for writing for a while.
#[derive(Debug, Default)]
pub(in crate::copy) struct Touched {
    folders: BTreeSet<RootPath>,
    /// All that ever were among them.
    all: HashSet<RootPath>,
    /// Those that are known to be there and writable.
    ready: HashSet<RootPath>,
    /// Folders that only could be read, with the permission bits they had.
    unlocked: BTreeMap<RootPath, u32>,
}

impl Touched {
    /// Names in the folder above this path changed.
    pub(in crate::copy) fn beside(&mut self, path: &RootPath) {
        if let Some((above, _)) = path.split_last() {
            self.all.insert(above.clone());
            self.folders.insert(above);
        }
    }

    /// Sees to it that the folder above a path is there and can be written in.
    pub(in crate::copy) fn make_way(&mut self, disk: &dyn Disk, path: &RootPath) -> io::Result<()> {
        match path.split_last() {
            Some((above, _)) if !above.is_root() => self.make_folder(disk, &above),
            _ => Ok(()),
        }
    }

    /// Sees to it that a folder is there and can be written in.
    fn make_folder(&mut self, disk: &dyn Disk, folder: &RootPath) -> io::Result<()> {
        if self.ready.contains(folder) {
            return Ok(());
        }
        match disk.look(folder)? {
            Some(look) if look.kind == EntryKind::Folder => {
                if look.mode != 0 && look.mode & OWNER_MAY_WRITE != OWNER_MAY_WRITE {
                    disk.set_mode(folder, look.mode | OWNER_MAY_WRITE)?;
                    self.unlocked.entry(folder.clone()).or_insert(look.mode);
                }
            }
            Some(_) => return Err(io::ErrorKind::NotADirectory.into()),
            None => {
                self.make_way(disk, folder)?;
                disk.make_folder(folder)?;
                self.beside(folder);
            }
        }
        self.ready.insert(folder.clone());
        Ok(())
    }

    /// A folder that only can be read cannot be moved out of the one above: opens it, and says which bits it had.
    pub(in crate::copy) fn open_to_move(disk: &dyn Disk, path: &RootPath) -> io::Result<Option<u32>> {
        let look = disk.look(path)?.filter(|look| look.kind == EntryKind::Folder);
        let mode = look.map_or(0, |look| look.mode);
        if mode == 0 || mode & OWNER_MAY_WRITE == OWNER_MAY_WRITE {
            return Ok(None);
        }
        disk.set_mode(path, mode | OWNER_MAY_WRITE)?;
        Ok(Some(mode))
    }

    /// A folder gets these bits in the end.
    pub(super) fn is_to_be_locked(&mut self, folder: &RootPath, mode: u32) {
        self.unlocked.insert(folder.clone(), mode);
    }

    /// A folder gets other bits than it had before it was opened for writing.
    pub(super) fn is_to_be(&mut self, folder: &RootPath, mode: u32) {
        if let Some(before) = self.unlocked.get_mut(folder) {
            *before = mode;
        }
    }

    /// Something that was a folder may be none any more.
    pub(in crate::copy) fn forget(&mut self, path: &RootPath) {
        self.ready.retain(|folder| !path.holds(folder));
        self.unlocked.retain(|folder, _| !path.holds(folder));
    }

    /// Makes the names in all these folders durable. One that is gone meanwhile has none that matter.
    pub(in crate::copy) fn sync(&mut self, disk: &dyn Disk) -> io::Result<()> {
        if self.folders.len() > FEW && disk.begin()? && disk.sync_all()? {
            self.folders.clear();
            return Ok(());
        }
        for folder in std::mem::take(&mut self.folders) {
            match disk.sync_folder(&folder) {
                Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause),
                _ => {}
            }
        }
        Ok(())
    }

    /// All folders in which names changed.
    pub(super) fn all(&self) -> impl Iterator<Item = &RootPath> {
        self.all.iter()
    }

    /// Folders that only could be read are so again.
    pub(in crate::copy) fn lock_again(&mut self, disk: &dyn Disk) {
        // What is below first: the one above may not be entered afterwards.
        for (folder, mode) in std::mem::take(&mut self.unlocked).into_iter().rev() {
            if let Err(cause) = disk.set_mode(&folder, mode) {
                tracing::debug!(%cause, ?folder, "a folder keeps wider permissions");
            }
        }
        self.ready.clear();
    }
}

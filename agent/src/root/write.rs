//! Writing below a root: the same directory handles, one name at a time, never through a symlink. Errors are those of the
//! file system; whoever writes decides by their kind.

use std::{
    fs::File,
    io,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use beckon_shared::{
    entry::{EntryKind, SourceStamp},
    path::{Name, RootPath},
};
use cap_fs_ext::{DirExt, FollowSymlinks, OpenOptionsFollowExt, OpenOptionsSyncExt, SystemTimeSpec};
use cap_std::{fs::OpenOptions, time::SystemTime as CapTime};

use super::{Folder, Root, enter, meta};

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Look {
    /// What it is.
    pub(crate) kind: EntryKind,
    /// Size, times and identity.
    pub(crate) stamp: SourceStamp,
    /// The low 12 permission bits; 0 where the platform has none.
    pub(crate) mode: u32,
    /// Where a symlink points.
    pub(crate) target: Option<Vec<u8>>,
}

/// What a new name may do to what has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NewName {
    /// Take its place, if it is a file or symlink.
    Replace,
    /// Nothing: `AlreadyExists` then.
    Free,
}

impl Root {
    /// As [`Root::folder`], with what the file system said.
    pub(crate) fn enter(&self, path: &RootPath) -> io::Result<Folder> {
        let mut folder = self.open_top()?;
        for name in path.names() {
            folder = folder.enter(&name)?;
        }
        Ok(folder)
    }
}

impl Folder {
    /// Opens a folder in this one; a symlink is none.
    pub(crate) fn enter(&self, name: &Name) -> io::Result<Self> {
        Ok(Self {
            dir: enter(&self.dir, &os_name(name)?, &self.closed)?,
            closed: Arc::clone(&self.closed),
            is_top: false,
        })
    }

    /// What stands here under a name, without opening or following it.
    pub(crate) fn look(&self, name: &Name) -> io::Result<Option<Look>> {
        let path = os_name(name)?;
        let meta = match self.dir.symlink_metadata(&path) {
            Ok(meta) => meta,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(cause),
        };
        let kind = meta::kind_of(&meta);
        let target = match kind {
            EntryKind::Symlink => {
                let target = self.dir.read_link_contents(&path)?;
                Some(target.as_os_str().as_encoded_bytes().to_vec())
            }
            _ => None,
        };
        Ok(Some(Look {
            kind,
            stamp: meta::stamp(&meta),
            mode: meta::folder_meta(&meta).mode,
            target,
        }))
    }

    /// Opens a file to read; anything else is refused by the system or by its kind.
    pub(crate) fn read(&self, name: &Name) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true);
        self.open_regular(name, &mut options)
    }

    /// Makes a file to write and read. One that is to get permission bits can be read by its owner alone until then; one of
    /// which none are known (0) has those that new files have here.
    pub(crate) fn create(&self, name: &Name, mode: u32) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        cap_std::fs::OpenOptionsExt::mode(&mut options, if mode == 0 { 0o666 } else { 0o600 });
        #[cfg(not(unix))]
        let _ = mode;
        self.open_regular(name, &mut options)
    }

    /// Opens a file that is there, to write and read.
    pub(crate) fn reopen(&self, name: &Name) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        self.open_regular(name, &mut options)
    }

    fn open_regular(&self, name: &Name, options: &mut OpenOptions) -> io::Result<File> {
        options.follow(FollowSymlinks::No).nonblock(true);
        let file = self.dir.open_with(os_name(name)?, options)?.into_std();
        if file.metadata()?.is_file() {
            Ok(file)
        } else {
            Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"))
        }
    }

    /// Makes a folder.
    pub(crate) fn make_folder(&self, name: &Name) -> io::Result<()> {
        self.dir.create_dir(os_name(name)?)
    }

    /// Makes a symlink that says exactly this.
    #[cfg(unix)]
    pub(crate) fn make_symlink(&self, name: &Name, target: &[u8]) -> io::Result<()> {
        use std::os::unix::ffi::OsStrExt;
        let target = std::path::Path::new(std::ffi::OsStr::from_bytes(target));
        self.dir.symlink_contents(target, os_name(name)?)
    }

    /// Windows tells links to files and folders apart and asks for a privilege.
    #[cfg(not(unix))]
    pub(crate) fn make_symlink(&self, _: &Name, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Gives an entry another name, here or in another folder of the same root.
    pub(crate) fn rename(&self, from: &Name, folder: &Self, to: &Name, new: NewName) -> io::Result<()> {
        let (from, to) = (os_name(from)?, os_name(to)?);
        if new == NewName::Free {
            #[cfg(target_os = "linux")]
            {
                use rustix::{fs::RenameFlags, io::Errno};
                match rustix::fs::renameat_with(&self.dir, &from, &folder.dir, &to, RenameFlags::NOREPLACE) {
                    // Not every file system can do it.
                    Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
                    done => return Ok(done?),
                }
            }
            if folder.dir.symlink_metadata(&to).is_ok() {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
        }
        self.dir.rename(from, &folder.dir, to)
    }

    /// Has two entries change their names, at once; false where the system or its disk cannot.
    #[cfg(target_os = "linux")]
    pub(crate) fn exchange(&self, name: &Name, folder: &Self, other: &Name) -> io::Result<bool> {
        use rustix::{fs::RenameFlags, io::Errno};
        let (name, other) = (os_name(name)?, os_name(other)?);
        match rustix::fs::renameat_with(&self.dir, name, &folder.dir, other, RenameFlags::EXCHANGE) {
            Ok(()) => Ok(true),
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => Ok(false),
            Err(cause) => Err(cause.into()),
        }
    }

    /// Only Linux does this.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn exchange(&self, _: &Name, _: &Self, _: &Name) -> io::Result<bool> {
        Ok(false)
    }

    /// Removes a file or symlink.
    pub(crate) fn remove_file(&self, name: &Name) -> io::Result<()> {
        self.dir.remove_file_or_symlink(os_name(name)?)
    }

    /// Removes an empty folder.
    pub(crate) fn remove_folder(&self, name: &Name) -> io::Result<()> {
        self.dir.remove_dir(os_name(name)?)
    }

    /// Removes a folder with all that is in it; symlinks are removed and not followed.
    pub(crate) fn remove_tree(&self, name: &Name) -> io::Result<()> {
        self.dir.remove_dir_all(os_name(name)?)
    }

    /// All names with their kinds, this program's own among them.
    pub(crate) fn all_names(&self) -> io::Result<Vec<(Name, EntryKind)>> {
        let mut names = Vec::new();
        for entry in self.dir.entries()? {
            let entry = entry?;
            let Some(name) = super::name_of(&entry.file_name()) else {
                continue;
            };
            let kind = entry.file_type().ok().and_then(meta::kind_of_type);
            if let Some(kind) = kind.or_else(|| self.kind(&name)) {
                names.push((name, kind));
            }
        }
        Ok(names)
    }

    /// Gives a file or folder its permission bits and modification time, and a symlink its time.
    pub(crate) fn set_meta(&self, name: &Name, kind: EntryKind, mode: u32, mtime_ns: i64) -> io::Result<()> {
        if kind == EntryKind::Symlink {
            let mtime = SystemTimeSpec::Absolute(CapTime::from_std(system_time(mtime_ns)));
            return self.dir.set_symlink_times(os_name(name)?, None, Some(mtime));
        }
        let file = match kind {
            // The handle of a folder may be one that only names it (O_PATH); changing it takes one that reads it.
            EntryKind::Folder => self.enter(name)?.dir.open(".")?.into_std(),
            _ => self.read(name)?,
        };
        set_meta(&file, mode, mtime_ns)
    }

    /// Gives a folder in this one these permission bits.
    pub(crate) fn set_mode(&self, name: &Name, mode: u32) -> io::Result<()> {
        let file = self.enter(name)?.dir.open(".")?.into_std();
        permissions(mode).map_or(Ok(()), |permissions| file.set_permissions(permissions))
    }

    /// Makes the names in this folder durable.
    #[cfg(unix)]
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.dir.open(".")?.sync_all()
    }

    /// Windows has no way to do this, and orders names by its journal.
    #[cfg(not(unix))]
    pub(crate) fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    /// Whether another folder of the same root is on the same disk.
    pub(crate) fn is_on_same_disk(&self, other: &Self) -> io::Result<bool> {
        Ok(super::FolderId::of(&self.dir)?.device == super::FolderId::of(&other.dir)?.device)
    }

    /// A handle by which all of the file system is synced; errors of what was written since it was opened show there.
    pub(crate) fn sync_handle(&self) -> io::Result<File> {
        Ok(self.dir.open(".")?.into_std())
    }
}

/// Gives an open file its permission bits and modification time. What runs as somebody else does not come along.
pub(crate) fn set_meta(file: &File, mode: u32, mtime_ns: i64) -> io::Result<()> {
    if let Some(permissions) = permissions(mode) {
        file.set_permissions(permissions)?;
    }
    file.set_modified(system_time(mtime_ns))
}

#[cfg(unix)]
fn permissions(mode: u32) -> Option<std::fs::Permissions> {
    use std::os::unix::fs::PermissionsExt;
    (mode != 0).then(|| std::fs::Permissions::from_mode(mode & 0o777))
}

/// Where files have no permission bits, they keep the default.
#[cfg(not(unix))]
fn permissions(_: u32) -> Option<std::fs::Permissions> {
    None
}

fn system_time(ns: i64) -> SystemTime {
    let span = Duration::from_nanos(ns.unsigned_abs());
    if ns < 0 { UNIX_EPOCH - span } else { UNIX_EPOCH + span }
}

fn os_name(name: &Name) -> io::Result<PathBuf> {
    super::os_name(name).map_err(|refusal| io::Error::new(io::ErrorKind::InvalidInput, refusal.message))
}

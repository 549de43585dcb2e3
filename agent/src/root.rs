//! What a machine's owner opened: the one place that knows user paths. Below a root everything goes by directory handles,
//! one name at a time and never through a symlink, so that no swap of a folder for a link leads out of it.

mod meta;
mod own;
mod write;

use std::{
    ffi::OsStr,
    fs::File,
    io,
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use beckon_shared::{
    device::RootView,
    entry::{Entry, EntryKind},
    error::{ErrorCode, Refusal},
    id::RootId,
    path::{Label, Name, RootPath},
};
use cap_fs_ext::{DirExt, FollowSymlinks, MetadataExt, OpenOptionsFollowExt, OpenOptionsSyncExt};
use cap_std::{
    ambient_authority,
    fs::{Dir, Metadata, OpenOptions},
};

use crate::{
    ignore::Ignore,
    state::{RootConfig, StateDir},
};

pub(crate) use meta::{FileMeta, FolderMeta, meta_of};
pub(crate) use own::{OWN_FOLDER, is_own, part_name};
pub(crate) use write::{Look, NewName, set_meta};

/// A directory that the machine's owner opened.
///
/// It may hold the folders where this program keeps its keys, as a home folder does. Those are never entered, however they
/// are reached: they look like something that is neither file nor folder, to listings, reads and uploads alike.
#[derive(Debug, Clone)]
pub(crate) struct Root {
    /// Its id.
    pub(crate) id: RootId,
    /// Its name.
    pub(crate) name: Label,
    /// Whether orders may write below it.
    pub(crate) writable: bool,
    path: PathBuf,
    closed: Arc<[FolderId]>,
    ignore: Arc<Ignore>,
}

/// Tells a folder from every other one, whatever path leads to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FolderId {
    device: u64,
    inode: u64,
}

/// Why such a folder is not entered.
#[derive(Debug, thiserror::Error)]
#[error("this program's own keys are in there")]
struct Closed;

/// An open folder below a root.
#[derive(Debug)]
pub(crate) struct Folder {
    dir: Dir,
    closed: Arc<[FolderId]>,
    /// Whether it is the root itself.
    is_top: bool,
}

/// A file that was opened for reading, and what was said of it at that moment.
#[derive(Debug)]
pub(crate) struct OpenFile {
    /// The handle; all further questions go to it and not to the name.
    pub(crate) file: File,
    /// Stamp, permission bits and space taken.
    pub(crate) meta: FileMeta,
}

impl Root {
    /// The root as its owner opened it. It need not be there now: a disk may be plugged in later.
    pub(crate) fn new(config: &RootConfig) -> Self {
        Self {
            id: config.id,
            name: config.name.clone(),
            writable: config.writable,
            path: config.path.clone(),
            closed: Arc::default(),
            ignore: Arc::new(Ignore::lenient(&config.ignore)),
        }
    }

    /// The same root, in which these folders are never entered.
    pub(crate) fn without(self, closed: Arc<[FolderId]>) -> Self {
        Self { closed, ..self }
    }

    /// What uploads leave out.
    pub(crate) fn ignore(&self) -> &Ignore {
        &self.ignore
    }

    /// Where it is, for the system's notifier alone, which wants a path; whatever it tells of is looked at through
    /// [`Self::folder`].
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What controllers are told.
    pub(crate) fn view(&self) -> RootView {
        RootView {
            id: self.id,
            name: self.name.clone(),
            writable: self.writable,
        }
    }

    /// Opens a folder below the root, or the root itself.
    ///
    /// The root is looked up anew each time, so that a disk mounted later counts. No part of its path may have become a
    /// symlink since its owner named it: whoever may write in a folder above could otherwise point it elsewhere.
    pub(crate) fn folder(&self, path: &RootPath) -> Result<Folder, Refusal> {
        let mut folder = self.top()?;
        for name in path.names() {
            folder = folder.folder(&name)?;
        }
        Ok(folder)
    }

    /// Opens the folder that an entry stands in, and says the entry's name. The root itself stands nowhere.
    pub(crate) fn parent(&self, path: &RootPath) -> Result<(Folder, Name), Refusal> {
        let whole = || Refusal::new(ErrorCode::BadRequest, "this names a whole root; name something in it");
        let (parent, name) = path.split_last().ok_or_else(whole)?;
        Ok((self.folder(&parent)?, name))
    }

    fn top(&self) -> Result<Folder, Refusal> {
        self.open_top().map_err(|cause| {
            tracing::debug!(%cause, root = %self.name, "a root cannot be opened");
            let name = &self.name;
            match cause.kind() {
                io::ErrorKind::PermissionDenied => Refusal::new(ErrorCode::NotReadable, format!("the agent may not read the folder of root {name}; run it as a user who may, or change the folder's permissions")),
                _ => Refusal::new(ErrorCode::NotFound, format!("the folder of root {name} is gone from the machine; put it back, plug in its disk, or remove the root there")),
            }
        })
    }

    fn open_top(&self) -> io::Result<Folder> {
        let mut start = PathBuf::new();
        let mut names = Vec::new();
        for part in self.path.components() {
            match part {
                Component::Prefix(_) | Component::RootDir => start.push(part),
                Component::Normal(name) => names.push(name),
                Component::CurDir | Component::ParentDir => return Err(io::ErrorKind::InvalidInput.into()),
            }
        }
        let mut dir = Dir::open_ambient_dir(&start, ambient_authority())?;
        for name in names {
            dir = enter(&dir, name.as_ref(), &self.closed)?;
        }
        Ok(Folder {
            dir,
            closed: Arc::clone(&self.closed),
            is_top: true,
        })
    }
}

/// The folders that hold keys of this program: `state`, and the one where commands of this user have theirs.
pub(crate) fn key_folders(state: &StateDir) -> Result<Arc<[FolderId]>, Refusal> {
    let own = FolderId::at(state.path()).map_err(|cause| {
        let advice = format!(
            "cannot look at the state folder {}: {cause}; check its permissions",
            state.path().display()
        );
        Refusal::new(ErrorCode::Internal, advice)
    })?;
    let usual = StateDir::default_path().and_then(|path| FolderId::at(&path).ok());
    Ok(std::iter::once(own).chain(usual).collect())
}

impl FolderId {
    /// The number that its file system gave it.
    pub(crate) fn number(self) -> u64 {
        self.inode
    }

    /// Of the folder at this path.
    pub(crate) fn at(path: &Path) -> io::Result<Self> {
        Self::of(&Dir::open_ambient_dir(path, ambient_authority())?)
    }

    fn of(dir: &Dir) -> io::Result<Self> {
        dir.dir_metadata().map(|meta| Self::from(&meta))
    }
}

impl From<&Metadata> for FolderId {
    /// On Windows only what was said of an open folder tells who it is.
    fn from(meta: &Metadata) -> Self {
        Self {
            device: meta.dev(),
            inode: meta.ino(),
        }
    }
}

/// Opens a folder in another one, if it is none that is closed.
fn enter(dir: &Dir, name: &Path, closed: &[FolderId]) -> io::Result<Dir> {
    let dir = dir.open_dir_nofollow(name)?;
    if !closed.is_empty() && closed.contains(&FolderId::of(&dir)?) {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, Closed));
    }
    Ok(dir)
}

impl Folder {
    /// All names with their kinds, in the order of the file system, but those of this program's own. Nothing is asked of the
    /// single entries, so it is fast.
    pub(crate) fn names(&self) -> Result<Vec<(Name, EntryKind)>, Refusal> {
        let mut names = Vec::new();
        self.each_name(|name, kind| {
            names.push((name, kind));
            Ok(())
        })?;
        Ok(names)
    }

    /// As [`Folder::names`], one at a time, until `take` refuses.
    pub(crate) fn each_name(
        &self,
        mut take: impl FnMut(Name, EntryKind) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        for entry in self.dir.entries().map_err(|cause| refusal(&cause))? {
            let entry = entry.map_err(|cause| refusal(&cause))?;
            let Some(name) = name_of(&entry.file_name()) else {
                tracing::debug!(name = ?entry.file_name(), "a name that cannot be addressed is left out");
                continue;
            };
            if own::is_hidden(&name, self.is_top) {
                continue;
            }
            let kind = entry
                .file_type()
                .ok()
                .and_then(meta::kind_of_type)
                .or_else(|| self.kind(&name));
            if let Some(kind) = kind {
                take(name, kind)?;
            }
        }
        Ok(())
    }

    /// What the file system says of one entry, without opening it or following it.
    pub(crate) fn stat(&self, name: &Name) -> Result<Entry, Refusal> {
        let path = os_name(name)?;
        let meta = self.dir.symlink_metadata(&path).map_err(|cause| refusal(&cause))?;
        let kind = match meta::kind_of(&meta) {
            EntryKind::Folder if self.is_closed(&path, &meta) => EntryKind::Other,
            kind => kind,
        };
        let target = match kind {
            EntryKind::Symlink => Some(self.target(&path)?),
            _ => None,
        };
        Ok(Entry {
            name: name.clone(),
            kind,
            stamp: meta::stamp(&meta),
            target,
        })
    }

    /// Opens a folder in this one; a symlink is none.
    pub(crate) fn folder(&self, name: &Name) -> Result<Self, Refusal> {
        os_name(name)?;
        self.enter(name).map_err(|cause| refusal(&cause))
    }

    /// Opens a regular file. Anything else is refused at once: no pipe is waited for, no device is touched.
    pub(crate) fn open_file(&self, name: &Name) -> Result<OpenFile, Refusal> {
        let path = os_name(name)?;
        // Opening alone can do something to a device, so its kind is asked for before, and once more of what was opened.
        let before = self.dir.symlink_metadata(&path).map_err(|cause| refusal(&cause))?;
        if !before.is_file() {
            return Err(not_a_file(meta::kind_of(&before)));
        }
        let mut options = OpenOptions::new();
        options.read(true).follow(FollowSymlinks::No).nonblock(true);
        let file = self
            .dir
            .open_with(&path, &options)
            .map_err(|cause| refusal(&cause))?
            .into_std();
        let opened = file.metadata().map_err(|cause| refusal(&cause))?;
        if !opened.is_file() {
            return Err(not_a_file(EntryKind::Other));
        }
        Ok(OpenFile {
            meta: meta::file_meta(&opened),
            file,
        })
    }

    /// The low 12 permission bits of an entry; 0 where the platform has none or the entry is gone.
    pub(crate) fn mode(&self, name: &Name) -> u32 {
        let meta = os_name(name).ok().and_then(|path| self.dir.symlink_metadata(path).ok());
        meta.map_or(0, |meta| meta::folder_meta(&meta).mode)
    }

    /// Tells this folder from every other one.
    pub(crate) fn id(&self) -> Result<FolderId, Refusal> {
        FolderId::of(&self.dir).map_err(|cause| refusal(&cause))
    }

    /// Permission bits and modification time of this folder itself.
    pub(crate) fn meta(&self) -> Result<FolderMeta, Refusal> {
        self.dir
            .dir_metadata()
            .map(|meta| meta::folder_meta(&meta))
            .map_err(|cause| refusal(&cause))
    }

    fn is_closed(&self, path: &Path, meta: &Metadata) -> bool {
        if self.closed.is_empty() {
            return false;
        }
        if cfg!(windows) {
            return enter(&self.dir, path, &self.closed).is_err();
        }
        self.closed.contains(&FolderId::from(meta))
    }

    fn kind(&self, name: &Name) -> Option<EntryKind> {
        let meta = self.dir.symlink_metadata(os_name(name).ok()?).ok()?;
        Some(meta::kind_of(&meta))
    }

    fn target(&self, path: &Path) -> Result<Vec<u8>, Refusal> {
        let target = self.dir.read_link_contents(path).map_err(|cause| refusal(&cause))?;
        Ok(target.as_os_str().as_encoded_bytes().to_vec())
    }
}

/// What to say of a failure of the file system; the cause itself stays here.
pub(crate) fn refusal(cause: &io::Error) -> Refusal {
    tracing::debug!(%cause, "the file system refused");
    match cause.kind() {
        io::ErrorKind::NotFound => Refusal::new(ErrorCode::NotFound, "it is not there any more; read the folder again"),
        io::ErrorKind::NotADirectory => Refusal::new(
            ErrorCode::NotFound,
            "no such folder, or a symlink stands in its place: symlinks are not followed; read the folder above again",
        ),
        io::ErrorKind::PermissionDenied if cause.get_ref().is_some_and(|cause| cause.is::<Closed>()) => Refusal::new(
            ErrorCode::NotReadable,
            "this folder holds this program's own keys, which never leave the machine; leave it out",
        ),
        io::ErrorKind::PermissionDenied => Refusal::new(
            ErrorCode::NotReadable,
            "the agent may not read it; change its permissions, or run the agent as a user who may read it",
        ),
        _ => Refusal::new(
            ErrorCode::NotReadable,
            "the machine could not read it; check its disk, the agent's log says more",
        ),
    }
}

fn not_a_file(kind: EntryKind) -> Refusal {
    let what = match kind {
        EntryKind::Folder => "it is a folder, not a file; list it instead",
        EntryKind::Symlink => "it is a symlink, which is not followed; name what it points to",
        _ => "it is a pipe, socket or device, which is never read; leave it out",
    };
    Refusal::new(ErrorCode::NotAFile, what)
}

/// As the platform names it. Of Windows' names only those without a second path separator or stream can be opened.
pub(crate) fn os_name(name: &Name) -> Result<PathBuf, Refusal> {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        Ok(PathBuf::from(OsStr::from_bytes(name.as_bytes())))
    }
    #[cfg(not(unix))]
    {
        let text = name.as_str().filter(|text| !text.contains(['\\', ':']));
        let unknown = || {
            Refusal::new(
                ErrorCode::NotFound,
                "no file of this machine has such a name; read the folder again",
            )
        };
        text.map(PathBuf::from).ok_or_else(unknown)
    }
}

fn name_of(name: &OsStr) -> Option<Name> {
    Name::new(name.as_encoded_bytes()).ok()
}

#[cfg(test)]
mod swap_tests;
#[cfg(test)]
mod tests;

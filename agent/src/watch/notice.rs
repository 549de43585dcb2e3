//! What the system tells of changes below a root.
//!
//! This is the one place that hands a path of a user to somebody else: the system wants a path to watch. All that comes of it
//! are hints where to look; whatever is looked at and read then goes through the root's own directory handles, so that no
//! link that somebody puts there leads out of the root.

use std::{
    io, mem,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use beckon_shared::path::RootPath;
use notify::{
    Config, ErrorKind, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode, CreateKind, ModifyKind, RenameMode},
};
use tokio::sync::Notify;

use super::quiet::Hint;
use crate::root::{is_own, os_name};

/// Whether each folder is watched by itself. Where the system knows no other way, the notifier's own is to go through the tree,
/// and it stops without a word at a folder that vanishes meanwhile.
const FOLDER_BY_FOLDER: bool = cfg!(target_os = "linux");
/// Of more hints than these, nothing is kept but that there were too many.
const HINTS_MAX: usize = 65_536;

/// Watches a root until it is dropped.
pub(super) struct Notice {
    inbox: Arc<Inbox>,
    top: PathBuf,
    /// Nothing if the system does not watch.
    watcher: Mutex<Option<Box<dyn Watcher + Send>>>,
}

/// What has been told and not been taken yet.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Where something changed, in the order of the changes.
    pub(super) hints: Vec<(RootPath, Hint)>,
    /// Something was missed.
    pub(super) is_lost: bool,
    /// What is wrong with the watching as a whole.
    pub(super) fault: Option<Fault>,
}

/// Why the system does not tell of all changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// There are more folders than it watches for a user.
    TooManyFolders,
    /// Something else.
    Other,
}

#[derive(Debug, Default)]
struct Inbox {
    told: Mutex<Told>,
    news: Notify,
}

impl Notice {
    /// Has the system watch a root. Where it cannot, that is told as a fault. Blocks.
    pub(super) fn begin(top: &Path) -> Self {
        let inbox = Arc::<Inbox>::default();
        let watcher = watch(top, &inbox).map_err(|cause| inbox.fail(&cause)).ok();
        Self {
            inbox,
            top: top.to_owned(),
            watcher: Mutex::new(watcher),
        }
    }

    /// Has the system watch a folder, before its names are read: so nothing that comes into it is missed. Blocks.
    pub(super) fn follow(&self, folder: &RootPath) {
        if !FOLDER_BY_FOLDER {
            return;
        }
        let Some(path) = above(&self.top, folder) else { return };
        let mut watcher = self.watcher.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(watching) = watcher.as_mut() else { return };
        if let Err(cause) = watching.watch(&path, RecursiveMode::NonRecursive)
            && self.inbox.fail(&cause) == Some(Fault::TooManyFolders)
        {
            // What is watched so far would not tell of the rest; everything is looked at each minute instead.
            *watcher = None;
        }
    }

    /// Waits for something to be told.
    pub(super) async fn news(&self) {
        self.inbox.news.notified().await;
    }

    /// Takes what has been told.
    pub(super) fn take(&self) -> Told {
        mem::take(&mut *self.inbox.told())
    }
}

fn watch(top: &Path, inbox: &Arc<Inbox>) -> notify::Result<Box<dyn Watcher + Send>> {
    let (root, hearing) = (top.to_owned(), Arc::clone(inbox));
    let hear = move |told: notify::Result<Event>| match told {
        Ok(event) => hearing.take_in(&root, &event),
        Err(cause) => _ = hearing.fail(&cause),
    };
    let config = Config::default().with_follow_symlinks(false);
    let mut watcher = RecommendedWatcher::new(hear, config)?;
    let mode = match FOLDER_BY_FOLDER {
        true => RecursiveMode::NonRecursive,
        false => RecursiveMode::Recursive,
    };
    watcher.watch(top, mode)?;
    Ok(Box::new(watcher))
}

impl Inbox {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_in(&self, top: &Path, event: &Event) {
        if event.need_rescan() {
            self.told().is_lost = true;
            return self.news.notify_one();
        }
        let hints = hints(event);
        if hints.is_empty() {
            return;
        }
        let mut told = self.told();
        for (path, hint) in hints {
            match below(top, path) {
                Some(path) if path.is_root() => told.is_lost |= hint != Hint::Touched,
                Some(path) if is_own(&path) => {}
                Some(path) => told.add(path, hint),
                // Its name is longer than what can be told to anyone.
                None => {}
            }
        }
        drop(told);
        self.news.notify_one();
    }

    /// Notes that the system does not watch as it should; answers why, unless it is nothing to talk about.
    fn fail(&self, cause: &notify::Error) -> Option<Fault> {
        let is_gone =
            |cause: &io::Error| matches!(cause.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory);
        let fault = match &cause.kind {
            ErrorKind::MaxFilesWatch => Fault::TooManyFolders,
            // It went away before it could be watched; its going away is told too.
            ErrorKind::PathNotFound => return None,
            ErrorKind::Io(cause) if is_gone(cause) => return None,
            _ => Fault::Other,
        };
        tracing::warn!(%cause, "a root is not watched by the system as it should be");
        self.told().fault = Some(fault);
        self.news.notify_one();
        Some(fault)
    }
}

impl Told {
    fn add(&mut self, path: RootPath, hint: Hint) {
        // A file that is written tells so again and again.
        if self.hints.last().is_some_and(|last| last.0 == path && last.1 == hint) {
            return;
        }
        if self.hints.len() >= HINTS_MAX {
            self.hints = Vec::new();
            self.is_lost = true;
        }
        self.hints.push((path, hint));
    }
}

/// What an event says of each path that it names.
fn hints(event: &Event) -> Vec<(&Path, Hint)> {
    let all = |hint| event.paths.iter().map(|path| (path.as_path(), hint)).collect();
    match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => all(Hint::Closed),
        EventKind::Access(_) => Vec::new(),
        // Of a file, its closing follows.
        EventKind::Create(CreateKind::File) => all(Hint::Touched),
        EventKind::Create(_) => all(Hint::Arrived),
        EventKind::Modify(ModifyKind::Name(RenameMode::From)) | EventKind::Remove(_) => all(Hint::Gone),
        EventKind::Modify(ModifyKind::Name(RenameMode::Both)) => all(Hint::Moved),
        EventKind::Modify(ModifyKind::Name(_)) => all(Hint::Arrived),
        EventKind::Modify(_) | EventKind::Any | EventKind::Other => all(Hint::Touched),
    }
}

/// Where a folder of the root is for the system; names that it cannot have are nowhere.
fn above(top: &Path, folder: &RootPath) -> Option<PathBuf> {
    let mut path = top.to_owned();
    for name in folder.names() {
        path.push(os_name(&name).ok()?);
    }
    Some(path)
}

/// A path below the root; names that cannot be addressed have none.
fn below(top: &Path, path: &Path) -> Option<RootPath> {
    let rest = path.strip_prefix(top).ok()?;
    let names: Vec<_> = rest.iter().map(std::ffi::OsStr::as_encoded_bytes).collect();
    RootPath::new(names.join(&b'/')).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_told_below_the_root_and_others_not_at_all() {
        let at = |path: &str| below(Path::new("/home/u"), Path::new(path)).map(|path| path.display());
        assert_eq!(at("/home/u/a/b").as_deref(), Some("a/b"));
        assert_eq!(at("/home/u").as_deref(), Some(""));
        assert_eq!(at("/home/user/a"), None);
    }

    /// Watches as many folders as it is let.
    #[derive(Debug)]
    struct Limited(usize);

    impl Watcher for Limited {
        fn new<F: notify::EventHandler>(_: F, _: Config) -> notify::Result<Self> {
            Ok(Self(0))
        }

        fn watch(&mut self, _: &Path, _: RecursiveMode) -> notify::Result<()> {
            let left = self.0.checked_sub(1);
            self.0 = left.ok_or_else(|| notify::Error::new(ErrorKind::MaxFilesWatch))?;
            Ok(())
        }

        fn unwatch(&mut self, _: &Path) -> notify::Result<()> {
            Ok(())
        }

        fn kind() -> notify::WatcherKind {
            notify::WatcherKind::NullWatcher
        }
    }

    #[test]
    fn more_folders_than_the_system_watches_are_a_fault_and_give_all_watches_back() {
        let notice = Notice {
            inbox: Arc::default(),
            top: "/r".into(),
            watcher: Mutex::new(Some(Box::new(Limited(2)))),
        };
        let follow = |name: &str| notice.follow(&RootPath::new(name).unwrap());
        ["a", "b"].into_iter().for_each(follow);
        assert_eq!(notice.take().fault, None);
        ["c", "d"].into_iter().for_each(follow);
        assert_eq!(notice.take().fault, Some(Fault::TooManyFolders));
        assert!(notice.watcher.lock().unwrap().is_none());
    }

    #[test]
    fn a_folder_that_went_away_before_it_was_watched_is_no_fault() {
        let inbox = Inbox::default();
        let io = |kind: io::ErrorKind| notify::Error::io(kind.into());
        for (cause, fault) in [
            (notify::Error::path_not_found(), None),
            (io(io::ErrorKind::NotFound), None),
            (io(io::ErrorKind::NotADirectory), None),
            (io(io::ErrorKind::PermissionDenied), Some(Fault::Other)),
            (
                notify::Error::new(ErrorKind::MaxFilesWatch),
                Some(Fault::TooManyFolders),
            ),
        ] {
            assert_eq!(inbox.fail(&cause), fault, "{cause}");
            assert_eq!(mem::take(&mut *inbox.told()).fault, fault, "{cause}");
        }
    }

    #[test]
    fn what_is_this_programs_own_is_not_told_and_a_flood_is_told_as_such() {
        let inbox = Inbox::default();
        let event = |path: &str| Event::new(EventKind::Remove(notify::event::RemoveKind::Any)).add_path(path.into());
        inbox.take_in(Path::new("/r"), &event("/r/.beckon/trash/x"));
        inbox.take_in(Path::new("/r"), &event("/r/a"));
        inbox.take_in(Path::new("/r"), &event("/r/a"));
        let told = mem::take(&mut *inbox.told());
        assert_eq!((told.hints.len(), told.is_lost), (1, false));
        for at in 0..=HINTS_MAX {
            inbox.take_in(Path::new("/r"), &event(&format!("/r/{at}")));
        }
        let told = mem::take(&mut *inbox.told());
        assert!(told.is_lost && told.hints.len() < HINTS_MAX);
        inbox.take_in(Path::new("/r"), &event("/r"));
        assert!(inbox.told().is_lost, "the root itself is gone");
    }
}

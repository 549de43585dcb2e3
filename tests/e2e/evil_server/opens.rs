//! Which files a program opens or reads below a folder, as the kernel tells it (inotify).

use std::{
    collections::{BTreeSet, HashMap},
    ffi::OsStr,
    fs,
    mem::MaybeUninit,
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::{Path, PathBuf},
};

use rustix::{
    fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags},
    io::Errno,
};

/// Watches a tree from now on. What is made below it later in new folders is not seen.
pub(super) struct Opens {
    inotify: OwnedFd,
    folders: HashMap<i32, PathBuf>,
}

impl Opens {
    pub(super) fn watch(top: &Path) -> Self {
        let inotify = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).unwrap();
        let events = WatchFlags::OPEN | WatchFlags::ACCESS;
        // All are listed before the first is watched, so that this is not seen itself.
        let folders = folders(top).into_iter();
        let watched = folders.map(|folder| {
            let watch = inotify::add_watch(&inotify, top.join(&folder), events).unwrap();
            (watch, folder)
        });
        let folders = watched.collect();
        Self { inotify, folders }
    }

    /// The files and folders that were opened or read since this was asked last; the top has an empty path.
    pub(super) fn take(&self) -> BTreeSet<PathBuf> {
        let mut buffer = [MaybeUninit::uninit(); 16 * 1024];
        let mut reader = Reader::new(&self.inotify, &mut buffer);
        let mut opened = BTreeSet::new();
        loop {
            let event = match reader.next() {
                Ok(event) => event,
                Err(Errno::AGAIN) => return opened,
                Err(error) => panic!("the kernel tells nothing more: {error}"),
            };
            assert!(!event.events().contains(ReadFlags::QUEUE_OVERFLOW), "events were lost");
            let name = event
                .file_name()
                .map_or(OsStr::new(""), |name| OsStr::from_bytes(name.to_bytes()));
            let folder = &self.folders[&event.wd()];
            opened.insert(if name.is_empty() {
                folder.clone()
            } else {
                folder.join(name)
            });
        }
    }
}

/// The folder itself, which has an empty path, and all below it.
fn folders(top: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    let mut next = 0;
    while let Some(folder) = found.get(next).cloned() {
        let entries = fs::read_dir(top.join(&folder)).unwrap().map(Result::unwrap);
        let below = entries.filter(|entry| entry.file_type().unwrap().is_dir());
        found.extend(below.map(|entry| folder.join(entry.file_name())));
        next += 1;
    }
    found
}

#[test]
fn what_is_opened_is_seen_once_and_by_its_path() {
    let top = tempfile::tempdir().unwrap();
    fs::create_dir(top.path().join("folder")).unwrap();
    fs::write(top.path().join("folder/file"), "text").unwrap();
    let opens = Opens::watch(top.path());
    assert_eq!(opens.take(), BTreeSet::new());
    fs::metadata(top.path().join("folder/file")).unwrap();
    assert_eq!(opens.take(), BTreeSet::new());
    fs::read(top.path().join("folder/file")).unwrap();
    assert_eq!(opens.take(), BTreeSet::from(["folder/file".into()]));
    fs::read_dir(top.path().join("folder")).unwrap().count();
    assert_eq!(opens.take(), BTreeSet::from(["folder".into()]));
}

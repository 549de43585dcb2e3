//! A folder of a machine as a tree: many files at once, each verified; one that fails is named and the others go on.

use std::{
    io,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use beckon_shared::{
    entry::EntryKind,
    error::{ErrorCode, Refusal},
    id::DeviceId,
    path::RootPath,
};
use cap_std::fs::Dir;
use futures_util::{
    FutureExt, StreamExt, TryStreamExt,
    future::try_join,
    stream::{self, FuturesUnordered},
};

use super::{
    file::{self, Wanted},
    lane::{Lane, Machine},
    report::Report,
    walk::{self, FOLDERS, Listing, Row, Walk},
};
use crate::{
    cli::{
        Here,
        get::{
            download::Broken,
            file::failure,
            local::{self, Clash, Fetched},
            part::Sync,
        },
    },
    output::{Exit, Failure},
};

/// Files of one folder under way; what bounds them all is the lane.
const FILES: usize = 128;
/// Folders that are known. A machine that makes up more than these is not followed.
const FOLDERS_MAX: usize = 4_000_000;
/// Entries that are found in all. A machine that makes up more than these is not followed.
const ENTRIES_MAX: u64 = 100_000_000;

/// A download of a tree under way.
struct Tree<'a, M> {
    lane: &'a Lane<M>,
    walk: Walk<'a, M>,
    here: &'a Here,
    device: DeviceId,
    top: Dir,
    /// What stands at the top is told without this.
    above: &'a RootPath,
    target: &'a Path,
    clash: Clash,
    report: Mutex<Report>,
}

/// A folder that was found.
struct Found {
    path: RootPath,
    mtime_ns: i64,
    mode: u32,
}

/// Fetches all that lies below the folder at `path` into the folder `target`.
pub(super) async fn get<M: Machine>(
    here: &Here,
    lane: &Lane<M>,
    (device, path): (DeviceId, &RootPath),
    target: &Path,
    clash: Clash,
) -> Result<Exit, Failure> {
    let at = |error: io::Error| Failure::file(target, &error);
    let top = local::make_folder(target).map_err(at)?;
    let tree = Tree {
        lane,
        walk: Walk::new(lane, ENTRIES_MAX),
        here,
        device,
        top,
        above: path,
        target,
        clash,
        report: Mutex::new(Report::new(target)),
    };
    let folders = tree.all().await?;
    sync_names(&tree.top).map_err(at)?;
    tree.finish_folders(folders);
    let report = tree.report.into_inner().unwrap_or_else(PoisonError::into_inner);
    report.print(here, lane.counts())
}

impl<M: Machine> Tree<'_, M> {
    /// Reads several folders at once, the deepest first, so that few wait.
    async fn all(&self) -> Result<Vec<Found>, Failure> {
        let (mut done, mut pending) = (Vec::new(), vec![RootPath::root()]);
        let mut reading = FuturesUnordered::new();
        loop {
            while reading.len() < FOLDERS
                && let Some(path) = pending.pop()
            {
                reading.push(async move { self.folder(&path).await }.boxed_local());
            }
            let Some(found) = reading.next().await else {
                return Ok(done);
            };
            let found: Vec<Found> = found?;
            pending.extend(found.iter().map(|folder| folder.path.clone()));
            done.extend(found);
            if done.len() > FOLDERS_MAX {
                return Err(walk::too_much());
            }
        }
    }

    /// Fetches what stands in the folder at `path` below the top, and says which folders do.
    async fn folder(&self, path: &RootPath) -> Result<Vec<Found>, Failure> {
        let folder = match local::folder_below(&self.top, path) {
            Ok(folder) => Arc::new(folder),
            Err(error) => return self.problem(path, Broken::Local(error)).map(|()| Vec::new()),
        };
        let mut inner = Vec::new();
        let mut listing = self.listing(path)?;
        let mut page = match listing.next().await {
            // The folder that was named is all there is to do.
            Some(Err(refusal)) if path.is_root() => return Err(refusal.into()),
            page => page,
        };
        while let Some(rows) = page {
            let rows = match rows {
                Ok(rows) => rows,
                Err(refusal) => {
                    self.problem(path, refusal.into())?;
                    break;
                }
            };
            if self.walk.is_too_much() {
                return Err(walk::too_much());
            }
            let (folders, leaves): (Vec<_>, Vec<_>) =
                rows.into_iter().partition(|row| row.entry.kind == EntryKind::Folder);
            for row in folders {
                inner.extend(self.inner(&folder, row)?);
            }
            let leaves =
                stream::iter(leaves.into_iter().map(Ok)).try_for_each_concurrent(FILES, |row| self.leaf(&folder, row));
            page = try_join(leaves, listing.next().map(Ok)).await?.1;
        }
        Ok(inner)
    }

    fn listing(&self, path: &RootPath) -> Result<Listing<'_, M>, Failure> {
        let mut there = self.above.clone();
        for name in path.names() {
            there = there
                .join(&name)
                .map_err(|bad| Refusal::new(ErrorCode::BadRequest, bad.to_string()))?;
        }
        Ok(self.walk.listing(there))
    }

    /// Makes a folder that was found, unless it is there.
    fn inner(&self, folder: &Dir, row: Row) -> Result<Option<Found>, Failure> {
        let path = self.here(&row)?;
        let name = RootPath::new(row.entry.name.as_bytes()).unwrap_or_default();
        match local::folder_below(folder, &name) {
            Ok(_) => Ok(Some(Found {
                path,
                mtime_ns: row.entry.stamp.mtime_ns,
                mode: row.mode,
            })),
            Err(error) => self.problem(&path, Broken::Local(error)).map(|()| None),
        }
    }

    async fn leaf(&self, folder: &Arc<Dir>, row: Row) -> Result<(), Failure> {
        if row.entry.kind == EntryKind::Other {
            self.report().left_out += 1;
            return Ok(());
        }
        let path = self.here(&row)?;
        match self.try_leaf(folder, row).await {
            Ok((fetched, size)) => {
                self.report().count(fetched, size);
                Ok(())
            }
            Err(broken) => self.problem(&path, broken),
        }
    }

    async fn try_leaf(&self, folder: &Arc<Dir>, row: Row) -> Result<(Fetched, u64), Broken> {
        let name = local::os_name(&row.entry.name).ok_or_else(local::unusable)?;
        if row.entry.kind == EntryKind::Symlink {
            let target = row.entry.target.unwrap_or_default();
            return Ok((local::make_symlink(folder, &name, &target, self.clash)?, 0));
        }
        let mut wanted = Wanted {
            device: self.device,
            path: row.path,
            stamp: row.entry.stamp,
            mode: row.mode,
        };
        let how = (Sync::Content, self.clash);
        let fetched = file::fetch(self.lane, &mut wanted, folder, &name, how).await?;
        Ok((fetched, wanted.stamp.size))
    }

    /// Names what failed; ends everything where the rest would fail in the same way.
    fn problem(&self, path: &RootPath, broken: Broken) -> Result<(), Failure> {
        let ends_all = match &broken {
            Broken::Local(error) => matches!(
                error.kind(),
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::ReadOnlyFilesystem
            ),
            Broken::Remote(failure) => super::ends_all(failure),
        };
        let failure = failure(broken, &self.target.join(path.display()));
        if ends_all {
            return Err(failure);
        }
        self.report().problem(self.here, path, failure);
        Ok(())
    }

    /// The path of an entry below the top.
    fn here(&self, row: &Row) -> Result<RootPath, Failure> {
        let above = self.above.as_bytes().len();
        let rest = row.path.as_bytes().get(above..).unwrap_or_default();
        let rest = rest.strip_prefix(b"/").unwrap_or(rest);
        RootPath::new(rest).map_err(|bad| Failure::usage(bad.to_string()))
    }

    fn report(&self) -> std::sync::MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The deepest first, because finishing one changes the time of the one above.
    fn finish_folders(&self, mut folders: Vec<Found>) {
        folders.sort_by(|a, b| b.path.cmp(&a.path));
        for folder in folders {
            let mtime = local::system_time_of_nanos(folder.mtime_ns);
            if let Err(cause) = local::finish_folder(&self.top, &folder.path, mtime, folder.mode) {
                tracing::debug!(%cause, "a folder keeps its own time and permissions");
            }
        }
    }
}

/// One system call brings all new names to the disk; what they name was brought there before.
#[cfg(target_os = "linux")]
fn sync_names(top: &Dir) -> io::Result<()> {
    Ok(rustix::fs::syncfs(top.open(".")?)?)
}

/// Elsewhere each name is as safe as the system makes it.
#[cfg(not(target_os = "linux"))]
fn sync_names(_: &Dir) -> io::Result<()> {
    Ok(())
}

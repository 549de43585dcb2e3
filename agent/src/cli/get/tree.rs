//! A folder as a tree: several files at once, each verified; one that fails is named and the others go on.

mod together;

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use beckon_shared::{
    api::drive::{NodeView, Tree, TreeRow},
    entry::EntryKind,
    error::ErrorCode,
    path::RootPath,
    time::Timestamp,
};
use cap_std::fs::Dir;
use futures_util::{TryStreamExt, stream};
use serde::Serialize;

use self::together::GROUPS;
use super::{
    Wanted,
    download::Broken,
    file,
    local::{self, Clash, Fetched},
    nothing_stored,
    part::Sync,
};
use crate::{
    cli::Here,
    http::Api,
    output::{Bar, Exit, Failure, base64, count, remark, size, visible},
};

/// Files under way at the same time.
const PARALLEL: usize = 8;
/// Rows in one answer of the server.
const PAGE: usize = 1000;

/// What was done, and what was not.
#[derive(Debug, Default, Serialize)]
struct Report {
    path: String,
    files: u64,
    skipped: u64,
    bytes: u64,
    torn: u64,
    problems: Vec<ProblemJson>,
}

/// One that failed, for programs.
#[derive(Debug, Serialize)]
pub(super) struct ProblemJson {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_bytes: Option<String>,
    code: &'static str,
    message: String,
}

impl ProblemJson {
    /// Names it to people, and gives it for programs.
    pub(super) fn told(here: &Here, path: &RootPath, failure: Failure) -> Self {
        remark(
            here.out,
            &format!("beckon: {}: {}", visible(path.as_bytes()), failure.message),
        );
        let is_text = std::str::from_utf8(path.as_bytes()).is_ok();
        Self {
            path: path.display(),
            path_bytes: (!is_text).then(|| base64(path.as_bytes())),
            code: failure.code,
            message: failure.message,
        }
    }
}

/// A download of a tree under way.
struct Fetch<'a> {
    here: &'a Here,
    api: &'a Api,
    target: &'a Path,
    top: Dir,
    clash: Clash,
    report: Mutex<Report>,
    bar: Bar,
}

/// A folder that gets its time and permissions when all is in it.
struct FolderEnd {
    path: RootPath,
    mtime: Timestamp,
    mode: u32,
}

/// Fetches all that lies below a place, as a query names it, into the folder `target`.
pub(super) async fn get(here: &Here, api: &Api, place: &str, target: &Path, clash: Clash) -> Result<Exit, Failure> {
    let at = |error: io::Error| Failure::file(target, &error);
    let top = local::make_folder(target).map_err(at)?;
    let report = Mutex::new(Report {
        path: target.to_string_lossy().into_owned(),
        ..Report::default()
    });
    let fetch = Fetch {
        here,
        api,
        target,
        top,
        clash,
        report,
        bar: Bar::new(here.out),
    };
    let folders = fetch.all(place).await?;
    sync(&fetch.top).map_err(at)?;
    fetch.finish_folders(folders);
    let report = fetch.report.into_inner().unwrap_or_else(PoisonError::into_inner);
    here.out.one(&report, || text(&report))?;
    Ok(if report.problems.is_empty() {
        Exit::Done
    } else {
        Exit::Partly
    })
}

fn text(report: &Report) -> String {
    let skipped = if report.skipped > 0 {
        format!(", {} were there already", report.skipped)
    } else {
        String::new()
    };
    let failed = if report.problems.is_empty() {
        String::new()
    } else {
        format!(", {} failed (named above)", report.problems.len())
    };
    let files = count(report.files, "file");
    format!(
        "{}: {files}, {}{skipped}{failed}",
        visible(report.path.as_bytes()),
        size(report.bytes)
    )
}

impl Fetch<'_> {
    /// Folders are made in the order in which they come, before what is in them; files in parallel.
    async fn all(&self, place: &str) -> Result<Vec<FolderEnd>, Failure> {
        let mut folders = Vec::new();
        let base = format!("/api/drive/tree?{place}&limit={PAGE}");
        let mut url = base.clone();
        loop {
            let page: Tree = self.api.get(&url).await?;
            let (inner, leaves): (Vec<_>, Vec<_>) = page
                .rows
                .into_iter()
                .partition(|row| row.node.kind == EntryKind::Folder);
            self.bar.expect(leaves.iter().map(|row| row.node.size).sum());
            for row in inner {
                folders.extend(self.folder(row)?);
            }
            let (small, leaves): (Vec<_>, Vec<_>) = leaves.into_iter().partition(together::is_small);
            let groups = together::groups(small).into_iter().map(Ok);
            stream::iter(groups)
                .try_for_each_concurrent(GROUPS, |group| self.group(group))
                .await?;
            stream::iter(leaves.into_iter().map(Ok))
                .try_for_each_concurrent(PARALLEL, |row| self.leaf(row))
                .await?;
            let Some(next) = page.next else { return Ok(folders) };
            url = format!("{base}&after={}", URL_SAFE_NO_PAD.encode(next.as_bytes()));
        }
    }

    fn folder(&self, row: TreeRow) -> Result<Option<FolderEnd>, Failure> {
        match local::folder_below(&self.top, &row.path) {
            Ok(_) => {
                // Folders that the server made have no time or permissions of their own.
                let own = row.node.head.is_some();
                Ok(own.then_some(FolderEnd {
                    path: row.path,
                    mtime: row.node.mtime,
                    mode: row.node.mode,
                }))
            }
            Err(error) => self.problem(&row.path, Broken::Local(error)).map(|()| None),
        }
    }

    async fn leaf(&self, row: TreeRow) -> Result<(), Failure> {
        match self.try_leaf(&row).await {
            Ok(fetched) => {
                self.count(&row, fetched);
                Ok(())
            }
            Err(broken) => self.problem(&row.path, broken),
        }
    }

    fn count(&self, row: &TreeRow, fetched: Fetched) {
        if row.node.torn {
            remark(
                self.here.out,
                &format!("beckon: {}: {}", visible(row.path.as_bytes()), file::TORN),
            );
        }
        let mut report = self.report.lock().unwrap_or_else(PoisonError::into_inner);
        match fetched {
            Fetched::New => report.files += 1,
            Fetched::Same => report.skipped += 1,
        }
        if fetched == Fetched::Same {
            self.bar.add(row.node.size);
        }
        self.bar.note(&count(report.files + report.skipped, "file"));
        report.torn += u64::from(row.node.torn);
        report.bytes += if fetched == Fetched::New { row.node.size } else { 0 };
    }

    async fn try_leaf(&self, row: &TreeRow) -> Result<Fetched, Broken> {
        let (above, name) = row.path.split_last().ok_or_else(local::unusable)?;
        let name = local::os_name(&name).ok_or_else(local::unusable)?;
        let folder = Arc::new(local::folder_below(&self.top, &above)?);
        match row.node.kind {
            EntryKind::File => {
                let wanted = Wanted::head(&row.node).ok_or_else(nothing_stored)?;
                file::fetch(self.api, &wanted, folder, &name, WHEN, self.clash).await
            }
            _ => symlink(&row.node, &folder, &name, self.clash),
        }
    }

    /// Names what failed; ends everything where the rest would fail in the same way.
    fn problem(&self, path: &RootPath, broken: Broken) -> Result<(), Failure> {
        let full = self.path_of(path);
        let ends_all = match &broken {
            Broken::Local(error) => matches!(
                error.kind(),
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::ReadOnlyFilesystem
            ),
            Broken::Remote(failure) => {
                failure.code == "unreachable" || failure.is(ErrorCode::NotSignedIn) || failure.is(ErrorCode::Revoked)
            }
        };
        let failure = file::failure(broken, &full);
        if ends_all {
            return Err(failure);
        }
        let problem = ProblemJson::told(self.here, path, failure);
        self.report
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .problems
            .push(problem);
        Ok(())
    }

    fn path_of(&self, path: &RootPath) -> PathBuf {
        self.target.join(path.display())
    }

    /// The deepest first, because finishing one changes the time of the one above.
    fn finish_folders(&self, folders: Vec<FolderEnd>) {
        for folder in folders.into_iter().rev() {
            if let Err(cause) =
                local::finish_folder(&self.top, &folder.path, local::system_time(folder.mtime), folder.mode)
            {
                tracing::debug!(%cause, "a folder keeps its own time and permissions");
            }
        }
    }
}

fn symlink(node: &NodeView, folder: &Dir, name: &std::ffi::OsStr, clash: Clash) -> Result<Fetched, Broken> {
    let target = node.target.as_ref().ok_or_else(nothing_stored)?;
    Ok(local::make_symlink(folder, name, &target.0, clash)?)
}

/// One system call brings all of them to the disk. Until then a crash may leave files short or empty: the next get
/// compares hashes and fetches those again.
#[cfg(target_os = "linux")]
const WHEN: Sync = Sync::Later;

#[cfg(target_os = "linux")]
fn sync(top: &Dir) -> io::Result<()> {
    Ok(rustix::fs::syncfs(top.open(".")?)?)
}

#[cfg(not(target_os = "linux"))]
const WHEN: Sync = Sync::Each;

#[cfg(not(target_os = "linux"))]
fn sync(_: &Dir) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests;

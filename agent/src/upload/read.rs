//! Two kinds of threads: one walks and picks what the server does not hold, some read that into batches.

use std::{
    ops::ControlFlow,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::Ordering::Relaxed,
        mpsc::{Receiver, RecvTimeoutError, SyncSender},
    },
    time::Duration,
};

use beckon_shared::{
    entry::{EntryKind, SourceStamp},
    error::{ErrorCode, Refusal},
    id::{Hash, TransferId},
    manifest::{self, ContentSum, FileContent, Manifest},
    path::RootPath,
    transfer::Problem,
    wire,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{
    batch::{Batches, Finished, Interrupted, Source},
    buffer::BUFFER_LEN,
    keep::Read,
    missing::Seen,
    progress::Counters,
    recipe,
};
use crate::{
    clock,
    index::{Row, Standing, View},
    live::DurableFiles,
    root::{FileMeta, Folder, OpenFile, Root, refusal},
    scan::{self, Found, Scope, Step},
};

/// A file that changes is read so often at the most.
const ATTEMPTS: u8 = 3;
/// What was read waits so long at the most for more to come along.
const LINGER: Duration = Duration::from_millis(500);

/// Something to be stored.
#[derive(Debug)]
pub(super) struct Item {
    path: RootPath,
    what: What,
    /// What the server held of it when it was last asked.
    known: Option<Box<Row>>,
    /// How often it was read and found changing.
    attempt: u8,
    /// Bytes of a file that is counted as stored and that this takes the place of.
    replaces: Option<u64>,
}

#[derive(Debug)]
enum What {
    /// Counted with so many bytes.
    File {
        size: u64,
    },
    Folder {
        stamp: SourceStamp,
        mode: u32,
    },
    Symlink {
        stamp: SourceStamp,
        target: Vec<u8>,
    },
}

impl Item {
    /// A file that is counted with so many bytes.
    pub(super) fn file(path: RootPath, size: u64) -> Self {
        Self {
            path,
            what: What::File { size },
            known: None,
            attempt: 0,
            replaces: None,
        }
    }

    /// What a walk found, and what the server holds of it.
    pub(super) fn new(found: Found, known: Option<Row>) -> Self {
        let Found { path, entry, mode } = found;
        let what = match entry.kind {
            EntryKind::Folder => What::Folder {
                stamp: entry.stamp,
                mode,
            },
            EntryKind::Symlink => What::Symlink {
                stamp: entry.stamp,
                target: entry.target.unwrap_or_default(),
            },
            EntryKind::File | EntryKind::Other => What::File { size: entry.stamp.size },
        };
        Self {
            path,
            what,
            known: known.map(Box::new),
            attempt: 0,
            replaces: None,
        }
    }

    /// Of a root that is watched: what it takes the place of, and how often it was found changing.
    pub(super) fn kept(self, replaces: Option<u64>, attempt: u8) -> Self {
        Self {
            replaces,
            attempt,
            ..self
        }
    }

    /// What of it was to be read, and how often it was found changing.
    pub(super) fn into_attempt(self) -> (Read, u8) {
        let bytes = match self.what {
            What::File { size } => size,
            What::Folder { .. } | What::Symlink { .. } => 0,
        };
        let path = self.path;
        (Read { path, bytes }, self.attempt)
    }
}

/// What the walk and the readers share.
pub(super) struct Site {
    pub(super) root: Arc<Root>,
    pub(super) transfer: TransferId,
    /// Hears what of large files becomes durable.
    pub(super) durable: Arc<DurableFiles>,
    pub(super) counters: Arc<Counters>,
    pub(super) problems: mpsc::Sender<Problem>,
    pub(super) stop: CancellationToken,
    /// Whether the root is watched: what the server holds in another guise is then told to the index alone.
    pub(super) keeps: bool,
    /// Files to be read again, because they changed while they were read.
    pub(super) again: Mutex<Vec<Item>>,
}

impl Site {
    /// What is to be said if the root itself seems to have gone while it was read.
    pub(super) fn gone(&self) -> Option<Problem> {
        let many = || {
            let advice = "many files vanished while they were to be read; check that their disk is still there, then upload again";
            self.counters
                .lost_many()
                .then(|| Refusal::new(ErrorCode::NotFound, advice))
        };
        let refusal = match self.counters.vanished.load(Relaxed) {
            0 => None,
            _ => self.root.folder(&RootPath::root()).err().or_else(many),
        }?;
        Some(Problem {
            path: RootPath::root(),
            code: refusal.code,
            message: refusal.message,
        })
    }

    /// What is never read, as a pipe, is told, but did not fail: another try would change nothing.
    pub(super) fn problem(&self, problem: Problem) -> ControlFlow<()> {
        if problem.code != ErrorCode::NotAFile {
            self.counters.failed.fetch_add(1, Relaxed);
        }
        going(self.problems.blocking_send(problem))
    }
}

pub(super) fn going<E>(sent: Result<(), E>) -> ControlFlow<()> {
    match sent {
        Ok(()) => ControlFlow::Continue(()),
        Err(_) => ControlFlow::Break(()),
    }
}

/// Walks the selection, counts what the server holds, and queues the rest. What it came by, if it came to its end.
pub(super) fn pick(site: &Site, paths: &[RootPath], view: &View, queue: &SyncSender<Item>) -> Option<Seen> {
    let mut seen = Seen::default();
    let scopes: Vec<_> = paths.iter().cloned().map(Scope::below).collect();
    let walked = scan::walk(&site.root, &scopes, site.root.ignore(), |step| {
        if site.stop.is_cancelled() {
            return ControlFlow::Break(());
        }
        match step {
            Step::Found(found) => {
                seen.found(&found.path);
                pick_one(site, found, view, queue)
            }
            Step::Problem(problem) => {
                seen.problem(&problem);
                site.problem(problem)
            }
            Step::Vanished => {
                site.counters.vanished.fetch_add(1, Relaxed);
                ControlFlow::Continue(())
            }
            Step::LeftOut(path) => {
                seen.found(&path);
                site.problem(left_out(path))
            }
        }
    });
    site.counters.walked.store(walked.is_continue(), Relaxed);
    walked.is_continue().then_some(seen)
}

fn left_out(path: RootPath) -> Problem {
    Problem {
        path,
        code: ErrorCode::NotAFile,
        message: "the root's ignore patterns leave it out; change them to have it stored".to_owned(),
    }
}

fn pick_one(site: &Site, found: Found, view: &View, queue: &SyncSender<Item>) -> ControlFlow<()> {
    let known = view.row(&found.path);
    let is_held = known
        .as_ref()
        .is_some_and(|row| row.standing(&found.entry) == Standing::Held);
    let is_file = found.entry.kind == EntryKind::File;
    if is_file {
        site.counters.found_file(found.entry.stamp.size);
    }
    if !is_held {
        return going(queue.send(Item::new(found, known)));
    }
    match is_file {
        true => site.counters.unchanged_file(found.entry.stamp.size),
        false => _ = site.counters.held.fetch_add(1, Relaxed),
    }
    ControlFlow::Continue(())
}

/// Reads what is queued until the queue ends or nobody takes batches any more.
pub(super) fn read_all(site: &Site, queue: &Mutex<Receiver<Item>>, batches: Batches) {
    let mut reading = Reading {
        site,
        batches,
        folder: None,
    };
    loop {
        let next = queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .recv_timeout(LINGER);
        let outcome = match next {
            Ok(item) => reading.item(item),
            Err(RecvTimeoutError::Timeout) => reading.batches.flush(),
            Err(RecvTimeoutError::Disconnected) => break,
        };
        if outcome.is_err() || site.stop.is_cancelled() {
            return;
        }
    }
    // An error only says that nobody takes batches any more.
    let _ = reading.batches.flush();
}

struct Reading<'a> {
    site: &'a Site,
    batches: Batches,
    /// The folder of the last file: the next one is mostly in it too.
    folder: Option<(RootPath, Folder)>,
}

impl Reading<'_> {
    fn item(&mut self, item: Item) -> Result<(), Interrupted> {
        let (kind, stamp, mode, content, hash) = match &item.what {
            What::File { size } => return self.file(*size, item),
            What::Folder { stamp, mode } => (
                EntryKind::Folder,
                *stamp,
                *mode,
                manifest::Content::Folder,
                Hash([0; 32]),
            ),
            What::Symlink { stamp, target } => (
                EntryKind::Symlink,
                *stamp,
                0o777,
                manifest::Content::Symlink(target.clone()),
                Hash::of(target),
            ),
        };
        let row = Row {
            kind,
            stamp,
            read_ns: clock::now_ns(),
            mode,
            hash,
        };
        let manifest = Manifest {
            suite: 0,
            mode,
            mtime_ns: stamp.mtime_ns,
            content,
        };
        let silent = self.site.keeps && item.known.is_some_and(|known| is_same(&known, &row));
        self.batches.finish(Finished {
            path: item.path,
            manifest: wire::encode(&manifest),
            size: 0,
            row,
            torn: false,
            silent,
            replaces: item.replaces,
        })
    }

    fn file(&mut self, size: u64, item: Item) -> Result<(), Interrupted> {
        match self.open(&item.path) {
            Ok(OpenFile { mut file, meta }) => self.opened(size, item, &mut file, meta),
            Err(refusal) if refusal.code == ErrorCode::NotFound => {
                self.site.counters.lost_file(size);
                Ok(())
            }
            Err(refusal) => self.failed(item.path, refusal),
        }
    }

    fn opened(&mut self, size: u64, item: Item, file: &mut impl Source, before: FileMeta) -> Result<(), Interrupted> {
        let mark = self.batches.mark();
        // What fits one batch is durable all at once, and committed soon after.
        let is_large = before.stamp.size > BUFFER_LEN as u64;
        let durable = is_large.then(|| self.site.durable.begin(self.site.transfer, &item.path, before.stamp));
        self.batches.follow(durable);
        let was_stored = item.known.is_some() && before.stamp.size > recipe::LARGE;
        self.batches.change(was_stored.then(|| item.path.clone()));
        let read_ns = clock::now_ns();
        let read = self
            .batches
            .read(file)
            .and_then(|content| Ok((content, file.meta().map_err(Interrupted::Io)?)));
        let (content, after) = match read {
            Ok(read) => read,
            Err(Interrupted::Stopped) => return Err(Interrupted::Stopped),
            Err(Interrupted::Io(cause)) => {
                self.batches.rewind(mark);
                return self.failed(item.path, refusal(&cause));
            }
        };
        let torn = after.stamp != before.stamp || content.size != before.stamp.size;
        if torn && item.attempt + 1 < ATTEMPTS {
            self.batches.rewind(mark);
            let again = Item {
                attempt: item.attempt + 1,
                ..item
            };
            self.site
                .again
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(again);
            return Ok(());
        }
        self.site.counters.resize(size, content.size);
        let row = Row {
            kind: EntryKind::File,
            stamp: before.stamp,
            read_ns,
            mode: before.mode,
            hash: content.hash,
        };
        let known = item.known.filter(|_| !torn);
        let silent = self.site.keeps && known.as_ref().is_some_and(|known| is_same(known, &row));
        if silent {
            self.batches.rewind(mark);
        } else if known.is_some_and(|known| is_old_news(&known, &row)) {
            self.batches.rewind(mark);
            self.site.counters.done_file(content.size);
            return Ok(());
        }
        let finished = finished(item.path, row, content, before.allocated < before.stamp.size, torn);
        self.batches.finish(Finished {
            silent,
            replaces: item.replaces,
            ..finished
        })
    }

    fn open(&mut self, path: &RootPath) -> Result<OpenFile, Refusal> {
        let Some((above, name)) = path.split_last() else {
            return Err(Refusal::new(
                ErrorCode::NotAFile,
                "this names a whole root; name something in it",
            ));
        };
        if let Some((known, folder)) = &self.folder
            && *known == above
        {
            return folder.open_file(&name);
        }
        let folder = self.site.root.folder(&above)?;
        let (_, folder) = self.folder.insert((above, folder));
        folder.open_file(&name)
    }

    fn failed(&mut self, path: RootPath, refusal: Refusal) -> Result<(), Interrupted> {
        let problem = Problem {
            path,
            code: refusal.code,
            message: refusal.message,
        };
        match self.site.problem(problem) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Interrupted::Stopped),
        }
    }
}

/// Whether the server would learn nothing from a new manifest: only once the stamp has settled it has something to say.
fn is_old_news(known: &Row, row: &Row) -> bool {
    *known
        == Row {
            read_ns: known.read_ns,
            ..row.clone()
        }
        && !row.stamp.is_settled(row.read_ns)
}

/// Whether the server would learn nothing from a new manifest. Of a file it is told the stamp, which people's clients compare;
/// times of a folder change with what is in it.
fn is_same(known: &Row, row: &Row) -> bool {
    if (known.kind, known.mode, known.hash) != (row.kind, row.mode, row.hash) {
        return false;
    }
    match row.kind {
        EntryKind::File => known.stamp == row.stamp,
        EntryKind::Folder => true,
        EntryKind::Symlink | EntryKind::Other => known.stamp.mtime_ns == row.stamp.mtime_ns,
    }
}

fn finished(path: RootPath, row: Row, content: ContentSum, sparse: bool, torn: bool) -> Finished {
    let ContentSum {
        hash,
        crc32,
        chunks,
        size,
    } = content;
    let file = FileContent {
        stamp: row.stamp,
        read_ns: row.read_ns,
        hash,
        crc32,
        torn,
        sparse,
        chunks,
    };
    let manifest = Manifest {
        suite: 0,
        mode: row.mode,
        mtime_ns: row.stamp.mtime_ns,
        content: manifest::Content::File(file),
    };
    Finished {
        path,
        manifest: wire::encode(&manifest),
        size,
        row,
        torn,
        silent: false,
        replaces: None,
    }
}

#[cfg(test)]
mod tests;

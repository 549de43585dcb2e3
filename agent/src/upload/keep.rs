//! A long upload that keeps a root stored: one grant, one chain of commits, and rounds that are fed with what changed.
//!
//! Each round looks at some places, or at everything: what is gone is taken away and what moved is moved in a commit of its
//! own, then what is new or changed is read and committed as by any upload. Nothing is kept in memory of files that did not
//! change.

mod look;
mod plan;

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Instant,
};

use beckon_shared::{
    bulk::UploadGrant,
    commit::{CHANGES_MAX, Change},
    entry::SourceStamp,
    error::{ErrorCode, Refusal},
    path::RootPath,
    transfer::{Hold, Problem, Progress},
};
use tokio::{
    sync::mpsc,
    task::{JoinHandle, spawn_blocking},
};
use tokio_util::sync::CancellationToken;

use super::{
    Feed, IfMissing, Job, Shared, Tools, Upload, begin, broken, buffer::Buffers, chain::Chain, http::Http,
    missing::Lately, progress::Counters, read::Item, remote::Remote, report,
};
use crate::{
    fault,
    index::{Index, Restructured, Source},
    root::{FolderId, Root},
    scan::Scope,
};
pub(super) use look::Stream;
use look::{Before, Fresh, Looked, Looking};
use plan::Plan;

/// What moved and went away is looked for so often in one round: things can move within what moved, and of very many moves
/// only some are found at a time.
const LOOKS: usize = 32;
/// So many files are remembered as changing whenever they are read.
const CHANGING_MAX: usize = 1024;

/// Hears of each folder that is looked at with what is in it, before its names are read. It may block.
pub(crate) type Follow = Box<dyn Fn(&RootPath) + Send + Sync>;

/// What a round is to do.
pub(crate) struct Order {
    /// Where to look.
    pub(crate) places: Places,
    /// What to do when much is missing.
    pub(crate) if_missing: IfMissing,
    /// Ends the round when what is under way is stored.
    pub(crate) pause: CancellationToken,
    /// Hears of folders.
    pub(crate) follow: Follow,
}

/// Where a round looks.
#[derive(Debug, Clone)]
pub(crate) enum Places {
    /// Everywhere.
    All,
    /// At these.
    Some(Vec<Scope>),
}

/// What was read, or was to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Read {
    /// Where it is.
    pub(crate) path: RootPath,
    /// The size of a file.
    pub(crate) bytes: u64,
}

/// What became of a round.
#[derive(Debug)]
pub(crate) enum Cycle {
    /// All that was found is stored.
    Done {
        /// What was put but folders, if it was not very much.
        stored: Vec<Read>,
        /// What changed while it was read, or is to be looked at again for another reason.
        again: Vec<Read>,
        /// Folders that were looked at with all below them, and not before.
        folders: Vec<RootPath>,
        /// What could not be stored.
        problems: Vec<Problem>,
    },
    /// The root is not there, or another folder is in its place. Nothing was done.
    NoRoot,
    /// Much is gone that was there before: a person must say whether to go on.
    Much,
    /// It was paused before its end.
    Paused,
}

/// A root that is kept stored on the server.
pub(crate) struct Keeper<R> {
    keeping: Keeping<R>,
    buffers: Arc<Buffers>,
}

impl Keeper<Http> {
    /// Begins the transfer; nothing if it is paused before the server answers.
    pub(crate) async fn begin(job: Job, tools: &Tools) -> Result<Option<Self>, Refusal> {
        let shared = Shared::new(tools, job.transfer, RootPath::root());
        let keeping = Keeping::begin(job, shared, tools.index.clone(), Arc::clone(&tools.buffers)).await?;
        Ok(keeping.map(Self::of))
    }
}

impl<R: Remote> Keeper<R> {
    pub(super) fn of(keeping: Keeping<R>) -> Self {
        let buffers = Arc::clone(&keeping.upload.buffers);
        Self { keeping, buffers }
    }

    /// Asks the server how it holds the root now; whether that is not how it held it before, so that everything is to be looked
    /// at. Nothing else may be under way.
    pub(crate) async fn renew(&mut self) -> Result<bool, Refusal> {
        self.keeping.renew().await
    }

    /// Reads this root from now on: the same one, with other patterns or in another place.
    pub(crate) fn turn_to(&mut self, root: Arc<Root>) {
        self.keeping.turn_to(root);
    }

    /// Looks, and stores what is found.
    pub(crate) async fn round(&mut self, order: Order) -> Result<Cycle, Refusal> {
        let outcome = self.keeping.round(order).await;
        self.buffers.shrink();
        outcome
    }

    /// Whether anything of the root is stored.
    pub(crate) async fn holds_files(&self) -> Result<bool, Refusal> {
        let view = self.keeping.upload.index.view(self.keeping.upload.source);
        let look = spawn_blocking(move || view.knows_files(&[RootPath::root()]));
        look.await.map_err(|_| broken())
    }

    /// What tells how far it is.
    pub(crate) fn teller(&self) -> Teller<R> {
        Teller {
            shared: Arc::clone(&self.keeping.upload.shared),
        }
    }

    /// Counts what cannot be stored at present.
    pub(crate) fn count<'a>(&self, problems: impl Iterator<Item = &'a Problem>) {
        let (torn, failed): (Vec<_>, Vec<_>) = problems.partition(|problem| problem.code == ErrorCode::Changing);
        let counters = &self.keeping.upload.shared.counters;
        counters.torn.store(torn.len() as u64, Relaxed);
        counters.failed.store(failed.len() as u64, Relaxed);
    }

    /// Tells what cannot be stored at present, in place of what was told before.
    pub(crate) async fn report(&self, problems: Vec<Problem>) -> Result<(), Refusal> {
        self.keeping.report(problems).await
    }
}

/// Tells the server how far a watch is.
pub(crate) struct Teller<R> {
    shared: Arc<Shared<R>>,
}

impl<R> Clone for Teller<R> {
    fn clone(&self) -> Self {
        let shared = Arc::clone(&self.shared);
        Self { shared }
    }
}

impl<R: Remote> Teller<R> {
    /// How far it is now.
    pub(crate) fn progress(&self) -> Progress {
        self.shared.counters.live()
    }

    /// Tells that, and this hold where it does not wait for anything else.
    pub(crate) fn tell(&self, hold: Hold) {
        let waits = self.shared.counters.hold();
        let hold = if waits == Hold::None { hold } else { waits };
        self.shared.remote.progress(hold, self.progress());
    }
}

/// As [`Keeper`], with any server.
pub(super) struct Keeping<R> {
    upload: Upload<R>,
    top: Before,
    /// Files that changed while they were read, and how often in a row.
    changing: HashMap<RootPath, u8>,
    lately: Lately,
}

impl<R: Remote> Keeping<R> {
    pub(super) async fn begin(
        job: Job,
        shared: Shared<R>,
        index: Index,
        buffers: Arc<Buffers>,
    ) -> Result<Option<Self>, Refusal> {
        let shared = Arc::new(shared);
        let Some(granted) = granted(&job, &shared, &index).await? else {
            return Ok(None);
        };
        fault::point("transfer-granted");
        let (grant, source) = granted;
        let kept = {
            let index = index.clone();
            let look = spawn_blocking(move || index.doubt(source).map(|()| index.top(source)));
            look.await.map_err(|_| broken())??
        };
        let upload = Upload {
            job,
            shared,
            index,
            buffers,
            grant,
            source,
            keeps: true,
        };
        Ok(Some(Self {
            upload,
            top: Before { now: None, kept },
            changing: HashMap::new(),
            lately: Lately::default(),
        }))
    }

    pub(super) async fn renew(&mut self) -> Result<bool, Refusal> {
        let upload = &mut self.upload;
        let Some((grant, source)) = granted(&upload.job, &upload.shared, &upload.index).await? else {
            return Ok(false);
        };
        let is_news = source != upload.source;
        (upload.grant, upload.source) = (grant, source);
        Ok(is_news)
    }

    pub(super) fn turn_to(&mut self, root: Arc<Root>) {
        self.upload.job.root = root;
    }

    pub(super) async fn round(&mut self, order: Order) -> Result<Cycle, Refusal> {
        let order = Arc::new(order);
        self.upload.job.pause = order.pause.clone();
        let (problems, mut told) = mpsc::channel(256);
        let collecting = tokio::spawn(async move {
            let mut all = Vec::new();
            while let Some(problem) = told.recv().await {
                all.push(problem);
            }
            all
        });
        let outcome = self.look_and_store(&order, &problems).await;
        drop(problems);
        let mut more = collecting.await.map_err(|_| broken())?;
        self.upload.shared.counters.settle_totals();
        let mut outcome = outcome?;
        if let Cycle::Done { problems, .. } = &mut outcome {
            problems.append(&mut more);
        }
        Ok(outcome)
    }

    async fn look_and_store(&mut self, order: &Arc<Order>, problems: &mpsc::Sender<Problem>) -> Result<Cycle, Refusal> {
        let counters = Arc::clone(&self.upload.shared.counters);
        let is_all = matches!(order.places, Places::All);
        let mut places = order.places.clone();
        for look in 1..=LOOKS {
            let mut stored = Vec::new();
            let mut found = match self.look(order, &places).await? {
                Looked::NoRoot => return Ok(Cycle::NoRoot),
                Looked::Much => return Ok(Cycle::Much),
                Looked::Stopped => return Ok(Cycle::Paused),
                Looked::Found(found) => found,
            };
            if order.pause.is_cancelled() {
                return Ok(Cycle::Paused);
            }
            if is_all {
                counters.recount(found.held.0, found.held.1);
            }
            if !found.plan.is_empty() && look < LOOKS {
                self.note_gone(found.plan.gone.len(), order.if_missing);
                self.restructure(found.plan, is_all, problems).await?;
                if let Places::Some(scopes) = &mut places {
                    // A folder that was not stored is from now on: it is still to be looked at with all below it.
                    *scopes = found.stream.into_scopes();
                }
                continue;
            }
            let mut again = match found.fresh {
                Some(fresh) => {
                    stored = fresh.iter().filter_map(Fresh::read).collect();
                    self.store(fresh, is_all, problems).await?
                }
                // Its problems come again by the second look.
                None => {
                    found.problems.clear();
                    self.puts(Feed::Kept(Box::new(found.stream)), None, problems).await?
                }
            };
            if order.pause.is_cancelled() {
                return Ok(Cycle::Paused);
            }
            return Ok(Cycle::Done {
                stored,
                again: self.note_changing(&mut again),
                folders: found.folders,
                problems: found.problems,
            });
        }
        Ok(Cycle::Paused)
    }

    /// What a person lets go does not count with what goes after it.
    fn note_gone(&mut self, files: usize, if_missing: IfMissing) {
        match if_missing {
            IfMissing::GoOn => self.lately = Lately::default(),
            IfMissing::Ask if files > 0 => self.lately.note(files as u64, Instant::now()),
            IfMissing::Ask => {}
        }
    }

    async fn look(&mut self, order: &Arc<Order>, places: &Places) -> Result<Looked, Refusal> {
        let looking = Looking {
            root: Arc::clone(&self.upload.job.root),
            view: self.upload.index.view(self.upload.source),
            places: places.clone(),
            top: self.top,
            stored: self.upload.shared.counters.files_done.load(Relaxed),
            lately: self.lately.files(Instant::now()),
            order: Arc::clone(order),
        };
        let (looked, top) = spawn_blocking(move || looking.look()).await.map_err(|_| broken())?;
        if let Some(top) = top {
            self.keep_top(top).await?;
        }
        Ok(looked)
    }

    /// Remembers which folder the root is, also over restarts.
    async fn keep_top(&mut self, top: FolderId) -> Result<(), Refusal> {
        self.top.now = Some(top);
        if self.top.kept == Some(top.number()) {
            return Ok(());
        }
        self.top.kept = Some(top.number());
        let (index, source) = (self.upload.index.clone(), self.upload.source);
        let kept = spawn_blocking(move || index.keep_top(source, top.number()));
        kept.await.map_err(|_| broken())?
    }

    /// Stores what was found, all of which is in memory.
    async fn store(
        &mut self,
        fresh: Vec<Fresh>,
        is_all: bool,
        problems: &mpsc::Sender<Problem>,
    ) -> Result<Vec<Item>, Refusal> {
        let counters = Arc::clone(&self.upload.shared.counters);
        counters.walked.store(true, Relaxed);
        let new = fresh.iter().filter(|one| one.is_new);
        let new: Vec<_> = new.map(|one| one.found.path.clone()).collect();
        let (index, source) = (self.upload.index.clone(), self.upload.source);
        let items = fresh.into_iter().map(|one| self.item(one, is_all, &counters));
        let items: Vec<_> = items.collect();
        if items.is_empty() {
            return Ok(Vec::new());
        }
        // It is written while files are read and sent, and before anything is committed.
        let expecting = spawn_blocking(move || index.expect(source, &new));
        self.puts(Feed::Again(items), Some(expecting), problems).await
    }

    fn item(&mut self, fresh: Fresh, is_all: bool, counters: &Counters) -> Item {
        // What is counted anew has not been counted as stored yet.
        let replaces = fresh.counted().filter(|_| !is_all);
        if let Some(size) = fresh.file_size() {
            counters.found_file(size);
        }
        let attempt = self.changing.remove(&fresh.found.path).unwrap_or_default();
        Item::new(fresh.found, fresh.known).kept(replaces, attempt)
    }

    fn note_changing(&mut self, again: &mut Vec<Item>) -> Vec<Read> {
        let mut all = Vec::new();
        for item in again.drain(..) {
            let (read, attempt) = item.into_attempt();
            if self.changing.len() < CHANGING_MAX {
                self.changing.insert(read.path.clone(), attempt);
            }
            all.push(read);
        }
        all
    }

    /// Takes away what is gone and moves what moved: new folders above what moved first, then the rest in commits of its
    /// own, each of which the index follows before the next one.
    async fn restructure(&mut self, plan: Plan, is_all: bool, problems: &mpsc::Sender<Problem>) -> Result<(), Refusal> {
        let counters = Arc::clone(&self.upload.shared.counters);
        self.store(plan.folders, is_all, problems).await?;
        for changes in plan.changes.chunks(CHANGES_MAX) {
            self.commit_structure(changes, &plan.stamps, problems).await?;
        }
        if !is_all {
            plan.gone.iter().for_each(|size| counters.undo_file(*size));
            counters.settle_totals();
        }
        Ok(())
    }

    async fn commit_structure(
        &mut self,
        changes: &[Change],
        stamps: &Arc<HashMap<RootPath, SourceStamp>>,
        problems: &mpsc::Sender<Problem>,
    ) -> Result<(), Refusal> {
        let (index, source, changes) = (
            self.upload.index.clone(),
            self.upload.source,
            Arc::new(changes.to_vec()),
        );
        let intended = {
            let (index, changes) = (index.clone(), Arc::clone(&changes));
            spawn_blocking(move || index.intend(source, &changes))
        };
        intended.await.map_err(|_| broken())??;
        // Nothing is put, so nothing comes to be recorded.
        let (rows, _) = mpsc::channel(1);
        let mut chain = self.upload.chain(rows, problems.clone());
        let committed = chain.commit_structure(&changes).await;
        self.upload.grant.head = chain.head;
        committed?;
        let (head, stamps) = (chain.head, Arc::clone(stamps));
        let written = spawn_blocking(move || {
            let commit = Restructured {
                head,
                changes: &changes,
                stamps: &stamps,
            };
            index.restructure(source, &commit)
        });
        written.await.map_err(|_| broken())?
    }

    /// Reads and commits what is fed, once what goes before is done, and has the index know it; what is to be read again comes
    /// back.
    async fn puts(
        &mut self,
        feed: Feed,
        before: Option<JoinHandle<Result<(), Refusal>>>,
        problems: &mpsc::Sender<Problem>,
    ) -> Result<Vec<Item>, Refusal> {
        let (rows, committed) = mpsc::channel(64);
        let recording = self.upload.record(committed);
        let mut chain: Chain<R> = self.upload.chain(rows, problems.clone());
        chain.before = before;
        let again = self.upload.round(feed, &mut chain, problems).await;
        self.upload.grant.head = chain.head;
        drop(chain);
        recording.await.map_err(|_| broken())?;
        again
    }

    async fn report(&self, problems: Vec<Problem>) -> Result<(), Refusal> {
        let shared = &self.upload.shared;
        let (tell, told) = mpsc::channel(problems.len().max(1));
        for problem in problems {
            // There is room for all of them.
            let _ = tell.try_send(problem);
        }
        drop(tell);
        report::report_all(shared, told).await.map(drop)
    }
}

/// What the server grants, and what of the index counts with that; nothing if it is paused before the server answers.
async fn granted<R: Remote>(
    job: &Job,
    shared: &Shared<R>,
    index: &Index,
) -> Result<Option<(UploadGrant, Source)>, Refusal> {
    let Some(grant) = job.pause.run_until_cancelled(begin(shared)).await else {
        return Ok(None);
    };
    let grant = grant?;
    let (index, space, root) = (index.clone(), job.space, job.root.id);
    let (epoch, head) = (grant.epoch, grant.head);
    let source = spawn_blocking(move || index.source(space, root, epoch, head));
    Ok(Some((grant, source.await.map_err(|_| broken())??)))
}

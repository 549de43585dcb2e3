//! An upload: walks what was ordered, sends what the server misses, commits it, and survives any break on the way.
//!
//! Threads walk and read; batches of chunks become durable several at once; commits follow in order. What is held back at
//! one place slows the ones before it, so memory stays bounded whatever is uploaded, but for about 20 bytes of each entry
//! while the walk goes on ([`missing`]).

mod batch;
mod buffer;
mod chain;
pub(crate) mod deliver;
mod encode;
pub(crate) mod http;
mod keep;
mod missing;
pub(crate) mod patience;
pub(crate) mod pause;
mod progress;
mod read;
mod recipe;
mod record;
pub(crate) mod remote;
mod report;
mod store;
mod window;

use std::{
    sync::{Arc, Mutex, PoisonError, atomic::Ordering::Relaxed, mpsc as blocking},
    time::Duration,
};

use beckon_shared::{
    bulk::UploadGrant,
    error::{ErrorCode, Refusal},
    id::{DeviceId, SpaceId, TransferId},
    keys::DeviceKeys,
    order::Selection,
    path::RootPath,
    transfer::{Hold, Problem, Progress, TransferState},
};
use tokio::{
    sync::mpsc,
    task::{JoinHandle, spawn_blocking},
};
use tokio_util::sync::CancellationToken;

use crate::{
    connection::Link,
    fault,
    index::{Committed, Index, Source, View},
    limit::Throttle,
    live::{DurableFiles, Live},
    origin::Origin,
    root::Root,
    scan,
};
use batch::Batches;
use buffer::Buffers;
use chain::Chain;
use encode::Compression;
use http::Http;
pub(crate) use keep::{Cycle, Follow, Keeper, Order, Places, Read, Teller};
use pause::{Pace, Pause};
use progress::Counters;
use read::{Item, Site};
use remote::Failure;
pub(crate) use remote::Remote;
use window::Window;

/// Threads that read: one waits for the disk while the other one hashes.
const READERS: usize = 2;
/// Entries between the walk and the readers: so far the totals run ahead of the work. About 200 bytes each.
const QUEUE: usize = 16_384;
/// What is read again, because it changed or the server lost it, is read so often at the most.
const ROUNDS: u32 = 6;
/// What is on its way when somebody pauses gets so long to arrive.
const DRAIN: Duration = Duration::from_secs(5);
/// A server that refuses a selection more often than this is not asked again to keep it.
const HAND_OVER_REFUSALS_MAX: u32 = 4;
/// Progress is told four times a second.
const TELL: Duration = Duration::from_millis(250);

/// What an upload works with; one for all uploads of the process.
#[derive(Clone)]
pub(crate) struct Tools {
    link: Link,
    http: reqwest::Client,
    origin: Origin,
    index: Index,
    buffers: Arc<Buffers>,
    throttle: Arc<Throttle>,
    durable: Arc<DurableFiles>,
}

impl Tools {
    /// Bulk goes by `http` to `origin`, everything small over `link`.
    pub(crate) fn new(link: Link, http: reqwest::Client, origin: Origin, index: Index) -> Self {
        Self {
            link,
            http,
            origin,
            index,
            buffers: Arc::default(),
            throttle: Arc::default(),
            durable: Arc::default(),
        }
    }

    /// What answers who reads live what they upload.
    pub(crate) fn live(&self) -> Live {
        Live::new(
            self.http.clone(),
            self.origin.clone(),
            Arc::clone(&self.durable),
            Arc::clone(&self.throttle),
        )
    }

    /// What holds all of them to a rate.
    pub(crate) fn throttle(&self) -> &Throttle {
        &self.throttle
    }
}

/// An order to upload, verified and journaled.
#[derive(Clone)]
pub(crate) struct Job {
    /// The order's id.
    pub(crate) transfer: TransferId,
    /// Where to read.
    pub(crate) root: Arc<Root>,
    /// Where it goes.
    pub(crate) space: SpaceId,
    /// What was selected.
    pub(crate) selection: Selection,
    /// The selection that travels beside the order, where this device was given it and need not ask the server.
    pub(crate) beside: Option<Vec<u8>>,
    /// Where below the root that the server knows the content of this folder goes; mostly the folder is that root.
    pub(crate) below: RootPath,
    /// This device.
    pub(crate) device: DeviceId,
    /// Its keys, which sign the commits.
    pub(crate) keys: Arc<DeviceKeys>,
    /// Ends the upload without a word to the server; it goes on when the order comes again.
    pub(crate) cancel: CancellationToken,
    /// As `cancel`, once what is on its way is stored and committed.
    pub(crate) pause: CancellationToken,
    /// What to do when the root, or much of it, is not there.
    pub(crate) if_missing: IfMissing,
}

/// How often the server is told that a person must say whether to go on: it may not have heard.
pub(crate) const ASK_EVERY: Duration = Duration::from_secs(10);

/// What to do when the root, or much of what was stored of it before, is not there: a disk may have been taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IfMissing {
    /// Stop and have a person asked.
    Ask,
    /// Go on with what is there: a person said so.
    GoOn,
}

/// How an upload ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is over, and the server is to be told.
    Ended {
        /// Done, partly done or failed.
        state: TransferState,
        /// The final counts.
        progress: Progress,
        /// What went wrong with the whole of it.
        error: Option<Refusal>,
    },
    /// It was cancelled or paused.
    Stopped,
    /// Much is missing that was there before; it goes on when a person says so.
    Asks(Progress),
}

/// Carries out an order.
pub(crate) async fn run(job: Job, tools: &Tools) -> Outcome {
    let (cancel, pause) = (job.cancel.clone(), job.pause.clone());
    let shared = Shared::new(tools, job.transfer, job.below.clone());
    let upload = upload(job, shared, tools.index.clone(), Arc::clone(&tools.buffers));
    let outcome = tokio::select! {
        biased;
        () = cancel.cancelled() => Outcome::Stopped,
        () = drained(&pause) => Outcome::Stopped,
        outcome = upload => outcome,
    };
    tools.buffers.shrink();
    outcome
}

/// Ends when a pause has lasted so long that it is not waited for any longer.
pub(crate) async fn drained(pause: &CancellationToken) {
    pause.cancelled().await;
    tokio::time::sleep(DRAIN).await;
}

/// What the parts of an upload share.
struct Shared<R> {
    remote: R,
    below: RootPath,
    counters: Arc<Counters>,
    pace: Pace,
    compression: Compression,
    throttle: Arc<Throttle>,
    durable: Arc<DurableFiles>,
    window: Window,
}

impl Shared<Http> {
    /// Of a transfer that goes to the server.
    fn new(tools: &Tools, transfer: TransferId, below: RootPath) -> Self {
        Self {
            remote: Http::new(tools, transfer),
            below,
            counters: Arc::new(Counters::new(tools.index.tally(transfer))),
            pace: Pace::NORMAL,
            compression: Compression::towards(&tools.origin),
            throttle: Arc::clone(&tools.throttle),
            durable: Arc::clone(&tools.durable),
            window: Window::default(),
        }
    }
}

async fn upload<R: Remote>(job: Job, shared: Shared<R>, index: Index, buffers: Arc<Buffers>) -> Outcome {
    let shared = Arc::new(shared);
    let pause = job.pause.clone();
    let ended = tokio::select! {
        ended = work(job, &shared, index, buffers) => ended,
        never = tell_progress(&shared) => match never {},
    };
    if ended.is_ok() && pause.is_cancelled() {
        // What arrived since it was last told.
        shared.remote.progress(shared.counters.hold(), shared.counters.live());
        return Outcome::Stopped;
    }
    if ended.is_ok() && shared.counters.asks.load(Relaxed) {
        let progress = shared.counters.live();
        shared.remote.progress(Hold::Question, progress);
        return Outcome::Asks(progress);
    }
    let progress = shared.counters.progress();
    let stored = shared.counters.held.load(Relaxed) + progress.torn;
    let (state, error) = match ended {
        Err(refusal) => (TransferState::Failed, Some(refusal)),
        Ok(None) => (TransferState::Done, None),
        Ok(Some(_)) if stored > 0 && progress.failed + progress.torn == 0 => (TransferState::Done, None),
        Ok(Some(_)) if stored > 0 => (TransferState::Partly, None),
        Ok(Some(Problem { code, message, .. })) => (TransferState::Failed, Some(Refusal::new(code, message))),
    };
    Outcome::Ended { state, progress, error }
}

impl<R> Shared<R> {
    /// What the server is told of a path, if that is not too long.
    fn told(&self, path: &RootPath) -> Option<RootPath> {
        match (self.below.is_root(), path.is_root()) {
            (true, _) => Some(path.clone()),
            (false, true) => Some(self.below.clone()),
            (false, false) => RootPath::new([self.below.as_bytes(), b"/", path.as_bytes()].concat()).ok(),
        }
    }
}

async fn tell_progress<R: Remote>(shared: &Shared<R>) -> std::convert::Infallible {
    let mut told = None;
    loop {
        let now = (shared.counters.hold(), shared.counters.live());
        if told != Some(now) {
            shared.remote.progress(now.0, now.1);
            told = Some(now);
        }
        tokio::time::sleep(TELL).await;
    }
}

/// Uploads everything; answers the first problem, if there was one.
async fn work<R: Remote>(
    job: Job,
    shared: &Arc<Shared<R>>,
    index: Index,
    buffers: Arc<Buffers>,
) -> Result<Option<Problem>, Refusal> {
    let preparing = async { Ok::<_, Refusal>((begin(shared).await?, selected(&job, shared).await?)) };
    // Nothing is under way yet that a pause would wait for.
    let Some(prepared) = job.pause.run_until_cancelled(preparing).await else {
        return Ok(None);
    };
    let (grant, paths) = prepared?;
    let is_detached = matches!(job.selection, Selection::Detached(_));
    let _selected = is_detached.then(|| shared.durable.select(job.transfer, &paths));
    fault::point("transfer-granted");
    let source = {
        let (index, space, root) = (index.clone(), job.space, job.root.id);
        spawn_blocking(move || index.source(space, root, grant.epoch, grant.head))
            .await
            .map_err(|_| broken())??
    };
    let (problems, reported) = mpsc::channel(256);
    let upload = Upload {
        job,
        shared: Arc::clone(shared),
        index,
        buffers,
        grant,
        source,
        keeps: false,
    };
    let (first, ()) = tokio::try_join!(report::report_all(shared, reported), upload.run(paths, problems))?;
    Ok(first)
}

async fn begin<R: Remote>(shared: &Shared<R>) -> Result<UploadGrant, Refusal> {
    let mut pause = Pause::new(&shared.remote, &shared.counters, shared.pace);
    loop {
        match shared.remote.begin().await {
            Ok(grant) => return Ok(grant),
            Err(failure) => pause.after(failure).await?,
        }
    }
}

async fn selected<R: Remote>(job: &Job, shared: &Shared<R>) -> Result<Vec<RootPath>, Refusal> {
    let detached = match (&job.selection, &job.beside) {
        (Selection::Inline(_), _) => None,
        (Selection::Detached(_), None) => Some(ask_selection(shared).await?),
        (Selection::Detached(_), Some(beside)) => {
            hand_over(shared, beside).await;
            Some(beside.clone())
        }
    };
    let paths = job.selection.paths(detached.as_deref());
    paths
        .map(scan::merged)
        .map_err(|bad| Refusal::new(ErrorCode::BadOrder, bad.to_string()))
}

async fn ask_selection<R: Remote>(shared: &Shared<R>) -> Result<Vec<u8>, Refusal> {
    let mut pause = Pause::new(&shared.remote, &shared.counters, shared.pace);
    loop {
        match shared.remote.selection().await {
            Ok(bytes) => return Ok(bytes),
            Err(failure) => pause.after(failure).await?,
        }
    }
}

/// Hands the server a selection that it may not have. Without it people cannot see what was selected, nor have it tried
/// again; the upload needs it no more than that.
async fn hand_over<R: Remote>(shared: &Shared<R>, beside: &[u8]) {
    let mut pause = Pause::new(&shared.remote, &shared.counters, shared.pace);
    let mut refusals = 0;
    while let Err(failure) = shared.remote.keep_selection(beside).await {
        refusals += u32::from(matches!(failure, Failure::Refused(_)));
        let given_up = match failure {
            Failure::Refused(refusal) if refusals > HAND_OVER_REFUSALS_MAX => Err(refusal),
            failure => pause.after(failure).await,
        };
        if let Err(refusal) = given_up {
            tracing::warn!(%refusal, "the server does not keep a selection");
            return;
        }
    }
}

/// An upload that the server has agreed to.
struct Upload<R> {
    job: Job,
    shared: Arc<Shared<R>>,
    index: Index,
    buffers: Arc<Buffers>,
    grant: UploadGrant,
    source: Source,
    /// Whether the root is watched.
    keeps: bool,
}

/// Where a round's items come from.
enum Feed {
    Walk(Vec<RootPath>, Box<View>),
    Again(Vec<Item>),
    /// Of a root that is watched.
    Kept(Box<keep::Stream>),
}

impl<R: Remote> Upload<R> {
    async fn run(self, paths: Vec<RootPath>, problems: mpsc::Sender<Problem>) -> Result<(), Refusal> {
        let (rows, committed) = mpsc::channel(64);
        let recording = self.record(committed);
        let mut chain = self.chain(rows, problems.clone());
        let mut feed = Feed::Walk(paths, Box::new(self.index.view(self.source)));
        for round in 0..ROUNDS {
            let again = self.round(feed, &mut chain, &problems).await?;
            let asks = self.shared.counters.asks.load(Relaxed);
            if again.is_empty() || asks || self.job.pause.is_cancelled() {
                drop(chain);
                return recording.await.map_err(|_| broken());
            }
            tracing::debug!(files = again.len(), "some files are read again");
            tokio::time::sleep(self.shared.pace.before_reading_again(round)).await;
            feed = Feed::Again(again);
        }
        Err(Refusal::new(
            ErrorCode::Damaged,
            "the server lost again and again what it had stored; let its owner run: beckon-server check --read-data",
        ))
    }

    /// Stores everything that is fed; what must be read again comes back.
    async fn round(
        &self,
        feed: Feed,
        chain: &mut Chain<R>,
        problems: &mpsc::Sender<Problem>,
    ) -> Result<Vec<Item>, Refusal> {
        let stop = self.job.pause.child_token();
        let _stop_at_the_end = stop.clone().drop_guard();
        let site = Arc::new(Site {
            root: Arc::clone(&self.job.root),
            transfer: self.job.transfer,
            durable: Arc::clone(&self.shared.durable),
            counters: Arc::clone(&self.shared.counters),
            problems: problems.clone(),
            stop: stop.clone(),
            keeps: self.keeps,
            again: Mutex::default(),
        });
        let (out, batches) = mpsc::channel(1);
        let threads = self.threads(&site, feed, out);
        let (durable, finished) = mpsc::channel(8);
        let stored = store::store_all(&self.shared, stop, batches, durable);
        let ((), mut again) = tokio::try_join!(stored, chain.commit_all(finished))?;
        for thread in threads {
            thread.await.map_err(|_| broken())?;
        }
        again.append(&mut site.again.lock().unwrap_or_else(PoisonError::into_inner));
        if again.is_empty() && !self.keeps && !self.shared.counters.asks.load(Relaxed) {
            self.look_for_the_root(site).await?;
        }
        Ok(again)
    }

    /// A disk that was taken away must not look like an upload that went well.
    async fn look_for_the_root(&self, site: Arc<Site>) -> Result<(), Refusal> {
        let gone = spawn_blocking(move || site.gone().map(|problem| (problem, site)));
        if let Some((problem, site)) = gone.await.map_err(|_| broken())? {
            self.shared.counters.failed.fetch_add(1, Relaxed);
            // Nobody takes problems any more only when the upload ends.
            let _ = site.problems.send(problem).await;
        }
        Ok(())
    }

    fn threads(&self, site: &Arc<Site>, feed: Feed, out: mpsc::Sender<batch::Batch>) -> Vec<JoinHandle<()>> {
        let (queue, queued) = blocking::sync_channel(QUEUE);
        let queued = Arc::new(Mutex::new(queued));
        let (walking, index, if_missing) = (Arc::clone(site), self.index.clone(), self.job.if_missing);
        let mut threads = vec![spawn_blocking(move || match feed {
            Feed::Walk(paths, view) => {
                let walk = missing::Walk {
                    site: &walking,
                    index: &index,
                    view: &view,
                    paths: &paths,
                    if_missing,
                };
                walk.pick(queue);
            }
            // An error only says that nobody reads any more.
            Feed::Again(items) => _ = items.into_iter().try_for_each(|item| queue.send(item)),
            Feed::Kept(stream) => stream.pick(&walking, &index, &queue),
        })];
        threads.extend((0..READERS).map(|_| {
            let batches = Batches::new(self.grant.chunk_key.clone(), Arc::clone(&self.buffers), out.clone());
            let (site, queued) = (Arc::clone(site), Arc::clone(&queued));
            spawn_blocking(move || read::read_all(&site, &queued, batches))
        }));
        threads
    }

    fn chain(&self, rows: mpsc::Sender<Committed>, problems: mpsc::Sender<Problem>) -> Chain<R> {
        Chain {
            shared: Arc::clone(&self.shared),
            space: self.job.space,
            root: self.job.root.id,
            device: self.job.device,
            keys: Arc::clone(&self.job.keys),
            head: self.grant.head,
            keeps: self.keeps,
            rows,
            problems,
            before: None,
        }
    }

    fn record(&self, committed: mpsc::Receiver<Committed>) -> JoinHandle<()> {
        let (index, source) = (self.index.clone(), self.source);
        spawn_blocking(move || record::record_all(&index, source, committed))
    }
}

fn broken() -> Refusal {
    Refusal::new(
        ErrorCode::Internal,
        "the agent has a fault; its log says more. Upload again, and if it stays, report it",
    )
}

#[cfg(test)]
mod tests;

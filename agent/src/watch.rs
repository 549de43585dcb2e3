//! Keeps a root stored: the system tells where something changed, and a long upload ([`Keeper`]) looks there.
//!
//! What the system does not tell is found by looking at everything: at the start, each hour, and whenever it says that it
//! missed something.

mod ask;
mod notice;
mod quiet;

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use beckon_shared::{
    error::{ErrorCode, Refusal},
    id::RootId,
    path::RootPath,
    transfer::{Hold, Problem, Progress, TransferState},
};
use tokio::{sync::watch, task::spawn_blocking};
use tokio_util::sync::CancellationToken;

use crate::{
    root::{FolderId, Root},
    scan::{Depth, Scope},
    upload::{
        self, ASK_EVERY, Cycle, Follow, IfMissing, Job, Keeper, Order, Outcome, Places, Remote, Teller, Tools,
        pause::grown,
    },
};
use notice::{Fault, Notice};
use quiet::{Due, Quiet};

/// Everything is looked at so often, whatever the system told.
const LOOK_AT_ALL: Duration = Duration::from_secs(3600);
/// As often where the system does not tell of all changes, unless a look takes so long that it would take all the time.
const LOOK_UNTOLD: Duration = Duration::from_secs(60);
/// Then after so many times what it takes,
const LOOKS_SHARE: u32 = 20;
/// which the first one, that stores everything, tells little of.
const LOOK_TAKES_MAX: Duration = Duration::from_secs(30);
/// Whether the root is still the same folder is looked at so often: nobody tells of a disk that was taken out.
const LOOK_AT_ROOT: Duration = Duration::from_secs(30);
/// A root that is gone is looked for so often.
const LOOK_FOR_ROOT: Duration = Duration::from_secs(2);
/// Progress is told no more often.
const TELL: Duration = Duration::from_millis(250);
/// A look at everything that finds little to do is over by then and is not talked about.
const TELL_LOOKING: Duration = Duration::from_secs(2);
/// While a person is asked, a look to see whether it is still so is not talked about.
const TELL_ASKING: Duration = Duration::from_secs(60);
/// So many entries that cannot be stored are listed.
const PROBLEMS_MAX: usize = 1000;
/// What fails as a whole is tried again after this time, and at the most after that.
const AFTER_FAILURE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(600));
/// So often, which takes about an hour; then a person has to see to it.
const FAILURES_MAX: u32 = 14;
/// What went well for so long begins to count anew.
const FAILURES_APART: Duration = Duration::from_secs(3600);

/// All roots that are open.
pub(crate) type Roots = watch::Receiver<Arc<[Arc<Root>]>>;

/// Where turns among the machine's transfers are waited for.
pub(crate) trait Queue: Sync {
    /// Lasts until it is dropped.
    type Turn: Send;

    /// Waits for a turn; the token says when another transfer needs the place.
    fn turn(&self) -> impl Future<Output = (Self::Turn, CancellationToken)> + Send;

    /// Waits until a person says that what is missing now may be taken away.
    fn answer(&self) -> impl Future<Output = ()> + Send;

    /// Waits until there may be something new with the server: the line was gone, and is back.
    fn news(&self) -> impl Future<Output = ()> + Send;
}

/// Keeps a root stored until it is stopped.
///
/// Storing a root for the first time takes a turn among the machine's transfers; whatever comes later is little, and is stored
/// without waiting for one.
pub(crate) async fn run(job: Job, tools: &Tools, roots: Roots, queue: impl Queue) -> Outcome {
    let (cancel, pause) = (job.cancel.clone(), job.pause.clone());
    let kept = keep_trying(job, tools, roots, queue);
    tokio::select! {
        biased;
        () = cancel.cancelled() => Outcome::Stopped,
        () = upload::drained(&pause) => Outcome::Stopped,
        outcome = kept => outcome,
    }
}

/// A fault of the server that a restart mends must not end what is to go on for years.
async fn keep_trying(job: Job, tools: &Tools, roots: Roots, queue: impl Queue) -> Outcome {
    let mut failures = 0;
    loop {
        let begun = Instant::now();
        let refusal = match keep(job.clone(), tools, roots.clone(), &queue).await {
            Ok(outcome) => return outcome,
            Err(refusal) => refusal,
        };
        if begun.elapsed() >= FAILURES_APART {
            failures = 0;
        }
        if !refusal.retry || failures >= FAILURES_MAX {
            return failed(refusal);
        }
        tracing::warn!(root = ?job.root.id, %refusal, "a root is not kept stored at present; it is tried again");
        tokio::time::sleep(grown(AFTER_FAILURE, failures)).await;
        failures += 1;
    }
}

fn failed(refusal: Refusal) -> Outcome {
    Outcome::Ended {
        state: TransferState::Failed,
        progress: Progress::default(),
        error: Some(refusal),
    }
}

async fn keep(job: Job, tools: &Tools, roots: Roots, queue: &impl Queue) -> Result<Outcome, Refusal> {
    let site = Site {
        root: Arc::clone(&job.root),
        roots,
        pause: job.pause.clone(),
    };
    match Keeper::begin(job, tools).await? {
        Some(keeper) => keep_with(keeper, site, queue).await,
        None => Ok(Outcome::Stopped),
    }
}

/// What is watched.
pub(crate) struct Site {
    pub(crate) root: Arc<Root>,
    pub(crate) roots: Roots,
    /// Ends it when what is under way is stored.
    pub(crate) pause: CancellationToken,
}

/// As [`run`], once the transfer has begun, with any server.
pub(crate) async fn keep_with<R: Remote>(
    keeper: Keeper<R>,
    site: Site,
    queue: &impl Queue,
) -> Result<Outcome, Refusal> {
    let is_new = !keeper.holds_files().await?;
    let mut watch = Watch::new(keeper, site, is_new);
    watch.quiet.all_at(Instant::now());
    loop {
        watch.listen();
        if watch.pause.is_cancelled() {
            return Ok(Outcome::Stopped);
        }
        let Some(due) = watch.quiet.take(Instant::now()) else {
            watch.wait(queue).await?;
            continue;
        };
        let next = match due {
            Due::All => watch.look_at_all(queue).await?,
            due @ Due::Some { .. } => watch.look(due).await?,
        };
        if let Next::Ask = next {
            watch.ask(queue).await?;
        }
    }
}

enum Next {
    GoOn,
    Ask,
}

/// What the system tells.
struct Noticing {
    notice: Arc<Notice>,
    /// Of this folder.
    top: FolderId,
    since: Instant,
}

struct Watch<R> {
    keeper: Keeper<R>,
    teller: Teller<R>,
    root: Arc<Root>,
    roots: Roots,
    pause: CancellationToken,
    /// What a person said, for the next look at everything.
    if_missing: IfMissing,
    notice: Option<Noticing>,
    quiet: Quiet,
    /// When everything was looked at last.
    last: Instant,
    /// How long that took.
    took: Duration,
    /// What cannot be stored at present.
    problems: BTreeMap<RootPath, Problem>,
    fault: Option<Fault>,
    /// Everything has yet to be looked at for the first time.
    is_first: bool,
    /// Nothing of the root is stored yet.
    is_new: bool,
    /// A person was asked, and has not answered.
    is_asking: bool,
    /// When and what was told last.
    told: Option<(Instant, Hold, Progress)>,
}

impl<R: Remote> Watch<R> {
    fn new(keeper: Keeper<R>, site: Site, is_new: bool) -> Self {
        Self {
            teller: keeper.teller(),
            keeper,
            root: site.root,
            roots: site.roots,
            pause: site.pause,
            if_missing: IfMissing::Ask,
            notice: None,
            quiet: Quiet::default(),
            last: Instant::now(),
            took: Duration::ZERO,
            problems: BTreeMap::new(),
            fault: None,
            is_first: true,
            is_new,
            is_asking: false,
            told: None,
        }
    }

    /// Takes in what was told meanwhile, by the system and of the root.
    fn listen(&mut self) {
        let now = Instant::now();
        if let Some(noticing) = &self.notice {
            let told = noticing.notice.take();
            for (path, hint) in told.hints {
                if !self.root.ignore().covers_any(&path) {
                    self.quiet.note(path, hint, now);
                }
            }
            if told.is_lost {
                self.quiet.all_at(now);
            }
            self.fault = told.fault.or(self.fault);
        }
        let root = find(&self.roots.borrow_and_update(), &self.root.id);
        if let Some(root) = root.filter(|root| !Arc::ptr_eq(root, &self.root)) {
            if root.ignore().text() != self.root.ignore().text() || root.path() != self.root.path() {
                self.quiet.all_at(now);
            }
            self.root = Arc::clone(&root);
            self.keeper.turn_to(root);
        }
    }

    /// Looks at everything. Whoever needs its place among the transfers more urgently gets it: then it looks again later, which
    /// is quick as far as it got.
    async fn look_at_all(&mut self, queue: &impl Queue) -> Result<Next, Refusal> {
        let (mut _turn, mut pause) = (None, self.pause.clone());
        if self.is_new {
            let stopped = self.pause.clone();
            let Some((turn, yields)) = stopped.run_until_cancelled(queue.turn()).await else {
                return Ok(Next::GoOn);
            };
            (_turn, pause) = (Some(turn), yields);
        }
        if !self.watch_the_folder().await? {
            return Ok(Next::GoOn);
        }
        let patience = match (self.is_asking, self.is_first) {
            (true, _) => TELL_ASKING,
            (false, true) => Duration::ZERO,
            (false, false) => TELL_LOOKING,
        };
        let (begun, follow) = (Instant::now(), self.follow());
        let order = Order {
            places: Places::All,
            if_missing: self.if_missing,
            pause,
            follow,
        };
        match self.round(order, patience).await? {
            Cycle::Done { again, problems, .. } => {
                let now = Instant::now();
                (self.is_first, self.is_new) = (false, false);
                // It was said of what was missing then.
                self.if_missing = IfMissing::Ask;
                self.last = now;
                self.took = now.duration_since(begun).min(LOOK_TAKES_MAX);
                self.quiet.looked_at_all(now, self.took);
                again.into_iter().for_each(|read| self.quiet.changing(read, now));
                self.list(None, problems).await?;
            }
            Cycle::Much => return Ok(Next::Ask),
            Cycle::NoRoot => self.wait_for_the_root().await?,
            Cycle::Paused => self.quiet.all_at(Instant::now()),
        }
        Ok(Next::GoOn)
    }

    /// Looks at some places.
    async fn look(&mut self, due: Due) -> Result<Next, Refusal> {
        let Due::Some { places, repeated } = &due else {
            return Ok(Next::GoOn);
        };
        let order = Order {
            places: Places::Some(places.clone()),
            if_missing: IfMissing::Ask,
            pause: self.pause.clone(),
            follow: self.follow(),
        };
        let outcome = self.round(order, TELL).await?;
        let now = Instant::now();
        match outcome {
            Cycle::Done {
                stored,
                again,
                folders,
                problems,
            } => {
                self.quiet.stored(&stored, now);
                for folder in folders.iter().filter(|folder| !repeated.contains(*folder)) {
                    self.quiet.appeared(folder, now);
                }
                again.into_iter().for_each(|read| self.quiet.changing(read, now));
                self.list(Some(places), problems).await?;
            }
            Cycle::Much => return Ok(Next::Ask),
            // Everything is looked at then, once it is there again.
            Cycle::NoRoot => self.wait_for_the_root().await?,
            Cycle::Paused => self.quiet.put_back(due, now),
        }
        Ok(Next::GoOn)
    }

    /// Has the system watch each folder that is looked at.
    fn follow(&self) -> Follow {
        let notice = self.notice.as_ref().map(|noticing| Arc::clone(&noticing.notice));
        Box::new(move |folder| {
            if let Some(notice) = &notice {
                notice.follow(folder);
            }
        })
    }

    /// A round, of which people hear if it takes longer than `patience`.
    async fn round(&mut self, order: Order, patience: Duration) -> Result<Cycle, Refusal> {
        let teller = self.teller.clone();
        let telling = async {
            tokio::time::sleep(patience).await;
            let mut told = None;
            loop {
                let now = teller.progress();
                if told != Some(now) {
                    teller.tell(Hold::None);
                    told = Some(now);
                }
                tokio::time::sleep(TELL).await;
            }
        };
        tokio::select! {
            outcome = self.keeper.round(order) => outcome,
            never = telling => never,
        }
    }

    /// Has the system watch the folder that the root is now; false if it is not there.
    async fn watch_the_folder(&mut self) -> Result<bool, Refusal> {
        let Some(top) = top_of(&self.root).await else {
            self.wait_for_the_root().await?;
            return Ok(false);
        };
        let again = |noticing: &Noticing| self.fault.is_some() && noticing.since.elapsed() >= LOOK_AT_ALL;
        if self
            .notice
            .as_ref()
            .is_some_and(|noticing| noticing.top == top && !again(noticing))
        {
            return Ok(true);
        }
        self.notice = None;
        self.fault = None;
        let root = Arc::clone(&self.root);
        let notice = spawn_blocking(move || Notice::begin(root.path())).await;
        let since = Instant::now();
        self.notice = notice.ok().map(|notice| Noticing {
            notice: Arc::new(notice),
            top,
            since,
        });
        self.listen();
        // Everything is looked at now, whatever was told so far.
        self.quiet = Quiet::default();
        Ok(true)
    }

    /// Waits until the root is there; then everything is looked at.
    async fn wait_for_the_root(&mut self) -> Result<(), Refusal> {
        tracing::warn!(root = ?self.root.id, "the root is not there: it is waited for");
        self.notice = None;
        // What a person said of what was missing before says nothing of this.
        self.if_missing = IfMissing::Ask;
        let pause = self.pause.clone();
        while top_of(&self.root).await.is_none() {
            self.tell(Hold::Question);
            if pause
                .run_until_cancelled(tokio::time::sleep(LOOK_FOR_ROOT))
                .await
                .is_none()
            {
                return Ok(());
            }
            self.listen();
        }
        self.quiet.all_at(Instant::now());
        Ok(())
    }

    /// How often everything is looked at, whatever the system told.
    fn every(&self) -> Duration {
        match self.fault {
            Some(_) => (self.took * LOOKS_SHARE).clamp(LOOK_UNTOLD, LOOK_AT_ALL),
            None => LOOK_AT_ALL,
        }
    }

    /// Waits until something may be due.
    async fn wait(&mut self, queue: &impl Queue) -> Result<(), Refusal> {
        let hold = if self.quiet.is_idle() {
            Hold::Current
        } else {
            Hold::None
        };
        let quietly = self.tell(hold);
        let now = Instant::now();
        let all = self.last + self.every();
        if all <= now {
            self.quiet.all_at(now);
            return Ok(());
        }
        let root = now + LOOK_AT_ROOT;
        let next = [Some(all), Some(root), self.quiet.next(), quietly];
        let next = next.into_iter().flatten().min().unwrap_or(root);
        let pause = self.pause.clone();
        let news = async {
            match &self.notice {
                Some(noticing) => noticing.notice.news().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = pause.cancelled() => return Ok(()),
            () = news => return Ok(()),
            _ = self.roots.changed() => return Ok(()),
            () = queue.news() => return self.renew().await,
            () = tokio::time::sleep_until(next.into()) => {}
        }
        if next == root {
            self.look_at_the_root().await?;
        }
        Ok(())
    }

    /// What the server holds may not be what it held: it may have been set up again from an older copy.
    async fn renew(&mut self) -> Result<(), Refusal> {
        if self.keeper.renew().await? {
            tracing::info!(root = ?self.root.id, "the server holds the root otherwise than before: everything is looked at");
            self.quiet.all_at(Instant::now());
        }
        Ok(())
    }

    async fn look_at_the_root(&mut self) -> Result<(), Refusal> {
        // Who has come back from an absence of the line does not know how this stands.
        self.told = None;
        match (top_of(&self.root).await, &self.notice) {
            (None, _) => self.wait_for_the_root().await?,
            (Some(top), Some(noticing)) if top == noticing.top => {}
            (Some(_), _) => self.quiet.all_at(Instant::now()),
        }
        Ok(())
    }

    /// Tells how it stands, if that is news; when to try again, if it was told a moment ago.
    fn tell(&mut self, hold: Hold) -> Option<Instant> {
        let (now, progress) = (Instant::now(), self.teller.progress());
        if let Some((when, before, then)) = self.told {
            if (before, then) == (hold, progress) {
                return None;
            }
            if now < when + TELL && before == hold {
                return Some(when + TELL);
            }
        }
        self.teller.tell(hold);
        self.told = Some((now, hold, progress));
        None
    }

    /// Keeps the list of what cannot be stored: what was looked at is listed anew.
    async fn list(&mut self, places: Option<&[Scope]>, problems: Vec<Problem>) -> Result<(), Refusal> {
        let before = self.problems.clone();
        let was_looked_at = |path: &RootPath, place: &Scope| match place.depth {
            Depth::Below => place.path.holds(path),
            Depth::Itself => place.path == *path,
        };
        match places {
            None => self.problems.clear(),
            Some(places) => self
                .problems
                .retain(|path, _| !places.iter().any(|place| was_looked_at(path, place))),
        }
        for problem in problems {
            if self.problems.len() < PROBLEMS_MAX {
                self.problems.insert(problem.path.clone(), problem);
            }
        }
        if let Some(problem) = self.fault.map(Fault::problem) {
            self.problems.insert(problem.path.clone(), problem);
        }
        self.keeper.count(self.problems.values());
        if self.problems == before {
            return Ok(());
        }
        self.keeper.report(self.problems.values().cloned().collect()).await
    }
}

impl Fault {
    /// What people are told of it.
    fn problem(self) -> Problem {
        let message = match self {
            Self::TooManyFolders => {
                "the root has more folders than the system watches, so it is looked through each minute instead; as administrator raise the limit: sysctl fs.inotify.max_user_watches=1048576"
            }
            Self::Other => {
                "the system does not watch this root, so it is looked through each minute instead; the agent's log says more"
            }
        };
        Problem {
            path: RootPath::root(),
            code: ErrorCode::TooMany,
            message: message.to_owned(),
        }
    }
}

fn find(roots: &[Arc<Root>], id: &RootId) -> Option<Arc<Root>> {
    roots.iter().find(|root| root.id == *id).cloned()
}

/// Which folder the root is now, if it is there.
async fn top_of(root: &Arc<Root>) -> Option<FolderId> {
    let root = Arc::clone(root);
    let looked = spawn_blocking(move || root.folder(&RootPath::root()).and_then(|top| top.id()).ok());
    looked.await.unwrap_or_default()
}

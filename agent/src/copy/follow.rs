//! A follow: reads the commits of the origin, believes what its device signed, and has the copy written as they say, once or
//! until somebody ends it.
//!
//! What is wanted advances with the commits, what is written with the disk; the difference of both is done. So a crash costs
//! one comparison, and several commits that came meanwhile are one round.

mod forward;
mod learn;
mod report;
mod tally;
mod write;

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use beckon_shared::{
    error::{ErrorCode, Refusal},
    id::TransferId,
    order::{Extent, FollowOrder},
    path::{Label, RootPath},
    signature::PublicKey,
    statement::Standing,
    transfer::{Hold, Problem, TransferState},
};
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{
    Book, Place, Site,
    chain::History,
    diff::{Dirty, Mapping},
    server::{Remote, asked},
    source::{Lines, Own, Sources},
    want::Desired,
};
use crate::{
    root::Root,
    upload::{
        IfMissing, Outcome,
        pause::{Pace, grown},
    },
};
use learn::Learned;
pub(crate) use report::report;
pub(crate) use tally::Tally;
pub(crate) use write::is_gone;

/// Who hears no news looks this often.
const LOOK: Duration = Duration::from_secs(30);
/// How often what is here is compared with what was written: somebody may have changed or deleted it.
const SURVEY: Duration = Duration::from_secs(3600);
/// What did not come is asked for again after so long, and at the longest.
const AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// What is copied once, is tried so often before it counts as not to be had.
const TRIES: u32 = 5;
/// What is on its way when somebody pauses gets so long to arrive.
const DRAIN: Duration = Duration::from_secs(5);
/// Progress is told four times a second.
const TELL: Duration = Duration::from_millis(250);

/// An order to follow, verified and journaled.
pub(crate) struct Job {
    /// The order's id.
    pub(crate) transfer: TransferId,
    /// What it says.
    pub(crate) order: FollowOrder,
    /// Where it is written.
    pub(crate) root: Arc<Root>,
    /// What this machine is called.
    pub(crate) machine: Label,
    /// Ends the work without a word to the server.
    pub(crate) cancel: CancellationToken,
    /// As `cancel`, once what is under way is written.
    pub(crate) pause: CancellationToken,
    /// There may be something new.
    pub(crate) news: Arc<Notify>,
    /// What to do when much of the copy is gone, or is to go.
    pub(crate) if_missing: IfMissing,
}

/// What a follow works with.
pub(crate) struct Tools<R, L> {
    /// The server.
    pub(crate) remote: Arc<R>,
    /// Other machines.
    pub(crate) lines: L,
    /// What is written.
    pub(crate) book: Book,
    /// What is wanted.
    pub(crate) desired: Desired,
    /// Opens roots, for chunks that are here.
    pub(crate) roots: Arc<super::source::Roots>,
    /// The pinned key of the account.
    pub(crate) account_key: PublicKey,
    /// What is known of its statements.
    pub(crate) standing: watch::Receiver<Standing>,
    /// How long the server is waited for.
    pub(crate) pace: Pace,
}

/// Why a round ended.
enum Round {
    /// All was done that could be done.
    Over,
    /// A person must answer something.
    Asks,
    /// Somebody pauses.
    Paused,
    /// The disk is full.
    Full,
}

/// Carries out an order.
pub(crate) async fn run<R: Remote, L: Lines>(job: Job, tools: Tools<R, L>) -> Outcome {
    let (cancel, pause) = (job.cancel.clone(), job.pause.clone());
    let (remote, tally) = (Arc::clone(&tools.remote), Arc::new(Tally::default()));
    let work = async {
        let ended = tokio::select! {
            ended = work(job, tools, &tally) => ended,
            never = tell(&*remote, &tally) => match never {},
        };
        ended.unwrap_or_else(|refusal| failed(&tally, refusal))
    };
    let outcome = tokio::select! {
        biased;
        () = cancel.cancelled() => return Outcome::Stopped,
        () = drained(&pause) => Outcome::Stopped,
        outcome = work => outcome,
    };
    let hold = match outcome {
        Outcome::Asks(_) => Hold::Question,
        Outcome::Stopped | Outcome::Ended { .. } => Hold::None,
    };
    remote.progress(hold, tally.progress());
    outcome
}

/// Ends when a pause has lasted so long that it is not waited for any longer.
async fn drained(pause: &CancellationToken) {
    pause.cancelled().await;
    tokio::time::sleep(DRAIN).await;
}

/// Tells how far it is, where that has changed.
pub(crate) async fn tell<R: Remote>(remote: &R, tally: &Tally) -> Infallible {
    let mut told = None;
    loop {
        let now = (tally.hold(), tally.progress());
        if told != Some(now) {
            remote.progress(now.0, now.1);
            told = Some(now);
        }
        tokio::time::sleep(TELL).await;
        // Whoever has nothing to do does not look four times a second. What is said then is said once more after a while: who
        // was away may not have heard it.
        if now.0 == Hold::Current {
            let _ = tokio::time::timeout(LOOK, tally.is_to_be_told()).await;
            told = None;
        }
    }
}

fn failed(tally: &Tally, refusal: Refusal) -> Outcome {
    Outcome::Ended {
        state: TransferState::Failed,
        progress: tally.progress(),
        error: Some(refusal),
    }
}

async fn work<R: Remote, L: Lines>(job: Job, tools: Tools<R, L>, tally: &Arc<Tally>) -> Result<Outcome, Refusal> {
    let pause = job.pause.clone();
    let begun = pause.run_until_cancelled(Follow::begin(job, tools, tally)).await;
    match begun {
        None => Ok(Outcome::Stopped),
        Some(follow) => follow?.keep().await,
    }
}

/// An order that is being carried out.
struct Follow<R, L> {
    job: Job,
    remote: Arc<R>,
    book: Book,
    desired: Desired,
    account_key: PublicKey,
    standing: watch::Receiver<Standing>,
    pace: Pace,
    origin: Option<beckon_shared::certificate::Chain>,
    history: History,
    place: Place,
    sources: Sources<R, L>,
    mapping: Mapping,
    learned: Learned,
    tally: Arc<Tally>,
    /// Where wanted and written may differ.
    dirty: Dirty,
    /// What could not be had in this round: paths of the origin.
    waits: BTreeSet<RootPath>,
    /// Since when there is something of that kind.
    waits_since: Option<Instant>,
    /// Whose manifest is kept no more: paths of the origin.
    lost: BTreeSet<RootPath>,
    /// What could not be written, by its place.
    problems: BTreeMap<RootPath, Problem>,
    told: Vec<Problem>,
    /// When problems were last tried again.
    tried: Option<Instant>,
}

impl<R: Remote, L: Lines> Follow<R, L> {
    async fn begin(job: Job, tools: Tools<R, L>, tally: &Arc<Tally>) -> Result<Self, Refusal> {
        let Tools {
            remote,
            lines,
            book,
            desired,
            roots,
            account_key,
            standing,
            pace,
        } = tools;
        let grant = asked(&*remote, pace, || remote.begin()).await?;
        let site = Site {
            book: book.clone(),
            transfer: job.transfer,
            root: Arc::clone(&job.root),
            below: job.order.path.clone(),
            machine: job.machine.clone(),
            key: grant.chunk_key.clone(),
        };
        let (states, transfer) = (desired.clone(), job.transfer);
        let (place, head) = blocking(move || Ok((Place::open(site)?, states.head(transfer)?))).await?;
        if job.if_missing == IfMissing::GoOn {
            place.allow_much();
        }
        tally.begin(&place);
        let own = Own::new(book.clone(), grant.chunk_key.clone(), roots);
        let sources = Sources {
            remote: Arc::clone(&remote),
            lines,
            own,
            key: grant.chunk_key,
            pace,
        };
        let now = match job.order.trusts_origin() {
            true => standing.borrow().clone(),
            false => Standing::default(),
        };
        let history = History::of(&job.order, grant.origin.as_ref(), &account_key, &now, head)
            .map_err(super::chain::BadCommit::refusal)?;
        Ok(Self {
            mapping: Mapping::of(&job.order),
            origin: grant.origin,
            job,
            remote,
            book,
            desired,
            account_key,
            standing,
            pace,
            history,
            place,
            sources,
            learned: Learned::default(),
            tally: Arc::clone(tally),
            dirty: Dirty::whole(),
            waits: BTreeSet::new(),
            waits_since: None,
            lost: BTreeSet::new(),
            problems: BTreeMap::new(),
            told: Vec::new(),
            tried: None,
        })
    }

    async fn keep(mut self) -> Result<Outcome, Refusal> {
        let mut changes = self.book.changes();
        let mut looked_through: Option<Instant> = None;
        let mut tries = 0;
        loop {
            changes.mark_unchanged();
            let is_due = looked_through.is_none_or(|at| at.elapsed() >= SURVEY);
            let round = match is_due {
                true => self.survey_and_round().await?,
                false => self.round().await?,
            };
            match round {
                Round::Asks => return Ok(Outcome::Asks(self.tally.progress())),
                Round::Paused => return Ok(Outcome::Stopped),
                Round::Full => {
                    self.tally.set_hold(Hold::NoRoom);
                    let _ = self.job.pause.run_until_cancelled(tokio::time::sleep(LOOK)).await;
                    continue;
                }
                Round::Over if is_due => looked_through = Some(Instant::now()),
                Round::Over => {}
            }
            tries = if self.waits.is_empty() { 0 } else { tries + 1 };
            if self.job.order.extent != Extent::Kept && (tries == 0 || tries >= TRIES) {
                return self.end().await;
            }
            let again = (tries > 0).then(|| grown(AGAIN, tries - 1));
            self.rest(again.unwrap_or(LOOK), &mut changes).await;
            if self.job.pause.is_cancelled() {
                return Ok(Outcome::Stopped);
            }
        }
    }

    async fn survey_and_round(&mut self) -> Result<Round, Refusal> {
        let survey = match self.place.survey(&self.job.pause).await {
            Ok(survey) => survey,
            Err(refusal) => return self.broken_off(refusal).await,
        };
        if survey.question.is_some() {
            return Ok(Round::Asks);
        }
        self.count_what_is_here().await?;
        self.dirty = Dirty::whole();
        // Those that stay are noted anew.
        self.problems.clear();
        self.round().await
    }

    /// Takes what is new and writes it.
    async fn round(&mut self) -> Result<Round, Refusal> {
        let pause = self.job.pause.clone();
        self.check_origin()?;
        if self.is_root_gone().await? {
            return Ok(Round::Asks);
        }
        match pause.run_until_cancelled(self.learn()).await {
            None => return Ok(Round::Paused),
            Some(learned) => learned?,
        }
        for path in std::mem::take(&mut self.waits) {
            self.dirty.path(path);
        }
        self.try_problems_again();
        let round = if self.dirty.is_empty() {
            Round::Over
        } else {
            self.settle().await?
        };
        if let Round::Over = round {
            self.place.round_is_over();
            self.drop_unwanted_parts().await?;
            self.fall_forward().await?;
            self.note_missing();
            self.tell_problems().await?;
        }
        Ok(round)
    }

    /// What could not be written may be possible now. Many problems have one cause that stays.
    fn try_problems_again(&mut self) {
        const FEW: usize = 100;
        if self.problems.len() > FEW || self.tried.is_some_and(|tried| tried.elapsed() < LOOK / 2) {
            return;
        }
        self.tried = Some(Instant::now());
        // Those that stay are noted anew.
        let problems = std::mem::take(&mut self.problems).into_keys();
        for path in problems.filter_map(|local| self.mapping.origin(&local)) {
            self.dirty.path(path);
        }
    }

    /// Waits for something new. Nothing is to be done meanwhile, unless something has yet to come.
    async fn rest(&mut self, patience: Duration, changes: &mut watch::Receiver<u64>) {
        if self.waits.is_empty() {
            self.tally.set_hold(Hold::Current);
        }
        tokio::select! {
            () = self.job.pause.cancelled() => {}
            () = self.job.news.notified() => {}
            changed = changes.changed() => if changed.is_ok() { self.dirty = Dirty::whole() },
            // Whoever told of revocations is gone only at the end.
            _ = self.standing.changed() => {}
            () = tokio::time::sleep(patience) => {}
        }
    }

    /// What was signed stays signed, but what a revoked device stores is not copied any further.
    fn check_origin(&mut self) -> Result<(), Refusal> {
        match self.job.order.trusts_origin() {
            true => self.look_at_origin(),
            false => Ok(()),
        }
    }

    /// Whether what the origin signs counts now.
    fn look_at_origin(&mut self) -> Result<(), Refusal> {
        let standing = self.standing.borrow_and_update().clone();
        let head = self.history.head();
        let checked = History::of(
            &self.job.order,
            self.origin.as_ref(),
            &self.account_key,
            &standing,
            head,
        );
        checked.map(drop).map_err(super::chain::BadCommit::refusal)
    }

    /// What is waited for long is told, and waited for all the same.
    fn note_missing(&mut self) {
        if self.waits.is_empty() {
            self.waits_since = None;
            return;
        }
        let since = *self.waits_since.get_or_insert_with(Instant::now);
        if self.job.order.extent == Extent::Kept && since.elapsed() >= LOOK {
            self.give_up_waits();
        }
    }

    fn give_up_waits(&mut self) {
        for origin in self.waits.clone() {
            self.give_up(&origin, "parts of it are stored nowhere that can be reached now");
        }
        self.tally.failed.store(self.problems.len() as u64, Relaxed);
    }

    async fn end(mut self) -> Result<Outcome, Refusal> {
        self.give_up_waits();
        self.tell_problems().await?;
        let progress = self.tally.progress();
        let first = self.problems.into_values().next();
        let (state, error) = match first {
            None => (TransferState::Done, None),
            Some(_) if progress.files_done > 0 => (TransferState::Partly, None),
            Some(Problem { code, message, .. }) => (TransferState::Failed, Some(Refusal::new(code, message))),
        };
        Ok(Outcome::Ended { state, progress, error })
    }
}

/// Runs what waits for the disk where nobody else is kept waiting.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| {
        let advice = "the agent has a fault; its log says more. Resume, and if it stays, report it";
        Err(Refusal::new(ErrorCode::Internal, advice))
    })
}

#[cfg(test)]
mod tests;

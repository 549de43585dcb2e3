//! What a controller sends to this machine: the list of files stands in the order, their chunks come over the server as they
//! are sent, and each file appears when all of it is there.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use beckon_shared::{
    error::{ErrorCode, Refusal},
    id::{Hash, TransferId},
    manifest::{Content, Manifest},
    order::{ReceiveOrder, SentFile, sent_files},
    path::{Label, RootPath},
    transfer::{Hold, Problem, TransferState},
};
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    Became, Book, Place, Site, Step, Wanted, apply,
    follow::{Tally, blocking, is_gone, report, tell},
    server::{Remote, asked},
    source::{NoLines, Own, Roots, Sources},
    want::rebased,
};
use crate::{
    root::Root,
    upload::{IfMissing, Outcome, pause::Pace},
};

/// Who hears no news looks this often.
const LOOK: std::time::Duration = std::time::Duration::from_secs(30);
/// What is on its way when somebody pauses gets so long to arrive.
const DRAIN: std::time::Duration = std::time::Duration::from_secs(5);
/// So many files are written together.
const BATCH: usize = 256;

/// An order to write what is sent, verified and journaled.
pub(crate) struct Job {
    /// The order's id.
    pub(crate) transfer: TransferId,
    /// What it says.
    pub(crate) order: ReceiveOrder,
    /// The list of files, where it was given beside the order.
    pub(crate) beside: Option<Vec<u8>>,
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
    /// What to do when much would go.
    pub(crate) if_missing: IfMissing,
}

/// What it works with.
pub(crate) struct Tools<R> {
    /// The server.
    pub(crate) remote: Arc<R>,
    /// What is written.
    pub(crate) book: Book,
    /// Opens roots, for chunks that are here.
    pub(crate) roots: Arc<Roots>,
    /// How long the server is waited for.
    pub(crate) pace: Pace,
}

/// A file that was sent.
#[derive(Clone)]
struct File {
    local: RootPath,
    sent: RootPath,
    hash: Hash,
    manifest: Manifest,
}

/// Carries out an order.
pub(crate) async fn run<R: Remote>(job: Job, tools: Tools<R>) -> Outcome {
    let (cancel, pause) = (job.cancel.clone(), job.pause.clone());
    let (remote, tally) = (Arc::clone(&tools.remote), Arc::new(Tally::default()));
    let work = async {
        let ended = tokio::select! {
            ended = Receive::begin(job, tools, Arc::clone(&tally)) => ended,
            never = tell(&*remote, &tally) => match never {},
        };
        let failed = |refusal| Outcome::Ended {
            state: TransferState::Failed,
            progress: tally.progress(),
            error: Some(refusal),
        };
        ended.unwrap_or_else(failed)
    };
    let outcome = tokio::select! {
        biased;
        () = cancel.cancelled() => return Outcome::Stopped,
        () = async { pause.cancelled().await; tokio::time::sleep(DRAIN).await } => Outcome::Stopped,
        outcome = work => outcome,
    };
    remote.progress(Hold::None, tally.progress());
    outcome
}

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Looks {
    /// Files are sent in their order: behind a batch of which nothing is whole, nothing is looked for.
    AtFirst,
    /// Everything, now and then.
    AtAll,
}

/// How a look at all files ended.
enum Round {
    /// All was written that is there.
    Over,
    /// The disk is full.
    Full,
    /// The work ends like this.
    Ends(Outcome),
}

struct Receive<R> {
    job: Job,
    book: Book,
    remote: Arc<R>,
    pace: Pace,
    place: Place,
    sources: Sources<R, NoLines>,
    tally: Arc<Tally>,
    problems: Vec<Problem>,
}

impl<R: Remote> Receive<R> {
    async fn begin(job: Job, tools: Tools<R>, tally: Arc<Tally>) -> Result<Outcome, Refusal> {
        let Tools {
            remote,
            book,
            roots,
            pace,
        } = tools;
        let pause = job.pause.clone();
        let preparing = async {
            let grant = asked(&*remote, pace, || remote.begin()).await?;
            let beside = match &job.beside {
                Some(beside) => beside.clone(),
                None => asked(&*remote, pace, || remote.beside()).await?,
            };
            Ok::<_, Refusal>((grant, beside))
        };
        let Some(prepared) = pause.run_until_cancelled(preparing).await else {
            return Ok(Outcome::Stopped);
        };
        let (grant, beside) = prepared?;
        let site = Site {
            book: book.clone(),
            transfer: job.transfer,
            root: Arc::clone(&job.root),
            below: job.order.path.clone(),
            machine: job.machine.clone(),
            key: grant.chunk_key.clone(),
        };
        let order = job.order.clone();
        let (place, files, problems) = blocking(move || {
            let place = Place::open(site)?;
            let (files, problems) = files(&order, &beside)?;
            Ok((place, files, problems))
        })
        .await?;
        if job.if_missing == IfMissing::GoOn {
            place.allow_much();
        }
        tally.begin(&place);
        let sources = Sources {
            remote: Arc::clone(&remote),
            lines: NoLines,
            own: Own::new(book.clone(), grant.chunk_key.clone(), roots),
            key: grant.chunk_key,
            pace,
        };
        let receive = Self {
            job,
            book,
            remote,
            pace,
            place,
            sources,
            tally,
            problems,
        };
        receive.write(files).await
    }

    async fn write(mut self, files: Vec<File>) -> Result<Outcome, Refusal> {
        let mut open = self.not_yet_written(files).await?;
        self.tally.set_walked(true);
        let mut looked: Option<Instant> = None;
        loop {
            let extent = match looked {
                Some(at) if at.elapsed() < LOOK => Looks::AtFirst,
                _ => Looks::AtAll,
            };
            if extent == Looks::AtAll {
                looked = Some(Instant::now());
            }
            let round;
            (open, round) = self.round(open, extent).await?;
            let is_full = matches!(round, Round::Full);
            match round {
                Round::Ends(outcome) => return Ok(outcome),
                Round::Over if open.is_empty() => return self.end().await,
                Round::Over => self.tally.set_hold(Hold::None),
                Round::Full => self.tally.set_hold(Hold::NoRoom),
            }
            tokio::select! {
                () = self.job.pause.cancelled() => return Ok(Outcome::Stopped),
                () = self.job.news.notified(), if !is_full => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// Writes what is there; what is still open comes back.
    async fn round(&mut self, open: Vec<File>, extent: Looks) -> Result<(Vec<File>, Round), Refusal> {
        let mut waits = Vec::new();
        let mut rest = open.into_iter();
        loop {
            let batch: Vec<_> = rest.by_ref().take(BATCH).collect();
            if batch.is_empty() {
                return Ok((waits, Round::Over));
            }
            let before = waits.len();
            let round = self.put(&batch, &mut waits).await?;
            let is_in_vain = waits.len() - before == batch.len();
            match round {
                Round::Over if is_in_vain && extent == Looks::AtFirst => {}
                Round::Over => continue,
                Round::Ends(_) | Round::Full => {}
            }
            waits.extend(rest);
            return Ok((waits, round));
        }
    }

    /// Those that an earlier run of the agent has not written.
    async fn not_yet_written(&self, files: Vec<File>) -> Result<Vec<File>, Refusal> {
        let (book, transfer) = (self.book.clone(), self.job.transfer);
        let looked = blocking(move || {
            let look = |file: File| {
                let row = book.row(transfer, &file.local)?;
                let is_written = row.is_some_and(|row| row.manifest == file.hash);
                Ok::<_, Refusal>((file, is_written))
            };
            files.into_iter().map(look).collect::<Result<Vec<_>, _>>()
        });
        let mut open = Vec::new();
        for (file, is_written) in looked.await? {
            let size = size(&file.manifest);
            if let Some(size) = size {
                self.tally.plan(size, None);
            }
            match (is_written, size) {
                (true, Some(size)) => self.tally.done(size),
                (true, None) => {}
                (false, _) => open.push(file),
            }
        }
        Ok(open)
    }

    /// Writes what is there of these.
    async fn put(&mut self, batch: &[File], waits: &mut Vec<File>) -> Result<Round, Refusal> {
        let steps = batch.iter().map(File::step).collect();
        self.tally.batch();
        let applied = match apply(&self.place, steps, &self.sources, &self.job.pause).await {
            Ok(applied) => applied,
            Err(refusal) => {
                waits.extend_from_slice(batch);
                return self.broken_off(refusal).await;
            }
        };
        // From here on what has come counts with its files.
        self.tally.batch();
        for (file, became) in batch.iter().zip(&applied.became) {
            match became {
                Became::Done | Became::KeptAside | Became::Stays => {
                    if let Some(size) = size(&file.manifest) {
                        self.tally.done(size);
                    }
                }
                Became::Waits | Became::NotReached => waits.push(file.clone()),
                Became::Problem(problem) => self.problems.push(problem.clone()),
            }
        }
        self.tally.failed.store(self.problems.len() as u64, Relaxed);
        self.tally.conflicts.store(self.conflicts().await?, Relaxed);
        if applied.question.is_some() {
            return Ok(Round::Ends(Outcome::Asks(self.tally.progress())));
        }
        Ok(match self.job.pause.is_cancelled() {
            true => Round::Ends(Outcome::Stopped),
            false => Round::Over,
        })
    }

    /// What stopped all files: a root that is gone may come back, and room may be made.
    async fn broken_off(&self, refusal: Refusal) -> Result<Round, Refusal> {
        if self.job.pause.is_cancelled() {
            return Ok(Round::Ends(Outcome::Stopped));
        }
        match refusal.code {
            _ if is_gone(&self.job.root).await? => Ok(Round::Ends(Outcome::Asks(self.tally.progress()))),
            ErrorCode::NoRoom => Ok(Round::Full),
            _ => Err(refusal),
        }
    }

    async fn conflicts(&self) -> Result<u64, Refusal> {
        let (book, transfer) = (self.book.clone(), self.job.transfer);
        blocking(move || Ok(book.conflicts(transfer)?.len() as u64)).await
    }

    async fn end(self) -> Result<Outcome, Refusal> {
        report(&*self.remote, self.pace, &self.problems).await?;
        let progress = self.tally.progress();
        let (state, error) = match self.problems.into_iter().next() {
            None => (TransferState::Done, None),
            Some(_) if progress.files_done > 0 => (TransferState::Partly, None),
            Some(Problem { code, message, .. }) => (TransferState::Failed, Some(Refusal::new(code, message))),
        };
        Ok(Outcome::Ended { state, progress, error })
    }
}

impl File {
    fn step(&self) -> Step {
        Step::Put(Box::new(Wanted {
            path: self.local.clone(),
            origin: self.sent.clone(),
            hash: self.hash,
            manifest: self.manifest.clone(),
        }))
    }
}

fn size(manifest: &Manifest) -> Option<u64> {
    match &manifest.content {
        Content::File(file) => Some(file.size()),
        Content::Folder | Content::Symlink(_) => None,
    }
}

/// What is sent, and what of it cannot be written.
fn files(order: &ReceiveOrder, beside: &[u8]) -> Result<(Vec<File>, Vec<Problem>), Refusal> {
    let sent = sent_files(&order.files, beside).map_err(|bad| Refusal::new(ErrorCode::BadOrder, bad.to_string()))?;
    let (mut files, mut problems) = (Vec::new(), Vec::new());
    for SentFile { path, manifest } in sent {
        let parsed = Manifest::parse(&manifest);
        let local = rebased(&path, &RootPath::root(), &order.path).filter(|local| !local.is_root());
        match (parsed, local) {
            (Ok(parsed), Some(local)) => files.push(File {
                local,
                sent: path,
                hash: Hash::of(&manifest),
                manifest: parsed,
            }),
            _ => problems.push(Problem {
                path,
                code: ErrorCode::BadRequest,
                message: "it cannot be written under this name here; send it again with an up-to-date program"
                    .to_owned(),
            }),
        }
    }
    Ok((files, problems))
}

#[cfg(test)]
mod tests;

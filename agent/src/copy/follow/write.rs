//! Brings what is written to what is wanted: moves first, then what is put, at last what goes away, so that chunks of what goes
//! can still be used.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, atomic::Ordering::Relaxed},
};

use beckon_shared::error::ErrorCode;
use beckon_shared::{
    commit::{CHANGES_MAX, Change},
    entry::EntryKind,
    error::Refusal,
    id::{Hash, TransferId},
    manifest::{Content, Manifest},
    path::RootPath,
    transfer::{Hold, Problem},
};
use bytes::Bytes;

use super::{
    Follow, Round, blocking,
    learn::{Learned, manifests},
};
use crate::{
    copy::{
        Became, Book, Step, Wanted, apply,
        diff::{Cursor, Dirty, Mapping, Put, Rows},
        server::Remote,
        source::Lines,
        want::{Desired, View, above},
    },
    root::Root,
    upload::pause::Pace,
};

/// So many steps are carried out together: their manifests are in memory.
const BATCH: usize = CHANGES_MAX;
/// Rows that are counted in one go.
const PAGE: usize = 1000;

/// What the book says is written.
struct Copy {
    book: Book,
    transfer: TransferId,
}

impl Rows for Copy {
    fn row(&self, path: &RootPath) -> Result<Option<Hash>, Refusal> {
        Ok(self.book.row(self.transfer, path)?.map(|row| row.manifest))
    }

    fn page(&self, below: &RootPath, after: Option<&RootPath>, max: usize) -> Result<Vec<(RootPath, Hash)>, Refusal> {
        let rows = self
            .book
            .rows(self.transfer, below, Some(after.unwrap_or(below)), max)?;
        Ok(rows.into_iter().map(|(path, row)| (path, row.manifest)).collect())
    }
}

/// Where the next batches come from.
struct Coming {
    cursor: Option<Cursor>,
    queue: VecDeque<Put>,
    desired: Desired,
    mapping: Mapping,
    book: Book,
    transfer: TransferId,
}

/// What is put together.
#[derive(Default)]
pub(super) struct Batch {
    wanted: Vec<Wanted>,
    /// Whose manifests are kept no more.
    gone: Vec<Put>,
    /// Whose manifests this program does not understand.
    strange: Vec<Put>,
}

/// What a step is about, for the counts.
struct Noted {
    origin: RootPath,
    local: RootPath,
    /// Of a file.
    size: Option<u64>,
    /// Of the file that it takes the place of.
    old: Option<u64>,
}

impl<R: Remote, L: Lines> Follow<R, L> {
    /// Does all that can be done where wanted and written may differ.
    pub(super) async fn settle(&mut self) -> Result<Round, Refusal> {
        self.tally.set_hold(Hold::None);
        self.tally.set_walked(false);
        let mut dirty = std::mem::take(&mut self.dirty);
        let structure = dirty.take_structure(&self.mapping);
        let round = self.settle_at(&dirty, structure).await;
        self.learned.clear();
        if !matches!(round, Ok(Round::Over)) {
            dirty.merge(std::mem::take(&mut self.dirty));
            self.dirty = dirty;
        }
        self.tally.set_walked(true);
        self.count_trouble().await?;
        round
    }

    async fn settle_at(&mut self, dirty: &Dirty, structure: Vec<Change>) -> Result<Round, Refusal> {
        let steps = self.with_folders(structure).await?;
        if let round @ (Round::Asks | Round::Paused | Round::Full) = self.take_away(steps).await? {
            return Ok(round);
        }
        if let round @ (Round::Asks | Round::Paused | Round::Full) = self.put_all(dirty).await? {
            return Ok(round);
        }
        self.remove_all(dirty).await
    }

    /// What has come of files that are not wanted like that any more is of no use.
    pub(super) async fn drop_unwanted_parts(&self) -> Result<(), Refusal> {
        let (place, desired, mapping) = (self.place.clone(), self.desired.clone(), self.mapping.clone());
        let transfer = self.job.transfer;
        blocking(move || {
            let view = desired.view(transfer)?;
            place.drop_unwanted_parts(|local, manifest| match mapping.origin(local) {
                None => Ok(false),
                Some(origin) => Ok(view.get(&origin)? == Some(*manifest)),
            })
        })
        .await
    }

    /// Moves and removals as steps; what something moves into is a folder before, also where a file stood.
    async fn with_folders(&mut self, structure: Vec<Change>) -> Result<Vec<Step>, Refusal> {
        let (desired, mapping) = (self.desired.clone(), self.mapping.clone());
        let copy = self.written();
        let (places, wanted) = blocking(move || {
            let view = desired.view(copy.transfer)?;
            let mut places = Vec::new();
            for change in structure {
                let into = folders_of(&change, &view, &copy, &mapping)?;
                places.push((into, change));
            }
            let wanted: HashSet<Hash> = places
                .iter()
                .flat_map(|(into, _)| into)
                .map(|put| put.manifest)
                .collect();
            Ok((places, wanted.into_iter().collect()))
        })
        .await?;
        let known = self.understood(wanted).await?;
        let (mut steps, mut done) = (Vec::new(), HashSet::new());
        for (into, change) in places {
            for put in into {
                let manifest = known.get(&put.manifest);
                let folder = manifest.filter(|manifest| matches!(manifest.content, Content::Folder));
                if let Some(manifest) = folder
                    && done.insert(put.local.clone())
                {
                    steps.push(Step::Put(Box::new(Wanted {
                        path: put.local,
                        origin: put.origin,
                        hash: put.manifest,
                        manifest: manifest.clone(),
                    })));
                }
            }
            match change {
                Change::Move { from, to } => {
                    done.retain(|one| !from.holds(one) && !to.holds(one));
                    steps.push(Step::Move { from, to });
                }
                Change::Remove { path } => {
                    done.retain(|one| !path.holds(one));
                    steps.push(Step::Remove(path));
                }
                Change::Put { .. } => {}
            }
        }
        Ok(steps)
    }

    fn written(&self) -> Copy {
        Copy {
            book: self.book.clone(),
            transfer: self.job.transfer,
        }
    }

    async fn put_all(&mut self, dirty: &Dirty) -> Result<Round, Refusal> {
        let mut coming = Coming {
            cursor: Some(dirty.wanted(&self.mapping)),
            queue: VecDeque::new(),
            desired: self.desired.clone(),
            mapping: self.mapping.clone(),
            book: self.book.clone(),
            transfer: self.job.transfer,
        };
        let mut ready = None;
        loop {
            self.check_origin()?;
            let (remote, pace, mut learned) = (Arc::clone(&self.remote), self.pace, std::mem::take(&mut self.learned));
            let pause = self.job.pause.clone();
            // The manifests of the next batch come while this one is written.
            let next = async {
                let next = coming.next(&*remote, pace, &mut learned);
                pause.run_until_cancelled(next).await.unwrap_or(Ok(None))
            };
            let (round, next) = tokio::join!(self.put(ready.take()), next);
            self.learned = learned;
            if let round @ (Round::Asks | Round::Paused | Round::Full) = round? {
                return Ok(round);
            }
            ready = next?;
            match ready {
                None if self.job.pause.is_cancelled() => return Ok(Round::Paused),
                None => return Ok(Round::Over),
                Some(_) => {}
            }
        }
    }

    pub(super) async fn put(&mut self, batch: Option<Batch>) -> Result<Round, Refusal> {
        let Some(Batch { wanted, gone, strange }) = batch else {
            return Ok(Round::Over);
        };
        self.lost.extend(gone.into_iter().map(|put| put.origin));
        for Put { local, .. } in strange {
            self.problem(local.clone(), not_understood(local));
        }
        let (book, transfer) = (self.book.clone(), self.job.transfer);
        let (steps, noted) = blocking(move || noted(&book, transfer, wanted)).await?;
        for one in &noted {
            if let Some(size) = one.size {
                self.tally.plan(size, one.old);
            }
        }
        self.tally.batch();
        let applied = apply(&self.place, steps, &self.sources, &self.job.pause).await;
        let (became, question) = match applied {
            Ok(applied) => (applied.became, applied.question),
            Err(refusal) => {
                self.settle_counts(&noted, &vec![Became::NotReached; noted.len()]);
                return self.broken_off(refusal).await;
            }
        };
        let is_whole = self.settle_counts(&noted, &became);
        Ok(match question {
            Some(_) => Round::Asks,
            None if is_whole => Round::Over,
            None => Round::Paused,
        })
    }

    /// Counts what became of steps; whether all of them were reached.
    fn settle_counts(&mut self, noted: &[Noted], became: &[Became]) -> bool {
        let mut is_whole = true;
        // From here on what has come counts with its files.
        self.tally.batch();
        for (one, became) in noted.iter().zip(became) {
            let is_done = matches!(became, Became::Done | Became::KeptAside | Became::Stays);
            match (one.size, is_done) {
                (Some(size), true) => self.tally.done(size),
                (Some(size), false) => self.tally.undone(size, one.old),
                (None, _) => {}
            }
            match became {
                Became::Done | Became::KeptAside | Became::Stays => _ = self.problems.remove(&one.local),
                Became::Waits => _ = self.waits.insert(one.origin.clone()),
                Became::Problem(problem) => self.problem(one.local.clone(), problem.clone()),
                Became::NotReached => is_whole = false,
            }
        }
        is_whole
    }

    async fn remove_all(&mut self, dirty: &Dirty) -> Result<Round, Refusal> {
        let mut cursor = dirty.written(&self.mapping);
        loop {
            let (desired, mapping) = (self.desired.clone(), self.mapping.clone());
            let copy = self.written();
            let removals;
            (cursor, removals) = blocking(move || {
                let view = desired.view(copy.transfer)?;
                let removals = cursor.removals(&view, &copy, &mapping, BATCH)?;
                Ok((cursor, removals))
            })
            .await?;
            if removals.is_empty() {
                return Ok(Round::Over);
            }
            let steps = removals.into_iter().map(Step::Remove).collect();
            if let round @ (Round::Asks | Round::Paused | Round::Full) = self.take_away(steps).await? {
                return Ok(round);
            }
        }
    }

    /// Carries out steps that move and remove.
    async fn take_away(&mut self, steps: Vec<Step>) -> Result<Round, Refusal> {
        if steps.is_empty() {
            return Ok(Round::Over);
        }
        let (book, transfer) = (self.book.clone(), self.job.transfer);
        let (steps, counted) = blocking(move || {
            let counted: Result<Vec<_>, _> = steps.iter().map(|step| below(&book, transfer, step)).collect();
            Ok((steps, counted?))
        })
        .await?;
        let applied = match apply(&self.place, steps.clone(), &self.sources, &self.job.pause).await {
            Ok(applied) => applied,
            Err(refusal) => return self.broken_off(refusal).await,
        };
        let mut is_whole = true;
        for ((step, (files, bytes)), became) in steps.iter().zip(counted).zip(&applied.became) {
            let (Step::Remove(path) | Step::Move { from: path, .. }) = step else {
                continue;
            };
            match became {
                Became::Done | Became::KeptAside | Became::Stays => {
                    self.tally.removed(files, bytes);
                    self.problems.retain(|at, _| !path.holds(at));
                }
                Became::Waits => self.waits.extend(self.mapping.origin(path)),
                // What could not be moved is put where it is wanted, and removed where it was.
                Became::Problem(_) if matches!(step, Step::Move { .. }) => {}
                Became::Problem(problem) => self.problem(path.clone(), problem.clone()),
                Became::NotReached => is_whole = false,
            }
        }
        Ok(match applied.question {
            Some(_) => Round::Asks,
            None if is_whole => Round::Over,
            None => Round::Paused,
        })
    }

    /// What stopped all steps: a root that is gone may come back, and room may be made.
    pub(super) async fn broken_off(&mut self, refusal: Refusal) -> Result<Round, Refusal> {
        if self.job.pause.is_cancelled() {
            return Ok(Round::Paused);
        }
        match refusal.code {
            _ if self.is_root_gone().await? => Ok(Round::Asks),
            ErrorCode::NoRoom => Ok(Round::Full),
            _ => Err(refusal),
        }
    }

    /// A disk that was taken out is waited for: nothing is made where it was.
    pub(super) async fn is_root_gone(&self) -> Result<bool, Refusal> {
        is_gone(&self.job.root).await
    }

    pub(super) fn problem(&mut self, local: RootPath, problem: Problem) {
        /// More are not listed; they are counted.
        const PROBLEMS_MAX: usize = 10_000;
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.insert(local, problem);
        }
    }

    async fn count_trouble(&mut self) -> Result<(), Refusal> {
        let (book, transfer) = (self.book.clone(), self.job.transfer);
        let conflicts = blocking(move || Ok(book.conflicts(transfer)?.len() as u64)).await?;
        self.tally.conflicts.store(conflicts, Relaxed);
        self.tally.failed.store(self.problems.len() as u64, Relaxed);
        Ok(())
    }

    /// Begins the counts with what is here.
    pub(super) async fn count_what_is_here(&mut self) -> Result<(), Refusal> {
        let (book, transfer) = (self.book.clone(), self.job.transfer);
        let all = Step::Remove(RootPath::root());
        let (files, bytes) = blocking(move || below(&book, transfer, &all)).await?;
        self.tally.here(files, bytes);
        Ok(())
    }
}

/// Whether the folder of a root is not there.
pub(crate) async fn is_gone(root: &Arc<Root>) -> Result<bool, Refusal> {
    let root = Arc::clone(root);
    blocking(move || {
        let top = root.folder(&RootPath::root());
        Ok(top.is_err_and(|gone| gone.code == ErrorCode::NotFound))
    })
    .await
}

impl Coming {
    async fn next<R: Remote>(
        &mut self,
        remote: &R,
        pace: Pace,
        learned: &mut Learned,
    ) -> Result<Option<Batch>, Refusal> {
        if self.queue.is_empty() {
            self.look().await?;
        }
        let some: Vec<_> = self.queue.drain(..self.queue.len().min(BATCH)).collect();
        if some.is_empty() {
            return Ok(None);
        }
        let mut known: HashMap<Hash, Option<Bytes>> = HashMap::new();
        let mut unknown = Vec::new();
        let mut once = HashSet::new();
        for put in some.iter().filter(|put| once.insert(put.manifest)) {
            match learned.take(&put.manifest) {
                Some(bytes) => _ = known.insert(put.manifest, Some(bytes)),
                None => unknown.push(put.manifest),
            }
        }
        if !unknown.is_empty() {
            known.extend(manifests(remote, pace, &unknown).await?);
        }
        let mut batch = Batch::default();
        let mut later = Vec::new();
        for put in some {
            match known.get(&put.manifest) {
                // The answer was long enough without it.
                None => later.push(put),
                Some(bytes) => batch.add(put, bytes.as_deref()),
            }
        }
        later.into_iter().rev().for_each(|put| self.queue.push_front(put));
        Ok(Some(batch))
    }

    async fn look(&mut self) -> Result<(), Refusal> {
        let Some(mut cursor) = self.cursor.take() else {
            return Ok(());
        };
        let (desired, mapping) = (self.desired.clone(), self.mapping.clone());
        let copy = Copy {
            book: self.book.clone(),
            transfer: self.transfer,
        };
        // Anew each time: a view that stayed open while files are written would keep all that the book ever held.
        let (cursor, puts) = blocking(move || {
            let view = desired.view(copy.transfer)?;
            let puts = cursor.puts(&view, &copy, &mapping, BATCH)?;
            Ok((cursor, puts))
        })
        .await?;
        self.queue.extend(puts);
        self.cursor = Some(cursor);
        Ok(())
    }
}

impl Batch {
    /// Adds what is put, with the encoding of its manifest if there is one.
    pub(super) fn add(&mut self, put: Put, manifest: Option<&[u8]>) {
        let Some(bytes) = manifest else {
            return self.gone.push(put);
        };
        match Manifest::parse(bytes) {
            Ok(manifest) => self.wanted.push(Wanted {
                path: put.local,
                origin: put.origin,
                hash: put.manifest,
                manifest,
            }),
            Err(bad) => {
                tracing::warn!(%bad, "a manifest is not understood");
                self.strange.push(put);
            }
        }
    }
}

/// The folders that a move goes into, the topmost first, as far as they are not written as they are wanted.
fn folders_of(change: &Change, view: &View, copy: &Copy, mapping: &Mapping) -> Result<Vec<Put>, Refusal> {
    let Change::Move { to, .. } = change else {
        return Ok(Vec::new());
    };
    let mut folders = Vec::new();
    for local in above(to).filter(|local| !local.is_root()) {
        let Some(origin) = mapping.origin(&local) else { continue };
        if let Some(manifest) = view.get(&origin)?
            && copy.row(&local)? != Some(manifest)
        {
            folders.push(Put {
                origin,
                local,
                manifest,
            });
        }
    }
    folders.reverse();
    Ok(folders)
}

fn noted(book: &Book, transfer: TransferId, wanted: Vec<Wanted>) -> Result<(Vec<Step>, Vec<Noted>), Refusal> {
    let (mut steps, mut noted) = (Vec::new(), Vec::new());
    for one in wanted {
        let size = match &one.manifest.content {
            Content::File(file) => Some(file.size()),
            Content::Folder | Content::Symlink(_) => None,
        };
        let row = book.row(transfer, &one.path)?;
        let old = row.filter(|row| size.is_some() && row.kind == EntryKind::File);
        noted.push(Noted {
            origin: one.origin.clone(),
            local: one.path.clone(),
            size,
            old: old.map(|row| row.stamp.size),
        });
        steps.push(Step::Put(Box::new(one)));
    }
    Ok((steps, noted))
}

/// Files and bytes that a removal would take away.
fn below(book: &Book, transfer: TransferId, step: &Step) -> Result<(u64, u64), Refusal> {
    let Step::Remove(path) = step else { return Ok((0, 0)) };
    let (mut files, mut bytes, mut after) = (0, 0, None);
    loop {
        let page = book.rows(transfer, path, after.as_ref(), PAGE)?;
        for (_, row) in page.iter().filter(|(_, row)| row.kind == EntryKind::File) {
            files += 1;
            bytes += row.stamp.size;
        }
        match page.into_iter().next_back() {
            Some((last, _)) => after = Some(last),
            None => return Ok((files, bytes)),
        }
    }
}

fn not_understood(path: RootPath) -> Problem {
    Problem {
        path,
        code: ErrorCode::BadVersion,
        message: "what is stored of it cannot be understood by this agent; update it".to_owned(),
    }
}

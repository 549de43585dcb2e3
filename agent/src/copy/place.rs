//! One copy at its place: carries steps out so that after any crash each file is whole, old or new, and nothing that was
//! changed here is lost.
//!
//! A file is written under a name of its own in its folder and made durable; then the book says what is about to come, the file
//! gets its name, the folder is made durable, and the book says that it is there. Many small files go this way together.

mod batch;
mod check;
mod put;
mod seal;
mod structure;
mod survey;
mod touched;
mod trouble;
mod under_way;

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{Relaxed, SeqCst},
        },
    },
};

use beckon_shared::{
    chunk::{CHUNK_MAX, ChunkKey},
    error::{ErrorCode, Refusal},
    id::{ChunkId, Hash, TransferId},
    manifest::Content,
    path::{Label, RootPath},
};
use tokio_util::sync::CancellationToken;

use super::{
    Applied, Became, Book, Fetch, Much, Step, Wanted,
    disk::{Disk, Native},
    trash,
};
use crate::{clock, root::Root};

use batch::Half;
pub(super) use check::digest;
use structure::Structure;
pub(crate) use survey::Survey;
pub(super) use touched::Touched;

/// So many files are written before they get their names together.
const FILES_MAX: usize = 512;
/// And so many bytes, but for one file that has more. Bytes.
const BYTES_MAX: u64 = 64 << 20;
/// And so many files of several chunks, which are open at the same time.
const OPEN_MAX: usize = 64;
/// A file of this size is gone on with after a restart. Bytes.
const LARGE: u64 = 64 << 20;

/// What a place is made of.
pub(crate) struct Site {
    /// Remembers what was written.
    pub(crate) book: Book,
    /// The order's.
    pub(crate) transfer: TransferId,
    /// Where it is written.
    pub(crate) root: Arc<Root>,
    /// And below which path of it.
    pub(crate) below: RootPath,
    /// What this machine is called, for the names of what is kept aside.
    pub(crate) machine: Label,
    /// For the ids of chunks.
    pub(crate) key: ChunkKey,
}

/// One copy.
#[derive(Clone)]
pub(crate) struct Place(Arc<Inner>);

pub(super) struct Inner {
    disk: Arc<dyn Disk>,
    book: Book,
    transfer: TransferId,
    below: RootPath,
    machine: Label,
    key: ChunkKey,
    /// The id of the longest chunk that holds only zeros.
    hole: ChunkId,
    counters: Counters,
    guard: Guard,
    /// What has come of files that are not whole yet.
    halves: Mutex<HashMap<RootPath, Half>>,
}

/// What was done so far.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Files and symlinks that are as they were wanted.
    pub(crate) files: AtomicU64,
    /// Content bytes that came from files of this machine.
    pub(crate) bytes_own: AtomicU64,
    /// Content bytes that came straight from other machines.
    pub(crate) bytes_direct: AtomicU64,
    /// Content bytes that came from the server.
    pub(crate) bytes_server: AtomicU64,
    /// Files that were changed here, found since the place was opened.
    pub(crate) conflicts: AtomicU64,
    /// Files that were gone or damaged here and are written again.
    pub(crate) again: AtomicU64,
}

/// Sees to it that not too much is taken away without a person's word.
#[derive(Debug, Default)]
struct Guard {
    /// Files that were taken away in this round.
    removed: AtomicU64,
    /// Files that were known when the round began.
    known: Mutex<Option<u64>>,
    allows: AtomicBool,
}

impl Place {
    /// Opens a place, or begins one. Blocks.
    pub(crate) fn open(site: Site) -> Result<Self, Refusal> {
        if !site.root.writable {
            let name = &site.root.name;
            let advice = format!(
                "root {name} is not marked for writing; on the machine itself run: beckon roots writable {name} on"
            );
            return Err(Refusal::new(ErrorCode::NotAllowed, advice));
        }
        site.book.begin_copy(site.transfer, site.root.id)?;
        let disk = Arc::new(Native::new(Arc::clone(&site.root)));
        Ok(Self::on(disk, site))
    }

    /// A place on this disk, of a copy that the book knows.
    pub(super) fn on(disk: Arc<dyn Disk>, site: Site) -> Self {
        let hole = site.key.id(&vec![0; CHUNK_MAX]);
        Self(Arc::new(Inner {
            disk,
            book: site.book,
            transfer: site.transfer,
            below: site.below,
            machine: site.machine,
            key: site.key,
            hole,
            counters: Counters::default(),
            guard: Guard::default(),
            halves: Mutex::default(),
        }))
    }

    /// What was done since it was opened.
    pub(crate) fn counters(&self) -> &Counters {
        &self.0.counters
    }

    /// Bytes that have come of files that are not whole yet.
    pub(crate) fn half_bytes(&self) -> u64 {
        self.0.halves().values().map(|half| half.bytes).sum()
    }

    /// Removes what has come of files that are not to hold this any more. Blocks.
    pub(crate) fn drop_unwanted_parts(
        &self,
        is_wanted: impl Fn(&RootPath, &Hash) -> Result<bool, Refusal>,
    ) -> Result<(), Refusal> {
        put::drop_unwanted_parts(&self.0, is_wanted)
    }

    /// A person said that it is to go on although much goes or is gone; until the round is over.
    pub(crate) fn allow_much(&self) {
        self.0.guard.allows.store(true, SeqCst);
    }

    /// All that was wanted is done: what is taken away from now on is counted anew.
    pub(crate) fn round_is_over(&self) {
        let guard = &self.0.guard;
        guard.removed.store(0, SeqCst);
        guard.allows.store(false, SeqCst);
        *guard.known.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Compares what is on the disk with what was written: what is missing or damaged is forgotten by the book, so that it is
    /// written again; what was changed is a conflict. If much is missing, nothing is forgotten and a person is asked.
    pub(crate) async fn survey(&self, stop: &CancellationToken) -> Result<Survey, Refusal> {
        let (inner, stop) = (Arc::clone(&self.0), stop.clone());
        blocking(move || survey::survey(&inner, &stop)).await
    }
}

impl Guard {
    /// Counts files that are to be taken away, unless they are too many for now.
    fn take(&self, files: u64, known: impl FnOnce() -> Result<u64, Refusal>) -> Result<Option<Much>, Refusal> {
        let mut kept = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let known = match *kept {
            Some(known) => known,
            None => *kept.insert(known()?),
        };
        let files = self.removed.load(SeqCst) + files;
        if !self.allows.load(SeqCst) && is_much(files, known) {
            return Ok(Some(Much::Removed { files, known }));
        }
        self.removed.store(files, SeqCst);
        Ok(None)
    }
}

/// Carries steps out in their order. The same steps again do only what is not done yet. An error is one of all of them (no
/// room, no root, no book); what was done before it stays done.
pub(crate) async fn apply(
    place: &Place,
    steps: Vec<Step>,
    fetch: &impl Fetch,
    stop: &CancellationToken,
) -> Result<Applied, Refusal> {
    let (inner, stopped) = (Arc::clone(&place.0), stop.clone());
    let question = blocking(move || survey::glance(&inner, &stopped)).await?;
    if question.is_some() {
        let became = vec![Became::NotReached; steps.len()];
        return Ok(Applied { became, question });
    }
    let mut work = Work {
        place: Arc::clone(&place.0),
        applied: Applied {
            became: vec![Became::NotReached; steps.len()],
            question: None,
        },
        touched: Touched::default(),
        folders: Vec::new(),
    };
    let done = work.all(steps, fetch, stop).await;
    let (inner, folders, mut touched) = (work.place, work.folders, work.touched);
    blocking(move || {
        touched.lock_again(&*inner.disk);
        put::finish_folders(&inner, &folders, &touched)?;
        inner.disk.forget();
        Ok(())
    })
    .await?;
    done.map(|()| work.applied)
}

/// Removes from the trash of a root what went long ago. Blocks.
pub(crate) fn sweep_trash(root: Arc<Root>) {
    if let Err(cause) = trash::sweep(&Native::new(root), clock::now()) {
        tracing::debug!(%cause, "old trash could not be removed");
    }
}

/// Removes what has come of files that are not whole, of a copy that is over. Blocks.
pub(crate) fn drop_parts(root: Arc<Root>, book: &Book, transfer: TransferId) -> Result<(), Refusal> {
    put::drop_parts(&Native::new(root), book, transfer, &RootPath::root())
}

struct Work {
    place: Arc<Inner>,
    applied: Applied,
    touched: Touched,
    /// Folders that were put, to get their bits and times once all below them is there.
    folders: Vec<(RootPath, u32, i64)>,
}

/// Puts that go together, with the numbers of their steps.
type Puts = Vec<(usize, Box<Wanted>)>;

impl Work {
    async fn all(&mut self, steps: Vec<Step>, fetch: &impl Fetch, stop: &CancellationToken) -> Result<(), Refusal> {
        let mut steps = steps.into_iter().enumerate().peekable();
        while steps.peek().is_some() && !stop.is_cancelled() {
            let mut room = Room::default();
            let mut puts: Puts = Vec::new();
            while let Some((at, Step::Put(wanted))) = steps.next_if(|(_, step)| room.takes(step)) {
                puts.push((at, wanted));
            }
            if !puts.is_empty() {
                self.put(puts, fetch, stop).await?;
            } else {
                let mut structure = Vec::new();
                while let Some(step) = steps.next_if(|(_, step)| !matches!(step, Step::Put(_))) {
                    structure.push(step);
                }
                self.restructure(structure, stop).await?;
            }
            if self.applied.question.is_some() {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn put(&mut self, puts: Puts, fetch: &impl Fetch, stop: &CancellationToken) -> Result<(), Refusal> {
        let (place, touched) = (Arc::clone(&self.place), std::mem::take(&mut self.touched));
        let mut batch = blocking(move || put::plan(place, puts, touched)).await?;
        self.folders.append(&mut batch.folders);
        let mut fetched = Ok(());
        while fetched.is_ok() && !stop.is_cancelled() {
            let Some((wants, bases)) = batch.next_wants() else {
                break;
            };
            (batch, fetched) = fill(batch, wants, bases, fetch, stop).await?;
        }
        let sealed = blocking(move || Ok(seal::seal(batch))).await?;
        for (at, became) in sealed.became {
            self.applied.became[at] = became;
        }
        self.touched = sealed.touched;
        self.applied.question = sealed.question;
        sealed.refusal.map_or(fetched, Err)
    }

    async fn restructure(&mut self, steps: Vec<(usize, Step)>, stop: &CancellationToken) -> Result<(), Refusal> {
        let (place, touched, stop) = (Arc::clone(&self.place), std::mem::take(&mut self.touched), stop.clone());
        let done = blocking(move || Ok(Structure::new(place, touched).run(&steps, &stop))).await?;
        for (at, became) in done.became {
            self.applied.became[at] = became;
        }
        self.touched = done.touched;
        self.applied.question = done.question;
        done.refusal.map_or(Ok(()), Err)
    }
}

/// Fetches these chunks and writes them as they come.
async fn fill(
    mut batch: batch::Batch,
    wants: Vec<super::Want>,
    bases: Vec<ChunkId>,
    fetch: &impl Fetch,
    stop: &CancellationToken,
) -> Result<(batch::Batch, Result<(), Refusal>), Refusal> {
    /// So many chunks wait to be written.
    const WAITING: usize = 8;
    let (out, mut incoming) = tokio::sync::mpsc::channel(WAITING);
    let writing = blocking(move || {
        while let Some(got) = incoming.blocking_recv() {
            if !batch.take(&got) {
                break;
            }
        }
        Ok(batch)
    });
    let fetching = async {
        tokio::select! {
            biased;
            () = stop.cancelled() => Ok(()),
            fetched = fetch.fetch(wants, bases, out) => fetched,
        }
    };
    let (fetched, batch) = tokio::join!(fetching, writing);
    Ok((batch?, fetched))
}

/// How much still goes into a batch.
#[derive(Default)]
struct Room {
    paths: HashSet<RootPath>,
    bytes: u64,
    open: usize,
}

impl Room {
    fn takes(&mut self, step: &Step) -> bool {
        let Step::Put(wanted) = step else { return false };
        let (bytes, is_open) = match &wanted.manifest.content {
            Content::File(file) => (file.size(), file.chunks.len() > 1),
            _ => (0, false),
        };
        let open = self.open + usize::from(is_open);
        let fits = self.paths.len() < FILES_MAX
            && self.bytes.saturating_add(bytes) <= BYTES_MAX
            && open <= OPEN_MAX
            && !self.paths.contains(&wanted.path);
        if !fits && !self.paths.is_empty() {
            return false;
        }
        self.paths.insert(wanted.path.clone());
        self.bytes = self.bytes.saturating_add(bytes);
        self.open = open;
        true
    }
}

impl Inner {
    fn halves(&self) -> MutexGuard<'_, HashMap<RootPath, Half>> {
        self.halves.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, counter: impl Fn(&Counters) -> &AtomicU64, by: u64) {
        counter(&self.counters).fetch_add(by, Relaxed);
    }

    fn known_files(&self) -> Result<u64, Refusal> {
        let known = self.book.count(self.transfer, &RootPath::root())?;
        Ok(known.0)
    }
}

/// Whether so much is gone, of so much in all, that a person is asked first; as for uploads.
fn is_much(gone: u64, known: u64) -> bool {
    gone > 50.max(known / 10)
}

/// Runs what waits for the disk where nobody else is kept waiting.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Refusal> + Send + 'static) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| {
        let advice = "the agent has a fault; its log says more. Resume, and if it stays, report it";
        Err(Refusal::new(ErrorCode::Internal, advice))
    })
}

#[cfg(test)]
pub(super) mod tests;

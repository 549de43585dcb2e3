//! The pack writer with group commit: whoever sends chunks waits for the same few syncs as everybody else.
//!
//! A thread appends chunks to the current pack; a task behind it syncs filled packs, some at the same time, and then indexes
//! those that are synced in one transaction, while the next pack is filled. Chunks are durable once their pack's transaction
//! is committed.

mod assembly;
mod seal;

use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use beckon_shared::{bulk::ChunkHeader, chunk::ChunkKey, error::ErrorCode, id::TransferId};
use bytes::Bytes;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
    task::JoinHandle,
};

use super::{
    blob::Blobs,
    error::Error,
    meta::Meta,
    read::content,
    room::{Limit, Share},
    sabotage::sabotage,
};
use crate::clock::Clock;

/// Bytes that may wait for the disk; then senders wait.
const QUEUED_MAX: u32 = 24 << 20;

/// Packs that somebody waits for and that are synced or indexed at the same time: some sync while others' rows commit.
const SEALING: usize = 4;

/// While the disk is busy a pack that somebody waits for is handed over only when it is so long: each costs syncs and a
/// transaction. Bytes.
const WORTH_A_PACK: usize = 2 << 20;

/// What a queued chunk takes besides its bytes.
const OVERHEAD: u32 = 512;

/// What the writer works with.
#[derive(Clone)]
pub(crate) struct Parts {
    /// Where packs go.
    pub(crate) blobs: Arc<dyn Blobs>,
    /// Where they are indexed.
    pub(crate) meta: Meta,
    /// Time and chance.
    pub(crate) clock: Arc<dyn Clock>,
    /// Bytes of the disk that stay free.
    pub(crate) reserve: u64,
    /// A pack is sealed when it is this long, in bytes, or earlier if somebody waits and the disk is idle.
    pub(crate) pack_len: usize,
}

/// The writer; clones share it.
#[derive(Clone)]
pub(crate) struct Writer {
    queue: mpsc::UnboundedSender<Message>,
    room: Arc<Semaphore>,
    health: Arc<Health>,
    task: Arc<Mutex<Option<JoinHandle<()>>>>,
}

/// Whether the last sync succeeded.
#[derive(Debug)]
struct Health(AtomicBool);

impl Health {
    fn is_good(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    fn mark(&self, good: bool) {
        self.0.store(good, Ordering::Release);
    }
}

/// Tells that the thread or the task that it lives in has panicked.
struct Alarm {
    health: Arc<Health>,
    /// Where the thread is told of it.
    queue: Option<mpsc::WeakUnboundedSender<Message>>,
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        self.health.mark(false);
        if let Some(queue) = self.queue.as_ref().and_then(mpsc::WeakUnboundedSender::upgrade) {
            // The thread may be gone as well.
            let _ = queue.send(Message::Broken);
        }
    }
}

/// The queue has no bound of its own: the semaphore's permits inside bound it by bytes.
enum Message {
    Chunk(Queued),
    Flush(Waiter),
    Indexed,
    /// The task that seals has panicked.
    Broken,
    Stop,
}

struct Queued {
    chunk: VerifiedChunk,
    batch: Arc<BatchState>,
    permit: OwnedSemaphorePermit,
}

/// A chunk whose id was re-computed from its content.
#[derive(Debug, Clone)]
pub(crate) struct VerifiedChunk {
    /// Its id and lengths.
    pub(crate) header: ChunkHeader,
    /// Its bytes as they are to be stored.
    pub(crate) stored: Bytes,
}

impl VerifiedChunk {
    /// The chunk, if its content is what its id says.
    pub(crate) fn verify(key: &ChunkKey, header: ChunkHeader, stored: Bytes) -> Option<Self> {
        sabotage!(NoVerify => return Some(Self { header, stored }));
        let content = content(stored.clone(), header.encoding, header.len).ok()?;
        (key.id(&content) == header.id).then_some(Self { header, stored })
    }
}

/// Somebody who waits for a batch to be durable.
struct Waiter {
    batch: Arc<BatchState>,
    answer: oneshot::Sender<Result<(), Error>>,
}

impl Waiter {
    fn answer(self) {
        let result = self.batch.failure().map_or(Ok(()), Err);
        // Who no longer waits needs no answer.
        let _ = self.answer.send(result);
    }
}

/// What is known of the chunks that one request sent.
struct BatchState {
    share: Share,
    transfer: TransferId,
    failure: Mutex<Option<Error>>,
}

impl BatchState {
    fn fail(&self, error: &Error) {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.get_or_insert_with(|| error.for_another());
    }

    fn failure(&self) -> Option<Error> {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.as_ref().map(Error::for_another)
    }
}

impl Writer {
    /// Starts the writer's thread and task; the task runs on the present runtime.
    pub(crate) fn start(parts: Parts) -> Result<Self, Error> {
        let (queue, queued) = mpsc::unbounded_channel();
        let (filled, to_seal) = mpsc::channel(1);
        let health = Arc::new(Health(AtomicBool::new(true)));
        let assembly = assembly::Assembly::new(parts.clone(), health.clone(), filled);
        std::thread::Builder::new()
            .name("pack-writer".to_owned())
            .spawn(move || assembly.run(queued))?;
        let task = tokio::spawn(seal::run(parts, health.clone(), to_seal, queue.clone().downgrade()));
        let room = Arc::new(Semaphore::new(QUEUED_MAX as usize));
        Ok(Self {
            queue,
            room,
            health,
            task: Arc::new(Mutex::new(Some(task))),
        })
    }

    /// Begins to take chunks for a transfer, for which they are pinned, into the space of `share`.
    pub(crate) fn batch(&self, transfer: TransferId, share: Share, limit: Limit) -> Batch {
        let state = BatchState {
            share,
            transfer,
            failure: Mutex::new(None),
        };
        Batch {
            writer: self.clone(),
            state: Arc::new(state),
            limit,
        }
    }

    /// Whether the disk did what it was told the last time.
    pub(crate) fn is_healthy(&self) -> bool {
        self.health.is_good()
    }

    /// Stores what is queued, and ends. Later chunks are refused.
    pub(crate) async fn close(&self) {
        // Closed already, if nobody listens.
        let _ = self.queue.send(Message::Stop);
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task
            && let Err(error) = task.await
        {
            tracing::error!(%error, "the pack writer ended badly");
        }
    }
}

/// Chunks that are to be durable together.
pub(crate) struct Batch {
    writer: Writer,
    state: Arc<BatchState>,
    limit: Limit,
}

impl Batch {
    /// Queues a chunk; waits while too many bytes are queued.
    pub(crate) async fn push(&self, chunk: VerifiedChunk) -> Result<(), Error> {
        if let Some(error) = self.state.failure() {
            return Err(error);
        }
        self.limit.admit(&self.state.share, &chunk.header).await?;
        let permits = chunk.header.stored_len.saturating_add(OVERHEAD).min(QUEUED_MAX);
        let permit = self
            .writer
            .room
            .clone()
            .acquire_many_owned(permits)
            .await
            .map_err(|_| stopped())?;
        let queued = Queued {
            chunk,
            batch: self.state.clone(),
            permit,
        };
        self.writer.queue.send(Message::Chunk(queued)).map_err(|_| stopped())
    }

    /// Waits until all that was pushed is durable.
    pub(crate) async fn durable(self) -> Result<(), Error> {
        let (answer, answered) = oneshot::channel();
        self.writer
            .queue
            .send(Message::Flush(Waiter {
                batch: self.state,
                answer,
            }))
            .map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?
    }
}

fn stopped() -> Error {
    Error::refused(ErrorCode::GoingAway, "the server is going down; try again in a moment")
}

fn broken() -> Error {
    Error::Io(io::Error::other("the pack writer broke down; restart the server"))
}

/// Proves after a failed sync that the disk works again: what is written, synced and read anew is the same.
fn probe(parts: &Parts) -> io::Result<()> {
    let pack = super::pack::PackId::new(&*parts.clock);
    let written = crate::clock::random::<4096>(&*parts.clock);
    let mut sink = parts.blobs.begin(pack)?;
    sink.write(&written)?;
    sink.seal()?;
    let read = parts.blobs.read(pack, 0..written.len() as u64)?;
    parts.blobs.delete(pack)?;
    if read != written {
        return Err(io::Error::other("the disk gives back other bytes than were written"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;

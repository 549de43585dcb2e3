//! The thread that fills packs.

use std::{collections::HashMap, sync::Arc};

use beckon_shared::{
    bulk::ChunkHeader,
    id::{ChunkId, SpaceId},
};
use tokio::sync::{OwnedMutexGuard, mpsc};

use super::{
    Alarm, BatchState, Error, Health, Message, Parts, Queued, SEALING, WORTH_A_PACK, Waiter, broken, probe, stopped,
};
use crate::store::{
    blob::PackSink,
    meta::chunk::{NewChunk, NewPack, Pinned, Sealed},
    pack::{self, PackId},
    sabotage::sabotage,
};

/// A pack that is ready to be synced, with what it was written into.
pub(super) type Ready = (Filled, Box<dyn PackSink>);

/// What is known of a pack to which no more chunks come.
pub(super) struct Filled {
    pub(super) id: PackId,
    pub(super) len: usize,
    pub(super) chunks: Vec<NewChunk>,
    pins: Vec<Pinned>,
    batches: Vec<Part>,
    pub(super) waiters: Vec<Waiter>,
}

/// What a pack holds of a batch.
pub(super) struct Part {
    batch: Arc<BatchState>,
    /// Content of the chunks, as the batch counted it when they came.
    bytes: u64,
}

impl Part {
    /// See [`Share::indexing`](crate::store::room::Share::indexing).
    pub(super) async fn indexing(&self) -> OwnedMutexGuard<()> {
        self.batch.share.indexing().await
    }

    /// The chunks are indexed: they are not on their way any more.
    pub(super) fn settle(&self) {
        self.batch.share.settle(self.bytes);
    }
}

impl Filled {
    /// Tells everybody how it went.
    pub(super) fn answer(waiters: Vec<Waiter>, batches: &[Part], failure: Option<&Error>) {
        if let Some(error) = failure {
            batches.iter().for_each(|part| part.batch.fail(error));
        }
        waiters.into_iter().for_each(Waiter::answer);
    }

    /// What is to be indexed.
    pub(super) fn sealed(&self) -> Sealed<'_> {
        Sealed {
            pack: NewPack {
                id: self.id,
                len: self.len as u64,
            },
            chunks: &self.chunks,
            pins: &self.pins,
        }
    }

    /// The batches that it holds chunks of.
    pub(super) fn batches(&self) -> &[Part] {
        &self.batches
    }

    /// The same, no longer to be told of.
    pub(super) fn take_batches(&mut self) -> Vec<Part> {
        std::mem::take(&mut self.batches)
    }
}

/// What is left of a pack that could not be written to its end.
struct Lost {
    error: Error,
    batches: Vec<Part>,
    waiters: Vec<Waiter>,
}

/// A pack that takes chunks.
struct Open {
    filled: Filled,
    sink: Box<dyn PackSink>,
    seen: HashMap<(SpaceId, ChunkId), usize>,
}

/// What the thread holds.
pub(super) struct Assembly {
    parts: Parts,
    health: Arc<Health>,
    filled: mpsc::Sender<Ready>,
    open: Option<Open>,
    waiters: Vec<Waiter>,
    /// Packs that were handed over and are not indexed yet.
    behind: usize,
    /// Whether the task that seals has ended: nothing becomes durable any more.
    is_broken: bool,
}

impl Assembly {
    pub(super) fn new(parts: Parts, health: Arc<Health>, filled: mpsc::Sender<Ready>) -> Self {
        Self {
            parts,
            health,
            filled,
            open: None,
            waiters: Vec::new(),
            behind: 0,
            is_broken: false,
        }
    }

    /// Fills packs until it is told to stop.
    pub(super) fn run(mut self, mut queue: mpsc::UnboundedReceiver<Message>) {
        let _alarm = Alarm {
            health: self.health.clone(),
            queue: None,
        };
        loop {
            let message = queue.try_recv().ok().or_else(|| {
                self.idle();
                queue.blocking_recv()
            });
            match message {
                Some(Message::Chunk(queued)) => self.take(queued),
                Some(Message::Flush(waiter)) => self.wait(waiter),
                Some(Message::Indexed) => self.behind = self.behind.saturating_sub(1),
                Some(Message::Broken) => self.break_down(),
                Some(Message::Stop) | None => break,
            }
        }
        self.finish(queue);
    }

    /// Stores what was taken and refuses what still comes. Nobody is answered while a pack is not indexed yet.
    fn finish(mut self, mut queue: mpsc::UnboundedReceiver<Message>) {
        if self.open.is_some() {
            self.hand_over();
        }
        while self.behind > 0 {
            match queue.blocking_recv() {
                Some(Message::Chunk(queued)) => queued.batch.fail(&stopped()),
                Some(Message::Flush(waiter)) => self.wait(waiter),
                Some(Message::Indexed) => self.behind -= 1,
                Some(Message::Broken) => self.break_down(),
                Some(Message::Stop) => {}
                None => return,
            }
        }
        self.waiters.into_iter().for_each(Waiter::answer);
    }

    fn wait(&mut self, waiter: Waiter) {
        sabotage!(AnswerEarly => return waiter.answer());
        if self.is_broken {
            waiter.batch.fail(&broken());
        }
        self.waiters.push(waiter);
    }

    /// Nobody can be told any more that something is durable.
    fn break_down(&mut self) {
        self.is_broken = true;
        self.behind = 0;
        self.abandon(&broken());
        for waiter in std::mem::take(&mut self.waiters) {
            self.wait(waiter);
        }
    }

    /// The queue is empty: if somebody waits and the disk is idle, there is nothing to gain by waiting for more.
    /// While the disk is busy the pack goes on growing, so that the next sync serves all who came meanwhile; until it is so
    /// large that the next ones may grow while it becomes durable.
    fn idle(&mut self) {
        let len = self.open.as_ref().map_or(0, |open| open.filled.len);
        let is_time = match self.behind {
            0 => true,
            behind => behind < SEALING && len >= WORTH_A_PACK.min(self.parts.pack_len / 2),
        };
        if !self.waiters.is_empty() && is_time {
            self.hand_over();
        }
    }

    fn take(&mut self, queued: Queued) {
        if let Err(error) = self.append(&queued) {
            tracing::warn!(%error, "a chunk could not be written");
            queued.batch.fail(&error);
            self.abandon(&error);
        }
        drop(queued.permit);
        if self
            .open
            .as_ref()
            .is_some_and(|open| open.filled.len >= self.parts.pack_len)
        {
            self.hand_over();
        }
    }

    fn append(&mut self, queued: &Queued) -> Result<(), Error> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.begin()?,
        };
        let appended = open.append(queued);
        self.open = Some(open);
        appended
    }

    fn begin(&self) -> Result<Open, Error> {
        if self.is_broken {
            return Err(broken());
        }
        if !self.health.is_good() {
            probe(&self.parts)?;
            self.health.mark(true);
        }
        if self.parts.blobs.room()?.is_some_and(|free| free < self.parts.reserve) {
            return Err(Error::no_room());
        }
        let id = PackId::new(&*self.parts.clock);
        let mut sink = self.parts.blobs.begin(id)?;
        sink.write(&pack::header(id))?;
        let filled = Filled {
            id,
            len: pack::HEADER_LEN,
            chunks: Vec::new(),
            pins: Vec::new(),
            batches: Vec::new(),
            waiters: Vec::new(),
        };
        Ok(Open {
            filled,
            sink,
            seen: HashMap::new(),
        })
    }

    /// Gives up the open pack: nothing in it can be counted on.
    fn abandon(&mut self, error: &Error) {
        if let Some(mut open) = self.open.take() {
            Filled::answer(Vec::new(), &open.filled.take_batches(), Some(error));
        }
    }

    fn hand_over(&mut self) {
        let waiters = std::mem::take(&mut self.waiters);
        let Some(open) = self.open.take() else {
            // All that these wait for was in packs that are indexed, or has failed.
            waiters.into_iter().for_each(Waiter::answer);
            return;
        };
        match open.close(waiters) {
            Ok(ready) => {
                self.behind += 1;
                if let Err(mpsc::error::SendError((mut filled, _))) = self.filled.blocking_send(ready) {
                    Filled::answer(
                        std::mem::take(&mut filled.waiters),
                        &filled.take_batches(),
                        Some(&broken()),
                    );
                    self.break_down();
                }
            }
            Err(lost) => {
                Filled::answer(Vec::new(), &lost.batches, Some(&lost.error));
                // Some of these may wait for earlier packs: they are answered when none is behind.
                self.waiters = lost.waiters;
            }
        }
    }
}

impl Open {
    fn append(&mut self, queued: &Queued) -> Result<(), Error> {
        let space = queued.batch.share.space();
        let header = queued.chunk.header;
        let at = match self.seen.get(&(space, header.id)) {
            Some(at) => *at,
            None => self.write(space, header, &queued.chunk.stored)?,
        };
        let filled = &mut self.filled;
        filled.pins.push(Pinned {
            chunk: at,
            transfer: queued.batch.transfer,
        });
        let bytes = u64::from(header.len);
        match filled.batches.last_mut() {
            Some(last) if Arc::ptr_eq(&last.batch, &queued.batch) => last.bytes += bytes,
            _ => filled.batches.push(Part {
                batch: queued.batch.clone(),
                bytes,
            }),
        }
        Ok(())
    }

    fn write(&mut self, space: SpaceId, header: ChunkHeader, stored: &[u8]) -> Result<usize, Error> {
        self.sink.write(&pack::record(space, &header, stored))?;
        self.sink.write(stored)?;
        let filled = &mut self.filled;
        let at = filled.chunks.len();
        filled.chunks.push(NewChunk {
            space,
            header,
            start: (filled.len + pack::RECORD_LEN) as u64,
        });
        filled.len += pack::RECORD_LEN + stored.len();
        self.seen.insert((space, header.id), at);
        Ok(at)
    }

    fn close(self, waiters: Vec<Waiter>) -> Result<Ready, Lost> {
        let (mut filled, mut sink) = (self.filled, self.sink);
        let count = u32::try_from(filled.chunks.len()).unwrap_or(u32::MAX);
        if let Err(error) = sink.write(&pack::footer(count)) {
            return Err(Lost {
                error: error.into(),
                batches: filled.batches,
                waiters,
            });
        }
        filled.len += pack::FOOTER_LEN;
        filled.waiters = waiters;
        Ok((filled, sink))
    }
}

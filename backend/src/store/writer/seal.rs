//! The task that syncs filled packs, some at the same time, and indexes them in the order in which they were filled.

use std::sync::Arc;

use tokio::{
    sync::mpsc::{self, WeakUnboundedSender},
    task::{JoinHandle, spawn_blocking},
};

use super::{
    Alarm, Error, Health, Message, Parts, SEALING,
    assembly::{Filled, Part, Ready},
};
use crate::store::meta::chunk;

/// A pack that is on its way to the disk.
struct Sealing {
    pack: Filled,
    sealed: JoinHandle<std::io::Result<()>>,
}

/// A pack of which is known whether it is on the disk.
struct Synced {
    pack: Filled,
    failure: Option<Error>,
}

/// Seals packs until there will be no more.
pub(super) async fn run(
    parts: Parts,
    health: Arc<Health>,
    filled: mpsc::Receiver<Ready>,
    queue: WeakUnboundedSender<Message>,
) {
    let _alarm = Alarm {
        health: health.clone(),
        queue: Some(queue.clone()),
    };
    // Besides those in between, one is waited for at either end.
    let (begun, sealing) = mpsc::channel(SEALING - 2);
    tokio::join!(begin_all(filled, begun), finish_all(&parts, &health, sealing, &queue));
}

async fn begin_all(mut filled: mpsc::Receiver<Ready>, begun: mpsc::Sender<Sealing>) {
    while let Some((pack, sink)) = filled.recv().await {
        let sealed = spawn_blocking(move || sink.seal());
        if begun.send(Sealing { pack, sealed }).await.is_err() {
            return;
        }
    }
}

/// In their order: whoever waits for a pack waits for those before it too.
async fn finish_all(
    parts: &Parts,
    health: &Health,
    mut sealing: mpsc::Receiver<Sealing>,
    queue: &WeakUnboundedSender<Message>,
) {
    let mut ahead = None;
    loop {
        let next = match ahead.take() {
            Some(next) => Some(next),
            None => sealing.recv().await,
        };
        let Some(next) = next else { return };
        let mut synced = vec![next.synced(health).await];
        // Those that are synced by now share the transaction.
        while let Ok(next) = sealing.try_recv() {
            if !next.sealed.is_finished() {
                ahead = Some(next);
                break;
            }
            synced.push(next.synced(health).await);
        }
        finish(parts, synced, queue).await;
    }
}

impl Sealing {
    /// The pack, once it is synced, and whether that went well.
    async fn synced(self, health: &Health) -> Synced {
        let result = self.sealed.await.map_err(std::io::Error::other).flatten();
        if result.is_err() {
            health.mark(false);
        }
        Synced {
            pack: self.pack,
            failure: result.err().map(Error::from),
        }
    }
}

/// Indexes those that are synced, and tells everybody.
async fn finish(parts: &Parts, synced: Vec<Synced>, queue: &WeakUnboundedSender<Message>) {
    let good: Vec<&Filled> = synced
        .iter()
        .filter(|synced| synced.failure.is_none())
        .map(|synced| &synced.pack)
        .collect();
    let failure = index(parts, &good).await.err();
    for Synced { mut pack, failure: own } in synced {
        let (waiters, batches) = (std::mem::take(&mut pack.waiters), pack.take_batches());
        let failure = own.as_ref().or(failure.as_ref());
        if let Some(error) = failure {
            tracing::error!(%error, pack = %pack.id, "a pack was abandoned");
        }
        Filled::answer(waiters, &batches, failure);
        if let Some(queue) = queue.upgrade() {
            // Nobody listens any more when the writer was stopped.
            let _ = queue.send(Message::Indexed);
        }
    }
}

async fn index(parts: &Parts, packs: &[&Filled]) -> Result<(), Error> {
    let Some(part) = packs.iter().find_map(|pack| pack.batches().first()) else {
        return Ok(());
    };
    let _indexing = part.indexing().await;
    let sealed: Vec<_> = packs.iter().map(|pack| pack.sealed()).collect();
    chunk::index(&parts.meta, &*parts.clock, &sealed).await?;
    for pack in packs {
        pack.batches().iter().for_each(Part::settle);
        tracing::debug!(pack = %pack.id, bytes = pack.len, chunks = pack.chunks.len(), "a pack is durable");
    }
    Ok(())
}

//! The task that syncs and indexes filled packs, one after the other.

use std::sync::Arc;

use tokio::{
    sync::mpsc::{self, WeakUnboundedSender},
    task::spawn_blocking,
};

use super::{
    Alarm, Error, Health, Message, Parts,
    assembly::{Filled, Part},
};
use crate::store::{blob::PackSink, meta::chunk};

/// Seals packs until there will be no more.
pub(super) async fn run(
    parts: Parts,
    health: Arc<Health>,
    mut filled: mpsc::Receiver<Filled>,
    queue: WeakUnboundedSender<Message>,
) {
    let _alarm = Alarm {
        health: health.clone(),
        queue: Some(queue.clone()),
    };
    while let Some(mut pack) = filled.recv().await {
        let waiters = std::mem::take(&mut pack.waiters);
        let batches = pack.take_batches();
        let indexing = match batches.first() {
            Some(part) => Some(part.indexing().await),
            None => None,
        };
        let failure = store(&parts, &health, pack).await.err();
        if let Some(error) = &failure {
            tracing::error!(%error, "a pack was abandoned");
        }
        if failure.is_none() {
            batches.iter().for_each(Part::settle);
        }
        drop(indexing);
        Filled::answer(waiters, &batches, failure.as_ref());
        if let Some(queue) = queue.upgrade() {
            // Nobody listens any more when the writer was stopped.
            let _ = queue.send(Message::Indexed);
        }
    }
}

async fn store(parts: &Parts, health: &Health, pack: Filled) -> Result<(), Error> {
    let (id, len, count) = (pack.id, pack.len as u64, pack.chunks.len());
    let sink = pack.sink;
    if let Err(error) = seal(sink).await {
        health.mark(false);
        return Err(error);
    }
    chunk::index(
        &parts.meta,
        &*parts.clock,
        chunk::NewPack { id, len },
        &pack.chunks,
        &pack.pins,
    )
    .await?;
    tracing::debug!(pack = %id, bytes = len, chunks = count, "a pack is durable");
    Ok(())
}

async fn seal(sink: Box<dyn PackSink>) -> Result<(), Error> {
    let sealed = spawn_blocking(move || sink.seal()).await;
    Ok(sealed.map_err(std::io::Error::other)??)
}

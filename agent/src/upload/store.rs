//! Makes batches durable, several at once: what is missing is asked, and only that is sent, in parts that fit the window.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use beckon_shared::{
    error::{ErrorCode, Refusal},
    id::ChunkId,
};
use futures_util::{StreamExt, future::join_all, stream};
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{
    Shared,
    batch::{Batch, Finished, Piece, Stored},
    encode::{Body, Chunk},
    pause::{Pause, closed},
    recipe,
    remote::{Failure, Remote},
};
use crate::fault;

/// Batches that are asked about or wait to be sent at the same time. How much is sent at once, the window says.
const IN_FLIGHT: usize = 4;
/// Chunks that are remembered as asked about, twice over. At 32 bytes each they take a few MiB.
const REMEMBERED: usize = 1 << 16;

/// Stores all batches, or those that were begun before `stop` fires, and hands on what is finished with them in the order in
/// which they came.
pub(super) async fn store_all<R: Remote>(
    shared: &Arc<Shared<R>>,
    stop: CancellationToken,
    batches: mpsc::Receiver<Batch>,
    durable: mpsc::Sender<Vec<Finished>>,
) -> Result<(), Refusal> {
    let mut asked = Asked::default();
    let started = stream::unfold((batches, stop), |(mut batches, stop)| async move {
        let next = stop.run_until_cancelled(batches.recv()).await.flatten();
        next.map(|batch| (batch, (batches, stop)))
    })
    .map(|mut batch| {
        // A chunk in an earlier batch is durable before this batch is handed on.
        batch.pieces.retain(|piece| asked.insert(piece.id));
        AbortOnDropHandle::new(tokio::spawn(store(Arc::clone(shared), batch)))
    });
    let mut stored = std::pin::pin!(started.buffered(IN_FLIGHT));
    while let Some(finished) = stored.next().await {
        let finished = finished.map_err(|_| fault())??.in_turn();
        if durable.send(finished).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// Stores one batch, however often that must be tried. What a broken try made durable is not sent again.
async fn store<R: Remote>(shared: Arc<Shared<R>>, batch: Batch) -> Result<Stored, Refusal> {
    let mut pause = Pause::new(&shared.remote, &shared.counters, shared.pace);
    let content = batch.content_len();
    let mut sent = HashMap::new();
    if !batch.pieces.is_empty() {
        while let Err(failure) = send_missing(&shared, &batch, &mut sent).await {
            pause.after(failure).await?;
        }
    }
    let travelled: u64 = sent.values().sum();
    shared.counters.durable(content, content.saturating_sub(travelled));
    Ok(batch.stored())
}

/// Asks what is missing, but for what the version before has, and sends that; how much of it was ever on its way is noted in
/// `sent`.
async fn send_missing<R: Remote>(
    shared: &Shared<R>,
    batch: &Batch,
    sent: &mut HashMap<ChunkId, u64>,
) -> Result<(), Failure> {
    let held = recipe::held(shared, batch).await;
    let asked: Vec<Piece> = batch
        .pieces
        .iter()
        .filter(|piece| !held.contains(&piece.id))
        .copied()
        .collect();
    let pieces = missing_of(shared, asked).await?;
    let mut recipes = recipe::of_batch(shared, batch, &pieces).await;
    let chunks: Vec<Chunk> = pieces
        .iter()
        .map(|piece| Chunk {
            id: piece.id,
            content: batch.content(piece),
            recipe: recipes.remove(&piece.id),
        })
        .collect();
    sent.extend(chunks.iter().map(|chunk| (chunk.id, chunk.len())));
    // Each is sent to its end even if another one breaks: what arrives need not travel again.
    let parts = parts(chunks, shared.window.share());
    let answers = join_all(parts.into_iter().map(|part| send_or_spell_out(shared, part))).await;
    if answers.iter().any(|answer| matches!(answer, Ok(Sent::SpelledOut))) {
        recipe::refused(&batch.spans);
    }
    answers.into_iter().try_for_each(|answer| answer.map(drop))
}

/// Those that the server has not.
async fn missing_of<R: Remote>(shared: &Shared<R>, mut pieces: Vec<Piece>) -> Result<Vec<Piece>, Failure> {
    if pieces.is_empty() {
        return Ok(pieces);
    }
    let missing = shared
        .remote
        .have(pieces.iter().map(|piece| piece.id).collect())
        .await?;
    if !missing.answers(pieces.len()) {
        return Err(Failure::Refused(fault()));
    }
    let mut at = 0..;
    pieces.retain(|_| at.next().is_some_and(|at| missing.get(at)));
    Ok(pieces)
}

/// How chunks were sent.
enum Sent {
    AsTheyWere,
    /// The server could not follow a recipe among them.
    SpelledOut,
}

/// Sends chunks; once more without recipes where the server cannot follow one.
async fn send_or_spell_out<R: Remote>(shared: &Shared<R>, mut part: Vec<Chunk>) -> Result<Sent, Failure> {
    let has_recipes = part.iter().any(|chunk| chunk.recipe.is_some());
    match send_part(shared, part.clone()).await {
        Err(Failure::Refused(refusal)) if has_recipes && refusal.code == ErrorCode::Conflict => {
            tracing::debug!(%refusal, "chunks are sent as they are");
            part.iter_mut().for_each(|chunk| chunk.recipe = None);
            send_part(shared, part).await.map(|()| Sent::SpelledOut)
        }
        answer => answer.map(|()| Sent::AsTheyWere),
    }
}

/// Sends chunks when the window and the hour let them.
pub(super) async fn send_part<R: Remote>(
    shared: &Shared<R>,
    part: impl IntoIterator<Item = impl Into<Chunk>>,
) -> Result<(), Failure> {
    let part: Vec<Chunk> = part.into_iter().map(Into::into).collect();
    let permit = shared.window.pass(part.iter().map(Chunk::len).sum()).await;
    // Only now: the hour may have ended while it waited, and nothing else is to be sent then either.
    closed(&shared.throttle, &shared.counters).await;
    let permit = permit.begun();
    let body = Body::new(part, shared.compression, Arc::clone(&shared.counters));
    let answer = shared.remote.send(body).await;
    match answer {
        Ok(()) => {
            fault::point("part-answered");
            permit.answered();
        }
        Err(_) => permit.broken(),
    }
    answer
}

/// The chunks in the same order, in parts of about `share` bytes; each holds one at least.
fn parts(chunks: Vec<Chunk>, share: u64) -> Vec<Vec<Chunk>> {
    let mut parts: Vec<Vec<_>> = Vec::new();
    let mut room = 0;
    for chunk in chunks {
        let len = chunk.len();
        match parts.last_mut() {
            Some(part) if len <= room => part.push(chunk),
            _ => {
                parts.push(vec![chunk]);
                room = share;
            }
        }
        room = room.saturating_sub(len);
    }
    parts
}

fn fault() -> Refusal {
    Refusal::new(
        ErrorCode::Internal,
        "agent and server do not understand each other; update the older of the two and upload again",
    )
}

/// The chunks asked about last.
#[derive(Default)]
struct Asked {
    new: HashSet<ChunkId>,
    old: HashSet<ChunkId>,
}

impl Asked {
    /// Whether it was not among them.
    fn insert(&mut self, id: ChunkId) -> bool {
        if self.new.contains(&id) || self.old.contains(&id) {
            return false;
        }
        if self.new.len() >= REMEMBERED {
            self.old = std::mem::take(&mut self.new);
        }
        self.new.insert(id)
    }
}

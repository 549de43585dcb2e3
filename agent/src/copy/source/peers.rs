//! Chunks straight from other machines, from several at once: each takes the next that is wanted. One that fails, lies or is
//! silent is left, and what it owed is asked of the others.

use std::{
    collections::VecDeque,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use beckon_shared::chunk::ChunkKey;
use bytes::Bytes;
use futures_util::future::join_all;
use tokio::sync::mpsc;

use crate::{
    copy::{Got, Want, Whence},
    session::Unanswered,
};

/// So many chunks are asked of one machine at once.
const DEPTH: usize = 8;
/// A chunk that does not come in so long is not waited for, even where the line is alive.
const PATIENCE: Duration = Duration::from_secs(10);
/// More machines are not asked.
const LINES_MAX: usize = 32;

/// A line to a machine that may hold what is wanted.
pub(crate) trait Line: Send + Sync + 'static {
    /// The bytes of a chunk.
    fn chunk(&self, want: &Want) -> impl Future<Output = Result<Bytes, Unanswered>> + Send;
    /// It is of no use any more.
    fn leave(&self);
}

/// The lines that stand.
pub(crate) trait Lines: Send + Sync + 'static {
    /// To one machine.
    type Line: Line;
    /// Those that stand now.
    fn open(&self) -> impl Future<Output = Vec<Arc<Self::Line>>> + Send;
}

/// There is nobody else.
pub(crate) struct NoLines;

impl Line for NoLines {
    async fn chunk(&self, _: &Want) -> Result<Bytes, Unanswered> {
        Err(Unanswered::Lost)
    }

    fn leave(&self) {}
}

impl Lines for NoLines {
    type Line = Self;

    async fn open(&self) -> Vec<Arc<Self>> {
        Vec::new()
    }
}

/// What is wanted, with who was asked for it in vain.
type Queue = Mutex<VecDeque<(Want, u32)>>;

/// Sends what other machines have; the rest comes back.
pub(super) async fn fetch<L: Lines>(lines: &L, key: &ChunkKey, wants: Vec<Want>, out: &mpsc::Sender<Got>) -> Vec<Want> {
    if wants.is_empty() {
        return wants;
    }
    let mut open: Vec<_> = lines.open().await.into_iter().take(LINES_MAX).enumerate().collect();
    let queue = Queue::new(wants.into_iter().map(|want| (want, 0)).collect());
    // What one owed when it failed comes back after the others had nothing more to do.
    while !open.is_empty() && open.iter().any(|(number, _)| is_wanted(&queue, *number)) && !out.is_closed() {
        let workers = open.iter().flat_map(|(number, line)| {
            let queue = &queue;
            (0..DEPTH).map(move |_| work(line.as_ref(), *number, key, queue, out))
        });
        let good = join_all(workers).await;
        let is_good: Vec<_> = good
            .chunks(DEPTH)
            .map(|workers| workers.iter().all(|good| *good))
            .collect();
        let mut is_good = is_good.into_iter();
        open.retain(|_| is_good.next().unwrap_or_default());
    }
    let rest = queue.into_inner().unwrap_or_else(PoisonError::into_inner);
    rest.into_iter().map(|(want, _)| want).collect()
}

/// Whether the line is still good when there is nothing more for it to do.
async fn work<L: Line>(line: &L, number: usize, key: &ChunkKey, queue: &Queue, out: &mpsc::Sender<Got>) -> bool {
    while let Some((want, asked)) = next(queue, number) {
        let answer = tokio::time::timeout(PATIENCE, line.chunk(&want)).await;
        let is_line_good = match answer {
            Ok(Ok(bytes)) if key.id(&bytes) == want.chunk.id => {
                let got = Got {
                    chunk: want.chunk.id,
                    bytes,
                    from: Whence::Direct,
                };
                if out.send(got).await.is_err() {
                    return true;
                }
                continue;
            }
            Ok(Ok(_)) => {
                tracing::warn!("a machine sent something else than it was asked for; it is left");
                false
            }
            // It has not this one, or not any more.
            Ok(Err(Unanswered::Refused(_))) => true,
            Ok(Err(Unanswered::Lost)) | Err(_) => false,
        };
        lock(queue).push_back((want, asked | 1 << number));
        if !is_line_good {
            line.leave();
            return false;
        }
    }
    true
}

/// Whether something is wanted that this machine was not asked for yet.
fn is_wanted(queue: &Queue, number: usize) -> bool {
    lock(queue).iter().any(|(_, asked)| asked & (1 << number) == 0)
}

/// The next one that this machine was not asked for yet.
fn next(queue: &Queue, number: usize) -> Option<(Want, u32)> {
    let mut queue = lock(queue);
    let at = queue.iter().position(|(_, asked)| asked & (1 << number) == 0)?;
    queue.remove(at)
}

fn lock(queue: &Queue) -> MutexGuard<'_, VecDeque<(Want, u32)>> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

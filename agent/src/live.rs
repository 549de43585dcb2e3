//! A machine's answer to who reads a file that it is still uploading: what is durable is named, for the server to take from
//! the store; the rest is read from the disk. Only within a standing order, and only while the file stays as it was.
//!
//! Somebody waits for these bytes, so no limit holds them back. They count against it: meanwhile uploads give way.

mod durable;
mod file;

use std::{convert::Infallible, sync::Arc, time::Duration};

use beckon_shared::{
    bulk::Segment,
    error::{ErrorCode, Refusal},
    wire::{self, ReadLive},
};
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::spawn_blocking,
    time::timeout,
};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

use crate::{agent::Agent, limit::Throttle, origin::Origin};

pub(crate) use durable::{Durable, DurableFiles, Stretch};
pub(crate) use file::Wanted;

/// So many files are read live at once.
const READS_MAX: usize = 4;
/// So many answers are under way at once, those included that only say no.
const ANSWERS_MAX: usize = 16;
/// Frames that are read ahead; each has at most [`beckon_shared::bulk::SEGMENT_MAX`] bytes.
const AHEAD: usize = 2;
/// Who takes nothing for so long has to ask again: others may wait for the place.
const PATIENCE: Duration = Duration::from_secs(60);

/// What live reads share.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    http: reqwest::Client,
    origin: Origin,
    /// What uploads have made durable so far.
    pub(crate) durable: Arc<DurableFiles>,
    throttle: Arc<Throttle>,
    reads: Arc<Semaphore>,
    answers: Arc<Semaphore>,
}

/// What is sent, and until when it may be.
struct Answer {
    wanted: Result<Wanted, Refusal>,
    /// Fires when the order is over otherwise than by being carried out.
    end: CancellationToken,
    _place: Option<OwnedSemaphorePermit>,
}

impl Live {
    /// Answers go by `http` to `origin`.
    pub(crate) fn new(
        http: reqwest::Client,
        origin: Origin,
        durable: Arc<DurableFiles>,
        throttle: Arc<Throttle>,
    ) -> Self {
        Self {
            http,
            origin,
            durable,
            throttle,
            reads: Arc::new(Semaphore::new(READS_MAX)),
            answers: Arc::new(Semaphore::new(ANSWERS_MAX)),
        }
    }

    /// Sends frames until the last one, until the server has enough, or until nobody takes them any more.
    async fn send(&self, ticket: &[u8; 32], mut frames: mpsc::Receiver<Bytes>) {
        let (out, body) = mpsc::channel(1);
        let body = ReceiverStream::new(body).map(Ok::<_, Infallible>);
        let url = self.origin.url(&format!("/bulk/live/{}", hex::encode(ticket)));
        let request = self.http.post(url).body(reqwest::Body::wrap_stream(body));
        let passing = async move {
            while let Some(frame) = frames.recv().await {
                if !matches!(timeout(PATIENCE, out.send(frame)).await, Ok(Ok(()))) {
                    tracing::debug!("nobody takes what is read live any more");
                    return;
                }
            }
            drop(out);
            // The answer says nothing of use, but the connection can be used again after it.
            tokio::time::sleep(PATIENCE).await;
        };
        tokio::select! {
            sent = request.send() => if let Err(cause) = sent {
                tracing::debug!(%cause, "a live read broke");
            },
            () = passing => {}
        }
    }
}

/// Answers a read, beside everything else.
pub(crate) fn answer(agent: &Arc<Agent>, asked: ReadLive) {
    let live = agent.live.clone();
    let Ok(turn) = Arc::clone(&live.answers).try_acquire_owned() else {
        tracing::warn!("too many live reads at once; one is not answered");
        return;
    };
    let agent = Arc::clone(agent);
    agent.tasks.clone().spawn(async move {
        let ticket = asked.ticket;
        let answer = judge(&agent, asked);
        let (sender, frames) = mpsc::channel(AHEAD);
        let (wanted, throttle) = (answer.wanted, Arc::clone(&live.throttle));
        let reading = spawn_blocking(move || read(wanted, &throttle, &sender));
        tokio::select! {
            () = answer.end.cancelled() => {}
            () = live.send(&ticket, frames) => {}
        }
        // It ends with whoever took its frames.
        let _ = reading.await;
        drop(turn);
    });
}

fn judge(agent: &Agent, asked: ReadLive) -> Answer {
    let place = Arc::clone(&agent.live.reads).try_acquire_owned().ok();
    let allowed = match place {
        Some(_) => agent.may_read(&asked.transfer, &asked.path),
        None => Err(busy()),
    };
    let (wanted, end) = match allowed {
        Ok((root, end)) => {
            let durable = agent.live.durable.of(&asked.transfer, &asked.path);
            let (path, offset, len) = (asked.path, asked.offset, asked.len);
            let wanted = Wanted {
                root,
                path,
                offset,
                len,
                durable,
            };
            (Ok(wanted), end)
        }
        Err(refusal) => (Err(refusal), agent.stop.clone()),
    };
    Answer {
        wanted,
        end,
        _place: place,
    }
}

/// Reads and frames until the end, or until nobody takes frames any more; blocks the thread.
fn read(wanted: Result<Wanted, Refusal>, throttle: &Throttle, frames: &mpsc::Sender<Bytes>) {
    let send = |segment: Segment| {
        if let Segment::Bytes(bytes) = &segment {
            throttle.spend(bytes.len() as u64);
        }
        frames.blocking_send(framed(&segment)).is_ok()
    };
    match wanted {
        Ok(wanted) => wanted.read(send),
        Err(refusal) => _ = send(Segment::Refused(refusal)),
    }
}

fn framed(segment: &Segment) -> Bytes {
    let encoded = wire::encode(segment);
    // At most `SEGMENT_MAX`, which is far below 4 GiB.
    let len = encoded.len() as u32;
    [&len.to_le_bytes()[..], &encoded].concat().into()
}

fn busy() -> Refusal {
    Refusal::new(
        ErrorCode::TooMany,
        format!(
            "at most {READS_MAX} files are read from this machine at once while they upload; try again in a moment"
        ),
    )
}

#[cfg(test)]
mod tests;

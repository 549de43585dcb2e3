//! The server over HTTP bodies for bulk, and over the control socket for the rest.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use beckon_shared::{
    bulk::{Bitmap, CommitReply, CommitUpload, HaveRequest, UploadGrant},
    error::{ErrorCode, Refusal},
    id::{ChunkId, TransferId},
    order::SELECTION_MAX,
    transfer::{Hold, Problem, Progress},
    wire::{self, Reply, Request},
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use reqwest::{RequestBuilder, Response, StatusCode, header};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::{
    Tools,
    encode::Body,
    remote::{Failure, Remote},
};
use crate::{connection::Link, limit::Throttle};

/// A server that neither takes nor says anything for so long is taken for gone. Asked again, it has lost nothing; and as the
/// window follows the line, an answer on a slow one comes sooner.
const STALL: Duration = Duration::from_secs(20);
/// Each time that this was in vain it is doubled, so often at the most: on a line that is slower still, what was handed to the
/// system takes longer to arrive.
const IN_VAIN_MAX: u32 = 3;
/// How often it is looked whether something moved.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A commit of many files is work for the server.
const COMMIT_STALL: Duration = Duration::from_secs(60);
/// An answer is no larger: a commit's list of missing chunks is the longest one. Bytes.
const ANSWER_MAX: usize = 8 << 20;
/// An error's body is no larger. Bytes.
const REFUSAL_MAX: usize = 64 << 10;

/// The server, for one transfer.
pub(super) struct Http {
    link: Link,
    http: reqwest::Client,
    bulk: String,
    transfer: TransferId,
    throttle: Arc<Throttle>,
    /// How often in a row it was waited in vain.
    in_vain: AtomicU32,
    ticket: Mutex<[u8; 32]>,
}

impl Http {
    /// Before the transfer has begun.
    pub(super) fn new(tools: &Tools, transfer: TransferId) -> Self {
        Self {
            link: tools.link.clone(),
            http: tools.http.clone(),
            bulk: tools.origin.url(&format!("/bulk/{transfer}/")),
            transfer,
            throttle: Arc::clone(&tools.throttle),
            in_vain: AtomicU32::new(0),
            ticket: Mutex::new([0; 32]),
        }
    }

    fn ask(&self, request: RequestBuilder) -> RequestBuilder {
        let ticket = hex::encode(*self.ticket.lock().unwrap_or_else(PoisonError::into_inner));
        request.bearer_auth(ticket)
    }

    fn post(&self, what: &str) -> RequestBuilder {
        let request = self.http.post(format!("{}{what}", self.bulk));
        self.ask(request)
            .header(header::CONTENT_TYPE, "application/octet-stream")
    }

    async fn answer<T: DeserializeOwned>(&self, request: RequestBuilder, within: Duration) -> Result<T, Failure> {
        let body = body_of(request.timeout(within).send().await, ANSWER_MAX).await?;
        wire::decode(&body).map_err(|_| not_understood())
    }

    async fn tell(&self, request: Request) -> Result<Reply, Failure> {
        self.link.request(request).await.map_err(Failure::Refused)
    }
}

impl Remote for Http {
    async fn begin(&self) -> Result<UploadGrant, Failure> {
        match self
            .tell(Request::BeginTransfer {
                transfer: self.transfer,
            })
            .await?
        {
            Reply::Grant(grant) => {
                *self.ticket.lock().unwrap_or_else(PoisonError::into_inner) = grant.ticket;
                Ok(*grant)
            }
            _ => Err(not_understood()),
        }
    }

    async fn selection(&self) -> Result<Vec<u8>, Failure> {
        let request = self.http.get(format!("{}selection", self.bulk));
        body_of(self.ask(request).timeout(STALL).send().await, SELECTION_MAX).await
    }

    async fn have(&self, chunks: Vec<ChunkId>) -> Result<Bitmap, Failure> {
        let body = wire::encode(&HaveRequest { chunks });
        self.answer(self.post("have").body(body), STALL).await
    }

    async fn send(&self, body: Body) -> Result<(), Failure> {
        let moved = Arc::new(AtomicU64::new(0));
        let frames = body
            .into_encoded()
            .flat_map(|chunk| [Bytes::copy_from_slice(&chunk.header.to_bytes()), chunk.stored]);
        let frames =
            paced(frames, Arc::clone(&self.throttle), Arc::clone(&moved)).map(Ok::<_, std::convert::Infallible>);
        let request = self.post("chunks").body(reqwest::Body::wrap_stream(frames));
        let sent = async { body_of(request.send().await, REFUSAL_MAX).await.map(drop) };
        let patience = STALL * (1 << self.in_vain.load(Relaxed).min(IN_VAIN_MAX));
        tokio::select! {
            sent = sent => {
                self.in_vain.store(0, Relaxed);
                sent
            }
            () = stall(&moved, patience) => {
                self.in_vain.fetch_add(1, Relaxed);
                Err(Failure::Break)
            }
        }
    }

    async fn commit(&self, upload: &CommitUpload) -> Result<CommitReply, Failure> {
        let request = self.post("commit").body(wire::encode(upload));
        self.answer(request, COMMIT_STALL).await
    }

    async fn report(&self, offset: u64, problems: &[Problem]) -> Result<(), Failure> {
        let request = Request::ReportProblems {
            transfer: self.transfer,
            offset,
            problems: problems.to_vec(),
        };
        self.tell(request).await.map(drop)
    }

    fn progress(&self, hold: Hold, progress: Progress) {
        self.link.send_progress(self.transfer, hold, progress);
    }
}

/// The frames at the rate that is allowed, cut smaller where that makes them flow; each is counted in `moved`.
fn paced(
    frames: impl Iterator<Item = Bytes> + Send + 'static,
    throttle: Arc<Throttle>,
    moved: Arc<AtomicU64>,
) -> impl Stream<Item = Bytes> + Send + 'static {
    let begun = (frames, Bytes::new(), throttle, moved);
    stream::unfold(begun, |(mut frames, mut rest, throttle, moved)| async move {
        while rest.is_empty() {
            rest = frames.next()?;
        }
        let step = throttle.step().unwrap_or(rest.len()).min(rest.len());
        let now = rest.split_to(step);
        throttle.pass(step as u64).await;
        moved.fetch_add(1, Relaxed);
        Some((now, (frames, rest, throttle, moved)))
    })
}

/// Ends when nothing moved for so long.
async fn stall(moved: &AtomicU64, patience: Duration) {
    let (mut before, mut since) = (0, Instant::now());
    while since.elapsed() < patience {
        tokio::time::sleep(LOOK_EVERY).await;
        let now = moved.load(Relaxed);
        if now != before {
            (before, since) = (now, Instant::now());
        }
    }
}

/// The body of a good answer, up to `max` bytes; what went wrong otherwise.
async fn body_of(response: Result<Response, reqwest::Error>, max: usize) -> Result<Vec<u8>, Failure> {
    let mut response = response.map_err(|cause| broken(&cause))?;
    let status = response.status();
    let max = if status.is_success() { max } else { REFUSAL_MAX };
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.map_err(|cause| broken(&cause))? {
        if body.len() + part.len() > max {
            return Err(not_understood());
        }
        body.extend_from_slice(&part);
    }
    match status {
        good if good.is_success() => Ok(body),
        StatusCode::UNAUTHORIZED => Err(Failure::Ticket),
        other => Err(refused(other, &body)),
    }
}

fn refused(status: StatusCode, body: &[u8]) -> Failure {
    if let Ok(refusal) = serde_json::from_slice(body) {
        return Failure::Refused(refusal);
    }
    tracing::debug!(%status, "the server, or something before it, answered with an error that is not Beckon's");
    match status {
        StatusCode::INSUFFICIENT_STORAGE => Failure::Refused(Refusal::new(
            ErrorCode::NoRoom,
            "the server has no room; free some there",
        )),
        // A proxy before a server that restarts.
        other if other.is_server_error() || other == StatusCode::TOO_MANY_REQUESTS => Failure::Break,
        _ => not_understood(),
    }
}

fn broken(cause: &reqwest::Error) -> Failure {
    tracing::debug!(%cause, "a bulk request broke");
    Failure::Break
}

fn not_understood() -> Failure {
    let advice = "the server's answer cannot be understood; update the older of the two programs and upload again";
    Failure::Refused(Refusal::new(ErrorCode::BadVersion, advice))
}

#[cfg(test)]
mod tests;

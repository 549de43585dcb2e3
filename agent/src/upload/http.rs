//! The server over HTTP bodies for bulk, and over the control socket for the rest.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use beckon_shared::{
    bulk::{
        Bitmap, ChunkParts, CommitReply, CommitUpload, HaveRequest, Outline, OutlineRequest, PartsRequest, UploadGrant,
    },
    error::{ErrorCode, Refusal},
    id::{ChunkId, TransferId},
    order::SELECTION_MAX,
    path::RootPath,
    transfer::{Hold, Problem, Progress},
    wire::{self, Reply, Request},
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use reqwest::{RequestBuilder, Response, StatusCode, header};
use serde::de::DeserializeOwned;

use super::{
    Tools,
    encode::Body,
    patience::{Patience, soon},
    remote::{Failure, Remote},
};
use crate::{connection::Link, limit::Throttle};

/// Larger bodies go in pieces of so much, so that it can be seen that they move. Bytes.
const PIECE: usize = 64 << 10;
/// An answer is no larger: a commit's list of missing chunks is the longest one. Bytes.
const ANSWER_MAX: usize = 8 << 20;
/// An error's body is no larger. Bytes.
const REFUSAL_MAX: usize = 64 << 10;

/// The server, for one transfer.
pub(crate) struct Http {
    link: Link,
    http: reqwest::Client,
    bulk: String,
    transfer: TransferId,
    throttle: Arc<Throttle>,
    patience: Patience,
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
            patience: Patience::default(),
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

    /// Sends a body that may take its time, at the rate that is allowed, and reads an answer of at most so many bytes.
    async fn flow(
        &self,
        request: RequestBuilder,
        frames: impl Iterator<Item = Bytes> + Send + 'static,
        throttle: Arc<Throttle>,
        max: usize,
    ) -> Result<Vec<u8>, Failure> {
        let moved = Arc::new(AtomicU64::new(0));
        let frames = paced(frames, throttle, Arc::clone(&moved)).map(Ok::<_, std::convert::Infallible>);
        let request = request.body(reqwest::Body::wrap_stream(frames));
        let question = async { body_of(request.send().await, max).await };
        let small = async { self.have(Vec::new()).await.map(drop) };
        self.patience.flow(&moved, small, question).await
    }

    /// Sends a body of known length as fast as can be, and reads an answer of at most so many bytes.
    async fn whole(&self, request: RequestBuilder, mut rest: Bytes, max: usize) -> Result<Vec<u8>, Failure> {
        let request = request.header(header::CONTENT_LENGTH, rest.len());
        let pieces = std::iter::from_fn(move || {
            let piece = rest.split_to(rest.len().min(PIECE));
            (!piece.is_empty()).then_some(piece)
        });
        self.flow(request, pieces, Arc::default(), max).await
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
        let request = self.ask(self.http.get(format!("{}selection", self.bulk)));
        soon(async { body_of(request.send().await, SELECTION_MAX).await }).await
    }

    async fn keep_selection(&self, selection: &[u8]) -> Result<(), Failure> {
        let request = self.ask(self.http.put(format!("{}selection", self.bulk)));
        self.whole(request, selection.to_vec().into(), REFUSAL_MAX)
            .await
            .map(drop)
    }

    async fn have(&self, chunks: Vec<ChunkId>) -> Result<Bitmap, Failure> {
        let request = self.post("have").body(wire::encode(&HaveRequest { chunks }));
        let body = soon(async { body_of(request.send().await, ANSWER_MAX).await }).await?;
        understood(&body)
    }

    async fn outline(&self, path: RootPath) -> Result<Outline, Failure> {
        let request = self.post("outline").body(wire::encode(&OutlineRequest { path }));
        let body = soon(async { body_of(request.send().await, ANSWER_MAX).await }).await?;
        understood(&body)
    }

    async fn parts(&self, path: RootPath, chunks: Vec<u32>) -> Result<Vec<ChunkParts>, Failure> {
        let request = self.post("parts").body(wire::encode(&PartsRequest { path, chunks }));
        let body = soon(async { body_of(request.send().await, ANSWER_MAX).await }).await?;
        understood(&body)
    }

    async fn send(&self, body: Body) -> Result<(), Failure> {
        let frames = body
            .into_encoded()
            .flat_map(|chunk| [Bytes::copy_from_slice(&chunk.header.to_bytes()), chunk.stored]);
        let throttle = Arc::clone(&self.throttle);
        self.flow(self.post("chunks"), frames, throttle, REFUSAL_MAX)
            .await
            .map(drop)
    }

    async fn commit(&self, upload: &CommitUpload) -> Result<CommitReply, Failure> {
        // What is durable is committed as fast as can be.
        let body = self
            .whole(self.post("commit"), wire::encode(upload).into(), ANSWER_MAX)
            .await?;
        understood(&body)
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

/// The body of a good answer, up to `max` bytes; what went wrong otherwise.
pub(crate) async fn body_of(response: Result<Response, reqwest::Error>, max: usize) -> Result<Vec<u8>, Failure> {
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

pub(crate) fn understood<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    wire::decode(body).map_err(|_| not_understood())
}

pub(crate) fn broken(cause: &reqwest::Error) -> Failure {
    tracing::debug!(%cause, "a bulk request broke");
    Failure::Break
}

pub(crate) fn not_understood() -> Failure {
    let advice = "the server's answer cannot be understood; update the older of the two programs and upload again";
    Failure::Refused(Refusal::new(ErrorCode::BadVersion, advice))
}

#[cfg(test)]
mod tests;

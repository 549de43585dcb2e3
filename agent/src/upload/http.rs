//! The server over HTTP bodies for bulk, and over the control socket for the rest.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
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
use futures_util::{StreamExt, stream};
use reqwest::{RequestBuilder, Response, StatusCode, header};
use serde::de::DeserializeOwned;

use super::{
    encode::Body,
    remote::{Failure, Remote},
};
use crate::{connection::Link, origin::Origin};

/// A server that neither takes nor says anything for so long is taken for gone.
const STALL: Duration = Duration::from_secs(120);
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
    ticket: Mutex<[u8; 32]>,
}

impl Http {
    /// Before the transfer has begun.
    pub(super) fn new(link: Link, http: reqwest::Client, origin: Origin, transfer: TransferId) -> Self {
        Self {
            link,
            http,
            bulk: origin.url(&format!("/bulk/{transfer}/")),
            transfer,
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

    async fn answer<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Failure> {
        let body = body_of(request.timeout(STALL).send().await, ANSWER_MAX).await?;
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
        self.answer(self.post("have").body(body)).await
    }

    async fn send(&self, body: Body) -> Result<(), Failure> {
        let moved = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&moved);
        let frames = body.into_encoded().flat_map(move |chunk| {
            count.fetch_add(1, Relaxed);
            [Bytes::copy_from_slice(&chunk.header.to_bytes()), chunk.stored]
        });
        let frames = stream::iter(frames).map(Ok::<_, std::convert::Infallible>);
        let request = self.post("chunks").body(reqwest::Body::wrap_stream(frames));
        let sent = async { body_of(request.send().await, REFUSAL_MAX).await.map(drop) };
        tokio::select! {
            sent = sent => sent,
            () = stall(&moved) => Err(Failure::Break),
        }
    }

    async fn commit(&self, upload: &CommitUpload) -> Result<CommitReply, Failure> {
        self.answer(self.post("commit").body(wire::encode(upload))).await
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

/// Ends when nothing moved for [`STALL`].
async fn stall(moved: &AtomicU64) {
    let mut before = None;
    loop {
        let now = moved.load(Relaxed);
        if before == Some(now) {
            return;
        }
        before = Some(now);
        tokio::time::sleep(STALL).await;
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

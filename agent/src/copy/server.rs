//! The server as a copy sees it: grants, commits, manifests and chunks, by HTTP bodies that stream.

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use beckon_shared::{
    bulk::{COMMITS_BODY_MAX, ChunkHeader, CommitRecord, CopyGrant, ManifestsRequest, ReadRequest},
    commit::CHANGES_MAX,
    error::{ErrorCode, Refusal},
    id::{Hash, TransferId},
    manifest::MANIFEST_MAX,
    order::SELECTION_MAX,
    path::PATH_MAX,
    transfer::{Hold, Problem, Progress},
    wire::{self, Reply, Request},
};
use bytes::{Bytes, BytesMut};
use reqwest::{RequestBuilder, Response, header};
use tokio::sync::mpsc;

use crate::{
    connection::Link,
    origin::Origin,
    upload::{
        http::{body_of, broken},
        patience::STALL,
        pause::{Pace, grown},
        remote::{Failure, Remedy},
    },
};

/// The server lets a request wait for room for half a minute, before it answers anything.
const ANSWER: Duration = Duration::from_secs(40);
/// More manifests than fit are asked for again: a server that sends without end must not fill the memory. Bytes.
const MANIFESTS_BODY_MAX: usize = 16 << 20;
/// A record of a commit is no larger: each change may name two paths. Bytes.
const RECORD_MAX: usize = CHANGES_MAX * (2 * PATH_MAX + 64) + 4096;
/// A refusal is no larger. Bytes.
const REFUSAL_MAX: usize = 64 << 10;
/// A fault of the server that stays for so many questions in a row is not waited for any longer.
const FAULTS_MAX: u32 = 12;
/// A server that refuses so many fresh tickets in a row will not take any.
const TICKETS_MAX: u32 = 4;

/// What a copy asks of the server. Each can be asked again after any failure without harm.
pub(crate) trait Remote: Send + Sync + 'static {
    /// Begins the transfer or goes on with it, and renews the ticket that the other questions carry.
    fn begin(&self) -> impl Future<Output = Result<CopyGrant, Failure>> + Send;
    /// The next commits behind this number; none if there are no more.
    fn commits(&self, after: u64) -> impl Future<Output = Result<Vec<CommitRecord>, Failure>> + Send;
    /// Manifests in the order asked, nothing for one that is kept no more. There may be fewer than were asked for.
    fn manifests(&self, wanted: Vec<Hash>) -> impl Future<Output = Result<Vec<Option<Bytes>>, Failure>> + Send;
    /// What travels beside the order.
    fn beside(&self) -> impl Future<Output = Result<Vec<u8>, Failure>> + Send;
    /// Chunks as they come, in any order; those that are not there are left out.
    fn read(
        &self,
        request: ReadRequest,
        out: mpsc::Sender<(ChunkHeader, Bytes)>,
    ) -> impl Future<Output = Result<(), Failure>> + Send;
    /// Lists entries that could not be written, after `offset` others.
    fn report(&self, offset: u64, problems: Vec<Problem>) -> impl Future<Output = Result<(), Failure>> + Send;
    /// Tells how far it is; may get lost.
    fn progress(&self, hold: Hold, progress: Progress);
}

/// Asks until there is an answer, in the pauses that each failure demands. An error is final.
pub(crate) async fn asked<R, T, F>(remote: &R, pace: Pace, mut question: impl FnMut() -> F + Send) -> Result<T, Refusal>
where
    R: Remote,
    F: Future<Output = Result<T, Failure>> + Send,
{
    let (mut breaks, mut faults, mut tickets) = (0, 0, 0);
    loop {
        let failure = match question().await {
            Ok(answer) => return Ok(answer),
            Err(failure) => failure,
        };
        match failure.remedy() {
            Remedy::GiveUp(refusal) => return Err(refusal),
            Remedy::WaitInDoubt(refusal) if faults >= FAULTS_MAX => return Err(refusal),
            Remedy::WaitInDoubt(_) => faults += 1,
            Remedy::Wait | Remedy::WaitForRoom => {}
            Remedy::Begin if tickets >= TICKETS_MAX => return Err(no_ticket()),
            Remedy::Begin => {
                tickets += 1;
                match remote.begin().await.map_err(Failure::remedy) {
                    Ok(_) => continue,
                    Err(Remedy::GiveUp(refusal)) => return Err(refusal),
                    Err(_) => {}
                }
            }
        }
        tokio::time::sleep(grown(pace.network, breaks)).await;
        breaks += 1;
    }
}

/// The server, for one transfer.
pub(crate) struct Http {
    link: Link,
    http: reqwest::Client,
    bulk: String,
    transfer: TransferId,
    ticket: Arc<Mutex<[u8; 32]>>,
}

impl Http {
    /// Before the transfer has begun.
    pub(crate) fn new(link: Link, http: reqwest::Client, origin: &Origin, transfer: TransferId) -> Self {
        Self {
            link,
            http,
            bulk: origin.url(&format!("/bulk/{transfer}/")),
            transfer,
            ticket: Arc::default(),
        }
    }

    fn signed(&self, request: RequestBuilder) -> RequestBuilder {
        let ticket = hex::encode(*self.ticket.lock().unwrap_or_else(PoisonError::into_inner));
        request.bearer_auth(ticket)
    }

    fn get(&self, what: &str) -> RequestBuilder {
        self.signed(self.http.get(format!("{}{what}", self.bulk)))
    }

    fn post(&self, what: &str, body: Vec<u8>) -> RequestBuilder {
        let request = self.http.post(format!("{}{what}", self.bulk));
        self.signed(request)
            .header(header::CONTENT_TYPE, "application/octet-stream")
            .body(body)
    }

    async fn tell(&self, request: Request) -> Result<Reply, Failure> {
        self.link.request(request).await.map_err(Failure::Refused)
    }
}

impl Remote for Http {
    async fn begin(&self) -> Result<CopyGrant, Failure> {
        let transfer = self.transfer;
        match self.tell(Request::BeginTransfer { transfer }).await? {
            Reply::CopyGrant(grant) => {
                *self.ticket.lock().unwrap_or_else(PoisonError::into_inner) = grant.ticket;
                Ok(*grant)
            }
            _ => Err(not_understood()),
        }
    }

    async fn commits(&self, after: u64) -> Result<Vec<CommitRecord>, Failure> {
        let mut body = Body::open(self.get(&format!("commits?after={after}"))).await?;
        let (mut records, mut bytes) = (Vec::new(), 0);
        while let Some(record) = body.counted(RECORD_MAX).await? {
            bytes += record.len();
            if bytes > COMMITS_BODY_MAX + RECORD_MAX {
                return Err(not_understood());
            }
            records.push(wire::decode(&record).map_err(|_| not_understood())?);
        }
        Ok(records)
    }

    async fn manifests(&self, wanted: Vec<Hash>) -> Result<Vec<Option<Bytes>>, Failure> {
        let most = wanted.len();
        let request = wire::encode(&ManifestsRequest { manifests: wanted });
        let mut body = Body::open(self.post("manifests", request)).await?;
        let (mut manifests, mut bytes) = (Vec::new(), 0);
        while bytes < MANIFESTS_BODY_MAX
            && let Some(manifest) = body.counted(MANIFEST_MAX).await?
        {
            if manifests.len() == most {
                return Err(not_understood());
            }
            bytes += manifest.len();
            manifests.push(Some(manifest).filter(|manifest| !manifest.is_empty()));
        }
        Ok(manifests)
    }

    async fn beside(&self) -> Result<Vec<u8>, Failure> {
        let mut body = Body::open(self.get("selection")).await?;
        body.rest(SELECTION_MAX).await
    }

    async fn read(&self, request: ReadRequest, out: mpsc::Sender<(ChunkHeader, Bytes)>) -> Result<(), Failure> {
        let mut body = Body::open(self.post("read", wire::encode(&request))).await?;
        while let Some(chunk) = body.chunk().await? {
            if out.send(chunk).await.is_err() {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn report(&self, offset: u64, problems: Vec<Problem>) -> Result<(), Failure> {
        let request = Request::ReportProblems {
            transfer: self.transfer,
            offset,
            problems,
        };
        self.tell(request).await.map(drop)
    }

    fn progress(&self, hold: Hold, progress: Progress) {
        self.link.send_progress(self.transfer, hold, progress);
    }
}

/// The body of a good answer, as it comes.
struct Body {
    response: Response,
    buffer: BytesMut,
}

impl Body {
    async fn open(request: RequestBuilder) -> Result<Self, Failure> {
        let answered = tokio::time::timeout(ANSWER, request.send()).await;
        let response = answered.map_err(|_| Failure::Break)?.map_err(|cause| broken(&cause))?;
        if !response.status().is_success() {
            let refused = tokio::time::timeout(STALL, body_of(Ok(response), REFUSAL_MAX)).await;
            return Err(refused.ok().and_then(Result::err).unwrap_or(Failure::Break));
        }
        Ok(Self {
            response,
            buffer: BytesMut::new(),
        })
    }

    /// The next bytes behind their length; nothing at the end.
    async fn counted(&mut self, max: usize) -> Result<Option<Bytes>, Failure> {
        let Some(len) = self.take(4).await? else {
            return Ok(None);
        };
        let len = len.first_chunk().map_or(0, |len| u32::from_le_bytes(*len)) as usize;
        if len > max {
            return Err(not_understood());
        }
        self.take_whole(len).await.map(Some)
    }

    /// The next chunk; nothing at the end.
    async fn chunk(&mut self) -> Result<Option<(ChunkHeader, Bytes)>, Failure> {
        let Some(header) = self.take(ChunkHeader::LEN).await? else {
            return Ok(None);
        };
        let parsed = header.first_chunk().and_then(ChunkHeader::parse);
        let header = parsed.ok_or_else(not_understood)?;
        let stored = self.take_whole(header.stored_len as usize).await?;
        Ok(Some((header, stored)))
    }

    async fn rest(&mut self, max: usize) -> Result<Vec<u8>, Failure> {
        while self.more().await? {
            if self.buffer.len() > max {
                return Err(not_understood());
            }
        }
        Ok(self.buffer.to_vec())
    }

    /// So many bytes; nothing if the body ends before the first of them.
    async fn take(&mut self, len: usize) -> Result<Option<Bytes>, Failure> {
        while self.buffer.len() < len {
            if !self.more().await? {
                return match self.buffer.is_empty() {
                    true => Ok(None),
                    false => Err(Failure::Break),
                };
            }
        }
        Ok(Some(self.buffer.split_to(len).freeze()))
    }

    async fn take_whole(&mut self, len: usize) -> Result<Bytes, Failure> {
        match len {
            0 => Ok(Bytes::new()),
            _ => self.take(len).await?.ok_or(Failure::Break),
        }
    }

    async fn more(&mut self) -> Result<bool, Failure> {
        let part = tokio::time::timeout(STALL, self.response.chunk()).await;
        let part = part.map_err(|_| Failure::Break)?.map_err(|cause| broken(&cause))?;
        if let Some(part) = &part {
            self.buffer.extend_from_slice(part);
        }
        Ok(part.is_some())
    }
}

fn not_understood() -> Failure {
    let advice = "the server's answer cannot be understood; update the older of the two programs, then try again";
    Failure::Refused(Refusal::new(ErrorCode::BadVersion, advice))
}

fn no_ticket() -> Refusal {
    let advice = "the server does not take the ticket that it gave out; see its log, then try again";
    Refusal::new(ErrorCode::NotAllowed, advice)
}

#[cfg(test)]
pub(crate) mod tests;

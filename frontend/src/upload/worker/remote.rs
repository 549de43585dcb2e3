//! The server, as an upload sees it: bulk over HTTP with a ticket, everything small by way of the page.

use std::{cell::RefCell, rc::Rc};

use beckon_shared::{
    bulk::{Bitmap, CommitReply, CommitUpload, HaveRequest, UploadGrant},
    error::{ErrorCode, Refusal},
    id::{ChunkId, TransferId},
    time::Timestamp,
    transfer::Problem,
    wire,
};
use gloo_net::http::{Request, Response};
use js_sys::Uint8Array;
use serde::de::DeserializeOwned;
use web_sys::AbortController;

use super::{
    batch::Batch,
    counters::Counters,
    page::{Page, misunderstood},
};
use crate::{
    dom,
    upload::message::{Answer, Ask},
};

/// A ticket is renewed before its ten minutes are over, so that no body is sent in vain. Seconds.
const TICKET_LIFE: u64 = 8 * 60;
/// A server that has not answered for so long is taken for gone; a slow line may take this long for a body. Milliseconds.
const STALL: u32 = 300_000;

/// Why the server did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// No answer came: the network, or a server that restarts.
    Break,
    /// The ticket has expired: begin again.
    Ticket,
    /// The server says no.
    Refused(Refusal),
}

/// The server, for one transfer.
pub(super) struct Remote {
    pub(super) page: Rc<Page>,
    pub(super) counters: Counters,
    bulk: String,
    ticket: RefCell<Option<(String, Timestamp)>>,
}

impl Remote {
    /// Before the transfer has begun.
    pub(super) fn new(transfer: TransferId, page: Rc<Page>, counters: Counters) -> Self {
        Self {
            page,
            counters,
            bulk: format!("/bulk/{transfer}/"),
            ticket: RefCell::default(),
        }
    }

    /// Begins the transfer or goes on with it, and renews the ticket that the other questions carry.
    pub(super) async fn begin(&self) -> Result<UploadGrant, Failure> {
        match self.page.ask(Ask::Begin).await.map_err(of_socket)? {
            Answer::Grant(grant) => {
                self.ticket.replace(Some((hex::encode(grant.ticket), dom::now())));
                Ok(*grant)
            }
            _ => Err(Failure::Refused(misunderstood())),
        }
    }

    /// Which of these chunks are missing.
    pub(super) async fn have(&self, chunks: Vec<ChunkId>) -> Result<Bitmap, Failure> {
        let count = chunks.len();
        let body = wire::encode(&HaveRequest { chunks });
        let missing: Bitmap = decoded(self.post("have", &Uint8Array::from(body.as_slice())).await?).await?;
        match missing.answers(count) {
            true => Ok(missing),
            false => Err(Failure::Refused(misunderstood())),
        }
    }

    /// Sends those chunks of a batch that are missing; once answered they are durable.
    pub(super) async fn send(&self, batch: &Batch, missing: &Bitmap) -> Result<(), Failure> {
        let (len, parts) = batch.body(|at| missing.get(at));
        if parts.is_empty() {
            return Ok(());
        }
        // Straight into the browser's memory: this module's own never shrinks.
        let body = Uint8Array::new_with_length(u32::try_from(len).unwrap_or(0));
        let mut at = 0;
        let mut stored = 0;
        for (header, content) in parts {
            for bytes in [&header.to_bytes()[..], content] {
                let end = at + bytes.len() as u32;
                body.subarray(at, end).copy_from(bytes);
                at = end;
            }
            stored += content.len() as u64;
        }
        let sent = self.post("chunks", &body).await;
        self.counters.sent(stored);
        sent.map(drop)
    }

    /// Sends a commit with its manifests.
    pub(super) async fn commit(&self, upload: &CommitUpload) -> Result<CommitReply, Failure> {
        let body = wire::encode(upload);
        decoded(self.post("commit", &Uint8Array::from(body.as_slice())).await?).await
    }

    /// Lists entries that could not be stored, after `offset` others.
    pub(super) async fn report(&self, offset: u64, problems: Vec<Problem>) -> Result<(), Failure> {
        let asked = self.page.ask(Ask::Report { offset, problems }).await;
        asked.map(drop).map_err(of_socket)
    }

    async fn post(&self, what: &str, body: &Uint8Array) -> Result<Response, Failure> {
        let ticket = self.fresh_ticket().await?;
        let stop = AbortController::new().ok();
        let request = Request::post(&format!("{}{what}", self.bulk))
            .header("authorization", &format!("Bearer {ticket}"))
            .header("content-type", "application/octet-stream")
            .abort_signal(stop.as_ref().map(AbortController::signal).as_ref())
            .body(body.clone());
        let request = request.map_err(|_| Failure::Break)?;
        let stall = gloo_timers::callback::Timeout::new(STALL, move || {
            if let Some(stop) = &stop {
                stop.abort();
            }
        });
        let response = request.send().await.map_err(|_| Failure::Break);
        drop(stall);
        checked(response?).await
    }

    async fn fresh_ticket(&self) -> Result<String, Failure> {
        let held = self.ticket.borrow().clone();
        if let Some((ticket, since)) = held
            && dom::now().since(since).as_secs() < TICKET_LIFE
        {
            return Ok(ticket);
        }
        Ok(hex::encode(self.begin().await?.ticket))
    }
}

/// What went wrong on the control socket: where it is away the page says so with a code of its own.
fn of_socket(refusal: Refusal) -> Failure {
    match refusal.code {
        ErrorCode::GoingAway => Failure::Break,
        _ => Failure::Refused(refusal),
    }
}

async fn checked(response: Response) -> Result<Response, Failure> {
    match response.status() {
        200..300 => Ok(response),
        401 => Err(Failure::Ticket),
        status => Err(refused(status, response.json().await.ok())),
    }
}

fn refused(status: u16, refusal: Option<Refusal>) -> Failure {
    match (refusal, status) {
        (Some(refusal), _) => Failure::Refused(refusal),
        (None, 507) => Failure::Refused(Refusal::new(
            ErrorCode::NoRoom,
            "the server has no room; free some there",
        )),
        // A proxy before a server that restarts.
        (None, 429 | 500..) => Failure::Break,
        (None, _) => Failure::Refused(misunderstood()),
    }
}

async fn decoded<T: DeserializeOwned>(response: Response) -> Result<T, Failure> {
    let bytes = response.binary().await.map_err(|_| Failure::Break)?;
    wire::decode(&bytes).map_err(|_| Failure::Refused(misunderstood()))
}

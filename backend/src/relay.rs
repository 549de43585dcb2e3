//! The relay: joins the sockets of a controller and a machine, and pumps bytes that it cannot read.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use actix_web::{HttpRequest, HttpResponse, web};
use beckon_shared::{error::ErrorCode, id::Hash, wire::SESSION_PROTOCOL};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    app::App,
    clock::random,
    control::offers,
    error::Failure,
    socket::{self, Close, Incoming, Outgoing, Shape, Socket},
};

/// How long a ticket counts, and how long the first end waits for the other.
const TICKET_LIFE: Duration = Duration::from_secs(30);

/// A session's records have up to 64 KiB and some bytes around. Bytes.
const FRAME_MAX: usize = 128 << 10;

/// A terminal whose disk is slow answers no pings while it does not read.
const DEAD_AFTER: Duration = Duration::from_secs(180);

/// Sessions that were opened and are not joined yet.
#[derive(Debug, Default)]
pub(crate) struct Relays {
    ends: Mutex<HashMap<Hash, Arc<Link>>>,
}

/// Where the two ends of a session meet.
#[derive(Debug)]
struct Link {
    first: Mutex<Option<Socket>>,
    /// Fire when either device is revoked or its session ends.
    cuts: [CancellationToken; 2],
    until: Instant,
}

impl Relays {
    /// Makes a ticket for each end; each counts once.
    pub(crate) fn open(&self, app: &App, cuts: [CancellationToken; 2]) -> [[u8; 32]; 2] {
        let link = Arc::new(Link {
            first: Mutex::new(None),
            cuts,
            until: Instant::now() + TICKET_LIFE,
        });
        let tickets = [random(&*app.clock), random(&*app.clock)];
        let mut ends = self.lock();
        ends.retain(|_, link| link.until > Instant::now());
        ends.extend(tickets.iter().map(|ticket| (Hash::of(ticket), link.clone())));
        tickets
    }

    fn take(&self, ticket: &[u8; 32]) -> Option<Arc<Link>> {
        let link = self.lock().remove(&Hash::of(ticket))?;
        (link.until > Instant::now()).then_some(link)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Hash, Arc<Link>>> {
        // No code that can panic runs under this lock.
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `GET /relay/{ticket}`: one end of a session.
pub(crate) async fn open(
    request: HttpRequest,
    body: web::Payload,
    app: web::Data<App>,
    ticket: web::Path<String>,
) -> Result<HttpResponse, actix_web::Error> {
    if !offers(&request).split(',').any(|one| one.trim() == SESSION_PROTOCOL) {
        let message = format!("this server relays {SESSION_PROTOCOL}; update the older of the two programs");
        return Err(Failure::new(ErrorCode::BadVersion, message).into());
    }
    let mut bytes = [0; 32];
    hex::decode_to_slice(ticket.as_bytes(), &mut bytes).map_err(|_| lapsed())?;
    let link = app.relays.take(&bytes).ok_or_else(lapsed)?;
    let shape = Shape {
        protocol: SESSION_PROTOCOL,
        frame_max: FRAME_MAX,
        dead_after: DEAD_AFTER,
    };
    let (response, socket) = socket::accept(&request, body, shape)?;
    meet(link, socket, app.hub.stopping().clone());
    Ok(response)
}

fn lapsed() -> Failure {
    Failure::new(
        ErrorCode::NotFound,
        "this session was opened too long ago or already used; open it again",
    )
}

/// The first end waits, the second one finds it.
fn meet(link: Arc<Link>, socket: Socket, stopping: CancellationToken) {
    let mut first = link.first.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(other) = first.take() {
        drop(first);
        actix_web::rt::spawn(async move { join(other, socket, &link.cuts, &stopping).await });
        return;
    }
    *first = Some(socket);
    drop(first);
    actix_web::rt::spawn(async move {
        tokio::time::sleep_until(link.until.into()).await;
        // Dropped, and thereby closed, unless the other end came.
        drop(link.first.lock().unwrap_or_else(PoisonError::into_inner).take());
    });
}

async fn join(one: Socket, two: Socket, cuts: &[CancellationToken; 2], stopping: &CancellationToken) {
    let (mut from_one, to_one) = (one.incoming, one.outgoing);
    let (mut from_two, to_two) = (two.incoming, two.outgoing);
    let close = tokio::select! {
        close = pass(&mut from_one, &to_two) => close,
        close = pass(&mut from_two, &to_one) => close,
        () = cuts[0].cancelled() => Close::Policy,
        () = cuts[1].cancelled() => Close::Policy,
        () = stopping.cancelled() => Close::Away,
    };
    for to in [to_one, to_two] {
        // Where the queue is full, dropping it closes the socket after what is queued.
        let _ = to.try_send(Outgoing::Close(close));
    }
}

/// Passes frames on, at the pace of whoever takes them, until one of the two is gone.
async fn pass(from: &mut mpsc::Receiver<Incoming>, to: &mpsc::Sender<Outgoing>) -> Close {
    while let Some(incoming) = from.recv().await {
        match incoming {
            Incoming::Frame(bytes) => {
                if to.send(Outgoing::Frame(bytes)).await.is_err() {
                    return Close::Away;
                }
            }
            Incoming::Broken(close) => return close,
        }
    }
    Close::Normal
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    /// A socket, and the far ends of its queues.
    fn socket() -> (Socket, mpsc::Sender<Incoming>, mpsc::Receiver<Outgoing>) {
        let ((sender, incoming), (outgoing, receiver)) = (mpsc::channel(4), mpsc::channel(4));
        (Socket { incoming, outgoing }, sender, receiver)
    }

    #[tokio::test]
    async fn what_one_end_sends_the_other_gets_and_both_end_together() {
        let (one, to_server, _from_server) = socket();
        let (two, _kept, mut at_two) = socket();
        let cuts = [CancellationToken::new(), CancellationToken::new()];
        to_server
            .send(Incoming::Frame(Bytes::from_static(b"sealed")))
            .await
            .unwrap();
        drop(to_server);
        join(one, two, &cuts, &CancellationToken::new()).await;
        assert!(matches!(at_two.recv().await, Some(Outgoing::Frame(bytes)) if bytes == "sealed"));
        assert!(matches!(at_two.recv().await, Some(Outgoing::Close(Close::Normal))));
    }

    #[tokio::test]
    async fn a_revoked_end_cuts_the_session() {
        let (one, _a, mut at_one) = socket();
        let (two, _b, _at_two) = socket();
        let cuts = [CancellationToken::new(), CancellationToken::new()];
        cuts[1].cancel();
        join(one, two, &cuts, &CancellationToken::new()).await;
        assert!(matches!(at_one.recv().await, Some(Outgoing::Close(Close::Policy))));
    }
}

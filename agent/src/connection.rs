//! The control socket: this device's one connection to the server, for small frames only.

mod error;
mod link;
mod pump;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use beckon_shared::{
    device::Hello,
    id::TransferId,
    route,
    signature::Signed,
    transfer::{Hold, Progress},
    wire::{
        self, Auth, AuthClaim, CONTROL_PROTOCOLS, ControlVersion, FRAME_MAX, FromServer, Reply, Request, ToServer,
        Welcome,
    },
};
use futures_util::{SinkExt, StreamExt};
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;

use crate::{
    clock,
    identity::Identity,
    server::{Server, Socket},
};

pub(crate) use error::{ConnectError, RequestError};
pub(crate) use link::{Link, LinkEnd};
#[cfg(test)]
pub(crate) use pump::DEAD_AFTER;

/// How long the server may take to let a device in.
const WELCOME_TIMEOUT: Duration = Duration::from_secs(15);
/// How long the server may take to answer a request.
const REPLY_TIMEOUT: Duration = Duration::from_secs(60);
/// Frames that wait to be sent; who asks for more waits.
const OUTGOING: usize = 64;
/// Frames that wait to be looked at.
const INCOMING: usize = 256;

/// An open control socket; clones are the same one. It closes when the last of them is gone.
#[derive(Debug, Clone)]
pub(crate) struct Connection(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    outgoing: mpsc::Sender<Message>,
    waiting: Arc<Waiting>,
    next: AtomicU32,
    /// Cancelled to end the socket, and by its end.
    end: CancellationToken,
    /// Cancelled once the last frame is out.
    flushed: CancellationToken,
}

/// Who waits for which reply.
#[derive(Debug, Default)]
struct Waiting(Mutex<HashMap<u32, oneshot::Sender<Result<Reply, RequestError>>>>);

impl Connection {
    /// Connects, proves this device's keys and checks that the server knows the account that was pinned.
    ///
    /// What the server sends of itself comes out of the receiver, which ends with the connection; keep reading it, or drop
    /// it, because replies wait behind it.
    pub(crate) async fn open(
        server: &Server,
        identity: &Identity,
        hello: Hello,
    ) -> Result<(Self, Welcome, mpsc::Receiver<FromServer>), ConnectError> {
        let offered = CONTROL_PROTOCOLS.map(|(name, _)| name).join(", ");
        let (mut socket, taken) = server.socket(route::SOCKET, &offered, FRAME_MAX).await?;
        let (_, version) = wire::negotiate(&taken).ok_or(ConnectError::Protocol)?;
        let shake = greet(&mut socket, server, identity, hello, version);
        let welcome = tokio::time::timeout(WELCOME_TIMEOUT, shake)
            .await
            .unwrap_or_else(|_| Err(ConnectError::unreachable(&server.origin)))?;
        if welcome.account_key != identity.account_key || welcome.account != identity.account() {
            return Err(ConnectError::OtherServer(server.origin.clone()));
        }
        let (connection, events) = Self::start(socket);
        Ok((connection, welcome, events))
    }

    fn start(socket: Socket) -> (Self, mpsc::Receiver<FromServer>) {
        let (outgoing, to_send) = mpsc::channel(OUTGOING);
        let (events, received) = mpsc::channel(INCOMING);
        let (end, flushed) = (CancellationToken::new(), CancellationToken::new());
        let waiting = Arc::new(Waiting::default());
        let (sink, stream) = socket.split();
        tokio::spawn(pump::write(sink, to_send, end.clone(), flushed.clone()));
        tokio::spawn(pump::read(stream, events, Arc::clone(&waiting), end.clone()));
        let inner = Inner {
            outgoing,
            waiting,
            next: AtomicU32::new(1),
            end,
            flushed,
        };
        (Self(Arc::new(inner)), received)
    }

    /// Asks the server for something.
    pub(crate) async fn request(&self, body: Request) -> Result<Reply, RequestError> {
        let id = self.0.next.fetch_add(1, Ordering::Relaxed);
        let frame = wire::encode(&ToServer::Request {
            id,
            body: Box::new(body),
        });
        if frame.len() > FRAME_MAX {
            return Err(RequestError::too_large());
        }
        let reply = self.0.waiting.wait_for(id);
        // The end may have come before this entry, which then nobody would answer.
        if self.is_over() || self.0.outgoing.send(Message::Binary(frame.into())).await.is_err() {
            self.0.waiting.forget(id);
            return Err(RequestError::Lost);
        }
        match tokio::time::timeout(REPLY_TIMEOUT, reply).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(RequestError::Lost),
            Err(_) => {
                tracing::warn!("the server left a request unanswered");
                self.0.end.cancel();
                Err(RequestError::Lost)
            }
        }
    }

    /// Tells how far a transfer is; left away if frames wait already.
    pub(crate) fn send_progress(&self, transfer: TransferId, hold: Hold, progress: Progress) {
        let frame = wire::encode(&ToServer::Progress {
            transfer,
            hold,
            progress,
        });
        let _ = self.0.outgoing.try_send(Message::Binary(frame.into()));
    }

    /// Tells what this device is now.
    pub(crate) async fn send_hello(&self, hello: Hello) {
        let frame = wire::encode(&ToServer::Hello(Box::new(hello)));
        let _ = self.0.outgoing.send(Message::Binary(frame.into())).await;
    }

    /// Whether the connection has ended.
    pub(crate) fn is_over(&self) -> bool {
        self.0.end.is_cancelled()
    }

    /// Ends the connection, and waits a moment for the last frames to leave.
    pub(crate) async fn close(&self) {
        self.0.end.cancel();
        let _ = tokio::time::timeout(Duration::from_secs(1), self.0.flushed.cancelled()).await;
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

impl Waiting {
    fn wait_for(&self, id: u32) -> oneshot::Receiver<Result<Reply, RequestError>> {
        let (sender, receiver) = oneshot::channel();
        self.lock().insert(id, sender);
        receiver
    }

    fn answer(&self, id: u32, answer: Result<Reply, RequestError>) {
        if let Some(sender) = self.forget(id) {
            let _ = sender.send(answer);
        }
    }

    fn forget(&self, id: u32) -> Option<oneshot::Sender<Result<Reply, RequestError>>> {
        self.lock().remove(&id)
    }

    /// Dropping the senders tells everyone who waits.
    fn forget_all(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u32, oneshot::Sender<Result<Reply, RequestError>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn greet(
    socket: &mut Socket,
    server: &Server,
    identity: &Identity,
    hello: Hello,
    version: ControlVersion,
) -> Result<Welcome, ConnectError> {
    let FromServer::Challenge { nonce } = first_frame(socket, server).await? else {
        return Err(ConnectError::Protocol);
    };
    // The origin is the one dialled and not one that the server names: signed for this server, the claim is worth nothing at another.
    let claim = AuthClaim {
        origin: server.origin.to_string(),
        device: identity.device(),
        server_nonce: nonce,
        own_nonce: clock::random(),
        version,
    };
    let claim = Signed::sign(&claim, identity.keys.signing());
    let auth = ToServer::Auth(Box::new(Auth {
        chain: identity.chain.clone(),
        claim,
        hello,
    }));
    let sent = socket.send(Message::Binary(wire::encode(&auth).into())).await;
    sent.map_err(|_| ConnectError::unreachable(&server.origin))?;
    match first_frame(socket, server).await? {
        FromServer::Welcome(welcome) => Ok(*welcome),
        _ => Err(ConnectError::Protocol),
    }
}

/// The next frame, unless the server says good-bye. A device that was revoked is shown the account's statement before.
async fn first_frame(socket: &mut Socket, server: &Server) -> Result<FromServer, ConnectError> {
    let mut shown = None;
    while let Some(message) = socket.next().await {
        match message {
            Ok(Message::Binary(bytes)) => match wire::decode(&bytes).map_err(|_| ConnectError::Protocol)? {
                FromServer::GoAway { reason, back_in_ms } => {
                    return Err(ConnectError::Refused {
                        reason,
                        back_in_ms,
                        statement: shown,
                    });
                }
                FromServer::Statement(statement) => shown = Some(statement),
                frame => return Ok(frame),
            },
            Ok(Message::Ping(_) | Message::Pong(_)) => {}
            Ok(_) => return Err(ConnectError::Protocol),
            Err(_) => break,
        }
    }
    Err(ConnectError::unreachable(&server.origin))
}

#[cfg(test)]
pub(crate) mod tests;

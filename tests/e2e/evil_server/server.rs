//! The server itself: what it says, what it was told, and its sockets.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use beckon_shared::{
    api::{
        account::{Proved, SignInFinish, SignInStart},
        join::{NewJoinCode, OfferView},
    },
    bulk::CommitRecord,
    certificate::Chain,
    commit::ChainHead,
    device::DeviceView,
    error::ErrorCode,
    id::{ChunkId, Hash, SpaceId},
    order::SignedOrder,
    route,
    signature::{PublicKey, Signed},
    statement::Statement,
    wire::{self, Auth, FromServer, Request},
};
use beckon_tests::wait_for;
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::Runtime,
    sync::mpsc::UnboundedSender,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        handshake::server::{Callback, ErrorResponse, Request as Upgrade, Response as Upgraded},
    },
};

use super::{
    account::now,
    answer, control, http,
    line::{self, Line, Plug},
};

/// How long a program may take for one step.
pub(super) const LIMIT: Duration = Duration::from_secs(30);

/// What the server says. A test turns truths into lies.
pub(super) struct Lies {
    /// The encoded first frame of each control socket.
    pub(super) challenge: Vec<u8>,
    /// In each welcome.
    pub(super) account_key: PublicKey,
    /// In each welcome.
    pub(super) statement: Option<Signed<Statement>>,
    /// Pushed to the machine behind each welcome.
    pub(super) orders: Vec<SignedOrder>,
    /// Whether a machine that sets out to upload gets no answer.
    pub(super) withholds_grants: bool,
    /// What a machine is told that shows an order.
    pub(super) shown: Shown,
    /// The control list.
    pub(super) devices: Vec<DeviceView>,
    /// What becomes of a session that a controller asks for.
    pub(super) relay: Relay,
    /// For every join code.
    pub(super) offer: OfferView,
    /// For every name.
    pub(super) sign_in: SignInStart,
    /// For every password.
    pub(super) proved: Option<Proved>,
    /// For every order whose selection travels beside it.
    pub(super) selection: Vec<u8>,
    /// For every order to copy. Without it, such orders get what an upload gets.
    pub(super) copies: Option<Copies>,
}

/// What a machine is told that copies.
#[derive(Clone)]
pub(super) struct Copies {
    /// Said to be of the device that is followed.
    pub(super) origin: Option<Chain>,
    /// Behind every number: whatever is asked for, all of them from that place on.
    pub(super) commits: Vec<CommitRecord>,
    /// Whether the number that is asked for is looked at.
    pub(super) from_the_start: bool,
    pub(super) manifests: HashMap<Hash, Vec<u8>>,
    pub(super) chunks: HashMap<ChunkId, Vec<u8>>,
}

/// What becomes of a session that a controller asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Relay {
    /// It reaches the machine.
    ToMachine,
    /// The server takes the machine's end, see [`EvilServer::taken_line`].
    ToServer,
}

/// What a machine is told that shows an order.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// It is a transfer.
    Truly,
    /// Another order is one.
    AsAnother,
    /// It stands for nothing, for this reason.
    Refused(ErrorCode),
    /// Nothing.
    Unanswered,
}

/// What the server was told.
#[derive(Default)]
pub(super) struct Seen {
    /// Methods and paths, in order.
    pub(super) http: Vec<String>,
    /// What devices signed in with.
    pub(super) finishes: Vec<SignInFinish>,
    /// The join codes that controllers made.
    pub(super) join_codes: Vec<NewJoinCode>,
    /// How devices opened their control sockets.
    pub(super) auths: Vec<Auth>,
    /// What was asked on control sockets.
    pub(super) requests: Vec<Request>,
    /// How many control sockets have ended.
    pub(super) ended: usize,
}

/// Where things go.
pub(super) struct Wiring {
    pub(super) machine: Option<UnboundedSender<Message>>,
    /// Where a socket at the relay belongs, by its ticket.
    pub(super) plugs: HashMap<String, Plug>,
    /// Machine's ends that the server took.
    pub(super) taken: Vec<Plug>,
    pub(super) tickets: u64,
    /// Newest commit of the machine's only root.
    pub(super) head: ChainHead,
}

pub(super) struct State {
    pub(super) url: String,
    pub(super) space: SpaceId,
    lies: Mutex<Lies>,
    seen: Mutex<Seen>,
    wiring: Mutex<Wiring>,
}

/// The running server. Dropping it cuts every connection.
pub(super) struct EvilServer {
    state: Arc<State>,
    runtime: Runtime,
}

impl EvilServer {
    pub(super) fn start(lies: Lies) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let wiring = Wiring {
            machine: None,
            plugs: HashMap::new(),
            taken: Vec::new(),
            tickets: 0,
            head: ChainHead::EMPTY,
        };
        let state = Arc::new(State {
            url: format!("http://{}", listener.local_addr().unwrap()),
            space: SpaceId::new(now(), [3; 10]),
            lies: Mutex::new(lies),
            seen: Mutex::default(),
            wiring: Mutex::new(wiring),
        });
        runtime.spawn(listen(Arc::clone(&state), listener));
        Self { state, runtime }
    }

    pub(super) fn url(&self) -> &str {
        &self.state.url
    }

    pub(super) fn space(&self) -> SpaceId {
        self.state.space
    }

    /// Changes what the server says from now on.
    pub(super) fn lie(&self, change: impl FnOnce(&mut Lies)) {
        change(&mut self.state.lies());
    }

    /// Looks at what the server was told so far.
    pub(super) fn seen<T>(&self, look: impl FnOnce(&Seen) -> T) -> T {
        look(&self.state.seen())
    }

    /// Waits until what the server was told holds something.
    #[track_caller]
    pub(super) fn wait_for<T>(&self, what: &str, mut look: impl FnMut(&Seen) -> Option<T>) -> T {
        wait_for(what, LIMIT, || self.seen(&mut look))
    }

    /// Sends a frame to the machine.
    #[track_caller]
    pub(super) fn push(&self, frame: &FromServer) {
        self.push_raw(Message::Binary(wire::encode(frame).into()));
    }

    #[track_caller]
    pub(super) fn push_raw(&self, message: Message) {
        let wiring = self.state.wiring();
        let machine = wiring.machine.as_ref().expect("a machine has come");
        machine.send(message).expect("the machine is connected");
    }

    /// Has the machine dial the relay for a session, with the test at the other end.
    #[track_caller]
    pub(super) fn dial_machine(&self) -> Line {
        let (here, there) = line::channel();
        let ticket = self.state.wiring().ticket_for(there);
        self.push(&FromServer::Session { ticket });
        Line::new(here, self.runtime.handle().clone())
    }

    /// The machine's end of the next session that a controller opens, under [`Relay::ToServer`].
    #[track_caller]
    pub(super) fn taken_line(&self) -> Line {
        let plug = wait_for("a controller asks for a session", LIMIT, || {
            self.state.wiring().taken.pop()
        });
        Line::new(plug, self.runtime.handle().clone())
    }

    /// The machine's ends of all sessions that controllers opened under [`Relay::ToServer`]; those that were not dialled
    /// are closed.
    pub(super) fn taken_lines(&self) -> Vec<Line> {
        let mut wiring = self.state.wiring();
        wiring.plugs.clear();
        let taken = std::mem::take(&mut wiring.taken);
        taken
            .into_iter()
            .map(|plug| Line::new(plug, self.runtime.handle().clone()))
            .collect()
    }
}

impl State {
    pub(super) fn lies(&self) -> MutexGuard<'_, Lies> {
        self.lies.lock().unwrap()
    }

    pub(super) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }

    pub(super) fn wiring(&self) -> MutexGuard<'_, Wiring> {
        self.wiring.lock().unwrap()
    }
}

impl Wiring {
    /// A number that was not given out before, as a ticket.
    pub(super) fn ticket(&mut self) -> [u8; 32] {
        self.tickets += 1;
        *blake3::hash(&self.tickets.to_be_bytes()).as_bytes()
    }

    /// A ticket by which a socket at the relay is joined to `plug`.
    pub(super) fn ticket_for(&mut self, plug: Plug) -> [u8; 32] {
        let ticket = self.ticket();
        self.plugs.insert(hex::encode(ticket), plug);
        ticket
    }
}

async fn listen(state: Arc<State>, listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve(Arc::clone(&state), stream));
    }
}

async fn serve(state: Arc<State>, mut stream: TcpStream) {
    let Some(path) = http::peek_path(&stream).await else {
        return;
    };
    if path == route::SOCKET {
        if let Some(socket) = accept(stream).await {
            control::serve(state, socket).await;
        }
    } else if let Some(ticket) = path.strip_prefix(&format!("{}/", route::RELAY)) {
        let plug = state.wiring().plugs.remove(ticket);
        if let (Some(plug), Some(socket)) = (plug, accept(stream).await) {
            line::pump(socket, plug).await;
        }
    } else if let Some(request) = http::read(&mut stream).await {
        let response = answer::answer(&state, &request);
        http::write(&mut stream, response).await;
    }
}

/// Takes whatever sub-protocol was offered first.
struct TakeOffer;

impl Callback for TakeOffer {
    fn on_request(self, request: &Upgrade, mut response: Upgraded) -> Result<Upgraded, ErrorResponse> {
        const HEADER: &str = "sec-websocket-protocol";
        let offered = request.headers().get(HEADER).and_then(|offered| offered.to_str().ok());
        if let Some(first) = offered.and_then(|offered| offered.split(',').next()) {
            response.headers_mut().insert(HEADER, first.trim().parse().unwrap());
        }
        Ok(response)
    }
}

async fn accept(stream: TcpStream) -> Option<WebSocketStream<TcpStream>> {
    tokio_tungstenite::accept_hdr_async(stream, TakeOffer).await.ok()
}

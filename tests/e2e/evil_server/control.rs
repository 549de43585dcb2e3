//! The control socket: lets everyone in and believes everything.

use std::sync::Arc;

use beckon_shared::{
    bulk::{CopyGrant, UploadGrant},
    chunk::ChunkKey,
    device::DeviceKind,
    error::Refusal,
    keys::account_id,
    order::SignedOrder,
    transfer::{Hold, Priority, Progress, TransferState, TransferView},
    wire::{self, Auth, FromServer, Part, Place, Reply, Request, ToServer, Welcome},
};
use futures_util::{SinkExt, StreamExt};
use tokio::{
    net::TcpStream,
    sync::mpsc::{UnboundedSender, unbounded_channel},
};
use tokio_tungstenite::{WebSocketStream, tungstenite::Message};

use super::{
    account::{new_transfer_id, now},
    line,
    server::{Lies, Relay, Shown, State},
};

/// Of the space.
pub(super) const CHUNK_KEY: ChunkKey = ChunkKey([5; 32]);

pub(super) async fn serve(state: Arc<State>, mut socket: WebSocketStream<TcpStream>) {
    let (sender, mut queue) = unbounded_channel();
    let challenge = state.lies().challenge.clone();
    let _ = sender.send(Message::Binary(challenge.into()));
    loop {
        tokio::select! {
            Some(message) = queue.recv() => {
                if socket.send(message).await.is_err() {
                    break;
                }
            }
            message = socket.next() => match message {
                Some(Ok(Message::Binary(bytes))) => take(&state, &sender, &bytes),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                _ => break,
            },
        }
    }
    state.seen().ended += 1;
}

fn take(state: &State, sender: &UnboundedSender<Message>, bytes: &[u8]) {
    match wire::decode(bytes).expect("the programs speak the protocol") {
        ToServer::Auth(auth) => {
            welcome(state, sender, &auth);
            state.seen().auths.push(*auth);
        }
        ToServer::Request { id, body } => {
            if let Some(reply) = reply(state, &body) {
                let result = reply.map(Box::new);
                send(sender, &FromServer::Reply { id, result });
            }
            state.seen().requests.push(*body);
        }
        ToServer::Hello(_) | ToServer::Progress { .. } => {}
    }
}

fn welcome(state: &State, sender: &UnboundedSender<Message>, auth: &Auth) {
    let lies = state.lies();
    send(
        sender,
        &FromServer::Welcome(Box::new(Welcome {
            account: account_id(&lies.account_key),
            account_key: lies.account_key,
            space: state.space,
            name: auth.hello.name.clone(),
            now: now(),
            statement: lies.statement.clone(),
        })),
    );
    if auth.hello.kind == DeviceKind::Agent {
        state.wiring().machine = Some(sender.clone());
        for order in &lies.orders {
            send(sender, &FromServer::Order(Box::new(order.clone())));
        }
    } else {
        send_lists(sender, &lies);
    }
}

fn send_lists(sender: &UnboundedSender<Message>, lies: &Lies) {
    send(
        sender,
        &FromServer::Devices(Part {
            place: Place::Whole,
            rows: lies.devices.clone(),
        }),
    );
    send(
        sender,
        &FromServer::Transfers(Part {
            place: Place::Whole,
            rows: Vec::new(),
        }),
    );
}

fn send(sender: &UnboundedSender<Message>, frame: &FromServer) {
    // The socket may have ended.
    let _ = sender.send(Message::Binary(wire::encode(frame).into()));
}

fn reply(state: &State, request: &Request) -> Option<Result<Reply, Refusal>> {
    match request {
        Request::OpenSession { .. } => Some(Ok(Reply::Ticket(open_session(state)))),
        Request::BeginTransfer { .. } if state.lies().withholds_grants => None,
        Request::BeginTransfer { .. } if state.lies().copies.is_some() => {
            Some(Ok(Reply::CopyGrant(Box::new(copy_grant(state)))))
        }
        Request::BeginTransfer { .. } => Some(Ok(Reply::Grant(Box::new(grant(state))))),
        Request::ShowOrder { order, what } => shown(state, order, what),
        Request::Holders { .. } => Some(Ok(Reply::Holders {
            holders: Vec::new(),
            own_address: String::new(),
        })),
        Request::IsOpen { .. } | Request::ChunkKey { .. } => Some(Ok(Reply::Done)),
        Request::PlaceOrder { .. } | Request::ReportProblems { .. } | Request::EndTransfer { .. } => {
            Some(Ok(Reply::Done))
        }
    }
}

fn shown(state: &State, order: &SignedOrder, what: &str) -> Option<Result<Reply, Refusal>> {
    let order = order.order.peek().unwrap();
    let id = match state.lies().shown {
        Shown::Truly => order.id,
        Shown::AsAnother => new_transfer_id(),
        Shown::Refused(code) => return Some(Err(Refusal::new(code, "this server takes no such order"))),
        Shown::Unanswered => return None,
    };
    Some(Ok(Reply::Transfer(Box::new(TransferView {
        id,
        device: order.target,
        machine: "desk".to_owned(),
        root: "Documents".to_owned(),
        what: what.to_owned(),
        state: TransferState::Queued,
        hold: Hold::None,
        progress: Progress::default(),
        error: None,
        created: now(),
        expires: order.expires,
        ended: None,
        revision: 1,
        priority: Priority::default(),
        task: Default::default(),
        from: None,
        root_id: order.body.root(),
        origin: None,
    }))))
}

fn open_session(state: &State) -> [u8; 32] {
    let relay = state.lies().relay;
    let mut wiring = state.wiring();
    let (controller, machine) = line::channel();
    let ticket = wiring.ticket_for(controller);
    match (relay, wiring.machine.clone()) {
        (Relay::ToMachine, Some(sender)) => {
            let ticket = wiring.ticket_for(machine);
            send(&sender, &FromServer::Session { ticket });
        }
        _ => wiring.taken.push(machine),
    }
    ticket
}

fn copy_grant(state: &State) -> CopyGrant {
    let origin = state.lies().copies.as_ref().and_then(|copies| copies.origin.clone());
    CopyGrant {
        ticket: state.wiring().ticket(),
        chunk_key: CHUNK_KEY,
        origin,
    }
}

/// The epoch is another one each time, so that the machine trusts nothing that it remembers and opens what it uploads.
fn grant(state: &State) -> UploadGrant {
    let mut wiring = state.wiring();
    UploadGrant {
        ticket: wiring.ticket(),
        space: state.space,
        chunk_key: CHUNK_KEY,
        head: wiring.head,
        epoch: wiring.tickets,
    }
}

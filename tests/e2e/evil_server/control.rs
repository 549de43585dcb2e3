//! The control socket: lets everyone in and believes everything.

use std::sync::Arc;

use beckon_shared::{
    bulk::UploadGrant,
    chunk::ChunkKey,
    device::DeviceKind,
    keys::account_id,
    wire::{self, Auth, FromServer, Part, Place, Reply, Request, ToServer, Welcome},
};
use futures_util::{SinkExt, StreamExt};
use tokio::{
    net::TcpStream,
    sync::mpsc::{UnboundedSender, unbounded_channel},
};
use tokio_tungstenite::{WebSocketStream, tungstenite::Message};

use super::{
    account::now,
    line,
    server::{Lies, Relay, State},
};

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
                let result = Ok(Box::new(reply));
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

fn reply(state: &State, request: &Request) -> Option<Reply> {
    match request {
        Request::OpenSession { .. } => Some(Reply::Ticket(open_session(state))),
        Request::BeginTransfer { .. } if state.lies().withholds_grants => None,
        Request::BeginTransfer { .. } => Some(Reply::Grant(Box::new(grant(state)))),
        Request::PlaceOrder { .. } | Request::ReportProblems { .. } | Request::EndTransfer { .. } => Some(Reply::Done),
    }
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

/// The epoch is another one each time, so that the machine trusts nothing that it remembers and opens what it uploads.
fn grant(state: &State) -> UploadGrant {
    let mut wiring = state.wiring();
    UploadGrant {
        ticket: wiring.ticket(),
        space: state.space,
        chunk_key: ChunkKey([5; 32]),
        head: wiring.head,
        epoch: wiring.tickets,
    }
}

//! A device's visits: it proves its keys, stays, acknowledges orders, and comes back when the connection is gone.

use std::{
    collections::HashMap,
    net::Ipv4Addr,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use beckon_shared::{
    api::Packed,
    certificate::Chain,
    device::{DeviceKind, Hello, Platform},
    id::TransferId,
    keys::DeviceKeys,
    order::{Order, OrderBody, Selection, SignedOrder, UploadOrder},
    path::{Label, RootPath},
    signature::Signed,
    transfer::{Progress, TransferState},
    wire::{self, Auth, AuthClaim, CONTROL_PROTOCOLS, ControlVersion, FromServer, Request, ToServer, Welcome},
};
use beckon_tests::Account;
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;

use super::{
    Acknowledged, Device, Shared, Target,
    backoff::{Backoff, Cause},
    bytes,
    dial::Socket,
    now,
};

/// As an agent's.
const PING_EVERY: Duration = Duration::from_secs(20);
const WELCOME_TIMEOUT: Duration = Duration::from_secs(15);

/// Visits until it is told to stop, by being dropped.
pub(super) async fn stay(target: Arc<Target>, device: Arc<Device>, shared: Arc<Shared>) {
    let mut backoff = Backoff::default();
    loop {
        let mut cause = Cause::Broken;
        if let Some((mut socket, _)) = arrive(&target, &device, DeviceKind::Agent).await {
            backoff = Backoff::default();
            let _online = Online::new(&shared);
            cause = serve(&mut socket, &device, &shared).await;
        }
        tokio::time::sleep(backoff.next(cause, chance(&device))).await;
    }
}

fn chance(device: &Device) -> [u8; 4] {
    let seed = format!("{:?} {}", Instant::now(), device.source);
    *blake3::hash(seed.as_bytes())
        .as_bytes()
        .first_chunk()
        .expect("a hash has 32 bytes")
}

/// Counts a machine as online until it is dropped.
struct Online<'a>(&'a Shared);

impl<'a> Online<'a> {
    fn new(shared: &'a Shared) -> Self {
        shared.online.fetch_add(1, Relaxed);
        Self(shared)
    }
}

impl Drop for Online<'_> {
    fn drop(&mut self) {
        self.0.online.fetch_sub(1, Relaxed);
    }
}

/// Connects and proves the device's keys, as an agent does.
async fn arrive(target: &Target, device: &Device, kind: DeviceKind) -> Option<(Socket, Box<Welcome>)> {
    let offered = CONTROL_PROTOCOLS.map(|(name, _)| name).join(", ");
    let (_, version) = wire::negotiate(&offered)?;
    let mut socket = target.socket(device.source, &offered).await?;
    let greeting = greet(&mut socket, target.origin(), device, kind, version);
    let welcome = tokio::time::timeout(WELCOME_TIMEOUT, greeting).await.ok()??;
    Some((socket, welcome))
}

async fn greet(
    socket: &mut Socket,
    origin: &str,
    device: &Device,
    kind: DeviceKind,
    version: ControlVersion,
) -> Option<Box<Welcome>> {
    let FromServer::Challenge { nonce } = next(socket).await? else {
        return None;
    };
    let claim = AuthClaim {
        origin: origin.to_owned(),
        device: device.keys.id(),
        server_nonce: nonce,
        own_nonce: [7; 32],
        version,
    };
    let auth = Auth {
        chain: device.chain.clone(),
        claim: Signed::sign(&claim, device.keys.signing()),
        hello: hello(device, kind),
    };
    say(socket, &ToServer::Auth(Box::new(auth))).await?;
    match next(socket).await? {
        FromServer::Welcome(welcome) => Some(welcome),
        _ => None,
    }
}

fn hello(device: &Device, kind: DeviceKind) -> Hello {
    Hello {
        name: device.name.clone(),
        kind,
        os: "simulated".to_owned(),
        version: "0".to_owned(),
        platform: Platform::Unix,
        addresses: Vec::new(),
        lan_port: None,
        roots: device.root.clone().into_iter().collect(),
        statement: 0,
    }
}

/// Until the connection ends; says why it did.
async fn serve(socket: &mut Socket, device: &Device, shared: &Shared) -> Cause {
    let mut ping = tokio::time::interval_at(tokio::time::Instant::now() + PING_EVERY, PING_EVERY);
    let mut begun = HashMap::new();
    loop {
        let frame = tokio::select! {
            frame = next(socket) => frame,
            _ = ping.tick() => match socket.send(Message::Ping(Default::default())).await {
                Ok(()) => continue,
                Err(_) => None,
            },
        };
        match frame {
            None => return Cause::Broken,
            Some(FromServer::GoAway { back_in_ms, .. }) => {
                return back_in_ms.map_or(Cause::Broken, |ms| Cause::Told(Duration::from_millis(ms.into())));
            }
            Some(FromServer::Order(order)) => {
                let asked = acknowledge(socket, device, &order, &mut begun).await;
                if asked.is_none() {
                    return Cause::Broken;
                }
            }
            Some(FromServer::Reply { id, .. }) => {
                if let Some(transfer) = begun.remove(&id) {
                    let at = Instant::now();
                    let _ = shared.acknowledged.send(Acknowledged { transfer, at });
                    if end(socket, transfer, id + 1).await.is_none() {
                        return Cause::Broken;
                    }
                }
            }
            Some(_) => {}
        }
    }
}

/// An agent checks the order's signature against the pinned account, and then begins.
async fn acknowledge(
    socket: &mut Socket,
    device: &Device,
    order: &SignedOrder,
    begun: &mut HashMap<u32, TransferId>,
) -> Option<()> {
    let said = order.order.peek().ok()?;
    let signer = order.signer.device.peek().ok()?;
    let account = signer.account;
    let order = order.verify(&said.signer, &signer.keys.sign, &account, &device.keys.id(), now());
    let order = order.expect("an order that counts");
    let id = u32::try_from(begun.len() * 2).ok()?;
    begun.insert(id, order.id);
    let body = Box::new(Request::BeginTransfer { transfer: order.id });
    say(socket, &ToServer::Request { id, body }).await
}

async fn end(socket: &mut Socket, transfer: TransferId, id: u32) -> Option<()> {
    let body = Box::new(Request::EndTransfer {
        transfer,
        state: TransferState::Done,
        progress: Progress::default(),
        error: None,
    });
    say(socket, &ToServer::Request { id, body }).await
}

async fn say(socket: &mut Socket, frame: &ToServer) -> Option<()> {
    socket.send(Message::Binary(wire::encode(frame).into())).await.ok()
}

/// The next frame; nothing if the connection ended.
async fn next(socket: &mut Socket) -> Option<FromServer> {
    loop {
        match socket.next().await?.ok()? {
            Message::Binary(bytes) => return wire::decode(&bytes).ok(),
            Message::Ping(_) | Message::Pong(_) => {}
            _ => return None,
        }
    }
}

/// A command line that gives orders.
pub(crate) struct Controller {
    device: Device,
    welcome: Box<Welcome>,
    socket: Socket,
    placed: u32,
}

impl Controller {
    /// With the keys of the account's terminal, connected.
    pub(crate) async fn connect(target: &Target, account: &Account) -> Self {
        let file = std::fs::read(account.cli().state().join("controller.json")).expect("a terminal that is signed in");
        let record: Value = serde_json::from_slice(&file).expect("JSON");
        let record = &record["record"];
        let mut keys = [0; DeviceKeys::LEN];
        hex::decode_to_slice(record["keys"].as_str().expect("keys"), &mut keys).expect("keys in hex");
        let chain = record["sign_in"]["chain"].clone();
        let chain: Packed<Chain> = serde_json::from_value(chain).expect("a certificate");
        let device = Device {
            keys: DeviceKeys::from_bytes(&keys),
            chain: chain.0,
            name: Label::new("terminal").expect("a plain word is a name"),
            root: None,
            source: Ipv4Addr::LOCALHOST,
        };
        let (socket, welcome) = arrive(target, &device, DeviceKind::Cli).await.expect("let in");
        Self {
            device,
            welcome,
            socket,
            placed: 0,
        }
    }

    /// Orders an upload from a machine; the order's id, once the server said that it is recorded.
    pub(crate) async fn order(&mut self, machine: &Device) -> TransferId {
        self.placed += 1;
        let id = TransferId::new(now(), bytes(self.placed as usize));
        let root = machine.root.as_ref().expect("a machine has a root");
        let body = OrderBody::Upload(UploadOrder {
            root: root.id,
            root_name: root.name.clone(),
            space: self.welcome.space,
            selection: Selection::Inline(vec![RootPath::root()]),
        });
        let order = Order {
            suite: 0,
            signer: self.device.keys.id(),
            signer_account: self.welcome.account,
            target_account: self.welcome.account,
            target: machine.keys.id(),
            id,
            issued: now(),
            expires: now() + Duration::from_secs(3600),
            body,
        };
        let order = SignedOrder {
            order: Signed::sign(&order, self.device.keys.signing()),
            signer: self.device.chain.clone(),
        };
        let body = Request::PlaceOrder {
            order: Box::new(order),
            what: "all".to_owned(),
        };
        let request = ToServer::Request {
            id: self.placed,
            body: Box::new(body),
        };
        say(&mut self.socket, &request).await.expect("the server listens");
        loop {
            match next(&mut self.socket).await.expect("the server answers") {
                FromServer::Reply { id: asked, result } if asked == self.placed => {
                    result.expect("the order is taken");
                    return id;
                }
                _ => {}
            }
        }
    }
}

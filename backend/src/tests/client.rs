//! Control sockets as devices open them.

use std::time::Duration;

use beckon_shared::{
    device::{DeviceKind, Hello, Platform, RootView},
    error::{ErrorCode, Refusal},
    id::RootId,
    path::Label,
    signature::Signed,
    statement::Statement,
    transfer::TransferView,
    wire::{self, Auth, AuthClaim, ControlVersion, FromServer, Reply, Request, ToServer, Welcome},
};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{self, Message, client::IntoClientRequest},
};

use super::person::Device;
use crate::clock::{SystemClock, random};

/// Nothing that these tests wait for takes longer.
const LIMIT: Duration = Duration::from_secs(5);

pub(super) const ROOT: RootId = RootId([7; 16]);

/// Opens a WebSocket with a sub-protocol.
pub(super) async fn dial(
    url: &str,
    path: &str,
    protocol: &str,
) -> Result<WebSocketStream<MaybeTlsStream<TcpStream>>, tungstenite::Error> {
    let mut request = format!("{}{path}", url.replacen("http", "ws", 1)).into_client_request()?;
    request
        .headers_mut()
        .insert("sec-websocket-protocol", protocol.parse().unwrap());
    connect_async(request).await.map(|(socket, _)| socket)
}

/// What a device tells of itself.
pub(super) fn hello(kind: DeviceKind) -> Hello {
    Hello {
        name: Label::new("wanted").unwrap(),
        kind,
        os: "test".into(),
        version: "1".into(),
        platform: Platform::Unix,
        addresses: Vec::new(),
        lan_port: None,
        roots: vec![RootView {
            id: ROOT,
            name: Label::new("home").unwrap(),
            writable: false,
        }],
        statement: 0,
    }
}

/// An open control socket.
pub(super) struct Control {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    next: u32,
}

impl Control {
    /// Connects, and takes the challenge.
    pub(super) async fn challenged(url: &str) -> (Self, [u8; 32]) {
        let socket = dial(url, "/socket", "beckon.control.v1").await.unwrap();
        let mut control = Self { socket, next: 0 };
        let FromServer::Challenge { nonce } = control.frame().await else {
            panic!("a challenge comes first")
        };
        (control, nonce)
    }

    /// The proof of a device for a challenge.
    pub(super) fn proof(url: &str, device: &Device, nonce: [u8; 32]) -> Auth {
        let claim = AuthClaim {
            origin: url.to_owned(),
            device: device.id(),
            server_nonce: nonce,
            own_nonce: random(&SystemClock),
            version: ControlVersion::V1,
        };
        Auth {
            chain: device.chain.clone(),
            claim: Signed::sign(&claim, device.keys.signing()),
            hello: hello(device.kind),
        }
    }

    /// Connects and is let in.
    pub(super) async fn open(url: &str, device: &Device) -> (Self, Welcome) {
        let (mut control, nonce) = Self::challenged(url).await;
        control
            .send(&ToServer::Auth(Box::new(Self::proof(url, device, nonce))))
            .await;
        let FromServer::Welcome(welcome) = control.frame().await else {
            panic!("the device is welcome")
        };
        (control, *welcome)
    }

    pub(super) async fn send(&mut self, frame: &ToServer) {
        self.send_bytes(wire::encode(frame)).await;
    }

    pub(super) async fn send_bytes(&mut self, bytes: Vec<u8>) {
        self.socket.send(Message::Binary(bytes.into())).await.unwrap();
    }

    async fn message(&mut self) -> Option<Message> {
        let next = tokio::time::timeout(LIMIT, self.socket.next())
            .await
            .expect("something comes within 5 s");
        next.transpose().ok().flatten()
    }

    /// The next frame.
    pub(super) async fn frame(&mut self) -> FromServer {
        loop {
            match self.message().await.expect("the socket is open") {
                Message::Binary(bytes) => return wire::decode(&bytes).unwrap(),
                Message::Close(close) => panic!("closed: {close:?}"),
                _ => {}
            }
        }
    }

    /// The first frame that `wanted` takes something out of; others are skipped.
    pub(super) async fn until<T>(&mut self, mut wanted: impl FnMut(FromServer) -> Option<T>) -> T {
        loop {
            if let Some(found) = wanted(self.frame().await) {
                return found;
            }
        }
    }

    /// The first transfer that is told and fits.
    pub(super) async fn transfer(&mut self, mut fits: impl FnMut(&TransferView) -> bool) -> TransferView {
        self.until(|frame| match frame {
            FromServer::Transfers(part) => part.rows.into_iter().find(|row| fits(row)),
            _ => None,
        })
        .await
    }

    /// Asks, and waits for the answer; what comes in between is skipped.
    pub(super) async fn ask(&mut self, body: Request) -> Result<Reply, Refusal> {
        self.next += 1;
        let wanted = self.next;
        self.send(&ToServer::Request {
            id: wanted,
            body: Box::new(body),
        })
        .await;
        let result = self.until(|frame| match frame {
            FromServer::Reply { id, result } if id == wanted => Some(result),
            _ => None,
        });
        result.await.map(|reply| *reply)
    }

    /// Reads until the server sends the device away: the number of the account's statement just before, and why.
    pub(super) async fn end_after_statement(mut self) -> (u64, ErrorCode) {
        let mut shown = None;
        loop {
            match self.frame().await {
                FromServer::GoAway {
                    reason,
                    back_in_ms: None,
                } => return (shown.expect("no statement came before"), reason.code),
                FromServer::Statement(statement) => {
                    let Statement::Revocation(revocation) = statement.peek().unwrap() else {
                        panic!("{statement:?}")
                    };
                    shown = Some(revocation.number);
                }
                _ => shown = None,
            }
        }
    }

    /// Reads until the end: what the server said last, and its close code.
    pub(super) async fn end(mut self) -> (Option<(ErrorCode, Option<u32>)>, Option<u16>) {
        let mut said = None;
        while let Some(message) = self.message().await {
            match message {
                Message::Binary(bytes) => {
                    if let Ok(FromServer::GoAway { reason, back_in_ms }) = wire::decode(&bytes) {
                        said = Some((reason.code, back_in_ms));
                    }
                }
                Message::Close(close) => return (said, close.map(|close| close.code.into())),
                _ => {}
            }
        }
        (said, None)
    }
}

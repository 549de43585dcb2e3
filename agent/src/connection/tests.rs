//! The connection against a server that the test plays, honest or not.

use beckon_shared::{
    certificate::Role,
    device::DeviceKind,
    error::{ErrorCode, Refusal},
    id::SpaceId,
    keys::{AccountKey, DeviceKeys},
    path::Label,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_tungstenite::{WebSocketStream, tungstenite::handshake::server};

use super::*;
use crate::{
    hello,
    orders::tests::{Family, certify},
    origin::Origin,
};

/// A port on which the test plays the server.
pub(crate) struct FakeServer {
    tcp: TcpListener,
}

/// One socket of it.
pub(crate) struct FakeSocket(WebSocketStream<TcpStream>);

impl FakeServer {
    pub(crate) async fn start() -> (Self, Server) {
        let tcp = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let origin = Origin::parse(&format!("http://{}", tcp.local_addr().unwrap())).unwrap();
        (Self { tcp }, Server::new(origin, None).unwrap())
    }

    /// Takes the next socket.
    #[allow(clippy::result_large_err, reason = "the signature is the library's")]
    pub(crate) async fn accept(&self) -> FakeSocket {
        let (stream, _) = self.tcp.accept().await.unwrap();
        let choose = |request: &server::Request, mut response: server::Response| {
            let offered = request.headers()["sec-websocket-protocol"].clone();
            response.headers_mut().insert("sec-websocket-protocol", offered);
            Ok(response)
        };
        FakeSocket(tokio_tungstenite::accept_hdr_async(stream, choose).await.unwrap())
    }

    /// Takes the next socket and lets the device in.
    pub(crate) async fn admit(&self, account: &AccountKey) -> FakeSocket {
        let mut socket = self.accept().await;
        socket.send(&FromServer::Challenge { nonce: [5; 32] }).await;
        let ToServer::Auth(_) = socket.next().await else {
            panic!("no proof")
        };
        socket.send(&welcome(account)).await;
        socket
    }
}

impl FakeSocket {
    pub(crate) async fn send(&mut self, frame: &FromServer) {
        self.0.send(Message::Binary(wire::encode(frame).into())).await.unwrap();
    }

    pub(crate) async fn next(&mut self) -> ToServer {
        loop {
            if let Message::Binary(bytes) = self.0.next().await.unwrap().unwrap() {
                return wire::decode(&bytes).unwrap();
            }
        }
    }

    /// The next request, with its number.
    pub(crate) async fn request(&mut self) -> (u32, Request) {
        loop {
            if let ToServer::Request { id, body } = self.next().await {
                return (id, *body);
            }
        }
    }

    pub(crate) async fn reply(&mut self, id: u32, result: Result<Reply, Refusal>) {
        self.send(&FromServer::Reply {
            id,
            result: result.map(Box::new),
        })
        .await;
    }

    async fn closes(mut self) -> bool {
        while let Some(Ok(message)) = self.0.next().await {
            if matches!(message, Message::Close(_)) {
                return true;
            }
        }
        true
    }
}

fn welcome(account: &AccountKey) -> FromServer {
    FromServer::Welcome(Box::new(Welcome {
        account: account.id(),
        account_key: account.public(),
        space: SpaceId::new(clock::now(), [1; 10]),
        name: Label::new("studio").unwrap(),
        now: clock::now(),
        statement: None,
    }))
}

fn hello() -> Hello {
    hello::hello(Label::new("studio").unwrap(), DeviceKind::Agent, Vec::new(), 0)
}

async fn connected() -> (Connection, mpsc::Receiver<FromServer>, FakeSocket) {
    let family = Family::new(1);
    let (fake, server) = FakeServer::start().await;
    let (opened, socket) = tokio::join!(
        Connection::open(&server, &family.machine, hello()),
        fake.admit(&family.account)
    );
    let (connection, _, events) = opened.unwrap();
    (connection, events, socket)
}

fn ask() -> Request {
    Request::OpenSession {
        device: beckon_shared::id::DeviceId([1; 32]),
    }
}

#[tokio::test]
async fn a_device_signs_the_origin_that_it_dialled_and_the_servers_nonce() {
    let family = Family::new(1);
    let (fake, server) = FakeServer::start().await;
    let play = async {
        let mut socket = fake.accept().await;
        socket.send(&FromServer::Challenge { nonce: [5; 32] }).await;
        let ToServer::Auth(auth) = socket.next().await else {
            panic!("no proof")
        };
        socket.send(&welcome(&family.account)).await;
        auth
    };
    let (opened, auth) = tokio::join!(Connection::open(&server, &family.machine, hello()), play);
    let claim = auth.claim.verify(&family.machine.keys.public().sign).unwrap();
    assert_eq!(claim.origin, server.origin.as_str());
    assert_eq!((claim.server_nonce, claim.device), ([5; 32], family.machine.device()));
    assert_eq!(opened.unwrap().1.name.as_str(), "studio");
}

#[tokio::test]
async fn a_server_that_knows_another_account_key_is_left() {
    let (family, evil) = (Family::new(1), Family::new(9));
    let (fake, server) = FakeServer::start().await;
    let (opened, socket) = tokio::join!(
        Connection::open(&server, &family.machine, hello()),
        fake.admit(&evil.account)
    );
    assert_eq!(opened.unwrap_err(), ConnectError::OtherServer(server.origin));
    assert!(socket.closes().await);
}

#[tokio::test]
async fn a_challenge_that_is_something_else_gets_no_signature() {
    let family = Family::new(1);
    let (fake, server) = FakeServer::start().await;
    let play = async {
        let mut socket = fake.accept().await;
        // The bytes of an order, where a challenge belongs.
        let order = family.sign(&family.order(clock::now()));
        socket.send(&FromServer::Order(Box::new(order))).await;
        socket.closes().await
    };
    let (opened, _) = tokio::join!(Connection::open(&server, &family.machine, hello()), play);
    assert_eq!(opened.unwrap_err(), ConnectError::Protocol);
}

#[tokio::test]
async fn what_the_server_says_instead_of_a_welcome_is_told() {
    let family = Family::new(1);
    let (fake, server) = FakeServer::start().await;
    let reason = Refusal::new(ErrorCode::Revoked, "revoked");
    let play = async {
        let mut socket = fake.accept().await;
        socket
            .send(&FromServer::GoAway {
                reason: reason.clone(),
                back_in_ms: None,
            })
            .await;
        socket
    };
    let (opened, _socket) = tokio::join!(Connection::open(&server, &family.machine, hello()), play);
    assert_eq!(
        opened.unwrap_err(),
        ConnectError::Refused {
            reason,
            back_in_ms: None,
            statement: None
        }
    );
}

#[tokio::test]
async fn a_refusal_before_the_socket_is_told_in_the_servers_words() {
    let family = Family::new(1);
    let (fake, server) = FakeServer::start().await;
    let reason = Refusal::new(ErrorCode::BadVersion, "this server speaks beckon.control.v7");
    let body = serde_json::to_string(&reason).unwrap();
    let play = async {
        let (mut stream, _) = fake.tcp.accept().await.unwrap();
        let _ = stream.read(&mut [0; 4096]).await.unwrap();
        let answer = format!(
            "HTTP/1.1 426 Upgrade Required\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(answer.as_bytes()).await.unwrap();
        stream
    };
    let (opened, _stream) = tokio::join!(Connection::open(&server, &family.machine, hello()), play);
    assert_eq!(
        opened.unwrap_err(),
        ConnectError::Refused {
            reason,
            back_in_ms: None,
            statement: None
        }
    );
}

#[tokio::test]
async fn nobody_at_the_port_is_said_with_the_address() {
    let family = Family::new(1);
    let (fake, server) = FakeServer::start().await;
    drop(fake);
    let error = Connection::open(&server, &family.machine, hello()).await.unwrap_err();
    assert!(error.may_retry());
    assert!(error.to_string().contains(server.origin.as_str()), "{error}");
}

#[tokio::test]
async fn replies_find_who_asked_in_any_order() {
    let (connection, _events, mut socket) = connected().await;
    let play = async {
        let (first, _) = socket.request().await;
        let (second, _) = socket.request().await;
        socket.reply(second, Err(Refusal::new(ErrorCode::Away, "away"))).await;
        socket.reply(first, Ok(Reply::Ticket([1; 32]))).await;
    };
    let (first, second, ()) = tokio::join!(connection.request(ask()), connection.request(ask()), play);
    assert_eq!(first, Ok(Reply::Ticket([1; 32])));
    assert_eq!(
        second,
        Err(RequestError::Refused(Refusal::new(ErrorCode::Away, "away")))
    );
}

#[tokio::test]
async fn a_request_on_a_line_that_breaks_is_lost_and_not_left_waiting() {
    let (connection, mut events, mut socket) = connected().await;
    let play = async {
        socket.request().await;
        drop(socket);
    };
    let (reply, ()) = tokio::join!(connection.request(ask()), play);
    assert_eq!(reply, Err(RequestError::Lost));
    assert_eq!(events.recv().await, None);
    assert!(connection.is_over());
    assert_eq!(connection.request(ask()).await, Err(RequestError::Lost));
}

#[tokio::test]
async fn a_malformed_frame_ends_the_connection() {
    let (connection, mut events, mut socket) = connected().await;
    socket.0.send(Message::Binary(vec![0xff; 20].into())).await.unwrap();
    assert_eq!(events.recv().await, None);
    assert!(connection.is_over());
}

#[tokio::test]
async fn closing_says_good_bye() {
    let (connection, _events, socket) = connected().await;
    let (closed, ()) = tokio::join!(socket.closes(), connection.close());
    assert!(closed);
}

#[tokio::test]
async fn a_link_asks_again_on_the_next_connection() {
    let family = Family::new(1);
    let (fake, server) = FakeServer::start().await;
    let (end, link) = LinkEnd::new();
    let asking = tokio::spawn(async move { link.request(ask()).await });
    for attempt in 0..2 {
        let (opened, mut socket) = tokio::join!(
            Connection::open(&server, &family.machine, hello()),
            fake.admit(&family.account)
        );
        end.set(Some(opened.unwrap().0));
        let (id, _) = socket.request().await;
        if attempt == 1 {
            socket.reply(id, Ok(Reply::Done)).await;
            assert_eq!(asking.await.unwrap(), Ok(Reply::Done));
            return;
        }
    }
}

#[tokio::test]
async fn a_link_without_an_owner_gives_up() {
    let (end, link) = LinkEnd::new();
    drop(end);
    assert_eq!(link.request(ask()).await.unwrap_err().code, ErrorCode::GoingAway);
}

#[test]
fn a_chain_fits_into_the_first_frame_with_the_longest_hello() {
    let account = AccountKey::from_bytes(&[1; 32]);
    let keys = DeviceKeys::from_bytes(&[2; 64]);
    let chain = certify(&account, &keys, Role::Source, None);
    assert!(wire::encode(&chain).len() < 1024);
}

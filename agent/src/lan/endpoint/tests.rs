//! The endpoint against real sockets: what strangers hear of it, and what controllers get.

use std::{io, net::SocketAddr};

use beckon_shared::{
    browse::{Answer, Ask},
    certificate::Role as DeviceRole,
    error::ErrorCode,
    keys::DeviceKeys,
    statement::Standing,
    wire::SESSION_PROTOCOL,
};
use futures_util::SinkExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpSocket,
    time::Instant,
};
use tokio_tungstenite::tungstenite::protocol::frame::{
    Frame,
    coding::{Data, OpCode},
};

use super::{
    super::{listen::Listeners, policy::Policy},
    *,
};
use crate::{
    agent::tests::Scene,
    identity::{Identity, copy_keys},
    orders::tests::{Family, certify},
    origin::Origin,
    session::Session,
};

/// Nothing in these tests takes so long.
const LONG: Duration = Duration::from_secs(20);

/// A door of the loopback interface.
pub(in crate::lan) fn loopback() -> Door {
    Door {
        address: "127.0.0.1".parse().unwrap(),
        interface: "lo".to_owned(),
        networks: vec!["127.0.0.0/8".parse().unwrap()],
        reach: Reach::OnLink,
        only_here: false,
        guests: Guests {
            origins: vec![Origin::parse("https://drive.example").unwrap()],
            hosts: Vec::new(),
        },
    }
}

/// A machine that listens at a door.
struct Machine {
    scene: Scene,
    listeners: Listeners,
    at: SocketAddr,
}

impl Machine {
    async fn at(door: Door) -> Self {
        let scene = Scene::alone();
        let mut listeners = Listeners::default();
        let failed = listeners.keep(&scene.agent, &policy(0), vec![door.clone()]).await;
        assert!(failed.is_empty(), "{failed:?}");
        let at = SocketAddr::new(door.address, listeners.port().unwrap());
        Self { scene, listeners, at }
    }

    async fn new() -> Self {
        Self::at(loopback()).await
    }

    /// Listens at these doors from now on.
    async fn keep(&mut self, doors: Vec<Door>) {
        let failed = self
            .listeners
            .keep(&self.scene.agent, &policy(self.at.port()), doors)
            .await;
        assert!(failed.is_empty(), "{failed:?}");
    }

    /// A connection from another address of the loopback interface.
    async fn connect_from(&self, last: u8) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, last], 0))).unwrap();
        socket.connect(self.at).await.unwrap()
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.at).await.unwrap()
    }

    fn head(&self, more: &str) -> String {
        format!(
            "GET /lan HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: {SESSION_PROTOCOL}\r\n{more}\r\n",
            self.at
        )
    }

    /// Says what opens a WebSocket over this connection, and hears the answer.
    async fn upgraded(&self, mut stream: TcpStream) -> io::Result<WebSocketStream<TcpStream>> {
        stream.write_all(self.head("").as_bytes()).await?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(stream.read_u8().await?);
        }
        assert!(answer.starts_with(b"HTTP/1.1 101 "));
        Ok(WebSocketStream::from_raw_socket(stream, Role::Client, None).await)
    }

    async fn socket(&self) -> WebSocketStream<TcpStream> {
        self.upgraded(self.connect().await).await.unwrap()
    }

    async fn session_over(&self, socket: WebSocketStream<TcpStream>, me: &Identity) -> Option<Session> {
        Session::initiate(socket, me, &self.scene.view(), &Standing::default())
            .await
            .ok()
    }

    async fn session(&self) -> Session {
        let socket = self.socket().await;
        self.session_over(socket, &self.scene.controller()).await.unwrap()
    }

    fn free_sessions(&self) -> usize {
        self.scene.agent.lan.sessions.available_permits()
    }
}

fn policy(port: u16) -> Policy {
    Policy {
        found_port: Some(port),
        ..Policy::default()
    }
}

/// All that comes until the other end hangs up, by a good-bye of TCP or by none.
async fn heard(mut stream: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let ended = tokio::time::timeout(LONG, stream.read_to_end(&mut bytes)).await;
    let _ = ended.expect("the line stayed open");
    bytes
}

async fn heard_behind(socket: WebSocketStream<TcpStream>) -> Vec<u8> {
    heard(socket.into_inner()).await
}

#[tokio::test]
async fn a_controller_opens_a_session_and_learns_its_way() {
    let machine = Machine::new().await;
    let session = machine.session().await;
    assert_eq!(session.ask(Ask::Route).await, Ok(Answer::Route(Route::Lan)));
    let Ok(Answer::Roots(roots)) = session.ask(Ask::Roots).await else {
        panic!("no roots")
    };
    assert_eq!(roots.len(), 1);
    let long = vec![0; 300];
    let asked = session.ask(Ask::Wake(long.iter().map(|_| [1; 6]).collect())).await;
    assert!(
        asked.is_err(),
        "an ask that is longer than a handshake is taken, and answered"
    );
}

#[tokio::test]
async fn a_page_of_the_paired_server_is_let_in() {
    let machine = Machine::new().await;
    let mut stream = machine.connect().await;
    let head = machine.head("Origin: https://drive.example\r\nCookie: a=b\r\nUser-Agent: a browser\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 101");
}

#[tokio::test]
async fn whatever_else_is_said_nothing_is_answered() {
    let machine = Machine::new().await;
    let good = machine.head("");
    let said = [
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "POST /lan HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}".to_owned(),
        "OPTIONS /lan HTTP/1.1\r\nAccess-Control-Request-Private-Network: true\r\n\r\n".to_owned(),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        "SSH-2.0-x\r\n\r\n".to_owned(),
        "\r\n\r\n".to_owned(),
        good.replace("GET /lan", "GET /socket"),
        good.replace(&machine.at.to_string(), "evil.example"),
        machine.head("Origin: https://evil.example\r\n"),
        machine.head("Origin: null\r\n"),
        good.replace(SESSION_PROTOCOL, "chat"),
        format!("GET /lan HTTP/1.1\r\nX: {}", "x".repeat(9000)),
    ];
    for (at, said) in said.iter().enumerate() {
        let last = u8::try_from(at).unwrap() + 2;
        let mut stream = machine.connect_from(last).await;
        let _ = stream.write_all(said.as_bytes()).await;
        assert_eq!(heard(stream).await, b"", "{said}");
    }
    assert_eq!(machine.free_sessions(), 32);
}

#[tokio::test]
async fn what_is_no_handshake_gets_no_word() {
    let machine = Machine::new().await;
    let frame = |code, len| Message::Frame(Frame::message(vec![1; len], OpCode::Data(code), true));
    let unfinished = Message::Frame(Frame::message(vec![1; 10], OpCode::Data(Data::Binary), false));
    for (last, said) in [
        (2, frame(Data::Binary, 0)),
        (3, frame(Data::Binary, 300)),
        (4, frame(Data::Binary, HANDSHAKE_MAX)),
        (5, frame(Data::Binary, HANDSHAKE_MAX + 1)),
        (6, frame(Data::Binary, 1 << 20)),
        (7, frame(Data::Text, 10)),
        (8, Message::Ping(vec![1; 10].into())),
        (9, Message::Close(None)),
        (10, unfinished),
    ] {
        let name = format!("{last}");
        let mut socket = machine.upgraded(machine.connect_from(last).await).await.unwrap();
        let _ = socket.send(said).await;
        if last == 10 {
            let more = Message::Frame(Frame::message(vec![1; 1020], OpCode::Data(Data::Continue), true));
            let _ = socket.send(more).await;
        }
        assert_eq!(heard_behind(socket).await, b"", "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_slow_is_left_after_three_seconds() {
    let machine = Machine::new().await;
    let begun = Instant::now();
    let silent = machine.connect().await;
    assert_eq!(heard(silent).await, b"");
    assert!((STRANGER_TIMEOUT..STRANGER_TIMEOUT * 2).contains(&begun.elapsed()));
    let begun = Instant::now();
    let mut loris = machine.connect().await;
    let slowly = async {
        for byte in machine.head("").bytes() {
            if loris.write_all(&[byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        panic!("the whole head was taken");
    };
    slowly.await;
    assert!(begun.elapsed() < STRANGER_TIMEOUT * 2, "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn who_stays_silent_behind_the_greeting_is_left_too() {
    let machine = Machine::new().await;
    let begun = Instant::now();
    assert_eq!(heard_behind(machine.socket().await).await, b"");
    assert!(begun.elapsed() < STRANGER_TIMEOUT * 2);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_ninth_stranger_is_left_at_once() {
    let machine = Machine::new().await;
    let mut strangers = Vec::new();
    for last in [2, 2, 2, 2, 3, 3, 3, 3] {
        let stranger = machine.connect_from(last).await;
        strangers.push(machine.upgraded(stranger).await.unwrap());
    }
    let ninth = machine.connect_from(4).await;
    assert!(machine.upgraded(ninth).await.is_err());
    strangers.pop();
    let begun = Instant::now();
    while machine.upgraded(machine.connect_from(5).await).await.is_err() {
        assert!(begun.elapsed() < LONG);
        // The place is free as soon as the machine has seen that the other one left.
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_flood_from_one_address_does_not_keep_others_out() {
    let machine = Machine::new().await;
    let mut flood = Vec::new();
    for _ in 0..60 {
        flood.push(machine.connect_from(2).await);
    }
    let socket = machine.upgraded(machine.connect_from(3).await).await.unwrap();
    let session = machine.session_over(socket, &machine.scene.controller()).await.unwrap();
    assert!(session.ask(Ask::Roots).await.is_ok());
}

#[tokio::test]
async fn who_has_a_session_takes_no_strangers_place() {
    let machine = Machine::new().await;
    let mut sessions = Vec::new();
    for _ in 0..9 {
        sessions.push(machine.session().await);
    }
    assert_eq!(machine.free_sessions(), 32 - 9);
    sessions.clear();
    let begun = Instant::now();
    while machine.free_sessions() < 32 {
        assert!(begun.elapsed() < LONG);
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn another_machine_of_the_account_is_told_nothing_without_an_order() {
    let machine = Machine::new().await;
    let keys = DeviceKeys::from_bytes(&[77; 64]);
    let another = Identity {
        chain: certify(&machine.scene.family.account, &keys, DeviceRole::Source, None),
        keys,
        account_key: machine.scene.family.account.public(),
    };
    let session = machine.session_over(machine.socket().await, &another).await.unwrap();
    let refused = session.ask(Ask::Roots).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::NotAllowed);
}

#[tokio::test]
async fn who_is_not_of_the_account_or_was_revoked_gets_no_word() {
    let machine = Machine::new().await;
    let stranger = Family::new(50);
    let of_another_account = Identity {
        keys: copy_keys(&stranger.controller),
        chain: stranger.controller_chain(),
        account_key: machine.scene.family.account.public(),
    };
    assert_eq!(first_of(&machine, &of_another_account).await.1, b"");
    let revoked = machine.scene.controller();
    let statement = machine.scene.revocation_of(revoked.keys.id());
    machine.scene.agent.take_statement(&statement).unwrap();
    assert_eq!(first_of(&machine, &revoked).await.1, b"");
    assert_eq!(machine.free_sessions(), 32);
}

/// The first message of a handshake, and all that is heard after it.
async fn first_of(machine: &Machine, me: &Identity) -> (Bytes, Vec<u8>) {
    let first = recorded(machine, me).await;
    let mut socket = machine.socket().await;
    socket.send(Message::Binary(first.clone())).await.unwrap();
    (first, heard_behind(socket).await)
}

/// The first message that this device would send.
async fn recorded(machine: &Machine, me: &Identity) -> Bytes {
    let (near, far) = tokio::io::duplex(4096);
    let near = WebSocketStream::from_raw_socket(near, Role::Client, None).await;
    let mut far = WebSocketStream::from_raw_socket(far, Role::Server, None).await;
    let (view, standing) = (machine.scene.view(), Standing::default());
    let sent = tokio::select! {
        _ = Session::initiate(near, me, &view, &standing) => panic!("nobody answered"),
        sent = far.next() => sent,
    };
    match sent.unwrap().unwrap() {
        Message::Binary(first) => first,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_recorded_handshake_gets_the_reply_that_only_its_maker_can_read_and_nothing_more() {
    let machine = Machine::new().await;
    let first = recorded(&machine, &machine.scene.controller()).await;
    let mut socket = machine.socket().await;
    socket.send(Message::Binary(first.clone())).await.unwrap();
    let Some(Ok(Message::Binary(reply))) = socket.next().await else {
        panic!("no reply")
    };
    assert!(reply.len() <= HANDSHAKE_MAX);
    assert_eq!(machine.free_sessions(), 32, "a recording takes no place of a session");
    let (begun, said) = (Instant::now(), heard_behind(socket).await);
    assert!(begun.elapsed() < STRANGER_TIMEOUT * 2);
    let plain = [b"Documents".as_slice(), b"letter", b"studio"];
    assert!(
        !plain
            .iter()
            .any(|word| said.windows(word.len()).any(|part| part == *word))
    );
    assert!(said.len() < 64, "a good-bye at most: {said:?}");
    let mut socket = machine.socket().await;
    socket.send(Message::Binary(first)).await.unwrap();
    assert!(matches!(socket.next().await, Some(Ok(Message::Binary(_)))));
    socket.send(Message::Binary(vec![7; 64].into())).await.unwrap();
    assert!(heard_behind(socket).await.len() < 64);
    assert_eq!(machine.free_sessions(), 32);
}

#[tokio::test]
async fn a_session_ends_when_its_door_is_shut_and_the_port_is_closed() {
    let mut machine = Machine::new().await;
    let session = machine.session().await;
    assert!(session.ask(Ask::Roots).await.is_ok());
    machine.keep(Vec::new()).await;
    assert_eq!(machine.listeners.port(), None);
    assert!(session.ask(Ask::Roots).await.is_err());
    assert!(TcpStream::connect(machine.at).await.is_err());
}

#[tokio::test]
async fn a_door_that_stays_or_widens_keeps_its_sessions_while_others_come_and_go() {
    let mut machine = Machine::new().await;
    let session = machine.session().await;
    let other = Door {
        address: "127.0.0.2".parse().unwrap(),
        ..loopback()
    };
    machine.keep(vec![other.clone(), loopback()]).await;
    assert_eq!(machine.listeners.port(), Some(machine.at.port()), "one port for all");
    assert!(TcpStream::connect((other.address, machine.at.port())).await.is_ok());
    let mut wider = loopback();
    wider.networks.insert(0, "10.0.0.0/8".parse().unwrap());
    machine.keep(vec![wider]).await;
    assert!(session.ask(Ask::Roots).await.is_ok());
}

#[tokio::test]
async fn a_door_that_is_made_narrower_ends_the_sessions_of_those_who_could_come_no_more() {
    for narrower in [
        Door {
            networks: vec!["127.0.0.0/16".parse().unwrap()],
            ..loopback()
        },
        Door {
            guests: Guests {
                origins: Vec::new(),
                hosts: Vec::new(),
            },
            ..loopback()
        },
    ] {
        let mut machine = Machine::new().await;
        let session = machine.session().await;
        machine.keep(vec![narrower]).await;
        assert!(session.ask(Ask::Roots).await.is_err());
        machine.session().await;
    }
}

#[tokio::test]
async fn the_port_follows_the_owners_word() {
    let mut machine = Machine::new().await;
    let before = machine.at.port();
    let chosen = Policy {
        port: Some(free_port().await),
        ..policy(before)
    };
    let failed = machine
        .listeners
        .keep(&machine.scene.agent, &chosen, vec![loopback()])
        .await;
    assert!(failed.is_empty(), "{failed:?}");
    assert_eq!(machine.listeners.port(), chosen.port);
    assert!(TcpStream::connect(machine.at).await.is_err());
    machine.keep(vec![loopback()]).await;
    assert_eq!(
        machine.listeners.port(),
        Some(before),
        "as before, once nothing is chosen"
    );
}

#[tokio::test]
async fn a_chosen_port_that_is_taken_is_told_and_no_other_is_opened() {
    let scene = Scene::alone();
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let chosen = Policy {
        port: Some(taken.local_addr().unwrap().port()),
        ..Policy::default()
    };
    let mut listeners = Listeners::default();
    let failed = listeners.keep(&scene.agent, &chosen, vec![loopback()]).await;
    assert_eq!((failed.len(), listeners.port()), (1, None));
    assert!(failed[0].advice.contains("beckon lan port"), "{failed:?}");
    drop(taken);
    assert!(listeners.keep(&scene.agent, &chosen, vec![loopback()]).await.is_empty());
    assert_eq!(listeners.port(), chosen.port);
}

async fn free_port() -> u16 {
    let tcp = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    tcp.local_addr().unwrap().port()
}

#[tokio::test]
async fn an_agent_that_stops_ends_direct_sessions() {
    let machine = Machine::new().await;
    let session = machine.session().await;
    machine.scene.agent.stop.cancel();
    assert!(session.ask(Ask::Roots).await.is_err());
}

#[tokio::test]
async fn sessions_over_the_relay_take_no_place_of_direct_ones() {
    let machine = Machine::new().await;
    let relayed = Arc::clone(&machine.scene.agent.sessions);
    let _all = relayed.acquire_many(32).await.unwrap();
    machine.session().await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_door_of_one_interface_is_not_found_by_another() {
    let addresses = crate::hello::addresses().into_iter();
    let mut cards = addresses.filter_map(|at| Some((at.address.parse::<std::net::Ipv4Addr>().ok()?, at.interface)));
    let Some((address, card)) = cards.next() else {
        return;
    };
    let door = |interface: &str| Door {
        address: address.into(),
        interface: interface.to_owned(),
        networks: vec!["0.0.0.0/0".parse().unwrap()],
        only_here: true,
        ..loopback()
    };
    // What a computer sends to itself counts as having come by the interface that has the address.
    Machine::at(door(&card)).await.session().await;
    let machine = Machine::at(door("lo")).await;
    assert!(TcpStream::connect(machine.at).await.is_err());
}

#[tokio::test]
async fn a_session_too_many_is_not_served() {
    let machine = Machine::new().await;
    let sessions = Arc::clone(&machine.scene.agent.lan.sessions);
    let all = sessions.acquire_many(32).await.unwrap();
    let socket = machine.socket().await;
    assert!(
        machine
            .session_over(socket, &machine.scene.controller())
            .await
            .is_none()
    );
    drop(all);
    machine.session().await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn who_comes_from_elsewhere_is_left_before_a_word() {
    let machine = Machine::at(Door {
        networks: vec!["127.0.0.9/32".parse().unwrap()],
        ..loopback()
    })
    .await;
    assert!(machine.upgraded(machine.connect_from(8).await).await.is_err());
    assert!(machine.upgraded(machine.connect_from(9).await).await.is_ok());
}

#[test]
fn the_way_follows_from_where_somebody_comes() {
    let card = Door {
        networks: vec!["192.168.1.0/24".parse().unwrap(), "fd00::/64".parse().unwrap()],
        ..loopback()
    };
    let vpn = Door {
        networks: vec!["100.64.0.7/32".parse().unwrap()],
        reach: Reach::Vpn,
        ..loopback()
    };
    let (lan, direct) = (Some(Route::Lan), Some(Route::Direct));
    for (from, by_card, by_vpn) in [
        ("192.168.1.77", lan, direct),
        ("::ffff:192.168.1.77", lan, direct),
        ("fd00::77", lan, direct),
        ("192.168.2.77", None, direct),
        ("100.101.102.103", None, direct),
        ("203.0.113.1", None, None),
        ("2001:db8::1", None, None),
        ("fe80::1", None, None),
    ] {
        let from = from.parse().unwrap();
        assert_eq!((card.route(from), vpn.route(from)), (by_card, by_vpn), "{from}");
    }
}

//! Who answers at a machine's address: the machine, nobody, or somebody else who would like to be it.

use std::{
    sync::{Arc, Mutex},
    time::Instant,
};

use beckon_shared::{
    certificate::Role,
    keys::DeviceKeys,
    session::{Expected, HANDSHAKE_MAX, Responder},
};
use futures_util::SinkExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinHandle,
};
use tokio_tungstenite::tungstenite::{Message, handshake::server};

use super::*;
use crate::{
    agent::tests::Scene,
    clock,
    orders::tests::{Family, certify},
    session::serve,
};

/// Somebody at an address, and what it was sent.
struct Stranger {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<Vec<u8>>>>,
    task: JoinHandle<()>,
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What a stranger says to a first message.
type Says = Box<dyn Fn(&[u8]) -> Option<Vec<u8>> + Send>;

impl Stranger {
    /// Answers the WebSocket, and then the first message.
    async fn who_says(says: Says) -> Self {
        let tcp = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let (address, heard) = (tcp.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let noted = Arc::clone(&heard);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = tcp.accept().await.unwrap();
                let Ok(mut socket) = tokio_tungstenite::accept_hdr_async(stream, agreeable).await else {
                    continue;
                };
                while let Some(Ok(message)) = socket.next().await {
                    let is_first = noted.lock().unwrap().is_empty();
                    if let Message::Binary(bytes) = message {
                        noted.lock().unwrap().push(bytes.to_vec());
                        let answer = is_first.then(|| says(&bytes)).flatten();
                        if let Some(answer) = answer {
                            let _ = socket.send(Message::Binary(answer.into())).await;
                        }
                    }
                }
            }
        });
        Self { address, heard, task }
    }

    /// Writes these bytes to whoever comes, and keeps the connection.
    async fn who_writes(bytes: &'static [u8]) -> Self {
        let tcp = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let (address, heard) = (tcp.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let noted = Arc::clone(&heard);
        let task = tokio::spawn(async move {
            let mut kept = Vec::new();
            loop {
                let (mut stream, _) = tcp.accept().await.unwrap();
                let mut request = vec![0; 4096];
                let count = stream.read(&mut request).await.unwrap_or(0);
                request.truncate(count);
                noted.lock().unwrap().push(request);
                let _ = stream.write_all(bytes).await;
                kept.push(stream);
            }
        });
        Self { address, heard, task }
    }

    fn heard(&self) -> Vec<Vec<u8>> {
        self.heard.lock().unwrap().clone()
    }
}

/// Takes whatever sub-protocol is wanted.
#[allow(clippy::result_large_err, reason = "the signature is the library's")]
fn agreeable(
    request: &server::Request,
    mut response: server::Response,
) -> Result<server::Response, server::ErrorResponse> {
    let offered = request.headers()[SEC_WEBSOCKET_PROTOCOL].clone();
    response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, offered);
    Ok(response)
}

/// Answers as this device of an account would, with its own genuine keys.
fn answers_as(family: Family, keys: DeviceKeys) -> Says {
    let chain = certify(&family.account, &keys, Role::Source, None);
    Box::new(move |first| {
        let (standing, account_key) = (Standing::default(), family.account.public());
        let me = Identity {
            keys: crate::identity::copy_keys(&keys),
            chain: chain.clone(),
            account_key,
        };
        let expected = Expected {
            account_key: &me.account_key,
            standing: &standing,
            roles: &[Role::Controller],
            now: clock::now(),
        };
        let accepted = Responder::new(me.me(&standing), expected).accept(first);
        accepted.ok().map(|(reply, _)| reply)
    })
}

/// The machine itself, over real sockets.
async fn machine(scene: &Scene) -> (SocketAddr, JoinHandle<()>) {
    let tcp = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let (address, agent) = (tcp.local_addr().unwrap(), Arc::clone(&scene.agent));
    let task = tokio::spawn(async move {
        loop {
            let (stream, _) = tcp.accept().await.unwrap();
            let socket = tokio_tungstenite::accept_hdr_async(stream, agreeable).await.unwrap();
            tokio::spawn(serve(socket, Arc::clone(&agent)));
        }
    });
    (address, task)
}

async fn dial_at(scene: &Scene, addresses: &[SocketAddr]) -> Result<(Session, Route), Refusal> {
    dial(addresses, &scene.controller(), &scene.view(), &Standing::default()).await
}

/// An address where nobody listens.
async fn closed() -> SocketAddr {
    let tcp = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    tcp.local_addr().unwrap()
}

/// The same so often that no time would be left if it were waited for each time.
async fn closed_often() -> Vec<SocketAddr> {
    let times = 2 * DEADLINE.as_millis() / STAGGER.as_millis();
    vec![closed().await; times as usize]
}

#[tokio::test]
async fn the_machine_is_reached_at_whichever_of_its_addresses_it_answers() {
    let scene = Scene::alone();
    let (address, _machine) = machine(&scene).await;
    let mut addresses = closed_often().await;
    addresses.push(address);
    let dialled = dial_at(&scene, &addresses).await;
    let (session, _) = dialled.expect("a closed port is not waited for");
    assert!(matches!(session.ask(Ask::Roots).await, Ok(Answer::Roots(roots)) if roots.len() == 1));
}

#[tokio::test]
async fn a_silent_address_keeps_the_next_one_waiting_for_a_moment_only() {
    let scene = Scene::alone();
    let (address, _machine) = machine(&scene).await;
    let silent = Stranger::who_writes(b"").await;
    let begun = Instant::now();
    assert!(dial_at(&scene, &[silent.address, address]).await.is_ok());
    assert!(begun.elapsed() >= STAGGER && begun.elapsed() < DEADLINE);
}

#[tokio::test]
async fn where_nobody_is_the_machine_it_ends_in_time() {
    let scene = Scene::alone();
    for nobody in [Vec::new(), closed_often().await] {
        let begun = Instant::now();
        assert_eq!(dial_at(&scene, &nobody).await.err().unwrap().code, ErrorCode::Away);
        assert!(begun.elapsed() < DEADLINE, "a closed port is not waited for");
    }
    let begun = Instant::now();
    let silent = Stranger::who_writes(b"").await;
    assert_eq!(
        dial_at(&scene, &[silent.address]).await.err().unwrap().code,
        ErrorCode::Away
    );
    assert!(begun.elapsed() < 2 * DEADLINE);
}

#[tokio::test]
async fn an_impostor_hears_the_first_message_and_nothing_more_and_the_machine_behind_it_is_used() {
    let scene = Scene::alone();
    let (address, _machine) = machine(&scene).await;
    let ours = || Family::new(1);
    let another = Family::new(50);
    let another_keys = crate::identity::copy_keys(&another.machine.keys);
    let impostors: [(&str, Says); 6] = [
        ("accepts all and says nothing", Box::new(|_| None)),
        ("says garbage", Box::new(|_| Some(vec![7; 200]))),
        (
            "says nothing at length",
            Box::new(|_| Some(vec![0; HANDSHAKE_MAX * 60])),
        ),
        ("says what it hears", Box::new(|first| Some(first.to_vec()))),
        (
            "another machine of the account",
            answers_as(ours(), DeviceKeys::from_bytes(&[77; 64])),
        ),
        ("a machine of another account", answers_as(another, another_keys)),
    ];
    for (who, says) in impostors {
        let impostor = Stranger::who_says(says).await;
        assert!(dial_at(&scene, &[impostor.address]).await.is_err(), "{who}");
        let (session, _) = dial_at(&scene, &[impostor.address, address]).await.unwrap();
        assert!(session.ask(Ask::Roots).await.is_ok(), "{who}");
        let heard = impostor.heard();
        assert!(
            (1..=2).contains(&heard.len()),
            "{who}: one message in each attempt, not {}",
            heard.len()
        );
        assert!(heard.iter().all(|message| message.len() <= HANDSHAKE_MAX), "{who}");
        let (me, machine) = (scene.controller(), scene.view());
        let (device, account) = (me.device(), me.account());
        let private: [&[u8]; 4] = [
            device.as_bytes(),
            account.as_bytes(),
            machine.id.as_bytes(),
            machine.name.as_str().as_bytes(),
        ];
        for secret in private {
            let tells = |message: &Vec<u8>| message.windows(secret.len()).any(|part| part == secret);
            assert!(!heard.iter().any(tells), "{who}: neither ids nor names are told");
        }
    }
}

#[tokio::test]
async fn what_is_no_websocket_is_left_before_anything_of_the_account_is_said() {
    let scene = Scene::alone();
    let answers: [&'static [u8]; 4] = [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.1 301 Moved\r\nLocation: http://192.0.2.1/\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.9\r\n",
        &[0xff; 100_000],
    ];
    for answer in answers {
        let stranger = Stranger::who_writes(answer).await;
        assert!(dial_at(&scene, &[stranger.address]).await.is_err());
        let heard = stranger.heard().concat();
        let request = String::from_utf8(heard).unwrap().to_lowercase();
        let host = format!("host: {}", stranger.address);
        assert!(
            request.starts_with("get /lan http/1.1\r\n") && request.contains(&host),
            "{request}"
        );
        for private in ["origin", "cookie", "authorization", "user-agent", "studio", "referer"] {
            assert!(!request.contains(private), "{private}: {request}");
        }
    }
}

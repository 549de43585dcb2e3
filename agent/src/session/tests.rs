//! Both ends of a session over a line that the test holds, with an honest and with a dishonest middle.
#![allow(clippy::disallowed_methods, reason = "a test makes the file that is read")]

use std::sync::Arc;

use beckon_shared::{
    api::drive::Outdated,
    browse::{Answer, Ask, ListAsk, READ_MAX, ToMachine},
    certificate::Role,
    device::{DeviceKind, DeviceView, Platform},
    entry::{Direction, InDrive, SortKey},
    id::{DeviceId, RootId},
    keys::DeviceKeys,
    path::{Label, RootPath},
    session::{Expected, Initiator},
    signature::Signed,
    statement::{Standing, Statement},
    time::Timestamp,
    wire::{self, Request},
};
use futures_util::{SinkExt, StreamExt};
use tokio::{io::DuplexStream, task::JoinHandle};
use tokio_tungstenite::{WebSocketStream, tungstenite::protocol::Role as End};

use super::*;
use crate::{
    agent::tests::{ROOT, Scene},
    clock,
    connection::tests::FakeServer,
    identity::{Identity, copy_keys},
    orders::tests::{Family, certify},
    state::StateDir,
};

impl Scene {
    pub(crate) fn controller(&self) -> Identity {
        Identity {
            keys: copy_keys(&self.family.controller),
            chain: self.family.controller_chain(),
            account_key: self.family.account.public(),
        }
    }

    /// The machine's row of the control list.
    pub(crate) fn view(&self) -> DeviceView {
        view(&self.family)
    }

    pub(super) fn revocation(&self, standing: &Standing, device: DeviceId) -> Signed<Statement> {
        let revocation = standing
            .revoke(&self.family.account.public(), &[device], clock::now())
            .unwrap();
        Signed::sign(&Statement::Revocation(revocation), self.family.account.signing())
    }

    async fn serve(&self) -> (WebSocketStream<DuplexStream>, JoinHandle<Result<(), Refusal>>) {
        let (near, far) = line().await;
        (near, tokio::spawn(serve(far, Arc::clone(&self.agent))))
    }

    /// A session with the machine by another device.
    pub(crate) async fn open_as(&self, me: &Identity) -> Session {
        let (socket, _) = self.serve().await;
        Session::initiate(socket, me, &self.view(), &Standing::default())
            .await
            .unwrap()
    }

    pub(super) async fn open(&self) -> (Session, JoinHandle<Result<(), Refusal>>) {
        let (socket, served) = self.serve().await;
        (
            Session::initiate(socket, &self.controller(), &self.view(), &Standing::default())
                .await
                .unwrap(),
            served,
        )
    }
}

/// The row of a family's machine in the control list.
pub(crate) fn view(family: &Family) -> DeviceView {
    DeviceView {
        id: family.machine.device(),
        name: Label::new("studio").unwrap(),
        kind: DeviceKind::Agent,
        os: String::new(),
        version: String::new(),
        platform: Platform::here(),
        online: true,
        address: String::new(),
        port: 0,
        addresses: Vec::new(),
        lan_port: None,
        roots: Vec::new(),
        first_seen: Timestamp(0),
        last_seen: Timestamp(0),
        revoked: false,
        joined_by_code: false,
        certificate: family.machine.chain.clone(),
        limits: beckon_shared::limits::Limits::default(),
    }
}

async fn line() -> (WebSocketStream<DuplexStream>, WebSocketStream<DuplexStream>) {
    let (near, far) = tokio::io::duplex(256 << 10);
    let near = WebSocketStream::from_raw_socket(near, End::Client, None).await;
    (near, WebSocketStream::from_raw_socket(far, End::Server, None).await)
}

fn list() -> Ask {
    Ask::List(ListAsk {
        root: ROOT,
        path: RootPath::root(),
        sort: SortKey::Name,
        direction: Direction::Ascending,
        offset: 0,
        max_bytes: 4096,
        snapshot: None,
    })
}

fn letter() -> RootPath {
    RootPath::new("letter").unwrap()
}

fn refusal<T>(result: Result<T, Refusal>) -> ErrorCode {
    result.err().unwrap().code
}

#[tokio::test]
async fn what_is_too_long_for_one_message_is_refused_and_the_session_goes_on() {
    let scene = Scene::alone();
    let (session, _) = scene.open().await;
    let long = RootPath::new([b'a'; 255]).unwrap();
    let ask = Ask::States {
        root: ROOT,
        folders: vec![long; 5000],
        drive: Box::new(Outdated {
            epoch: 0,
            places: Vec::new(),
        }),
    };
    assert_eq!(refusal(session.ask(ask).await), ErrorCode::TooLarge);
    assert!(session.ask(Ask::Roots).await.is_ok());
}

#[tokio::test]
async fn a_controller_looks_into_a_machine() {
    let scene = Scene::alone();
    let (session, _) = scene.open().await;
    let Answer::Roots(roots) = session.ask(Ask::Roots).await.unwrap() else {
        panic!("no roots")
    };
    assert_eq!(roots[0].id, ROOT);
    let Answer::Page(page) = session.ask(list()).await.unwrap() else {
        panic!("no page")
    };
    assert_eq!(page.entries[0].name.as_str(), Some("letter"));
    let Answer::Page(entry) = session
        .ask(Ask::Stat {
            root: ROOT,
            path: letter(),
        })
        .await
        .unwrap()
    else {
        panic!("no entry")
    };
    assert_eq!(entry.entries[0].stamp.size, 11);
    let read = Ask::Read {
        root: ROOT,
        path: letter(),
        offset: 5,
        len: 100,
    };
    assert_eq!(session.ask(read).await.unwrap(), Answer::Bytes(b"reader".to_vec()));
    let states = Ask::States {
        root: ROOT,
        folders: vec![RootPath::root(), letter()],
        drive: Box::new(Outdated {
            epoch: 0,
            places: Vec::new(),
        }),
    };
    assert_eq!(session.ask(states).await.unwrap(), Answer::States(vec![InDrive::No; 2]));
}

#[tokio::test]
async fn several_asks_are_under_way_at_once_and_each_gets_its_answer() {
    let scene = Scene::alone();
    let (session, _) = scene.open().await;
    let asks = (0..40).map(|at| {
        session.ask(Ask::Read {
            root: ROOT,
            path: letter(),
            offset: at % 11,
            len: 1,
        })
    });
    let answers = futures_util::future::join_all(asks).await;
    for (at, answer) in answers.into_iter().enumerate() {
        assert_eq!(answer.unwrap(), Answer::Bytes(vec![b"dear reader"[at % 11]]));
    }
}

#[tokio::test]
async fn one_read_is_bounded_and_the_next_goes_on_behind_it() {
    let scene = Scene::alone();
    let content: Vec<u8> = (0..READ_MAX + 10).map(|at| at.to_le_bytes()[0]).collect();
    std::fs::write(scene.folder.path().join("files/long"), &content).unwrap();
    let (session, _) = scene.open().await;
    let read = async |offset: usize| {
        let path = RootPath::new("long").unwrap();
        session
            .ask(Ask::Read {
                root: ROOT,
                path,
                offset: offset as u64,
                len: u32::MAX,
            })
            .await
            .unwrap()
    };
    let most = READ_MAX as usize;
    assert_eq!(read(0).await, Answer::Bytes(content[..most].to_vec()));
    assert_eq!(read(most).await, Answer::Bytes(content[most..].to_vec()));
    assert_eq!(read(content.len()).await, Answer::Bytes(Vec::new()));
}

#[tokio::test]
async fn an_order_given_in_a_session_is_checked_journaled_and_carried_out() {
    let (fake, server) = FakeServer::start().await;
    let scene = Scene::at(server);
    let mut socket = scene.connect(&fake).await;
    let (session, _) = scene.open().await;
    let order = scene.family.order_for(ROOT);
    let mut forged = scene.family.sign(&order);
    forged.order.signature[0] ^= 1;
    assert_eq!(
        refusal(session.ask(Ask::Order(Box::new(forged))).await),
        ErrorCode::BadOrder
    );
    for _ in 0..2 {
        let signed = Box::new(scene.family.sign(&order));
        assert_eq!(session.ask(Ask::Order(signed)).await, Ok(Answer::Done));
    }
    assert_eq!(scene.agent.open_orders(), 1);
    let (_, Request::ShowOrder { order: shown, .. }) = socket.request().await else {
        panic!("the server does not learn of it")
    };
    assert_eq!(*shown, scene.family.sign(&order));
}

#[tokio::test]
async fn what_is_not_there_is_refused_and_the_session_goes_on() {
    let scene = Scene::alone();
    let (session, _) = scene.open().await;
    let absent = RootPath::new("absent").unwrap();
    assert_eq!(
        refusal(
            session
                .ask(Ask::Stat {
                    root: ROOT,
                    path: absent
                })
                .await
        ),
        ErrorCode::NotFound
    );
    assert_eq!(
        refusal(
            session
                .ask(Ask::Stat {
                    root: RootId([9; 16]),
                    path: letter()
                })
                .await
        ),
        ErrorCode::NotFound
    );
    assert!(session.ask(Ask::Roots).await.is_ok());
}

#[tokio::test]
async fn a_controller_of_another_account_sees_nothing() {
    let scene = Scene::alone();
    let stranger = Family::new(50);
    let me = Identity {
        keys: copy_keys(&stranger.controller),
        chain: stranger.controller_chain(),
        account_key: scene.family.account.public(),
    };
    let (socket, served) = scene.serve().await;
    assert!(
        Session::initiate(socket, &me, &scene.view(), &Standing::default())
            .await
            .is_err()
    );
    assert_eq!(refusal(served.await.unwrap()), ErrorCode::NotAllowed);
}

#[tokio::test]
async fn a_machine_of_the_same_account_is_no_controller() {
    let scene = Scene::alone();
    let keys = DeviceKeys::from_bytes(&[77; 64]);
    let chain = certify(&scene.family.account, &keys, Role::Source, None);
    let me = Identity {
        keys,
        chain,
        account_key: scene.family.account.public(),
    };
    let session = scene.open_as(&me).await;
    let read = Ask::Read {
        root: ROOT,
        path: letter(),
        offset: 0,
        len: 100,
    };
    let order = scene.family.sign(&scene.family.order_for(ROOT));
    for ask in [
        Ask::Roots,
        list(),
        read,
        Ask::Order(Box::new(order)),
        Ask::Wake(Vec::new()),
    ] {
        assert_eq!(refusal(session.ask(ask).await), ErrorCode::NotAllowed);
    }
    assert_eq!(scene.agent.open_orders(), 0);
}

#[tokio::test]
async fn a_swapped_machine_certificate_is_not_believed() {
    let scene = Scene::alone();
    let (evil, me) = (Family::new(90), scene.controller());
    // The server names keys of its own for the machine.
    let mut view = scene.view();
    view.certificate = evil.machine.chain.clone();
    let (socket, _served) = scene.serve().await;
    assert_eq!(
        refusal(Session::initiate(socket, &me, &view, &Standing::default()).await),
        ErrorCode::NotAllowed
    );
    // It names another genuine machine of the account.
    let keys = DeviceKeys::from_bytes(&[77; 64]);
    let mut view = scene.view();
    view.certificate = certify(&scene.family.account, &keys, Role::Source, None);
    let (socket, _served) = scene.serve().await;
    assert_eq!(
        refusal(Session::initiate(socket, &me, &view, &Standing::default()).await),
        ErrorCode::NotAllowed
    );
    // Even as its own row: then the machine at the other end cannot answer.
    view.id = keys.id();
    let (socket, served) = scene.serve().await;
    assert!(
        Session::initiate(socket, &me, &view, &Standing::default())
            .await
            .is_err()
    );
    assert!(served.await.unwrap().is_err());
}

#[tokio::test]
async fn a_revoked_controller_is_not_let_in() {
    let scene = Scene::alone();
    scene
        .agent
        .take_statement(&scene.revocation(&Standing::default(), scene.family.controller.id()))
        .unwrap();
    let (socket, served) = scene.serve().await;
    assert!(
        Session::initiate(socket, &scene.controller(), &scene.view(), &Standing::default())
            .await
            .is_err()
    );
    assert_eq!(refusal(served.await.unwrap()), ErrorCode::Revoked);
}

#[tokio::test]
async fn a_revocation_ends_the_sessions_that_stand() {
    let scene = Scene::alone();
    let (session, served) = scene.open().await;
    assert!(session.ask(Ask::Roots).await.is_ok());
    scene
        .agent
        .take_statement(&scene.revocation(&Standing::default(), scene.family.controller.id()))
        .unwrap();
    assert_eq!(refusal(served.await.unwrap()), ErrorCode::Revoked);
    assert_eq!(refusal(session.ask(Ask::Roots).await), ErrorCode::Away);
}

/// A controller that asks for much and takes no answer, once the machine can take no further ask.
async fn clogged(scene: &Scene) -> (WebSocketStream<DuplexStream>, JoinHandle<Result<(), Refusal>>) {
    std::fs::write(scene.folder.path().join("files/long"), vec![7; READ_MAX as usize]).unwrap();
    let (mut socket, served) = scene.serve().await;
    let (me, standing) = (scene.controller(), Standing::default());
    let machine = scene.family.machine.keys.public();
    let (initiator, first) = Initiator::new(&me.me(&standing), me.account(), &machine).unwrap();
    socket.send(Message::Binary(first.into())).await.unwrap();
    let reply = line::handshake_message(&mut socket).await.unwrap();
    let expected = Expected {
        account_key: &me.account_key,
        standing: &standing,
        roles: &[Role::Source],
        now: clock::now(),
    };
    let mut channel = initiator.finish(&reply, &expected).unwrap().channel;
    let read = |id| ToMachine::Ask {
        id,
        body: Ask::Read {
            root: ROOT,
            path: RootPath::new("long").unwrap(),
            offset: 0,
            len: READ_MAX,
        },
    };
    let open = ToMachine::Open { statement: None };
    for message in std::iter::once(open).chain((0..300).map(read)) {
        for record in channel.seal(&wire::encode(&message)).unwrap() {
            socket.send(Message::Binary(record.into())).await.unwrap();
        }
    }
    // The clock stands still while anything moves.
    tokio::time::sleep(Duration::from_secs(1)).await;
    (socket, served)
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_session_is_not_held_up_by_who_reads_nothing() {
    let scene = Scene::alone();
    let (mut socket, served) = clogged(&scene).await;
    let begun = tokio::time::Instant::now();
    let revocation = scene.revocation(&Standing::default(), scene.family.controller.id());
    scene.agent.take_statement(&revocation).unwrap();
    assert_eq!(refusal(served.await.unwrap()), ErrorCode::Revoked);
    while socket.send(Message::Pong(Default::default())).await.is_ok() {}
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn news_of_revocations_travel_both_ways() {
    let scene = Scene::alone();
    let first = scene.revocation(&Standing::default(), DeviceId([1; 32]));
    scene.agent.take_statement(&first).unwrap();
    let (session, _served) = scene.open().await;
    assert_eq!(session.statement, Some(first.clone()), "the controller knew nothing");
    let mut standing = Standing::default();
    standing.accept(&first, &scene.family.account.public()).unwrap();
    let second = scene.revocation(&standing, DeviceId([2; 32]));
    standing.accept(&second, &scene.family.account.public()).unwrap();
    let (socket, _served) = scene.serve().await;
    let session = Session::initiate(socket, &scene.controller(), &scene.view(), &standing)
        .await
        .unwrap();
    assert_eq!(session.statement, None);
    assert_eq!(scene.agent.standing().borrow().number(), 2, "the machine learned it");
    let kept = StateDir::open(&scene.folder.path().join("state"))
        .unwrap()
        .machine()
        .unwrap()
        .unwrap();
    assert_eq!(kept.standing.number(), 2, "and keeps it");
}

#[tokio::test]
async fn a_recorded_handshake_played_again_yields_nothing() {
    let scene = Scene::alone();
    let (mut middle_near, middle_far) = (line().await, scene.serve().await.0);
    let (near, mut recording) = (middle_near.0, Vec::new());
    let me = scene.controller();
    let view = scene.view();
    let opening = tokio::spawn(async move { Session::initiate(near, &me, &view, &Standing::default()).await });
    recording.push(middle_near.1.next().await.unwrap().unwrap());
    drop((middle_near.1, middle_far));
    assert!(opening.await.unwrap().is_err());
    // The machine answers the handshake, which is worthless to who cannot go on with it.
    let (mut socket, served) = scene.serve().await;
    socket.send(recording[0].clone()).await.unwrap();
    assert!(matches!(socket.next().await, Some(Ok(Message::Binary(_)))));
    socket.send(Message::Binary(vec![7; 64].into())).await.unwrap();
    assert!(served.await.unwrap().is_err());
}

#[tokio::test]
async fn an_altered_record_ends_the_session() {
    let scene = Scene::alone();
    let (near, mut middle) = line().await;
    let (mut far, served) = scene.serve().await;
    let me = scene.controller();
    let view = scene.view();
    let opening = tokio::spawn(async move { Session::initiate(near, &me, &view, &Standing::default()).await });
    far.send(middle.next().await.unwrap().unwrap()).await.unwrap();
    middle.send(far.next().await.unwrap().unwrap()).await.unwrap();
    let Message::Binary(record) = middle.next().await.unwrap().unwrap() else {
        panic!("no record")
    };
    let mut altered = record.to_vec();
    altered[3] ^= 1;
    far.send(Message::Binary(altered.into())).await.unwrap();
    assert!(served.await.unwrap().is_err(), "the first message did not come through");
    drop((far, middle));
    assert!(opening.await.unwrap().is_err());
}

#[tokio::test]
async fn a_forged_order_is_refused_inside_a_session_too() {
    let scene = Scene::alone();
    let (session, _served) = scene.open().await;
    let mut order = scene.family.order(clock::now());
    order.target = DeviceId([8; 32]);
    let signed = scene.family.sign(&order);
    assert_eq!(
        refusal(session.ask(Ask::Order(Box::new(signed))).await),
        ErrorCode::BadOrder
    );
    assert_eq!(scene.agent.open_orders(), 0);
}

#[tokio::test]
async fn an_agent_that_stops_ends_its_sessions() {
    let scene = Scene::alone();
    let (session, served) = scene.open().await;
    scene.agent.stop.cancel();
    assert_eq!(served.await.unwrap(), Ok(()));
    assert_eq!(refusal(session.ask(Ask::Roots).await), ErrorCode::Away);
}

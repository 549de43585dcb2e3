//! Orders that an honest and a dishonest server push, and what the machine makes of them.
#![allow(clippy::disallowed_methods, reason = "a test makes the folder that is looked into")]

use std::{fs, ops::ControlFlow, time::Duration};

use beckon_shared::{
    device::DeviceKind,
    id::{RootId, SpaceId, TransferId},
    path::RootPath,
    transfer::TransferState,
    wire::{Reply, Request},
};

use super::*;
use crate::{
    connection::{
        Connection, LinkEnd,
        tests::{FakeServer, FakeSocket},
    },
    identity::copy_keys,
    orders::tests::Family,
    origin::Origin,
    scan::{self, Scope, Step},
    state::RootConfig,
};

/// The one root of a [`Scene`].
pub(crate) const ROOT: RootId = RootId([4; 16]);

/// A machine with one root, which holds one file.
pub(crate) struct Scene {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) family: Family,
    pub(crate) agent: Arc<Agent>,
    link: LinkEnd,
}

impl Scene {
    /// A machine that reaches no server.
    pub(crate) fn alone() -> Self {
        let origin = Origin::parse("http://127.0.0.1:1").unwrap();
        Self::at(Server::new(origin, None).unwrap())
    }

    /// A machine that joined at this server.
    pub(crate) fn at(server: Server) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let files = folder.path().join("files");
        fs::create_dir(&files).unwrap();
        fs::write(files.join("letter"), b"dear reader").unwrap();
        let family = Family::new(1);
        let machine = Machine {
            server: server.origin.clone(),
            account_key: family.account.public(),
            space: SpaceId::new(clock::now(), [1; 10]),
            name: Label::new("studio").unwrap(),
            keys: copy_keys(&family.machine.keys),
            chain: family.machine.chain.clone(),
            standing: Standing::default(),
            roots: vec![RootConfig {
                id: ROOT,
                name: Label::new("Documents").unwrap(),
                path: fs::canonicalize(&files).unwrap(),
                writable: false,
                ignore: String::new(),
            }],
            closed: Vec::new(),
            has_journal: false,
            lan: Default::default(),
        };
        let state = StateDir::open(&folder.path().join("state")).unwrap();
        state.save_machine(&machine).unwrap();
        let (agent, link) = start(state, server);
        Self {
            folder,
            family,
            agent,
            link,
        }
    }

    /// The same machine after its agent was started anew.
    pub(crate) fn restarted(self) -> Self {
        let Self {
            folder, family, agent, ..
        } = self;
        let server = agent.server.clone();
        drop(Arc::try_unwrap(agent).ok().expect("nothing is under way"));
        let (agent, link) = start(StateDir::open(&folder.path().join("state")).unwrap(), server);
        Self {
            folder,
            family,
            agent,
            link,
        }
    }

    /// The account's statement that a device counts no more.
    pub(crate) fn revocation_of(&self, device: DeviceId) -> Signed<Statement> {
        let revocation = Standing::default()
            .revoke(&self.family.account.public(), &[device], clock::now())
            .unwrap();
        Signed::sign(&Statement::Revocation(revocation), self.family.account.signing())
    }

    fn revoke(&self, device: DeviceId) {
        self.agent.take_statement(&self.revocation_of(device)).unwrap();
    }

    pub(crate) async fn connect(&self, fake: &FakeServer) -> FakeSocket {
        let hello = hello::hello(self.agent.name(), DeviceKind::Agent, Vec::new(), 0);
        let opened = Connection::open(&self.agent.server, &self.agent.identity, hello);
        let (opened, socket) = tokio::join!(opened, fake.admit(&self.family.account));
        self.link.set(Some(opened.unwrap().0));
        socket
    }

    pub(crate) async fn stopped(&self) {
        self.agent.stop.cancel();
        self.link.close().await;
        self.agent.tasks.close();
        self.agent.tasks.wait().await;
    }
}

fn start(state: StateDir, server: Server) -> (Arc<Agent>, LinkEnd) {
    let machine = state.machine().unwrap().unwrap();
    let (end, link) = LinkEnd::new();
    (Arc::new(Agent::open(state, &machine, server, link).unwrap()), end)
}

/// The end of a transfer as the machine tells it; the fake server records it.
pub(crate) async fn end_of(socket: &mut FakeSocket) -> (TransferId, TransferState, Option<ErrorCode>) {
    let (id, request) = socket.request().await;
    let Request::EndTransfer {
        transfer, state, error, ..
    } = request
    else {
        panic!("{request:?}")
    };
    socket.reply(id, Ok(Reply::Done)).await;
    (transfer, state, error.map(|error| error.code))
}

#[tokio::test]
async fn a_forged_order_is_reported_and_never_begins() {
    let (fake, server) = FakeServer::start().await;
    let scene = Scene::at(server);
    let mut socket = scene.connect(&fake).await;
    let order = scene.family.order_for(ROOT);
    let mut forged = scene.family.sign(&order);
    forged.order.signature[0] ^= 1;
    scene.agent.take_pushed_order(forged).await;
    assert_eq!(
        end_of(&mut socket).await,
        (order.id, TransferState::Failed, Some(ErrorCode::BadOrder))
    );
    assert_eq!(scene.agent.open_orders(), 0);
}

#[tokio::test]
async fn a_genuine_order_begins_once_however_often_it_is_pushed() {
    let (fake, server) = FakeServer::start().await;
    let scene = Scene::at(server);
    let mut socket = scene.connect(&fake).await;
    let order = scene.family.order_for(ROOT);
    for _ in 0..3 {
        scene.agent.take_pushed_order(scene.family.sign(&order)).await;
    }
    assert_eq!(scene.agent.open_orders(), 1);
    let (id, request) = socket.request().await;
    assert_eq!(request, Request::BeginTransfer { transfer: order.id });
    socket
        .reply(id, Err(Refusal::new(ErrorCode::NotFound, "no such transfer")))
        .await;
    assert_eq!(
        end_of(&mut socket).await,
        (order.id, TransferState::Failed, Some(ErrorCode::NotFound))
    );
}

#[tokio::test]
async fn an_order_for_a_closed_root_fails_and_is_remembered_over_a_restart() {
    let (fake, server) = FakeServer::start().await;
    let scene = Scene::at(server);
    let order = scene.family.order_for(RootId([9; 16]));
    let signed = scene.family.sign(&order);
    let expected = (order.id, TransferState::Failed, Some(ErrorCode::NotFound));
    let mut socket = scene.connect(&fake).await;
    scene.agent.take_pushed_order(signed.clone()).await;
    assert_eq!(end_of(&mut socket).await, expected);
    scene.stopped().await;
    let scene = scene.restarted();
    let mut socket = scene.connect(&fake).await;
    scene.agent.take_pushed_order(signed).await;
    assert_eq!(scene.agent.open_orders(), 0, "it is not begun again");
    assert_eq!(end_of(&mut socket).await, expected);
}

#[tokio::test]
async fn an_order_that_has_lapsed_is_refused_with_the_reason() {
    let (fake, server) = FakeServer::start().await;
    let scene = Scene::at(server);
    let mut socket = scene.connect(&fake).await;
    let mut order = scene.family.order_for(ROOT);
    order.issued = clock::now().before(Duration::from_secs(7200));
    order.expires = clock::now().before(Duration::from_secs(3600));
    scene.agent.take_pushed_order(scene.family.sign(&order)).await;
    let (_, request) = socket.request().await;
    let Request::EndTransfer {
        state: TransferState::Failed,
        error: Some(error),
        ..
    } = request
    else {
        panic!("{request:?}")
    };
    assert_eq!(error.code, ErrorCode::BadOrder);
    assert!(error.message.contains("expired"), "{}", error.message);
}

#[tokio::test]
async fn an_order_ends_when_its_signer_is_revoked() {
    let (fake, server) = FakeServer::start().await;
    let scene = Scene::at(server);
    let mut socket = scene.connect(&fake).await;
    let order = scene.family.order_for(ROOT);
    scene.agent.take_order(scene.family.sign(&order)).await.unwrap();
    let (_, request) = socket.request().await;
    assert_eq!(request, Request::BeginTransfer { transfer: order.id });
    scene.revoke(order.signer);
    assert_eq!(
        end_of(&mut socket).await,
        (order.id, TransferState::Failed, Some(ErrorCode::BadOrder))
    );
}

#[tokio::test]
async fn a_revocation_that_comes_while_an_order_is_taken_on_ends_it_as_well() {
    let (fake, server) = FakeServer::start().await;
    let scene = Scene::at(server);
    let mut socket = scene.connect(&fake).await;
    let order = scene.family.order_for(ROOT);
    let busy = scene.agent.work.taking.lock().await;
    let mut taking = std::pin::pin!(scene.agent.take_order(scene.family.sign(&order)));
    tokio::select! {
        biased;
        taken = &mut taking => panic!("it does not wait: {taken:?}"),
        () = std::future::ready(()) => {}
    }
    scene.revoke(order.signer);
    drop(busy);
    taking.await.unwrap();
    assert_eq!(
        end_of(&mut socket).await,
        (order.id, TransferState::Failed, Some(ErrorCode::BadOrder))
    );
}

#[tokio::test]
async fn an_order_ends_when_its_root_is_closed() {
    let (fake, server) = FakeServer::start().await;
    let scene = Scene::at(server);
    let mut socket = scene.connect(&fake).await;
    let order = scene.family.order_for(ROOT);
    scene.agent.take_order(scene.family.sign(&order)).await.unwrap();
    socket.request().await;
    scene
        .agent
        .state
        .update_machine(|machine| {
            machine.roots.clear();
            Ok(())
        })
        .unwrap();
    scene.agent.reload().unwrap();
    assert_eq!(
        end_of(&mut socket).await,
        (order.id, TransferState::Failed, Some(ErrorCode::NotFound))
    );
    assert!(scene.agent.root_views().is_empty());
}

#[tokio::test]
async fn a_root_may_hold_the_state_folder_and_nothing_of_it_is_reached() {
    let scene = Scene::alone();
    scene
        .agent
        .state
        .update_machine(|machine| {
            machine.roots[0].path = fs::canonicalize(scene.folder.path()).unwrap();
            Ok(())
        })
        .unwrap();
    scene.agent.reload().unwrap();
    let root = scene.agent.root(&ROOT).unwrap();
    assert!(root.folder(&RootPath::new("state").unwrap()).is_err());
    let mut found = Vec::new();
    let _ = scan::walk(&root, &[Scope::below(RootPath::root())], root.ignore(), |step| {
        match step {
            Step::Found(entry) => found.push(entry.path.display()),
            other => panic!("{other:?}"),
        }
        ControlFlow::Continue(())
    });
    assert_eq!(found, ["files", "files/letter"]);
}

#[tokio::test]
async fn a_machine_that_was_revoked_knows() {
    let scene = Scene::alone();
    assert!(!scene.agent.is_revoked());
    scene.revoke(scene.agent.device());
    assert!(scene.agent.is_revoked());
}

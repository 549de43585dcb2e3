//! What a server can have a machine do with an order, and what it cannot.
#![allow(
    clippy::disallowed_methods,
    reason = "a test takes the folder away that is looked into"
)]

use std::fs;

use beckon_shared::{
    bulk::UploadGrant,
    chunk::ChunkKey,
    commit::ChainHead,
    entry::{EntryKind, SourceStamp},
    error::{ErrorCode, Refusal},
    id::Hash,
    order::{Order, OrderBody, SignedOrder},
    path::RootPath,
    transfer::{Hold, TransferState},
    wire::{Reply, Request, ToServer},
};

use super::*;
use crate::{
    agent::tests::{ROOT, Scene, end_of},
    connection::tests::{FakeServer, FakeSocket},
    index::{Committed, Row},
};

/// A machine that has begun an order.
struct Begun {
    scene: Scene,
    socket: FakeSocket,
    order: Order,
    signed: SignedOrder,
    /// The number of the request to begin, which has no answer yet.
    request: u32,
    _fake: FakeServer,
}

impl Begun {
    async fn new() -> Self {
        let (fake, server) = FakeServer::start().await;
        let scene = Scene::at(server);
        let mut socket = scene.connect(&fake).await;
        let order = scene.family.order_for(ROOT);
        let signed = scene.family.sign(&order);
        scene.agent.take_pushed_order(signed.clone()).await;
        let request = begins(&mut socket, &order).await;
        Self {
            scene,
            socket,
            order,
            signed,
            request,
            _fake: fake,
        }
    }

    async fn steer(&self, act: Act) {
        self.scene.agent.steer(self.order.id, act).await;
    }

    async fn show_again(&self) {
        self.scene.agent.take_pushed_order(self.signed.clone()).await;
    }

    async fn at_rest(&self) {
        self.scene.agent.tasks.close();
        self.scene.agent.tasks.wait().await;
        assert_eq!(self.scene.agent.open_orders(), 0);
    }

    async fn fails(&mut self) {
        let refusal = Refusal::new(ErrorCode::NotAllowed, "not today");
        self.socket.reply(self.request, Err(refusal)).await;
        assert_eq!(self.ends().await, (TransferState::Failed, Some(ErrorCode::NotAllowed)));
        self.at_rest().await;
    }

    async fn ends(&mut self) -> (TransferState, Option<ErrorCode>) {
        let (id, state, error) = end_of(&mut self.socket).await;
        assert_eq!(id, self.order.id);
        (state, error)
    }
}

async fn begins(socket: &mut FakeSocket, order: &Order) -> u32 {
    let (number, request) = socket.request().await;
    assert_eq!(request, Request::BeginTransfer { transfer: order.id });
    number
}

#[tokio::test]
async fn a_paused_order_stops_without_a_word_and_goes_on_when_it_is_shown_again() {
    let mut begun = Begun::new().await;
    for _ in 0..2 {
        begun.steer(Act::Pause).await;
    }
    begun.at_rest().await;
    begun.steer(Act::Resume).await;
    for _ in 0..2 {
        begun.show_again().await;
    }
    assert_eq!(begun.scene.agent.open_orders(), 1, "two who resume start one run");
    begins(&mut begun.socket, &begun.order).await;
}

#[tokio::test]
async fn an_order_that_is_resumed_before_it_has_stopped_goes_on() {
    let mut begun = Begun::new().await;
    begun.steer(Act::Pause).await;
    begun.show_again().await;
    begins(&mut begun.socket, &begun.order).await;
}

#[tokio::test]
async fn an_order_that_is_paused_again_before_it_has_stopped_stays_paused() {
    let begun = Begun::new().await;
    begun.steer(Act::Pause).await;
    begun.show_again().await;
    begun.steer(Act::Pause).await;
    begun.at_rest().await;
}

#[tokio::test]
async fn a_cancelled_order_ends_and_is_never_begun_again() {
    let mut begun = Begun::new().await;
    begun.steer(Act::Cancel).await;
    assert_eq!(begun.ends().await, (TransferState::Cancelled, None));
    begun.at_rest().await;
    begun.steer(Act::Retry).await;
    begun.show_again().await;
    assert_eq!(begun.ends().await, (TransferState::Cancelled, None));
    begun.at_rest().await;
}

#[tokio::test]
async fn a_paused_order_can_be_cancelled() {
    let mut begun = Begun::new().await;
    begun.steer(Act::Pause).await;
    begun.at_rest().await;
    begun.steer(Act::Cancel).await;
    assert_eq!(begun.ends().await, (TransferState::Cancelled, None));
    begun.show_again().await;
    assert_eq!(begun.ends().await, (TransferState::Cancelled, None));
}

#[tokio::test]
async fn an_order_that_failed_runs_again_only_when_that_is_wanted() {
    let mut begun = Begun::new().await;
    begun.fails().await;
    begun.show_again().await;
    assert_eq!(begun.ends().await, (TransferState::Failed, Some(ErrorCode::NotAllowed)));
    begun.at_rest().await;
    begun.steer(Act::Retry).await;
    begun.at_rest().await;
    begun.show_again().await;
    begun.request = begins(&mut begun.socket, &begun.order).await;
    begun.steer(Act::Retry).await;
    begun.show_again().await;
    assert_eq!(begun.scene.agent.open_orders(), 1);
    begun.fails().await;
}

#[tokio::test]
async fn a_retry_that_comes_before_the_answer_to_the_end_is_not_lost() {
    let mut begun = Begun::new().await;
    let refusal = Refusal::new(ErrorCode::NotAllowed, "not today");
    begun.socket.reply(begun.request, Err(refusal)).await;
    let (number, request) = begun.socket.request().await;
    assert!(matches!(request, Request::EndTransfer { .. }), "{request:?}");
    begun.steer(Act::Retry).await;
    begun.show_again().await;
    begun.socket.reply(number, Ok(Reply::Done)).await;
    begins(&mut begun.socket, &begun.order).await;
}

/// Does what the agent asks until it says that a person must answer first.
async fn until_it_asks(socket: &mut FakeSocket) {
    loop {
        match socket.next().await {
            ToServer::Request { id, .. } => socket.reply(id, Ok(Reply::Done)).await,
            ToServer::Progress {
                hold: Hold::Question, ..
            } => return,
            _ => {}
        }
    }
}

/// Lets the machine believe that it stored a file that is not there any more.
fn remember_a_file(scene: &Scene, order: &Order, head: ChainHead) {
    let OrderBody::Upload(upload) = &order.body else {
        unreachable!("an upload");
    };
    let source = scene.agent.index.source(upload.space, ROOT, 1, head).unwrap();
    let row = Row {
        kind: EntryKind::File,
        stamp: SourceStamp {
            size: 1,
            mtime_ns: 0,
            ctime_ns: 0,
            file_id: 0,
        },
        read_ns: 0,
        mode: 0,
        hash: Hash([1; 32]),
    };
    let rows = vec![(RootPath::new("photos/gone").unwrap(), row)];
    scene.agent.index.record(source, &Committed { head, rows }).unwrap();
}

fn grant(order: &Order, head: ChainHead) -> Reply {
    let OrderBody::Upload(upload) = &order.body else {
        unreachable!("an upload");
    };
    Reply::Grant(Box::new(UploadGrant {
        ticket: [0; 32],
        space: upload.space,
        chunk_key: ChunkKey([5; 32]),
        head,
        epoch: 1,
    }))
}

#[tokio::test]
async fn an_order_for_a_root_that_is_gone_waits_for_a_person_who_can_let_it_go_on_or_pause_it() {
    let head = ChainHead {
        number: 1,
        hash: Hash([1; 32]),
    };
    for answer in [Act::Resume, Act::Pause] {
        let mut begun = Begun::new().await;
        remember_a_file(&begun.scene, &begun.order, head);
        fs::rename(
            begun.scene.folder.path().join("files"),
            begun.scene.folder.path().join("aside"),
        )
        .unwrap();
        begun.socket.reply(begun.request, Ok(grant(&begun.order, head))).await;
        until_it_asks(&mut begun.socket).await;
        begun.show_again().await;
        assert_eq!(begun.scene.agent.open_orders(), 1);
        begun.steer(answer).await;
        if answer == Act::Pause {
            begun.at_rest().await;
            continue;
        }
        begun.request = begins(&mut begun.socket, &begun.order).await;
        begun.socket.reply(begun.request, Ok(grant(&begun.order, head))).await;
        loop {
            let (number, request) = begun.socket.request().await;
            begun.socket.reply(number, Ok(Reply::Done)).await;
            if let Request::EndTransfer { state, error, .. } = request {
                let code = error.map(|error| error.code);
                assert_eq!((state, code), (TransferState::Failed, Some(ErrorCode::NotFound)));
                break;
            }
        }
        begun.at_rest().await;
    }
}

/// Has the order come to its end with what is there; it must not ask.
async fn ends_without_a_question(socket: &mut FakeSocket) {
    loop {
        match socket.next().await {
            ToServer::Request { id, body } => {
                socket.reply(id, Ok(Reply::Done)).await;
                if let Request::EndTransfer { error, .. } = *body {
                    assert_eq!(error.map(|error| error.code), Some(ErrorCode::NotFound));
                    return;
                }
            }
            ToServer::Progress { hold, .. } => assert_ne!(hold, Hold::Question, "it was answered"),
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_person_who_let_an_order_go_on_is_not_asked_again_after_a_pause_or_a_restart() {
    let head = ChainHead {
        number: 1,
        hash: Hash([1; 32]),
    };
    let mut begun = Begun::new().await;
    remember_a_file(&begun.scene, &begun.order, head);
    fs::rename(
        begun.scene.folder.path().join("files"),
        begun.scene.folder.path().join("aside"),
    )
    .unwrap();
    begun.socket.reply(begun.request, Ok(grant(&begun.order, head))).await;
    until_it_asks(&mut begun.socket).await;
    begun.steer(Act::Resume).await;
    begins(&mut begun.socket, &begun.order).await;
    begun.steer(Act::Pause).await;
    begun.at_rest().await;
    let Begun {
        scene,
        order,
        signed,
        _fake: fake,
        ..
    } = begun;
    scene.stopped().await;
    let scene = scene.restarted();
    let mut socket = scene.connect(&fake).await;
    scene.agent.take_pushed_order(signed).await;
    let request = begins(&mut socket, &order).await;
    socket.reply(request, Ok(grant(&order, head))).await;
    ends_without_a_question(&mut socket).await;
    assert!(!scene.agent.journal.is_answered(order.id).unwrap(), "it is over");
}

#[tokio::test]
async fn a_retry_that_comes_before_the_answer_to_the_end_keeps_its_priority() {
    let mut begun = Begun::new().await;
    let refusal = Refusal::new(ErrorCode::NotAllowed, "not today");
    begun.socket.reply(begun.request, Err(refusal)).await;
    let (number, request) = begun.socket.request().await;
    assert!(matches!(request, Request::EndTransfer { .. }), "{request:?}");
    begun.steer(Act::Retry).await;
    begun.scene.agent.prioritise(begun.order.id, Priority::High);
    begun.show_again().await;
    begun.socket.reply(number, Ok(Reply::Done)).await;
    begins(&mut begun.socket, &begun.order).await;
    assert_eq!(begun.scene.agent.work.turns.priority(begun.order.id), Priority::High);
}

#[tokio::test]
async fn the_priority_of_an_order_that_is_over_or_refused_is_forgotten() {
    let mut begun = Begun::new().await;
    let priority = |begun: &Begun| begun.scene.agent.work.turns.priority(begun.order.id);
    begun.scene.agent.prioritise(begun.order.id, Priority::High);
    begun.steer(Act::Pause).await;
    begun.at_rest().await;
    assert_eq!(priority(&begun), Priority::High);
    begun.steer(Act::Cancel).await;
    assert_eq!(priority(&begun), Priority::Normal, "cancelled while it was paused");
    begun.ends().await;
    begun.scene.agent.prioritise(begun.order.id, Priority::High);
    begun.show_again().await;
    assert_eq!(priority(&begun), Priority::Normal, "it is over");
    begun.ends().await;
    begun.scene.agent.prioritise(begun.order.id, Priority::High);
    begun.signed.order.signature[0] ^= 1;
    begun.show_again().await;
    assert_eq!(priority(&begun), Priority::Normal, "forged");
}

//! What a server can have a machine do with an order, and what it cannot.

use beckon_shared::{
    error::{ErrorCode, Refusal},
    order::{Order, SignedOrder},
    transfer::TransferState,
    wire::{Reply, Request},
};

use super::*;
use crate::{
    agent::tests::{ROOT, Scene, end_of},
    connection::tests::{FakeServer, FakeSocket},
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

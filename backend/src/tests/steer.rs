//! Pause, resume, cancel and retry, from any terminal; and what a machine hears of it, then or at its next contact.

use beckon_shared::{
    api::transfer::{Act, Steer, TransferDetail},
    device::DeviceView,
    error::{ErrorCode, Refusal},
    id::TransferId,
    order::SignedOrder,
    transfer::{Hold, Progress, TransferState, TransferView},
    wire::{FromServer, Reply, Request, ToServer},
};
use reqwest::StatusCode;

use super::{
    client::Control,
    person::{Device, Person},
    server::TestServer,
    transfer::{everything, order, place},
};

/// A machine, a terminal that watches, and an order.
pub(super) struct Scene {
    pub(super) server: TestServer,
    pub(super) ann: Person,
    pub(super) device: Device,
    pub(super) controller: Control,
    pub(super) machine: Control,
    pub(super) order: SignedOrder,
    pub(super) id: TransferId,
}

/// What a machine is told of its work.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    Order,
    Act(Act),
}

pub(super) const HALF: Progress = Progress {
    files_total: 4,
    files_done: 2,
    bytes_total: 400,
    bytes_done: 200,
    bytes_sent: 210,
    failed: 0,
    torn: 0,
    walked: true,
    files_unchanged: 0,
    bytes_present: 0,
    bytes_own: 0,
    bytes_direct: 0,
    bytes_server: 0,
    conflicts: 0,
};

impl Scene {
    /// The order is placed, and its machine has heard of it.
    pub(super) async fn placed() -> Self {
        let server = TestServer::start().await;
        let ann = Person::sign_up(&server).await;
        let device = ann.add_machine("laptop").await;
        let (mut controller, _) = Control::open(&server.url, &ann.device).await;
        let (machine, _) = Control::open(&server.url, &device).await;
        let order = order(&ann, device.id(), everything());
        let Ok(Reply::Transfer(placed)) = place(&mut controller, &order).await else {
            panic!("placed")
        };
        let mut scene = Self {
            server,
            ann,
            device,
            controller,
            machine,
            order,
            id: placed.id,
        };
        assert_eq!(scene.told().await, Told::Order);
        scene
    }

    pub(super) async fn running() -> Self {
        let mut scene = Self::placed().await;
        scene.begin().await.unwrap();
        scene
    }

    pub(super) async fn begin(&mut self) -> Result<Reply, Refusal> {
        self.machine.ask(Request::BeginTransfer { transfer: self.id }).await
    }

    pub(super) async fn end(&mut self, state: TransferState, progress: Progress) {
        let end = Request::EndTransfer {
            transfer: self.id,
            state,
            progress,
            error: None,
        };
        self.machine.ask(end).await.unwrap();
    }

    pub(super) async fn say(&mut self, hold: Hold, progress: Progress) {
        let frame = ToServer::Progress {
            transfer: self.id,
            hold,
            progress,
        };
        self.machine.send(&frame).await;
    }

    pub(super) async fn steer(&self, act: Act) -> StatusCode {
        steer(&self.ann, self.id, act).await
    }

    pub(super) async fn detail(&self) -> TransferDetail {
        self.ann.read(&format!("/api/transfers/{}", self.id)).await
    }

    pub(super) async fn view(&self) -> TransferView {
        self.detail().await.transfer
    }

    /// State and hold since the beginning, oldest first.
    pub(super) async fn story(&self) -> Vec<(TransferState, Hold)> {
        let events = self.detail().await.events;
        events.iter().map(|event| (event.state, event.hold)).collect()
    }

    pub(super) async fn told(&mut self) -> Told {
        let (id, order) = (self.id, &self.order);
        self.machine
            .until(|frame| match frame {
                FromServer::Order(pushed) if *pushed == *order => Some(Told::Order),
                FromServer::Steer { transfer, act } if transfer == id => Some(Told::Act(act)),
                _ => None,
            })
            .await
    }

    /// The machine goes, something happens, and it comes back.
    pub(super) async fn while_away(&mut self, acts: &[Act]) {
        self.go_away().await;
        for act in acts {
            assert_eq!(self.steer(*act).await, StatusCode::NO_CONTENT);
        }
        self.come_back().await;
    }

    /// The machine goes, and the terminal has seen it.
    pub(super) async fn go_away(&mut self) {
        let (machine, _) = Control::open(&self.server.url, &self.ann.device).await;
        drop(std::mem::replace(&mut self.machine, machine));
        self.controller
            .until(|frame| match frame {
                FromServer::Devices(part) => part
                    .rows
                    .into_iter()
                    .find(|row| row.id == self.device.id() && !row.online),
                _ => None,
            })
            .await;
    }

    pub(super) async fn come_back(&mut self) {
        self.machine = Control::open(&self.server.url, &self.device).await.0;
    }
}

pub(super) async fn steer(by: &Person, id: TransferId, act: Act) -> StatusCode {
    by.post(&format!("/api/transfers/{id}/steer"), &Steer { act })
        .await
        .status()
}

#[tokio::test]
async fn a_pause_holds_against_whatever_its_machine_says_until_somebody_resumes() {
    let mut scene = Scene::running().await;
    for _ in 0..2 {
        assert_eq!(scene.steer(Act::Pause).await, StatusCode::NO_CONTENT);
    }
    assert_eq!(scene.told().await, Told::Act(Act::Pause));
    scene.controller.transfer(|row| row.hold == Hold::User).await;
    scene.say(Hold::None, HALF).await;
    let late = scene.controller.transfer(|row| row.progress == HALF).await;
    assert_eq!((late.state, late.hold), (TransferState::Running, Hold::User));
    scene.begin().await.unwrap();
    assert_eq!(scene.told().await, Told::Act(Act::Pause), "it is told again");
    assert_eq!(scene.view().await.hold, Hold::User);
    for _ in 0..2 {
        assert_eq!(scene.steer(Act::Resume).await, StatusCode::NO_CONTENT);
    }
    assert_eq!(scene.told().await, Told::Order);
    let resumed = scene.view().await;
    assert_eq!((resumed.hold, resumed.progress), (Hold::None, HALF));
    scene.end(TransferState::Done, HALF).await;
    for act in [Act::Pause, Act::Resume, Act::Cancel, Act::Retry] {
        assert_eq!(scene.steer(act).await, StatusCode::CONFLICT, "{act:?}");
    }
    scene.server.stop().await;
}

#[tokio::test]
async fn what_was_paused_while_its_machine_was_away_stays_paused_when_it_comes() {
    let mut scene = Scene::placed().await;
    scene.while_away(&[Act::Pause]).await;
    assert_eq!(scene.told().await, Told::Act(Act::Pause));
    assert_eq!(scene.view().await.hold, Hold::User);
    scene.while_away(&[Act::Resume]).await;
    assert_eq!(scene.told().await, Told::Order);
    assert_eq!(scene.view().await.hold, Hold::None);
    scene.while_away(&[Act::Pause, Act::Resume, Act::Pause]).await;
    assert_eq!(scene.told().await, Told::Act(Act::Pause), "the last word counts");
    scene.server.stop().await;
}

#[tokio::test]
async fn a_cancelled_transfer_opens_nothing_any_more_and_its_machine_hears_it_until_it_confirms() {
    let mut scene = Scene::running().await;
    scene.while_away(&[Act::Cancel, Act::Cancel]).await;
    assert_eq!(scene.told().await, Told::Act(Act::Cancel));
    assert_eq!(scene.begin().await.unwrap_err().code, ErrorCode::Conflict);
    scene.while_away(&[]).await;
    assert_eq!(scene.told().await, Told::Act(Act::Cancel), "it has not confirmed");
    scene.end(TransferState::Cancelled, Progress::default()).await;
    let over = scene.view().await;
    assert_eq!((over.state, over.hold), (TransferState::Cancelled, Hold::None));
    assert!(over.ended.is_some());
    scene.while_away(&[]).await;
    let other = order(&scene.ann, scene.device.id(), everything());
    place(&mut scene.controller, &other).await.unwrap();
    let next = scene
        .machine
        .until(|frame| match frame {
            FromServer::Welcome(_) | FromServer::Limits(_) | FromServer::Priority { .. } => None,
            frame => Some(frame),
        })
        .await;
    assert_eq!(
        next,
        FromServer::Order(Box::new(other)),
        "nothing is left to be told of it"
    );
    scene.server.stop().await;
}

#[tokio::test]
async fn what_failed_runs_again_once_however_many_ask_and_the_end_before_is_not_the_end_after() {
    let mut scene = Scene::running().await;
    let before = scene.view().await.revision;
    scene.end(TransferState::Partly, HALF).await;
    let (one, two) = tokio::join!(scene.steer(Act::Retry), scene.steer(Act::Retry));
    assert_eq!((one, two), (StatusCode::NO_CONTENT, StatusCode::NO_CONTENT));
    assert_eq!(scene.told().await, Told::Act(Act::Retry));
    assert_eq!(scene.told().await, Told::Order);
    let queued = scene.view().await;
    assert_eq!((queued.state, queued.ended), (TransferState::Queued, None));
    assert_eq!(queued.progress.bytes_sent, HALF.bytes_sent);
    assert!(queued.revision > before);
    scene.end(TransferState::Partly, HALF).await;
    assert_eq!(
        scene.view().await.state,
        TransferState::Queued,
        "that was the first run's"
    );
    scene.while_away(&[]).await;
    assert_eq!(scene.told().await, Told::Act(Act::Retry), "it may not have heard");
    assert_eq!(scene.told().await, Told::Order);
    scene.begin().await.unwrap();
    scene.while_away(&[]).await;
    assert_eq!(scene.told().await, Told::Order, "it has begun, so it has heard");
    scene.end(TransferState::Done, HALF).await;
    assert_eq!(scene.view().await.state, TransferState::Done);
    scene.server.stop().await;
}

#[tokio::test]
async fn a_run_that_fails_before_it_begins_ends_a_retry_but_the_failure_before_it_told_again_does_not() {
    let mut scene = Scene::placed().await;
    scene.end(TransferState::Failed, Progress::default()).await;
    assert_eq!(scene.steer(Act::Retry).await, StatusCode::NO_CONTENT);
    assert_eq!(scene.told().await, Told::Act(Act::Retry));
    assert_eq!(scene.told().await, Told::Order);
    scene.end(TransferState::Failed, Progress::default()).await;
    assert_eq!(scene.view().await.state, TransferState::Queued);
    assert_eq!(scene.told().await, Told::Act(Act::Retry), "it may not have heard");
    assert_eq!(scene.told().await, Told::Order);
    scene.end(TransferState::Failed, Progress::default()).await;
    assert_eq!(scene.view().await.state, TransferState::Failed);
    scene.server.stop().await;
}

#[tokio::test]
async fn an_order_that_has_expired_is_not_tried_again() {
    let mut scene = Scene::running().await;
    scene.end(TransferState::Failed, HALF).await;
    let beside = scene.server.beside().await;
    beside.meta().run("UPDATE transfer SET expires = 1").await;
    let path = format!("/api/transfers/{}/steer", scene.id);
    let answer = scene.ann.post(&path, &Steer { act: Act::Retry }).await;
    assert_eq!(answer.status(), StatusCode::CONFLICT);
    let refusal: Refusal = answer.json().await.unwrap();
    assert!(refusal.message.contains("give it again"), "{}", refusal.message);
    scene.server.stop().await;
}

#[tokio::test]
async fn nobody_steers_the_transfers_of_another_account() {
    let scene = Scene::running().await;
    let stranger = TransferId::new(super::person::now(), [1; 10]);
    assert_eq!(steer(&scene.ann, stranger, Act::Pause).await, StatusCode::NOT_FOUND);
    let path = format!("/api/transfers/{}/steer", scene.id);
    let unsigned = super::person::post(&scene.server.url, &path, &Steer { act: Act::Cancel });
    assert_eq!(unsigned.await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(scene.view().await.state, TransferState::Running);
    scene.server.stop().await;
}

#[tokio::test]
async fn a_machine_that_joined_by_a_code_is_confirmed_once_for_all_terminals() {
    let mut scene = Scene::placed().await;
    let listed: Vec<DeviceView> = scene.ann.read("/api/devices").await;
    assert!(
        listed
            .iter()
            .any(|row| row.id == scene.device.id() && row.joined_by_code)
    );
    let path = format!("/api/devices/{}/confirm", scene.device.id());
    for _ in 0..2 {
        let answer = scene.ann.post(&path, &serde_json::json!({})).await;
        assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    }
    let is_confirmed = |row: &DeviceView| row.id == scene.device.id() && !row.joined_by_code;
    scene
        .controller
        .until(|frame| match frame {
            FromServer::Devices(part) => part.rows.into_iter().find(is_confirmed),
            _ => None,
        })
        .await;
    scene.ann.revoke(scene.device.id(), 1).await;
    let late = scene.ann.post(&path, &serde_json::json!({})).await;
    assert_eq!(late.status(), StatusCode::FORBIDDEN);
    let listed: Vec<DeviceView> = scene.ann.read("/api/devices").await;
    assert!(listed.iter().any(|row| row.id == scene.device.id() && row.revoked));
    scene.server.stop().await;
}

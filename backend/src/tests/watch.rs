//! Standing transfers: a machine watches a root until somebody ends that.

use beckon_shared::{
    api::transfer::{Act, TransferDetail},
    error::{ErrorCode, Refusal},
    id::{DeviceId, TransferId},
    order::{BadOrder, Order, OrderBody, SignedOrder, WatchOrder},
    path::{Label, RootPath},
    signature::Signed,
    transfer::{Hold, Progress, Task, TransferState, TransferView},
    wire::{FromServer, Reply, Request, ToServer},
};
use reqwest::{Method, StatusCode};

use super::{
    bulk::framed,
    bulk_read::signed,
    client::{Control, ROOT},
    person::{Device, Person, bare},
    server::TestServer,
    steer::steer,
    transfer::place,
};
use crate::{order::expire, store::meta::collect::release_stale_pins};

/// A machine and a terminal of the same account, both here.
struct Scene {
    server: TestServer,
    ann: Person,
    device: Device,
    controller: Control,
    machine: Control,
}

impl Scene {
    async fn new() -> Self {
        let server = TestServer::start().await;
        let ann = Person::sign_up(&server).await;
        let device = ann.add_machine("laptop").await;
        let (controller, _) = Control::open(&server.url, &ann.device).await;
        let (machine, _) = Control::open(&server.url, &device).await;
        Self {
            server,
            ann,
            device,
            controller,
            machine,
        }
    }

    fn watch(&self) -> SignedOrder {
        signed(&self.ann, self.device.id(), watch(&self.ann))
    }

    async fn place(&mut self, order: &SignedOrder) -> Result<TransferView, Refusal> {
        place(&mut self.controller, order).await.map(transfer)
    }

    async fn begin(&mut self, id: TransferId) -> Result<Reply, Refusal> {
        self.machine.ask(Request::BeginTransfer { transfer: id }).await
    }

    /// A watch that its machine has begun.
    async fn begun(&mut self) -> TransferId {
        let placed = self.place(&self.watch()).await.unwrap();
        let begun = self.begin(placed.id).await;
        assert!(matches!(begun, Ok(Reply::Grant(_))), "{begun:?}");
        placed.id
    }

    async fn say(&mut self, id: TransferId, hold: Hold, files: u64) {
        let progress = Progress {
            files_total: files,
            ..Progress::default()
        };
        let frame = ToServer::Progress {
            transfer: id,
            hold,
            progress,
        };
        self.machine.send(&frame).await;
    }

    async fn detail(&self, id: TransferId) -> TransferDetail {
        self.ann.read(&format!("/api/transfers/{id}")).await
    }

    async fn view(&self, id: TransferId) -> TransferView {
        self.detail(id).await.transfer
    }

    async fn hears_cancel(&mut self, id: TransferId) {
        let heard = self.machine.until(|frame| match frame {
            FromServer::Steer { transfer, act } if transfer == id => Some(act),
            _ => None,
        });
        assert_eq!(heard.await, Act::Cancel);
    }
}

fn watch(ann: &Person) -> OrderBody {
    OrderBody::Watch(WatchOrder {
        root: ROOT,
        root_name: Label::new("home").unwrap(),
        space: ann.space(),
    })
}

fn transfer(reply: Reply) -> TransferView {
    match reply {
        Reply::Transfer(view) => *view,
        other => panic!("{other:?}"),
    }
}

/// The order with another time of issue.
fn issued(ann: &Person, order: &SignedOrder, change: impl FnOnce(&mut Order)) -> SignedOrder {
    let mut changed = order.order.peek().unwrap();
    change(&mut changed);
    SignedOrder {
        order: Signed::sign(&changed, ann.device.keys.signing()),
        signer: order.signer.clone(),
    }
}

#[tokio::test]
async fn a_watch_is_current_until_something_changes_and_its_story_does_not_grow_with_that() {
    let mut scene = Scene::new().await;
    let id = scene.begun().await;
    let view = scene.view(id).await;
    assert_eq!(
        (view.task, view.state, view.from),
        (Task::Watch, TransferState::Running, None)
    );
    for round in 1..4 {
        scene.say(id, Hold::Current, round).await;
        let row = |row: &TransferView| row.hold == Hold::Current && row.progress.files_total == round;
        scene.controller.transfer(row).await;
        scene.say(id, Hold::None, round).await;
        scene.controller.transfer(|row| row.hold == Hold::None).await;
    }
    scene.say(id, Hold::Current, 9).await;
    scene.controller.transfer(|row| row.hold == Hold::Current).await;
    assert!(matches!(scene.begin(id).await, Ok(Reply::Grant(_))));
    assert_eq!(scene.view(id).await.hold, Hold::Current, "a new ticket changes nothing");
    assert_eq!(steer(&scene.ann, id, Act::Pause).await, StatusCode::NO_CONTENT);
    let detail = scene.detail(id).await;
    let story: Vec<_> = detail.events.iter().map(|event| (event.state, event.hold)).collect();
    let (queued, running) = (TransferState::Queued, TransferState::Running);
    assert_eq!(
        story,
        [(queued, Hold::None), (running, Hold::None), (running, Hold::User)]
    );
    assert_eq!(
        (detail.selected, detail.selected_total),
        (vec![RootPath::root()], Some(1))
    );
    scene.server.stop().await;
}

#[tokio::test]
async fn what_an_upload_says_of_being_current_counts_for_nothing() {
    let mut scene = super::steer::Scene::running().await;
    scene.say(Hold::Current, super::steer::HALF).await;
    let told = scene
        .controller
        .transfer(|row| row.progress == super::steer::HALF)
        .await;
    assert_eq!(told.hold, Hold::None);
    scene.server.stop().await;
}

#[tokio::test]
async fn a_watch_goes_on_when_its_machine_comes_back_and_its_order_never_lapses_once_begun() {
    let mut scene = Scene::new().await;
    let order = scene.watch();
    let id = scene.place(&order).await.unwrap().id;
    scene.begin(id).await.unwrap();
    scene.say(id, Hold::Current, 1).await;
    scene.controller.transfer(|row| row.hold == Hold::Current).await;
    let (terminal, _) = Control::open(&scene.server.url, &scene.ann.device).await;
    drop(std::mem::replace(&mut scene.machine, terminal));
    scene.controller.transfer(|row| row.hold == Hold::Away).await;
    let beside = scene.server.beside().await;
    beside.meta().run("UPDATE transfer SET expires = 0").await;
    beside.meta().run("UPDATE device SET last_seen = 0").await;
    expire(&beside).await.unwrap();
    assert_eq!(scene.view(id).await.state, TransferState::Running);
    scene.machine = Control::open(&scene.server.url, &scene.device).await.0;
    let pushed = scene.machine.until(|frame| match frame {
        FromServer::Order(pushed) => Some(*pushed),
        _ => None,
    });
    assert_eq!(pushed.await, order);
    for act in [Act::Pause, Act::Resume] {
        assert_eq!(steer(&scene.ann, id, act).await, StatusCode::NO_CONTENT, "{act:?}");
    }
    assert!(matches!(scene.begin(id).await, Ok(Reply::Grant(_))));
    assert_eq!(steer(&scene.ann, id, Act::Cancel).await, StatusCode::NO_CONTENT);
    scene.hears_cancel(id).await;
    scene.server.stop().await;
}

#[tokio::test]
async fn a_watch_that_was_not_begun_in_time_lapses() {
    let mut scene = Scene::new().await;
    let id = scene.place(&scene.watch()).await.unwrap().id;
    let beside = scene.server.beside().await;
    beside.meta().run("UPDATE transfer SET expires = 0").await;
    assert_eq!(scene.begin(id).await.unwrap_err().code, ErrorCode::BadOrder);
    expire(&beside).await.unwrap();
    let ended = beside
        .meta()
        .number("SELECT COUNT(*) AS number FROM transfer WHERE state = 'failed'")
        .await;
    assert_eq!(ended, 1);
    scene.server.stop().await;
}

#[tokio::test]
async fn a_later_watch_of_the_same_root_takes_the_place_of_the_one_before() {
    let mut scene = Scene::new().await;
    let first = scene.begun().await;
    let order = scene.watch();
    let second = scene.place(&order).await.unwrap();
    assert_eq!(second.state, TransferState::Queued);
    scene.hears_cancel(first).await;
    let ended = scene.view(first).await;
    assert_eq!(ended.state, TransferState::Cancelled);
    assert!(ended.error.is_some_and(|error| error.contains("took its place")));
    scene.begin(second.id).await.unwrap();
    // One that was signed earlier comes late, as when its machine shows it after a while without the server.
    let earlier = issued(&scene.ann, &order, |order| {
        order.id = TransferId::new(order.issued, [7; 10]);
        order.issued = beckon_shared::time::Timestamp(order.issued.0 - 1000);
    });
    let late = scene.machine.ask(Request::ShowOrder {
        order: Box::new(earlier),
        what: String::new(),
    });
    let late = late.await.map(transfer).unwrap();
    assert_eq!(scene.view(late.id).await.state, TransferState::Cancelled);
    assert_eq!(scene.view(second.id).await.state, TransferState::Running);
    scene.server.stop().await;
}

#[tokio::test]
async fn what_a_watch_stored_and_did_not_commit_is_let_go_of_once_it_is_current() {
    let mut scene = Scene::new().await;
    let id = scene.place(&scene.watch()).await.unwrap().id;
    let Ok(Reply::Grant(grant)) = scene.begin(id).await else {
        panic!("a grant")
    };
    let frame = framed(grant.chunk_key.id(b"half"), b"half", 4);
    let url = format!("{}/bulk/{id}/chunks", scene.server.url);
    let stored = bare(Method::POST, &url)
        .bearer_auth(hex::encode(grant.ticket))
        .body(frame);
    assert_eq!(stored.send().await.unwrap().status(), StatusCode::OK);
    let beside = scene.server.beside().await;
    let mut left = Vec::new();
    for hold in ["none", "away", "current"] {
        let meta = beside.meta();
        meta.run(&format!("UPDATE transfer SET hold = '{hold}'")).await;
        release_stale_pins(meta).await.unwrap();
        left.push(meta.number("SELECT COUNT(*) AS number FROM pin").await);
    }
    assert_eq!(left, [1, 1, 0]);
    scene.server.stop().await;
}

#[tokio::test]
async fn of_two_watches_that_a_server_left_open_the_later_one_stays_once_it_is_begun() {
    let mut scene = Scene::new().await;
    let first = scene.begun().await;
    let second = scene.place(&scene.watch()).await.unwrap().id;
    scene.hears_cancel(first).await;
    let beside = scene.server.beside().await;
    let reopened = "UPDATE transfer SET ended = NULL, state = 'running' WHERE state = 'cancelled'";
    beside.meta().run(reopened).await;
    scene.begin(second).await.unwrap();
    assert_eq!(scene.detail(first).await.transfer.state, TransferState::Cancelled);
    beside.meta().run(reopened).await;
    assert_eq!(scene.begin(first).await.unwrap_err().code, ErrorCode::Conflict);
    assert_eq!(scene.detail(second).await.transfer.state, TransferState::Running);
    scene.server.stop().await;
}

#[tokio::test]
async fn a_watch_that_failed_is_not_tried_again_beside_another_one() {
    let mut scene = Scene::new().await;
    let first = scene.begun().await;
    let end = Request::EndTransfer {
        transfer: first,
        state: TransferState::Failed,
        progress: Progress::default(),
        error: None,
    };
    scene.machine.ask(end).await.unwrap();
    let second = scene.begun().await;
    assert_eq!(steer(&scene.ann, first, Act::Retry).await, StatusCode::CONFLICT);
    assert_eq!(steer(&scene.ann, second, Act::Cancel).await, StatusCode::NO_CONTENT);
    assert_eq!(steer(&scene.ann, first, Act::Retry).await, StatusCode::NO_CONTENT);
    scene.server.stop().await;
}

#[tokio::test]
async fn nobody_watches_itself_and_a_revoked_machine_watches_no_more() {
    let mut scene = Scene::new().await;
    let own = DeviceId(scene.ann.device.id().0);
    let of_itself = signed(&scene.ann, own, watch(&scene.ann));
    let refused = scene.place(&of_itself).await.unwrap_err();
    assert_eq!(
        (refused.code, refused.message),
        (ErrorCode::BadOrder, BadOrder::Target.to_string())
    );
    let id = scene.begun().await;
    scene.ann.revoke(scene.device.id(), 1).await;
    scene
        .controller
        .transfer(|row| row.id == id && row.state == TransferState::Failed)
        .await;
    scene.server.stop().await;
}

//! Orders that controllers gave to machines directly: machines show them, and they are transfers like any other.

use std::time::Duration;

use beckon_shared::{
    api::transfer::{Act, TransferDetail},
    error::{ErrorCode, Refusal},
    id::RootId,
    order::{Order, OrderBody, Selection, SignedOrder},
    path::RootPath,
    signature::Signed,
    time::Timestamp,
    transfer::{Hold, TransferState, TransferView},
    wire::{FromServer, Reply, Request},
};
use reqwest::{Method, StatusCode};

use super::{
    client::Control,
    person::{Device, Person, bare},
    server::TestServer,
    steer::steer,
    transfer::{everything, order, place},
};
use crate::{order::expire, store::meta};

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

    fn order(&self) -> SignedOrder {
        order(&self.ann, self.device.id(), everything())
    }

    /// An order like that of [`Self::order`], but for what is changed before it is signed.
    fn order_but(&self, change: impl FnOnce(&mut Order)) -> SignedOrder {
        let mut changed = self.order().order.peek().unwrap();
        change(&mut changed);
        SignedOrder {
            order: Signed::sign(&changed, self.ann.device.keys.signing()),
            signer: self.ann.device.chain.clone(),
        }
    }

    async fn show(&mut self, order: &SignedOrder) -> Result<TransferView, Refusal> {
        show(&mut self.machine, order).await
    }

    async fn refusal(&mut self, order: &SignedOrder) -> ErrorCode {
        self.show(order).await.unwrap_err().code
    }

    async fn begin(&mut self, shown: &TransferView) -> Result<Reply, Refusal> {
        self.machine.ask(Request::BeginTransfer { transfer: shown.id }).await
    }

    async fn detail(&self, shown: &TransferView) -> TransferDetail {
        self.ann.read(&format!("/api/transfers/{}", shown.id)).await
    }
}

async fn show(machine: &mut Control, order: &SignedOrder) -> Result<TransferView, Refusal> {
    let shown = machine.ask(Request::ShowOrder {
        order: Box::new(order.clone()),
        what: "all\nof it".into(),
    });
    shown.await.map(|reply| match reply {
        Reply::Transfer(view) => *view,
        other => panic!("{other:?}"),
    })
}

#[tokio::test]
async fn an_order_that_its_machine_shows_is_a_transfer_on_every_terminal_and_can_be_steered_there() {
    let mut scene = Scene::new().await;
    let order = scene.order();
    let shown = scene.show(&order).await.unwrap();
    assert_eq!(
        (shown.state, shown.hold, shown.device),
        (TransferState::Queued, Hold::None, scene.device.id())
    );
    assert_eq!(
        (shown.machine.as_str(), shown.root.as_str(), shown.what.as_str()),
        ("laptop", "home", "all\u{fffd}of it")
    );
    let told = scene.controller.transfer(|row| row.id == shown.id).await;
    assert_eq!(told, shown);
    scene.begin(&shown).await.unwrap();
    scene
        .controller
        .transfer(|row| row.state == TransferState::Running)
        .await;
    let detail = scene.detail(&shown).await;
    assert!(detail.given_directly);
    assert_eq!(detail.ordered_by, "terminal");
    assert_eq!(detail.selected_total, Some(1));
    assert_eq!(steer(&scene.ann, shown.id, Act::Pause).await, StatusCode::NO_CONTENT);
    let paused = scene.machine.until(|frame| match frame {
        FromServer::Steer { transfer, act } if transfer == shown.id => Some(act),
        _ => None,
    });
    assert_eq!(paused.await, Act::Pause);
    steer(&scene.ann, shown.id, Act::Resume).await;
    let pushed = scene.machine.until(|frame| match frame {
        FromServer::Order(pushed) => Some(*pushed),
        _ => None,
    });
    assert_eq!(pushed.await, order);
    scene.server.stop().await;
}

#[tokio::test]
async fn the_same_order_from_both_ends_in_any_order_or_at_once_is_one_transfer() {
    let mut scene = Scene::new().await;
    let (placed_first, shown_first) = (scene.order(), scene.order());
    place(&mut scene.controller, &placed_first).await.unwrap();
    let shown = scene.show(&placed_first).await.unwrap();
    assert!(!scene.detail(&shown).await.given_directly, "its controller was first");
    let first = scene.show(&shown_first).await.unwrap();
    assert_eq!(scene.show(&shown_first).await.unwrap(), first);
    let Ok(Reply::Transfer(placed)) = place(&mut scene.controller, &shown_first).await else {
        panic!("it is known")
    };
    assert_eq!(*placed, first);
    for _ in 0..8 {
        let order = scene.order();
        let (one, other) = tokio::join!(place(&mut scene.controller, &order), show(&mut scene.machine, &order));
        let Ok(Reply::Transfer(one)) = one else {
            panic!("{one:?}")
        };
        assert_eq!(one.id, other.unwrap().id);
    }
    let all: Vec<TransferView> = scene.ann.read("/api/transfers").await;
    assert_eq!(all.len(), 10);
    scene.server.stop().await;
}

#[tokio::test]
async fn another_order_of_the_same_id_is_refused() {
    let mut scene = Scene::new().await;
    let order = scene.order();
    let shown = scene.show(&order).await.unwrap();
    let other = scene.order_but(|other| {
        other.id = shown.id;
        other.expires = other.expires + Duration::from_secs(7);
    });
    assert_eq!(scene.refusal(&other).await, ErrorCode::Conflict);
    scene.server.stop().await;
}

#[tokio::test]
async fn a_machine_registers_nothing_that_was_not_signed_for_it() {
    let mut scene = Scene::new().await;
    let other_machine = scene.ann.add_machine("desk").await;
    let (mut other, _) = Control::open(&scene.server.url, &other_machine).await;
    let for_another = scene.order();
    assert_eq!(
        show(&mut other, &for_another).await.unwrap_err().code,
        ErrorCode::BadOrder
    );
    let mut forged = scene.order();
    forged.order.bytes[40] ^= 1;
    assert!(scene.show(&forged).await.is_err());
    let by_itself = SignedOrder {
        order: Signed::sign(
            &scene
                .order_but(|order| order.signer = scene.device.id())
                .order
                .peek()
                .unwrap(),
            scene.device.keys.signing(),
        ),
        signer: scene.device.chain.clone(),
    };
    let stranger = Device::certified(&scene.ann.account);
    let by_a_stranger = SignedOrder {
        order: Signed::sign(
            &scene
                .order_but(|order| order.signer = stranger.id())
                .order
                .peek()
                .unwrap(),
            stranger.keys.signing(),
        ),
        signer: stranger.chain.clone(),
    };
    let (elsewhere, files) = (Timestamp(1), RootId::of_files(&scene.device.id()));
    let elsewhere = scene.order_but(|order| {
        let OrderBody::Upload(upload) = &mut order.body else {
            unreachable!("an upload");
        };
        upload.space = beckon_shared::id::SpaceId::new(elsewhere, [1; 10]);
    });
    let into_files = scene.order_but(|order| {
        let OrderBody::Upload(upload) = &mut order.body else {
            unreachable!("an upload");
        };
        upload.root = files;
    });
    let endless = scene.order_but(|order| order.expires = order.issued + Duration::from_secs(31 * 86_400));
    let too_early = scene.order_but(|order| order.issued = order.issued.before(Duration::from_secs(86_400)));
    for (what, order) in [
        ("by itself", by_itself),
        ("by a controller that never came", by_a_stranger),
        ("for another space", elsewhere),
        ("for the folder of files put in by hand", into_files),
        ("that waits too long", endless),
        ("from before its signer was certified", too_early),
    ] {
        assert_eq!(scene.refusal(&order).await, ErrorCode::BadOrder, "{what}");
    }
    let order = scene.order();
    assert_eq!(
        show(&mut scene.controller, &order).await.unwrap_err().code,
        ErrorCode::NotAllowed,
        "a controller places orders"
    );
    let none: Vec<TransferView> = scene.ann.read("/api/transfers").await;
    assert_eq!(none, []);
    scene.server.stop().await;
}

#[tokio::test]
async fn an_order_whose_signer_was_revoked_meanwhile_is_refused() {
    let mut scene = Scene::new().await;
    let other = scene.ann.on_another_device().await;
    let order = order(&other, scene.device.id(), everything());
    scene.show(&order).await.unwrap();
    scene.ann.revoke(other.device.id(), 1).await;
    let late = super::transfer::order(&other, scene.device.id(), everything());
    assert_eq!(scene.refusal(&late).await, ErrorCode::BadOrder);
    scene.server.stop().await;
}

#[tokio::test]
async fn an_order_that_lapsed_before_it_was_shown_is_seen_to_fail() {
    let mut scene = Scene::new().await;
    let order = scene.order();
    let shown = scene.show(&order).await.unwrap();
    let app = scene.server.beside().await;
    // As if both had waited for each other.
    app.meta().run("UPDATE transfer SET expires = 0").await;
    assert_eq!(scene.begin(&shown).await.unwrap_err().code, ErrorCode::BadOrder);
    expire(&app).await.unwrap();
    let failed = scene.detail(&shown).await.transfer;
    assert_eq!(failed.state, TransferState::Failed);
    assert!(failed.error.unwrap().contains("expired"));
    scene.server.stop().await;
}

#[tokio::test]
async fn what_was_cancelled_is_so_also_for_a_machine_that_shows_it_after() {
    let mut scene = Scene::new().await;
    let order = scene.order();
    let Ok(Reply::Transfer(placed)) = place(&mut scene.controller, &order).await else {
        panic!("placed")
    };
    assert_eq!(steer(&scene.ann, placed.id, Act::Cancel).await, StatusCode::NO_CONTENT);
    assert_eq!(scene.show(&order).await.unwrap().state, TransferState::Cancelled);
    assert_eq!(scene.begin(&placed).await.unwrap_err().code, ErrorCode::Conflict);
    scene.server.stop().await;
}

#[tokio::test]
async fn the_number_of_open_transfers_holds_for_orders_that_are_shown() {
    let mut scene = Scene::new().await;
    let order = scene.order();
    scene.show(&order).await.unwrap();
    let app = scene.server.beside().await;
    let txn = app.meta().write().await.unwrap();
    let shown = order.order.peek().unwrap().id;
    let mut transfer = meta::transfer::find(&txn, &scene.ann.id(), &shown).await.unwrap();
    for at in 1..1000 {
        transfer.view.id = beckon_shared::id::TransferId::new(Timestamp(at), [0; 10]);
        meta::transfer::insert(&txn, &transfer).await.unwrap();
    }
    txn.commit().await.unwrap();
    let one_more = scene.order();
    assert_eq!(scene.refusal(&one_more).await, ErrorCode::TooMany);
    scene.server.stop().await;
}

#[tokio::test]
async fn the_selection_of_an_order_that_was_shown_comes_from_its_machine_and_no_other_does() {
    let mut scene = Scene::new().await;
    let paths = (0..400)
        .map(|number| RootPath::new(format!("folder/file number {number}")).unwrap())
        .collect();
    let (selection @ Selection::Detached(_), Some(bytes)) = Selection::of(paths) else {
        panic!("too long for the order")
    };
    let order = scene.order_but(|order| {
        let OrderBody::Upload(upload) = &mut order.body else {
            unreachable!("an upload");
        };
        upload.selection = selection;
    });
    let shown = scene.show(&order).await.unwrap();
    assert_eq!(scene.detail(&shown).await.selected_total, None);
    let Ok(Reply::Grant(grant)) = scene.begin(&shown).await else {
        panic!("a grant")
    };
    let url = format!("{}/bulk/{}/selection", scene.server.url, shown.id);
    let put = async |ticket: [u8; 32], body: Vec<u8>| {
        let request = bare(Method::PUT, &url).bearer_auth(hex::encode(ticket)).body(body);
        request.send().await.unwrap().status()
    };
    assert_eq!(put([0; 32], bytes.clone()).await, StatusCode::UNAUTHORIZED);
    assert_eq!(put(grant.ticket, bytes[1..].to_vec()).await, StatusCode::BAD_REQUEST);
    for _ in 0..2 {
        assert_eq!(put(grant.ticket, bytes.clone()).await, StatusCode::NO_CONTENT);
    }
    let detail = scene.detail(&shown).await;
    assert_eq!((detail.selected.len(), detail.selected_total), (100, Some(400)));
    let got = bare(Method::GET, &url).bearer_auth(hex::encode(grant.ticket));
    assert_eq!(got.send().await.unwrap().bytes().await.unwrap(), bytes);
    scene.server.stop().await;
}

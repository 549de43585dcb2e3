//! Orders from a controller to a machine, and back its progress.

use std::time::Duration;

use beckon_shared::{
    error::ErrorCode,
    id::{DeviceId, Hash, TransferId},
    order::{Order, OrderBody, Selection, SignedOrder, UploadOrder},
    path::{Label, RootPath},
    signature::Signed,
    time::Timestamp,
    transfer::{Hold, Problem, Progress, TransferState, TransferView},
    wire::{FromServer, Reply, Request, ToServer},
};
use reqwest::{Method, StatusCode};

use super::{
    client::{Control, ROOT},
    person::{Person, bare, now},
    server::TestServer,
};
use crate::{
    clock::{SystemClock, random},
    order::{expire, record},
    store::meta,
};

pub(super) fn order(ann: &Person, target: DeviceId, selection: Selection) -> SignedOrder {
    let issued = now();
    let order = Order {
        suite: 0,
        signer: ann.device.id(),
        signer_account: ann.id(),
        target_account: ann.id(),
        target,
        id: TransferId::new(issued, random(&SystemClock)),
        issued,
        expires: issued + Duration::from_secs(3600),
        body: OrderBody::Upload(UploadOrder {
            root: ROOT,
            root_name: Label::new("Documents").expect("a plain name"),
            space: ann.space(),
            selection,
        }),
    };
    SignedOrder {
        order: Signed::sign(&order, ann.device.keys.signing()),
        signer: ann.device.chain.clone(),
    }
}

pub(super) fn everything() -> Selection {
    Selection::of(vec![RootPath::root()]).0
}

pub(super) async fn place(
    controller: &mut Control,
    order: &SignedOrder,
) -> Result<Reply, beckon_shared::error::Refusal> {
    controller
        .ask(Request::PlaceOrder {
            order: Box::new(order.clone()),
            what: "all\nof it".into(),
        })
        .await
}

async fn pushed(machine: &mut Control) -> SignedOrder {
    machine
        .until(|frame| match frame {
            FromServer::Order(order) => Some(*order),
            _ => None,
        })
        .await
}

#[tokio::test]
async fn an_order_goes_to_its_machine_and_its_progress_to_every_terminal() {
    let server = TestServer::start().await;
    let ann = Person::sign_up(&server).await;
    let device = ann.add_machine("laptop").await;
    let (mut controller, _) = Control::open(&server.url, &ann.device).await;
    let (mut machine, _) = Control::open(&server.url, &device).await;
    let order = order(&ann, device.id(), everything());
    let Ok(Reply::Transfer(placed)) = place(&mut controller, &order).await else {
        panic!("placed")
    };
    assert_eq!(
        (placed.machine.as_str(), placed.root.as_str(), placed.what.as_str()),
        ("laptop", "home", "all\u{fffd}of it")
    );
    assert_eq!(pushed(&mut machine).await, order);
    let Ok(Reply::Grant(grant)) = machine.ask(Request::BeginTransfer { transfer: placed.id }).await else {
        panic!("a grant")
    };
    assert_eq!(grant.space, ann.space());
    controller.transfer(|row| row.state == TransferState::Running).await;
    let progress = Progress {
        files_total: 3,
        files_done: 1,
        ..Progress::default()
    };
    machine
        .send(&ToServer::Progress {
            transfer: placed.id,
            hold: Hold::None,
            progress,
        })
        .await;
    assert_eq!(
        controller.transfer(|row| row.progress.files_done == 1).await.progress,
        progress
    );
    let problem = Problem {
        path: RootPath::new("a/b").unwrap(),
        code: ErrorCode::NotReadable,
        message: "let Beckon read it".into(),
    };
    machine
        .ask(Request::ReportProblems {
            transfer: placed.id,
            offset: 0,
            problems: vec![problem],
        })
        .await
        .unwrap();
    let done = Progress {
        files_total: 3,
        files_done: 2,
        failed: 1,
        walked: true,
        ..Progress::default()
    };
    let end = Request::EndTransfer {
        transfer: placed.id,
        state: TransferState::Partly,
        progress: done,
        error: None,
    };
    machine.ask(end.clone()).await.unwrap();
    machine.ask(end).await.unwrap();
    let over = controller.transfer(|row| row.state.is_over()).await;
    assert_eq!((over.state, over.progress), (TransferState::Partly, done));
    let problems: beckon_shared::api::transfer::Problems =
        ann.read(&format!("/api/transfers/{}/problems", placed.id)).await;
    assert_eq!((problems.total, problems.problems[0].code), (1, ErrorCode::NotReadable));
    let ticket = hex::encode(grant.ticket);
    let late = bare(Method::POST, &format!("{}/bulk/{}/have", server.url, placed.id))
        .bearer_auth(ticket)
        .send()
        .await
        .unwrap();
    assert_eq!(late.status(), StatusCode::UNAUTHORIZED);
    server.stop().await;
}

#[tokio::test]
async fn the_same_order_twice_is_one_transfer_and_another_of_its_id_none() {
    let server = TestServer::start().await;
    let ann = Person::sign_up(&server).await;
    let device = ann.add_machine("laptop").await;
    let (mut controller, _) = Control::open(&server.url, &ann.device).await;
    let first = order(&ann, device.id(), everything());
    let Ok(Reply::Transfer(one)) = place(&mut controller, &first).await else {
        panic!("placed")
    };
    let Ok(Reply::Transfer(two)) = place(&mut controller, &first).await else {
        panic!("the same")
    };
    assert_eq!(one.id, two.id);
    let mut other = first.order.peek().unwrap();
    other.expires = other.expires + Duration::from_secs(1);
    let other = SignedOrder {
        order: Signed::sign(&other, ann.device.keys.signing()),
        signer: first.signer.clone(),
    };
    assert_eq!(
        place(&mut controller, &other).await.unwrap_err().code,
        ErrorCode::Conflict
    );
    server.stop().await;
}

#[tokio::test]
async fn an_order_waits_for_a_machine_that_is_away() {
    let server = TestServer::start().await;
    let ann = Person::sign_up(&server).await;
    let device = ann.add_machine("laptop").await;
    let (mut controller, _) = Control::open(&server.url, &ann.device).await;
    let order = order(&ann, device.id(), everything());
    let Ok(Reply::Transfer(placed)) = place(&mut controller, &order).await else {
        panic!("placed")
    };
    assert_eq!((placed.state, placed.hold), (TransferState::Queued, Hold::Away));
    let (mut machine, _) = Control::open(&server.url, &device).await;
    assert_eq!(pushed(&mut machine).await, order);
    controller.transfer(|row| row.hold == Hold::None).await;
    machine
        .ask(Request::BeginTransfer { transfer: placed.id })
        .await
        .unwrap();
    drop(machine);
    let held = controller
        .transfer(|row| row.hold == Hold::Away && row.state == TransferState::Running)
        .await;
    assert!(held.revision > placed.revision);
    ann.revoke(device.id(), 1).await;
    controller.transfer(|row| row.state == TransferState::Failed).await;
    server.stop().await;
}

#[tokio::test]
async fn what_a_machine_would_not_carry_out_is_refused_at_once() {
    let server = TestServer::start().await;
    let ann = Person::sign_up(&server).await;
    let other = ann.on_another_device().await;
    let device = ann.add_machine("laptop").await;
    let (mut controller, _) = Control::open(&server.url, &ann.device).await;
    let of_another_signer = order(&other, device.id(), everything());
    assert_eq!(
        place(&mut controller, &of_another_signer).await.unwrap_err().code,
        ErrorCode::BadOrder
    );
    let to_a_terminal = order(&ann, other.device.id(), everything());
    assert_eq!(
        place(&mut controller, &to_a_terminal).await.unwrap_err().code,
        ErrorCode::NotFound
    );
    let mut forged = order(&ann, device.id(), everything());
    forged.order.bytes[40] ^= 1;
    assert!(place(&mut controller, &forged).await.is_err());
    let (mut machine, _) = Control::open(&server.url, &device).await;
    assert_eq!(
        place(&mut machine, &order(&ann, device.id(), everything()))
            .await
            .unwrap_err()
            .code,
        ErrorCode::NotAllowed
    );
    server.stop().await;
}

#[tokio::test]
async fn a_long_selection_goes_before_its_order_and_is_handed_to_the_machine() {
    let server = TestServer::start().await;
    let ann = Person::sign_up(&server).await;
    let device = ann.add_machine("laptop").await;
    let paths = (0..400)
        .map(|number| RootPath::new(format!("folder/file number {number}")).unwrap())
        .collect();
    let (selection, Some(bytes)) = Selection::of(paths) else {
        panic!("too long for the order")
    };
    let Selection::Detached(hash) = selection else {
        panic!("detached")
    };
    let (mut controller, _) = Control::open(&server.url, &ann.device).await;
    let order = order(&ann, device.id(), selection);
    assert_eq!(
        place(&mut controller, &order).await.unwrap_err().code,
        ErrorCode::BadOrder
    );
    let path = format!("/api/selections/{hash}");
    let wrong = ann.request(Method::PUT, &path).body(vec![1]).send().await.unwrap();
    assert_eq!(wrong.status(), StatusCode::BAD_REQUEST);
    let put = ann
        .request(Method::PUT, &path)
        .body(bytes.clone())
        .send()
        .await
        .unwrap();
    assert_eq!(put.status(), StatusCode::NO_CONTENT);
    let Ok(Reply::Transfer(placed)) = place(&mut controller, &order).await else {
        panic!("placed")
    };
    let (mut machine, _) = Control::open(&server.url, &device).await;
    let Ok(Reply::Grant(grant)) = machine.ask(Request::BeginTransfer { transfer: placed.id }).await else {
        panic!("a grant")
    };
    let url = format!("{}/bulk/{}/selection", server.url, placed.id);
    let got = bare(Method::GET, &url)
        .bearer_auth(hex::encode(grant.ticket))
        .send()
        .await
        .unwrap();
    assert_eq!(got.bytes().await.unwrap(), bytes);
    server.stop().await;
}

/// A transfer that a machine has begun before it went away.
async fn left_running(server: &TestServer, ann: &Person) -> TransferView {
    let device = ann.add_machine("laptop").await;
    let (mut controller, _) = Control::open(&server.url, &ann.device).await;
    let (mut machine, _) = Control::open(&server.url, &device).await;
    let Ok(Reply::Transfer(placed)) = place(&mut controller, &order(ann, device.id(), everything())).await else {
        panic!("placed")
    };
    machine
        .ask(Request::BeginTransfer { transfer: placed.id })
        .await
        .unwrap();
    drop(machine);
    controller
        .transfer(|row| row.hold == Hold::Away && row.state == TransferState::Running)
        .await
}

#[tokio::test]
async fn a_transfer_whose_machine_never_returns_ends_in_the_end() {
    let server = TestServer::start().await;
    let ann = Person::sign_up(&server).await;
    let left = left_running(&server, &ann).await;
    let app = server.beside().await;
    let state = async || {
        meta::transfer::find(app.meta().read(), &ann.id(), &left.id)
            .await
            .unwrap()
            .view
            .state
    };
    app.meta().run("UPDATE transfer SET expires = 0").await;
    expire(&app).await.unwrap();
    assert_eq!(
        state().await,
        TransferState::Running,
        "its machine was here a moment ago"
    );
    app.meta().run("UPDATE device SET last_seen = 0").await;
    expire(&app).await.unwrap();
    assert_eq!(state().await, TransferState::Failed);
    server.stop().await;
}

#[tokio::test]
async fn the_end_of_a_transfer_is_stored_also_when_newer_progress_was_stored_meanwhile() {
    let server = TestServer::start().await;
    let ann = Person::sign_up(&server).await;
    let left = left_running(&server, &ann).await;
    let app = server.beside().await;
    app.meta()
        .run("UPDATE transfer SET revision = revision + 1000000000000")
        .await;
    let ended = TransferView {
        state: TransferState::Done,
        hold: Hold::None,
        ended: Some(now()),
        ..left
    };
    record(&app, &ann.id(), &ended.id, |_| Some(ended.clone()))
        .await
        .unwrap();
    let stored = meta::transfer::find(app.meta().read(), &ann.id(), &ended.id)
        .await
        .unwrap()
        .view;
    assert_eq!(stored.state, TransferState::Done);
    let again = record(&app, &ann.id(), &ended.id, |view| {
        Some(TransferView {
            state: TransferState::Failed,
            ..view.clone()
        })
    })
    .await
    .unwrap();
    assert_eq!(again, stored, "what is over stays as it ended");
    server.stop().await;
}

#[tokio::test]
async fn problems_and_visits_are_not_kept_for_ever() {
    let server = TestServer::start().await;
    let ann = Person::sign_up(&server).await;
    let left = left_running(&server, &ann).await;
    let app = server.beside().await;
    app.meta()
        .run("INSERT INTO problem SELECT id, 0, 'a', 'not-readable', '' FROM transfer")
        .await;
    app.meta()
        .run(
            "WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 600)
        INSERT INTO visit SELECT randomblob(16), account, id, '', 0, '', n, n FROM device, number",
        )
        .await;
    let swept = async || {
        let txn = app.meta().write().await.unwrap();
        meta::transfer::problem::sweep(&txn, now()).await.unwrap();
        meta::visit::sweep(&txn).await.unwrap();
        txn.commit().await.unwrap();
        let visits = app
            .meta()
            .number("SELECT COUNT(*) AS number FROM visit WHERE started <= 600")
            .await;
        (
            visits,
            meta::transfer::problem::count(app.meta().read(), &left.id)
                .await
                .unwrap(),
        )
    };
    let (visits, problems) = swept().await;
    assert!(
        (900..=1000).contains(&visits),
        "{visits} of 500 for each of two devices, with those that are newer"
    );
    assert_eq!(problems, 1, "the transfer is open");
    app.meta().run("UPDATE transfer SET ended = 1").await;
    assert_eq!(swept().await.1, 0);
    server.stop().await;
}

#[tokio::test]
async fn a_selection_that_is_there_may_be_sent_again_however_many_there_are() {
    let server = TestServer::start().await;
    let ann = Person::sign_up(&server).await;
    let put = async |number: u8| {
        let path = format!("/api/selections/{}", Hash::of(&[number]));
        ann.request(Method::PUT, &path)
            .body(vec![number])
            .send()
            .await
            .unwrap()
            .status()
    };
    for number in 0..32 {
        assert_eq!(put(number).await, StatusCode::NO_CONTENT);
    }
    assert_eq!(put(32).await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(put(0).await, StatusCode::NO_CONTENT);
    server.stop().await;
}

#[tokio::test]
async fn an_account_has_a_thousand_open_transfers_at_the_most() {
    let server = TestServer::start().await;
    let ann = Person::sign_up(&server).await;
    let left = left_running(&server, &ann).await;
    let app = server.beside().await;
    let txn = app.meta().write().await.unwrap();
    let mut transfer = meta::transfer::find(&txn, &ann.id(), &left.id).await.unwrap();
    for at in 1..1000 {
        transfer.view.id = TransferId::new(Timestamp(at), [0; 10]);
        meta::transfer::insert(&txn, &transfer).await.unwrap();
    }
    txn.commit().await.unwrap();
    let (mut controller, _) = Control::open(&server.url, &ann.device).await;
    let one_more = order(&ann, left.device, everything());
    let refused = place(&mut controller, &one_more).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::TooMany);
    app.meta()
        .run("UPDATE transfer SET state = 'done', ended = 1 WHERE revision > 0")
        .await;
    place(&mut controller, &one_more).await.unwrap();
    server.stop().await;
}

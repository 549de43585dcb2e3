//! A browser or command line that puts files into `Files`: it gives itself the order, and does the work.

use beckon_shared::{
    api::transfer::{Act, Prioritise},
    bulk::HaveRequest,
    error::ErrorCode,
    id::{ChunkId, RootId},
    order::{OrderBody, SignedOrder},
    path::Label,
    signature::Signed,
    transfer::{Hold, Priority, Progress, TransferState},
    wire::{self, FromServer, Reply, Request, ToServer},
};
use reqwest::{Method, StatusCode};

use super::{
    client::Control,
    person::{Person, bare},
    server::TestServer,
    steer::steer,
    transfer::{everything, order, place},
};

/// An order of a person's terminal to itself, for this root.
fn own_order(ann: &Person, root: RootId) -> SignedOrder {
    let placed = order(ann, ann.device.id(), everything());
    let mut own = placed.order.peek().unwrap();
    let OrderBody::Upload(upload) = &mut own.body else {
        unreachable!("an upload");
    };
    (upload.root, upload.root_name) = (root, Label::new("Files").unwrap());
    SignedOrder {
        order: Signed::sign(&own, ann.device.keys.signing()),
        signer: placed.signer,
    }
}

fn files_of(ann: &Person) -> RootId {
    RootId::of_files(&ann.device.id())
}

#[tokio::test]
async fn a_terminal_carries_out_its_own_order_and_others_see_it() {
    let server = TestServer::start().await;
    let ann = Person::sign_up(&server).await;
    let other = ann.on_another_device().await;
    let (mut terminal, _) = Control::open(&server.url, &ann.device).await;
    let (mut watching, _) = Control::open(&server.url, &other.device).await;
    let Ok(Reply::Transfer(placed)) = place(&mut terminal, &own_order(&ann, files_of(&ann))).await else {
        panic!("placed")
    };
    assert_eq!((placed.state, placed.hold), (TransferState::Queued, Hold::None));
    assert_eq!((placed.device, placed.root.as_str()), (ann.device.id(), "Files"));
    let transfer = placed.id;
    let Ok(Reply::Grant(grant)) = terminal.ask(Request::BeginTransfer { transfer }).await else {
        panic!("a grant")
    };
    watching.transfer(|row| row.state == TransferState::Running).await;
    let stolen = watching.ask(Request::BeginTransfer { transfer }).await;
    assert_eq!(
        stolen.unwrap_err().code,
        ErrorCode::NotFound,
        "it is the work of another device"
    );
    let have = || {
        let chunks = vec![ChunkId([1; 32])];
        bare(Method::POST, &format!("{}/bulk/{transfer}/have", server.url))
            .bearer_auth(hex::encode(grant.ticket))
            .body(wire::encode(&HaveRequest { chunks }))
            .send()
    };
    assert_eq!(have().await.unwrap().status(), StatusCode::OK);
    drop(terminal);
    watching.transfer(|row| row.hold == Hold::Question).await;
    let (mut terminal, _) = Control::open(&server.url, &ann.device).await;
    terminal.ask(Request::BeginTransfer { transfer }).await.unwrap();
    watching
        .transfer(|row| row.hold == Hold::None && row.state == TransferState::Running)
        .await;
    let end = Request::EndTransfer {
        transfer,
        state: TransferState::Done,
        progress: Progress::default(),
        error: None,
    };
    terminal.ask(end).await.unwrap();
    watching.transfer(|row| row.state == TransferState::Done).await;
    server.stop().await;
}

#[tokio::test]
async fn an_order_to_oneself_is_never_pushed() {
    let server = TestServer::start().await;
    let ann = Person::sign_up(&server).await;
    let (mut terminal, _) = Control::open(&server.url, &ann.device).await;
    let own = own_order(&ann, files_of(&ann));
    place(&mut terminal, &own).await.unwrap();
    let (mut again, _) = Control::open(&server.url, &ann.device).await;
    place(&mut again, &own).await.unwrap();
    for mut socket in [terminal, again] {
        socket
            .send(&wire::ToServer::Request {
                id: 99,
                body: Box::new(Request::BeginTransfer {
                    transfer: own.order.peek().unwrap().id,
                }),
            })
            .await;
        let is_pushed = socket
            .until(|frame| match frame {
                FromServer::Order(_) => Some(true),
                FromServer::Reply { id: 99, .. } => Some(false),
                _ => None,
            })
            .await;
        assert!(!is_pushed);
    }
    server.stop().await;
}

#[tokio::test]
async fn whoever_uploads_for_itself_is_steered_and_never_told_its_order_or_priority() {
    let server = TestServer::start().await;
    let ann = Person::sign_up(&server).await;
    let (mut terminal, _) = Control::open(&server.url, &ann.device).await;
    let Ok(Reply::Transfer(placed)) = place(&mut terminal, &own_order(&ann, files_of(&ann))).await else {
        panic!("placed")
    };
    let (transfer, path) = (placed.id, format!("/api/transfers/{}/priority", placed.id));
    let high = Prioritise {
        priority: Priority::High,
    };
    assert_eq!(ann.post(&path, &high).await.status(), StatusCode::NO_CONTENT);
    for act in [Act::Pause, Act::Resume] {
        assert_eq!(steer(&ann, transfer, act).await, StatusCode::NO_CONTENT);
    }
    let (mut told, mut is_high) = (Vec::new(), false);
    while told.len() < 2 {
        match terminal.frame().await {
            FromServer::Steer { act, .. } => told.push(act),
            FromServer::Transfers(part) => is_high |= part.rows.iter().any(|row| row.priority == Priority::High),
            frame => assert!(
                !matches!(frame, FromServer::Order(_) | FromServer::Priority { .. }),
                "{frame:?}"
            ),
        }
    }
    assert_eq!((told, is_high), (vec![Act::Pause, Act::Resume], true));
    assert_eq!(steer(&ann, transfer, Act::Pause).await, StatusCode::NO_CONTENT);
    // A tab that begins what is paused hears so once more.
    let begin = Request::BeginTransfer { transfer };
    let request = ToServer::Request {
        id: 99,
        body: Box::new(begin),
    };
    terminal.send(&request).await;
    let mut pauses = 0;
    terminal
        .until(|frame| {
            pauses += usize::from(matches!(frame, FromServer::Steer { act: Act::Pause, .. }));
            (pauses == 2).then_some(())
        })
        .await;
    server.stop().await;
}

#[tokio::test]
async fn only_the_root_of_its_own_leads_into_files() {
    let server = TestServer::start().await;
    let ann = Person::sign_up(&server).await;
    let laptop = ann.add_machine("laptop").await;
    let (mut terminal, _) = Control::open(&server.url, &ann.device).await;
    let foreign = own_order(&ann, RootId([9; 16]));
    assert_eq!(
        place(&mut terminal, &foreign).await.unwrap_err().code,
        ErrorCode::BadOrder
    );
    // A machine that calls such a root its own would write where people keep what they put in by hand.
    let mut to_machine = order(&ann, laptop.id(), everything()).order.peek().unwrap();
    let OrderBody::Upload(upload) = &mut to_machine.body else {
        unreachable!("an upload");
    };
    upload.root = RootId::of_files(&laptop.id());
    let to_machine = SignedOrder {
        order: Signed::sign(&to_machine, ann.device.keys.signing()),
        signer: ann.device.chain.clone(),
    };
    assert_eq!(
        place(&mut terminal, &to_machine).await.unwrap_err().code,
        ErrorCode::BadOrder
    );
    server.stop().await;
}

#[tokio::test]
async fn a_ticket_of_a_terminal_ends_with_its_sign_in() {
    let server = TestServer::start().await;
    let ann = Person::sign_up(&server).await;
    let (mut terminal, _) = Control::open(&server.url, &ann.device).await;
    let Ok(Reply::Transfer(placed)) = place(&mut terminal, &own_order(&ann, files_of(&ann))).await else {
        panic!("placed")
    };
    let begun = terminal.ask(Request::BeginTransfer { transfer: placed.id }).await;
    let Ok(Reply::Grant(grant)) = begun else {
        panic!("a grant")
    };
    let out = ann.request(Method::POST, "/api/sign-out").send().await.unwrap();
    assert!(out.status().is_success(), "{out:?}");
    let late = bare(Method::POST, &format!("{}/bulk/{}/have", server.url, placed.id))
        .bearer_auth(hex::encode(grant.ticket))
        .body(wire::encode(&HaveRequest { chunks: Vec::new() }))
        .send();
    assert_eq!(late.await.unwrap().status(), StatusCode::UNAUTHORIZED);
    server.stop().await;
}

#[tokio::test]
async fn what_a_page_uploads_waits_for_its_files_when_the_page_goes_though_another_one_is_open() {
    let server = TestServer::start().await;
    let ann = Person::sign_up(&server).await;
    let (mut page, _) = Control::open(&server.url, &ann.device).await;
    let Ok(Reply::Transfer(placed)) = place(&mut page, &own_order(&ann, files_of(&ann))).await else {
        panic!("placed")
    };
    let transfer = placed.id;
    page.ask(Request::BeginTransfer { transfer }).await.unwrap();
    let (mut reloaded, _) = Control::open(&server.url, &ann.device).await;
    let question = ToServer::Progress {
        transfer,
        hold: Hold::Question,
        progress: Progress::default(),
    };
    reloaded.send(&question).await;
    let moved = Progress {
        files_total: 1,
        ..Progress::default()
    };
    let report = ToServer::Progress {
        transfer,
        hold: Hold::None,
        progress: moved,
    };
    page.send(&report).await;
    let running = reloaded.transfer(|row| row.progress == moved).await;
    assert_eq!(running.hold, Hold::None, "another page has the files");
    drop(page);
    reloaded.transfer(|row| row.hold == Hold::Question).await;

    reloaded.ask(Request::BeginTransfer { transfer }).await.unwrap();
    reloaded.transfer(|row| row.hold == Hold::None).await;
    let (third, _) = Control::open(&server.url, &ann.device).await;
    drop(third);
    // Asked and answered behind it: the page that works is still the one that counts.
    let ends = Request::EndTransfer {
        transfer,
        state: TransferState::Done,
        progress: moved,
        error: None,
    };
    reloaded.ask(ends).await.unwrap();
    let all: Vec<beckon_shared::transfer::TransferView> = ann.read("/api/transfers").await;
    assert_eq!((all.len(), all[0].state), (1, TransferState::Done));
    server.stop().await;
}

#[tokio::test]
async fn a_page_that_lacks_the_files_of_its_upload_says_so() {
    let server = TestServer::start().await;
    let ann = Person::sign_up(&server).await;
    let (mut page, _) = Control::open(&server.url, &ann.device).await;
    let Ok(Reply::Transfer(placed)) = place(&mut page, &own_order(&ann, files_of(&ann))).await else {
        panic!("placed")
    };
    let question = ToServer::Progress {
        transfer: placed.id,
        hold: Hold::Question,
        progress: Progress::default(),
    };
    page.send(&question).await;
    page.transfer(|row| row.hold == Hold::Question).await;
    server.stop().await;
}

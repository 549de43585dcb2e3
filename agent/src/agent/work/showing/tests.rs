//! Orders that a controller gives directly, and servers that are shown them, honest and not.

use std::time::Duration;

use beckon_shared::{
    order::CLOCK_GRACE,
    path::RootPath,
    transfer::{Hold, Priority, Progress, TransferView},
};

use super::*;
use crate::{
    agent::tests::{ROOT, Scene, end_of},
    connection::tests::{FakeServer, FakeSocket},
};

/// The next request, which must show an order; its number and what was selected.
async fn shows(socket: &mut FakeSocket, signed: &SignedOrder) -> (u32, String) {
    let (number, request) = socket.request().await;
    let Request::ShowOrder { order, what } = request else {
        panic!("{request:?}")
    };
    assert_eq!(*order, *signed);
    (number, what)
}

async fn begins(socket: &mut FakeSocket, id: TransferId) -> u32 {
    let (number, request) = socket.request().await;
    assert_eq!(request, Request::BeginTransfer { transfer: id });
    number
}

/// What the server answers that knows the order.
fn known(scene: &Scene, id: TransferId, state: TransferState) -> Result<Reply, Refusal> {
    Ok(Reply::Transfer(Box::new(TransferView {
        id,
        device: scene.agent.device(),
        machine: "studio".to_owned(),
        root: "Documents".to_owned(),
        what: "photos".to_owned(),
        state,
        hold: Hold::None,
        progress: Progress::default(),
        error: None,
        created: clock::now(),
        expires: clock::now(),
        ended: None,
        revision: 1,
        priority: Priority::default(),
        task: Default::default(),
        from: None,
        root_id: ROOT,
        origin: None,
    })))
}

fn refused(code: ErrorCode) -> Result<Reply, Refusal> {
    Err(Refusal::new(code, "not today"))
}

/// An order of this machine's family, and its id.
fn order(scene: &Scene) -> (SignedOrder, TransferId) {
    let order = scene.family.order_for(ROOT);
    (scene.family.sign(&order), order.id)
}

/// An order with a selection beside it.
fn long_order(scene: &Scene) -> (SignedOrder, Vec<u8>) {
    let paths = (0..400).map(|at| RootPath::new(format!("a folder/file {at}")).unwrap());
    let (selection, Some(beside)) = Selection::of(paths.collect()) else {
        panic!("too long for the order")
    };
    let mut order = scene.family.order_for(ROOT);
    let OrderBody::Upload(upload) = &mut order.body else {
        unreachable!("an upload");
    };
    upload.selection = selection;
    (scene.family.sign(&order), beside)
}

async fn give(scene: &Scene, signed: &SignedOrder) -> Result<(), Refusal> {
    scene.agent.take_direct_order(signed.clone(), None).await
}

#[tokio::test]
async fn an_order_that_is_given_directly_is_shown_to_the_server_before_it_begins() {
    let (fake, server) = FakeServer::start().await;
    let scene = Scene::at(server);
    let (signed, id) = order(&scene);
    for _ in 0..3 {
        give(&scene, &signed).await.unwrap();
    }
    assert_eq!(scene.agent.open_orders(), 1);
    let mut socket = scene.connect(&fake).await;
    let (number, what) = shows(&mut socket, &signed).await;
    assert_eq!(what, "photos");
    socket.reply(number, known(&scene, id, TransferState::Queued)).await;
    begins(&mut socket, id).await;
    assert!(!scene.agent.journal.is_unshown(id).unwrap());
}

#[tokio::test]
async fn an_order_that_was_not_acknowledged_is_shown_again_after_a_restart() {
    let (fake, server) = FakeServer::start().await;
    let scene = Scene::at(server);
    let (signed, id) = order(&scene);
    give(&scene, &signed).await.unwrap();
    scene.stopped().await;
    let scene = scene.restarted();
    scene.agent.take_up_unshown();
    let mut socket = scene.connect(&fake).await;
    shows(&mut socket, &signed).await;
    drop(socket);
    let mut socket = scene.connect(&fake).await;
    let (number, _) = shows(&mut socket, &signed).await;
    socket.reply(number, known(&scene, id, TransferState::Queued)).await;
    begins(&mut socket, id).await;
    scene.stopped().await;
    let scene = scene.restarted();
    assert_eq!(
        scene.agent.journal.unshown().unwrap(),
        [],
        "the server hands it out from now on"
    );
}

#[tokio::test]
async fn an_order_that_both_ends_bring_at_once_runs_once() {
    let (fake, server) = FakeServer::start().await;
    let scene = Scene::at(server);
    let mut socket = scene.connect(&fake).await;
    let (signed, id) = order(&scene);
    give(&scene, &signed).await.unwrap();
    scene.agent.take_pushed_order(signed.clone()).await;
    let (number, _) = shows(&mut socket, &signed).await;
    scene.agent.take_pushed_order(signed.clone()).await;
    socket.reply(number, known(&scene, id, TransferState::Queued)).await;
    let number = begins(&mut socket, id).await;
    assert_eq!(scene.agent.open_orders(), 1);
    socket.reply(number, refused(ErrorCode::NotAllowed)).await;
    assert_eq!(end_of(&mut socket).await.0, id);
    scene.agent.tasks.close();
    scene.agent.tasks.wait().await;
    let again = give(&scene, &signed).await.unwrap_err();
    assert_eq!(
        again.code,
        ErrorCode::NotAllowed,
        "who gives it again is told how it ended"
    );
}

#[tokio::test]
async fn an_answer_that_speaks_of_another_transfer_counts_for_nothing() {
    let (fake, server) = FakeServer::start().await;
    let scene = Scene::at(server);
    let mut socket = scene.connect(&fake).await;
    let (signed, id) = order(&scene);
    give(&scene, &signed).await.unwrap();
    let (number, _) = shows(&mut socket, &signed).await;
    let other = TransferId::new(clock::now(), [8; 10]);
    socket.reply(number, known(&scene, other, TransferState::Queued)).await;
    let (number, _) = shows(&mut socket, &signed).await;
    assert!(scene.agent.journal.is_unshown(id).unwrap());
    socket.reply(number, Ok(Reply::Done)).await;
    let (number, _) = shows(&mut socket, &signed).await;
    socket.reply(number, refused(ErrorCode::TooMany)).await;
    let (number, _) = shows(&mut socket, &signed).await;
    socket.reply(number, known(&scene, id, TransferState::Queued)).await;
    begins(&mut socket, id).await;
}

#[tokio::test]
async fn an_order_that_the_server_refuses_fails_for_good_and_its_giver_hears_why() {
    let (fake, server) = FakeServer::start().await;
    let scene = Scene::at(server);
    let mut socket = scene.connect(&fake).await;
    let (signed, id) = order(&scene);
    give(&scene, &signed).await.unwrap();
    let (number, _) = shows(&mut socket, &signed).await;
    socket.reply(number, refused(ErrorCode::BadOrder)).await;
    let expected = (id, TransferState::Failed, Some(ErrorCode::BadOrder));
    assert_eq!(end_of(&mut socket).await, expected);
    scene.stopped().await;
    let scene = scene.restarted();
    scene.agent.take_up_unshown();
    assert_eq!(give(&scene, &signed).await.unwrap_err().message, "not today");
    let mut socket = scene.connect(&fake).await;
    // A server that changes its mind has it run no second time.
    scene.agent.take_pushed_order(signed.clone()).await;
    assert_eq!(end_of(&mut socket).await, expected);
    assert_eq!(scene.agent.open_orders(), 0);
}

#[tokio::test]
async fn an_order_that_the_server_refuses_is_shown_again_after_a_crash_unless_its_end_is_written() {
    let (fake, server) = FakeServer::start().await;
    let scene = Scene::at(server);
    let (signed, id) = order(&scene);
    let taken = signed.order.peek().unwrap();
    scene.agent.journal.admit_directly(&taken, &signed, None).unwrap();
    let mut socket = scene.connect(&fake).await;
    for (is_ended, is_unshown) in [(false, true), (true, false)] {
        let (agent, order) = (Arc::clone(&scene.agent), signed.clone());
        let ended = failed(Refusal::new(ErrorCode::BadOrder, "not today"));
        let shown = tokio::spawn(async move {
            match is_ended {
                false => drop(agent.show(id, &order).await),
                true => agent.show_and_report(id, Some(&order), ended).await,
            }
        });
        let (number, _) = shows(&mut socket, &signed).await;
        socket.reply(number, refused(ErrorCode::BadOrder)).await;
        shown.await.unwrap();
        assert_eq!(scene.agent.journal.is_unshown(id).unwrap(), is_unshown);
    }
}

#[tokio::test]
async fn an_order_that_was_cancelled_on_the_server_meanwhile_ends_so() {
    let (fake, server) = FakeServer::start().await;
    let scene = Scene::at(server);
    let mut socket = scene.connect(&fake).await;
    let (signed, id) = order(&scene);
    give(&scene, &signed).await.unwrap();
    let (number, _) = shows(&mut socket, &signed).await;
    socket.reply(number, known(&scene, id, TransferState::Cancelled)).await;
    assert_eq!(end_of(&mut socket).await, (id, TransferState::Cancelled, None));
    scene.agent.tasks.close();
    scene.agent.tasks.wait().await;
    assert_eq!(give(&scene, &signed).await.unwrap_err().code, ErrorCode::Conflict);
}

#[tokio::test]
async fn an_order_that_ends_before_the_server_saw_it_is_shown_and_then_its_end_is_told() {
    let (fake, server) = FakeServer::start().await;
    let scene = Scene::at(server);
    let (signed, id) = order(&scene);
    give(&scene, &signed).await.unwrap();
    scene
        .agent
        .take_statement(&scene.revocation_of(scene.family.controller.id()))
        .unwrap();
    let mut socket = scene.connect(&fake).await;
    let (number, _) = shows(&mut socket, &signed).await;
    socket.reply(number, known(&scene, id, TransferState::Queued)).await;
    assert_eq!(
        end_of(&mut socket).await,
        (id, TransferState::Failed, Some(ErrorCode::BadOrder))
    );
}

#[tokio::test]
async fn an_order_that_lapses_while_the_server_is_out_of_reach_fails_and_says_so() {
    let (fake, server) = FakeServer::start().await;
    let scene = Scene::at(server);
    let mut order = scene.family.order_for(ROOT);
    // It still counts for a moment.
    order.issued = clock::now().before(Duration::from_secs(3600));
    order.expires = clock::now().before(CLOCK_GRACE) + Duration::from_secs(2);
    let signed = scene.family.sign(&order);
    give(&scene, &signed).await.unwrap();
    scene.stopped().await;
    let scene = scene.restarted();
    while clock::now() <= order.expires + CLOCK_GRACE {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    scene.agent.take_up_unshown();
    let mut socket = scene.connect(&fake).await;
    let (number, _) = shows(&mut socket, &signed).await;
    socket
        .reply(number, known(&scene, order.id, TransferState::Queued))
        .await;
    assert_eq!(
        end_of(&mut socket).await,
        (order.id, TransferState::Failed, Some(ErrorCode::BadOrder))
    );
    assert_eq!(scene.agent.open_orders(), 0);
}

#[tokio::test]
async fn a_selection_beside_an_order_is_kept_over_a_restart_until_the_order_is_done_or_cancelled() {
    let (fake, server) = FakeServer::start().await;
    let scene = Scene::at(server);
    let (signed, beside) = long_order(&scene);
    let id = signed.order.peek().unwrap().id;
    let given = scene.agent.take_direct_order(signed.clone(), Some(beside.clone()));
    given.await.unwrap();
    scene.stopped().await;
    let scene = scene.restarted();
    assert_eq!(scene.agent.journal.selection(id).unwrap(), Some(beside.clone()));
    scene.agent.take_up_unshown();
    let mut socket = scene.connect(&fake).await;
    let (number, what) = shows(&mut socket, &signed).await;
    assert!(
        what.starts_with("a folder/file 0, a folder/file 1, ") && what.contains(" +38"),
        "{what}"
    );
    socket.reply(number, known(&scene, id, TransferState::Queued)).await;
    let number = begins(&mut socket, id).await;
    socket.reply(number, refused(ErrorCode::NotAllowed)).await;
    end_of(&mut socket).await;
    let journal = &scene.agent.journal;
    assert_eq!(journal.selection(id).unwrap(), Some(beside), "it may be tried again");
    journal.reopen(id).unwrap();
    journal.cancel(id).unwrap();
    assert_eq!(journal.selection(id).unwrap(), None);
}

#[tokio::test]
async fn what_does_not_belong_to_an_order_is_refused_beside_it() {
    let scene = Scene::alone();
    let (signed, beside) = long_order(&scene);
    let (short, _) = order(&scene);
    let too_long = vec![0; BESIDE_MAX + 1];
    for (order, selection) in [
        (&signed, None),
        (&signed, Some(beside[1..].to_vec())),
        (&signed, Some(too_long)),
        (&short, Some(beside)),
    ] {
        let given = scene.agent.take_direct_order(order.clone(), selection).await;
        assert_eq!(given.unwrap_err().code, ErrorCode::BadOrder);
    }
    assert_eq!(scene.agent.open_orders(), 0);
    assert_eq!(scene.agent.journal.unshown().unwrap(), []);
}

#[tokio::test]
async fn an_order_that_does_not_stand_is_refused_to_its_giver_and_leaves_nothing() {
    let scene = Scene::alone();
    let (mut forged, _) = order(&scene);
    forged.order.signature[0] ^= 1;
    let mut elsewhere = scene.family.order_for(ROOT);
    elsewhere.target = beckon_shared::id::DeviceId([9; 32]);
    for bad in [forged, scene.family.sign(&elsewhere)] {
        assert_eq!(give(&scene, &bad).await.unwrap_err().code, ErrorCode::BadOrder);
    }
    let (revoked, _) = order(&scene);
    scene
        .agent
        .take_statement(&scene.revocation_of(scene.family.controller.id()))
        .unwrap();
    assert_eq!(give(&scene, &revoked).await.unwrap_err().code, ErrorCode::BadOrder);
    assert_eq!(scene.agent.journal.unshown().unwrap(), []);
}

#[tokio::test]
async fn only_so_many_orders_wait_for_the_server() {
    let scene = Scene::alone();
    let mut refused = None;
    for at in 0..=u8::MAX {
        let mut order = scene.family.order_for(ROOT);
        order.id = TransferId::new(order.issued, [at; 10]);
        if let Err(refusal) = give(&scene, &scene.family.sign(&order)).await {
            refused = Some((at, refusal.code));
            break;
        }
    }
    assert_eq!(refused, Some((64, ErrorCode::TooMany)));
    scene.stopped().await;
}

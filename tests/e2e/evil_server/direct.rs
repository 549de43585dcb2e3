//! Orders that a controller gave to the machine inside a session, of which the server hears from the machine.

use std::path::Path;

use beckon_shared::{
    api::transfer::Act,
    browse::{Answer, Ask},
    error::{ErrorCode, Refusal},
    id::TransferId,
    order::SignedOrder,
    transfer::TransferState,
    wire::{FromServer, Request},
};
use beckon_tests::wait_until;

use super::{
    scene::{DIARY, SECRET, Scene},
    server::{LIMIT, Shown},
    session::Session,
};

/// An order that was given to the machine inside a session, while the server answers like this what it is shown.
fn given(answer: Shown) -> (Scene, SignedOrder, TransferId) {
    let scene = Scene::new();
    scene.server.lie(|lies| lies.shown = answer);
    let order = scene.order(&scene.owner, SECRET);
    let (id, signed) = (order.id, scene.owner.sign(&order));
    assert_eq!(give(&scene, &signed), Ok(Answer::Done));
    wait_until("the machine shows the order", LIMIT, || times_shown(&scene, id) > 0);
    (scene, signed, id)
}

fn give(scene: &Scene, order: &SignedOrder) -> Result<Answer, Refusal> {
    Session::open(scene, &scene.owner).ask(Ask::Order(Box::new(order.clone())))
}

fn times_shown(scene: &Scene, id: TransferId) -> usize {
    scene.server.seen(|seen| {
        let shown = seen.requests.iter().filter(|request| {
            matches!(request, Request::ShowOrder { order, .. } if order.order.peek().is_ok_and(|order| order.id == id))
        });
        shown.count()
    })
}

/// The order is carried out now, and never again whatever the server says.
#[track_caller]
fn assert_carried_out_once(scene: &Scene, order: &SignedOrder, id: TransferId) {
    scene.allow(id);
    scene.server.lie(|lies| lies.shown = Shown::Truly);
    scene.wait_done(id);
    assert!(scene.opens.take().contains(Path::new(DIARY)), "it opens its files");
    for act in [Act::Retry, Act::Resume] {
        scene.server.push(&FromServer::Steer { transfer: id, act });
        scene.push(order);
    }
    assert_eq!(
        give(scene, order),
        Ok(Answer::Done),
        "who gives it again is told that it is taken"
    );
    scene.assert_untouched();
    assert_eq!(scene.times_begun(id), 1);
}

#[test]
fn an_order_for_which_the_server_names_another_transfer_is_shown_until_it_is_taken_and_runs_once() {
    let (mut scene, order, id) = given(Shown::AsAnother);
    wait_until("it is shown again", LIMIT, || times_shown(&scene, id) > 1);
    scene.assert_untouched();
    scene.machine.kill();
    let before = times_shown(&scene, id);
    scene.machine.restart();
    wait_until("it is shown after a restart", LIMIT, || {
        times_shown(&scene, id) > before
    });
    assert_eq!(scene.times_begun(id), 0);
    assert_carried_out_once(&scene, &order, id);
}

#[test]
fn an_order_of_which_the_server_says_nothing_is_not_lost_when_the_machine_starts_anew() {
    let (mut scene, order, id) = given(Shown::Unanswered);
    // Pushed by the server, it is still the same order.
    scene.push(&order);
    scene.assert_untouched();
    scene.machine.kill();
    scene.server.lie(|lies| lies.orders = vec![order.clone()]);
    scene.allow(id);
    scene.server.lie(|lies| lies.shown = Shown::Truly);
    scene.machine.restart();
    assert_carried_out_once(&scene, &order, id);
}

#[test]
fn an_order_that_the_server_refuses_fails_for_good_and_whoever_gave_it_can_hear_so() {
    let (mut scene, order, id) = given(Shown::Refused(ErrorCode::NotAllowed));
    assert_eq!(scene.end_of(id), TransferState::Failed);
    let told = give(&scene, &order).unwrap_err();
    assert_eq!(
        (told.code, told.message.as_str()),
        (ErrorCode::NotAllowed, "this server takes no such order")
    );
    scene.server.lie(|lies| {
        lies.shown = Shown::Truly;
        lies.orders = vec![order.clone()];
    });
    scene.machine.restart();
    scene.push(&order);
    scene.server.lie(|lies| lies.orders.clear());
    scene.assert_untouched();
    assert_eq!(scene.times_begun(id), 0, "the server cannot change its mind unseen");
}

#[test]
fn an_order_that_nobody_signed_for_this_machine_is_not_even_shown() {
    let scene = Scene::new();
    let elsewhere = beckon_shared::order::Order {
        target: scene.owner.id(),
        ..scene.order(&scene.owner, SECRET)
    };
    let mut forged = scene.owner.sign(&scene.order(&scene.owner, SECRET));
    forged.order.signature[0] ^= 1;
    for order in [scene.owner.sign(&elsewhere), forged] {
        assert_eq!(give(&scene, &order).unwrap_err().code, ErrorCode::BadOrder);
        assert_eq!(times_shown(&scene, order.order.peek().unwrap().id), 0);
    }
    scene.assert_untouched();
}

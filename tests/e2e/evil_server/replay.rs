//! Honest orders, more often or in other words than they were given.

use std::path::Path;

use beckon_shared::{
    api::transfer::Act,
    order::{Order, SignedOrder},
    wire::FromServer,
};
use beckon_tests::wait_until;

use super::{
    account::{Account, Device, device_keys},
    scene::{DIARY, SECRET, Scene},
    server::LIMIT,
};

#[test]
fn an_order_that_was_carried_out_is_not_carried_out_again() {
    let scene = Scene::new();
    let done = scene.owner.sign(&scene.order(&scene.owner, SECRET));
    obey_once(&scene, &done);
    for _ in 0..3 {
        scene.push(&done);
    }
    assert_not_begun_again(&scene, &done);
}

#[test]
fn an_order_that_was_carried_out_is_not_carried_out_again_after_a_restart() {
    let mut scene = Scene::new();
    let done = scene.owner.sign(&scene.order(&scene.owner, SECRET));
    obey_once(&scene, &done);
    // Pushed as soon as the machine is in, and once more later.
    scene.server.lie(|lies| lies.orders = vec![done.clone()]);
    scene.machine.restart();
    scene.push(&done);
    assert_not_begun_again(&scene, &done);
    scene.machine.kill();
    scene.machine.restart();
    scene.push(&done);
    assert_not_begun_again(&scene, &done);
}

#[test]
fn no_steering_has_an_order_carried_out_that_is_done_or_never_stood() {
    let scene = Scene::new();
    let done = scene.owner.sign(&scene.order(&scene.owner, SECRET));
    obey_once(&scene, &done);
    let forged = Account::new(66).controller(67).sign(&scene.order(&scene.owner, SECRET));
    scene.refuse(&[("forged", forged.clone())]);
    for (order, times) in [(&done, 1), (&forged, 0)] {
        let transfer = order.order.peek().unwrap().id;
        for act in [Act::Retry, Act::Resume, Act::Pause, Act::Cancel, Act::Retry] {
            scene.server.push(&FromServer::Steer { transfer, act });
            scene.push(order);
        }
        scene.assert_untouched();
        assert_eq!(scene.times_begun(transfer), times);
    }
}

#[test]
fn an_order_that_failed_is_not_carried_out_after_a_restart() {
    let mut scene = Scene::new();
    let stranger = Account::new(66).controller(67);
    let forged = stranger.sign(&scene.order(&scene.owner, SECRET));
    scene.refuse(&[("forged", forged.clone())]);
    scene.server.lie(|lies| lies.orders = vec![forged]);
    scene.machine.restart();
    scene.assert_untouched();
}

#[test]
fn the_id_of_an_order_is_not_used_for_another_one() {
    let mut scene = Scene::new();
    let narrow = scene.order(&scene.owner, DIARY);
    obey_once(&scene, &scene.owner.sign(&narrow));
    let wide = Order {
        body: scene.order(&scene.owner, SECRET).body,
        ..narrow.clone()
    };
    let other = scene.ann.controller(41);
    let by_other = Order {
        signer: other.id(),
        ..wide.clone()
    };
    for order in [scene.owner.sign(&wide), other.sign(&by_other)] {
        scene.push(&order);
        assert_not_begun_again(&scene, &order);
        scene.machine.restart();
        scene.push(&order);
        assert_not_begun_again(&scene, &order);
    }
}

#[test]
fn the_id_of_an_order_that_is_under_way_is_not_used_for_another_one() {
    let mut scene = Scene::new();
    let narrow = scene.order(&scene.owner, DIARY);
    let wide = Order {
        body: scene.order(&scene.owner, SECRET).body,
        ..narrow.clone()
    };
    let (id, narrow, wide) = (narrow.id, scene.owner.sign(&narrow), scene.owner.sign(&wide));
    scene.allow(id);
    scene.server.lie(|lies| lies.withholds_grants = true);
    scene.push(&narrow);
    wait_until("the order is begun", LIMIT, || scene.times_begun(id) > 0);
    scene.push(&wide);
    scene.machine.kill();
    scene.server.lie(|lies| {
        lies.withholds_grants = false;
        lies.orders = vec![wide, narrow];
    });
    scene.machine.restart();
    scene.wait_done(id);
    let opened = scene.opens.take();
    assert!(
        opened.contains(Path::new(DIARY)),
        "the machine goes on with the order that it took on"
    );
    let other = opened.iter().find(|path| path.starts_with("secret/deep"));
    assert_eq!(other, None, "and with no other one");
    scene.server.lie(|lies| lies.orders.clear());
    scene.assert_untouched();
}

#[test]
fn a_forged_order_does_not_use_up_the_id_of_an_honest_one() {
    let scene = Scene::new();
    let honest = scene.order(&scene.owner, "witness.txt");
    let thief = Device {
        keys: device_keys(67),
        chain: scene.owner.chain.clone(),
    };
    scene.push(&thief.sign(&Order {
        body: scene.order(&scene.owner, SECRET).body,
        ..honest.clone()
    }));
    scene.allow(honest.id);
    scene.push(&scene.owner.sign(&honest));
    let honest = honest.id;
    wait_until("the honest order is begun", LIMIT, || scene.times_begun(honest) > 0);
    scene.assert_untouched();
}

/// Carries the order out, and forgets that it was allowed and what was opened.
#[track_caller]
fn obey_once(scene: &Scene, order: &SignedOrder) {
    scene.obey(order);
    assert!(
        scene.opens.take().contains(Path::new(DIARY)),
        "the first time it opens its files"
    );
}

/// Panics if anything was opened, or if the machine asked again for what it needs to carry the order out.
#[track_caller]
fn assert_not_begun_again(scene: &Scene, order: &SignedOrder) {
    scene.assert_untouched();
    let id = order.order.peek().unwrap().id;
    assert_eq!(scene.times_begun(id), 1, "begun once, when it was given");
}

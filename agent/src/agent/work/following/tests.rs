//! Which orders to copy are refused before anything is done.
#![allow(clippy::disallowed_methods, reason = "a test makes the folders that are opened")]

use std::fs;

use beckon_shared::{
    commit::ChainHead,
    id::DeviceId,
    order::{Order, WatchOrder},
    path::Label,
    transfer::TransferState,
};

use super::*;
use crate::{
    agent::tests::{ROOT, Scene},
    state::RootConfig,
};

const COPIES: RootId = RootId([5; 16]);

/// A machine that has besides a root `Copies` at this place, beside or below the other one.
fn scene(place: &str, writable: bool) -> Scene {
    let scene = Scene::alone();
    let path = scene.folder.path().join(place);
    fs::create_dir_all(&path).unwrap();
    let config = RootConfig {
        id: COPIES,
        name: Label::new("Copies").unwrap(),
        path: fs::canonicalize(path).unwrap(),
        writable,
        ignore: String::new(),
    };
    let opened = scene.agent.state.update_machine(|machine| {
        machine.roots.push(config);
        Ok(())
    });
    opened.unwrap();
    scene.agent.reload().unwrap();
    scene
}

fn follow(scene: &Scene, device: DeviceId, from: &str, to: &str) -> FollowOrder {
    FollowOrder {
        root: COPIES,
        root_name: Label::new("Copies").unwrap(),
        path: RootPath::new(to).unwrap(),
        space: scene.agent.space,
        from: Followed {
            device,
            root: ROOT,
            path: RootPath::new(from).unwrap(),
        },
        extent: Extent::Kept,
    }
}

fn order(scene: &Scene, seed: u8, body: OrderBody) -> Order {
    let order = scene.family.order_for(ROOT);
    Order {
        id: TransferId::new(order.issued, [seed; 10]),
        body,
        ..order
    }
}

#[tokio::test]
async fn a_folder_does_not_follow_itself() {
    for (place, from, to, is_refused) in [
        ("beside", "", "", false),
        ("files/below", "", "", true),
        ("files/below", "below", "", true),
        ("files/below", "", "deep", true),
        ("files/below", "elsewhere", "", false),
        ("", "", "", true),
        ("", "", "filesystem", false),
    ] {
        let scene = scene(place, true);
        let order = follow(&scene, scene.agent.device(), from, to);
        let root = scene.agent.root(&COPIES).unwrap();
        let refused = scene.agent.refuse_itself(&order, &root);
        assert_eq!(refused.is_err(), is_refused, "{from} to {to} in {place:?}");
        let other = follow(&scene, DeviceId([9; 32]), from, to);
        assert!(scene.agent.refuse_itself(&other, &root).is_ok(), "of another machine");
        let extent = Extent::At(ChainHead::EMPTY);
        let older = FollowOrder { extent, ..order };
        assert!(scene.agent.refuse_itself(&older, &root).is_ok(), "an older state");
    }
}

#[tokio::test]
async fn of_two_copies_at_one_place_the_order_that_was_given_first_holds() {
    let scene = scene("copies", true);
    let other = DeviceId([9; 32]);
    let first = order(&scene, 2, OrderBody::Follow(follow(&scene, other, "", "a/b")));
    scene.agent.take_order(scene.family.sign(&first)).await.unwrap();
    assert_eq!(scene.agent.open_orders(), 1);
    let later = TransferId::new(first.issued, [3; 10]);
    for (to, is_refused) in [("a/b", true), ("a", true), ("a/b/c", true), ("a/c", false), ("", true)] {
        let order = follow(&scene, other, "x", to);
        assert_eq!(scene.agent.refuse_overlaps(later, &order).is_err(), is_refused, "{to}");
    }
    // One that was given earlier, but is shown later, ends it.
    let earlier = TransferId::new(first.issued, [1; 10]);
    let order = follow(&scene, other, "x", "a");
    scene.agent.refuse_overlaps(earlier, &order).unwrap();
    let verdict = scene
        .agent
        .work
        .open()
        .get(&first.id)
        .and_then(|open| open.verdict.clone());
    assert_eq!(verdict.map(|ended| ended.state), Some(TransferState::Failed));
}

#[tokio::test]
async fn what_is_not_marked_for_writing_any_more_is_written_in_no_longer() {
    let scene = scene("copies", true);
    let other = DeviceId([9; 32]);
    let order = order(&scene, 2, OrderBody::Follow(follow(&scene, other, "", "")));
    scene.agent.take_order(scene.family.sign(&order)).await.unwrap();
    let closed = scene.agent.state.update_machine(|machine| {
        machine.roots.iter_mut().for_each(|root| root.writable = false);
        Ok(())
    });
    closed.unwrap();
    scene.agent.reload().unwrap();
    let verdict = scene
        .agent
        .work
        .open()
        .get(&order.id)
        .and_then(|open| open.verdict.clone());
    assert_eq!(
        verdict.and_then(|ended| ended.error).map(|refusal| refusal.code),
        Some(ErrorCode::NotAllowed)
    );
}

#[tokio::test]
async fn a_later_order_to_watch_a_root_takes_the_place_of_the_one_before() {
    let scene = scene("copies", true);
    let body = OrderBody::Watch(WatchOrder {
        root: ROOT,
        root_name: Label::new("Documents").unwrap(),
        space: scene.agent.space,
    });
    let first = order(&scene, 1, body);
    // All of one moment, so that the seeds say which is later.
    let watch = |seed| Order {
        id: TransferId::new(first.issued, [seed; 10]),
        ..first.clone()
    };
    let orders = [first.clone(), watch(3), watch(2)];
    for order in &orders {
        scene.agent.take_order(scene.family.sign(order)).await.unwrap();
    }
    let ended = |order: &Order| {
        let work = scene.agent.work.open();
        let verdict = work.get(&order.id).and_then(|open| open.verdict.clone());
        verdict.map(|ended| ended.state)
    };
    let cancelled = Some(TransferState::Cancelled);
    assert_eq!(
        orders.each_ref().map(ended),
        [cancelled, None, cancelled],
        "however late an older one is shown"
    );
}

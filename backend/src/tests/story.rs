//! A transfer's story: how it came to stand as it does, what was selected, why it waited or lapsed.

use std::time::{Duration, Instant};

use beckon_shared::{
    api::transfer::{Act, TransferDetail},
    id::Hash,
    order::Selection,
    path::{PATH_MAX, RootPath},
    transfer::{Hold, Progress, TransferState},
    wire::{self, FromServer, Reply},
};
use reqwest::{Method, StatusCode};

use super::{
    steer::{HALF, Scene, Told},
    transfer::{everything, order, place},
};
use crate::{
    order::expire,
    store::meta::transfer::{self, selection},
};

impl Scene {
    /// Places an order whose selection travels beside it; what is told of it, and the selection's hash.
    async fn place_long(&mut self, paths: &[RootPath]) -> (TransferDetail, Hash) {
        let (selection, bytes) = Selection::of(paths.to_vec());
        let bytes = bytes.unwrap();
        let hash = Hash::of(&bytes);
        let path = format!("/api/selections/{hash}");
        let put = self.ann.request(Method::PUT, &path).body(bytes).send().await.unwrap();
        assert_eq!(put.status(), StatusCode::NO_CONTENT);
        let long = order(&self.ann, self.device.id(), selection);
        let Ok(Reply::Transfer(long)) = place(&mut self.controller, &long).await else {
            panic!("placed")
        };
        let detail = self.ann.read(&format!("/api/transfers/{}", long.id)).await;
        (detail, hash)
    }

    /// Waits until this is the newest of the story.
    async fn recorded(&self, newest: (TransferState, Hold)) {
        let begun = Instant::now();
        while self.story().await.last() != Some(&newest) {
            assert!(begun.elapsed() < LIMIT, "not recorded: {newest:?}");
        }
    }
}

/// What a machine says is recorded far sooner.
const LIMIT: Duration = Duration::from_secs(10);

const RUNS: (TransferState, Hold) = (TransferState::Running, Hold::None);

#[tokio::test]
async fn every_change_of_state_or_hold_is_told_with_what_was_done_by_then() {
    use TransferState::{Done, Queued, Running};
    let mut scene = Scene::running().await;
    for hold in [Hold::NoRoom, Hold::None] {
        scene.say(hold, HALF).await;
        scene
            .controller
            .transfer(|row| row.progress == HALF && row.hold == hold)
            .await;
        // It is told at once, and stored within two seconds.
        scene.recorded((Running, hold)).await;
    }
    scene.go_away().await;
    scene.controller.transfer(|row| row.hold == Hold::Away).await;
    for act in [Act::Pause, Act::Pause, Act::Resume] {
        assert_eq!(scene.steer(act).await, StatusCode::NO_CONTENT);
    }
    scene.come_back().await;
    scene.begin().await.unwrap();
    scene.end(Done, HALF).await;
    let expected = [
        (Queued, Hold::None),
        RUNS,
        (Running, Hold::NoRoom),
        RUNS,
        (Running, Hold::Away),
        (Running, Hold::User),
        (Running, Hold::Away),
        RUNS,
        (Done, Hold::None),
    ];
    assert_eq!(scene.story().await, expected);
    let detail = scene.detail().await;
    let (first, last) = (&detail.events[0], &detail.events[8]);
    assert_eq!(
        (first.bytes_done, first.bytes_sent, first.at),
        (0, 0, detail.transfer.created)
    );
    assert_eq!((last.bytes_done, last.bytes_sent), (HALF.bytes_done, HALF.bytes_sent));
    assert!(detail.events.is_sorted_by_key(|event| event.at));
    scene.server.stop().await;
}

#[tokio::test]
async fn a_database_that_is_busy_keeps_nobody_from_seeing_what_moves() {
    let mut scene = Scene::running().await;
    let beside = scene.server.beside().await;
    let busy = beside.meta().write().await.unwrap();
    // On PostgreSQL only the row is taken.
    transfer::set_unheard(&busy, &scene.id, false).await.unwrap();
    scene.say(Hold::NoRoom, HALF).await;
    scene.controller.transfer(|row| row.hold == Hold::NoRoom).await;
    // Longer than until it would be stored.
    for files_done in 0..12 {
        let more = Progress { files_done, ..HALF };
        scene.say(Hold::NoRoom, more).await;
        scene.controller.transfer(|row| row.progress == more).await;
    }
    let waits = (TransferState::Running, Hold::NoRoom);
    assert!(!scene.story().await.contains(&waits));
    drop(busy);
    scene.recorded(waits).await;
    scene.server.stop().await;
}

#[tokio::test]
async fn of_a_selection_of_the_longest_paths_only_as_much_is_read_as_is_shown() {
    let mut scene = Scene::placed().await;
    let folder = ["x"; 2047].join("/");
    let paths: Vec<_> = (0..150)
        .map(|n| RootPath::new(format!("{n:03}{folder}")).unwrap())
        .collect();
    assert_eq!(paths[0].as_bytes().len(), PATH_MAX);
    let (detail, hash) = scene.place_long(&paths).await;
    assert_eq!(
        (detail.selected, detail.selected_total),
        (paths[..100].to_vec(), Some(150))
    );
    let beside = scene.server.beside().await;
    let first = selection::beginning(beside.meta().read(), &scene.ann.id(), &hash, 5).await;
    let first = first.unwrap().unwrap();
    assert_eq!(first.len(), 5);
    assert_eq!(first, wire::encode(&paths)[..5]);
    scene.server.stop().await;
}

#[tokio::test]
async fn a_detail_names_who_ordered_what_and_where_it_lies_in_the_drive() {
    let mut scene = Scene::placed().await;
    let placed = scene.detail().await;
    assert_eq!((placed.ordered_by.as_str(), placed.node), ("terminal", None));
    assert_eq!(
        (placed.selected, placed.selected_total),
        (vec![RootPath::root()], Some(1))
    );
    scene.begin().await.unwrap();
    assert!(scene.detail().await.node.is_some());
    let paths: Vec<_> = (0..2000)
        .map(|n| RootPath::new(format!("folder/file {n}")).unwrap())
        .collect();
    let (detail, _) = scene.place_long(&paths).await;
    assert_eq!(
        (detail.selected, detail.selected_total),
        (paths[..100].to_vec(), Some(2000))
    );
    scene.server.stop().await;
}

#[tokio::test]
async fn of_a_long_story_the_end_is_kept() {
    let mut scene = Scene::running().await;
    for _ in 0..101 {
        for act in [Act::Pause, Act::Resume] {
            assert_eq!(scene.steer(act).await, StatusCode::NO_CONTENT);
        }
    }
    scene.end(TransferState::Done, HALF).await;
    let story = scene.story().await;
    assert_eq!(story.len(), 200);
    assert_eq!(story.last(), Some(&(TransferState::Done, Hold::None)));
    scene.server.stop().await;
}

#[tokio::test]
async fn two_terminals_that_resume_at_once_start_one_run() {
    let mut scene = Scene::running().await;
    let other = scene.ann.on_another_device().await;
    for _ in 0..5 {
        assert_eq!(scene.steer(Act::Pause).await, StatusCode::NO_CONTENT);
        assert_eq!(scene.told().await, Told::Act(Act::Pause));
        let both = tokio::join!(
            scene.steer(Act::Resume),
            super::steer::steer(&other, scene.id, Act::Resume)
        );
        assert_eq!(both, (StatusCode::NO_CONTENT, StatusCode::NO_CONTENT));
        assert_eq!(scene.told().await, Told::Order);
    }
    scene.steer(Act::Cancel).await;
    assert_eq!(
        scene.told().await,
        Told::Act(Act::Cancel),
        "no other order came in between"
    );
    let resumed = scene.story().await.into_iter().filter(|row| *row == RUNS);
    assert_eq!(resumed.count(), 6);
    scene.server.stop().await;
}

#[tokio::test]
async fn a_machine_s_question_is_kept_until_somebody_says_yes() {
    let mut scene = Scene::running().await;
    scene.say(Hold::Question, HALF).await;
    scene.controller.transfer(|row| row.hold == Hold::Question).await;
    scene.while_away(&[]).await;
    assert_eq!(
        scene.view().await.hold,
        Hold::Question,
        "it waits for a person, not for its machine"
    );
    assert_eq!(scene.told().await, Told::Order);
    for _ in 0..2 {
        assert_eq!(scene.steer(Act::Resume).await, StatusCode::NO_CONTENT);
    }
    assert_eq!(
        scene.told().await,
        Told::Act(Act::Resume),
        "the answer comes before the order"
    );
    assert_eq!(scene.told().await, Told::Order);
    assert_eq!(scene.view().await.hold, Hold::None);
    scene.steer(Act::Pause).await;
    assert_eq!(scene.told().await, Told::Act(Act::Pause), "it was answered once");
    scene.steer(Act::Resume).await;
    assert_eq!(scene.told().await, Told::Order, "a pause asks nothing");
    scene.server.stop().await;
}

#[tokio::test]
async fn an_order_for_a_machine_that_is_away_waits_can_be_withdrawn_and_else_lapses_with_the_reason() {
    let mut scene = Scene::placed().await;
    scene.end(TransferState::Done, Progress::default()).await;
    let [waiting, withdrawn] = [(); 2].map(|()| order(&scene.ann, scene.device.id(), everything()));
    let ids = [&waiting, &withdrawn].map(|order| order.order.peek().unwrap().id);
    scene.go_away().await;
    for order in [&waiting, &withdrawn] {
        let Ok(Reply::Transfer(placed)) = place(&mut scene.controller, order).await else {
            panic!("placed")
        };
        assert_eq!((placed.state, placed.hold), (TransferState::Queued, Hold::Away));
    }
    let cancelled = super::steer::steer(&scene.ann, ids[1], Act::Cancel).await;
    assert_eq!(cancelled, StatusCode::NO_CONTENT);
    let beside = scene.server.beside().await;
    beside
        .meta()
        .run("UPDATE transfer SET expires = 1 WHERE state = 'queued'")
        .await;
    expire(&beside).await.unwrap();
    let detail: TransferDetail = scene.ann.read(&format!("/api/transfers/{}", ids[0])).await;
    assert_eq!(detail.transfer.state, TransferState::Failed);
    let why = detail.transfer.error.unwrap();
    assert!(
        why.starts_with("the order has expired while its machine was away"),
        "{why}"
    );
    scene.come_back().await;
    assert_eq!(
        scene
            .machine
            .until(|frame| Some(frame).filter(|frame| !matches!(frame, FromServer::Limits(_))))
            .await,
        FromServer::Steer {
            transfer: ids[1],
            act: Act::Cancel
        },
        "what lapsed is not pushed"
    );
    scene.server.stop().await;
}

//! A transfer's story: how it came to stand as it does, what was selected, why it waited or lapsed.

use beckon_shared::{
    api::transfer::{Act, TransferDetail},
    id::Hash,
    order::Selection,
    path::RootPath,
    transfer::{Hold, Progress, TransferState},
    wire::{FromServer, Reply},
};
use reqwest::{Method, StatusCode};

use super::{
    steer::{HALF, Scene, Told},
    transfer::{everything, order, place},
};
use crate::order::expire;

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
    let (selection, bytes) = Selection::of(paths.clone());
    let bytes = bytes.unwrap();
    let path = format!("/api/selections/{}", Hash::of(&bytes));
    let put = scene.ann.request(Method::PUT, &path).body(bytes).send().await.unwrap();
    assert_eq!(put.status(), StatusCode::NO_CONTENT);
    let long = order(&scene.ann, scene.device.id(), selection);
    let Ok(Reply::Transfer(long)) = place(&mut scene.controller, &long).await else {
        panic!("placed")
    };
    let detail: TransferDetail = scene.ann.read(&format!("/api/transfers/{}", long.id)).await;
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

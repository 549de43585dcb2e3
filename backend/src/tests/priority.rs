//! Which of a machine's transfers goes first, as terminals say it.

use beckon_shared::{
    api::transfer::{Act, Prioritise},
    id::TransferId,
    transfer::{Hold, Priority, Progress, TransferState},
    wire::FromServer,
};
use reqwest::StatusCode;

use super::{
    steer::{HALF, Scene, Told},
    transfer::{everything, order, place},
};

impl Scene {
    async fn prioritise(&self, id: TransferId, priority: Priority) -> StatusCode {
        let path = format!("/api/transfers/{id}/priority");
        self.ann.post(&path, &Prioritise { priority }).await.status()
    }

    /// The next order that the machine is told, with the priority told just before.
    async fn next_order(&mut self) -> (TransferId, Priority) {
        let mut told = None;
        self.machine
            .until(|frame| match frame {
                FromServer::Priority { transfer, priority } => {
                    told = Some((transfer, priority));
                    None
                }
                FromServer::Order(pushed) => {
                    let id = pushed.order.peek().unwrap().id;
                    Some(
                        told.take()
                            .filter(|(transfer, _)| *transfer == id)
                            .expect("told before"),
                    )
                }
                _ => None,
            })
            .await
    }
}

#[tokio::test]
async fn a_priority_is_told_to_the_machine_and_to_every_terminal() {
    let mut scene = Scene::running().await;
    let before = scene.view().await;
    assert_eq!(before.priority, Priority::Normal);
    for _ in 0..2 {
        assert_eq!(scene.prioritise(scene.id, Priority::High).await, StatusCode::NO_CONTENT);
    }
    assert_eq!(scene.next_order().await, (scene.id, Priority::High));
    let seen = scene.controller.transfer(|row| row.priority == Priority::High).await;
    assert!(seen.revision > before.revision && seen.state == TransferState::Running);
    scene.say(Hold::None, HALF).await;
    let moved = scene.controller.transfer(|row| row.progress == HALF).await;
    assert_eq!(moved.priority, Priority::High, "moving on does not change it");
    scene.end(TransferState::Done, HALF).await;
    assert_eq!(scene.prioritise(scene.id, Priority::Low).await, StatusCode::CONFLICT);
    assert_eq!(scene.view().await.priority, Priority::High);
    let stranger = TransferId::new(super::person::now(), [1; 10]);
    assert_eq!(scene.prioritise(stranger, Priority::Low).await, StatusCode::NOT_FOUND);
    scene.server.stop().await;
}

#[tokio::test]
async fn a_machine_that_comes_hears_first_of_what_is_to_be_done_first() {
    let mut scene = Scene::placed().await;
    let (second, third) = (
        order(&scene.ann, scene.device.id(), everything()),
        order(&scene.ann, scene.device.id(), everything()),
    );
    let [second_id, third_id] = [&second, &third].map(|order| order.order.peek().unwrap().id);
    for order in [&second, &third] {
        place(&mut scene.controller, order).await.unwrap();
    }
    scene.while_away(&[]).await;
    for expected in [scene.id, second_id, third_id] {
        assert_eq!(scene.next_order().await, (expected, Priority::Normal));
    }
    scene.prioritise(scene.id, Priority::Low).await;
    scene.prioritise(third_id, Priority::High).await;
    scene.while_away(&[]).await;
    let told = [
        scene.next_order().await,
        scene.next_order().await,
        scene.next_order().await,
    ];
    assert_eq!(
        told,
        [
            (third_id, Priority::High),
            (second_id, Priority::Normal),
            (scene.id, Priority::Low)
        ]
    );
    scene.server.stop().await;
}

#[tokio::test]
async fn a_priority_that_was_set_while_a_transfer_was_paused_comes_with_its_order() {
    let mut scene = Scene::running().await;
    scene.steer(Act::Pause).await;
    assert_eq!(scene.told().await, Told::Act(Act::Pause));
    assert_eq!(scene.prioritise(scene.id, Priority::Low).await, StatusCode::NO_CONTENT);
    assert_eq!(scene.told().await, Told::Act(Act::Pause), "it stays paused");
    scene.steer(Act::Resume).await;
    assert_eq!(scene.next_order().await, (scene.id, Priority::Low));
    scene.end(TransferState::Failed, Progress::default()).await;
    scene.steer(Act::Retry).await;
    assert_eq!(scene.next_order().await, (scene.id, Priority::Low), "a retry keeps it");
    scene.server.stop().await;
}

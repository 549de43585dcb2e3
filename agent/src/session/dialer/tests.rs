//! What a dialer does with what is learnt of its machine.

use super::*;
use crate::{agent::tests::Scene, origin::Origin};

fn dialer(scene: &Scene, standing: &Arc<watch::Sender<Standing>>) -> Dialer {
    Dialer {
        server: Server::new(Origin::parse("https://drive.example").unwrap(), None).unwrap(),
        identity: Arc::new(scene.controller()),
        name: Label::new("desk").unwrap(),
        standing: Arc::clone(standing),
        learn: Box::new(|_| Ok(())),
        machine: scene.view(),
        seen_at: String::new(),
        is_last_resort: false,
        control: tokio::sync::Mutex::default(),
    }
}

#[tokio::test]
async fn a_session_ends_when_whoever_asks_learns_that_the_machine_was_revoked_and_none_is_opened_after() {
    let scene = Scene::alone();
    let standing = Arc::new(watch::Sender::new(Standing::default()));
    let dialer = dialer(&scene, &standing);
    let (session, _served) = scene.open().await;
    let (session, _) = dialer.take(session, Route::Relay).unwrap();
    let news = scene.revocation(&Standing::default(), dialer.machine.id);
    standing.send_if_modified(|standing| standing.accept(&news, &dialer.identity.account_key).is_ok());
    let ended = tokio::time::timeout(Duration::from_secs(20), session.ended());
    ended.await.expect("the session goes on");
    for way in [Way::Relay, Way::Direct] {
        let refused = dialer.dial(way).await.err().unwrap();
        assert_eq!(refused.code, ErrorCode::Revoked);
    }
}

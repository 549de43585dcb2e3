//! Frames that no honest server sends: each ends its own connection, and the machine comes back.

use beckon_shared::{
    session::{HANDSHAKE_MAX, RECORD_MAX},
    wire::{self, FRAME_MAX, FromServer},
};
use tokio_tungstenite::tungstenite::Message;

use super::{
    scene::{SECRET, Scene},
    session::Session,
};

#[test]
fn a_frame_that_is_oversize_or_malformed_ends_its_connection_only() {
    let scene = Scene::new();
    let order = scene.owner.sign(&scene.order(&scene.owner, SECRET));
    let order = wire::encode(&FromServer::Order(Box::new(order)));
    let mut leftover = order.clone();
    leftover.push(0);
    let mut padded = order.clone();
    padded.resize(FRAME_MAX + 1, 0);
    for message in [
        Message::Binary(leftover.into()),
        Message::Binary(padded.into()),
        Message::Binary(vec![0xff; 1 << 20].into()),
        Message::Binary(vec![200].into()),
        Message::Binary(order[..order.len() - 1].to_vec().into()),
        Message::Text("{}".into()),
    ] {
        let auths = scene.server.seen(|seen| seen.auths.len());
        scene.server.push_raw(message);
        scene.server.wait_for("the machine comes back", |seen| {
            (seen.auths.len() > auths).then_some(())
        });
    }
    scene.assert_untouched();
}

#[test]
fn an_oversize_message_at_the_relay_ends_its_session_only() {
    let scene = Scene::new();
    for first in [
        vec![1; HANDSHAKE_MAX + 1],
        vec![1; RECORD_MAX + 1],
        vec![1; 4 << 20],
        Vec::new(),
        vec![1],
    ] {
        let mut line = scene.server.dial_machine();
        line.send(first);
        line.assert_mute();
    }
    let mut session = Session::open(&scene, &scene.owner);
    session.line.send(vec![0; RECORD_MAX + 1]);
    session.assert_over();
    scene.assert_untouched();
}

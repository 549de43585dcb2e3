//! What an honest and a dishonest server say at the end of a connection.

use beckon_shared::wire::ToServer;

use super::*;
use crate::{
    agent::tests::Scene,
    connection::tests::{FakeServer, FakeSocket},
};

fn called_revoked() -> FromServer {
    FromServer::GoAway {
        reason: Refusal::new(ErrorCode::Revoked, "this device was revoked"),
        back_in_ms: None,
    }
}

/// Serves one connection, in which the server says this.
async fn serve(scene: &Scene, fake: &FakeServer, frames: &[FromServer]) -> Cause {
    let (connecting, socket) = (
        Connection::open(&scene.agent.server, &scene.agent.identity, scene.agent.hello()),
        fake.admit(&scene.family.account),
    );
    let (opened, mut socket) = tokio::join!(connecting, socket);
    let (connection, welcome, events) = opened.unwrap();
    for frame in frames {
        socket.send(frame).await;
    }
    let (pushed, _queue) = mpsc::channel(1);
    let met = (welcome, scene.agent.hello());
    serve_connection(&scene.agent, &LinkEnd::new().0, &pushed, connection, met, events).await
}

/// Challenges a device, and then says this in place of a welcome.
async fn refuse(fake: &FakeServer, frames: &[FromServer]) -> FakeSocket {
    let mut socket = fake.accept().await;
    socket.send(&FromServer::Challenge { nonce: [5; 32] }).await;
    let ToServer::Auth(_) = socket.next().await else {
        panic!("no proof")
    };
    for frame in frames {
        socket.send(frame).await;
    }
    socket
}

#[tokio::test]
async fn the_servers_word_alone_does_not_end_a_machine() {
    let (fake, server) = FakeServer::start().await;
    let scene = Scene::at(server);
    assert_eq!(serve(&scene, &fake, &[called_revoked()]).await, Cause::CalledRevoked);
    let foreign = Scene::alone().family.order(clock::now());
    let mut forged = scene.revocation_of(foreign.signer);
    forged.bytes = scene.revocation_of(scene.agent.device()).bytes;
    let lies = [FromServer::Statement(Box::new(forged)), called_revoked()];
    assert_eq!(serve(&scene, &fake, &lies).await, Cause::CalledRevoked);
    let connecting = Connection::open(&scene.agent.server, &scene.agent.identity, scene.agent.hello());
    let (opened, _socket) = tokio::join!(connecting, refuse(&fake, &lies));
    assert_eq!(not_connected(&scene.agent, opened.unwrap_err()), Cause::CalledRevoked);
    assert!(!scene.agent.is_revoked());
}

#[tokio::test]
async fn the_accounts_statement_ends_it_in_a_connection_and_in_place_of_one() {
    for is_welcome in [true, false] {
        let (fake, server) = FakeServer::start().await;
        let scene = Scene::at(server);
        let statement = FromServer::Statement(Box::new(scene.revocation_of(scene.agent.device())));
        let said = [statement, called_revoked()];
        let play = async {
            if !is_welcome {
                return refuse(&fake, &said).await;
            }
            let mut socket = fake.admit(&scene.family.account).await;
            for frame in &said {
                socket.send(frame).await;
            }
            socket
        };
        let (link, on_online) = (LinkEnd::new().0, |_: &Label, _: &DeviceId| {});
        let (ended, _socket) = tokio::join!(stay_connected(&scene.agent, &link, &on_online), play);
        assert_eq!(ended.unwrap_err().code, ErrorCode::Revoked, "{is_welcome}");
    }
}

#[tokio::test]
async fn a_server_that_restarts_says_when_to_come_back() {
    let (fake, server) = FakeServer::start().await;
    let scene = Scene::at(server);
    let restarting = FromServer::GoAway {
        reason: Refusal::new(ErrorCode::GoingAway, "restarting"),
        back_in_ms: Some(1500),
    };
    assert_eq!(
        serve(&scene, &fake, &[restarting]).await,
        Cause::Told(Duration::from_millis(1500))
    );
}

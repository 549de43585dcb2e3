//! Control sockets: proofs, frames that are not, presence, revocation, the server's end.

use beckon_shared::{
    certificate::{Chain, DeviceCertificate},
    device::DeviceKind,
    error::{ErrorCode, Refusal},
    statement::Standing,
    wire::{FRAME_MAX, FromServer, Place, ToServer},
};
use reqwest::StatusCode;
use tokio_tungstenite::tungstenite;

use super::{
    client::{Control, dial},
    person::Person,
    server::TestServer,
};
use crate::clock::{Clock, SystemClock};

#[tokio::test]
async fn an_unknown_sub_protocol_is_refused_with_what_the_server_speaks() {
    let server = TestServer::start().await;
    let Err(tungstenite::Error::Http(response)) = dial(&server.url, "/socket", "beckon.control.v9").await else {
        panic!("refused")
    };
    assert_eq!(response.status().as_u16(), 426);
    let refusal: Refusal = serde_json::from_slice(response.body().as_ref().unwrap()).unwrap();
    assert!(refusal.code == ErrorCode::BadVersion && refusal.message.contains("beckon.control.v1"));
    server.stop().await;
}

#[tokio::test]
async fn a_proof_is_worth_nothing_on_another_socket() {
    let server = TestServer::start().await;
    let ann = Person::sign_up(&server).await;
    let (_first, nonce) = Control::challenged(&server.url).await;
    let proof = Control::proof(&server.url, &ann.device, nonce);
    let (mut second, _) = Control::challenged(&server.url).await;
    second.send(&ToServer::Auth(Box::new(proof))).await;
    assert_eq!(second.end().await, (Some((ErrorCode::NotSignedIn, None)), Some(1008)));
    server.stop().await;
}

#[tokio::test]
async fn a_machine_that_says_it_is_a_terminal_is_refused() {
    let server = TestServer::start().await;
    let ann = Person::sign_up(&server).await;
    let mut machine = ann.add_machine("laptop").await;
    let genuine = machine
        .chain
        .verify(&ann.account.public(), None, SystemClock.now(), &Standing::default());
    let terminal = DeviceCertificate {
        kind: DeviceKind::Cli,
        ..genuine.unwrap()
    };
    machine.chain = Chain::by_account(&terminal, &ann.account);
    machine.kind = DeviceKind::Cli;
    let (mut socket, nonce) = Control::challenged(&server.url).await;
    let proof = Control::proof(&server.url, &machine, nonce);
    socket.send(&ToServer::Auth(Box::new(proof))).await;
    assert_eq!(socket.end().await, (Some((ErrorCode::NotSignedIn, None)), Some(1008)));
    server.stop().await;
}

#[tokio::test]
async fn a_proof_for_another_server_is_worth_nothing_here() {
    let server = TestServer::start().await;
    let ann = Person::sign_up(&server).await;
    let (mut socket, nonce) = Control::challenged(&server.url).await;
    let proof = Control::proof("https://elsewhere.example", &ann.device, nonce);
    socket.send(&ToServer::Auth(Box::new(proof))).await;
    assert_eq!(socket.end().await.1, Some(1008));
    server.stop().await;
}

#[tokio::test]
async fn a_bad_frame_ends_its_own_socket_and_nobody_else_notices() {
    let server = TestServer::start().await;
    let ann = Person::sign_up(&server).await;
    let machine = ann.add_machine("laptop").await;
    let (mut witness, _) = Control::open(&server.url, &ann.device).await;
    let (mut large, _) = Control::open(&server.url, &machine).await;
    large.send_bytes(vec![0; FRAME_MAX + 1]).await;
    assert_eq!(large.end().await, (Some((ErrorCode::TooLarge, None)), Some(1009)));
    let (mut malformed, _) = Control::open(&server.url, &machine).await;
    malformed.send_bytes(vec![0xff; 40]).await;
    assert_eq!(malformed.end().await, (Some((ErrorCode::BadRequest, None)), Some(1002)));
    let answer = witness
        .ask(beckon_shared::wire::Request::OpenSession { device: machine.id() })
        .await;
    assert_eq!(answer.unwrap_err().code, ErrorCode::Away);
    server.stop().await;
}

#[tokio::test]
async fn a_controller_gets_a_snapshot_and_then_sees_machines_come_and_go() {
    let server = TestServer::start().await;
    let ann = Person::sign_up(&server).await;
    let machine = ann.add_machine("laptop").await;
    let (mut controller, welcome) = Control::open(&server.url, &ann.device).await;
    assert_eq!((welcome.account, welcome.space), (ann.id(), ann.space()));
    let snapshot = controller.until(|frame| match frame {
        FromServer::Devices(part) if part.place == Place::Whole => Some(part.rows),
        _ => None,
    });
    assert_eq!(
        snapshot
            .await
            .iter()
            .map(|row| (row.name.as_str().to_owned(), row.online))
            .collect::<Vec<_>>(),
        [("terminal".into(), true), ("laptop".into(), false)]
    );
    let (socket, _) = Control::open(&server.url, &machine).await;
    let online = |wanted: bool| {
        move |frame| match frame {
            FromServer::Devices(part) => part
                .rows
                .into_iter()
                .find(|row| row.kind == beckon_shared::device::DeviceKind::Agent && row.online == wanted),
            _ => None,
        }
    };
    let row = controller.until(online(true)).await;
    assert_eq!(
        (row.roots.len(), row.address.as_str(), row.version.as_str()),
        (1, "127.0.0.1", "1")
    );
    drop(socket);
    controller.until(online(false)).await;
    let visits: Vec<beckon_shared::api::device::VisitView> =
        ann.read(&format!("/api/devices/{}/visits", machine.id())).await;
    assert!(visits.len() == 1 && visits[0].ended.is_some() && visits[0].port > 0);
    server.stop().await;
}

#[tokio::test]
async fn a_revoked_device_is_cut_off_and_stays_out() {
    let server = TestServer::start().await;
    let ann = Person::sign_up(&server).await;
    let lost = ann.on_another_device().await;
    let (socket, _) = Control::open(&server.url, &lost.device).await;
    assert_eq!(ann.revoke(lost.device.id(), 1).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(socket.end_after_statement().await, (1, ErrorCode::Revoked));
    assert_eq!(lost.get("/api/devices").await.status(), StatusCode::UNAUTHORIZED);
    let (mut again, nonce) = Control::challenged(&server.url).await;
    again
        .send(&ToServer::Auth(Box::new(Control::proof(
            &server.url,
            &lost.device,
            nonce,
        ))))
        .await;
    assert_eq!(again.end_after_statement().await, (1, ErrorCode::Revoked));
    // The same number again, and one that forgets who was revoked.
    assert_eq!(ann.revoke(lost.device.id(), 1).await.status(), StatusCode::CONFLICT);
    assert_eq!(ann.revoke(ann.device.id(), 2).await.status(), StatusCode::CONFLICT);
    server.stop().await;
}

#[tokio::test]
async fn a_server_that_stops_tells_devices_when_to_come_back() {
    let server = TestServer::start().await;
    let ann = Person::sign_up(&server).await;
    let (socket, _) = Control::open(&server.url, &ann.device).await;
    let (end, ()) = tokio::join!(socket.end(), server.stop());
    let (said, code) = end;
    assert!(matches!(said, Some((ErrorCode::GoingAway, Some(1000..)))), "{said:?}");
    assert_eq!(code, Some(1001));
}

//! Signing up, signing in, passwords, sessions.

use beckon_shared::{
    api::{
        Bytes,
        account::{Prove, Proved, SignInFinish, SignInName, SignInStart, SignInView},
    },
    error::{ErrorCode, Refusal},
    keys::AccountKey,
};
use reqwest::{Method, StatusCode};

use super::{
    client::Control,
    person::{Device, Person, post},
    server::TestServer,
};

#[tokio::test]
async fn a_wrong_password_and_an_unknown_name_look_the_same() {
    let server = TestServer::start().await;
    let ann = Person::sign_up(&server).await;
    let wrong = ann.prove([1; 32]).await;
    let unknown = post(
        &server.url,
        "/api/sign-in",
        &Prove {
            name: "bob".into(),
            auth: Bytes([1; 32]),
        },
    )
    .await;
    assert_eq!(
        (wrong.status(), unknown.status()),
        (StatusCode::UNAUTHORIZED, StatusCode::UNAUTHORIZED)
    );
    assert_eq!(wrong.bytes().await.unwrap(), unknown.bytes().await.unwrap());
    let start = |name: &'static str| async {
        let response = post(&server.url, "/api/sign-in/start", &SignInName { name: name.into() }).await;
        response.json::<SignInStart>().await.unwrap()
    };
    assert_eq!(start("bob").await.salt, start("Bob").await.salt);
    assert_ne!(start("bob").await.salt, start("eve").await.salt);
    assert_eq!(start("ANN").await.salt, Bytes([5; 16]));
    server.stop().await;
}

#[tokio::test]
async fn the_set_up_code_counts_once() {
    let server = TestServer::start().await;
    let ann = Person::sign_up(&server).await;
    assert!(ann.signed_in.admin);
    // Again with the right code, then with a wrong one.
    let body = |code: &str| {
        serde_json::json!({
            "setup_code": code, "name": "Bob", "account_key": "", "password": {}, "recovery_auth": "", "recovery_wrapped": "", "device": {}
        })
    };
    assert_eq!(
        post(&server.url, "/api/sign-up", &body("x")).await.status(),
        StatusCode::BAD_REQUEST
    );
    server.stop().await;
}

#[tokio::test]
async fn a_new_password_ends_all_other_sessions() {
    let server = TestServer::start().await;
    let ann = Person::sign_up(&server).await;
    let other = ann.on_another_device().await;
    assert_eq!(other.signed_in.device_name, "terminal (2)");
    let (socket, _) = Control::open(&server.url, &other.device).await;
    let stranger = AccountKey::from_bytes(&[3; 32]);
    assert_eq!(
        ann.change_password([4; 32], &stranger).await.status(),
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        ann.change_password([4; 32], &ann.account).await.status(),
        StatusCode::NO_CONTENT
    );
    assert_eq!(socket.end().await, (Some((ErrorCode::NotSignedIn, None)), Some(1008)));
    assert_eq!(other.get("/api/sessions").await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(ann.prove(ann.secret).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(ann.prove([4; 32]).await.status(), StatusCode::OK);
    let sessions: Vec<SignInView> = ann.read("/api/sessions").await;
    assert!(sessions.len() == 1 && sessions[0].current);
    server.stop().await;
}

#[tokio::test]
async fn ending_a_session_ends_its_devices_sockets_until_it_signs_in_again() {
    let server = TestServer::start().await;
    let ann = Person::sign_up(&server).await;
    let other = ann.on_another_device().await;
    let (socket, _) = Control::open(&server.url, &other.device).await;
    let path = format!("/api/sessions/{}", other.signed_in.session);
    assert_eq!(
        ann.request(Method::DELETE, &path).send().await.unwrap().status(),
        StatusCode::NO_CONTENT
    );
    assert_eq!(socket.end().await.1, Some(1008));
    let (mut again, nonce) = Control::challenged(&server.url).await;
    let proof = Control::proof(&server.url, &other.device, nonce);
    again.send(&beckon_shared::wire::ToServer::Auth(Box::new(proof))).await;
    assert_eq!(again.end().await.0, Some((ErrorCode::NotSignedIn, None)));
    server.stop().await;
}

#[tokio::test]
async fn what_is_not_ones_own_is_plainly_not_there() {
    let server = TestServer::start().await;
    let ann = Person::sign_up(&server).await;
    let uuid = "01a203e4-646c-76a7-9c7c-a6ac00dd03ca";
    let hash = "ab".repeat(32);
    for path in [
        format!("/api/transfers/{uuid}"),
        format!("/api/transfers/{uuid}/problems"),
        format!("/api/devices/{hash}/visits"),
    ] {
        let response = ann.get(&path).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        assert_eq!(response.json::<Refusal>().await.unwrap().code, ErrorCode::NotFound);
    }
    let ended = ann
        .request(Method::DELETE, &format!("/api/sessions/{uuid}"))
        .send()
        .await
        .unwrap();
    assert_eq!(ended.status(), StatusCode::NOT_FOUND);
    server.stop().await;
}

#[tokio::test]
async fn a_new_password_ends_what_the_old_one_was_proved_for() {
    let server = TestServer::start().await;
    let ann = Person::sign_up(&server).await;
    let proved: Proved = ann.prove(ann.secret).await.json().await.unwrap();
    assert_eq!(
        ann.change_password([4; 32], &ann.account).await.status(),
        StatusCode::NO_CONTENT
    );
    let body = SignInFinish {
        ticket: proved.ticket,
        device: Device::certified(&ann.account).new_device("late"),
    };
    let late = post(&server.url, "/api/sign-in/finish", &body).await;
    assert_eq!(late.status(), StatusCode::UNAUTHORIZED);
    server.stop().await;
}

#[tokio::test]
async fn a_request_that_only_reads_does_not_wait_for_the_database_to_be_written() {
    let server = TestServer::start().await;
    let ann = Person::sign_up(&server).await;
    let app = server.beside().await;
    app.meta().run("UPDATE session SET used = 0").await;
    let writing = app.meta().write().await.unwrap();
    let read = tokio::time::timeout(std::time::Duration::from_secs(5), ann.get("/api/sessions")).await;
    assert_eq!(read.expect("an answer within 5 s").status(), StatusCode::OK);
    drop(writing);
    server.stop().await;
}

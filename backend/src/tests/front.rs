//! Headers, origins and limits that hold for every request.

use beckon_shared::{
    api::{Bytes, account::Prove, server::Status},
    error::{ErrorCode, Refusal},
};
use reqwest::{Method, StatusCode};

use super::{
    person::{Person, bare, post, request},
    server::TestServer,
};

#[tokio::test]
async fn a_change_needs_the_custom_header_and_the_own_origin() {
    let server = TestServer::start().await;
    let ann = Person::sign_up(&server).await;
    let url = format!("{}/api/sign-out", server.url);
    let with_cookie = || bare(Method::POST, &url).header("cookie", &ann.cookie);
    for refused in [
        with_cookie().header("origin", &server.url),
        with_cookie().header("x-beckon", "1"),
        with_cookie().header("x-beckon", "1").header("origin", "http://evil.example"),
        with_cookie().header("x-beckon", "1").header("origin", "null"),
    ] {
        assert_eq!(refused.send().await.unwrap().status(), StatusCode::FORBIDDEN);
    }
    let allowed = with_cookie().header("x-beckon", "1").header("origin", &server.url).send().await.unwrap();
    assert_eq!(allowed.status(), StatusCode::NO_CONTENT);
    assert_eq!(ann.get("/api/sessions").await.status(), StatusCode::UNAUTHORIZED);
    server.stop().await;
}

#[tokio::test]
async fn every_answer_carries_the_security_headers_and_every_error_is_a_refusal() {
    let server = TestServer::start().await;
    for path in ["/", "/api/status", "/nowhere", "/api/sessions", "/api/transfers/no-id", "/bulk/x/have"] {
        let response = request(&server.url, Method::GET, path).send().await.unwrap();
        let headers = response.headers().clone();
        assert!(headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"), "{path}");
        assert_eq!((&headers["x-content-type-options"], &headers["referrer-policy"]), (&"nosniff".parse().unwrap(), &"no-referrer".parse().unwrap()));
        if response.status().is_client_error() {
            let refusal: Refusal = response.json().await.unwrap();
            assert!(!refusal.message.is_empty(), "{path}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn with_a_public_url_another_host_is_not_answered() {
    let server = TestServer::with(&["--public-url", "https://beckon.example"]).await;
    let ask = |host: &'static str| bare(Method::GET, &format!("{}/api/status", server.url)).header("host", host).send();
    assert_eq!(ask("rebound.example").await.unwrap().status(), StatusCode::BAD_REQUEST);
    let known = ask("beckon.example").await.unwrap();
    assert!(known.headers().contains_key("strict-transport-security"));
    assert!(known.json::<Status>().await.is_ok());
    server.stop().await;
}

#[tokio::test]
async fn guessing_a_password_is_slowed_down() {
    let server = TestServer::start().await;
    let guess = Prove { name: "Ann".into(), auth: Bytes([1; 32]) };
    for _ in 0..20 {
        assert_eq!(post(&server.url, "/api/sign-in", &guess).await.status(), StatusCode::UNAUTHORIZED);
    }
    // Attempts come back by and by, so a slow machine gets a few more.
    let refused = loop {
        let next = post(&server.url, "/api/sign-in", &guess).await;
        if next.status() != StatusCode::UNAUTHORIZED {
            break next;
        }
    };
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.headers()["retry-after"].to_str().unwrap().parse::<u64>().unwrap() > 0);
    assert_eq!(refused.json::<Refusal>().await.unwrap().code, ErrorCode::TooMany);
    server.stop().await;
}

#[tokio::test]
async fn a_second_server_on_the_same_data_is_refused() {
    let data = tempfile::tempdir().unwrap();
    let path = data.path().display().to_string();
    let config = || crate::config::Cli::load(["beckon-server", "--data", &path, "--listen", "127.0.0.1:0"]).unwrap().config;
    let stop = tokio_util::sync::CancellationToken::new();
    let (lines, mut told) = tokio::sync::mpsc::unbounded_channel();
    let first = tokio::spawn(crate::run(config(), move |line| lines.send(line).unwrap(), stop.clone().cancelled_owned()));
    told.recv().await.unwrap();
    let second = crate::run(config(), |_| {}, std::future::ready(())).await;
    assert!(second.unwrap_err().to_string().contains("another beckon-server"));
    stop.cancel();
    first.await.unwrap().unwrap();
}

#[test]
fn the_description_names_every_resource() {
    let document = crate::openapi();
    for path in ["/api/sign-up", "/api/devices/{id}/visits", "/api/join/{lookup}", "/api/transfers/{id}/problems", "/api/drive/list"] {
        assert!(document.contains(&format!("\"{path}\"")), "{path}");
    }
}

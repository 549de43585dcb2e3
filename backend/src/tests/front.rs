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
        with_cookie()
            .header("x-beckon", "1")
            .header("origin", "http://evil.example"),
        with_cookie().header("x-beckon", "1").header("origin", "null"),
    ] {
        assert_eq!(refused.send().await.unwrap().status(), StatusCode::FORBIDDEN);
    }
    let allowed = with_cookie()
        .header("x-beckon", "1")
        .header("origin", &server.url)
        .send()
        .await
        .unwrap();
    assert_eq!(allowed.status(), StatusCode::NO_CONTENT);
    assert_eq!(ann.get("/api/sessions").await.status(), StatusCode::UNAUTHORIZED);
    server.stop().await;
}

#[tokio::test]
async fn every_answer_carries_the_security_headers_and_every_error_is_a_refusal() {
    let server = TestServer::start().await;
    for path in [
        "/",
        "/api/status",
        "/api/nowhere",
        "/api/sessions",
        "/api/transfers/no-id",
        "/bulk/x/have",
    ] {
        let response = request(&server.url, Method::GET, path).send().await.unwrap();
        let headers = response.headers().clone();
        assert!(
            headers["content-security-policy"]
                .to_str()
                .unwrap()
                .starts_with("default-src 'none'"),
            "{path}"
        );
        assert_eq!(
            (&headers["x-content-type-options"], &headers["referrer-policy"]),
            (&"nosniff".parse().unwrap(), &"no-referrer".parse().unwrap())
        );
        if response.status().is_client_error() {
            let refusal: Refusal = response.json().await.unwrap();
            assert!(!refusal.message.is_empty(), "{path}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn the_policy_for_openers_goes_only_where_browsers_heed_it() {
    let server = TestServer::with(&["--public-url", "https://beckon.example"]).await;
    let beside = TestServer::start().await;
    let own = server.url.trim_start_matches("http://");
    for (url, host, is_told) in [
        (&server.url, "beckon.example", true),
        (&server.url, own, true),
        (&beside.url, "localhost", true),
        (&beside.url, "[::1]:8440", true),
        (&beside.url, "192.0.2.1:8440", false),
    ] {
        let request = bare(Method::GET, &format!("{url}/")).header("host", host);
        let answer = request.send().await.unwrap();
        let told = answer.headers().contains_key("cross-origin-opener-policy");
        assert_eq!(told, is_told, "{host}");
    }
    server.stop().await;
    beside.stop().await;
}

#[tokio::test]
async fn with_a_public_url_another_host_is_not_answered() {
    let server = TestServer::with(&["--public-url", "https://beckon.example"]).await;
    let ask = |host: &'static str| {
        bare(Method::GET, &format!("{}/api/status", server.url))
            .header("host", host)
            .send()
    };
    assert_eq!(ask("rebound.example").await.unwrap().status(), StatusCode::BAD_REQUEST);
    let known = ask("beckon.example").await.unwrap();
    assert!(known.headers().contains_key("strict-transport-security"));
    assert!(known.json::<Status>().await.is_ok());
    server.stop().await;
}

#[tokio::test]
async fn without_a_public_url_a_name_that_points_here_is_not_answered() {
    let server = TestServer::start().await;
    let ask = |host: &'static str| {
        bare(Method::GET, &format!("{}/api/status", server.url))
            .header("host", host)
            .send()
    };
    assert_eq!(ask("rebound.example").await.unwrap().status(), StatusCode::BAD_REQUEST);
    assert_eq!(ask("localhost:8440").await.unwrap().status(), StatusCode::OK);
    server.stop().await;
}

#[tokio::test]
async fn who_is_not_signed_in_may_send_little() {
    let server = TestServer::start().await;
    let guess = Prove {
        name: "A".repeat(40_000),
        auth: Bytes([1; 32]),
    };
    for path in [
        "/api/sign-up",
        "/api/sign-in/start",
        "/api/sign-in",
        "/api/recover",
        "/api/sign-in/finish",
        "/api/recover/finish",
    ] {
        assert_eq!(
            post(&server.url, path, &guess).await.status(),
            StatusCode::PAYLOAD_TOO_LARGE,
            "{path}"
        );
    }
    let join = format!("/api/join/{}", "ab".repeat(32));
    assert_eq!(
        post(&server.url, &join, &guess).await.status(),
        StatusCode::PAYLOAD_TOO_LARGE
    );
    server.stop().await;
}

/// Guesses from an address until it is told to wait; how often it was not.
async fn guess_from(server: &TestServer, address: &str) -> usize {
    let mut guessed = 0;
    loop {
        let guess = Prove {
            name: "Ann".into(),
            auth: Bytes([1; 32]),
        };
        let answer = request(&server.url, Method::POST, "/api/sign-in")
            .header("x-forwarded-for", address)
            .json(&guess)
            .send()
            .await
            .unwrap();
        if answer.status() == StatusCode::TOO_MANY_REQUESTS {
            return guessed;
        }
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        guessed += 1;
    }
}

#[tokio::test]
async fn strangers_who_guess_do_not_lock_the_owner_out() {
    let server = TestServer::with(&["--trusted-proxy", "127.0.0.1/32"]).await;
    let ann = Person::sign_up(&server).await;
    assert!(guess_from(&server, "6.6.6.0").await >= 20);
    assert_eq!(
        ann.prove(ann.secret).await.status(),
        StatusCode::OK,
        "from where she is known"
    );
    let mut stranger = 0;
    while guess_from(&server, &format!("6.6.6.{stranger}")).await > 5 || stranger == 0 {
        stranger += 1;
        assert!(stranger < 100, "many strangers together are slowed down too");
    }
    assert_eq!(
        ann.prove(ann.secret).await.status(),
        StatusCode::OK,
        "from where she is known"
    );
    let words = Prove {
        name: "Ann".into(),
        auth: Bytes([9; 32]),
    };
    let recovered = request(&server.url, Method::POST, "/api/recover")
        .header("x-forwarded-for", "7.7.7.7")
        .json(&words)
        .send()
        .await
        .unwrap();
    assert_eq!(
        recovered.status(),
        StatusCode::OK,
        "by the recovery words from anywhere"
    );
    server.stop().await;
}

#[tokio::test]
async fn guessing_a_password_is_slowed_down() {
    let server = TestServer::start().await;
    let guess = Prove {
        name: "Ann".into(),
        auth: Bytes([1; 32]),
    };
    for _ in 0..20 {
        assert_eq!(
            post(&server.url, "/api/sign-in", &guess).await.status(),
            StatusCode::UNAUTHORIZED
        );
    }
    // Attempts come back by and by, so a slow machine gets a few more.
    let refused = loop {
        let next = post(&server.url, "/api/sign-in", &guess).await;
        if next.status() != StatusCode::UNAUTHORIZED {
            break next;
        }
    };
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(
        refused.headers()["retry-after"]
            .to_str()
            .unwrap()
            .parse::<u64>()
            .unwrap()
            > 0
    );
    assert_eq!(refused.json::<Refusal>().await.unwrap().code, ErrorCode::TooMany);
    server.stop().await;
}

#[tokio::test]
async fn a_second_server_on_the_same_data_is_refused() {
    let data = tempfile::tempdir().unwrap();
    let path = data.path().display().to_string();
    let config = || {
        crate::config::Cli::load(["beckon-server", "--data", &path, "--listen", "127.0.0.1:0"])
            .unwrap()
            .config
    };
    let stop = tokio_util::sync::CancellationToken::new();
    let (lines, mut told) = tokio::sync::mpsc::unbounded_channel();
    let first = tokio::spawn(crate::run(
        config(),
        move |line| lines.send(line).unwrap(),
        stop.clone().cancelled_owned(),
    ));
    told.recv().await.unwrap();
    let second = crate::run(config(), |_| {}, std::future::ready(())).await;
    assert!(second.unwrap_err().to_string().contains("another beckon-server"));
    stop.cancel();
    first.await.unwrap().unwrap();
}

#[test]
fn the_description_names_every_resource() {
    let document = crate::openapi();
    for path in [
        "/api/sign-up",
        "/api/devices/{id}/visits",
        "/api/join/{lookup}",
        "/api/transfers/{id}/problems",
        "/api/transfers/{id}/priority",
        "/api/devices/{id}/limits",
        "/api/drive/list",
    ] {
        assert!(document.contains(&format!("\"{path}\"")), "{path}");
    }
}

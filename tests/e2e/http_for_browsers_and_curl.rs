//! The same server for browsers and `curl`: headers, ranges, refusals, TLS.

use std::{fs, net::TcpStream, path::Path, process::Command};

use beckon_tests::{Account, Browser, Cli, Machine, Server, curl, curl::Answer, sample};
use serde_json::{Value, json as object};

use crate::scene::{Desk, SOON, files_below, json, node, rows, run, text};

#[track_caller]
fn assert_hardened(answer: &Answer) {
    assert_eq!(answer.expect_header("x-content-type-options"), "nosniff");
    assert_eq!(answer.expect_header("referrer-policy"), "no-referrer");
    assert!(
        answer
            .expect_header("content-security-policy")
            .contains("default-src 'none'"),
        "{answer:?}"
    );
    assert_eq!(
        answer.header("server"),
        None,
        "the version of the server's parts is nobody's business"
    );
}

#[test]
fn the_web_app_comes_without_inline_scripts_and_says_no_secret() {
    let server = Server::start();
    let page = curl([server.url()]).expect_status(200);
    assert_hardened(&page);
    assert!(page.expect_header("content-type").starts_with("text/html"));
    let html = page.text();
    assert!(html.contains("<title>Beckon</title>"), "{html}");
    assert!(html.matches("<script").count() == html.matches("<script type=\"module\" src=\"/app/").count());
    assert!(!html.contains("<style") && !html.contains(" style=") && !html.contains(&server.set_up_code()));
    let status = || curl([format!("{}/api/status", server.url())]).expect_status(200).json();
    assert_eq!(
        (text(&status(), "name"), &status()["set_up"]),
        ("beckon".into(), &false.into())
    );
    Account::sign_up(&server, "ann");
    assert_eq!(status()["set_up"], true);
    curl([format!("{}/healthz", server.url())]).expect_status(200);
}

#[test]
fn every_answer_is_hardened_also_the_refusals() {
    let desk = Desk::with(|_| {});
    let url = desk.server.url();
    for path in [
        "/",
        "/api/status",
        "/api/sessions",
        "/api/nothing",
        "/nothing",
        "/api/openapi.json",
    ] {
        assert_hardened(&curl([format!("{url}{path}")]));
    }
    let signed_in = desk.browser().get("/api/sessions", &[]).expect_status(200);
    assert_eq!(signed_in.expect_header("cache-control"), "no-store");
    let policy = curl([url]).expect_header("content-security-policy").to_owned();
    for word in ["frame-ancestors 'none'", "base-uri 'none'"] {
        assert!(policy.contains(word), "{policy}");
    }
    assert!(
        !policy.contains("unsafe-inline") && !policy.contains("'unsafe-eval'"),
        "{policy}"
    );
}

#[test]
fn a_session_cookie_cannot_be_read_by_scripts_nor_sent_by_other_sites() {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let log = cookie_of_sign_in(&ann);
    for word in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(log.contains(word), "{log}");
    }
    assert!(
        log.starts_with("beckon_session=") && !log.contains("Secure"),
        "over plain HTTP: {log}"
    );
}

/// The `Set-Cookie` of a sign-in, as a proxy in between sees it.
fn cookie_of_sign_in(ann: &Account) -> String {
    use beckon_shared::{
        api::{
            Packed,
            account::{NewDevice, Prove, Proved, SignInFinish, SignInName, SignInStart},
        },
        certificate::Chain,
        device::{DeviceKind, Platform},
        password,
        path::Label,
    };
    let post = |path: &str, body: Value| {
        let (origin, url) = (format!("origin: {}", ann.url()), format!("{}{path}", ann.url()));
        let headers = [
            "--header",
            "x-beckon: 1",
            "--header",
            &origin,
            "--header",
            "content-type: application/json",
        ];
        curl([&headers[..], &["--data-raw", &body.to_string(), &url]].concat()).expect_status(200)
    };
    let name = ann.name().to_owned();
    let start: SignInStart =
        serde_json::from_value(post("/api/sign-in/start", object!(SignInName { name: name.clone() })).json()).unwrap();
    let typed = fs::read_to_string(ann.password_file()).unwrap();
    let secrets = password::derive(typed.trim(), &start.salt.0, &start.params).unwrap();
    let prove = Prove {
        name,
        auth: beckon_shared::api::Bytes(*secrets.auth.as_bytes()),
    };
    let proved: Proved = serde_json::from_value(post("/api/sign-in", object!(prove)).json()).unwrap();
    let record: Value = serde_json::from_slice(&fs::read(ann.cli().state().join("controller.json")).unwrap()).unwrap();
    let certificate: Packed<Chain> = serde_json::from_value(record["record"]["sign_in"]["chain"].clone()).unwrap();
    let device = NewDevice {
        certificate,
        name: Label::new("browser").unwrap(),
        kind: DeviceKind::Cli,
        os: "a test".into(),
        version: "1".into(),
        platform: Platform::Unix,
    };
    let finish = SignInFinish {
        ticket: proved.ticket,
        device,
    };
    post("/api/sign-in/finish", object!(finish))
        .expect_header("set-cookie")
        .to_owned()
}

#[test]
fn a_change_needs_the_header_and_the_servers_own_origin() {
    let desk = Desk::with(sample::small_tree);
    desk.upload();
    let browser = desk.browser();
    let id = node(&browser, "desk/Documents/notes");
    let body = object!({ "nodes": [id] }).to_string();
    let (own, url) = (format!("origin: {}", desk.server.url()), "/api/drive/delete");
    let post = |headers: &[&str]| {
        let headers: Vec<_> = headers.iter().flat_map(|header| ["--header", header]).collect();
        let json = ["--header", "content-type: application/json", "--data-raw", &body];
        browser.get(url, &[&headers[..], &json].concat()).status
    };
    assert_eq!(post(&[&own]), 403, "without the header");
    assert_eq!(
        post(&["x-beckon: 1", "origin: http://evil.example"]),
        403,
        "from another site"
    );
    assert_eq!(
        post(&["x-beckon: 1", "origin: null"]),
        403,
        "from a page without an origin"
    );
    let another_port = format!("origin: {}0", desk.server.url());
    assert_eq!(post(&["x-beckon: 1", &another_port]), 403, "from another port");
    assert_eq!(
        node(&browser, "desk/Documents/notes"),
        id,
        "it was deleted all the same"
    );
    assert_eq!(post(&["x-beckon: 1", &own]), 204);
    let list = json(desk.cli(), &["drive", "ls", "desk/Documents"]);
    assert!(rows(&list).iter().all(|node| node["name"] != "notes"), "{list}");
}

#[test]
fn who_is_not_signed_in_gets_nothing_of_the_drive() {
    let desk = Desk::with(sample::small_tree);
    desk.upload();
    let id = node(&desk.browser(), "desk/Documents/empty.txt");
    for path in [
        "/api/drive/list?path=",
        &format!("/api/drive/file/{id}"),
        "/api/devices",
        "/api/transfers",
        "/api/sessions",
        "/api/join-codes",
    ] {
        for cookie in [
            "",
            "beckon_session=",
            "beckon_session=0000",
            &format!("beckon_session={}", "ab".repeat(32)),
        ] {
            let answer = curl([
                "--header",
                &format!("cookie: {cookie}"),
                &format!("{}{path}", desk.server.url()),
            ]);
            assert_eq!(
                (answer.status, answer.json()["code"].as_str()),
                (401, Some("not-signed-in")),
                "{path} with {cookie}"
            );
        }
    }
}

#[test]
fn what_is_not_there_is_a_404_whoever_it_may_belong_to() {
    let desk = Desk::with(|_| {});
    let browser = desk.browser();
    let nobodys = "01890000-0000-7000-8000-000000000000";
    for path in [
        "/api/drive/file/",
        "/api/drive/zip/",
        "/api/transfers/",
        "/api/drive/list?node=",
        "/api/drive/versions?node=",
    ] {
        let answer = browser.get(&format!("{path}{nobodys}"), &[]).expect_status(404);
        assert_eq!(answer.json()["code"], "not-found", "{path}");
    }
    let moved = browser.post("/api/drive/move", &object!({ "node": nobodys, "name": "YQ" }));
    assert_eq!(moved.status, 404);
}

#[test]
fn the_interface_describes_every_route() {
    let desk = Desk::with(|_| {});
    let served = curl([format!("{}/api/openapi.json", desk.server.url())])
        .expect_status(200)
        .json();
    assert!(text(&served, "openapi").starts_with("3."), "{served}");
    let paths = served["paths"].as_object().unwrap();
    let documented: Vec<_> = paths.keys().map(|path| shape(path)).collect();
    let routes = routes_in_the_sources();
    assert!(routes.len() > 30, "this test does not find the routes: {routes:?}");
    for route in routes {
        assert!(
            documented.contains(&shape(&route)),
            "{route} is missing in {documented:?}"
        );
    }
    let printed = Command::new(beckon_tests::binary::path("beckon-server"))
        .arg("openapi")
        .output()
        .unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&printed.stdout).unwrap(), served);
}

/// A path with its parameters made alike, whatever they are called.
fn shape(path: &str) -> String {
    let parts = path
        .split('/')
        .map(|part| if part.starts_with('{') { "{}" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

/// The paths below `/api` that the server's sources bind to something.
fn routes_in_the_sources() -> Vec<String> {
    let sources = files_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../backend/src"));
    let texts = sources.iter().map(|source| fs::read_to_string(source).unwrap());
    let found = texts.flat_map(|text| {
        let calls = text.split("route(\"").skip(1).chain(text.split("resource(\"").skip(1));
        calls
            .filter_map(|rest| rest.split('"').next().map(str::to_owned))
            .collect::<Vec<_>>()
    });
    found
        .filter(|path| path.starts_with("/api/") && path != "/api/openapi.json")
        .collect()
}

/// Makes a certificate for `localhost` and 127.0.0.1 that signs itself.
fn self_signed(folder: &Path) -> (String, String) {
    let (certificate, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    let names = "subjectAltName=DNS:localhost,IP:127.0.0.1";
    let request = [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ];
    let made = Command::new("openssl")
        .args(request)
        .args([
            "-subj",
            "/CN=localhost",
            "-addext",
            names,
            "-addext",
            "basicConstraints=critical,CA:FALSE",
        ])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    (certificate.display().to_string(), key.display().to_string())
}

#[test]
fn everything_works_over_tls_with_a_certificate_of_ones_own() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = self_signed(folder.path());
    let server = Server::options()
        .args(["--tls-cert", &certificate, "--tls-key", &key])
        .start();
    assert!(server.url().starts_with("https://127.0.0.1:"), "{}", server.url());
    let documents = tempfile::tempdir().unwrap();
    sample::small_tree(documents.path());

    let ann = Cli::new();
    let password = ann
        .secret_file("password", "a long enough password\n")
        .display()
        .to_string();
    let code = server.set_up_code();
    let sign_up = [
        "sign-up",
        server.url(),
        "--setup",
        &code,
        "--name",
        "ann",
        "--password-file",
        &password,
    ];
    let refused = run(&ann, &sign_up);
    assert_eq!(
        (refused.code(), text(&refused.json_error(), "code")),
        (1, "unreachable".into()),
        "{refused}"
    );
    assert!(text(&refused.json_error(), "message").contains("--ca"), "{refused}");
    let with_ca = |words: &[&str]| run(&ann, &[&["--ca", &certificate], words].concat()).expect_ok();
    with_ca(&sign_up);
    let code = text(&with_ca(&["join-code", "--password-file", &password]).json(), "code");
    let desk = Cli::new();
    let root = format!("Documents={}", documents.path().display());
    run(
        &desk,
        &[
            "--ca",
            &certificate,
            "join",
            server.url(),
            &code,
            "--name",
            "desk",
            "--root",
            &root,
        ],
    )
    .expect_ok();
    let agent = desk.start(["run", "--ca", &certificate]);
    agent.wait_for_line("online as desk ", SOON);
    with_ca(&["upload", "desk:Documents", "--wait"]);
    with_ca(&["ls", "desk:Documents"]);
    let back = folder.path().join("copy").display().to_string();
    with_ca(&["get", "desk/Documents", "-o", &back]);
    beckon_tests::tree::assert_same_tree(documents.path(), Path::new(&back));

    let browser = Browser::with_session_of(&ann, server.url()).options(["--cacert", &certificate]);
    assert!(
        browser.cookie().starts_with("__Host-beckon_session="),
        "{}",
        browser.cookie()
    );
    let answer = browser.get("/api/sessions", &[]).expect_status(200);
    assert!(answer.expect_header("strict-transport-security").contains("max-age="));
    let untrusted = curl([server.url()]);
    assert_eq!(
        (untrusted.status, untrusted.exit),
        (0, 60),
        "curl trusts whom it does not know"
    );
}

#[test]
fn a_body_that_is_too_large_or_no_json_is_refused_and_the_server_lives() {
    let desk = Desk::with(|_| {});
    let browser = desk.browser();
    let origin = format!("origin: {}", desk.server.url());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("large");
    fs::write(&file, format!("{{\"nodes\":[\"{}\"]}}", "x".repeat(3 << 20))).unwrap();
    let data = format!("@{}", file.display());
    let post = |data: &str| {
        let headers = [
            "--header",
            "x-beckon: 1",
            "--header",
            &origin,
            "--header",
            "content-type: application/json",
        ];
        browser.get("/api/drive/delete", &[&headers[..], &["--data-binary", data]].concat())
    };
    let large = post(&data);
    assert_eq!((large.status, large.json()["code"].as_str()), (413, Some("too-large")));
    for nonsense in [
        "",
        "{",
        "[]",
        "{\"nodes\":[],\"more\":1}",
        "{\"nodes\":[\"not an id\"]}",
    ] {
        let answer = post(nonsense);
        assert_eq!(
            (answer.status, answer.json()["code"].as_str()),
            (400, Some("bad-request")),
            "{nonsense}"
        );
    }
    assert!(TcpStream::connect(desk.server.address()).is_ok());
}

#[test]
fn a_machine_that_joined_has_no_way_into_the_http_interface() {
    let desk = Desk::with(sample::small_tree);
    let other = Machine::join(&desk.ann, "laptop").start();
    assert!(!other.cli().state().join("controller.json").exists());
    for words in [
        &["devices"][..],
        &["drive", "ls", ""],
        &["ls", "desk:Documents"],
        &["upload", "desk:Documents"],
    ] {
        assert_eq!(run(other.cli(), words).code(), 3, "{words:?} of a machine");
    }
}

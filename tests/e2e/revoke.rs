//! Ann's laptop was stolen: within five seconds nothing of it works any more.

use std::{process::Command, time::Instant};

use beckon_tests::{Account, Browser, Cli, Machine, Proxy, Server, Way, curl, sample, wait_until};

use crate::scene::{Desk, IN_TIME, LONG, MIB, SOON, expect_refusal, json, order, rows, run, text, transfer};

/// Revokes a device; returns when it was done.
#[track_caller]
fn revoke(ann: &Account, name: &str) -> Instant {
    let password = ann.password_file().display().to_string();
    run(ann.cli(), &["device", "revoke", name, "--password-file", &password]).expect_ok();
    Instant::now()
}

/// Another terminal of the account, and its name.
fn thief(ann: &Account, url: &str) -> Cli {
    let cli = Cli::new();
    let password = ann.password_file().display().to_string();
    let words = [
        "login",
        url,
        "--name",
        "ann",
        "--password-file",
        &password,
        "--device-name",
        "stolen",
    ];
    cli.run(words).expect_ok();
    cli
}

#[test]
fn a_revoked_terminal_hears_nothing_more_and_its_cookie_opens_nothing() {
    let desk = Desk::with(sample::small_tree);
    desk.upload();
    let stolen = thief(&desk.ann, desk.server.url());
    let browser = Browser::with_session_of(&stolen, desk.server.url());
    browser.get("/api/sessions", &[]).expect_status(200);
    let mut events = stolen.start(["events", "--json"]);
    wait_until("the events are open", SOON, || !events.lines().is_empty());

    revoke(&desk.ann, "stolen");
    let ended = events.wait(IN_TIME);
    assert_eq!(ended.code(), Some(3), "{}", events.log());
    for path in [
        "/api/sessions",
        "/api/drive/list?path=",
        "/api/drive/file?path=desk%2FDocuments%2Ftoday.md",
        "/api/transfers",
    ] {
        let status = browser.get(path, &[]).status;
        assert!([401, 403].contains(&status), "{path}: {status}");
    }
    for words in [
        &["devices"][..],
        &["sessions"],
        &["ls", "desk:Documents"],
        &["upload", "desk:Documents"],
        &["drive", "ls", ""],
    ] {
        assert_eq!(run(&stolen, words).code(), 3, "{words:?} of a revoked terminal");
    }
    assert_eq!(rows(&json(desk.cli(), &["sessions"])).len(), 1);
    let shown = json(desk.cli(), &["device", "show", "stolen"]);
    assert_eq!((&shown["revoked"], &shown["online"]), (&true.into(), &false.into()));
}

#[test]
fn a_download_of_a_revoked_device_ends_before_its_end() {
    let desk = Desk::with(|folder| sample::random_file(&folder.join("big"), 128 * MIB, 6));
    desk.upload();
    let stolen = thief(&desk.ann, desk.server.url());
    let proxy = Proxy::to(desk.server.address());
    let browser = Browser::with_session_of(&stolen, desk.server.url());
    proxy.allow(Way::Down, 8 * MIB);
    let cookie = format!("cookie: {}", browser.cookie());
    let url = format!("{}/api/drive/file?path=desk%2FDocuments%2Fbig", proxy.url());
    let host = format!("host: {}", desk.server.address());
    let words = [
        "--silent",
        "--output",
        "/dev/null",
        "--header",
        &cookie,
        "--header",
        &host,
        &url,
    ];
    let mut download = Command::new("curl").args(words).spawn().unwrap();
    proxy.wait_held_up(Way::Down, SOON);

    revoke(&desk.ann, "stolen");
    // The reader stood still. What it still gets lay in the buffers of sockets in between, which may hold 32 MiB each.
    proxy.open();
    wait_until("the server has closed the download", IN_TIME, || {
        proxy.open_at_server() == 0
    });
    assert!(
        !download.wait().unwrap().success(),
        "a whole file came to a revoked device"
    );
    let passed = proxy.passed(Way::Down);
    assert!(passed < 80 * MIB, "{passed} bytes came, of which 8 MiB before");
}

#[test]
fn a_session_with_a_machine_ends_in_the_middle_of_a_listing() {
    let desk = Desk::with(|folder| sample::long_folder(&folder.join("long"), 60_000));
    let proxy = Proxy::to(desk.server.address());
    let stolen = thief(&desk.ann, &proxy.url());
    proxy.allow(Way::Down, MIB);
    let mut listing = stolen.start(["ls", "desk:Documents/long", "--json"]);
    proxy.wait_held_up(Way::Down, SOON);
    revoke(&desk.ann, "stolen");
    proxy.open();
    let ended = listing.wait(IN_TIME);
    assert!(!ended.success(), "a revoked device listed a folder to its end");
}

#[test]
fn a_revoked_machine_ends_its_agent_and_its_ticket_is_dead() {
    let folder = tempfile::tempdir().unwrap();
    sample::random_file(&folder.path().join("big"), 64 * MIB, 6);
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let proxy = Proxy::to(server.address());
    let joining = Machine::join_with(&proxy.url(), &ann.join_code(&[]), "desk").root("Documents", folder.path());
    let mut machine = joining.start();
    proxy.allow(Way::Up, 24 * MIB);
    let id = order(ann.cli(), "desk:Documents");
    proxy.wait_held_up(Way::Up, LONG);
    let ticket = bearer(&proxy).expect("the agent showed its ticket");
    let ask = || {
        curl([
            "--request",
            "POST",
            "--header",
            &ticket,
            "--data-raw",
            "nonsense",
            &format!("{}/bulk/{id}/have", server.url()),
        ])
        .status
    };
    assert_eq!(
        ask(),
        400,
        "a good ticket opens the door, nonsense is refused behind it"
    );

    let revoked = revoke(&ann, "desk");
    wait_until("the ticket is dead", IN_TIME, || [401, 403].contains(&ask()));
    proxy.open();
    let ended = machine.process().wait(SOON);
    assert_eq!(ended.code(), Some(3), "{}", machine.process().log());
    assert!(
        machine.process().log().contains("revoked"),
        "{}",
        machine.process().log()
    );
    assert!(revoked.elapsed() < SOON);
    assert_eq!(json(ann.cli(), &["device", "show", "desk"])["online"], false);
    assert!(
        rows(&json(ann.cli(), &["machines"])).is_empty(),
        "a revoked machine is no machine any more"
    );
    assert_ne!(text(&transfer(ann.cli(), &id), "state"), "done");
    let again = machine.cli().run(["run"]);
    assert_eq!(again.code(), 3, "{again}");
}

/// The header that an upload's requests carry, as heard on the wire.
fn bearer(proxy: &Proxy) -> Option<String> {
    let heads = proxy.heard();
    let mut texts = heads.iter().map(|head| String::from_utf8_lossy(head).into_owned());
    texts.find_map(|text| {
        text.lines()
            .find(|line| line.to_ascii_lowercase().starts_with("authorization: bearer "))
            .map(str::to_owned)
    })
}

#[test]
fn a_revoked_machine_joins_again_as_a_new_device() {
    let mut desk = Desk::with(sample::small_tree);
    let old = desk.machine.id().to_owned();
    revoke(&desk.ann, "desk");
    assert_eq!(desk.machine.process().wait(SOON).code(), Some(3));
    let code = desk.ann.join_code(&[]);
    run(
        desk.machine.cli(),
        &["join", desk.server.url(), &code, "--name", "desk"],
    )
    .expect_ok();
    desk.machine.launch();
    desk.machine.wait_online();
    assert_ne!(desk.machine.id(), old);
    let place = format!("{}:Documents", desk.machine.name());
    crate::scene::upload(desk.cli(), &place);
}

#[test]
fn nobody_revokes_without_the_password() {
    let desk = Desk::with(|_| {});
    let wrong = desk
        .cli()
        .secret_file("wrong", "not the password\n")
        .display()
        .to_string();
    let refused = run(desk.cli(), &["device", "revoke", "desk", "--password-file", &wrong]);
    expect_refusal(&refused, 3, "wrong-password");
    assert_eq!(json(desk.cli(), &["machines"])[0]["online"], true);
}

//! Ann uses the web app out of the program that she installed: all works as at the server's address, and a server that was taken
//! over changes nothing of it.

use std::{
    fs,
    io::{BufRead, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

use beckon_shared::{api::server::Status, time::Timestamp, wire::CONTROL_PROTOCOLS};
use beckon_tests::{
    Account, Cli, Machine, Process, Server,
    page::{Page, button, css, heading, link, role, text},
    sample,
};
use thirtyfour::Key;

use crate::{browse_a_machine::row, scene};

const START_LIMIT: Duration = Duration::from_secs(20);

/// `beckon ui` at a free port, and its address.
fn start_ui(terminal: &Cli, args: &[&str]) -> (Process, String) {
    let ui = terminal.start([&["ui", "--no-open", "--port", "0"], args].concat());
    let url = ui.wait_for_line("open ", START_LIMIT);
    assert!(url.starts_with("http://127.0.0.1:"), "{url}");
    (ui, url)
}

/// A certificate for 127.0.0.1 that signs itself, and its key.
fn certificate(folder: &Path) -> (PathBuf, PathBuf) {
    let (certificate, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    let words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
        -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE";
    let made = Command::new("openssl")
        .args(words.split_whitespace())
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    (certificate, key)
}

/// How the row of a name stands.
fn state(name: &str, state: &str) -> beckon_tests::page::Target {
    css(format!(
        ".file:has(.label[title=\"{name}\"]) .stored[title=\"{state}\"]"
    ))
}

#[test]
fn all_works_through_the_installed_program_as_at_the_servers_own_address() {
    let folder = tempfile::tempdir().unwrap();
    let (ca, key) = certificate(folder.path());
    let [ca_arg, key_arg] = [&ca, &key].map(|path| path.to_str().unwrap());
    let server = Server::options()
        .args(["--tls-cert", ca_arg, "--tls-key", key_arg])
        .start();
    let ann = Account::sign_up_on(Cli::new().with_ca(&ca), server.url(), &server.set_up_code(), "ann");
    let files = tempfile::tempdir().unwrap();
    sample::small_tree(files.path());
    sample::random_file(&files.path().join("film.bin"), 20 << 20, 9);
    let machine = Machine::join(&ann, "desk")
        .with_ca(&ca)
        .root("Documents", files.path())
        .start();
    let (_ui, url) = start_ui(ann.cli(), &[]);

    let page = Page::open(&format!("{url}/sign-in"));
    page.see(heading("Sign in"));
    page.screenshot("beckon-ui-sign-in");
    scene::sign_in_here(&page, "ann", &scene::password_of("ann"));
    page.see_path("/machines");
    page.see(text("desk"));
    page.screenshot("beckon-ui-machines");
    page.go(&format!("/machine/{}", machine.id()));
    page.click(row("Documents"));
    page.see(state("film.bin", "Not in drive"));
    page.press(Key::Home);
    page.press(Key::Control + "a");
    page.click(button("Upload to drive"));
    page.see(state("film.bin", "Safe in drive"));
    page.see(state("notes", "Safe in drive"));
    page.screenshot("beckon-ui-machine");

    page.go("/drive/desk/Documents");
    page.click(role("row", "film.bin"));
    page.click(button("Download"));
    let got = page.downloaded("film.bin");
    assert!(fs::read(files.path().join("film.bin")).unwrap() == fs::read(got).unwrap());

    page.reload();
    page.see(button("Account: ann"));
    page.click(button("Account: ann"));
    page.click(role("menuitem", "Sign out"));
    page.see_path("/sign-in");
    let is_in = "fetch('/api/sessions/current').then((answer) => arguments[0](answer.status))";
    assert_eq!(page.script_async(is_in, &[]), 401);
}

#[test]
fn nobody_is_signed_in_by_the_terminal_and_what_is_shown_names_the_server() {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let (_ui, url) = start_ui(ann.cli(), &[]);
    let page = Page::open(&url);
    page.see_path("/sign-in");
    scene::sign_in_here(&page, "ann", &scene::password_of("ann"));
    page.see_path("/machines");
    page.click(link("Add machine"));
    page.see(text(format!("beckon join {}", server.url())));
    page.screenshot("beckon-ui-add-machine");
}

#[test]
fn a_second_one_says_what_to_do_and_another_device_names_the_server() {
    let server = Server::start();
    let stranger = Cli::new();
    let nowhere = stranger.run(["ui", "--no-open", "--port", "0"]);
    assert_eq!(nowhere.code(), 2, "{nowhere}");
    assert!(nowhere.stderr().contains("--server URL"), "{nowhere}");
    let (_ui, url) = start_ui(&stranger, &["--server", server.url()]);
    let port = url.rsplit(':').next().unwrap();
    let taken = stranger.run(["ui", "--no-open", "--port", port, "--server", server.url()]);
    assert_eq!(taken.code(), 1, "{taken}");
    assert!(taken.stderr().contains("--port N"), "{taken}");
}

/// A server that was taken over: it says what it must to be believed, and hands out its own page and scripts everywhere.
fn evil_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || lure(stream));
        }
    });
    url
}

const SCRIPT: &str = "globalThis.evil = 1; try { document.title = 'evil' } catch {}";

fn lure(mut stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).is_ok_and(|read| read > 0) {
            continue;
        }
        return;
    }
    let path = head.split(' ').nth(1).unwrap_or_default();
    let (kind, body) = match path {
        "/api/status" => ("application/json", serde_json::to_string(&status()).unwrap()),
        path if path.ends_with(".js") => ("text/javascript", SCRIPT.to_owned()),
        _ => (
            "text/html",
            format!("<!doctype html><title>sly</title><script>{SCRIPT}</script><script src=/api/x.js></script>lured"),
        ),
    };
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\
         content-security-policy: script-src * 'unsafe-inline'\r\nservice-worker-allowed: /\r\n\
         access-control-allow-origin: *\r\nset-cookie: lure=1; Path=/\r\n\r\n{body}",
        body.len()
    );
    // Whoever hung up is not lured.
    let _ = stream.write_all(answer.as_bytes());
}

fn status() -> Status {
    Status {
        name: "beckon".to_owned(),
        version: "0.1.0".to_owned(),
        set_up: true,
        protocols: vec![CONTROL_PROTOCOLS[0].0.to_owned()],
        now: Timestamp(0),
    }
}

#[test]
fn nothing_runs_that_a_server_hands_out_which_was_taken_over() {
    let server = evil_server();
    let direct = Page::open(&format!("{server}/"));
    assert_eq!(
        direct.script("return globalThis.evil", &[]),
        1,
        "the lure works where it is believed"
    );
    drop(direct);

    let (_ui, url) = start_ui(&Cli::new(), &["--server", &server]);
    let page = Page::open(&format!("{url}/sign-in"));
    page.see(heading("Sign in"));
    page.see(text("Beckon"));
    // A frame, scripts and workers of the server's making, asked for by the page itself: none is given.
    for attempt in [
        "import('/api/x.js')",
        "navigator.serviceWorker.register('/api/x.js', { scope: '/' })",
        "new Promise((yes, no) => { const worker = new Worker('/api/x.js'); worker.onerror = no; worker.onmessage = yes })",
        "new Promise((yes, no) => { const script = document.createElement('script'); script.src = '/api/x.js'; \
         script.onload = yes; script.onerror = no; document.head.append(script) })",
    ] {
        let tried = format!("const done = arguments[0]; {attempt}.then(() => done('ran'), () => done('refused'))");
        assert_eq!(page.script_async(&tried, &[]), "refused", "{attempt}");
    }
    assert_eq!(
        page.script("return [globalThis.evil, document.cookie]", &[]),
        serde_json::json!([null, ""])
    );
    // Shown by itself it is dead: nothing in it runs, not even for the story, which so asks the browser for its title.
    page.go("/api/page");
    let seen = page.devtools("Page.getNavigationHistory", serde_json::json!({}));
    let last = seen["entries"].as_array().and_then(|entries| entries.last()).unwrap();
    assert_eq!(last["title"], "sly", "{seen}");
    page.go("/sign-in");
    page.see(heading("Sign in"));
    assert!(page.console().contains("sandboxed"), "{}", page.console());
    page.expect_error("/api/x.js");
    page.expect_error("sandboxed");
    page.expect_error("403");
}

//! Servers that are away, clocks that are wrong, frames that nobody understands: each ends with words that help.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use beckon_tests::{Account, Cli, FakeClock, Machine, Server, curl, sample, wait_until};

use crate::scene::{Desk, SOON, expect_refusal, json, number, order, rows, run, text, upload};

/// Nothing listens here.
const NOBODY: &str = "http://127.0.0.1:9";

#[test]
fn a_server_that_cannot_be_reached_is_said_so() {
    let cli = Cli::new();
    let password = cli
        .secret_file("password", "a long enough password\n")
        .display()
        .to_string();
    let refused = run(&cli, &["login", NOBODY, "--name", "ann", "--password-file", &password]);
    expect_refusal(&refused, 1, "unreachable");
    assert!(text(&refused.json_error(), "message").contains(NOBODY), "{refused}");
    assert_eq!(refused.json_error()["retry"], true);
    let readable = cli.run(["login", NOBODY, "--name", "ann", "--password-file", &password]);
    assert!(
        readable.stderr().starts_with("beckon: ") && readable.stdout().is_empty(),
        "{readable}"
    );
}

#[test]
fn a_server_that_went_away_is_said_so_by_every_command_and_the_agent_waits_for_it() {
    let mut desk = Desk::with(sample::small_tree);
    desk.server.stop();
    for words in [
        &["devices"][..],
        &["sessions"],
        &["ls", "desk:Documents"],
        &["upload", "desk:Documents"],
        &["get", "desk/Documents"],
    ] {
        let refused = run(&desk.cli().with_limit(SOON), words);
        expect_refusal(&refused, 1, "unreachable");
    }
    assert!(desk.machine.process().is_running(), "the agent gave up");
    let lines = desk.machine.process().lines().len();
    desk.server.restart();
    wait_until("the agent is back", SOON, || {
        desk.machine.process().lines().len() > lines
    });
    upload(desk.cli(), "desk:Documents");
}

#[test]
fn an_agent_waits_for_a_server_that_is_not_there_yet() {
    let mut desk = Desk::with(|_| {});
    desk.machine.stop();
    desk.server.stop();
    desk.machine.launch();
    desk.server.restart();
    desk.machine.wait_online();
}

#[test]
fn a_command_gives_up_when_its_time_is_over() {
    let mut desk = Desk::with(|_| {});
    desk.server.suspend();
    let start = Instant::now();
    let late = run(desk.cli(), &["--timeout", "1", "devices"]);
    expect_refusal(&late, 1, "timeout");
    assert!(start.elapsed() < SOON);
    desk.server.resume();
    run(desk.cli(), &["devices"]).expect_ok();
    desk.machine.stop();
    wait_until("the machine is away", SOON, || {
        json(desk.cli(), &["machines"])[0]["online"] == false
    });
    let id = order(desk.cli(), "desk:Documents");
    expect_refusal(&run(desk.cli(), &["--timeout", "10", "wait", &id]), 4, "away");
}

#[test]
fn wrong_usage_ends_with_2_and_nobody_signed_in_with_3() {
    let cli = Cli::new();
    for words in [
        &["no-such-command"][..],
        &["wait", "not-an-id"],
        &["ls"],
        &["login", "not a url", "--name", "x"],
        &["ls", "--sort", "colour", "a:b"],
    ] {
        expect_refusal(&run(&cli, words), 2, "usage");
    }
    for words in [
        &["devices"][..],
        &["machines"],
        &["ls", "desk:Documents"],
        &["drive", "ls", ""],
        &["transfers"],
        &["events"],
        &["sessions"],
        &["logout"],
        &["join-code"],
    ] {
        expect_refusal(&run(&cli, words), 3, "not-signed-in");
    }
    let readable = cli.run(["devices"]);
    assert!(readable.stderr().contains("beckon login"), "{readable}");
    assert_eq!(cli.run(["help"]).code(), 0);
    assert_eq!(
        cli.run(["--version"]).expect_ok().stdout().trim(),
        concat!("beckon ", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn a_device_that_is_no_machine_yet_cannot_run() {
    let refused = run(&Cli::new(), &["run"]);
    expect_refusal(&refused, 3, "not-signed-in");
    assert!(
        text(&refused.json_error(), "message").contains("beckon join"),
        "{refused}"
    );
}

/// A machine whose clock is that far off.
fn machine_at(ann: &Account, offset: &str, folder: &std::path::Path) -> (Machine, FakeClock) {
    let clock = FakeClock::new();
    clock.shift(offset);
    let joining = Machine::join(ann, "desk").root("Documents", folder);
    let joining = clock
        .env()
        .into_iter()
        .fold(joining, |joining, (name, value)| joining.env(name, value));
    (joining.start(), clock)
}

#[test]
fn a_machine_whose_clock_is_a_day_behind_does_nothing_and_says_why() {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let folder = tempfile::tempdir().unwrap();
    sample::small_tree(folder.path());
    let (_machine, clock) = machine_at(&ann, "-1d", folder.path());
    let output = run(ann.cli(), &["upload", "desk:Documents", "--wait"]);
    assert_eq!(output.code(), 1, "{output}");
    let transfer = output.json();
    assert_eq!(
        (text(&transfer, "state"), number(&transfer, "files_done")),
        ("failed".into(), 0),
        "{transfer}"
    );
    assert!(text(&transfer, "error").contains("clock"), "{transfer}");
    clock.shift("+0");
    upload(ann.cli(), "desk:Documents");
}

#[test]
fn a_machine_whose_clock_is_ahead_of_an_orders_end_does_nothing_and_says_why() {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let folder = tempfile::tempdir().unwrap();
    sample::small_tree(folder.path());
    let (_machine, clock) = machine_at(&ann, "+40d", folder.path());
    let output = run(ann.cli(), &["upload", "desk:Documents", "--wait"]);
    assert_eq!(output.code(), 1, "{output}");
    let transfer = output.json();
    assert_eq!(
        (text(&transfer, "state"), number(&transfer, "files_done")),
        ("failed".into(), 0),
        "{transfer}"
    );
    let error = text(&transfer, "error");
    assert!(error.contains("clock") || error.contains("expired"), "{error}");
    clock.shift("+1d");
    upload(ann.cli(), "desk:Documents");
}

#[test]
fn a_server_whose_clock_is_a_day_off_changes_nothing_for_machines() {
    for offset in ["-1d", "+1d"] {
        let clock = FakeClock::new();
        let options = clock
            .env()
            .into_iter()
            .fold(Server::options(), |options, (name, value)| options.env(name, value));
        let server = options.start();
        let ann = Account::sign_up(&server, "ann");
        let folder = tempfile::tempdir().unwrap();
        sample::small_tree(folder.path());
        let _desk = Machine::join(&ann, "desk").root("Documents", folder.path()).start();
        clock.shift(offset);
        let transfer = upload(ann.cli(), "desk:Documents");
        assert!(number(&transfer, "files_done") > 0, "{offset}: {transfer}");
        assert!(
            !rows(&json(ann.cli(), &["ls", "desk:Documents"])).is_empty(),
            "{offset}"
        );
    }
}

/// Runs a command on a terminal whose clock is that far off; its exit code and all that it said.
fn run_at(offset: &str, cli: &Cli, words: &[&str]) -> (Option<i32>, String) {
    let clock = FakeClock::new();
    clock.shift(offset);
    let mut command = std::process::Command::new(beckon_tests::binary::path("beckon"));
    command.arg("--state").arg(cli.state()).arg("--json").args(words);
    let output = command.envs(clock.env()).output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.status.code(), said)
}

#[test]
fn a_terminal_whose_clock_is_a_day_ahead_is_told_so() {
    let desk = Desk::with(sample::small_tree);
    let (code, said) = run_at("+1d", desk.cli(), &["upload", "desk:Documents", "--wait"]);
    assert!(code == Some(1) && said.contains("clock"), "{said}");
    upload(desk.cli(), "desk:Documents");
}

#[test]
fn a_revocation_from_the_future_is_refused_so_that_it_does_not_age_every_order() {
    let desk = Desk::with(sample::small_tree);
    let password = desk.ann.password_file().display().to_string();
    Machine::join(&desk.ann, "stolen").redeem(&Cli::new()).expect_ok();
    let words = ["device", "revoke", "stolen", "--password-file", &password];
    let (code, said) = run_at("+400d", &desk.ann.other_terminal(), &words);
    assert!(code != Some(0) && said.contains("clock"), "{said}");
    upload(desk.cli(), "desk:Documents");
    run(desk.cli(), &words).expect_ok();
}

#[test]
fn a_machine_whose_clock_is_a_day_ahead_is_told_so_when_it_joins_and_can_join_later() {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let (code, cli) = (ann.join_code(&[]), Cli::new());
    let words = ["join", server.url(), &code, "--name", "desk"];
    let (exit, said) = run_at("+1d", &cli, &words);
    assert!(exit == Some(1) && said.contains("clock"), "{said}");
    run(&cli, &words).expect_ok();
}

/// Asks for a WebSocket and returns what was answered up to the end of the head.
fn upgrade(server: &Server, path: &str, protocol: &str) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: {protocol}\r\n\r\n",
        server.address(),
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    (stream, String::from_utf8(head).unwrap().to_ascii_lowercase())
}

#[test]
fn a_program_that_speaks_another_version_is_told_which_ones_there_are() {
    let server = Server::start();
    let headers = [
        "connection: Upgrade",
        "upgrade: websocket",
        "sec-websocket-version: 13",
        "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
    ];
    for protocol in ["beckon.control.v99", "chat", "beckon.session.v1"] {
        let protocol = format!("sec-websocket-protocol: {protocol}");
        let headers = headers
            .iter()
            .copied()
            .chain([protocol.as_str()])
            .flat_map(|header| ["--header", header]);
        let url = format!("{}/socket", server.url());
        let answer = curl(headers.chain(["--http1.1", &url])).expect_status(426);
        assert_eq!(answer.json()["code"], "bad-version");
        assert!(
            text(&answer.json(), "message").contains("beckon.control.v1"),
            "{}",
            answer.text()
        );
    }
    let (_, head) = upgrade(&server, "/socket", "beckon.control.v2, beckon.control.v1");
    assert!(
        head.starts_with("http/1.1 101") && head.contains("sec-websocket-protocol: beckon.control.v1\r\n"),
        "{head}"
    );
}

/// A masked binary frame (RFC 6455, 5.2); the mask is zero, so that the payload stands as it is.
fn frame(payload: &[u8]) -> Vec<u8> {
    let length = payload.len();
    let mut frame = vec![0x82];
    match u16::try_from(length) {
        Ok(short) if short < 126 => frame.push(0x80 | short as u8),
        Ok(middle) => {
            frame.push(0x80 | 126);
            frame.extend(middle.to_be_bytes());
        }
        Err(_) => {
            frame.push(0x80 | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

/// Reads frames until the one that closes, and returns its code; nothing if the connection ended without one.
fn close_code(stream: &mut TcpStream) -> Option<u16> {
    loop {
        let mut head = [0; 2];
        stream.read_exact(&mut head).ok()?;
        let length = match head[1] & 0x7f {
            126 => {
                let mut length = [0; 2];
                stream.read_exact(&mut length).ok()?;
                u64::from(u16::from_be_bytes(length))
            }
            127 => {
                let mut length = [0; 8];
                stream.read_exact(&mut length).ok()?;
                u64::from_be_bytes(length)
            }
            short => u64::from(short),
        };
        let mut payload = vec![0; usize::try_from(length).ok()?];
        stream.read_exact(&mut payload).ok()?;
        if head[0] & 0x0f == 8 {
            return Some(u16::from_be_bytes([payload[0], payload[1]]));
        }
    }
}

#[test]
fn an_oversize_or_malformed_frame_closes_its_own_connection_with_a_code_and_nobody_else_notices() {
    let mut desk = Desk::with(sample::small_tree);
    let mut events = desk.cli().start(["events", "--json"]);
    wait_until("the events are open", SOON, || !events.lines().is_empty());
    let before = desk.machine.process().lines().len();
    let cases: [(&str, Vec<u8>, &[u16]); 5] = [
        ("a frame over the limit", frame(&vec![7; 20_000]), &[1009]),
        ("a frame of a megabyte", frame(&vec![7; 1 << 20]), &[1009]),
        ("no frame of ours", frame(&[0xff; 100]), &[1002, 1007, 1008]),
        ("an empty frame", frame(&[]), &[1002, 1007, 1008]),
        (
            "text",
            vec![0x81, 0x80 | 2, 0, 0, 0, 0, b'h', b'i'],
            &[1002, 1003, 1007, 1008],
        ),
    ];
    for (what, bytes, codes) in cases {
        let (mut stream, head) = upgrade(&desk.server, "/socket", "beckon.control.v1");
        assert!(head.starts_with("http/1.1 101"), "{head}");
        // The server may hang up before it has read all of it.
        let _ = stream.write_all(&bytes);
        let code = close_code(&mut stream);
        assert!(
            code.is_some_and(|code| codes.contains(&code)),
            "{what}: closed with {code:?}"
        );
    }
    assert!(events.is_running());
    assert_eq!(
        desk.machine.process().lines().len(),
        before,
        "the machine had to connect again"
    );
    upload(desk.cli(), "desk:Documents");
}

#[test]
fn a_client_that_says_nothing_is_hung_up_on_after_ten_seconds() {
    let server = Server::start();
    let (mut stream, _) = upgrade(&server, "/socket", "beckon.control.v1");
    let start = Instant::now();
    let code = close_code(&mut stream);
    assert!(start.elapsed() < Duration::from_secs(15), "still open");
    assert!(
        start.elapsed() > Duration::from_secs(5),
        "hung up at once with {code:?}"
    );
}

#[test]
fn a_relay_ticket_that_nobody_was_given_opens_nothing() {
    let server = Server::start();
    let (_, head) = upgrade(&server, &format!("/relay/{}", "ab".repeat(32)), "beckon.session.v1");
    assert!(head.starts_with("http/1.1 40"), "{head}");
}

#[test]
fn two_servers_do_not_share_one_data_folder() {
    let server = Server::start();
    let mut command = std::process::Command::new(beckon_tests::binary::path("beckon-server"));
    let second = command
        .args(["--listen", "127.0.0.1:0", "--data"])
        .arg(server.data())
        .output()
        .unwrap();
    assert!(!second.status.success(), "{second:?}");
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(said.contains("another") || said.contains("already"), "{said}");
}

#[test]
fn a_setting_that_does_not_exist_is_refused_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings.toml");
    std::fs::write(&file, "lisen = \"127.0.0.1:0\"\n").unwrap();
    let mut command = std::process::Command::new(beckon_tests::binary::path("beckon-server"));
    let output = command
        .arg("--config")
        .arg(&file)
        .arg("--data")
        .arg(folder.path())
        .output()
        .unwrap();
    assert!(
        !output.status.success() && String::from_utf8_lossy(&output.stderr).contains("lisen"),
        "{output:?}"
    );
}

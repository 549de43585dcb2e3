//! Whoever signs in can pause, resume, cancel and retry a transfer; nothing that was stored is sent again.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use beckon_tests::{Account, Cli, Machine, Proxy, Server, Way, sample, tree::assert_same_tree, wait_until};
use serde_json::Value;
use tempfile::TempDir;

use crate::scene::{LONG, MIB, SOON, expect_refusal, get, json, number, order, rows, run, text, transfer};

/// What may be on its way when a transfer is paused, and so may be sent twice: a few bodies of chunks.
const IN_FLIGHT: u64 = 36 * MIB;

const SIZE: u64 = 64 * MIB;

/// Runs a program without root's right to read everything, so that file modes count.
const WITHOUT_OVERRIDE: &[&str] = &[
    "setpriv",
    "--bounding-set=-dac_override,-dac_read_search",
    "--inh-caps=-all",
    "--",
];

/// A machine that reaches its server through a proxy, and a folder of 64 MiB in files of 2 MiB.
struct Far {
    machine: Machine,
    proxy: Proxy,
    ann: Account,
    server: Server,
    folder: TempDir,
}

impl Far {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..SIZE / MIB / 2 {
            sample::random_file(&folder.path().join(format!("file-{number}")), 2 * MIB, number);
        }
        let server = Server::start();
        let ann = Account::sign_up(&server, "ann");
        let proxy = Proxy::to(server.address());
        let joining = Machine::join_with(&proxy.url(), &ann.join_code(&[]), "desk");
        let machine = joining.root("Documents", folder.path()).start();
        Self {
            machine,
            proxy,
            ann,
            server,
            folder,
        }
    }

    /// Orders everything, and stops the bytes after so many.
    fn held_up_after(&self, bytes: u64) -> String {
        self.proxy.allow(Way::Up, bytes);
        let id = order(self.ann.cli(), "desk:Documents");
        self.proxy.wait_held_up(Way::Up, LONG);
        id
    }

    fn transfer(&self, id: &str) -> Value {
        transfer(self.ann.cli(), id)
    }

    /// Waits until the machine works on nothing any more.
    fn wait_idle(&self) {
        wait_until("the machine is at rest", LONG, || {
            json(self.machine.cli(), &["status"])["agent"]["orders"] == 0
        });
    }

    #[track_caller]
    fn expect_done_without_repeats(&self, id: &str) {
        let ended = json(&self.ann.cli().with_limit(LONG), &["wait", id]);
        assert_eq!(text(&ended, "state"), "done", "{ended}");
        assert_eq!(number(&ended, "bytes_done"), SIZE, "{ended}");
        let sent = number(&ended, "bytes_sent");
        // The count of an agent that was killed may be a little behind.
        assert!(
            (SIZE - MIB..SIZE + IN_FLIGHT).contains(&sent),
            "{sent} bytes were sent for {SIZE}"
        );
        let back = tempfile::tempdir().unwrap();
        get(self.ann.cli(), "desk/Documents", &back.path().join("copy"));
        assert_same_tree(self.folder.path(), &back.path().join("copy"));
    }
}

/// Steers a transfer and expects it to stand like this at once.
#[track_caller]
fn steer(cli: &Cli, act: &str, id: &str, state: &str, hold: &str) {
    let steered = json(cli, &["transfers", act, id]);
    assert_eq!(
        (text(&steered, "state"), text(&steered, "hold")),
        (state.into(), hold.into()),
        "{steered}"
    );
}

#[test]
fn a_transfer_that_one_terminal_pauses_another_one_resumes_and_nothing_stored_travels_twice() {
    let far = Far::new();
    let other = far.ann.other_terminal();
    let events = other.start(["events", "--json"]);
    wait_until("the events are open", SOON, || !events.lines().is_empty());
    let id = far.held_up_after(24 * MIB);
    steer(far.ann.cli(), "pause", &id, "running", "user");
    wait_until("the other terminal sees the pause", SOON, || {
        let lines = events.lines();
        lines
            .iter()
            .any(|line| line.contains(&id) && line.contains(r#""hold":"user""#))
    });
    far.proxy.open();
    far.wait_idle();
    let (paused, passed) = (far.transfer(&id), far.proxy.passed(Way::Up));
    assert_eq!(
        (text(&paused, "state"), text(&paused, "hold")),
        ("running".into(), "user".into())
    );
    assert!(passed < SIZE, "{passed} bytes went up although it was paused half way");
    steer(&other, "pause", &id, "running", "user");
    steer(&other, "resume", &id, "running", "none");
    // Somebody else had the same thought.
    json(far.ann.cli(), &["transfers", "resume", &id]);
    far.expect_done_without_repeats(&id);
}

#[test]
fn a_transfer_that_is_resumed_before_it_has_stopped_goes_on() {
    let far = Far::new();
    let id = far.held_up_after(24 * MIB);
    steer(far.ann.cli(), "pause", &id, "running", "user");
    steer(far.ann.cli(), "resume", &id, "running", "none");
    far.proxy.open();
    far.expect_done_without_repeats(&id);
}

#[test]
fn a_cancelled_transfer_ends_for_good_and_keeps_what_it_stored() {
    let mut far = Far::new();
    let id = far.held_up_after(40 * MIB);
    let other = far.ann.other_terminal();
    let mut wait = other.start(["wait", &id, "--json"]);
    steer(far.ann.cli(), "cancel", &id, "cancelled", "none");
    steer(far.ann.cli(), "cancel", &id, "cancelled", "none");
    far.proxy.open();
    far.wait_idle();
    assert_eq!(wait.wait(SOON).code(), Some(1), "{}", wait.log());
    let before = far.transfer(&id);
    far.machine.restart();
    json(far.ann.cli(), &["ls", "desk:Documents"]);
    assert_eq!(far.transfer(&id), before);
    for act in ["pause", "resume", "retry"] {
        expect_refusal(&run(far.ann.cli(), &["transfers", act, &id]), 1, "conflict");
    }
    let again = order(far.ann.cli(), "desk:Documents");
    let ended = json(&far.ann.cli().with_limit(LONG), &["wait", &again]);
    assert_eq!(text(&ended, "state"), "done", "{ended}");
    assert!(
        number(&ended, "bytes_sent") < SIZE,
        "what was stored is sent again: {ended}"
    );
}

#[test]
fn a_transfer_that_was_cancelled_while_its_machine_was_away_does_not_begin_there() {
    let mut far = Far::new();
    let id = far.held_up_after(8 * MIB);
    far.machine.kill();
    far.proxy.cut();
    wait_until("the machine is away", SOON, || far.transfer(&id)["hold"] == "away");
    steer(far.ann.cli(), "cancel", &id, "cancelled", "none");
    far.proxy.open();
    let passed = far.proxy.passed(Way::Up);
    far.machine.restart();
    far.wait_idle();
    json(far.ann.cli(), &["ls", "desk:Documents"]);
    assert!(far.proxy.passed(Way::Up) - passed < MIB, "it went on");
}

#[test]
fn what_was_paused_stays_paused_while_machine_and_server_come_and_go() {
    let mut far = Far::new();
    let id = far.held_up_after(24 * MIB);
    far.machine.kill();
    far.proxy.cut();
    wait_until("the machine is away", SOON, || far.transfer(&id)["hold"] == "away");
    steer(far.ann.cli(), "pause", &id, "running", "user");
    far.server.restart();
    far.proxy.open();
    far.machine.restart();
    json(far.ann.cli(), &["ls", "desk:Documents"]);
    far.wait_idle();
    let standing = far.transfer(&id);
    assert_eq!(
        (text(&standing, "state"), text(&standing, "hold")),
        ("running".into(), "user".into())
    );
    steer(far.ann.cli(), "resume", &id, "running", "none");
    far.expect_done_without_repeats(&id);
}

#[test]
fn an_order_that_was_paused_before_its_machine_heard_of_it_waits_until_it_is_resumed() {
    let mut far = Far::new();
    far.machine.stop();
    wait_until("the machine is away", SOON, || {
        json(far.ann.cli(), &["machines"])[0]["online"] == false
    });
    let id = order(far.ann.cli(), "desk:Documents/file-1");
    steer(far.ann.cli(), "pause", &id, "queued", "user");
    far.machine.restart();
    json(far.ann.cli(), &["ls", "desk:Documents"]);
    far.machine.stop();
    wait_until("the machine is away again", SOON, || {
        json(far.ann.cli(), &["machines"])[0]["online"] == false
    });
    steer(far.ann.cli(), "resume", &id, "queued", "away");
    far.machine.restart();
    let ended = json(far.ann.cli(), &["wait", &id]);
    assert_eq!(text(&ended, "state"), "done", "{ended}");
}

#[test]
fn a_retry_stores_what_failed_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..4 {
        sample::random_file(&folder.path().join(format!("file-{number}")), 2 * MIB, number);
    }
    let locked = folder.path().join("file-2");
    set_mode(&locked, 0);
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let is_root = rustix::process::geteuid().is_root();
    let joining = Machine::join(&ann, "desk").root("Documents", folder.path());
    let mut machine = joining.through(if is_root { WITHOUT_OVERRIDE } else { &[] }).start();
    let cli = ann.cli().with_limit(LONG);
    let output = run(&cli, &["upload", "desk:Documents", "--wait"]);
    assert_eq!(output.code(), 5, "{output}");
    let first = output.json();
    let id = text(&first, "id");
    // It ends the same while nothing has changed, and is asked for again however often.
    json(&cli, &["retry", &id]);
    assert_eq!(run(&cli, &["wait", &id]).code(), 5);
    assert_eq!(number(&transfer(&cli, &id), "bytes_sent"), number(&first, "bytes_sent"));
    set_mode(&locked, 0o644);
    machine.stop();
    wait_until("the machine is away", SOON, || {
        json(&cli, &["machines"])[0]["online"] == false
    });
    let waiting = json(&cli, &["retry", &id]);
    assert_eq!(
        (text(&waiting, "state"), text(&waiting, "hold")),
        ("queued".into(), "away".into())
    );
    machine.restart();
    let ended = json(&cli, &["wait", &id]);
    assert_eq!(
        (text(&ended, "state"), number(&ended, "files_done")),
        ("done".into(), 4),
        "{ended}"
    );
    assert_eq!(
        number(&ended, "bytes_sent") - number(&first, "bytes_sent"),
        2 * MIB,
        "only that one file travels: {ended}"
    );
    assert_eq!(
        rows(&json(&cli, &["transfers", "show", &id, "--files"])["problems"]).len(),
        0
    );
    expect_refusal(&run(&cli, &["retry", &id]), 1, "conflict");
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_machine_that_joined_by_a_code_is_confirmed_by_name() {
    let far = Far::new();
    let joined_by_code = || json(far.ann.cli(), &["device", "show", "desk"])["joined_by_code"].clone();
    assert_eq!(joined_by_code(), true);
    json(far.ann.cli(), &["device", "confirm", "desk"]);
    assert_eq!(joined_by_code(), false);
    expect_refusal(&run(far.ann.cli(), &["device", "confirm", "nobody"]), 1, "not-found");
}

//! An upload goes on, whatever breaks: agent, server, network; and what was stored is never sent again.

use std::process::Command;

use beckon_tests::{Account, Cli, Machine, Proxy, Server, Way, sample, wait_until};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::scene::{LONG, MIB, SOON, assert_comes_back, json, number, order, rows, run, text, transfer};

/// What may be on its way when a connection breaks, and so may be sent twice: a few bodies of chunks.
const IN_FLIGHT: u64 = 36 * MIB;

const SIZE: u64 = 96 * MIB;

/// A machine that reaches its server through a proxy, and a folder of 96 MiB in files of 2 MiB.
struct Far {
    machine: Machine,
    proxy: Proxy,
    ann: Account,
    server: Server,
    folder: TempDir,
}

impl Far {
    fn new() -> Self {
        Self::with_files(SIZE / MIB / 2)
    }

    fn with_files(count: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..count {
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

    /// Orders everything, and stops the bytes after 64 MiB.
    fn half_way(&self) -> String {
        self.proxy.allow(Way::Up, 64 * MIB);
        let id = order(self.ann.cli(), "desk:Documents");
        self.proxy.wait_held_up(Way::Up, LONG);
        id
    }

    #[track_caller]
    fn expect_done_without_repeats(&self, id: &str) {
        let ended = json(&self.ann.cli().with_limit(LONG), &["wait", id]);
        assert_eq!(text(&ended, "state"), "done", "{ended}");
        assert_eq!(number(&ended, "bytes_done"), SIZE, "{ended}");
        let passed = self.proxy.passed(Way::Up);
        assert!(
            passed >= SIZE,
            "{passed} bytes cannot be all of it: this test looks at the wrong connection"
        );
        assert!(
            passed < SIZE + IN_FLIGHT,
            "{passed} bytes went up for {SIZE}: what was stored was sent again"
        );
        assert_comes_back(self.ann.cli(), self.folder.path());
    }
}

#[test]
fn an_agent_that_was_killed_goes_on_and_sends_nothing_twice_that_was_stored() {
    let mut far = Far::new();
    let id = far.half_way();
    far.machine.kill();
    far.proxy.cut();
    wait_until("the machine is away", SOON, || {
        transfer(far.ann.cli(), &id)["hold"] == "away"
    });
    far.proxy.open();
    far.machine.restart();
    far.expect_done_without_repeats(&id);
}

#[test]
fn an_agent_that_was_stopped_ends_soon_and_goes_on() {
    let mut far = Far::new();
    let id = far.half_way();
    assert!(far.machine.stop().success(), "{}", far.machine.process().log());
    far.proxy.cut();
    far.proxy.open();
    far.machine.restart();
    far.expect_done_without_repeats(&id);
}

#[test]
fn a_broken_connection_is_made_again_and_the_upload_goes_on() {
    let mut far = Far::new();
    let id = far.half_way();
    far.proxy.cut();
    far.proxy.open();
    far.expect_done_without_repeats(&id);
    assert!(far.machine.process().is_running());
}

#[test]
fn a_server_that_was_killed_has_what_it_called_stored_and_waiting_goes_on() {
    let mut far = Far::new();
    let id = far.half_way();
    let other = far.ann.other_terminal();
    let mut wait = other.start(["wait", &id, "--json"]);
    wait_until("the other terminal waits", SOON, || is_online(&far.ann, &other));
    far.server.kill();
    far.proxy.cut();
    far.server.restart();
    far.proxy.open();
    far.expect_done_without_repeats(&id);
    assert!(wait.wait(SOON).success(), "{}", wait.log());
    let said: serde_json::Value = serde_json::from_str(wait.lines().last().unwrap()).unwrap();
    assert_eq!(text(&said, "state"), "done");
}

#[test]
fn whatever_is_killed_and_however_often_the_store_stays_sound_and_the_upload_ends() {
    let mut far = Far::new();
    sample::many_files(&far.folder.path().join("small"), 600, 12);
    far.proxy.allow(Way::Up, 10 * MIB);
    let id = order(far.ann.cli(), "desk:Documents");
    for round in 0..6 {
        far.proxy.wait_held_up(Way::Up, LONG);
        if round % 2 == 0 {
            far.server.kill();
            far.proxy.cut();
            assert_sound(&far.server);
            far.server.restart();
        } else {
            far.machine.kill();
            far.proxy.cut();
            far.machine.launch();
        }
        far.proxy.allow(Way::Up, 10 * MIB);
    }
    far.proxy.open();
    let ended = json(&far.ann.cli().with_limit(LONG), &["wait", &id]);
    assert_eq!(
        (text(&ended, "state"), number(&ended, "failed")),
        ("done".into(), 0),
        "{ended}"
    );
    assert_comes_back(far.ann.cli(), far.folder.path());
    far.server.stop();
    assert_sound(&far.server);
}

/// Reads everything that a server stores, which must not run.
#[track_caller]
fn assert_sound(server: &Server) {
    let mut command = Command::new(beckon_tests::binary::path("beckon-server"));
    let check = command
        .args(["check", "--read-data", "--data"])
        .arg(server.data())
        .output()
        .unwrap();
    assert!(check.status.success(), "{check:?}");
}

/// Whether a terminal has a connection open.
fn is_online(ann: &Account, terminal: &Cli) -> bool {
    let sessions = json(terminal, &["sessions"]);
    let own = rows(&sessions)
        .iter()
        .find(|session| session["current"] == true)
        .expect("it is signed in");
    json(ann.cli(), &["device", "show", &text(own, "device")])["online"] == true
}

#[test]
fn a_server_that_is_stopped_loses_no_byte_that_it_called_stored() {
    let mut far = Far::new();
    let id = far.half_way();
    let before = number(&transfer(far.ann.cli(), &id), "files_done");
    far.proxy.open();
    assert!(far.server.stop().success(), "{}", far.server.process().log());
    assert_sound(&far.server);
    far.server.restart();
    let stored = json(far.ann.cli(), &["drive", "ls", "desk/Documents"]);
    assert!(
        rows(&stored).len() as u64 >= before,
        "{before} files were committed: {stored}"
    );
    far.expect_done_without_repeats(&id);
}

#[test]
fn an_order_for_a_machine_that_is_away_starts_when_it_is_back() {
    let mut far = Far::with_files(3);
    far.machine.stop();
    wait_until("the machine is away", SOON, || {
        json(far.ann.cli(), &["machines"])[0]["online"] == false
    });
    let id = order(far.ann.cli(), "desk:Documents/file-1");
    let waiting = transfer(far.ann.cli(), &id);
    assert_eq!(
        (text(&waiting, "state"), text(&waiting, "hold")),
        ("queued".into(), "away".into())
    );
    far.server.restart();
    let waiting = transfer(far.ann.cli(), &id);
    assert_eq!(
        (text(&waiting, "state"), text(&waiting, "hold")),
        ("queued".into(), "away".into()),
        "after a restart of the server"
    );
    far.machine.restart();
    let ended = json(far.ann.cli(), &["wait", &id]);
    assert_eq!(
        (text(&ended, "state"), number(&ended, "files_done")),
        ("done".into(), 1),
        "{ended}"
    );
}

#[test]
fn every_terminal_sees_a_transfer_move_and_the_one_that_ordered_it_may_leave() {
    let far = Far::new();
    let other = far.ann.other_terminal();
    let events = other.start(["events", "--json"]);
    wait_until("the events are open", SOON, || !events.lines().is_empty());
    far.proxy.allow(Way::Up, MIB);
    let id = order(far.ann.cli(), "desk:Documents");
    let seen = |state: &str| {
        let lines = events
            .lines()
            .into_iter()
            .map(|line| serde_json::from_str::<serde_json::Value>(&line).unwrap());
        let own = lines.filter(|event| event["event"] == "transfer" && event["id"] == id.as_str());
        own.filter(|event| event["state"] == state).collect::<Vec<_>>()
    };
    // The news of it goes by the same way: so it is slow, and never stands still.
    wait_until("progress is seen", LONG, || {
        far.proxy.allow(Way::Up, MIB / 16);
        seen("running").iter().any(|event| number(event, "bytes_sent") > 0)
    });
    assert!(seen("done").is_empty());
    far.ann.cli().run(["logout"]).expect_ok();
    far.proxy.open();
    wait_until("the end is seen", LONG, || !seen("done").is_empty());
    let running = seen("running");
    let sent: Vec<_> = running.iter().map(|event| number(event, "bytes_sent")).collect();
    assert!(sent.is_sorted(), "progress went backwards: {sent:?}");
    let drive_changed = |line: &String| line.contains(r#""event":"drive""#);
    assert!(
        events.lines().iter().any(drive_changed),
        "nobody was told that the drive changed"
    );
    let list = json(&other, &["transfers"]);
    assert_eq!((rows(&list).len(), text(&rows(&list)[0], "id")), (1, id));
}

#[test]
fn a_terminal_that_sleeps_holds_nobody_up_and_catches_up() {
    let far = Far::with_files(10);
    let other = far.ann.other_terminal();
    let mut events = other.start(["events", "--json"]);
    wait_until("the events are open", SOON, || !events.lines().is_empty());
    events.signal(Signal::STOP);
    let ids: Vec<_> = (0..10)
        .map(|number| order(far.ann.cli(), &format!("desk:Documents/file-{number}")))
        .collect();
    for id in &ids {
        run(far.ann.cli(), &["wait", id]).expect_ok();
    }
    events.signal(Signal::CONT);
    let is_done = |id: &String| {
        let lines = events.lines();
        lines
            .iter()
            .any(|line| line.contains(id.as_str()) && line.contains(r#""state":"done""#))
    };
    wait_until("the end of each is seen", SOON, || ids.iter().all(is_done));
}

#[test]
fn an_upload_that_is_over_is_not_done_again_when_the_agent_starts() {
    let mut far = Far::with_files(3);
    let id = order(far.ann.cli(), "desk:Documents/file-1");
    run(far.ann.cli(), &["wait", &id]).expect_ok();
    let before = transfer(far.ann.cli(), &id);
    let passed = far.proxy.passed(Way::Up);
    far.machine.restart();
    json(far.ann.cli(), &["ls", "desk:Documents"]);
    assert_eq!(transfer(far.ann.cli(), &id), before);
    assert!(far.proxy.passed(Way::Up) - passed < MIB);
}

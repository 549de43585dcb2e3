//! Ann pastes one line on a machine, and the machine is in her control list.

use std::{thread, time::Instant};

use beckon_tests::{Account, Cli, FakeClock, Machine, Process, Server, wait_for, wait_until};
use serde_json::Value;

use crate::scene::{Desk, IN_TIME, SOON, expect_refusal, json, rows, run, text};

/// The newest that a list of events says of a device.
fn newest(events: &Process, name: &str) -> Option<Value> {
    let lines = events.lines().into_iter().rev();
    let mut events = lines.map(|line| serde_json::from_str::<Value>(&line).expect("events are JSON"));
    events.find(|event| event["event"] == "device" && event["name"] == name)
}

fn is_online(events: &Process, name: &str) -> bool {
    newest(events, name).is_some_and(|event| event["online"] == true)
}

#[test]
fn a_machine_joins_by_one_line_with_no_controller_open() {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let code = ann.join_code(&[]);
    let folder = tempfile::tempdir().unwrap();
    let mut desk = Machine::join_with(server.url(), &code, "desk")
        .root("Documents", folder.path())
        .start();

    let machines = json(ann.cli(), &["machines"]);
    let [machine] = rows(&machines) else {
        panic!("{machines}")
    };
    assert_eq!(
        (text(machine, "name"), text(machine, "id")),
        ("desk".into(), desk.id().to_owned())
    );
    assert_eq!(
        (text(machine, "kind"), text(machine, "address")),
        ("agent".into(), "127.0.0.1".into())
    );
    assert!(
        machine["online"] == true && machine["port"].as_u64().unwrap() > 0,
        "{machine}"
    );
    assert!(text(machine, "last_seen").ends_with('Z'), "{machine}");

    desk.stop();
    wait_until("the machine is away", SOON, || {
        json(ann.cli(), &["machines"])[0]["online"] == false
    });
}

#[test]
fn a_machine_that_comes_and_goes_is_seen_in_an_open_control_list_within_two_seconds() {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let other = ann.other_terminal();
    let lists = [ann.cli().start(["events", "--json"]), other.start(["events", "--json"])];
    wait_until("both lists are open", SOON, || {
        lists.iter().all(|list| list.lines().len() >= 2)
    });

    let mut desk = Machine::join(&ann, "desk").start();
    for list in &lists {
        wait_until("the machine is there", IN_TIME, || is_online(list, "desk"));
    }
    desk.stop();
    for list in &lists {
        wait_until("the machine is away", IN_TIME, || !is_online(list, "desk"));
    }
    desk.restart();
    desk.kill();
    for list in &lists {
        wait_until("the machine is away that was killed", IN_TIME, || {
            !is_online(list, "desk")
        });
    }
}

#[test]
fn a_machine_that_joined_is_listed_before_its_agent_runs() {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let list = ann.cli().start(["events", "--json"]);
    wait_until("the list is open", SOON, || !list.lines().is_empty());
    Machine::join(&ann, "desk").redeem(&Cli::new()).expect_ok();
    let row = wait_for("the machine is listed", IN_TIME, || newest(&list, "desk"));
    assert_eq!((&row["online"], &row["joined_by_code"]), (&false.into(), &true.into()));
}

#[test]
fn a_code_can_be_typed_into_standard_input_in_small_letters_and_without_dashes() {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let code = ann.join_code(&[]);
    let typed = format!("bk1-{}\n", code[4..].replace('-', "").to_lowercase());
    let cli = Cli::new();
    cli.run_with_input(["join", server.url(), "-", "--name", "desk"], &typed)
        .expect_ok();
    assert_eq!(text(&json(&cli, &["status"])["machine"], "name"), "desk");
}

#[test]
fn a_code_that_was_used_is_refused() {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let code = ann.join_code(&[]);
    Machine::join_with(server.url(), &code, "desk")
        .redeem(&Cli::new())
        .expect_ok();
    let again = run(&Cli::new(), &["join", server.url(), &code, "--name", "thief"]);
    expect_refusal(&again, 1, "code-spent");
    assert!(
        text(&again.json_error(), "message").contains("join-code"),
        "does not say how to get another: {again}"
    );
    assert_eq!(rows(&json(ann.cli(), &["machines"])).len(), 1);
}

#[test]
fn a_code_with_several_uses_is_good_for_as_many_machines() {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let code = ann.join_code(&["--uses", "2"]);
    for name in ["desk", "laptop"] {
        Machine::join_with(server.url(), &code, name)
            .redeem(&Cli::new())
            .expect_ok();
    }
    expect_refusal(
        &run(&Cli::new(), &["join", server.url(), &code, "--name", "third"]),
        1,
        "code-spent",
    );
}

#[test]
fn a_code_lapses_by_the_server_s_clock() {
    let clock = FakeClock::new();
    let options = clock
        .env()
        .into_iter()
        .fold(Server::options(), |options, (name, value)| options.env(name, value));
    let server = options.start();
    let ann = Account::sign_up(&server, "ann");
    let (short, long) = (ann.join_code(&["--for", "15m"]), ann.join_code(&["--for", "2h"]));
    clock.shift("+16m");
    expect_refusal(
        &run(&Cli::new(), &["join", server.url(), &short, "--name", "late"]),
        1,
        "code-spent",
    );
    run(&Cli::new(), &["join", server.url(), &long, "--name", "early"]).expect_ok();
}

#[test]
fn a_code_with_a_typing_error_or_of_another_server_is_refused() {
    let (server, other) = (Server::start(), Server::start());
    let code = Account::sign_up(&other, "ann").join_code(&[]);
    Account::sign_up(&server, "ann");
    let last = if code.ends_with('0') { '1' } else { '0' };
    let typo = format!("{}{last}", &code[..code.len() - 1]);
    expect_refusal(&run(&Cli::new(), &["join", server.url(), &typo]), 2, "usage");
    expect_refusal(&run(&Cli::new(), &["join", server.url(), &code]), 1, "code-spent");
}

#[test]
fn eight_terminals_that_redeem_one_code_at_once_get_exactly_one_machine() {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let code = ann.join_code(&[]);
    let outputs: Vec<_> = thread::scope(|scope| {
        let join = |number| {
            let (url, code) = (server.url(), &code);
            move || {
                run(
                    &Cli::new(),
                    &["join", url, code, "--name", &format!("machine {number}")],
                )
            }
        };
        let threads: Vec<_> = (0..8).map(|number| scope.spawn(join(number))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let (joined, refused): (Vec<_>, Vec<_>) = outputs.iter().partition(|output| output.code() == 0);
    assert_eq!((joined.len(), refused.len()), (1, 7), "{outputs:?}");
    for output in refused {
        expect_refusal(output, 1, "code-spent");
    }
    assert_eq!(rows(&json(ann.cli(), &["machines"])).len(), 1);
}

#[test]
fn a_machine_is_renamed_and_keeps_its_new_name() {
    let mut desk = Desk::with(|_| {});
    Machine::join(&desk.ann, "laptop").redeem(&Cli::new()).expect_ok();
    expect_refusal(
        &run(desk.cli(), &["device", "rename", "desk", "laptop"]),
        1,
        "name-taken",
    );
    expect_refusal(&run(desk.cli(), &["device", "rename", "desk", "a/b"]), 2, "usage");
    run(desk.cli(), &["device", "rename", "desk", "office pc"]).expect_ok();
    let shown = json(desk.cli(), &["device", "show", "office pc"]);
    assert_eq!(
        (text(&shown, "id"), shown["online"].as_bool()),
        (desk.machine.id().to_owned(), Some(true))
    );
    expect_refusal(&run(desk.cli(), &["device", "show", "desk"]), 1, "not-found");
    desk.machine.restart();
    assert_eq!(desk.machine.name(), "office pc");
}

#[test]
fn two_machines_with_one_wanted_name_get_two_names() {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let code = ann.join_code(&["--uses", "2"]);
    let join = || {
        text(
            &run(&Cli::new(), &["join", server.url(), &code, "--name", "desk"])
                .expect_ok()
                .json(),
            "name",
        )
    };
    let (first, second) = (join(), join());
    assert_eq!(first, "desk");
    assert!(second != "desk" && second.starts_with("desk"), "{second}");
}

#[test]
fn everything_that_is_known_of_a_machine_is_shown() {
    let desk = Desk::with(|_| {});
    let shown = json(desk.cli(), &["device", "show", "desk"]);
    let by_id = json(desk.cli(), &["device", "show", desk.machine.id()]);
    assert_eq!(shown["id"], by_id["id"]);
    assert!(!text(&shown, "os").is_empty(), "{shown}");
    assert_eq!(text(&shown, "version"), env!("CARGO_PKG_VERSION"));
    assert_eq!(
        (text(&shown, "address"), shown["revoked"].as_bool()),
        ("127.0.0.1".into(), Some(false))
    );
    assert!(text(&shown, "first_seen") <= text(&shown, "last_seen"), "{shown}");
    assert_eq!(shown["roots"][0]["name"], "Documents");
    // The addresses of the machine's own interfaces, with hardware addresses where an interface has one.
    let addresses = rows(&shown["addresses"]);
    let has_card = std::fs::read_dir("/sys/class/net")
        .unwrap()
        .any(|card| card.unwrap().file_name() != "lo");
    assert!(!has_card || !addresses.is_empty(), "{shown}");
    assert!(
        addresses
            .iter()
            .all(|at| at["mac"].is_null() || text(at, "mac").len() == 17),
        "{shown}"
    );
}

#[test]
fn every_visit_is_remembered() {
    let mut desk = Desk::with(|_| {});
    desk.machine.restart();
    wait_until("the first visit has ended", SOON, || {
        let visits = json(desk.cli(), &["device", "visits", "desk"]);
        let [now, before] = rows(&visits) else { return false };
        let both = text(now, "started") >= text(before, "started") && now["address"] == "127.0.0.1";
        both && now["ended"].is_null() && before["ended"].is_string()
    });
}

#[test]
fn a_terminal_is_in_the_control_list_too() {
    let desk = Desk::with(|_| {});
    let devices = json(desk.cli(), &["devices"]);
    let mut kinds: Vec<_> = rows(&devices).iter().map(|device| text(device, "kind")).collect();
    kinds.sort();
    assert_eq!(kinds, ["agent", "cli"]);
    assert_eq!(rows(&json(desk.cli(), &["machines"])).len(), 1);
}

#[test]
fn roots_are_opened_and_closed_on_the_machine_while_its_agent_runs() {
    let desk = Desk::with(|_| {});
    let more = tempfile::tempdir().unwrap();
    let names = || -> Vec<String> {
        rows(&json(desk.cli(), &["ls", "desk"]))
            .iter()
            .map(|root| text(root, "name"))
            .collect()
    };
    assert_eq!(names(), ["Documents"]);
    let argument = format!("More={}", more.path().display());
    run(desk.machine.cli(), &["roots", "add", &argument]).expect_ok();
    wait_until("the new root is open", SOON, || names().contains(&"More".to_owned()));
    run(desk.machine.cli(), &["roots", "remove", "Documents"]).expect_ok();
    wait_until("the old root is closed", SOON, || names() == ["More"]);
    expect_refusal(&run(desk.cli(), &["ls", "desk:Documents"]), 1, "not-found");
}

#[test]
fn an_agent_tells_its_state_and_stops_when_asked() {
    let mut desk = Desk::with(|_| {});
    let status = json(desk.machine.cli(), &["status"]);
    assert_eq!(text(&status["machine"], "name"), "desk", "{status}");
    let second = desk.machine.cli().run(["run"]);
    assert_eq!(second.code(), 1, "two agents run on one state folder: {second}");
    desk.machine.cli().run(["stop"]).expect_ok();
    assert!(desk.machine.process().wait(SOON).success());
}

#[test]
fn a_folder_that_is_not_there_cannot_be_opened() {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let cli = Cli::new();
    let start = Instant::now();
    let refused = run(
        &cli,
        &[
            "join",
            server.url(),
            &ann.join_code(&[]),
            "--root",
            "Nothing=/no/such/folder",
        ],
    );
    expect_refusal(&refused, 2, "bad-request");
    assert!(
        text(&refused.json_error(), "message").contains("/no/such/folder"),
        "{refused}"
    );
    assert!(start.elapsed() < SOON);
    assert_eq!(rows(&json(ann.cli(), &["machines"])).len(), 0, "it joined all the same");
}

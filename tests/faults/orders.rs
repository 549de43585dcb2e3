//! Orders that do not stand any more when their machine hears of them, and a machine that lost what it wrote down of them.

use std::fs;

use beckon_tests::{Account, Cli, FakeClock, Machine, Server, sample, wait_until};

use crate::scene::{Desk, LONG, SOON, json, number, order, run, text, transfer, upload};

fn wait_away(desk: &Desk) {
    wait_until("the machine is away", SOON, || {
        json(desk.cli(), &["machines"])[0]["online"] == false
    });
}

/// A transfer that has ended as failed; its error.
#[track_caller]
fn failure(cli: &Cli, id: &str) -> String {
    let ended = run(&cli.with_limit(LONG), &["wait", id]).json();
    assert_eq!(
        (text(&ended, "state"), number(&ended, "files_done")),
        ("failed".into(), 0),
        "{ended}"
    );
    text(&ended, "error")
}

#[test]
fn an_order_of_a_terminal_that_was_revoked_meanwhile_is_refused_with_the_reason() {
    let mut desk = Desk::with(sample::small_tree);
    let other = Cli::new();
    let password = desk.ann.password_file().display().to_string();
    let words = [
        "login",
        desk.server.url(),
        "--name",
        "ann",
        "--password-file",
        &password,
        "--device-name",
        "stolen",
    ];
    other.run(words).expect_ok();
    desk.machine.stop();
    wait_away(&desk);
    let id = order(&other, "desk:Documents");
    let revoke = ["device", "revoke", "stolen", "--password-file", &password];
    run(desk.cli(), &revoke).expect_ok();
    desk.machine.restart();
    let error = failure(desk.cli(), &id);
    assert!(error.contains("may not command this machine"), "{error}");
    desk.upload();
}

#[test]
fn an_order_that_lapsed_while_its_machine_was_away_is_not_carried_out() {
    let clock = FakeClock::new();
    let env = || clock.env().into_iter();
    let server = env()
        .fold(Server::options(), |options, (name, value)| options.env(name, value))
        .start();
    let ann = Account::sign_up(&server, "ann");
    let folder = tempfile::tempdir().unwrap();
    sample::small_tree(folder.path());
    let joining = Machine::join(&ann, "desk").root("Documents", folder.path());
    let machine = env()
        .fold(joining, |joining, (name, value)| joining.env(name, value))
        .start();
    let mut desk = Desk::of(machine, ann, server, folder);
    desk.machine.stop();
    wait_away(&desk);
    let id = text(
        &json(desk.cli(), &["upload", "desk:Documents", "--expires", "2h"]),
        "id",
    );
    clock.shift("+3h");
    desk.machine.restart();
    let error = failure(desk.cli(), &id);
    assert!(error.contains("expired"), "{error}");
}

#[test]
fn a_machine_whose_journal_is_damaged_says_so_and_refuses_what_may_have_run_before() {
    let clock = FakeClock::new();
    let env = || clock.env().into_iter();
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let folder = tempfile::tempdir().unwrap();
    sample::small_tree(folder.path());
    let joining = Machine::join(&ann, "desk").root("Documents", folder.path());
    let machine = env()
        .fold(joining, |joining, (name, value)| joining.env(name, value))
        .start();
    let mut desk = Desk::of(machine, ann, server, folder);
    desk.upload();
    desk.machine.stop();
    wait_away(&desk);
    let before = order(desk.cli(), "desk:Documents");
    let journal = desk.machine.cli().state().join("journal.redb");
    let length = fs::metadata(&journal).unwrap().len() as usize;
    fs::write(&journal, vec![0x5a; length]).unwrap();
    desk.machine.restart();
    let error = failure(desk.cli(), &before);
    assert!(error.contains("lost its record of the orders"), "{error}");
    let status = desk.machine.cli().run(["status"]).expect_ok().stdout();
    assert!(status.contains("orders from before"), "{status}");
    // What was damaged is kept for whoever wants to look at it, and nothing of what was uploaded is sent again.
    let kept = fs::read_dir(desk.machine.cli().state()).unwrap();
    let names: Vec<_> = kept.map(|entry| entry.unwrap().file_name()).collect();
    assert!(
        names
            .iter()
            .any(|name| name.to_string_lossy().starts_with("journal.redb.")),
        "{names:?}"
    );
    assert_eq!(transfer(desk.cli(), &before)["bytes_sent"], 0);
}

#[test]
fn a_machine_whose_index_is_damaged_says_so_and_sends_nothing_twice() {
    let mut desk = Desk::with(sample::small_tree);
    desk.upload();
    desk.machine.stop();
    let index = desk.machine.cli().state().join("index.redb");
    // In the middle, so that its beginning looks sound.
    let middle = fs::metadata(&index).unwrap().len() / 2;
    for offset in 0..4096 {
        sample::change_byte(&index, middle + offset);
    }
    desk.machine.restart();
    let again = upload(desk.cli(), "desk:Documents");
    assert_eq!(number(&again, "bytes_sent"), 0, "{again}");
}

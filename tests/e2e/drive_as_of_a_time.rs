//! The drive as it stood at a time: looked at, fetched, put back, written onto a machine; and how long versions are kept.

use std::{fs, path::Path};

use beckon_shared::{fault::CLEAN_EVERY, time::Timestamp};
use beckon_tests::{Account, Cli, Machine, Server, tree::assert_same_tree, wait_until};
use serde_json::Value;
use tempfile::TempDir;

use crate::scene::{Desk, LONG, expect_refusal, get, json, number, old_file, rows, run, text};

/// The present moment, which is over when it is given.
fn moment() -> String {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let now = now.as_millis() as i64;
    wait_until("the next millisecond", LONG, || {
        let later = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        later.unwrap().as_millis() as i64 > now + 2
    });
    Timestamp(now + 1).to_string()
}

#[track_caller]
fn names(cli: &Cli, place: &str, at: &str) -> Vec<String> {
    let list = json(cli, &["drive", "ls", place, "--at", at]);
    rows(&list).iter().map(|row| text(row, "name")).collect()
}

#[track_caller]
fn put(cli: &Cli, folder: &Path, name: &str, content: &str) {
    let file = folder.join(name);
    fs::write(&file, content).unwrap();
    cli.run(["put", file.to_str().unwrap(), "--to", "Files/letters"])
        .expect_ok();
}

#[track_caller]
fn read(cli: &Cli, place: &str, at: Option<&str>) -> String {
    let mut args = vec!["get", place, "-o", "-"];
    args.extend(at.iter().flat_map(|at| ["--at", at]));
    cli.run(args).expect_ok().stdout()
}

/// `Files/letters` held `a` and `b` first; then `a` was changed, `b` renamed, `c` came, and all of it was deleted.
struct Told {
    _server: Server,
    ann: Account,
    folder: TempDir,
    first: String,
    second: String,
}

fn told() -> Told {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let folder = tempfile::tempdir().unwrap();
    let (cli, here) = (ann.cli(), folder.path());
    put(cli, here, "a", "a1");
    put(cli, here, "b", "b1");
    let first = moment();
    put(cli, here, "a", "a2");
    cli.run(["drive", "mv", "Files/letters/b", "Files/letters/bee"])
        .expect_ok();
    put(cli, here, "c", "c1");
    let second = moment();
    cli.run(["drive", "rm", "Files/letters"]).expect_ok();
    Told {
        _server: server,
        ann,
        folder,
        first,
        second,
    }
}

#[test]
fn a_folder_is_listed_and_fetched_as_it_stood() {
    let told = told();
    let cli = told.ann.cli();
    assert_eq!(names(cli, "Files/letters", &told.first), ["a", "b"]);
    assert_eq!(names(cli, "Files/letters", &told.second), ["a", "bee", "c"]);
    let before = run(cli, &["drive", "ls", "Files/letters", "--at", "1d"]);
    expect_refusal(&before, 1, "not-found");
}

#[test]
fn files_folders_and_archives_come_as_they_were() {
    let told = told();
    let cli = told.ann.cli();
    assert_eq!(read(cli, "Files/letters/a", Some(&told.first)), "a1");
    assert_eq!(read(cli, "Files/letters/a", Some(&told.second)), "a2");
    let expected = told.folder.path().join("expected");
    fs::create_dir(&expected).unwrap();
    fs::write(expected.join("a"), "a1").unwrap();
    fs::write(expected.join("b"), "b1").unwrap();
    let back = told.folder.path().join("back");
    let shown = back.display().to_string();
    cli.run(["get", "Files/letters", "--at", &told.first, "-o", &shown])
        .expect_ok();
    assert_same_tree(&expected, &back);
    let zip = told.folder.path().join("letters.zip").display().to_string();
    cli.run(["get", "Files/letters", "--at", &told.first, "--zip", &zip])
        .expect_ok();
    let listed = std::process::Command::new("unzip")
        .args(["-Z1", &zip])
        .output()
        .unwrap();
    let mut listed: Vec<_> = String::from_utf8(listed.stdout)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect();
    listed.sort();
    assert_eq!(listed, ["letters/", "letters/a", "letters/b"]);
    let gone = run(cli, &["drive", "ls", "Files/letters"]);
    expect_refusal(&gone, 1, "not-found");
    let live = run(cli, &["get", "desk:Documents/a", "--at", "3d"]);
    expect_refusal(&live, 2, "usage");
}

#[test]
fn what_stood_there_is_put_back_and_nothing_is_lost() {
    let told = told();
    let cli = told.ann.cli();
    let back = json(cli, &["drive", "restore", "Files/letters", "--at", &told.second]);
    assert_eq!((number(&back, "back"), number(&back, "lost")), (4, 0), "{back}");
    let back = json(cli, &["drive", "restore", "Files/letters", "--at", &told.first]);
    assert_eq!((number(&back, "changed"), number(&back, "back")), (1, 1), "{back}");
    let now = json(cli, &["drive", "ls", "Files/letters"]);
    let now: Vec<_> = rows(&now).iter().map(|row| text(row, "name")).collect();
    assert_eq!(now, ["a", "b", "bee", "c"]);
    assert_eq!(read(cli, "Files/letters/a", None), "a1");
    assert_eq!(read(cli, "Files/letters/b", None), "b1");
    assert_eq!(rows(&json(cli, &["drive", "versions", "Files/letters/a"])).len(), 3);
    let again = json(cli, &["drive", "restore", "Files/letters", "--at", &told.first]);
    assert_eq!((number(&again, "changed"), number(&again, "back")), (0, 0), "{again}");
}

#[test]
fn an_older_state_of_a_root_is_written_onto_a_machine() {
    let desk = Desk::with(|root| {
        old_file(&root.join("plan"), "the first plan");
        old_file(&root.join("notes"), "notes");
    });
    desk.upload();
    let first = moment();
    let expected = tempfile::tempdir().unwrap();
    get(desk.cli(), "desk/Documents", &expected.path().join("then"));
    fs::write(desk.path("plan"), "the second plan").unwrap();
    fs::write(desk.path("later"), "came later").unwrap();
    desk.upload();
    let folder = tempfile::tempdir().unwrap();
    let _copy = Machine::join(&desk.ann, "copy")
        .writable_root("Copy", folder.path())
        .start();
    let args = [
        "drive",
        "restore",
        "desk/Documents",
        "--at",
        &first,
        "--on",
        "copy:Copy/then",
        "--wait",
    ];
    let transfer = json(&desk.cli().with_limit(LONG), &args);
    assert_eq!(transfer["state"], "done", "{transfer}");
    assert_same_tree(&expected.path().join("then"), &folder.path().join("then"));
    let args = [
        "drive",
        "restore",
        "desk/Documents/plan",
        "--on",
        "copy:Copy/plan-of-now",
        "--wait",
    ];
    let transfer = json(&desk.cli().with_limit(LONG), &args);
    assert_eq!(transfer["state"], "done", "{transfer}");
    assert_eq!(
        fs::read_to_string(folder.path().join("plan-of-now")).unwrap(),
        "the second plan"
    );
    let refused = run(desk.cli(), &["drive", "restore", "desk", "--on", "copy:Copy/all"]);
    expect_refusal(&refused, 1, "conflict");
}

fn versions(cli: &Cli, place: &str) -> usize {
    rows(&json(cli, &["drive", "versions", place])).len()
}

#[test]
fn older_versions_go_by_a_rule_that_was_shown_before() {
    let server = Server::options().env(CLEAN_EVERY, "300").start();
    let ann = Account::sign_up(&server, "ann");
    let folder = tempfile::tempdir().unwrap();
    let cli = ann.cli();
    for content in ["one", "two", "three"] {
        put(cli, folder.path(), "a", content);
    }
    let rule = ["drive", "retention", "--daily", "1d"];
    let plan: Value = json(cli, &[rule.as_slice(), &["--plan"]].concat());
    assert_eq!((number(&plan, "versions"), number(&plan, "files")), (2, 1), "{plan}");
    assert_eq!(rows(&plan["first"]).len(), 2, "{plan}");
    json(cli, &rule);
    assert_eq!(versions(cli, "Files/letters/a"), 3, "without --yes nothing is set");
    json(cli, &[rule.as_slice(), &["--yes"]].concat());
    wait_until("the older versions are gone", LONG, || {
        versions(cli, "Files/letters/a") == 1
    });
    assert_eq!(read(cli, "Files/letters/a", None), "three");
    let shown = cli.run(["drive", "retention"]).expect_ok().stdout();
    assert!(shown.contains("one a day for 1 day"), "{shown}");
    let bad = run(
        cli,
        &["drive", "retention", "--keep-all", "30d", "--daily", "7d", "--plan"],
    );
    expect_refusal(&bad, 2, "bad-request");
    let nothing = run(cli, &["drive", "retention", "--plan"]);
    expect_refusal(&nothing, 2, "usage");
}

#[test]
fn a_root_has_a_rule_of_its_own() {
    let desk = Desk::with(|root| old_file(&root.join("plan"), "one"));
    desk.upload();
    fs::write(desk.path("plan"), "two").unwrap();
    desk.upload();
    let cli = desk.cli();
    let plan = json(cli, &["drive", "retention", "desk/Documents", "--daily", "1d", "--yes"]);
    assert_eq!(number(&plan, "versions"), 1, "{plan}");
    let all = json(cli, &["drive", "retention"]);
    assert_eq!(all["default"]["forever"], true, "{all}");
    assert_eq!(all["roots"][0]["rule"]["daily_days"], 1, "{all}");
    json(cli, &["drive", "retention", "desk/Documents", "--inherit", "--yes"]);
    let all = json(cli, &["drive", "retention"]);
    assert!(all["roots"][0]["rule"].is_null(), "{all}");
}

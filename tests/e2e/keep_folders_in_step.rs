//! Folders that are kept stored, and copies of them that are kept current, from the command line.

use std::fs;

use beckon_tests::{Machine, sample, tree::assert_same_tree, wait_until};
use serde_json::Value;
use tempfile::TempDir;

use crate::scene::{Desk, LONG, SOON, expect_refusal, json, number, rows, run, text, transfer, upload};

/// A machine called `copy` with the writable root `Copy` and the root `Closed` for reading.
struct Copy {
    machine: Machine,
    root: TempDir,
    closed: TempDir,
}

impl Copy {
    #[track_caller]
    fn join(desk: &Desk) -> Self {
        let [root, closed] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let machine = Machine::join(&desk.ann, "copy")
            .writable_root("Copy", root.path())
            .root("Closed", closed.path())
            .start();
        Self { machine, root, closed }
    }
}

fn desk() -> Desk {
    Desk::with(sample::small_tree)
}

/// Orders something and waits until nothing is left to do; the transfer then.
#[track_caller]
fn settled(desk: &Desk, args: &[&str]) -> Value {
    let all: Vec<&str> = args.iter().copied().chain(["--wait"]).collect();
    json(&desk.cli().with_limit(LONG), &all)
}

#[track_caller]
fn in_drive(desk: &Desk, folder: &str, name: &str) -> bool {
    let list = run(desk.cli(), &["drive", "ls", folder]);
    list.code() == 0 && rows(&list.json()).iter().any(|row| row["name"] == name)
}

#[test]
fn a_watched_root_is_stored_until_it_is_watched_no_longer() {
    let desk = desk();
    let watch = settled(&desk, &["watch", "desk:Documents"]);
    assert_eq!(
        (text(&watch, "task"), text(&watch, "hold")),
        ("watch".into(), "current".into())
    );
    crate::scene::assert_comes_back(desk.cli(), desk.root());
    let again = json(desk.cli(), &["watch", "desk:Documents"]);
    assert_eq!(again["id"], watch["id"], "it is watched already");
    let waited = json(desk.cli(), &["wait", &text(&watch, "id")]);
    assert_eq!(waited["hold"], "current", "waiting ends while nothing is left to do");

    sample::text(&desk.path("new note.txt"), "a note");
    wait_until("the new file is stored", SOON, || {
        in_drive(&desk, "desk/Documents", "new note.txt")
    });
    wait_until("it is up to date again", SOON, || {
        let listed = desk.cli().run(["transfers"]).expect_ok();
        listed.stdout().contains("watch") && listed.stdout().contains("up to date")
    });

    let stopped = json(desk.cli(), &["watch", "desk:Documents", "--stop"]);
    assert_eq!(
        (&stopped["id"], text(&stopped, "state")),
        (&watch["id"], "cancelled".into())
    );
    expect_refusal(&run(desk.cli(), &["watch", "desk:Documents", "--stop"]), 1, "not-found");
    expect_refusal(&run(desk.cli(), &["watch", "desk:Documents/sub"]), 2, "usage");
}

#[test]
fn a_copy_follows_what_is_saved_and_is_given_up_by_hand() {
    let desk = desk();
    let copy = Copy::join(&desk);
    settled(&desk, &["watch", "desk:Documents"]);
    let follow = settled(&desk, &["follow", "desk:Documents", "--on", "copy:Copy"]);
    assert_eq!(
        (text(&follow, "task"), text(&follow, "from")),
        ("follow".into(), "desk/Documents".into())
    );
    assert_same_tree(desk.root(), copy.root.path());
    let again = json(desk.cli(), &["follow", "desk:Documents", "--on", "copy:Copy"]);
    assert_eq!(again["id"], follow["id"]);

    sample::text(&desk.path("later.txt"), "later");
    wait_until("it arrives", SOON, || {
        fs::read_to_string(copy.root.path().join("later.txt")).is_ok_and(|text| text == "later")
    });
    let show = || desk.cli().run(["transfers", "show", &text(&follow, "id")]).expect_ok();
    wait_until("it is up to date again", SOON, || {
        show().stdout().contains("desk/Documents to copy:Copy: up to date")
    });
    let shown = show();
    for part in ["from the server", "task     follow"] {
        assert!(shown.stdout().contains(part), "{part}: {shown}");
    }

    let stopped = json(desk.cli(), &["follow", "--stop", "--on", "copy:Copy"]);
    assert_eq!(stopped["state"], "cancelled");
    let gone = run(desk.cli(), &["follow", "--stop", "--on", "copy:Copy"]);
    expect_refusal(&gone, 1, "not-found");
    assert!(copy.root.path().join("later.txt").exists(), "the copy stays as it is");
}

#[test]
fn a_copy_is_made_once_of_a_live_folder_or_of_its_place_in_the_drive() {
    let desk = Desk::with(|folder| {
        fs::create_dir(folder.join("a")).unwrap();
        sample::text(&folder.join("a/one.txt"), "one");
    });
    let copy = Copy::join(&desk);
    upload(desk.cli(), "desk:Documents");
    for (source, place) in [("desk:Documents/a", "first"), ("desk/Documents/a", "second")] {
        let on = format!("copy:Copy/{place}");
        let done = settled(&desk, &["follow", source, "--on", &on, "--once"]);
        assert_eq!(
            (text(&done, "task"), text(&done, "state")),
            ("copy".into(), "done".into())
        );
        assert_same_tree(&desk.path("a"), &copy.root.path().join(place));
    }
}

#[test]
fn a_file_goes_into_a_root_or_a_folder_under_its_own_name() {
    let desk = Desk::with(|folder| sample::text(&folder.join("my plan.txt"), "the plan"));
    let copy = Copy::join(&desk);
    upload(desk.cli(), "desk:Documents");
    let there = |path: &str| fs::read_to_string(copy.root.path().join(path)).ok();
    let of_once = ["follow", "desk:Documents/my plan.txt", "--once", "--on"];
    let of_restore = ["drive", "restore", "desk/Documents/my plan.txt", "--on"];
    for (args, on, written) in [
        (of_once, "copy:Copy", "my plan.txt"),
        (of_once, "copy:Copy/a/", "a/my plan.txt"),
        (of_restore, "copy:Copy/b/", "b/my plan.txt"),
        (of_restore, "copy:Copy/c", "c"),
    ] {
        let ended = settled(&desk, &[args.as_slice(), &[on]].concat());
        assert_eq!(
            (text(&ended, "state"), number(&ended, "files_done")),
            ("done".into(), 1)
        );
        assert_eq!(there(written).as_deref(), Some("the plan"), "{on}");
    }
}

#[test]
fn what_a_stolen_machine_stored_is_restored_onto_another_one() {
    let desk = desk();
    let copy = Copy::join(&desk);
    upload(desk.cli(), "desk:Documents");
    let kept = settled(&desk, &["follow", "desk:Documents", "--on", "copy:Copy/kept"]);
    let password = desk.ann.password_file().display().to_string();
    run(desk.cli(), &["device", "revoke", "desk", "--password-file", &password]).expect_ok();
    wait_until("the copy that was kept current ends", SOON, || {
        transfer(desk.cli(), &text(&kept, "id"))["state"] == "failed"
    });
    let of_follow = ["follow", "desk/Documents", "--on"];
    let kept = run(desk.cli(), &[&of_follow[..], &["copy:Copy/anew"]].concat());
    expect_refusal(&kept, 3, "revoked");
    for (args, place) in [
        (&["drive", "restore", "desk/Documents", "--on"][..], "restored"),
        (&["follow", "--once", "desk/Documents", "--on"], "copied"),
    ] {
        let on = format!("copy:Copy/{place}");
        let done = settled(&desk, &[args, &[&on]].concat());
        assert_eq!(
            (text(&done, "task"), text(&done, "state")),
            ("copy".into(), "done".into())
        );
        assert_same_tree(desk.root(), &copy.root.path().join(place));
    }
}

#[test]
fn what_cannot_be_followed_says_why_and_what_helps() {
    let desk = desk();
    let copy = Copy::join(&desk);
    let cli = desk.cli();
    let read_only = run(cli, &["follow", "desk:Documents", "--on", "copy:Closed"]);
    expect_refusal(&read_only, 3, "not-allowed");
    let advice = text(&read_only.json_error(), "message");
    assert!(advice.contains("beckon roots writable Closed on"), "{advice}");
    let itself = run(cli, &["follow", "copy:Copy/a", "--on", "copy:Copy/a/b"]);
    expect_refusal(&itself, 2, "usage");

    let typing_error = run(cli, &["follow", "desk:Documentz", "--on", "copy:Copy"]);
    expect_refusal(&typing_error, 1, "not-found");
    let args = ["follow", "desk:Documents/plam.txt", "--on", "copy:Copy/plan", "--once"];
    expect_refusal(&run(cli, &args), 1, "not-found");

    let unwatched = cli.run(["follow", "desk:Documents", "--on", "copy:Copy"]).expect_ok();
    assert!(
        unwatched.stderr().contains("beckon watch desk:Documents"),
        "{unwatched}"
    );
    let taken = run(cli, &["follow", "desk:Documents/sub", "--on", "copy:Copy"]);
    expect_refusal(&taken, 1, "conflict");

    let opened = json(copy.machine.cli(), &["roots", "writable", "Closed", "on"]);
    assert_eq!(opened["writable"], true);
    wait_until("the machine tells that it may be written", SOON, || {
        run(cli, &["follow", "desk:Documents", "--on", "copy:Closed"]).code() == 0
    });
    copy.machine
        .cli()
        .run(["roots", "writable", "Closed", "off"])
        .expect_ok();
    let roots = json(copy.machine.cli(), &["roots"]);
    assert!(
        rows(&roots)
            .iter()
            .any(|root| root["name"] == "Closed" && root["writable"] == false)
    );
    assert!(copy.closed.path().exists());
}

#[test]
fn a_change_on_the_copy_is_listed_and_settled_from_the_command_line() {
    let desk = Desk::with(|folder| {
        for name in ["a.txt", "b.txt", "c.txt"] {
            sample::text(&folder.join(name), "from the desk");
        }
    });
    let copy = Copy::join(&desk);
    let at = |name: &str| copy.root.path().join(name);
    settled(&desk, &["watch", "desk:Documents"]);
    settled(&desk, &["follow", "desk:Documents", "--on", "copy:Copy"]);
    for name in ["a.txt", "b.txt", "c.txt"] {
        sample::text(&at(name), "changed on the copy");
        sample::text(&desk.path(name), "changed on the desk as well");
    }
    let listed = || json(desk.cli(), &["conflicts", "copy:Copy"]);
    wait_until("the conflicts are listed", SOON, || rows(&listed()).len() == 3);
    let conflicts = listed();
    let first = &rows(&conflicts)[0];
    assert_eq!(
        (text(first, "path"), text(first, "root")),
        ("a.txt".into(), "Copy".into())
    );
    assert_eq!(number(&first["ours"], "size"), "changed on the copy".len() as u64);
    assert_eq!(fs::read_to_string(at("a.txt")).unwrap(), "changed on the desk as well");

    for (choice, name) in [("theirs", "a.txt"), ("ours", "b.txt"), ("both", "c.txt")] {
        let kept = json(desk.cli(), &["conflicts", "keep", choice, &format!("copy:Copy/{name}")]);
        assert_eq!(kept["settled"][0], name);
    }
    assert!(rows(&listed()).is_empty(), "{}", listed());
    assert_eq!(fs::read_to_string(at("a.txt")).unwrap(), "changed on the desk as well");
    assert_eq!(fs::read_to_string(at("b.txt")).unwrap(), "changed on the copy");
    let again = run(desk.cli(), &["conflicts", "keep", "theirs", "copy:Copy/a.txt"]);
    expect_refusal(&again, 1, "not-found");
}

#[test]
fn what_a_root_leaves_out_is_tried_set_and_printed() {
    let desk = Desk::with(|folder| {
        sample::text(&folder.join("keep.txt"), "keep");
        sample::text(&folder.join("scratch.tmp"), "scratch");
        fs::create_dir(folder.join("build")).unwrap();
        sample::text(&folder.join("build/out.o"), "object");
    });
    let cli = desk.cli();
    let tried = json(
        cli,
        &[
            "ignore",
            "desk:Documents",
            "--add",
            "*.tmp",
            "--add",
            "/build/",
            "--preview",
        ],
    );
    assert_eq!((number(&tried, "files"), tried["whole"].as_bool()), (2, Some(true)));
    let none = cli.run(["ignore", "desk:Documents"]).expect_ok();
    assert_eq!(none.stdout(), "", "nothing was set");
    assert!(none.stderr().contains("nothing is left out"), "{none}");

    json(cli, &["ignore", "desk:Documents", "--add", "*.tmp", "--add", "/build/"]);
    upload(cli, "desk:Documents");
    let names: Vec<String> = rows(&json(cli, &["drive", "ls", "desk/Documents"]))
        .iter()
        .map(|row| text(row, "name"))
        .collect();
    assert_eq!(names, ["keep.txt"]);
    let states = desk.in_drive("desk:Documents");
    assert!(states.contains(&("scratch.tmp".into(), "ignored".into())), "{states:?}");

    json(cli, &["ignore", "desk:Documents", "--remove", "*.tmp"]);
    let set = cli
        .run_with_input(["ignore", "desk:Documents", "--set", "-"], "# mine\n*.o\n")
        .expect_ok();
    assert!(set.stdout().contains("1 pattern"), "{set}");
    let printed = cli.run(["ignore", "desk:Documents"]).expect_ok();
    assert_eq!(printed.stdout(), "# mine\n*.o\n");
    expect_refusal(
        &run(cli, &["ignore", "desk:Documents", "--remove", "*.tmp"]),
        2,
        "usage",
    );
}

//! Ann looks into the folders of a machine that she does not sit at.

use std::{
    ffi::OsString,
    fs::{self, File},
    os::unix::{
        ffi::{OsStrExt, OsStringExt},
        fs::symlink,
    },
    path::Path,
    time::{Duration, SystemTime},
};

use beckon_tests::sample;
use serde_json::Value;

use crate::scene::{Desk, LONG, SOON, expect_refusal, json, make_old, number, old_file, rows, run, text, upload};

/// The bytes of an entry's name.
fn name_bytes(entry: &Value) -> Vec<u8> {
    let Some(encoded) = entry["name_bytes"].as_str() else {
        return text(entry, "name").into_bytes();
    };
    base64(encoded)
}

/// Decodes base64 (RFC 4648, 4).
fn base64(text: &str) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text.trim_end_matches('=').bytes();
    let values = digits.map(|digit| ALPHABET.iter().position(|letter| *letter == digit).expect("base64") as u32);
    let (mut bytes, mut held, mut bits) = (Vec::new(), 0u32, 0);
    for value in values {
        held = held << 6 | value;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits) as u8);
            held &= (1 << bits) - 1;
        }
    }
    bytes
}

#[test]
fn a_folder_is_listed_with_kinds_sizes_and_times() {
    let desk = Desk::with(sample::small_tree);
    let list = json(desk.cli(), &["ls", "desk:Documents"]);
    let find = |name: &str| {
        rows(&list)
            .iter()
            .find(|entry| entry["name"] == name)
            .unwrap_or_else(|| panic!("{list}"))
    };
    assert_eq!(rows(&list).len(), fs::read_dir(desk.root()).unwrap().count());
    assert_eq!(
        (text(find("notes"), "kind"), text(find("today"), "kind")),
        ("folder".into(), "symlink".into())
    );
    let video = find("video.bin");
    assert_eq!(
        (text(video, "kind"), number(video, "size")),
        ("file".into(), fs::metadata(desk.path("video.bin")).unwrap().len())
    );
    let first_file = rows(&list).iter().position(|entry| entry["kind"] != "folder").unwrap();
    assert!(
        rows(&list)[first_file..].iter().all(|entry| entry["kind"] != "folder"),
        "folders come first: {list}"
    );
    let inner = json(desk.cli(), &["ls", "desk:Documents/notes/2024"]);
    assert_eq!(text(&rows(&inner)[0], "name"), "january.md");
}

#[test]
fn every_name_that_a_disk_can_hold_is_shown_and_found_again_by_its_ref() {
    let desk = Desk::with(|folder| {
        for name in sample::odd_names(&folder.join("odd")) {
            let inside = folder.join("folders").join(&name);
            fs::create_dir_all(&inside).unwrap();
            fs::write(inside.join("inside"), name.as_bytes()).unwrap();
        }
    });
    let mut expected: Vec<_> = fs::read_dir(desk.path("odd"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_vec())
        .collect();
    expected.sort();
    let list = json(desk.cli(), &["ls", "desk:Documents/odd"]);
    let mut names: Vec<_> = rows(&list).iter().map(name_bytes).collect();
    names.sort();
    assert_eq!(names, expected);
    for entry in rows(&json(desk.cli(), &["ls", "desk:Documents/folders"])) {
        let inside = json(desk.cli(), &["ls", &text(entry, "ref")]);
        assert_eq!(text(&rows(&inside)[0], "name"), "inside", "{entry}");
        assert_eq!(
            number(&rows(&inside)[0], "size"),
            name_bytes(entry).len() as u64,
            "another folder was listed: {entry}"
        );
    }
}

#[test]
fn a_name_that_is_not_utf8_can_be_typed_as_it_is() {
    let desk = Desk::with(|folder| drop(sample::odd_names(&folder.join("odd"))));
    let place = OsString::from_vec(b"desk:Documents/odd/invalid \xff\xfe utf-8".to_vec());
    let list = desk.cli().run(["--json".into(), "ls".into(), place]).expect_ok().json();
    assert_eq!(name_bytes(&rows(&list)[0]), b"invalid \xff\xfe utf-8");
}

#[test]
fn a_hostile_name_does_not_play_with_the_terminal() {
    let desk = Desk::with(|folder| {
        sample::odd_names(&folder.join("odd"));
        fs::write(folder.join("odd/\u{1b}[2Jclear"), "").unwrap();
    });
    let shown = desk.cli().run(["ls", "desk:Documents/odd"]).expect_ok();
    let raw = shown.stdout_bytes();
    assert!(
        !raw.contains(&0x1b) && !shown.stdout().contains('\u{202e}'),
        "{}",
        shown.stdout().escape_debug()
    );
    assert_eq!(
        shown.stdout().lines().count(),
        fs::read_dir(desk.path("odd")).unwrap().count(),
        "one line for each"
    );
}

/// The names of a listing with options.
#[track_caller]
fn names(desk: &Desk, options: &[&str]) -> Vec<String> {
    let cli = desk.cli().with_limit(LONG);
    let list = json(&cli, &[&["ls", "desk:Documents/long"], options].concat());
    rows(&list).iter().map(|entry| text(entry, "name")).collect()
}

#[test]
fn a_hundred_thousand_entries_come_complete_and_in_order_by_name_size_and_time() {
    const COUNT: u64 = 100_000;
    let size = |number: u64| (number * 7_919) % COUNT;
    let age = |number: u64| (number * 104_729) % COUNT;
    let desk = Desk::with(|folder| fill(&folder.join("long"), COUNT, size, age));
    let sorted = |key: &dyn Fn(u64) -> u64| {
        let mut numbers: Vec<_> = (0..COUNT).collect();
        numbers.sort_by_key(|number| key(*number));
        numbers
            .iter()
            .map(|number| format!("entry {number}.txt"))
            .collect::<Vec<_>>()
    };
    let same = |what: &str, got: Vec<String>, mut wanted: Vec<String>, options: &[&str]| {
        if options.contains(&"--desc") {
            wanted.reverse();
        }
        assert_eq!(got.len(), wanted.len(), "{what}: entries");
        let first = got.iter().zip(&wanted).position(|(got, wanted)| got != wanted);
        assert_eq!(
            first.map(|at| (at, &got[at], &wanted[at])),
            None,
            "{what}: first difference"
        );
    };
    same("by name", names(&desk, &[]), sorted(&|number| number), &[]);
    let options = ["--sort", "size"];
    same("by size", names(&desk, &options), sorted(&size), &options);
    let options = ["--sort", "time", "--desc"];
    same(
        "newest first",
        names(&desk, &options),
        sorted(&|number| COUNT - age(number)),
        &options,
    );
    assert_eq!(names(&desk, &["--offset", "99990"]), sorted(&|number| number)[99_990..]);
    assert_eq!(
        names(&desk, &["--offset", "50000", "--limit", "3"]),
        sorted(&|number| number)[50_000..50_003]
    );
}

/// Sparse files whose sizes and ages are all different.
fn fill(folder: &Path, count: u64, size: impl Fn(u64) -> u64, age: impl Fn(u64) -> u64) {
    fs::create_dir(folder).unwrap();
    let now = SystemTime::now();
    for number in 0..count {
        let file = File::create(folder.join(format!("entry {number}.txt"))).unwrap();
        file.set_len(size(number)).unwrap();
        file.set_modified(now - Duration::from_secs(age(number))).unwrap();
    }
}

#[test]
fn symlinks_are_shown_and_never_followed() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "not in any root").unwrap();
    let desk = Desk::with(|folder| {
        fs::create_dir(folder.join("inner")).unwrap();
        fs::write(folder.join("inner/file"), "").unwrap();
        symlink(outside.path(), folder.join("out")).unwrap();
        symlink("inner", folder.join("in")).unwrap();
        symlink("../../../../etc/passwd", folder.join("up")).unwrap();
    });
    let list = json(desk.cli(), &["ls", "desk:Documents"]);
    let links: Vec<_> = rows(&list).iter().filter(|entry| entry["kind"] == "symlink").collect();
    assert_eq!(links.len(), 3, "{list}");
    let target = |name: &str| text(links.iter().find(|link| link["name"] == name).unwrap(), "target");
    assert_eq!(
        (target("out"), target("in")),
        (outside.path().display().to_string(), "inner".into())
    );
    for place in ["out/secret", "in/file", "out/../out/secret"] {
        let refused = run(desk.cli(), &["ls", &format!("desk:Documents/{place}")]);
        assert!(
            refused.code() != 0 && !refused.stdout().contains("size"),
            "{place}: {refused}"
        );
    }
    for place in ["out", "in"] {
        let itself = json(desk.cli(), &["ls", &format!("desk:Documents/{place}")]);
        assert!(
            rows(&itself).len() == 1 && itself[0]["kind"] == "symlink",
            "{place}: {itself}"
        );
    }
    expect_refusal(&run(desk.cli(), &["ls", "desk:Documents/../secret"]), 2, "usage");
}

#[test]
fn the_state_in_the_drive_stands_beside_each_entry() {
    let desk = Desk::with(|folder| {
        old_file(&folder.join("old"), "before");
        old_file(&folder.join("sub/old"), "before");
        // Written a moment before the upload: its stamp alone proves nothing.
        sample::text(&folder.join("fresh"), "just now");
        symlink("old", folder.join("link")).unwrap();
        sample::special_files(folder);
    });
    let of = |states: &[(String, String)], name: &str| {
        states
            .iter()
            .find(|(other, _)| other == name)
            .map(|(_, state)| state.clone())
            .unwrap()
    };
    let before = desk.in_drive("desk:Documents");
    for (name, state) in &before {
        let expected = if ["fifo", "socket"].contains(&name.as_str()) {
            "never"
        } else {
            "no"
        };
        assert_eq!(state, expected, "{name} before the upload");
    }
    assert_eq!(before.len(), 6);
    desk.upload();
    for (name, state) in desk.in_drive("desk:Documents") {
        let expected = if ["fifo", "socket"].contains(&name.as_str()) {
            "never"
        } else {
            "safe"
        };
        assert_eq!(state, expected, "{name} after the upload");
    }
    fs::write(desk.path("old"), "after!").unwrap();
    fs::write(desk.path("sub/new"), "").unwrap();
    let after = desk.in_drive("desk:Documents");
    assert_eq!(
        (of(&after, "old"), of(&after, "fresh")),
        ("changed".into(), "safe".into())
    );
    assert_ne!(of(&after, "sub"), "safe", "a new file lies in it");
    assert_eq!(of(&desk.in_drive("desk:Documents/sub"), "new"), "no");
}

/// Three folders of old files: `many` with two of them, `other`, `third`.
fn three_folders() -> Desk {
    let desk = Desk::with(|folder| {
        for file in ["many/a", "many/b", "other/c", "third/d"] {
            fs::create_dir_all(folder.join(file).parent().unwrap()).unwrap();
            old_file(&folder.join(file), file);
        }
    });
    desk.upload();
    expect_states(&desk, ["safe", "safe", "safe"], "uploaded");
    desk
}

fn expect_states(desk: &Desk, expected: [&str; 3], when: &str) {
    let found = desk.in_drive("desk:Documents");
    let found: Vec<_> = found.iter().map(|(_, state)| state.as_str()).collect();
    assert_eq!(found, expected, "{when}");
}

fn drive(desk: &Desk, verb: &str, path: &str) {
    run(desk.cli(), &["drive", verb, path]).expect_ok();
}

#[test]
fn a_folder_is_not_safe_once_a_file_of_it_was_deleted_in_the_drive() {
    let desk = three_folders();
    drive(&desk, "rm", "desk/Documents/many/a");
    expect_states(&desk, ["no", "safe", "safe"], "deleted");
    drive(&desk, "restore", "desk/Documents/many/a");
    expect_states(&desk, ["safe", "safe", "safe"], "restored");
    fs::remove_file(desk.path("many/b")).unwrap();
    drive(&desk, "rm", "desk/Documents/many/b");
    expect_states(
        &desk,
        ["safe", "safe", "safe"],
        "what is gone on both sides matters to nobody",
    );
    drive(&desk, "rm", "desk/Documents");
    expect_states(&desk, ["no", "no", "no"], "all of it was deleted");
}

#[test]
fn a_folder_stays_safe_when_the_machine_hears_of_what_was_deleted_beside_it() {
    let desk = three_folders();
    drive(&desk, "rm", "desk/Documents/many/a");
    upload(desk.cli(), "desk:Documents/other");
    expect_states(
        &desk,
        ["no", "safe", "safe"],
        "it heard by the upload of another folder",
    );
    upload(desk.cli(), "desk:Documents/many");
    expect_states(&desk, ["safe", "safe", "safe"], "uploaded again");
}

#[test]
fn a_file_that_was_changed_back_in_the_same_moment_is_not_taken_for_safe_by_its_size() {
    let desk = Desk::with(|folder| old_file(&folder.join("file"), "one"));
    desk.upload();
    fs::write(desk.path("file"), "two").unwrap();
    make_old(&desk.path("file"));
    assert_eq!(desk.in_drive("desk:Documents"), [("file".into(), "changed".into())]);
}

#[test]
fn pipes_sockets_and_devices_are_shown_and_never_opened() {
    let desk = Desk::with(sample::special_files);
    let list = json(desk.cli(), &["ls", "desk:Documents"]);
    let kinds: Vec<_> = rows(&list)
        .iter()
        .map(|entry| (text(entry, "name"), text(entry, "kind")))
        .collect();
    assert_eq!(
        kinds,
        [("fifo".into(), "other".into()), ("socket".into(), "other".into())]
    );
    // Nobody writes to the pipe: an agent that opened it would hang here.
    let transfer = json(&desk.cli().with_limit(SOON), &["upload", "desk:Documents", "--wait"]);
    assert_eq!(
        (text(&transfer, "state"), number(&transfer, "files_done")),
        ("done".into(), 0),
        "{transfer}"
    );
}

#[test]
fn what_is_not_there_and_who_is_away_is_said_with_its_exit_code() {
    let mut desk = Desk::with(|_| {});
    expect_refusal(&run(desk.cli(), &["ls", "desk:Documents/nothing"]), 1, "not-found");
    expect_refusal(&run(desk.cli(), &["ls", "desk:Nothing"]), 1, "not-found");
    expect_refusal(&run(desk.cli(), &["ls", "nobody:Documents"]), 1, "not-found");
    desk.machine.stop();
    let away = run(desk.cli(), &["ls", "desk:Documents"]);
    expect_refusal(&away, 4, "away");
}

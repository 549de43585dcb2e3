//! What a machine uploads comes back equal: as files, trees, ZIPs, ranges and older versions.

use std::{
    fs,
    os::unix::fs::{MetadataExt, symlink},
    path::{Path, PathBuf},
};

use beckon_tests::{
    Account, Machine, Proxy, Server, Way, sample,
    tree::{self, assert_same_tree, tree_modes},
};

use crate::scene::{
    Back, Desk, LONG, MIB, expect_refusal, get, hash, json, number, order, rows, run, text, unzipped, upload,
};

/// The times of change of everything below a folder but symlinks, whose own times no program needs.
fn times(folder: &Path) -> Vec<(PathBuf, i64, i64)> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for path in fs::read_dir(next).unwrap().map(|entry| entry.unwrap().path()) {
            let metadata = path.symlink_metadata().unwrap();
            if metadata.is_dir() {
                open.push(path.clone());
            }
            if !metadata.is_symlink() {
                found.push((
                    path.strip_prefix(folder).unwrap().to_owned(),
                    metadata.mtime(),
                    metadata.mtime_nsec() / 1_000_000,
                ));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn a_tree_comes_back_with_its_names_contents_links_modes_and_times() {
    let desk = Desk::with(sample::small_tree);
    let transfer = desk.upload();
    let tree = tree::tree_hashes(desk.root());
    let files = tree
        .values()
        .filter(|entry| matches!(entry, tree::Entry::File(..)))
        .count() as u64;
    assert_eq!(
        (number(&transfer, "files_done"), number(&transfer, "files_total")),
        (files, files),
        "{transfer}"
    );
    assert_eq!(number(&transfer, "bytes_done"), number(&transfer, "bytes_total"));
    assert!(transfer["error"].is_null() && transfer["hold"] == "none", "{transfer}");

    let back = Back::new();
    let to = back.path("copy");
    get(desk.cli(), "desk/Documents", &to);
    assert_same_tree(desk.root(), &to);
    assert_eq!(tree_modes(desk.root()), tree_modes(&to));
    assert_eq!(times(desk.root()), times(&to));
}

#[test]
fn a_part_of_a_root_and_a_single_file_come_alone() {
    let desk = Desk::with(sample::small_tree);
    let transfer = upload(desk.cli(), "desk:Documents/notes/today.md");
    assert_eq!(number(&transfer, "files_total"), 1, "{transfer}");
    let transfer = upload(desk.cli(), "desk:Documents/tables");
    assert_eq!(number(&transfer, "files_total"), 1, "{transfer}");
    let list = json(desk.cli(), &["drive", "ls", "desk/Documents"]);
    let mut names: Vec<_> = rows(&list).iter().map(|node| text(node, "name")).collect();
    names.sort();
    assert_eq!(names, ["notes", "tables"]);
    let back = Back::new();
    get(desk.cli(), "desk/Documents/notes/today.md", &back.path("today.md"));
    assert_eq!(
        fs::read(back.path("today.md")).unwrap(),
        fs::read(desk.path("notes/today.md")).unwrap()
    );
}

#[test]
fn a_file_is_written_to_standard_output_or_into_a_folder_that_is_there() {
    let desk = Desk::with(sample::small_tree);
    desk.upload();
    let piped = desk
        .cli()
        .run(["get", "desk/Documents/tables/trips.csv", "-o", "-"])
        .expect_ok();
    assert_eq!(piped.stdout_bytes(), fs::read(desk.path("tables/trips.csv")).unwrap());
    let back = Back::new();
    let folder = back.folder().display().to_string();
    desk.cli()
        .run(["get", "desk/Documents/tables/trips.csv", "-o", &folder])
        .expect_ok();
    assert_eq!(hash(&back.path("trips.csv")), hash(&desk.path("tables/trips.csv")));
}

#[test]
fn the_same_again_sends_nothing() {
    let desk = Desk::with(sample::small_tree);
    let first = desk.upload();
    assert!(number(&first, "bytes_sent") > 3 * MIB, "{first}");
    let again = desk.upload();
    assert_eq!(
        (number(&again, "bytes_sent"), number(&again, "files_done")),
        (0, number(&first, "files_done")),
        "{again}"
    );
    // A copy under another name is known by its content, and so is the same on another machine.
    fs::copy(desk.path("video.bin"), desk.path("copy of video.bin")).unwrap();
    let copy = desk.upload();
    assert_eq!(number(&copy, "bytes_sent"), 0, "{copy}");
    let versions = json(desk.cli(), &["drive", "versions", "desk/Documents/video.bin"]);
    assert_eq!(rows(&versions).len(), 1, "a version came without a change: {versions}");
}

#[test]
fn another_machine_with_the_same_files_sends_nothing() {
    let desk = Desk::with(sample::small_tree);
    desk.upload();
    let _laptop = Machine::join(&desk.ann, "laptop").root("Same", desk.root()).start();
    let transfer = upload(desk.cli(), "laptop:Same");
    assert_eq!(number(&transfer, "bytes_sent"), 0, "{transfer}");
    let back = Back::new();
    get(desk.cli(), "laptop/Same", &back.path("copy"));
    assert_same_tree(desk.root(), &back.path("copy"));
}

#[test]
fn after_one_changed_byte_in_64_mib_less_than_4_mib_are_sent() {
    let desk = Desk::with(|folder| sample::random_file(&folder.join("big"), 64 * MIB, 4));
    let first = desk.upload();
    assert!(number(&first, "bytes_sent") >= 64 * MIB, "{first}");
    sample::change_byte(&desk.path("big"), 33 * MIB + 7);
    let second = desk.upload();
    assert!((1..4 * MIB).contains(&number(&second, "bytes_sent")), "{second}");
    // All that stands behind an insertion has moved, and is known all the same.
    sample::insert(&desk.path("big"), 5 * MIB + 3, b"seven b");
    let third = desk.upload();
    assert!((1..4 * MIB).contains(&number(&third, "bytes_sent")), "{third}");
    let back = Back::new();
    get(desk.cli(), "desk/Documents/big", &back.path("big"));
    assert_eq!(hash(&back.path("big")), hash(&desk.path("big")));
}

/// Bytes that pass both ways, of all requests and sockets together, while a large file is uploaded that was stored before
/// and now has `put_in` random bytes more at an odd place and `edits` other bytes; and what the transfer counts as sent.
fn wire_of_changes(size: u64, put_in: u64, edits: u64) -> (u64, u64) {
    let folder = tempfile::tempdir().unwrap();
    let (large, more) = (folder.path().join("root/large"), folder.path().join("more"));
    sample::random_file(&large, size, 5);
    sample::random_file(&more, put_in, 6);
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let proxy = Proxy::to(server.address());
    let joining = Machine::join_with(&proxy.url(), &ann.join_code(&[]), "desk");
    let _machine = joining.root("Documents", folder.path().join("root")).start();
    upload(ann.cli(), "desk:Documents");
    let passed = || proxy.passed(Way::Up) + proxy.passed(Way::Down);
    sample::insert(&large, (size / 3) | 1, &fs::read(more).unwrap());
    for edit in 0..edits {
        sample::change_byte(&large, (2 * edit + 1) * size / (2 * edits) + edit);
    }
    let before = passed();
    let sent = number(&upload(ann.cli(), "desk:Documents"), "bytes_sent");
    let wire = passed() - before;
    let back = Back::new();
    get(ann.cli(), "desk/Documents/large", &back.path("large"));
    assert_eq!(hash(&back.path("large")), hash(&large));
    (wire, sent)
}

#[test]
fn changes_inside_a_large_file_cost_about_themselves_on_the_wire() {
    const PUT_IN: u64 = (64 << 10) + 7;
    let (wire, sent) = wire_of_changes(64 * MIB, PUT_IN, 20);
    // Each changed byte costs a part of about 2 KiB, and the sums of the parts around it.
    assert!((PUT_IN..PUT_IN + 150_000).contains(&sent), "{sent}");
    assert!(wire < PUT_IN + 300_000, "{wire}");
}

#[test]
fn every_older_version_comes_back_as_it_was() {
    let desk = Desk::with(|folder| sample::text(&folder.join("letter"), "Dear Bob"));
    let drafts = ["Dear Bob", "Dear Bob, hello", "Hi"];
    for draft in drafts {
        fs::write(desk.path("letter"), draft).unwrap();
        desk.upload();
    }
    let versions = json(desk.cli(), &["drive", "versions", "desk/Documents/letter"]);
    let heads: Vec<_> = rows(&versions).iter().map(|version| version["head"] == true).collect();
    assert_eq!(heads, [true, false, false], "newest first: {versions}");
    let back = Back::new();
    for (version, draft) in rows(&versions).iter().rev().zip(drafts) {
        let to = back.path(&text(version, "id"));
        let words = [
            "get",
            "desk/Documents/letter",
            "--version",
            &text(version, "id"),
            "-o",
            &to.display().to_string(),
        ];
        desk.cli().run(words).expect_ok();
        assert_eq!(fs::read_to_string(to).unwrap(), draft);
    }
    get(desk.cli(), "desk/Documents/letter", &back.path("head"));
    assert_eq!(fs::read_to_string(back.path("head")).unwrap(), "Hi");
}

#[test]
fn a_range_is_just_those_bytes() {
    let desk = Desk::with(|folder| sample::random_file(&folder.join("file"), 3 * MIB + 5, 9));
    desk.upload();
    let whole = fs::read(desk.path("file")).unwrap();
    let last = whole.len() - 1;
    let range = |range: &str| {
        let words = ["get", "desk/Documents/file", "--range", range, "-o", "-"];
        desk.cli().run(words).expect_ok().stdout_bytes().to_vec()
    };
    assert_eq!(range("0-0"), whole[..1]);
    assert_eq!(range("1000000-2000000"), whole[1_000_000..=2_000_000]);
    assert_eq!(range(&format!("{last}-{last}")), whole[last..]);
    let beyond = run(
        desk.cli(),
        &["get", "desk/Documents/file", "--range", "9000000-9000001", "-o", "-"],
    );
    expect_refusal(&beyond, 2, "bad-request");
    assert!(beyond.stdout().is_empty(), "{beyond}");
}

#[test]
fn files_are_moved_deleted_and_restored_in_the_drive_and_uploads_follow() {
    let desk = Desk::with(sample::small_tree);
    desk.upload();
    let cli = desk.cli();
    let names = |place: &str| -> Vec<_> {
        rows(&json(cli, &["drive", "ls", place]))
            .iter()
            .map(|node| text(node, "name"))
            .collect()
    };
    run(cli, &["drive", "mv", "desk/Documents/notes", "desk/Documents/diary"]).expect_ok();
    assert!(names("desk/Documents").contains(&"diary".into()));
    // The folder keeps its tie to the machine's folder: what is new there comes to its new place.
    sample::text(&desk.path("notes/tomorrow.md"), "later");
    desk.upload();
    assert!(names("desk/Documents/diary").contains(&"tomorrow.md".into()));
    assert!(!names("desk/Documents").contains(&"notes".into()));

    run(cli, &["drive", "rm", "desk/Documents/diary/today.md"]).expect_ok();
    expect_refusal(
        &run(cli, &["get", "desk/Documents/diary/today.md", "-o", "-"]),
        1,
        "not-found",
    );
    assert_eq!(
        desk.in_drive("desk:Documents/notes/today.md"),
        [("today.md".into(), "no".into())]
    );
    run(cli, &["drive", "restore", "desk/Documents/diary/today.md"]).expect_ok();
    let back = Back::new();
    get(cli, "desk/Documents/diary/today.md", &back.path("today.md"));
    assert_eq!(hash(&back.path("today.md")), hash(&desk.path("notes/today.md")));
}

#[test]
fn what_was_deleted_in_the_drive_is_uploaded_again_when_it_is_ordered_again() {
    let desk = Desk::with(sample::small_tree);
    desk.upload();
    run(desk.cli(), &["drive", "rm", "desk/Documents/tables"]).expect_ok();
    let again = desk.upload();
    assert_eq!(number(&again, "bytes_sent"), 0, "its chunks are still there: {again}");
    let back = Back::new();
    get(desk.cli(), "desk/Documents", &back.path("copy"));
    assert_same_tree(desk.root(), &back.path("copy"));
}

#[test]
fn a_folder_comes_as_one_zip_that_others_can_open() {
    let desk = Desk::with(|folder| {
        sample::text(&folder.join("notes/今日は.md"), "hello");
        sample::text(&folder.join("notes/empty"), "");
        sample::random_file(&folder.join("video.bin"), 2 * MIB + 1, 3);
        fs::create_dir(folder.join("empty folder")).unwrap();
        symlink("video.bin", folder.join("link")).unwrap();
    });
    desk.upload();
    let back = Back::new();
    let zip = back.path("all.zip").display().to_string();
    desk.cli().run(["get", "desk/Documents", "--zip", &zip]).expect_ok();
    assert_same_tree(desk.root(), &unzipped(&back, &zip));
}

/// Where a Linux system keeps many files, and how many of them are wanted at most.
const PLACES: &[&str] = &[
    "share/doc",
    "share/zoneinfo",
    "lib/python3",
    "lib/python3.11",
    "share/perl",
    "share/man",
    "include",
];
const ENTRIES_MAX: usize = 25_000;

/// Folders below `/usr` that nobody made for this test, with tens of thousands of entries together.
fn found_places() -> Vec<&'static str> {
    let count = |place: &&str| tree_size(&Path::new("/usr").join(place));
    let mut left = ENTRIES_MAX;
    let places: Vec<_> = PLACES
        .iter()
        .filter(|place| {
            let size = count(place);
            let fits = (1..=left).contains(&size);
            left -= if fits { size } else { 0 };
            fits
        })
        .copied()
        .collect();
    let found = ENTRIES_MAX - left;
    assert!(
        found >= 2_000,
        "only {found} entries below /usr: this test needs a system with more in it"
    );
    places
}

fn tree_size(folder: &Path) -> usize {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let sizes = entries.map(|entry| {
        let entry = entry.unwrap();
        1 + if entry.file_type().unwrap().is_dir() {
            tree_size(&entry.path())
        } else {
            0
        }
    });
    sizes.sum()
}

#[test]
fn a_real_tree_that_nobody_made_for_this_test_comes_back_as_tree_and_as_zip() {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let cli = ann.cli().with_limit(2 * LONG);
    let _desk = Machine::join(&ann, "desk").root("usr", "/usr").start();
    let places = found_places();
    // As they are now: a system may get other files while this test runs.
    let before: Vec<_> = places
        .iter()
        .map(|place| tree::tree_hashes(&Path::new("/usr").join(place)))
        .collect();
    let assert_same = |place: &str, copy: &Path| {
        let at = places.iter().position(|other| *other == place).unwrap();
        let difference = tree::tree_difference(&before[at], &tree::tree_hashes(copy));
        assert!(
            difference.is_empty(),
            "{place} differs in {} places: {:?}",
            difference.len(),
            &difference[..difference.len().min(20)]
        );
    };
    let live: Vec<_> = places.iter().map(|place| format!("desk:usr/{place}")).collect();
    let words: Vec<_> = ["upload", "--wait"]
        .into_iter()
        .chain(live.iter().map(String::as_str))
        .collect();
    let transfer = json(&cli, &words);
    assert_eq!(
        (text(&transfer, "state"), number(&transfer, "failed")),
        ("done".into(), 0),
        "{transfer}"
    );
    let again = json(&cli, &words);
    assert_eq!(number(&again, "bytes_sent"), 0, "{again}");

    // One request for each file: a part of them shows it.
    let back = Back::new();
    get(&cli, "desk/usr/share", &back.path("share"));
    for place in places.iter().filter(|place| place.starts_with("share/")) {
        assert_same(place, &back.path(place));
    }
    let zip = back.path("usr.zip").display().to_string();
    cli.run(["get", "desk/usr", "--zip", &zip]).expect_ok();
    let unzipped = unzipped(&back, &zip);
    let unzipped = if unzipped.ends_with("share") {
        unzipped.parent().unwrap().to_owned()
    } else {
        unzipped
    };
    for place in &places {
        assert_same(place, &unzipped.join(place));
    }
}

#[test]
fn what_is_there_already_is_left_alone_and_replaced_only_by_force() {
    let desk = Desk::with(sample::small_tree);
    desk.upload();
    let back = Back::new();
    let to = back.path("today.md");
    fs::write(&to, "of another day").unwrap();
    let words = ["get", "desk/Documents/notes/today.md", "-o", &to.display().to_string()];
    let refused = run(desk.cli(), &words);
    assert_eq!(refused.code(), 1, "{refused}");
    assert_eq!(fs::read_to_string(&to).unwrap(), "of another day");
    let forced = [words.as_slice(), &["--force"]].concat();
    assert_eq!(json(desk.cli(), &forced)["skipped"], false);
    assert_eq!(hash(&to), hash(&desk.path("notes/today.md")));
    let inode = fs::metadata(&to).unwrap().ino();
    assert_eq!(json(desk.cli(), &words)["skipped"], true);
    assert_eq!(fs::metadata(&to).unwrap().ino(), inode, "it was written again");
    let words = ["get", "desk/Documents", "-o", &back.path("copy").display().to_string()];
    let first = json(desk.cli(), &words);
    fs::remove_file(back.path("copy/video.bin")).unwrap();
    let again = json(desk.cli(), &words);
    assert_eq!(
        (number(&again, "files"), number(&again, "skipped") + 1),
        (1, number(&first, "files")),
        "{again}"
    );
    assert_same_tree(desk.root(), &back.path("copy"));
}

#[test]
fn a_selection_too_long_for_an_order_travels_beside_it() {
    let name = |number: u64| format!("{number:03} {}", "a name as long as some people like them ".repeat(3));
    let desk =
        Desk::with(|folder| (0..100).for_each(|number| sample::text(&folder.join(name(number)), &number.to_string())));
    let places: Vec<_> = (0..90)
        .map(|number| format!("desk:Documents/{}", name(number)))
        .collect();
    let words: Vec<_> = ["upload", "--wait"]
        .into_iter()
        .chain(places.iter().map(String::as_str))
        .collect();
    let transfer = json(desk.cli(), &words);
    assert_eq!(
        (text(&transfer, "state"), number(&transfer, "files_done")),
        ("done".into(), 90),
        "{transfer}"
    );
    assert_eq!(rows(&json(desk.cli(), &["drive", "ls", "desk/Documents"])).len(), 90);
}

#[test]
fn every_odd_name_is_uploaded_and_fetched_by_its_ref() {
    let desk = Desk::with(|folder| drop(sample::odd_names(&folder.join("odd"))));
    let refs = |words: &[&str]| -> Vec<_> {
        rows(&json(desk.cli(), words))
            .iter()
            .map(|entry| text(entry, "ref"))
            .collect()
    };
    let live = refs(&["ls", "desk:Documents/odd"]);
    let words: Vec<_> = ["upload", "--wait"]
        .into_iter()
        .chain(live.iter().map(String::as_str))
        .collect();
    let transfer = json(desk.cli(), &words);
    assert_eq!(number(&transfer, "files_done"), live.len() as u64, "{transfer}");
    let stored = refs(&["drive", "ls", "desk/Documents/odd"]);
    assert_eq!(stored.len(), live.len());
    let mut names: Vec<_> = fs::read_dir(desk.path("odd"))
        .unwrap()
        .map(|entry| fs::read(entry.unwrap().path()).unwrap())
        .collect();
    let mut fetched: Vec<_> = stored
        .iter()
        .map(|place| {
            desk.cli()
                .run(["get", place, "-o", "-"])
                .expect_ok()
                .stdout_bytes()
                .to_vec()
        })
        .collect();
    names.sort();
    fetched.sort();
    assert_eq!(fetched, names, "each file holds its own name");
}

#[test]
fn a_file_with_holes_comes_back_equal_and_costs_little() {
    let desk = Desk::with(|folder| {
        let file = fs::File::create(folder.join("disk.img")).unwrap();
        file.set_len(128 * MIB).unwrap();
        sample::change_byte(&folder.join("disk.img"), 77 * MIB + 1);
    });
    let transfer = desk.upload();
    assert_eq!(number(&transfer, "bytes_done"), 128 * MIB);
    assert!(number(&transfer, "bytes_sent") < 8 * MIB, "{transfer}");
    let back = Back::new();
    get(desk.cli(), "desk/Documents/disk.img", &back.path("disk.img"));
    assert_eq!(hash(&back.path("disk.img")), hash(&desk.path("disk.img")));
}

#[test]
fn several_orders_at_once_all_end_well() {
    let desk = Desk::with(|folder| sample::many_files(folder, 60, 6));
    let folders = (0..6).map(|number| format!("desk:Documents/folder-{number:03}"));
    let ids: Vec<_> = folders.map(|place| order(desk.cli(), &place)).collect();
    for id in ids {
        let ended = json(&desk.cli().with_limit(LONG), &["wait", &id]);
        assert_eq!(
            (text(&ended, "state"), number(&ended, "files_done")),
            ("done".into(), 10),
            "{ended}"
        );
    }
    let back = Back::new();
    get(desk.cli(), "desk/Documents", &back.path("copy"));
    assert_same_tree(desk.root(), &back.path("copy"));
}

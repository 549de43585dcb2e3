//! Which paths are left out, and what a preview says of them.
#![allow(clippy::disallowed_methods, reason = "the tests make the files that are looked at")]

use std::fs;

use beckon_shared::{id::RootId, path::Label};

use super::*;
use crate::state::RootConfig;

fn path(text: &str) -> RootPath {
    RootPath::new(text).unwrap()
}

#[test]
fn patterns_mean_what_they_mean_to_git() {
    use EntryKind::{File, Folder};
    let ignore = Ignore::parse("# builds\ntarget/\n*.tmp\n/top\n!keep.tmp\ndeep/**/x\n").unwrap();
    for (skipped, kind, text) in [
        (true, Folder, "target"),
        (true, Folder, "a/target"),
        (false, File, "target"),
        (true, File, "a/b.tmp"),
        (false, File, "a/keep.tmp"),
        (true, File, "top"),
        (false, File, "a/top"),
        (true, File, "deep/a/b/x"),
        (false, Folder, ""),
    ] {
        assert_eq!(ignore.skips(&path(text), kind), skipped, "{text}");
    }
    assert!(ignore.covers(&path("a/target/debug/x"), File));
    assert!(!ignore.covers(&path("a/targets/x"), File));
    assert!(!Ignore::default().covers(&path("a"), File));
}

#[test]
fn what_is_left_out_as_a_file_only_may_be_a_folder_that_is_not() {
    let ignore = Ignore::parse("*\n!*/\n!*.rs\n").unwrap();
    for (covered, text) in [(false, "src"), (false, "src/deep"), (false, "src/main.rs")] {
        assert_eq!(ignore.covers_any(&path(text)), covered, "{text}");
    }
    assert!(ignore.covers(&path("src/notes"), EntryKind::File));
    let ignore = Ignore::parse("target/\n*.tmp\n").unwrap();
    for (covered, text) in [(false, "target"), (true, "target/x"), (true, "a.tmp")] {
        assert_eq!(ignore.covers_any(&path(text)), covered, "{text}");
    }
}

#[test]
fn names_that_are_no_text_are_matched_too() {
    let ignore = Ignore::parse("*.bin").unwrap();
    let odd = RootPath::new(b"caf\xe9.bin".to_vec()).unwrap();
    assert!(ignore.skips(&odd, EntryKind::File));
}

#[test]
fn a_pattern_that_is_none_is_named_by_its_line_and_others_count_on() {
    let text = "good\nba{d\n*.tmp";
    let refusal = Ignore::parse(text).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::BadRequest);
    assert!(refusal.message.contains("line 2"), "{refusal}");
    assert!(Ignore::lenient(text).skips(&path("x.tmp"), EntryKind::File));
    let long = "x\n".repeat(IGNORE_MAX);
    assert_eq!(Ignore::parse(&long).unwrap_err().code, ErrorCode::TooLarge);
}

#[test]
fn a_preview_counts_what_is_in_folders_and_names_only_themselves() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().canonicalize().unwrap();
    fs::create_dir_all(at.join("target/deep")).unwrap();
    for (name, len) in [("target/a", 10), ("target/deep/b.tmp", 20), ("c.tmp", 3), ("d", 100)] {
        fs::write(at.join(name), vec![0; len]).unwrap();
    }
    let root = Root::new(&RootConfig {
        id: RootId([1; 16]),
        name: Label::new("root").unwrap(),
        path: at,
        writable: false,
        ignore: "d".to_owned(),
    });
    let Ok(Answer::Skipped {
        files,
        bytes,
        mut first,
        is_whole,
    }) = preview(&root, "target/\n*.tmp")
    else {
        panic!("no preview")
    };
    first.sort();
    assert_eq!((files, bytes, is_whole), (3, 33, true));
    assert_eq!(first, [path("c.tmp"), path("target")]);
}

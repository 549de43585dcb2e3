//! The names of what is kept aside.

#![allow(clippy::disallowed_methods, reason = "a test plays the people who change files")]

use super::*;
use crate::copy::place::tests::{site, transfer};

#[test]
fn a_note_stands_before_the_extension_and_the_name_stays_short_enough() {
    let long = "ä".repeat(126);
    for (name, noted) in [
        ("a.txt", "a (n).txt".to_owned()),
        ("a", "a (n)".to_owned()),
        (".profile", ".profile (n)".to_owned()),
        ("a.b.c", "a.b (n).c".to_owned()),
        ("a.", "a (n).".to_owned()),
        (&format!("{long}.md"), format!("{} (n).md", "ä".repeat(124))),
    ] {
        let with = with_note(&Name::new(name.as_bytes()).unwrap(), "n");
        assert_eq!(with.display(), noted);
        assert!(with.as_bytes().len() <= NAME_MAX);
    }
}

#[test]
fn the_name_of_a_machine_becomes_one_that_every_system_has() {
    assert_eq!(plain(&Label::new("a<b>\"c|d?*").unwrap()), "abcd");
}

#[test]
fn what_is_to_be_decided_outlives_a_disk_that_is_not_plugged_in() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("disk");
    std::fs::create_dir(&at).unwrap();
    let book = Book::in_memory().unwrap();
    let site = site(&at, &book, "", true);
    book.begin_copy(transfer(), site.root.id).unwrap();
    let disk = Native::new(site.root);
    let kept = RootPath::new("a (kept)").unwrap();
    let conflict = Conflict {
        transfer: transfer(),
        root: RootId([1; 16]),
        path: RootPath::new("a").unwrap(),
        kept: Some(kept),
        ours: None,
        theirs: None,
    };
    book.write(transfer(), |pen| pen.conflict(&conflict)).unwrap();
    std::fs::write(at.join("a (kept)"), "mine").unwrap();
    let away = folder.path().join("away");
    std::fs::rename(&at, &away).unwrap();
    assert_eq!(still_open(&disk, &book, transfer()).unwrap().len(), 1);
    std::fs::rename(&away, &at).unwrap();
    assert_eq!(still_open(&disk, &book, transfer()).unwrap().len(), 1);
    std::fs::remove_file(at.join("a (kept)")).unwrap();
    assert!(still_open(&disk, &book, transfer()).unwrap().is_empty());
    assert!(book.conflicts(transfer()).unwrap().is_empty());
}

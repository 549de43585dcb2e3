//! What is in the drive gets other names and places, goes to Deleted, and comes back.

use std::fs;

use beckon_tests::{
    Account, Server,
    page::{Page, button, css, field, role, text},
};
use thirtyfour::Key;

use crate::scene;

/// A drive with these files in it, open at `Files`.
fn open(names: &[&str]) -> (Server, Account, Page) {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let source = tempfile::tempdir().unwrap();
    for name in names {
        let file = source.path().join(name);
        fs::write(&file, *name).unwrap();
        ann.cli().run(["put", file.to_str().unwrap()]).expect_ok();
    }
    let page = scene::sign_in(&server, "ann");
    page.go("/drive/Files");
    page.see_count(css(".file[role=row]"), names.len());
    (server, ann, page)
}

#[test]
fn a_name_is_written_in_its_row() {
    let (_server, ann, page) = open(&["fees.txt", "notes.txt"]);
    page.click(css(".file .meta"));
    page.press(Key::F2);
    page.press(Key::Control + "a");
    page.press("prices.txt");
    page.press(Key::Enter);
    page.see(role("row", "prices.txt"));
    page.see_gone(role("row", "fees.txt"));
    // A name that is taken is refused, and without another the old one stays.
    page.click(css(".file .meta"));
    page.see(css(".file[aria-selected=true]"));
    page.press(Key::F2);
    page.press(Key::Control + "a");
    page.press("prices.txt");
    page.press(Key::Enter);
    page.see(css(".rename .problem"));
    page.press(Key::Escape);
    page.see(role("row", "notes.txt"));
    let listed = ann.cli().run(["drive", "ls", "Files"]).expect_ok().stdout();
    assert!(
        listed.contains("prices.txt") && listed.contains("notes.txt"),
        "{listed}"
    );
}

#[test]
fn rows_are_moved_by_the_dialog_and_by_dragging() {
    let (_server, ann, page) = open(&["one.txt", "two.txt"]);
    page.click(button("New folder"));
    page.fill(field("Name"), "Tender");
    page.click(button("Make folder"));
    page.see(role("row", "Tender"));
    page.click(role("row", "one.txt"));
    page.click(button("Move to …"));
    page.click(css(".folder-tree .twig"));
    page.click(button("Tender"));
    page.expect_accessible();
    page.click(button("Move to Tender"));
    page.see_gone(role("row", "one.txt"));
    page.see(text("one.txt is in Tender now"));
    page.click(button("Undo"));
    page.see(role("row", "one.txt"));
    page.drag(role("row", "two.txt"), role("row", "Tender"));
    page.see_gone(role("row", "two.txt"));
    page.see(text("two.txt is in Tender now"));
    let listed = ann.cli().run(["drive", "ls", "Files/Tender"]).expect_ok().stdout();
    assert!(listed.contains("two.txt"), "{listed}");
}

#[test]
fn what_is_deleted_is_kept_and_comes_back() {
    let (_server, _ann, page) = open(&["one.txt", "two.txt", "three.txt"]);
    page.click(role("row", "one.txt"));
    page.press(Key::Delete);
    page.see_gone(role("row", "one.txt"));
    page.click(button("Undo"));
    page.see(role("row", "one.txt"));
    page.click(role("row", "two.txt"));
    page.press(Key::Control + "a");
    page.see(text("3 selected"));
    page.screenshot("drive-selection");
    page.expect_accessible();
    page.click(button("Delete"));
    page.see(text("This folder is empty"));
    page.click(button("Deleted"));
    page.see_count(css(".file[role=row]"), 3);
    page.screenshot("drive-deleted");
    page.expect_accessible();
    page.click(role("row", "two.txt"));
    page.click(button("Restore"));
    page.see_gone(role("row", "two.txt"));
    page.go("/drive/Files");
    page.see(role("row", "two.txt"));
    page.see_count(css(".file[role=row]"), 1);
}

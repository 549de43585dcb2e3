//! The drive as of a time, and how long older versions are kept.

use std::fs;

use beckon_tests::{
    Account, Server,
    page::{button, css, field, role, text},
};
use thirtyfour::Key;

use crate::scene;

/// A moment that is over, a little after what was done before, as the page's address has it.
fn moment(page: &beckon_tests::page::Page) -> String {
    let script = "const now = Date.now(); while (Date.now() <= now + 2) {} return new Date(now + 1).toISOString();";
    page.script(script, &[]).as_str().expect("a time").to_owned()
}

#[test]
fn a_folder_is_seen_as_it_stood_and_put_back() {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let source = tempfile::tempdir().unwrap();
    let put = |name: &str, content: &str| {
        let file = source.path().join(name);
        fs::write(&file, content).unwrap();
        ann.cli().run(["put", file.to_str().unwrap()]).expect_ok();
    };
    put("fees.txt", "first");
    put("gone.txt", "gone");
    let mut page = scene::sign_in(&server, "ann");
    let then = moment(&page);
    put("fees.txt", "second");
    ann.cli().run(["drive", "rm", "Files/gone.txt"]).expect_ok();
    page.go(&format!("/drive/Files?at={then}"));
    page.see(text("You see the drive as of"));
    page.see(role("row", "gone.txt"));
    for is_dark in [false, true] {
        page.set_dark(is_dark);
        page.screenshot("drive-as-of");
    }
    page.set_dark(false);
    page.expect_accessible();
    page.resize(390, 844);
    page.screenshot("drive-as-of-phone");
    page.resize(1280, 800);
    page.see_gone(button("Put files here"));
    page.click(role("row", "fees.txt"));
    page.see(text("2 versions"));
    page.see_gone(button("Make current"));
    page.click(css(".pane section.first .button"));
    assert_eq!(fs::read_to_string(page.downloaded("fees.txt")).unwrap(), "first");
    page.press(Key::Escape);
    page.right_click(role("row", "gone.txt"));
    page.see_gone(role("menuitem", "Delete"));
    page.click(role("menuitem", "Restore here"));
    page.see(text("1 came back"));
    page.click(button("Restore this folder"));
    page.see(text("1 put back"));
    page.click(role("link", "Back to now"));
    page.see_gone(text("You see the drive as of"));
    page.see(role("row", "gone.txt"));
    let back = source.path().join("back");
    ann.cli()
        .run(["get", "Files/fees.txt", "-o", back.to_str().unwrap()])
        .expect_ok();
    assert_eq!(fs::read_to_string(back).unwrap(), "first");
}

#[test]
fn a_time_is_chosen_in_a_field() {
    let server = Server::start();
    let _ann = Account::sign_up(&server, "ann");
    let page = scene::sign_in(&server, "ann");
    page.go("/drive/Files");
    page.click(button("As of …"));
    page.see(css(".as-of input"));
    let choose = "const input = document.querySelector('.as-of input'); input.value = arguments[0]; \
                  input.dispatchEvent(new Event('input', { bubbles: true }));";
    page.script(choose, &["2099-01-01T10:00".into()]);
    page.click(button("Show"));
    page.see(text("Choose a time that has passed."));
    page.script(choose, &["2020-01-01T10:00".into()]);
    page.screenshot("drive-as-of-choose");
    page.click(button("Show"));
    page.see(text("It was not there at that time"));
    page.expect_error("404");
    page.click(button("Another time"));
    page.see(css(".as-of input"));
    page.click(button("Cancel"));
    page.click(role("link", "Back to now"));
    page.see(text("This folder is empty"));
}

#[test]
fn a_rule_is_set_by_who_has_seen_what_it_deletes() {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let source = tempfile::tempdir().unwrap();
    let file = source.path().join("fees.txt");
    for words in ["first", "second", "third"] {
        fs::write(&file, words).unwrap();
        ann.cli().run(["put", file.to_str().unwrap()]).expect_ok();
    }
    let mut page = scene::sign_in(&server, "ann");
    page.go("/settings");
    page.see(text("All versions are kept, where a root has no rule of its own"));
    page.click(button("Change: The whole drive"));
    page.see(text("Nothing is deleted now."));
    page.click(role("radio", "Fewer, the older they are"));
    page.fill(field("All of them for"), "0");
    page.fill(field("Then one for each day, up to"), "1");
    page.see(text("A day after you set it, this deletes 2 older versions of 1 file;"));
    page.see(text("Files/fees.txt"));
    for is_dark in [false, true] {
        page.set_dark(is_dark);
        page.screenshot("retention");
    }
    page.set_dark(false);
    page.expect_accessible();
    page.resize(390, 844);
    page.screenshot("retention-phone");
    page.resize(1280, 800);
    page.fill(field("Then one for each week, up to"), "1");
    page.see(text("Days are whole numbers, each larger"));
    page.fill(field("Then one for each week, up to"), "0");
    // What is to be deleted is seen again first.
    page.click(css("dialog[open] .button.danger:not([disabled])"));
    page.see(text("The rule is set"));
    page.see(text("One a day for 1 day, where a root has no rule of its own"));
    page.screenshot("settings-versions");
}

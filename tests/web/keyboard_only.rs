//! Ann does the main job without a mouse: she finds the machine, uploads a folder, and looks for it in the drive.

use beckon_tests::{
    Account, Machine, Server,
    page::{Page, css, heading, link, text},
    sample,
};
use thirtyfour::Key;

use crate::scene;

/// Goes from one thing to the next until the focus is where it is wanted.
#[track_caller]
fn tab_to(page: &Page, is_there: impl Fn(&Page) -> bool) {
    for _ in 0..60 {
        if is_there(page) {
            return;
        }
        page.press(Key::Tab);
    }
    panic!("60 tabs do not lead there; the focus is on {}", page.focus());
}

#[test]
fn the_main_job_is_done_by_keys_alone() {
    let folder = tempfile::tempdir().unwrap();
    sample::text(&folder.path().join("Tender/offer.txt"), "one");
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let _machine = Machine::join(&ann, "desk").root("Documents", folder.path()).start();
    let page = scene::sign_in(&server, "ann");
    page.see(link("desk"));
    page.press("gt");
    page.see(heading("Transfers"));
    page.see_focus("h1 \"Transfers\"");
    page.press("gm");
    page.see(link("desk"));
    tab_to(&page, |page| page.focus() == "a \"desk\"");
    page.press(Key::Enter);
    page.see(text("Documents"));
    page.see_path("/machine/");
    page.see(css("[role=row][tabindex=\"0\"]"));
    tab_to(&page, |page| page.has(css("[role=row]:focus")));
    page.press(Key::Enter);
    page.see(text("Tender"));
    page.see(css("[role=row][tabindex=\"0\"]"));
    page.press(" ");
    page.press("u");
    page.see(text("Safe"));
    page.press("gd");
    page.see_path("/drive");
    page.see(text("desk"));
}

#[test]
fn all_keys_are_listed_and_letters_can_be_switched_off() {
    let server = Server::start();
    let page = scene::sign_up(&server, "ann");
    page.press("?");
    page.see(heading("Keys"));
    page.see(text("All keys"));
    page.see(text("Delete, in the drive"));
    page.screenshot("keys");
    page.expect_accessible();
    page.press(Key::Escape);
    page.see_gone(heading("Keys"));
    page.press("f");
    page.press("gt");
    assert_eq!(
        page.value(css("input[type=search]")),
        "gt",
        "letters acted while a field had the focus"
    );
    page.see_path("/machines");
}

#[test]
fn menus_are_walked_by_arrows_and_letters_and_give_the_focus_back() {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let _machine = Machine::join(&ann, "desk").start();
    let page = scene::sign_in(&server, "ann");
    page.see(link("desk"));
    tab_to(&page, |page| page.focus() == "button \"More for desk\"");
    page.press(Key::Enter);
    page.see(css("[role=menu]"));
    page.see_focus("button \"Open\"");
    page.expect_accessible();
    page.press(Key::Up);
    page.see_focus("button \"Remove …\"");
    page.press("d");
    page.see_focus("button \"Details\"");
    page.press(Key::Escape);
    page.see_gone(css("[role=menu]"));
    page.see_focus("button \"More for desk\"");
}

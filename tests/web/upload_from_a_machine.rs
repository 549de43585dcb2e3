//! Ann has a machine upload what she forgot; the row says so until it is safe, in every browser.

use std::time::Duration;

use beckon_tests::{
    Account, Machine, Server,
    page::{button, css, heading, text},
    sample,
};
use thirtyfour::Key;

use crate::{browse_a_machine::row, scene};

/// How the row of a name stands.
fn state(name: &str, state: &str) -> beckon_tests::page::Target {
    css(format!(
        ".file:has(.label[title=\"{name}\"]) .stored[title=\"{state}\"]"
    ))
}

#[test]
fn a_click_on_upload_ends_with_safe_in_both_browsers() {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let files = tempfile::tempdir().unwrap();
    sample::small_tree(files.path());
    let machine = Machine::join(&ann, "desk").root("Documents", files.path()).start();
    let (one, other) = (scene::sign_in(&server, "ann"), scene::sign_in(&server, "ann"));
    for page in [&one, &other] {
        page.see(text("desk"));
        page.go(&format!("/machine/{}", machine.id()));
        page.click(row("Documents"));
        page.see(state("notes", "Not in drive"));
    }
    one.press(Key::Home);
    one.press(Key::Control + "a");
    one.click(button("Upload to drive"));
    for page in [&one, &other] {
        page.see(state("notes", "Safe in drive"));
        page.see(state("video.bin", "Safe in drive"));
        page.see(state("empty.txt", "Safe in drive"));
    }
    one.press(Key::Escape);
    one.screenshot("machine-safe");
    one.expect_accessible();
    sample::text(&files.path().join("empty.txt"), "no longer empty");
    one.click(button("Read again"));
    one.see(state("empty.txt", "Changed since"));
    one.click(css(".file:has([title='empty.txt']) .meta"));
    one.press("u");
    one.see(state("empty.txt", "Safe in drive"));
    one.go(&format!("/machine/{}", machine.id()));
    one.see(heading("desk"));
    one.see(state("Documents", "Safe in drive"));
}

#[test]
fn a_folder_is_not_safe_any_more_once_something_below_it_changed() {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let files = tempfile::tempdir().unwrap();
    let deep = files.path().join("Kestrel/a/b.txt");
    sample::text(&deep, "as it was stored");
    let machine = Machine::join(&ann, "desk").root("Documents", files.path()).start();
    let page = scene::sign_in(&server, "ann");
    page.see(text("desk"));
    page.go(&format!("/machine/{}", machine.id()));
    page.click(row("Documents"));
    page.click(css(".file:has([title='Kestrel']) .meta"));
    page.press("u");
    page.see(state("Kestrel", "Safe in drive"));
    sample::text(&deep, "as it is now");
    // What takes long to compare is compared more seldom.
    page.set_limit(Duration::from_secs(90));
    page.see(state("Kestrel", "Changed since"));
    page.go(&format!("/machine/{}", machine.id()));
    page.see(state("Documents", "Changed since"));
}

#[test]
fn rows_that_are_dragged_onto_the_drive_are_uploaded() {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let files = tempfile::tempdir().unwrap();
    sample::text(&files.path().join("one.txt"), "one");
    sample::text(&files.path().join("two.txt"), "two");
    let machine = Machine::join(&ann, "desk").root("Documents", files.path()).start();
    let page = scene::sign_in(&server, "ann");
    page.see(text("desk"));
    page.go(&format!("/machine/{}", machine.id()));
    page.click(row("Documents"));
    page.see(state("one.txt", "Not in drive"));
    page.drag(
        css(".file:has([title='one.txt']) .meta"),
        css(".nav-item[href='/drive']"),
    );
    page.see(state("one.txt", "Safe in drive"));
    page.see(state("two.txt", "Not in drive"));
}

//! Ann keeps a folder of a machine uploaded: what changes there is in the drive by itself, until she stops it.

use std::time::Duration;

use beckon_tests::{
    Account, Machine, Server,
    page::{Page, Target, button, css, heading, link, role, text},
    sample,
};

use crate::{browse_a_machine::row, scene};

const LONG: Duration = Duration::from_secs(60);

/// How the row of a name stands.
fn state(name: &str, state: &str) -> Target {
    css(format!(
        ".file:has(.label[title=\"{name}\"]) .stored[title=\"{state}\"]"
    ))
}

fn open(page: &Page, machine: &Machine) {
    page.see(text(machine.name()));
    page.go(&format!("/machine/{}", machine.id()));
    page.click(row("Documents"));
    page.set_limit(LONG);
}

#[test]
fn what_changes_is_uploaded_by_itself_until_the_switch_is_off() {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let files = tempfile::tempdir().unwrap();
    sample::small_tree(files.path());
    let machine = Machine::join(&ann, "desk").root("Documents", files.path()).start();
    let page = scene::sign_in(&server, "ann");
    open(&page, &machine);
    page.see(state("notes", "Not in drive"));
    page.click(role("switch", "Keep uploaded"));
    page.see(css(".switch[aria-checked='true']"));
    page.see(link("Up to date"));
    page.see(state("notes", "Safe in drive"));
    sample::text(&files.path().join("new.txt"), "written while it is watched");
    page.see(state("new.txt", "Safe in drive"));
    page.expect_accessible();
    page.screenshot("machine-kept");
    // It goes on for ever, so it is no work that anybody waits for.
    page.see_gone(css(".tray"));
    page.click(link("Transfers"));
    page.see(heading("Kept current"));
    page.see(css(".main .transfer[data-state='current']"));
    page.expect_accessible();
    page.screenshot("transfers-kept");
    page.click(css(".main .transfer .what a"));
    page.see(heading("Documents"));
    page.see(text("Watching"));
    page.expect_accessible();
    page.screenshot("transfer-watch");
    page.click(button("Stop watching"));
    page.see(text("Stopped"));
    open(&page, &machine);
    page.see(css(".switch[aria-checked='false']"));
    page.see(state("new.txt", "Safe in drive"));
}

#[test]
fn another_terminal_sees_it_and_pauses_it() {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let files = tempfile::tempdir().unwrap();
    sample::text(&files.path().join("a.txt"), "a");
    let machine = Machine::join(&ann, "desk").root("Documents", files.path()).start();
    let (one, other) = (scene::sign_in(&server, "ann"), scene::sign_in(&server, "ann"));
    open(&one, &machine);
    one.click(role("switch", "Keep uploaded"));
    one.see(link("Up to date"));
    open(&other, &machine);
    other.see(css(".switch[aria-checked='true']"));
    other.go("/transfers");
    other.click(css(".main .transfer button[aria-label='Pause']"));
    one.see(link("Paused"));
    other.click(button("Resume"));
    one.see(link("Up to date"));
}

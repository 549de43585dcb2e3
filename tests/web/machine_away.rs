//! A machine goes away: what this browser last read of it stays, marked so, and uploads wait for it.

use beckon_tests::{
    Account, Machine, Server,
    page::{button, css, heading, text},
    sample,
};
use thirtyfour::Key;

use crate::{browse_a_machine::row, scene};

#[test]
fn a_folder_stays_as_it_was_last_read_and_an_upload_waits() {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let files = tempfile::tempdir().unwrap();
    sample::text(&files.path().join("Kestrel/notes.md"), "notes");
    sample::text(&files.path().join("Other/unseen.md"), "unseen");
    let mut machine = Machine::join(&ann, "desk").root("Projects", files.path()).start();
    let page = scene::sign_in(&server, "ann");
    page.see(text("desk"));
    page.go(&format!("/machine/{}", machine.id()));
    page.click(row("Projects"));
    page.click(row("Kestrel"));
    page.see(row("notes.md"));
    page.see(text("live"));
    machine.stop();
    page.see(text("desk went away at"));
    page.see(row("notes.md"));
    page.see(text("as of"));
    page.screenshot("machine-away");
    page.expect_accessible();
    page.reload();
    page.see(row("notes.md"));
    page.see(text("as of"));
    page.press(Key::Tab);
    page.click(css(".file:has([title='notes.md']) .meta"));
    page.press("u");
    page.see(css(".file .stored[title='Waits']"));
    page.press(Key::Escape);
    page.press(Key::Backspace);
    page.see(row("Other"));
    page.click(row("Other"));
    page.see(heading("desk is away"));
    page.screenshot("machine-away-unseen");
    page.expect_accessible();
    machine.restart();
    page.see(row("unseen.md"));
    page.back();
    page.click(row("Kestrel"));
    page.see(css(".file .stored[title='Safe in drive']"));
    assert!(!page.has(button("Upload when back")));
}

//! Ann tells a folder of a machine what it is to leave out of uploads, and sees before she saves what that would be.

use beckon_tests::{
    Account, Machine, Server,
    page::{Target, button, css, field, heading, role, text},
    sample,
};

use crate::{browse_a_machine::row, scene};

fn state(name: &str, state: &str) -> Target {
    css(format!(
        ".file:has(.label[title=\"{name}\"]) .stored[title=\"{state}\"]"
    ))
}

#[test]
fn patterns_are_tried_out_while_they_are_typed_and_saved_on_the_machine() {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let files = tempfile::tempdir().unwrap();
    for name in ["report.txt", "draft.tmp", "cache/one.bin", "cache/two.bin"] {
        sample::text(&files.path().join(name), name);
    }
    let mut machine = Machine::join(&ann, "desk").root("Documents", files.path()).start();
    let page = scene::sign_in(&server, "ann");
    page.see(text("desk"));
    page.go(&format!("/machine/{}", machine.id()));
    page.click(row("Documents"));
    page.see(state("draft.tmp", "Not in drive"));
    page.click(button("Ignore …"));
    page.see(heading("What Documents leaves out of uploads"));
    page.see(text("Would leave out nothing"));
    page.fill(field("Patterns, one in each line"), "*.tmp\ncache/");
    page.see(text("Would leave out 3 files"));
    page.see(css(".left-out li"));
    page.expect_accessible();
    page.screenshot("ignore");
    page.click(button("Save"));
    page.see_gone(css("dialog[open]"));
    page.see(state("draft.tmp", "Left out"));
    page.see(state("cache", "Left out"));
    page.see(state("report.txt", "Not in drive"));
    page.expect_accessible();
    page.screenshot("machine-ignored");
    page.click(css(".page-head button[aria-label='More']"));
    page.click(role("menuitem", "Ignore …"));
    page.see(text("Would leave out 3 files"));
    assert_eq!(page.value(field("Patterns, one in each line")), "*.tmp\ncache/");
    // Another terminal was faster.
    ann.cli()
        .run(["ignore", "desk:Documents", "--add", "*.bak"])
        .expect_ok();
    page.click(button("Save"));
    page.see(text("they are now: *.tmp cache/ *.bak Nothing was saved."));
    machine.stop();
    page.see(text(
        "desk is away. Its patterns can be seen and changed when it is back.",
    ));
}

//! Ann administers the server by its page: she invites Bob, bounds what he stores, shuts him out and lets him in again, and sees
//! no name of his files.

use std::time::{Duration, Instant, SystemTime};

use beckon_tests::{
    Account, FakeClock, Machine, Server,
    page::{LIMIT, Page, button, css, field, heading, link, role, text},
    sample, wait_until,
};
use serde_json::Value;
use thirtyfour::Key;

use crate::scene;

/// Everything of a disabled account ends within this time, with some room for a busy computer.
const SHUT_OUT: Duration = Duration::from_secs(15);

/// What is stored is added up anew every few seconds.
const COUNTED: Duration = Duration::from_secs(30);

#[test]
fn a_person_is_invited_limited_shut_out_and_let_in_again() {
    let server = Server::start();
    let ann = scene::sign_up(&server, "ann");
    ann.click(link("Admin"));
    ann.see(heading("Admin"));
    ann.see_count(css("[aria-labelledby=accounts] tbody tr"), 1);
    let address = invite(&ann);
    let bob = Page::open(&address);
    bob.see(heading("Join Beckon"));
    scene::make_account(&bob, "bob");
    bob.click(button("Skip for now"));
    bob.see_path("/machines");

    ann.see(role("row", "bob"));
    ann.see_gone(heading("Open invitations"));
    assert!(row(&ann, "bob").contains("0 bytes of 1.5 GB"), "{}", row(&ann, "bob"));
    ann.click(button("More for bob"));
    ann.click(role("menuitem", "Quota …"));
    assert_eq!(ann.value(field("Quota")), "1.5");
    wait_until("the focus is on the quota", LIMIT, || ann.focus().contains("Quota"));
    ann.fill(field("Quota"), "lots");
    ann.click(button("Save"));
    ann.see(text("Write a size as a number, such as 500 or 1.5."));
    ann.expect_accessible();
    ann.fill(field("Quota"), "2");
    ann.press(Key::Enter);
    ann.see(text("0 bytes of 2 GB"));

    assert!(!bob.has(link("Admin")), "Bob is no administrator");
    bob.go("/admin");
    bob.see(heading("Only administrators see this page"));
    bob.expect_accessible();

    shut_out_and_let_in(&ann, &bob);
}

/// Makes a link with a quota, and looks at what shows; the link works once.
fn invite(ann: &Page) -> String {
    ann.click(button("Invite"));
    ann.click(button("1 day"));
    ann.click(role("checkbox", "Unlimited storage"));
    ann.fill(field("Quota"), "1,5");
    ann.screenshot("admin-invite");
    ann.expect_accessible();
    ann.click(button("Make link"));
    ann.see(text("It is shown only now"));
    let address = ann.read(css(".command code"));
    ann.screenshot("admin-invite-link");
    ann.expect_accessible();
    ann.click(button("Done"));
    ann.see(heading("Open invitations"));
    ann.see(text("For a member · quota 1.5 GB"));
    address
}

fn shut_out_and_let_in(ann: &Page, bob: &Page) {
    ann.click(button("More for bob"));
    ann.screenshot("admin-menu");
    ann.click(role("menuitem", "Disable …"));
    ann.see(text("Everybody who is signed in as bob is signed out at once"));
    ann.expect_accessible();
    let clicked = Instant::now();
    ann.click(button("Disable account"));
    bob.see_path("/sign-in");
    assert!(clicked.elapsed() < SHUT_OUT, "shut out after {:?}", clicked.elapsed());
    ann.see(text("disabled"));
    ann.expect_accessible();
    scene::sign_in_here(bob, "bob", &scene::password_of("bob"));
    bob.see(text("disabled"));

    ann.click(button("More for bob"));
    ann.click(role("menuitem", "Enable"));
    ann.see(text("bob can sign in again"));
    ann.see_gone(text("disabled"));
    assert!(
        row(ann, "bob").contains("of 2 GB"),
        "the quota stays: {}",
        row(ann, "bob")
    );
    scene::sign_in_here(bob, "bob", &scene::password_of("bob"));
    bob.see_gone(heading("Sign in"));
    ann.click(button("More for ann"));
    ann.see(role("menuitem", "Quota …"));
    assert!(!ann.has(role("menuitem", "Disable …")), "nobody disables themselves");
    ann.press(Key::Escape);
}

fn row(page: &Page, name: &str) -> String {
    page.read(role("row", name))
}

#[test]
fn an_invitation_that_is_withdrawn_opens_nothing() {
    let server = Server::start();
    let ann = scene::sign_up(&server, "ann");
    ann.go("/admin");
    let address = invite(&ann);
    ann.click(button("Withdraw the invitation"));
    ann.see_gone(heading("Open invitations"));
    let bob = Page::open(&address);
    bob.fill(field("Name"), "bob");
    bob.fill(field("Password"), &scene::password_of("bob"));
    bob.click(button("Continue"));
    bob.click(role("checkbox", "I have put the words in a safe place"));
    bob.click(button("Create account"));
    bob.see(text("The server does not take this code."));
}

#[test]
fn the_page_agrees_with_the_command_line_and_names_no_file() {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let invitation = ann.cli().run(["admin", "invite", "--json"]).expect_ok().json();
    let bob = Account::sign_up_with(server.url(), invitation["link"].as_str().unwrap(), "bob");
    let folder = tempfile::tempdir().unwrap();
    sample::text(&folder.path().join("love-letter.txt"), "dear");
    let _machine = Machine::join(&bob, "desk").root("Secrets", folder.path()).start();
    let page = scene::sign_in(&server, "ann");
    page.go("/admin");
    page.see(heading("Admin"));
    bob.cli().run(["upload", "desk:Secrets", "--wait"]).expect_ok();
    let stats = || ann.cli().run(["admin", "stats", "--json"]).expect_ok().json();
    wait_until("what was stored is counted", COUNTED, || {
        stats()["stored"]["content"] == 4
    });
    let stats = stats();
    let (online, devices) = (number(&stats["online"]), number(&stats["devices"]));
    page.see(css(".tile"));
    let tiles = page.read_all(css(".tile"));
    assert!(tiles[0].contains(&format!("of {devices}")), "{tiles:?}");
    page.see(text(format!(
        "{} of {} machines",
        stats["machines_online"], stats["machines"]
    )));
    let disk = number(&stats["stored"]["disk"]);
    let told = [format!("{disk}\nbytes"), format!("{disk}bytes")];
    wait_until("the page tells what is stored", COUNTED, || {
        let tile = &page.read_all(css(".tile"))[1];
        told.iter().any(|told| tile.contains(told))
    });
    assert!(tiles[3].contains(stats["version"].as_str().unwrap()), "{tiles:?}");
    assert!(online <= devices);
    let source = page.script("return document.documentElement.outerHTML", &[]);
    for name in ["love-letter", "Secrets", "dear"] {
        assert!(!source.as_str().unwrap().contains(name), "{name} is in the page");
    }
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn charts_tell_each_moment_to_the_eye_to_the_keyboard_and_as_a_table() {
    let clock = FakeClock::new();
    let noon = minutes_to_noon();
    clock.shift(&format!("+{noon}m"));
    let mut options = Server::options();
    for (name, value) in clock.env() {
        options = options.env(name, value);
    }
    let mut server = options.start();
    let page = scene::sign_up(&server, "ann");
    page.go("/admin");
    page.see(text("Nothing to draw yet."));
    page.screenshot("admin-empty");
    page.expect_accessible();
    page.expect_error("WebSocket");
    page.expect_error("ERR_CONNECTION_REFUSED");
    page.expect_error("ERR_CONNECTION_RESET");
    page.expect_error("ERR_EMPTY_RESPONSE");
    for (minutes, samples) in [(6, 2), (65, 3), (71, 4)] {
        clock.shift(&format!("+{}m", noon + minutes));
        server.restart();
        page.see_count(css("figure:first-of-type .sr tbody tr"), samples);
    }
    page.see(role("slider", "Stored bytes"));
    page.click(role("slider", "Traffic through the server"));
    page.press(Key::Home);
    let words = || {
        page.attribute(role("slider", "Traffic through the server"), "aria-valuetext")
            .unwrap()
    };
    let oldest = words();
    assert!(oldest.contains("Received 0 bytes, Sent 0 bytes"), "{oldest}");
    page.press(Key::End);
    assert!(words() != oldest, "{oldest}");
    page.see(css(".chart-tip"));
    page.screenshot("admin-charts");
    page.expect_accessible();
    page.click(button("Year"));
    page.see(text("The chart begins with the second sample, a day after the first."));
}

/// From there on a few hours lie in one day.
fn minutes_to_noon() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    (36 * 60 - since.as_secs() / 60 % (24 * 60)) % (24 * 60)
}

#[test]
fn all_of_it_is_in_chinese_too() {
    let server = Server::start();
    let page = scene::sign_up(&server, "ann");
    page.go("/settings");
    page.click(button("简体中文"));
    page.go("/admin");
    page.see(heading("账号"));
    page.see(text("健康状况"));
    page.screenshot("admin-chinese");
    page.expect_accessible();
    let known = ["Beckon", "ann", "Ann", "TLS", "kB", "MB", "GB", "TB", "bytes"];
    let words = page.read(css("main"));
    let latin = words
        .split(|c: char| !c.is_ascii_alphabetic())
        .filter(|word| word.len() > 1);
    let strange: Vec<&str> = latin.filter(|word| !known.contains(word)).collect();
    assert!(strange.is_empty(), "{strange:?} in {words}");
}

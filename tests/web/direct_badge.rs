//! Ann's machine stands beside her: the app reaches it without the server where its owner allows it, says by which way, and
//! goes on when the server is away.

use std::time::Duration;

use beckon_tests::{
    Account, Machine, Server,
    page::{Options, Page, button, css, heading, link, text},
    sample,
};
use tempfile::TempDir;
use thirtyfour::Key;

use crate::{browse_a_machine::row, scene};

/// The badge that says that the machine is reached directly.
fn direct() -> beckon_tests::page::Target {
    css(".page-head .badge.ok")
}

/// The badge that says that it is reached by the server.
fn relay() -> beckon_tests::page::Target {
    css(".page-head .reach .badge:not(.ok):not(.plain)")
}

/// A direct way that was not found in time is looked for again after a minute, and a machine dials again within half of one.
const TRIES: Duration = Duration::from_secs(150);

struct Desk {
    page: Page,
    machine: Machine,
    server: Server,
    _ann: Account,
    _files: TempDir,
}

impl Desk {
    fn new(options: Options) -> Self {
        let server = Server::start();
        let ann = Account::sign_up(&server, "ann");
        let files = tempfile::tempdir().unwrap();
        sample::text(&files.path().join("Kestrel/deep/plan.txt"), "a plan");
        sample::text(&files.path().join("Kestrel/notes.md"), "# Notes\n");
        let machine = Machine::join(&ann, "desk").root("Projects", files.path()).start();
        let page = scene::sign_in_with(options, &server, "ann");
        page.see(link("desk"));
        page.set_limit(TRIES);
        Self {
            page,
            machine,
            server,
            _ann: ann,
            _files: files,
        }
    }

    /// Lets the machine listen in the networks that it is in; whether there is one.
    fn listen(&self) -> bool {
        self.machine.cli().run(["lan", "allow", "here"]).code() == 0
    }

    fn open(&self) {
        self.page.go(&format!("/machine/{}", self.machine.id()));
        self.page.see(heading("desk"));
        self.page.click(row("Projects"));
        self.page.see(row("Kestrel"));
    }

    /// What the reasons say, opened at the badge, once it is known and so.
    fn reasons(&self, found: &str) -> String {
        self.page.click(css(".page-head .reach button"));
        self.page.see(text(found));
        self.page.read(css(".reasons"))
    }
}

#[test]
fn a_machine_that_listens_is_reached_directly_and_a_person_may_choose_the_relay() {
    let desk = Desk::new(Options::default());
    if !desk.listen() {
        eprintln!("this computer is in no network: nothing to look at");
        return;
    }
    let page = &desk.page;
    desk.open();
    page.see(direct());
    page.screenshot("machine-direct");
    page.expect_accessible();
    desk.reasons("has proved to be your machine");
    page.screenshot("machine-direct-reasons");
    page.expect_accessible();
    page.click(button("Use the relay only"));
    page.see(text("You chose the relay for this browser."));
    page.click(button("Use the direct way"));
    page.see(text("has proved to be your machine"));
    page.press(Key::Escape);
    page.see(direct());
    page.click(row("Kestrel"));
    page.see(row("notes.md"));
    page.go("/machines");
    page.see(css(".device .badge"));
}

#[test]
fn a_machine_that_does_not_listen_goes_by_relay_and_says_what_to_do() {
    let desk = Desk::new(Options::default());
    let page = &desk.page;
    desk.open();
    page.see(relay());
    let says = desk.reasons("listens in no network");
    assert!(says.contains("beckon lan"), "{says}");
    page.screenshot("machine-relay-reasons");
    page.expect_accessible();
    page.press(Key::Escape);
    if desk.listen() {
        // Nobody has to load the page again.
        page.see(direct());
    }
}

#[test]
fn the_way_is_told_on_a_phone_in_the_dark_and_in_chinese() {
    let mut desk = Desk::new(Options::default());
    desk.open();
    desk.page.resize(390, 844);
    desk.page.set_dark(true);
    desk.reasons("listens in no network");
    desk.page.screenshot("machine-relay-reasons-phone");
    desk.page.expect_accessible();
    desk.page.press(Key::Escape);
    desk.page.script(
        "localStorage.setItem('beckon.prefs', JSON.stringify({lang: 'Zh', theme: 'Dark', letter_keys: true}))",
        &[],
    );
    desk.page.reload();
    desk.page.see(relay());
    desk.reasons("没有在局域网中等待连接");
    desk.page.screenshot("machine-relay-reasons-chinese");
    desk.page.expect_accessible();
}

#[test]
fn while_the_server_is_away_a_machine_nearby_is_browsed_and_takes_orders() {
    let mut desk = Desk::new(Options::default());
    if !desk.listen() {
        eprintln!("this computer is in no network: nothing to look at");
        return;
    }
    desk.open();
    desk.page.see(direct());
    for error in [
        "WebSocket",
        "ERR_CONNECTION_REFUSED",
        "ERR_CONNECTION_RESET",
        "ERR_EMPTY_RESPONSE",
    ] {
        desk.page.expect_error(error);
    }
    desk.server.kill();
    let page = &desk.page;
    page.see(text("Still reached directly: desk."));
    page.click(row("Kestrel"));
    page.click(row("deep"));
    page.see(row("plan.txt"));
    page.screenshot("machine-direct-without-server");
    page.click(css(".file:has([title='plan.txt']) .meta"));
    page.press("u");
    page.see(text("desk has the order."));
    desk.server.restart();
    let page = &desk.page;
    page.see(css(
        ".file:has(.label[title='plan.txt']) .stored[title='Safe in drive']",
    ));
    page.go("/transfers");
    page.see(text("plan.txt"));
}

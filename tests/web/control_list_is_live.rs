//! The control list moves by itself: machines come and go, get names, visit, and are removed.

use std::time::{Duration, Instant};

use beckon_tests::{
    Account, Machine, Server,
    page::{LIMIT, Page, button, css, field, heading, link, role, text},
};
use thirtyfour::Key;

use crate::scene;

/// A change is on the screen within this time, with some room for a busy computer.
const SOON: Duration = Duration::from_secs(10);
/// A machine tries again and again to reach a server that was away, ever more seldom.
const DIALS: Duration = Duration::from_secs(90);

/// A server with an account, a machine of it, and a browser that looks at the control list.
struct Desk {
    page: Page,
    machine: Machine,
    ann: Account,
    server: Server,
}

impl Desk {
    fn new() -> Self {
        let server = Server::start();
        let ann = Account::sign_up(&server, "ann");
        let machine = Machine::join(&ann, "desk").start();
        let page = scene::sign_in(&server, "ann");
        page.see(link("desk"));
        Self {
            page,
            machine,
            ann,
            server,
        }
    }

    /// How the machine's row says that it stands.
    fn expect_state(&self, state: &str) {
        self.expect_state_within(SOON, state);
    }

    fn expect_state_within(&self, limit: Duration, state: &str) {
        let row = format!("[data-device=\"{}\"] .c-state", self.machine.id());
        let begun = Instant::now();
        while self.page.read(css(&row)) != state {
            assert!(begun.elapsed() < limit, "the row does not say {state}");
        }
    }
}

#[test]
fn a_machine_that_goes_and_comes_is_seen_without_a_reload() {
    let mut desk = Desk::new();
    desk.expect_state("Online");
    desk.page.expect_accessible();
    desk.machine.stop();
    desk.expect_state("Away");
    desk.page.screenshot("machines-away");
    desk.machine.restart();
    desk.expect_state("Online");
}

#[test]
fn a_new_name_is_seen_in_both_browsers_and_a_bad_one_is_told_beside_the_field() {
    let desk = Desk::new();
    desk.page.click(button("More for desk"));
    desk.page.click(role("menuitem", "Rename …"));
    desk.page.fill(field("Name"), "a/b");
    desk.page.click(button("Save"));
    desk.page.see(text("A name has 1 to 64 characters"));
    desk.page.expect_accessible();
    desk.page.fill(field("Name"), "office");
    desk.page.press(Key::Enter);
    desk.page.see(link("office"));
    desk.page.see_gone(css("dialog[open]"));
    desk.page.see_focus("button \"More for office\"");
    desk.ann.cli().run(["device", "rename", "office", "studio"]).expect_ok();
    desk.page.see(link("studio"));
}

#[test]
fn a_device_page_tells_facts_and_visits_and_renames_in_place() {
    let mut desk = Desk::new();
    let visits = css(".visits tbody tr");
    desk.page.go(&format!("/device/{}", desk.machine.id()));
    desk.page.see(heading("desk"));
    desk.page.see(text("Its files may be read"));
    desk.page.see_count(visits.clone(), 1);
    desk.page.screenshot("device");
    desk.page.expect_accessible();
    desk.machine.restart();
    desk.page.see_count(visits, 2);
    desk.page.press(Key::F2);
    desk.page.fill(field("Name"), "office");
    desk.page.press(Key::Enter);
    desk.page.see(heading("office"));
    desk.page.go("/device/00");
    desk.page.see(heading("No device is at this address"));
}

#[test]
fn a_removed_machine_is_cut_off_and_stands_at_the_end() {
    let mut desk = Desk::new();
    desk.page.click(button("More for desk"));
    desk.page.click(role("menuitem", "Remove …"));
    desk.page.see(heading("Remove desk?"));
    desk.page.screenshot("machine-remove");
    desk.page.expect_accessible();
    desk.page.click(button("Remove machine"));
    desk.page.see(heading("No machines yet"));
    desk.page.see(css(".fold > summary"));
    desk.machine.process().wait(Duration::from_secs(30));
    desk.page.expect_accessible();
}

#[test]
fn a_browser_whose_page_was_left_is_away_at_once() {
    let desk = Desk::new();
    let other = scene::sign_in(&desk.server, "ann");
    let online = css(".device.compact .presence.on");
    desk.page.see_count(online.clone(), 2);
    other.script("location.href = 'about:blank'", &[]);
    desk.page.set_limit(SOON);
    desk.page.see_count(online.clone(), 1);
    desk.page.set_limit(LIMIT);
    other.back();
    desk.page.see_count(online, 2);
}

#[test]
fn a_lost_connection_is_told_with_a_countdown_and_comes_back() {
    let mut desk = Desk::new();
    desk.server.kill();
    desk.page.expect_error("WebSocket");
    desk.page.expect_error("ERR_CONNECTION_REFUSED");
    desk.page.see(text("No connection to the server."));
    desk.expect_state("Not known");
    desk.page.screenshot("connection-lost");
    desk.page.expect_accessible();
    desk.page.see(button("Try now"));
    desk.server.restart();
    // By a script, for the page may come back by itself before a pointer is there.
    let click = "[...document.querySelectorAll('button')].find((one) => one.innerText === 'Try now')?.click()";
    desk.page.script(click, &[]);
    desk.page.see_gone(text("No connection to the server."));
    desk.expect_state_within(DIALS, "Online");
}

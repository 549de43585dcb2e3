//! A transfer's own page: what was sent and what was not, how it came to stand so, and what can be done about it.

use std::{fs, os::unix::fs::PermissionsExt, time::Duration};

use beckon_tests::{
    Account, Machine, Server,
    page::{Page, button, css, heading, link, role, text},
    sample, wait_until,
};
use serde_json::Value;
use tempfile::TempDir;

use crate::scene;

const LONG: Duration = Duration::from_secs(60);

/// Runs a program without root's right to read everything, so that file modes count.
const WITHOUT_OVERRIDE: &[&str] = &[
    "setpriv",
    "--bounding-set=-dac_override,-dac_read_search",
    "--inh-caps=-all",
    "--",
];

/// A machine with a folder, and a browser that looks at the transfers.
struct Desk {
    page: Page,
    machine: Machine,
    ann: Account,
    server: Server,
    folder: TempDir,
}

impl Desk {
    fn new(through: &[&str], fill: impl FnOnce(&std::path::Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fill(folder.path());
        let server = Server::start();
        let ann = Account::sign_up(&server, "ann");
        let joining = Machine::join(&ann, "desk").root("Documents", folder.path());
        let machine = joining.through(through).start();
        let page = scene::sign_in(&server, "ann");
        page.set_limit(LONG);
        Self {
            page,
            machine,
            ann,
            server,
            folder,
        }
    }

    /// Stops the machine, and waits until that is seen.
    fn stop_machine(&mut self) {
        self.machine.stop();
        self.page.go(&format!("/device/{}", self.machine.id()));
        self.page.see(text("desk is away."));
    }

    /// Orders all of it from another terminal; the transfer's id.
    fn order(&self) -> String {
        let placed = self.ann.cli().run(["--json", "upload", "desk:Documents"]);
        let placed: Value = placed.json();
        placed["id"].as_str().unwrap().to_owned()
    }

    /// Orders it and opens the page.
    fn open(&self) -> String {
        let id = self.order();
        self.page.go(&format!("/transfers/{id}"));
        id
    }
}

/// The figure beside these words.
fn fact(page: &Page, what: &str) -> String {
    let script = "const dt = [...document.querySelectorAll('.main dt')].find((dt) => dt.innerText === arguments[0]);
        return dt?.nextElementSibling.innerText ?? ''";
    let found = page.script(script, &[what.into()]);
    found.as_str().unwrap_or_default().to_owned()
}

/// The states of the story, from its first row on.
fn story(page: &Page) -> Vec<String> {
    page.read_all(css(".story tbody td:nth-child(2)"))
}

#[test]
fn an_order_for_a_machine_that_is_away_says_since_when_and_how_long_and_then_tells_its_story() {
    let mut desk = Desk::new(&[], sample::small_tree);
    // Before, for the machine was seen just now for a minute only.
    let other = scene::sign_in(&desk.server, "ann");
    desk.stop_machine();
    let id = desk.order();
    let page = &desk.page;
    for page in [page, &other] {
        page.go("/transfers");
        page.see(text("desk was last seen just now."));
        page.see(text("The order stands until"));
    }
    page.click(link("Documents"));
    page.see_path(&format!("/transfers/{id}"));
    page.see(heading("Documents"));
    page.see(text("Waiting for the machine"));
    page.see(text("The order stands until"));
    page.see(text("All of Documents"));
    page.expect_accessible();
    page.screenshot("transfer-away");
    page.click(button("High"));
    other.see(text("high priority"));
    page.see(css(".segmented [aria-pressed='true']"));
    desk.ann.cli().run(["transfers", "priority", &id, "low"]).expect_ok();
    other.see(text("low priority"));
    page.see(css(".segmented button:first-child[aria-pressed='true']"));
    desk.machine.restart();
    let page = &desk.page;
    page.see(css(".transfer-panel[data-state='done']"));
    page.see_count(css(".story tbody tr"), 5);
    assert_eq!(
        story(page),
        ["Queued", "Waiting for the machine", "Queued", "Running", "Done"]
    );
    assert!(fact(page, "Sent").contains("MB"), "{}", fact(page, "Sent"));
    assert_eq!(fact(page, "Priority"), "Low");
    page.expect_accessible();
    page.screenshot("transfer-done");
    page.click(link("Show in drive"));
    page.see_path("/drive/desk/Documents");
}

#[test]
fn what_was_there_already_is_told_apart_from_what_was_sent() {
    let desk = Desk::new(&[], sample::small_tree);
    desk.open();
    desk.page.see(css(".transfer-panel[data-state='done']"));
    // The same bytes under another name, beside what did not change.
    let video = desk.folder.path().join("video.bin");
    fs::copy(&video, desk.folder.path().join("copy.bin")).unwrap();
    desk.open();
    desk.page.see(css(".transfer-panel[data-state='done']"));
    desk.page.see(text("not sent again"));
    desk.page.see(text("not read again"));
    assert!(fact(&desk.page, "Already there").starts_with("3.15 MB"));
    desk.page.expect_accessible();
}

#[test]
fn what_could_not_be_stored_is_listed_with_its_reason_and_tried_again_alone() {
    let locked = |folder: &std::path::Path| folder.join("tables/trips.csv");
    let set_mode = |path: &std::path::Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let desk = Desk::new(WITHOUT_OVERRIDE, |folder| {
        sample::small_tree(folder);
        set_mode(&locked(folder), 0);
    });
    desk.open();
    let page = &desk.page;
    page.see(text("Done in part"));
    page.see(text("1 file could not be stored."));
    page.see(heading("Files that were not stored as they are"));
    page.see(text("tables/trips.csv"));
    page.expect_accessible();
    page.screenshot("transfer-partly");
    set_mode(&locked(desk.folder.path()), 0o644);
    page.click(button("Retry the failed ones"));
    page.see(css(".transfer-panel[data-state='done']"));
    page.see_gone(heading("Files that were not stored as they are"));
    assert!(story(page).contains(&"Done in part".to_owned()), "{:?}", story(page));
}

#[test]
fn a_machine_that_misses_many_files_asks_and_goes_on_when_told() {
    let fill = |folder: &std::path::Path| {
        for number in 0..60 {
            sample::text(&folder.join(format!("{number}.txt")), &number.to_string());
        }
    };
    let desk = Desk::new(&[], fill);
    desk.open();
    desk.page.see(css(".transfer-panel[data-state='done']"));
    for number in 0..60 {
        fs::remove_file(desk.folder.path().join(format!("{number}.txt"))).unwrap();
    }
    sample::text(&desk.folder.path().join("left.txt"), "left");
    desk.open();
    let page = &desk.page;
    page.see(text("Waiting for you"));
    page.see(text("Many files that were stored before are missing on desk"));
    page.expect_accessible();
    page.screenshot("transfer-question");
    page.click(button("Go on"));
    page.see(css(".transfer-panel[data-state='done']"));
}

#[test]
fn limits_that_let_nothing_through_are_named_and_lifted_from_there() {
    let mut desk = Desk::new(&[], sample::small_tree);
    // So low that the limits lie below the window.
    desk.page.resize(1280, 440);
    let limit = |args: &[&str]| {
        desk.ann
            .cli()
            .run([&["device", "limit", "desk"], args].concat())
            .expect_ok()
    };
    limit(&["--rate", "0"]);
    let id = desk.open();
    let page = &desk.page;
    page.see(text("Waiting for its hours"));
    page.see(text("desk may send nothing, by its limits."));
    page.screenshot("transfer-schedule");
    page.click(button("Show limits"));
    page.see_path("/device/");
    page.see(text("Sends nothing"));
    let seen = "const at = document.querySelector('.limits').getBoundingClientRect(); return at.top >= 0 && at.bottom <= innerHeight";
    wait_until("the limits are in sight", LONG, || page.script(seen, &[]) == true);
    page.click(button("Change …"));
    page.click(role("checkbox", "No limit"));
    page.click(button("Save"));
    page.see(text("As fast as it can"));
    page.go(&format!("/transfers/{id}"));
    page.see(css(".transfer-panel[data-state='done']"));
}

#[test]
fn what_waits_can_be_paused_and_withdrawn_and_what_is_not_there_says_so() {
    let mut desk = Desk::new(&[], sample::small_tree);
    desk.stop_machine();
    desk.open();
    let page = &desk.page;
    page.see(text("Waiting for the machine"));
    page.click(button("Pause"));
    page.see(text("Paused"));
    page.see_focus("button \"Resume\"");
    page.click(button("Resume"));
    page.see(text("Waiting for the machine"));
    page.click(button("Cancel"));
    page.see(css(".transfer-panel[data-state='cancelled']"));
    page.see_gone(button("Cancel"));
    page.go("/transfers/01a203e4-646c-76a7-9c7c-a6ac00dd03ca");
    page.see(heading("This transfer is not there"));
    page.expect_accessible();
    page.click(link("All transfers"));
    page.see(heading("Transfers"));
}

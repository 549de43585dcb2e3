//! A transfer that one browser ordered is seen in another, which pauses, resumes and cancels it.

use std::time::Duration;

use beckon_tests::{
    Account, Machine, Proxy, Server, Way,
    page::{Page, button, css, heading, link, text},
    sample,
};
use tempfile::TempDir;

use crate::scene;

const MIB: u64 = 1024 * 1024;
const LONG: Duration = Duration::from_secs(60);

/// A machine behind a proxy that can hold its bytes up, and two browsers.
struct Far {
    here: Page,
    there: Page,
    proxy: Proxy,
    ann: Account,
    machine: Machine,
    _server: Server,
    _folder: TempDir,
}

impl Far {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..16 {
            sample::random_file(&folder.path().join(format!("file-{number}")), 2 * MIB, number);
        }
        let server = Server::start();
        let ann = Account::sign_up(&server, "ann");
        let proxy = Proxy::to(server.address());
        let joining = Machine::join_with(&proxy.url(), &ann.join_code(&[]), "desk");
        let machine = joining.root("Documents", folder.path()).start();
        let (here, there) = (scene::sign_in(&server, "ann"), scene::sign_in(&server, "ann"));
        here.go("/transfers");
        there.go("/transfers");
        here.see(heading("No transfers"));
        Self {
            here,
            there,
            proxy,
            ann,
            machine,
            _server: server,
            _folder: folder,
        }
    }

    /// Orders all of it from the command line, and stops the bytes in the middle.
    fn hold_up(&self) {
        self.proxy.allow(Way::Up, 8 * MIB);
        self.ann.cli().run(["upload", "desk:Documents"]).expect_ok();
        self.proxy.wait_held_up(Way::Up, LONG);
    }
}

#[test]
fn a_second_browser_sees_it_run_pauses_it_and_resumes_it() {
    let far = Far::new();
    far.hold_up();
    for page in [&far.here, &far.there] {
        page.see(heading("Running"));
        page.see(css(".tray"));
        page.see(text("1 running"));
    }
    far.here.screenshot("transfers");
    far.here.expect_accessible();
    far.there.click(button("Pause"));
    far.there.see(heading("Waiting and paused"));
    far.here.see(heading("Waiting and paused"));
    far.here.see(text("paused"));
    // It went not away with the button.
    far.there.see_focus("button \"Resume\"");
    far.proxy.open();
    far.here.click(button("Resume"));
    for page in [&far.here, &far.there] {
        page.see(heading("Done today"));
        page.see(text("16 files"));
        page.see_gone(css(".tray"));
    }
    far.here.expect_accessible();
    far.here.click(link("Show"));
    far.here.see_path("/drive/desk/Documents");
    // The folder is found by what it is and not by what it was called.
    let move_to = ["drive", "mv", "desk/Documents", "desk/Papers"];
    far.ann.cli().run(move_to).expect_ok();
    far.there.click(link("Show"));
    far.there.see_path("/drive/desk/Papers");
    far.there.see(text("file-15"));
}

#[test]
fn one_that_is_cancelled_ends_in_both() {
    let far = Far::new();
    far.hold_up();
    far.here.see(heading("Running"));
    far.here.click(button("Cancel"));
    far.proxy.open();
    for page in [&far.here, &far.there] {
        page.see(heading("Done today"));
        page.see(text("Cancelled"));
    }
}

#[test]
fn an_order_to_a_machine_that_is_away_says_what_it_waits_for_and_goes_on_by_itself() {
    let mut far = Far::new();
    far.machine.stop();
    far.ann.cli().run(["upload", "desk:Documents"]);
    far.here.see(heading("Waiting and paused"));
    far.here.see(text("The upload starts by itself when it is back."));
    far.here.go("/machines");
    far.here.see(text("1 transfer waits for it"));
    far.here.press("t");
    far.here.see(css(".tray-panel"));
    far.here.see(css(".tray > summary:focus"));
    far.here.screenshot("tray");
    far.here.expect_accessible();
    far.machine.restart();
    far.here.see_gone(css(".tray"));
    far.there.see(heading("Done today"));
}

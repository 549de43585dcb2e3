//! Ann has her browser tell her when a transfer ends, while she looks at something else.

use beckon_tests::{
    Account, Machine, Server,
    page::{LIMIT, Page, css, role, text},
    sample, wait_until,
};
use serde_json::{Value, json};

use crate::scene;

const SWITCH: &str = "Tell me when a transfer ends";

/// Writes down what the browser is asked to show, where all tabs see it.
const RECORD: &str = "const shown = window.Notification;
    window.Notification = class extends shown {
        constructor(title, options) {
            super(title, options);
            localStorage['shown' + Math.random()] = JSON.stringify([title, options?.tag ?? '']);
        }
    };";

/// As if another window lay before this one.
const HIDE: &str = "Object.defineProperty(document, 'hidden', { configurable: true, get: () => true });
    document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));";

fn shown(page: &Page) -> Vec<Value> {
    let read = "return Object.keys(localStorage).filter((key) => key.startsWith('shown')).map((key) => JSON.parse(localStorage[key]))";
    page.script(read, &[]).as_array().cloned().unwrap_or_default()
}

/// A machine with a folder, and a browser that may show notifications. It is last, to be closed before the server is gone.
fn desk() -> (tempfile::TempDir, Server, Machine, Account, Page) {
    let folder = tempfile::tempdir().unwrap();
    sample::small_tree(folder.path());
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let machine = Machine::join(&ann, "desk").root("Documents", folder.path()).start();
    let page = scene::sign_in(&server, "ann");
    let granted = json!({ "origin": server.url(), "permissions": ["notifications"] });
    page.devtools("Browser.grantPermissions", granted);
    page.go("/settings");
    page.click(role("checkbox", SWITCH));
    page.see(css("input:checked"));
    (folder, server, machine, ann, page)
}

#[test]
fn an_end_is_told_as_one_and_only_while_no_tab_is_in_front() {
    let (folder, _server, _machine, ann, page) = desk();
    page.reload();
    page.see(css("input:checked"));
    page.go("/transfers");
    page.see(text("No transfers"));
    page.script(RECORD, &[]);
    page.script(HIDE, &[]);
    page.open_tab("/transfers");
    page.see(text("No transfers"));
    page.script(RECORD, &[]);
    let upload = || ann.cli().run(["upload", "desk:Documents", "--wait"]).expect_ok();
    // One tab is in front, and the list in it says it all.
    upload();
    for tab in [0, 1] {
        page.switch_to_tab(tab);
        page.see_count(css(".main .transfer[data-state='done']"), 1);
    }
    assert_eq!(shown(&page), Vec::<Value>::new());
    // Now none is.
    page.script(HIDE, &[]);
    sample::text(&folder.path().join("more.txt"), "more");
    upload();
    for tab in [0, 1] {
        page.switch_to_tab(tab);
        page.see_count(css(".main .transfer[data-state='done']"), 2);
    }
    wait_until("it is told", LIMIT, || !shown(&page).is_empty());
    let told = shown(&page);
    let (words, tag) = (&told[0][0], &told[0][1]);
    assert_eq!(words, "Documents is safe in the drive");
    assert_eq!(tag.as_str().map(str::len), Some(36), "{told:?}");
    // What two tabs tell is one to the browser, by its tag.
    assert!(told.iter().all(|one| one == &told[0]), "{told:?}");
}

#[test]
fn a_browser_that_forbids_it_says_so_and_the_switch_stays_off() {
    let server = Server::start();
    Account::sign_up(&server, "ann");
    let page = scene::sign_in(&server, "ann");
    let denied = json!({ "permission": { "name": "notifications" }, "setting": "denied", "origin": server.url() });
    page.devtools("Browser.setPermission", denied);
    page.go("/settings");
    page.see(text("This browser does not let Beckon show notifications."));
    page.click(role("checkbox", SWITCH));
    page.see(text("This browser does not let Beckon show notifications."));
    let is_on = "return [...document.querySelectorAll('label.setting')].find((label) =>
        label.innerText.includes(arguments[0])).querySelector('input').checked";
    assert_eq!(page.script(is_on, &[SWITCH.into()]), false);
    page.expect_accessible();
}

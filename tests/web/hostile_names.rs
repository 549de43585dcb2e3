//! A machine full of hostile names: nothing of them runs, the page stays whole, and each can be opened and uploaded.

use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt};

use beckon_tests::{
    Account, Machine, Server,
    page::{Page, button, css, heading, text},
    sample,
};
use thirtyfour::Key;

use crate::{browse_a_machine::row, scene};

const HOSTILE: &[&[u8]] = &[
    b"<img src=x onerror=\"window.pwned=1\">",
    b"<script>window.pwned=2<",
    b"<svg onload=window.pwned=3>",
    b"javascript:window.pwned=4",
    b"{{constructor.constructor('window.pwned=5')()}}",
    b"%2e%2e%2f%2e%2e",
    b"100%",
    b"100%41",
    b"a#b?c&d",
    b"~tilde",
    "\u{2066}isolated\u{2069} \u{202e}exe.txt".as_bytes(),
    "zalgo\u{0300}\u{0301}\u{0302}\u{0303}\u{0304}\u{0305}\u{0306}".as_bytes(),
    b"caf\xe9 not utf-8",
    b"constructor",
    b"__proto__",
];

struct Scene {
    page: Page,
    machine: Machine,
    _server: Server,
    files: tempfile::TempDir,
}

/// Each hostile name is a folder that holds a file `inside NUMBER`.
fn scene() -> Scene {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let files = tempfile::tempdir().unwrap();
    for (number, name) in HOSTILE.iter().enumerate() {
        let folder = files.path().join(OsStr::from_bytes(name));
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join(format!("inside {number}")), "x").unwrap();
    }
    sample::odd_names(files.path());
    let machine = Machine::join(&ann, "desk").root("Traps", files.path()).start();
    let page = scene::sign_in(&server, "ann");
    page.see(text("desk"));
    page.go(&format!("/machine/{}", machine.id()));
    page.click(row("Traps"));
    page.see(row("100%"));
    Scene {
        page,
        machine,
        _server: server,
        files,
    }
}

fn expect_nothing_ran(page: &Page) {
    assert_eq!(page.script("return window.pwned ?? null", &[]), serde_json::Value::Null);
}

#[test]
fn nothing_of_a_name_runs_and_the_layout_holds() {
    let scene = scene();
    let page = &scene.page;
    page.screenshot("hostile-names");
    expect_nothing_ran(page);
    let wide = page.script(
        "return [...document.querySelectorAll('.file')].some((row) => row.scrollWidth > row.clientWidth + 1)\
         || document.documentElement.scrollWidth > innerWidth",
        &[],
    );
    assert_eq!(wide, false);
    let heights = page.script(
        "return new Set([...document.querySelectorAll('.file')].map((row) => row.offsetHeight)).size",
        &[],
    );
    assert_eq!(heights, 1);
    page.expect_accessible();
    page.press(Key::Home);
    page.press(Key::Control + "a");
    page.click(button("Upload to drive"));
    page.see_gone(css(".file .stored[title='Not in drive']"));
    expect_nothing_ran(page);
}

#[test]
fn each_folder_opens_survives_a_reload_and_leads_up_again() {
    let scene = scene();
    let page = &scene.page;
    let total = HOSTILE.len();
    let mut opened = Vec::new();
    for index in 0..total {
        let first = css(format!(".file[aria-rowindex='{}'] .label", index + 2));
        page.click(first);
        page.see(css(".file .label[title^='inside ']"));
        let inside = page.read(css(".file .label"));
        page.reload();
        page.see(row(&inside));
        expect_nothing_ran(page);
        opened.push(inside);
        page.click(css(".crumbs a.crumb[title='Traps']"));
        page.see(heading("Traps"));
        page.see(row("100%"));
    }
    opened.sort();
    opened.dedup();
    assert_eq!(opened.len(), total, "{opened:?}");
    assert!(scene.files.path().exists() && !scene.machine.id().is_empty());
}

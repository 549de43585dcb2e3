//! A folder of 100,000 entries is as handy as one of ten.

use std::{thread, time::Duration};

use beckon_tests::{
    Account, Machine, Server,
    page::{button, css, heading, role, text},
    sample, wait_until,
};
use serde_json::json;
use thirtyfour::Key;

use crate::{browse_a_machine::row, scene};

const COUNT: u64 = 100_000;

/// All of them are read and listed within this time, also where other stories go on.
const LONG: Duration = Duration::from_secs(120);

/// Letters that come later begin a new word.
const AFTER_A_WORD: Duration = Duration::from_secs(1);

#[test]
fn a_very_long_folder_is_walked_filtered_and_selected() {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let files = tempfile::tempdir().unwrap();
    sample::long_folder(&files.path().join("long"), COUNT);
    let machine = Machine::join(&ann, "desk").root("Files", files.path()).start();
    let page = scene::sign_in(&server, "ann");
    page.see(text("desk"));
    page.set_limit(LONG);
    page.go(&format!("/machine/{}", machine.id()));
    page.click(row("Files"));
    page.click(row("long"));
    page.see(heading("long"));
    page.see(row("entry-000000"));
    assert_eq!(
        page.attribute(css("[role=grid]"), "aria-rowcount").as_deref(),
        Some("100001")
    );
    // Long before all is read.
    page.press(Key::End);
    page.see(row("entry-099999"));
    assert!(page.focus().contains("entry-099999"), "{}", page.focus());
    page.screenshot("machine-long");
    page.press(Key::Home);
    page.press(Key::PageDown);
    page.see_gone(css(".file[aria-rowindex='2']:focus"));
    page.see(text("live"));
    let rows = page.script("return document.querySelectorAll('.file').length", &[]);
    assert!(rows.as_u64().unwrap() < 120, "{rows} rows exist");
    // Where the machine is busy, a letter may come too late to go on with the word: it is typed anew then.
    wait_until("letters lead to the row that has them", LONG, || {
        page.press("entry-04242");
        thread::sleep(AFTER_A_WORD);
        page.has(row("entry-042420"))
    });
    page.fill(role("searchbox", "Filter this folder"), "9999");
    page.see(text("19 of 100,000 entries shown"));
    page.press(Key::Escape);
    page.see_gone(text("entries shown"));
    page.press(Key::Escape);
    page.see(css(".file:focus"));
    page.press(Key::Control + "a");
    page.see(text("100,000 selected"));
    page.expect_accessible();
    page.click(button("Clear selection"));
    let longest = longest_task_while_scrolling(&page);
    eprintln!("longest task while scrolling: {longest} ms");
}

/// Scrolls through the list for two seconds, a screen in each frame; the longest task that was seen, in milliseconds.
fn longest_task_while_scrolling(page: &beckon_tests::page::Page) -> f64 {
    let script = "
        const done = arguments[arguments.length - 1];
        const list = document.querySelector('.file-list');
        let longest = 0;
        const watch = new PerformanceObserver((seen) => {
            for (const entry of seen.getEntries()) longest = Math.max(longest, entry.duration);
        });
        watch.observe({ entryTypes: ['longtask'] });
        const end = performance.now() + 2000;
        const step = () => {
            list.scrollTop += list.clientHeight;
            if (performance.now() < end) return requestAnimationFrame(step);
            setTimeout(() => { watch.disconnect(); done(longest); }, 300);
        };
        step();";
    page.script_async(script, &[json!(null)]).as_f64().unwrap_or_default()
}

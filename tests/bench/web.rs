//! The web app in Chromium: its size, and how long people wait for it.

use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use beckon_tests::{
    Account, Machine, Server, curl,
    page::{Page, button, css, field, link, role, text},
    sample,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::measure::{Report, median};

/// How many entries the long folder has.
const ENTRIES: u64 = 100_000;

/// How often a start is measured.
const STARTS: usize = 5;

/// Set up in each document before it loads: `shown(selector, count)` is the time, in ms since the page was asked for,
/// at which so many elements stood on the screen.
const STOPWATCH: &str = "
    window.shown = (selector, count) => new Promise((done) => {
        const painted = () => requestAnimationFrame(() => setTimeout(() => done(performance.now())));
        const look = () => document.querySelectorAll(selector).length >= count && (observer.disconnect(), painted(), true);
        const observer = new MutationObserver(look);
        if (!look()) observer.observe(document, { childList: true, subtree: true, attributes: true });
    });
    window.firstField = window.shown('input', 1);";

/// Runs all of it.
pub(crate) fn run() {
    let mut report = Report::new();
    let mut scene = Scene::new();
    size(&scene.server, &mut report);
    let page = Page::open(&format!("{}/sign-in", scene.server.url()));
    page.devtools("Page.addScriptToEvaluateOnNewDocument", json!({ "source": STOPWATCH }));
    start(&page, &mut report);
    sign_in(&page);
    presence(&page, &mut scene, &mut report);
    first_page(&page, &mut report);
    scrolling(&page, &mut report);
    upload(&page, &mut scene, &mut report);
    report.close();
}

struct Scene {
    machine: Machine,
    server: Server,
    // Held for as long as the machine shows them.
    _folders: [TempDir; 2],
    _account: Account,
}

impl Scene {
    fn new() -> Self {
        let folders = [(); 2].map(|()| tempfile::tempdir().expect("room for a folder"));
        sample::long_folder(folders[0].path(), ENTRIES);
        sample::text(&folders[1].path().join("note.txt"), "note");
        let server = Server::start();
        let account = Account::sign_up(&server, "ann");
        let machine = Machine::join(&account, "desk").root("Data", folders[0].path());
        let machine = machine.root("Other", folders[1].path()).start();
        Self {
            machine,
            server,
            _folders: folders,
            _account: account,
        }
    }
}

/// All that a browser fetches until the app runs in the page and in a worker, as it travels.
fn size(server: &Server, report: &mut Report) {
    let mut fetched = BTreeSet::new();
    let mut open = vec!["/".to_owned()];
    let mut total = 0;
    while let Some(path) = open.pop() {
        if !fetched.insert(path.clone()) {
            continue;
        }
        let url = format!("{}{path}", server.url());
        total += curl(["--header", "accept-encoding: br", &url])
            .expect_status(200)
            .body
            .len();
        if path == "/" || path.ends_with(".js") {
            let text = curl([&url]).text();
            let named = text
                .split('"')
                .filter(|part| part.starts_with("/app/") && !part.ends_with(".png"));
            open.extend(named.map(str::to_owned));
        }
    }
    report.below("size of the web app, compressed", total as f64 / 1024.0, 350.0, "KB");
}

/// From the request for the page until one can type.
fn start(page: &Page, report: &mut Report) {
    let times: Vec<_> = (0..STARTS)
        .map(|_| {
            page.go("/sign-in");
            ms(&page.script_async("window.firstField.then(arguments[0])", &[]))
        })
        .collect();
    report.below("until one can type the name", median(times), 1000.0, "ms");
}

fn sign_in(page: &Page) {
    page.fill(field("Name"), "ann");
    page.fill(field("Password"), "correct horse of ann");
    page.click(button("Sign in"));
    page.see_path("/machines");
    page.see(link("desk"));
}

/// From the end of a machine's process until the page says so: the server notices in between.
fn presence(page: &Page, scene: &mut Scene, report: &mut Report) {
    let times: Vec<_> = (0..3)
        .map(|_| {
            page.see(css(".device .dot.on"));
            page.script(
                "window.away = new Promise((done) => {
                    const isAway = () => document.querySelector('.device.away');
                    new MutationObserver(() => isAway() && done(Date.now()))
                        .observe(document.body, { childList: true, subtree: true, attributes: true });
                });",
                &[],
            );
            let killed = now();
            scene.machine.kill();
            let seen = ms(&page.script_async("window.away.then(arguments[0])", &[]));
            scene.machine.restart();
            seen - killed
        })
        .collect();
    report.below(
        "from a machine's end until the page says so",
        median(times),
        100.0,
        "ms",
    );
}

/// From the click on a root of 100,000 entries until the first of them are on the screen.
fn first_page(page: &Page, report: &mut Report) {
    let open = "const done = arguments[arguments.length - 1];
        const from = performance.now();
        [...document.querySelectorAll('.file .label')].find((name) => name.innerText === 'Data').click();
        window.shown('.file .label', 10).then((at) => done(at - from));";
    page.click(link("desk"));
    page.see(role("row", "Data"));
    let first = ms(&page.script_async(open, &[]));
    report.below("first page of 100,000 entries after the click", first, 200.0, "ms");
    page.back();
    page.see(role("row", "Data"));
    report.note("the same again", ms(&page.script_async(open, &[])), "ms");
}

/// Scrolls through the long folder for some seconds.
fn scrolling(page: &Page, report: &mut Report) {
    let result = page.script_async(
        "const done = arguments[0];
        let box = document.querySelector('[role=grid]');
        while (box.parentElement && !(box.scrollHeight > box.clientHeight + 1 && /auto|scroll/.test(getComputedStyle(box).overflowY)))
            box = box.parentElement;
        let longest = 0;
        const tasks = new PerformanceObserver((list) => {
            for (const task of list.getEntries()) longest = Math.max(longest, task.duration);
        });
        tasks.observe({ type: 'longtask' });
        const from = performance.now();
        let frames = 0, worst = 0, last = from;
        const step = (at) => {
            worst = Math.max(worst, at - last); last = at; frames += 1;
            box.scrollTop += 900;
            if (frames < 300) requestAnimationFrame(step);
            else setTimeout(() => done([longest, frames / (at - from) * 1000, worst, box.scrollTop]), 200);
        };
        requestAnimationFrame(step);",
        &[],
    );
    assert!(ms(&result[3]) > 10_000.0, "the list did not scroll: {result}");
    report.below(
        "scrolling: the longest task (0: none over 50)",
        ms(&result[0]),
        50.0,
        "ms",
    );
    report.note("scrolling: frames in a second", ms(&result[1]), "");
    report.note("scrolling: the longest frame", ms(&result[2]), "ms");
}

/// From the key for an upload until the machine has the order.
fn upload(page: &Page, scene: &mut Scene, report: &mut Report) {
    page.go("/machines");
    page.click(link("desk"));
    page.click(text("Other"));
    page.see(role("row", "note.txt"));
    page.click(role("row", "note.txt"));
    page.script(
        "addEventListener('keydown', (event) => { if (event.key === 'u') window.pressed = Date.now(); }, true)",
        &[],
    );
    page.press("u");
    beckon_tests::wait_until("the machine has the order", Duration::from_secs(20), || {
        order_time(scene).is_some()
    });
    let pressed = ms(&page.script("return window.pressed", &[]));
    let arrived = order_time(scene).expect("the machine has the order");
    report.below(
        "from the key until the machine has the order",
        arrived - pressed,
        50.0,
        "ms",
    );
}

/// When the machine logged the order: ms since 1970, from a time of the day that is today's.
fn order_time(scene: &mut Scene) -> Option<f64> {
    let log = scene.machine.process().log();
    let line = log.lines().rev().find(|line| line.contains(" order id="))?;
    let (_, time) = line.split_whitespace().next()?.trim_end_matches('Z').split_once('T')?;
    let parts: Vec<f64> = time.split(':').map(str::parse).collect::<Result<_, _>>().ok()?;
    let day = 86_400_000.0;
    Some((now() / day).floor() * day + parts[0] * 3_600_000.0 + parts[1] * 60_000.0 + parts[2] * 1000.0)
}

fn now() -> f64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock after 1970");
    since.as_secs_f64() * 1000.0
}

fn ms(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

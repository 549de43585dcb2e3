//! Mei reads Chinese: no page has English left but names and figures.

use std::collections::BTreeSet;

use beckon_tests::{
    Account, Machine, Server,
    page::{Options, Page, button, css, field, role, text},
    sample,
};
use thirtyfour::Key;

use crate::scene;

/// Names and words that are the same in both languages.
const SAME: &[&str] = &[
    "beckon",
    "ann",
    "desk",
    "attic",
    "wake",
    "documents",
    "chromium",
    "chrome",
    "linux",
    "debian",
    "headlesschrome",
    "english",
    "txt",
    "kb",
    "mb",
    "gb",
    "tb",
    "pdf",
    "zip",
    "bytes",
    "f",
    "a",
    "agpl",
    "https",
    "http",
    "md",
    "on",
    "f2",
    "esc",
    "offer",
    "tender",
    "localhost",
    "mac",
    "bookworm",
    "command",
    "line",
    "vm",
    "apache",
    "license",
    "os",
    "gnu",
    "macos",
    "windows",
    "files",
    "add",
    "roots",
    "name",
    "path",
    "run",
    "home",
    "root",
    "join",
    "bk",
    "lan",
];

/// The words in Latin letters that the page shows and has no reason to.
fn english(page: &Page) -> BTreeSet<String> {
    let shown = page.script(
        "const names = [...document.querySelectorAll('[aria-label],[title],[placeholder]')].flatMap(e =>
             e.checkVisibility() ? ['aria-label', 'title', 'placeholder'].map(a => e.getAttribute(a) ?? '') : []);
         const said = [...document.querySelectorAll('.mono, code, kbd, time')].map(e => e.innerText);
         return [document.title, document.body.innerText, ...names].join('\\n') + '\\u0000' + said.join('\\n');",
        &[],
    );
    let (shown, said) = shown.as_str().unwrap().split_once('\u{0}').unwrap();
    let words = |text: &str| -> BTreeSet<String> {
        text.split(|c: char| !c.is_ascii_alphabetic())
            .map(str::to_lowercase)
            .filter(|word| word.len() > 1)
            .collect()
    };
    let mono = words(said);
    words(shown)
        .into_iter()
        .filter(|word| !mono.contains(word) && !SAME.contains(&word.as_str()))
        .collect()
}

fn sign_in(server: &Server, name: &str) -> Page {
    sign_in_with(Options::default(), server, name)
}

fn sign_in_with(options: Options, server: &Server, name: &str) -> Page {
    let page = Page::open_with(options.chinese(), &format!("{}/sign-in", server.url()));
    page.fill(field("用户名"), name);
    page.fill(field("密码"), &scene::password_of(name));
    page.click(button("登录"));
    page.see_path("/machines");
    page
}

#[test]
fn no_page_has_english_left() {
    let folder = tempfile::tempdir().unwrap();
    sample::text(&folder.path().join("Tender/offer.txt"), "one");
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let machine = Machine::join(&ann, "desk").root("Documents", folder.path()).start();
    let upload = |what: &str| {
        let placed = ann.cli().run(["--json", "upload", what]).json();
        format!("/transfers/{}", placed["id"].as_str().unwrap())
    };
    let mut attic = Machine::join(&ann, "attic").root("Documents", folder.path()).start();
    let done = upload("desk:Documents");
    attic.stop();
    let (waiting, away) = (upload("attic:Documents"), format!("/device/{}", attic.id()));
    let page = sign_in(&server, "ann");
    let device = format!("/device/{}", machine.id());
    let live = format!("/machine/{}", machine.id());
    // A place, and what is seen when it is all there.
    let places = [
        ("/machines", ".device .dot.on"),
        ("/machines#add", ".device .dot.on"),
        ("/transfers", ".transfer"),
        (&done, ".story tbody tr"),
        (&waiting, ".story tbody tr"),
        (&away, ".banner .button"),
        ("/drive", ".main [role=row]"),
        ("/search", ".main h1"),
        ("/settings", ".main h1"),
        ("/admin", ".main h1"),
        (&device, ".visits tr"),
        (&live, ".main [role=row]"),
    ];
    let ids = [&done, &waiting].map(|place| place.trim_start_matches("/transfers/").to_owned());
    let [done_id, waiting_id] = &ids;
    let shown_as = [
        (machine.id(), "ID"),
        (attic.id(), "AWAY"),
        (done_id, "DONE"),
        (waiting_id, "AWAY"),
    ];
    let mut left = Vec::new();
    for (place, there) in places {
        page.go(place);
        page.see(css(there));
        if place.ends_with("#add") {
            // The page was opened anew, so the account key is gone.
            page.fill(css("dialog[open] input[type=password]"), &scene::password_of("ann"));
            page.press(Key::Enter);
            page.see(css(".command"));
        }
        if place.starts_with("/device/") {
            page.click(button("更改…"));
            page.click(role("checkbox", "不限速"));
            page.click(role("checkbox", "每天定时全速"));
            page.click(button("保存"));
            page.see(text("请用数字填写速度"));
        }
        page.see_gone(css("[aria-busy=true]"));
        let name = shown_as
            .iter()
            .fold(place.to_owned(), |name, (id, word)| name.replace(id, word));
        page.screenshot(&format!("chinese{}", name.replace(['/', '#'], "-")));
        let english = english(&page);
        if !english.is_empty() {
            left.push(format!("{place}: {english:?}"));
        }
        page.expect_accessible();
    }
    assert!(left.is_empty(), "{}", left.join("\n"));
}

/// Examples of patterns and commands that are the same in both languages, and names of this story.
const EXAMPLES: &[&str] = &[
    "gitignore",
    "tmp",
    "cache",
    "build",
    "keep",
    "writable",
    "nas",
    "backup",
    "media",
];

#[test]
fn dialogs_of_copies_and_patterns_have_no_english_left() {
    let [files, backup, media] = [(); 3].map(|()| tempfile::tempdir().unwrap());
    sample::text(&files.path().join("offer.txt"), "offer");
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let desk = Machine::join(&ann, "desk").root("Documents", files.path()).start();
    let _nas = Machine::join(&ann, "nas")
        .writable_root("Backup", backup.path())
        .root("Media", media.path())
        .start();
    for options in [Options::default(), Options::default().phone().dark()] {
        let page = sign_in_with(options, &server, "ann");
        page.see(css(".device .dot.on"));
        page.go(&format!("/machine/{}", desk.id()));
        page.click(css(".file .label[title='Documents']"));
        // Patterns, then a copy. On a phone the menu of the page has both.
        for (at, name, there) in [(0, "ignore", "textarea"), (1, "copy", "select")] {
            page.see(css(".switch"));
            let open = "document.querySelectorAll('.root-strip .row > .button')[arguments[0]].click()";
            page.script(open, &[at.into()]);
            page.see(css(format!("dialog[open] {there}")));
            page.see_gone(css("dialog[open] .bone"));
            page.expect_accessible();
            page.screenshot(&format!("chinese-dialog-{name}"));
            let mut left = english(&page);
            left.retain(|word| !EXAMPLES.contains(&word.as_str()));
            assert_eq!(left, BTreeSet::new(), "in {name}");
            page.press(Key::Escape);
            page.see_gone(css("dialog[open]"));
        }
    }
}

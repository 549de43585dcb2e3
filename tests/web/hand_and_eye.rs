//! Ann works in lists: the keyboard stays where her hand is, the details show what she chose, and nothing leads nowhere.

use std::fs;

use beckon_tests::{
    Account, Machine, Server,
    page::{LIMIT, Options, Page, button, css, heading, link, role, text},
    sample, wait_until,
};
use tempfile::TempDir;
use thirtyfour::Key;

use crate::scene;

/// A machine with a folder, and a browser that looks into it.
struct Desk {
    page: Page,
    machine: Machine,
    ann: Account,
    _files: TempDir,
    _server: Server,
}

impl Desk {
    fn open(options: Options) -> Self {
        let files = tempfile::tempdir().unwrap();
        for name in ["Plans/roof.txt", "item 2.txt", "item 10.txt", "notes.md"] {
            sample::text(&files.path().join("Kestrel").join(name), name);
        }
        let server = Server::start();
        let ann = Account::sign_up(&server, "ann");
        let machine = Machine::join(&ann, "desk").root("Projects", files.path()).start();
        let page = scene::sign_in_with(options, &server, "ann");
        page.see(text("desk"));
        page.go(&format!("/machine/{}", machine.id()));
        page.click(css(".file .label[title='Projects']"));
        page.click(css(".file .label[title='Kestrel']"));
        page.see(heading("Kestrel"));
        page.see_count(css(".file[role=row]"), 4);
        Self {
            page,
            machine,
            ann,
            _files: files,
            _server: server,
        }
    }
}

/// The drive's `Files` with these in it.
fn drive(names: &[&str]) -> (Server, Page) {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let source = tempfile::tempdir().unwrap();
    for name in names {
        let file = source.path().join(name);
        fs::write(&file, *name).unwrap();
        ann.cli().run(["put", file.to_str().unwrap()]).expect_ok();
    }
    let page = scene::sign_in(&server, "ann");
    page.go("/drive/Files");
    page.see_count(css(".file[role=row]"), names.len());
    (server, page)
}

/// How much narrower the list is than the page, in pixels.
fn beside_the_list(page: &Page) -> i64 {
    let script = "const width = of => document.querySelector(of).getBoundingClientRect().width;
        return Math.round(width('.with-pane') - width('.file-list'))";
    page.script(script, &[]).as_i64().unwrap()
}

#[test]
fn going_back_comes_to_the_row_that_was_left() {
    let desk = Desk::open(Options::default());
    let page = &desk.page;
    page.press(Key::Home);
    page.press(Key::Enter);
    page.see(heading("Plans"));
    page.back();
    page.see(heading("Kestrel"));
    page.see(css(".file:focus:has(.label[title='Plans'])"));
}

#[test]
fn a_list_is_filtered_while_rows_are_chosen() {
    let desk = Desk::open(Options::default());
    let page = &desk.page;
    page.click(css(".file:has([title='notes.md']) .meta"));
    page.see(text("1 selected"));
    page.press("f");
    page.see(css(".toolbar input:focus"));
    page.press("item");
    page.see_count(css(".file[role=row]"), 2);
    page.press(Key::Enter);
    page.see(text("1 selected, 1 hidden by the filter"));
    page.go("/drive");
    page.click(css(".file .pick"));
    page.see(css(".toolbar.selection"));
    page.press("f");
    page.see(css(".toolbar input:focus"));
    page.press("d");
    assert_eq!(page.value(css(".toolbar input")), "d");
}

#[test]
fn the_list_has_all_the_width_without_the_details() {
    let desk = Desk::open(Options::default());
    let page = &desk.page;
    page.see(css(".pane"));
    assert!(beside_the_list(page) > 200);
    page.press("i");
    page.see_gone(css(".pane"));
    assert_eq!(beside_the_list(page), 0);
    page.go("/drive");
    page.see(css(".file"));
    assert_eq!(
        page.count(css(".pane")),
        1,
        "a page that is loaded anew shows the details"
    );
    page.press("i");
    page.see_gone(css(".pane"));
    assert_eq!(beside_the_list(page), 0);
}

#[test]
fn a_tall_picture_is_seen_whole() {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let source = tempfile::tempdir().unwrap();
    let file = source.path().join("tall.svg");
    let drawing =
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="200" height="1200"><rect width="9" height="9"/></svg>"#;
    fs::write(&file, drawing).unwrap();
    ann.cli().run(["put", file.to_str().unwrap()]).expect_ok();
    let page = scene::sign_in(&server, "ann");
    page.go("/drive/Files");
    page.click(css(".file .label"));
    page.see(css(".preview canvas"));
    let script = "const height = of => document.querySelector(of).getBoundingClientRect().height;
        return height('.preview canvas') <= height('.preview')";
    assert_eq!(page.script(script, &[]), true);
}

#[test]
fn what_is_undone_has_the_keyboard_again() {
    let (_server, page) = drive(&["one.txt", "two.txt"]);
    page.click(css(".file .meta"));
    page.press(Key::Delete);
    page.see_gone(role("row", "one.txt"));
    page.see(css(".file:focus"));
    page.click(button("Undo"));
    wait_until("the keyboard is at the row that came back", LIMIT, || {
        page.read_all(css(".file:focus[aria-rowindex='2'] .label")) == ["one.txt"]
    });
}

#[test]
fn a_name_that_is_taken_is_refused_below_its_field() {
    let (_server, page) = drive(&["one.txt", "two.txt"]);
    page.click(css(".file .meta"));
    page.press(Key::F2);
    page.press(Key::Control + "a");
    page.press("two.txt");
    page.press(Key::Enter);
    page.see(css(".rename .problem"));
    assert_eq!(page.value(css(".rename input:focus")), "two.txt");
    page.expect_accessible();
    page.press(Key::Control + "a");
    page.press("three.txt");
    page.see_gone(css(".rename .problem"));
    page.press(Key::Enter);
    page.see(role("row", "three.txt"));
}

#[test]
fn what_is_deleted_for_good_is_gone() {
    let (_server, page) = drive(&["one.txt", "two.txt"]);
    for name in ["one.txt", "two.txt"] {
        page.click(role("row", name));
        page.press(Key::Delete);
        page.see(text(format!("{name} is in Deleted")));
        page.see_gone(role("row", name));
    }
    page.go("/drive?view=deleted");
    page.see_count(css(".file[role=row]"), 2);
    page.click(css(".file .meta"));
    page.click(button("Delete for good"));
    page.expect_accessible();
    page.click(css("dialog[open] .button.danger"));
    page.see_count(css(".file[role=row]"), 1);
    page.press(Key::Escape);
    page.click(button("Empty Deleted"));
    page.click(css("dialog[open] .button.danger"));
    page.see(text("Nothing was deleted"));
}

#[test]
fn versions_are_found_where_the_file_was_moved_to() {
    let desk = Desk::open(Options::default());
    let (page, cli) = (&desk.page, desk.ann.cli());
    let at = |path: &str| format!("{}:Projects/Kestrel/{path}", desk.machine.name());
    cli.run(["upload", &at("notes.md"), &at("Plans"), "--wait"]).expect_ok();
    let below = "desk/Projects/Kestrel";
    cli.run([
        "drive",
        "mv",
        &format!("{below}/notes.md"),
        &format!("{below}/Plans/notes.md"),
    ])
    .expect_ok();
    page.click(css(".file:has([title='notes.md']) .meta"));
    page.see(css(".preview.text"));
    page.click(link("Versions"));
    page.see_path("/drive/desk/Projects/Kestrel/Plans");
    page.see(css(".file[aria-selected=true]"));
    page.see(text("1 version"));
}

#[test]
fn on_a_phone_going_back_closes_the_details_first() {
    let desk = Desk::open(Options::default().phone());
    let page = &desk.page;
    page.click(css(".file .label[title='notes.md']"));
    page.see(css(".pane"));
    let place = page.path();
    page.back();
    page.see_gone(css(".pane"));
    assert_eq!(page.path(), place);
    page.see(heading("Kestrel"));
}

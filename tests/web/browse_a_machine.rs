//! Ann looks into a machine's folders: with the mouse, with the keyboard, with the filter, and at what is in a file.

use std::{fs, path::Path, thread, time::Duration};

use beckon_tests::{
    Account, Machine, Server,
    page::{LIMIT, Options, Page, button, css, heading, link, role, text},
    sample, wait_until,
};
use tempfile::TempDir;
use thirtyfour::Key;

use crate::scene;

/// A machine with a few folders, and a browser.
struct Desk {
    page: Page,
    machine: Machine,
    files: TempDir,
    _server: Server,
}

/// What of a row is its name.
pub(crate) fn row(name: &str) -> beckon_tests::page::Target {
    css(format!(".file .label[title=\"{name}\"]"))
}

fn projects(folder: &Path) {
    sample::text(&folder.join("Kestrel/Drawings/plan.txt"), "a plan");
    sample::text(&folder.join("Kestrel/notes.md"), "# Notes\n\nThe roof leaks.\n");
    sample::text(&folder.join("Kestrel/item 2.txt"), "two");
    sample::text(&folder.join("Kestrel/item 10.txt"), &"ten".repeat(1000));
    sample::text(&folder.join("Kestrel/empty.txt"), "");
    std::os::unix::fs::symlink("notes.md", folder.join("Kestrel/latest")).unwrap();
    fs::write(folder.join("Kestrel/house.png"), HOUSE).unwrap();
}

/// One white pixel.
const HOUSE: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0\x90wS\xde\0\0\0\x0cIDATx\x9cc\xf8\xff\xff?\0\x05\xfe\x02\xfe\r\xefF\xb8\0\0\0\0IEND\xaeB`\x82";

impl Desk {
    fn new(options: Options) -> Self {
        let server = Server::start();
        let ann = Account::sign_up(&server, "ann");
        let files = tempfile::tempdir().unwrap();
        projects(files.path());
        let machine = Machine::join(&ann, "desk").root("Projects", files.path()).start();
        let page = scene::sign_in_with(options, &server, "ann");
        page.see(text("desk"));
        Self {
            page,
            machine,
            files,
            _server: server,
        }
    }

    fn open_kestrel(&self) {
        self.page.go(&format!("/machine/{}", self.machine.id()));
        self.page.see(heading("desk"));
        self.page.click(row("Projects"));
        self.page.click(row("Kestrel"));
        self.page.see(heading("Kestrel"));
        self.page.see(row("notes.md"));
    }
}

#[test]
fn folders_open_by_mouse_and_tell_what_is_in_them() {
    let desk = Desk::new(Options::default());
    let page = &desk.page;
    page.go(&format!("/machine/{}", desk.machine.id()));
    page.see(row("Projects"));
    page.expect_accessible();
    page.screenshot("machine-roots");
    desk.open_kestrel();
    let names = page.read_all(css(".file .label"));
    assert_eq!(
        names,
        [
            "Drawings",
            "empty.txt",
            "house.png",
            "item 2.txt",
            "item 10.txt",
            "latest → notes.md",
            "notes.md"
        ]
    );
    page.see(text("7 entries"));
    page.see(text("live"));
    page.see_count(css(".file .stored[title='Not in drive']"), 7);
    page.screenshot("machine");
    page.expect_accessible();
    page.click(link("Projects"));
    page.see(heading("Projects"));
    page.back();
    page.see(heading("Kestrel"));
    page.reload();
    page.see(row("notes.md"));
}

#[test]
fn the_keyboard_alone_goes_down_and_up_selects_and_filters() {
    let desk = Desk::new(Options::default());
    let page = &desk.page;
    desk.open_kestrel();
    page.press(Key::End);
    assert!(page.focus().contains("notes.md"), "{}", page.focus());
    // Where the machine is busy, a letter may come too late to go on with the word: it is typed anew then.
    wait_until("letters lead to the row that has them", LIMIT, || {
        page.press(Key::Escape);
        page.press(Key::Home);
        page.press("Item 1");
        thread::sleep(Duration::from_secs(1));
        page.focus().contains("item 10.txt")
    });
    // A space so soon would go on with the name.
    page.press(Key::Up);
    page.press(Key::Down);
    page.press(" ");
    page.see(text("1 selected"));
    page.press(Key::Shift + Key::Up);
    page.see(text("2 selected"));
    page.press(Key::Control + "a");
    page.see(text("7 selected"));
    page.screenshot("machine-selected");
    page.expect_accessible();
    page.press(Key::Escape);
    page.see_gone(text("7 selected"));
    page.press(Key::Home);
    page.press(Key::Enter);
    page.see(heading("Drawings"));
    page.see(row("plan.txt"));
    page.press(Key::Backspace);
    page.see(heading("Kestrel"));
    page.see(row("Drawings"));
    assert!(page.focus().contains("Drawings"), "{}", page.focus());
    page.press("f");
    page.press("item");
    page.see_count(css(".file .label"), 2);
    page.see(text("2 of 7 entries shown"));
    page.press(Key::Escape);
    page.see_count(css(".file .label"), 7);
}

#[test]
fn headings_sort_and_a_second_click_turns_the_order_round() {
    let desk = Desk::new(Options::default());
    let page = &desk.page;
    desk.open_kestrel();
    page.click(button("Size"));
    page.see(css("[aria-sort=descending]"));
    page.see(css(".file[aria-rowindex='3'] .label[title='item 10.txt']"));
    page.click(button("Size"));
    page.see(css(".file[aria-rowindex='3'] .label[title='empty.txt']"));
}

#[test]
fn the_details_look_into_files_when_the_focus_rests() {
    let desk = Desk::new(Options::default());
    let page = &desk.page;
    desk.open_kestrel();
    page.press("notes");
    page.see(css(".preview pre"));
    page.see(text("The roof leaks."));
    page.see(text("desk:Projects/Kestrel/notes.md"));
    page.press(Key::Home);
    page.press("house");
    page.see(css(".preview img"));
    page.see(text("PNG image, 1 × 1"));
    page.screenshot("machine-preview");
    page.expect_accessible();
    // An arrow ends the word; a letter right after it would be a part of it.
    page.press(Key::Up);
    page.press("i");
    page.see_gone(css(".pane"));
    page.press("i");
    page.see(css(".pane"));
}

#[test]
fn a_file_is_downloaded_straight_from_the_machine() {
    let desk = Desk::new(Options::default());
    sample::random_file(&desk.files.path().join("Kestrel/film.bin"), 3_000_000, 7);
    desk.open_kestrel();
    desk.page.click(css(".file:has([title='film.bin']) .meta"));
    desk.page.press("d");
    let got = desk.page.downloaded("film.bin");
    let is_whole = || fs::read(&got).unwrap() == fs::read(desk.files.path().join("Kestrel/film.bin")).unwrap();
    assert!(is_whole());
}

#[test]
fn what_changes_on_the_machine_is_read_again_and_what_is_gone_is_told() {
    let desk = Desk::new(Options::default());
    let page = &desk.page;
    desk.open_kestrel();
    sample::text(&desk.files.path().join("Kestrel/new.txt"), "new");
    page.click(button("Read again"));
    page.see(row("new.txt"));
    fs::remove_dir_all(desk.files.path().join("Kestrel")).unwrap();
    page.click(button("Read again"));
    page.see(heading("This folder is not there any more"));
    page.expect_accessible();
    page.click(link("Up to Projects"));
    page.see(heading("Projects"));
    page.see(heading("This folder is empty"));
}

#[test]
fn a_phone_shows_folders_on_one_column_and_a_tap_opens() {
    let desk = Desk::new(Options::default().phone());
    desk.open_kestrel();
    desk.page.screenshot("machine");
    desk.page.expect_accessible();
    desk.page.click(link("Up to Projects"));
    desk.page.see(heading("Projects"));
}

#[test]
fn a_context_menu_holds_the_verbs() {
    let desk = Desk::new(Options::default());
    desk.open_kestrel();
    desk.page.right_click(row("notes.md"));
    desk.page.see(role("menuitem", "Upload to drive"));
    desk.page.see(role("menuitem", "Download"));
    desk.page.expect_accessible();
    desk.page.press(Key::Escape);
    desk.page.see_gone(role("menuitem", "Download"));
    desk.page.press(Key::Escape);
    desk.page
        .fill(role("searchbox", "Filter this folder"), "nothing of this");
    desk.page.see(heading("No name holds this text"));
    desk.page.click(button("Clear the filter"));
    desk.page.see(row("notes.md"));
}

//! Files and folders of this terminal are put into the drive, and survive a reload in the middle.

use std::{fs, path::Path, time::Duration};

use beckon_tests::{
    Account, Cli, Proxy, Server, Way,
    page::{Page, button, css, field, heading, link, role, text},
    sample,
    tree::{assert_same_tree, tree_hashes},
    wait_until,
};

use tempfile::TempDir;

use crate::scene;

const MIB: u64 = 1 << 20;
const LONG: Duration = Duration::from_secs(90);
/// What may be on its way when a page is reloaded, and so may be sent twice: two bodies of chunks, what the page begins
/// before it is gone, and what is around them.
const IN_FLIGHT: u64 = 22 * MIB;

/// Opens the browser's own dialog, and chooses these.
fn choose(page: &Page, entry: &str, paths: &[&Path]) {
    page.click(button("Put files here"));
    page.click(role("menuitem", entry));
    page.choose_files("input.file-field", paths);
}

/// What a folder of the drive holds, by way of the command line.
fn fetched(cli: &Cli, place: &str, into: &Path) {
    cli.with_limit(LONG)
        .run(["get", place, "-o", into.to_str().unwrap()])
        .expect_ok();
}

/// A file that is on its way into the drive, and stands still in the middle.
struct HeldUp {
    page: Page,
    proxy: Proxy,
    ann: Account,
    source: TempDir,
    _server: Server,
}

impl HeldUp {
    /// Of `size` bytes, of which the proxy lets about `passed` through.
    fn new(size: u64, passed: u64) -> Self {
        let server = Server::start();
        let ann = Account::sign_up(&server, "ann");
        let proxy = Proxy::to(server.address());
        let source = tempfile::tempdir().unwrap();
        let file = source.path().join("film.bin");
        sample::random_file(&file, size, 5);
        let page = Page::open(&format!("{}/sign-in", proxy.url()));
        scene::sign_in_here(&page, "ann", &scene::password_of("ann"));
        page.see_path("/machines");
        page.go("/drive/Files");
        page.see(text("This folder is empty"));
        proxy.allow(Way::Up, passed);
        choose(&page, "Choose files …", &[&file]);
        proxy.wait_held_up(Way::Up, LONG);
        // The server gives up what the page begins now.
        page.expect_error("status of 408");
        page.set_limit(LONG);
        Self {
            page,
            proxy,
            ann,
            source,
            _server: server,
        }
    }

    /// What came into the drive is the file.
    fn expect_whole(&self) {
        let back = tempfile::tempdir().unwrap();
        fetched(self.ann.cli(), "Files/film.bin", &back.path().join("film.bin"));
        assert_same_tree(self.source.path(), back.path());
    }
}

#[test]
fn files_that_are_chosen_come_back_equal() {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let source = tempfile::tempdir().unwrap();
    sample::random_file(&source.path().join("large.bin"), 11 * MIB + 7, 1);
    fs::write(source.path().join("empty"), "").unwrap();
    fs::write(source.path().join("50% off, 周五 #1?.txt"), "the words").unwrap();
    let paths: Vec<_> = fs::read_dir(source.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    let page = scene::sign_in(&server, "ann");
    page.go("/drive");
    page.see(role("row", "Files"));
    page.expect_accessible();
    page.go("/drive/Files");
    page.see(text("This folder is empty"));
    page.screenshot("drive-empty");
    page.expect_accessible();
    choose(
        &page,
        "Choose files …",
        &paths.iter().map(|path| path.as_path()).collect::<Vec<_>>(),
    );
    page.see(role("row", "large.bin"));
    page.see(role("row", "empty"));
    page.see(role("row", "50% off, 周五 #1?.txt"));
    page.expect_accessible();
    let back = tempfile::tempdir().unwrap();
    fetched(ann.cli(), "Files", &back.path().join("copy"));
    assert_same_tree(source.path(), &back.path().join("copy"));
}

#[test]
fn a_folder_comes_with_all_that_is_in_it() {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let source = tempfile::tempdir().unwrap();
    let album = source.path().join("album");
    fs::create_dir(&album).unwrap();
    sample::many_files(&album, 1_500, 30);
    let page = scene::sign_in(&server, "ann");
    page.go("/drive/Files");
    page.see(text("This folder is empty"));
    choose(&page, "Choose a folder …", &[&album]);
    page.set_limit(LONG);
    page.see(role("row", "album"));
    page.go("/transfers");
    page.see(text("1,500 files · 49.4 MB, safe"));
    let back = tempfile::tempdir().unwrap();
    fetched(ann.cli(), "Files/album", &back.path().join("album"));
    assert_eq!(tree_hashes(&album), tree_hashes(&back.path().join("album")));
}

#[test]
fn an_upload_goes_on_after_a_reload_and_sends_nothing_twice_that_was_stored() {
    let film = HeldUp::new(64 * MIB, 32 * MIB);
    let (page, proxy) = (&film.page, &film.proxy);
    proxy.cut();
    proxy.open();
    // What was cut off by this story itself is no fault of the page.
    page.expect_error("net::ERR");
    page.expect_error("WebSocket");
    page.reload();
    page.see(role("row", "film.bin"));
    let passed = proxy.passed(Way::Up);
    assert!(
        (64 * MIB..64 * MIB + IN_FLIGHT).contains(&passed),
        "{passed} bytes went up for 64 MiB"
    );
    film.expect_whole();
}

#[test]
fn an_upload_whose_files_are_gone_asks_for_them_and_goes_on_with_them() {
    let film = HeldUp::new(64 * MIB, 32 * MIB);
    let (page, proxy) = (&film.page, &film.proxy);
    page.script_async(scene::LET_GO, &[]);
    proxy.cut();
    proxy.open();
    page.expect_error("net::ERR");
    page.expect_error("WebSocket");
    page.go("/transfers");
    page.see(text("The page was closed before all was sent"));
    page.see(heading("Needs you"));
    page.expect_accessible();
    page.screenshot("transfers-choose-again");
    page.click(button("Choose files again"));
    page.choose_files("input.file-field", &[&film.source.path().join("film.bin")]);
    page.see(heading("Done today"));
    let passed = proxy.passed(Way::Up);
    assert!(
        passed < 64 * MIB + IN_FLIGHT,
        "{passed} bytes went up for 64 MiB: what had arrived was sent again"
    );
    film.expect_whole();
}

#[test]
fn where_nothing_can_be_put_the_page_says_where_it_can() {
    let server = Server::start();
    Account::sign_up(&server, "ann");
    let page = scene::sign_in(&server, "ann");
    page.go("/drive");
    page.see(heading("Drive"));
    assert_eq!(
        page.attribute(css(".page-head .button.primary"), "disabled").as_deref(),
        Some("true")
    );
    page.click(link("Go to Files"));
    page.see_path("/drive/Files");
    page.click(button("New folder"));
    page.fill(field("Name"), "Photos");
    page.click(button("Make folder"));
    page.double_click(role("row", "Photos"));
    page.see_path("/drive/Files/Photos");
    page.see(heading("Photos"));
}

/// Drops a file of this name and words onto what a selector finds, as a browser would tell of it.
fn drop_onto(page: &Page, selector: &str, name: &str, words: &str) {
    page.see(css(selector));
    let script = "const [selector, name, words] = arguments; const data = new DataTransfer();
        data.items.add(new File([words], name)); const onto = document.querySelector(selector);
        for (const kind of ['dragenter', 'dragover', 'drop'])
            onto.dispatchEvent(new DragEvent(kind, { bubbles: true, cancelable: true, dataTransfer: data }));";
    page.script(script, &[selector.into(), name.into(), words.into()]);
}

#[test]
fn what_is_dropped_goes_where_it_is_dropped() {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let page = scene::sign_in(&server, "ann");
    page.go("/drive/Files");
    page.click(button("New folder"));
    page.fill(field("Name"), "Photos");
    page.click(button("Make folder"));
    drop_onto(&page, ".drop-zone", "here.txt", "here");
    page.see(role("row", "here.txt"));
    drop_onto(&page, ".file[aria-rowindex='2'] .label", "there.txt", "there");
    page.double_click(role("row", "Photos"));
    page.see_path("/drive/Files/Photos");
    page.see(role("row", "there.txt"));
    drop_onto(&page, ".crumbs li:nth-child(2) a", "above.txt", "above");
    // Who leaves before the order is placed is asked, and a story answers nothing.
    wait_until("what was dropped on the path is there", LONG, || {
        ann.cli().run(["drive", "ls", "Files"]).stdout().contains("above.txt")
    });
    page.go("/drive");
    page.see(role("row", "Files"));
    drop_onto(&page, ".drop-zone", "nowhere.txt", "nowhere");
    page.see(text(
        "Files are put into the folder Files. What stands here comes from machines.",
    ));
    page.expect_accessible();
    page.click(link("Go to Files"));
    page.see(role("row", "above.txt"));
    let back = tempfile::tempdir().unwrap();
    fetched(ann.cli(), "Files/Photos/there.txt", &back.path().join("there.txt"));
    assert_eq!(fs::read_to_string(back.path().join("there.txt")).unwrap(), "there");
}

#[test]
fn another_terminal_pauses_an_upload_and_lets_it_go_on() {
    let film = HeldUp::new(48 * MIB, 16 * MIB);
    let (page, ann) = (&film.page, &film.ann);
    let transfers = ann.cli().run(["transfers", "--json"]).expect_ok().json();
    let id = transfers[0]["id"].as_str().unwrap().to_owned();
    ann.cli().run(["pause", &id]).expect_ok();
    film.proxy.open();
    page.go("/transfers");
    page.see(button("Resume"));
    page.click(button("Resume"));
    page.see(text("1 file · 50.3 MB, safe"));
    film.expect_whole();
}

/// Answers what is asked of transfers by a fault of the server, after a while in which the page shows what it expects.
const REFUSE_TO_STEER: &str = "const real = window.fetch;
    const refused = () => new Response(JSON.stringify({ code: 'internal', message: 'not now', retry: false }), { status: 500 });
    window.fetch = (asked, ...rest) => String(asked.url ?? asked).endsWith('/steer')
        ? new Promise(done => setTimeout(() => { window.refused = true; done(refused()); }, 300))
        : real(asked, ...rest);";

#[test]
fn a_cancel_that_the_server_refuses_leaves_the_upload_whole() {
    let film = HeldUp::new(48 * MIB, 16 * MIB);
    let page = &film.page;
    page.script(REFUSE_TO_STEER, &[]);
    page.click(link("Transfers"));
    page.click(css(".main .transfer button[aria-label='Cancel']"));
    wait_until("the server has refused", LONG, || {
        page.script("return window.refused === true", &[]) == true
    });
    film.proxy.open();
    page.see(text("1 file · 50.3 MB, safe"));
    film.expect_whole();
}

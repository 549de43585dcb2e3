//! Ann sends files out of her browser onto a machine: into a folder that its owner marked for writing, and nowhere else.

use std::{fs, path::Path, thread, time::Duration};

use beckon_tests::{
    Account, Chance, Machine, Proxy, Server, Way, Weather,
    page::{Page, button, css, heading, link, role, text},
    sample,
    tree::tree_hashes,
    wait_until,
};
use tempfile::TempDir;

use crate::{browse_a_machine::row, scene};

const MIB: u64 = 1 << 20;
const LONG: Duration = Duration::from_secs(90);

/// Opens a root of a machine.
fn open(page: &Page, machine: &Machine, root: &str) {
    page.see(text(machine.name()));
    page.go(&format!("/machine/{}", machine.id()));
    page.click(row(root));
    page.set_limit(LONG);
}

fn choose(page: &Page, entry: &str, paths: &[&Path]) {
    page.click(button("Send to this machine"));
    page.click(role("menuitem", entry));
    page.choose_files("input.file-field", paths);
}

#[track_caller]
fn wait_for(file: &Path, content: &[u8]) {
    wait_until("the machine has written it", LONG, || {
        fs::read(file).is_ok_and(|found| found == content)
    });
}

#[test]
fn files_and_a_folder_arrive_on_the_disk_of_the_machine() {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let (inbox, source) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let file = source.path().join("film.bin");
    sample::random_file(&file, 9 * MIB + 7, 1);
    let album = source.path().join("album");
    sample::text(&album.join("a.txt"), "a");
    sample::text(&album.join("deep/b.txt"), "b");
    sample::text(&album.join("deep/empty.txt"), "");
    let machine = Machine::join(&ann, "nas").writable_root("Inbox", inbox.path()).start();
    let page = scene::sign_in(&server, "ann");
    open(&page, &machine, "Inbox");
    choose(&page, "Files …", &[&file]);
    wait_for(&inbox.path().join("film.bin"), &fs::read(&file).unwrap());
    page.see(row("film.bin"));
    page.expect_accessible();
    page.screenshot("machine-sent");
    choose(&page, "A folder …", &[&album]);
    wait_until("the folder has arrived", LONG, || {
        let arrived = inbox.path().join("album");
        arrived.join("deep/empty.txt").exists() && tree_hashes(&arrived) == tree_hashes(&album)
    });
    page.go("/transfers");
    page.see(heading("Done today"));
    page.see_count(css(".main .transfer[data-state='done']"), 2);
    page.expect_accessible();
    page.screenshot("transfers-sent");
    // Nothing of it enters the drive.
    assert!(!ann.cli().run(["drive", "ls", ""]).stdout().contains("film.bin"));
}

/// Drops a file of these words onto the list, as a browser would tell of it.
fn drop_onto_list(page: &Page, name: &str, words: &str) {
    page.see(css(".drop-zone"));
    let script = "const [name, words] = arguments; const data = new DataTransfer();
        data.items.add(new File([words], name)); const onto = document.querySelector('.drop-zone');
        for (const kind of ['dragenter', 'dragover', 'drop'])
            onto.dispatchEvent(new DragEvent(kind, { bubbles: true, cancelable: true, dataTransfer: data }));";
    page.script(script, &[name.into(), words.into()]);
}

#[test]
fn what_is_dropped_arrives_and_where_nothing_may_be_written_the_page_says_how_to_change_that() {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let (inbox, media) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    sample::text(&inbox.path().join("there.txt"), "there");
    sample::text(&media.path().join("song.txt"), "song");
    let machine = Machine::join(&ann, "nas")
        .writable_root("Inbox", inbox.path())
        .root("Media", media.path())
        .start();
    let page = scene::sign_in(&server, "ann");
    open(&page, &machine, "Inbox");
    page.see(row("there.txt"));
    drop_onto_list(&page, "dropped.txt", "dropped");
    wait_for(&inbox.path().join("dropped.txt"), b"dropped");
    open(&page, &machine, "Media");
    page.see(row("song.txt"));
    page.see(css(
        ".toolbar button[disabled][title*='beckon roots writable Media on']",
    ));
    drop_onto_list(&page, "nowhere.txt", "nowhere");
    page.see(text(
        "Media may not be written. On nas itself run: beckon roots writable Media on",
    ));
    page.expect_accessible();
    page.screenshot("machine-read-only");
    // Its owner does so, and the open page takes files from then on.
    machine.cli().run(["roots", "writable", "Media", "on"]).expect_ok();
    page.see(css(".toolbar .send:not([disabled])"));
    drop_onto_list(&page, "somewhere.txt", "somewhere");
    wait_for(&media.path().join("somewhere.txt"), b"somewhere");
}

/// A file that is on its way to a machine, and stands still in the middle.
struct HeldUp {
    page: Page,
    proxy: Proxy,
    source: TempDir,
    inbox: TempDir,
    _machine: Machine,
    _server: Server,
}

impl HeldUp {
    fn new() -> Self {
        let server = Server::start();
        let ann = Account::sign_up(&server, "ann");
        let proxy = Proxy::to(server.address());
        let [source, inbox] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        sample::random_file(&source.path().join("film.bin"), 48 * MIB, 5);
        let machine = Machine::join(&ann, "nas").writable_root("Inbox", inbox.path()).start();
        let page = Page::open(&format!("{}/sign-in", proxy.url()));
        scene::sign_in_here(&page, "ann", &scene::password_of("ann"));
        page.see_path("/machines");
        open(&page, &machine, "Inbox");
        proxy.allow(Way::Up, 16 * MIB);
        choose(&page, "Files …", &[&source.path().join("film.bin")]);
        proxy.wait_held_up(Way::Up, LONG);
        // The server gives up what the page begins now.
        page.expect_error("status of 408");
        Self {
            page,
            proxy,
            source,
            inbox,
            _machine: machine,
            _server: server,
        }
    }

    fn reload(&self) {
        self.proxy.cut();
        self.proxy.open();
        // What was cut off by this story itself is no fault of the page.
        self.page.expect_error("net::ERR");
        self.page.expect_error("WebSocket");
        self.page.go("/transfers");
    }

    fn expect_whole(&self) {
        let wanted = fs::read(self.source.path().join("film.bin")).unwrap();
        wait_for(&self.inbox.path().join("film.bin"), &wanted);
        let passed = self.proxy.passed(Way::Up);
        assert!(
            passed < (48 + 24) * MIB,
            "{passed} bytes went up for 48 MiB: what had arrived was sent again"
        );
    }
}

#[test]
fn what_is_sent_goes_on_after_a_reload() {
    let film = HeldUp::new();
    film.reload();
    film.expect_whole();
}

#[test]
fn what_is_sent_goes_on_once_its_files_are_chosen_again() {
    let film = HeldUp::new();
    film.page.script_async(scene::LET_GO, &[]);
    film.reload();
    film.page.see(heading("Needs you"));
    film.page.expect_accessible();
    film.page.screenshot("transfers-send-again");
    film.page.click(button("Choose files again"));
    film.page
        .choose_files("input.file-field", &[&film.source.path().join("film.bin")]);
    film.expect_whole();
}

#[test]
fn what_is_sent_stands_still_while_it_is_paused() {
    let film = HeldUp::new();
    // By the link: the page that sends stays.
    film.page.click(link("Transfers"));
    // Slowly, so that the pause comes in the middle and is heard too.
    let slow = Weather {
        rate: Some(MIB),
        ..Weather::default()
    };
    film.proxy.weather(slow, Chance::of(1));
    film.proxy.open();
    film.page.click(css(".main .transfer button[aria-label='Pause']"));
    film.page.see(button("Resume"));
    let mut before = 0;
    wait_until("what was on its way has arrived, and nothing more goes", LONG, || {
        thread::sleep(Duration::from_secs(1));
        let passed = film.proxy.passed(Way::Up);
        std::mem::replace(&mut before, passed) + MIB / 8 > passed
    });
    assert!(before < 48 * MIB, "it was all sent: {before} bytes");
    film.proxy.weather(Weather::default(), Chance::of(1));
    film.page.click(button("Resume"));
    film.expect_whole();
}

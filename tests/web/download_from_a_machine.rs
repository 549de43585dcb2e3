//! Ann takes files and folders from a machine: they go straight onto her disk, and nothing of them into the drive.

use std::{
    fs::{self, File},
    io::{Read, Write},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    process::Command,
    time::Duration,
};

use beckon_tests::{
    Account, Machine, Server,
    page::{Options, Page, Target, button, css, heading, link, role, text},
    sample,
    wait::{poll, wait_until},
};
use tempfile::TempDir;

use crate::{browse_a_machine::row, plain_http::own_address, scene, wire::Wire};

const MIB: u64 = 1 << 20;
const LONG: Duration = Duration::from_secs(120);

/// The kernel lets a process without these open no more than the modes of files allow, though it is root's.
const WITHOUT_OVERRIDE: &[&str] = &["/usr/bin/setpriv", "--bounding-set", "-dac_override,-dac_read_search"];

struct Desk {
    page: Page,
    machine: Machine,
    files: TempDir,
    server: Server,
}

impl Desk {
    fn new() -> Self {
        Self::at(|server| (server.url().to_owned(), ()))
    }

    /// With the browser at another address of the server.
    fn at<T>(address: impl Fn(&Server) -> (String, T)) -> Self {
        let server = Server::start();
        let ann = Account::sign_up(&server, "ann");
        let files = tempfile::tempdir().unwrap();
        fs::set_permissions(files.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let is_root = rustix::process::geteuid().is_root();
        let machine = Machine::join(&ann, "desk").root("Box", files.path());
        let machine = machine.through(if is_root { WITHOUT_OVERRIDE } else { &[] }).start();
        let (url, kept) = address(&server);
        // Whatever stands between lives as long as the test.
        std::mem::forget(kept);
        let page = Page::open_with(Options::default(), &format!("{url}/sign-in"));
        scene::sign_in_here(&page, "ann", &scene::password_of("ann"));
        page.see_path("/machines");
        page.set_limit(LONG);
        Self {
            page,
            machine,
            files,
            server,
        }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.files.path().join(name)
    }

    fn open(&self) {
        self.page.go(&format!("/machine/{}", self.machine.id()));
        self.page.click(row("Box"));
        self.page.see(heading("Box"));
    }

    fn download(&self, name: &str) {
        self.page.click(css(format!(".file:has([title='{name}']) .meta")));
        self.page.press("d");
    }

    /// Opens the tray, to see rows of downloads.
    fn open_tray(&self) {
        self.page.click(css(".tray > summary"));
    }
}

/// The row of a download in the tray.
fn download_row(what: &str) -> Target {
    css(format!("[data-download] {what}"))
}

/// A file of numbers that count up, so that a byte at the wrong place is noticed.
fn counting(path: &Path, size: u64) {
    let mut file = std::io::BufWriter::with_capacity(1 << 20, File::create(path).unwrap());
    for number in 0..size / 8 {
        file.write_all(&number.to_le_bytes()).unwrap();
    }
    file.flush().unwrap();
}

fn is_equal(one: &Path, other: &Path) -> bool {
    let (mut one, mut other) = (File::open(one).unwrap(), File::open(other).unwrap());
    let (mut a, mut b) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    loop {
        let count = one.read(&mut a).unwrap();
        if count == 0 {
            return other.read(&mut b).unwrap() == 0;
        }
        if other.read_exact(&mut b[..count]).is_err() || a[..count] != b[..count] {
            return false;
        }
    }
}

/// What the browser has of downloads that are not whole.
fn partial(folder: &Path) -> u64 {
    let files = fs::read_dir(folder).unwrap().flatten();
    files
        .filter(|file| file.file_name().to_string_lossy().ends_with(".crdownload"))
        .filter_map(|file| Some(file.metadata().ok()?.len()))
        .sum()
}

fn see_partial(desk: &Desk, at_least: u64) {
    let folder = desk.page.downloads();
    wait_until("a part of it is there", LONG, || partial(&folder) >= at_least);
}

/// Bytes of memory that the largest of the browser's processes for pages has now.
fn largest_page(profile: &Path) -> u64 {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let sizes = processes.filter_map(|process| {
        let words = fs::read(process.path().join("cmdline")).ok()?;
        let words = String::from_utf8_lossy(&words).into_owned();
        let is_ours = words.contains("--type=renderer") && words.contains(profile.to_str()?);
        let status = fs::read_to_string(process.path().join("status"))
            .ok()
            .filter(|_| is_ours)?;
        let size = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
        Some(size.trim().trim_end_matches(" kB").parse::<u64>().ok()? << 10)
    });
    sizes.max().unwrap_or(0)
}

#[test]
fn a_large_file_goes_to_the_disk_and_not_through_the_memory_of_the_page() {
    let desk = Desk::new();
    counting(&desk.path("film.bin"), 300 * MIB);
    desk.open();
    let profile = desk.page.downloads().parent().unwrap().to_owned();
    let got = desk.page.downloads().join("film.bin");
    let before = largest_page(&profile);
    let mut largest = before;
    desk.download("film.bin");
    wait_until("film.bin is downloaded", LONG, || {
        largest = largest.max(largest_page(&profile));
        got.metadata().is_ok_and(|file| file.len() > 0)
    });
    assert!(is_equal(&got, &desk.path("film.bin")));
    desk.page.see_gone(css(".tray"));
    // What the page took before is the app itself; buffers that were handed on go when the browser collects them.
    let says = format!("the page took {} MiB, before {} MiB", largest / MIB, before / MIB);
    assert!(before > 0 && largest - before < 200 * MIB, "{says}");
    eprintln!("{says}");
}

#[test]
fn a_folder_comes_as_a_zip_and_what_cannot_be_read_is_named_in_it() {
    let desk = Desk::new();
    let tree = desk.path("tree");
    sample::small_tree(&tree);
    counting(&tree.join("large.bin"), 20 * MIB);
    sample::text(&tree.join("Large.bin"), "another case");
    sample::text(&tree.join("secret"), "nobody may");
    fs::set_permissions(tree.join("secret"), fs::Permissions::from_mode(0o000)).unwrap();
    desk.open();
    desk.page.right_click(row("tree"));
    desk.page.click(role("menuitem", "Download"));
    let archive = desk.page.downloaded("tree.zip");
    desk.page.see(text("1 download needs you"));
    desk.open_tray();
    desk.page.see(text("Downloaded, but for one entry"));
    desk.page.expect_accessible();
    desk.page.screenshot("download-left-out");
    desk.page.click(button("Dismiss tree.zip"));
    desk.page.see_gone(css(".tray"));

    let out = tempfile::tempdir().unwrap();
    let mut unpack = Command::new("unzip");
    unpack
        .env("LC_ALL", "C.UTF-8")
        .arg("-q")
        .arg(&archive)
        .arg("-d")
        .arg(out.path());
    let output = unpack.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let left = fs::read_to_string(out.path().join("NOT DOWNLOADED.txt")).unwrap();
    assert!(left.contains("tree/secret: ") && !left.contains("notes"), "{left}");
    for name in ["notes/today.md", "empty.txt", "video.bin"] {
        assert!(
            is_equal(&out.path().join("tree").join(name), &tree.join(name)),
            "{name}"
        );
    }
    assert!(out.path().join("tree/empty folder").is_dir());
    assert_eq!(
        fs::read_link(out.path().join("tree/today")).unwrap(),
        Path::new("notes/today.md")
    );
    let names = names_in(&archive);
    let folded: std::collections::HashSet<_> = names.iter().map(|name| name.to_lowercase()).collect();
    assert_eq!(folded.len(), names.len());
    let odd = names
        .iter()
        .filter(|name| name.starts_with("tree/odd/") && !name.ends_with('/'));
    assert_eq!(odd.count(), fs::read_dir(tree.join("odd")).unwrap().count());
    assert!(
        names
            .iter()
            .all(|name| !name.contains("..") && !name.contains('\\') && !name.starts_with('/'))
    );
}

fn names_in(archive: &Path) -> Vec<String> {
    let program = "import sys, zipfile, json\nz = zipfile.ZipFile(sys.argv[1])\nassert z.testzip() is None\nprint(json.dumps(z.namelist()))";
    let output = Command::new("python3")
        .arg("-c")
        .arg(program)
        .arg(archive)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn several_files_come_as_one_zip() {
    let desk = Desk::new();
    for name in ["one.txt", "two.txt", "three.txt"] {
        sample::text(&desk.path(name), name);
    }
    desk.open();
    desk.page.click(css(".file:has([title='one.txt']) .meta"));
    desk.page
        .click_with(thirtyfour::Key::Control, css(".file:has([title='two.txt']) .meta"));
    desk.page.click(button("Download"));
    let archive = desk.page.downloaded("Box (selection).zip");
    assert_eq!(names_in(&archive), ["one.txt", "two.txt"]);
}

#[test]
fn a_download_that_is_cancelled_ends_at_once_and_leaves_nothing() {
    let desk = Desk::new();
    File::create(desk.path("huge.bin")).unwrap().set_len(8 << 30).unwrap();
    desk.open();
    desk.download("huge.bin");
    see_partial(&desk, MIB);
    desk.page.see(text("Downloading huge.bin"));
    desk.page.click(link("Drive"));
    desk.open_tray();
    desk.page.see(download_row(".badge"));
    assert!(warns_who_leaves(&desk.page));
    desk.page.expect_accessible();
    desk.page.screenshot("download-running");
    desk.page.click(button("Cancel the download of huge.bin"));
    desk.page.see_gone(css(".tray"));
    assert!(!warns_who_leaves(&desk.page));
    let folder = desk.page.downloads();
    wait_until("nothing of it is left", LONG, || partial(&folder) == 0);
    assert!(!folder.join("huge.bin").metadata().is_ok_and(|file| file.len() > 0));
}

fn warns_who_leaves(page: &Page) -> bool {
    let leave = "const leaving = new Event('beforeunload', { cancelable: true });
        window.dispatchEvent(leaving);
        return leaving.defaultPrevented;";
    page.script(leave, &[]) == true
}

#[test]
fn who_signs_out_is_asked_first_and_ends_the_download() {
    let desk = Desk::new();
    File::create(desk.path("huge.bin")).unwrap().set_len(8 << 30).unwrap();
    desk.open();
    desk.download("huge.bin");
    see_partial(&desk, MIB);
    desk.page.click(button("Account: ann"));
    desk.page.click(role("menuitem", "Sign out"));
    // Not before the person was asked.
    desk.page.click(css("dialog[open] .button.danger"));
    desk.page.see(heading("Sign in"));
    let folder = desk.page.downloads();
    wait_until("nothing of it is left", LONG, || partial(&folder) == 0);
    assert!(!folder.join("huge.bin").metadata().is_ok_and(|file| file.len() > 0));
}

#[test]
fn a_file_that_changes_while_it_is_read_is_not_saved_and_can_be_had_again() {
    let desk = Desk::new();
    File::create(desk.path("log.bin")).unwrap().set_len(4 << 30).unwrap();
    desk.open();
    desk.download("log.bin");
    see_partial(&desk, MIB);
    counting(&desk.path("log.bin"), 3 * MIB);
    desk.page.see(text("1 download needs you"));
    desk.open_tray();
    desk.page
        .see(text("The file changed on the machine while it was being read"));
    let folder = desk.page.downloads();
    wait_until("the half of it is gone", LONG, || partial(&folder) == 0);
    assert!(!folder.join("log.bin").metadata().is_ok_and(|file| file.len() > 0));
    desk.page.click(button("Download again"));
    let got = poll(LONG, || {
        let files = fs::read_dir(&folder).unwrap().flatten();
        files
            .map(|file| file.path())
            .find(|path| path.metadata().is_ok_and(|file| file.size() == 3 * MIB))
    });
    assert!(is_equal(&got.expect("the file as it is now"), &desk.path("log.bin")));
}

#[test]
fn a_download_goes_on_after_the_server_was_away() {
    let mut desk = Desk::new();
    counting(&desk.path("film.bin"), 600 * MIB);
    desk.open();
    desk.download("film.bin");
    see_partial(&desk, 10 * MIB);
    desk.server.kill();
    desk.page.see(text("No connection to the server"));
    desk.server.restart();
    let got = desk.page.downloaded("film.bin");
    assert!(is_equal(&got, &desk.path("film.bin")));
    desk.page.expect_error("");
}

#[test]
fn a_page_over_plain_http_saves_what_fits_into_memory_and_says_what_to_do_for_more() {
    let Some(ip) = own_address() else {
        eprintln!("this machine has no address but loopback: nothing to look at");
        return;
    };
    let desk = Desk::at(|server| {
        let wire = Wire::to(&ip, server.address());
        (wire.url(), wire)
    });
    assert_eq!(desk.page.script("return isSecureContext", &[]), false);
    // Whoever sits there would be asked whether to keep other kinds of files, as nobody vouches for the page.
    desk.page.expect_error("was loaded over an insecure connection");
    fs::write(desk.path("notes.txt"), "line\n".repeat(4 << 20)).unwrap();
    File::create(desk.path("huge.bin")).unwrap().set_len(300 << 20).unwrap();
    desk.open();
    desk.download("notes.txt");
    desk.page.see(text("notes.txt is here."));
    let got = desk.page.downloaded("notes.txt");
    assert!(is_equal(&got, &desk.path("notes.txt")));
    desk.download("huge.bin");
    desk.page.see(text("1 download needs you"));
    desk.open_tray();
    desk.page
        .see(text("From this page the browser can save at most 268 MB."));
    desk.page.expect_accessible();
}

#[test]
fn the_service_worker_answers_nothing_but_downloads_that_a_page_has_just_made() {
    let desk = Desk::new();
    counting(&desk.path("film.bin"), MIB);
    desk.open();
    desk.download("film.bin");
    desk.page.downloaded("film.bin");
    let scopes = desk.page.script_async(
        "const done = arguments[arguments.length - 1];
         navigator.serviceWorker.getRegistrations().then((all) => done([all.map((one) => new URL(one.scope).pathname),
            navigator.serviceWorker.controller === null]))",
        &[],
    );
    assert_eq!(scopes, serde_json::json!([["/save/"], true]));
    // In its scope, but not its own: the server's answer.
    let status = desk.page.script_async(
        "const done = arguments[arguments.length - 1];
         fetch('/save/0123456789abcdef0123456789abcdef').then((answer) => done(answer.status))",
        &[],
    );
    assert_eq!(status, 404);
    desk.page.expect_error("404");
}

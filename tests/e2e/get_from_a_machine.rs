//! What a live machine holds comes to a terminal: verified, and nothing of it is stored on the server.

use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::{FileExt, MetadataExt, PermissionsExt},
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use beckon_tests::{Account, Cli, Machine, Proxy, Server, Way, sample, tree::assert_same_tree, wait_until};
use serde_json::Value;

use crate::scene::{
    Back, Desk, LONG, MIB, SOON, expect_refusal, files_below, hash, json, make_old, number, rows, run, text, unzipped,
};

/// Runs a program without root's right to read everything, so that file modes count.
const WITHOUT_OVERRIDE: &[&str] = &[
    "setpriv",
    "--bounding-set=-dac_override,-dac_read_search",
    "--inh-caps=-all",
    "--",
];

/// Fetches from the machine, with `--json`.
#[track_caller]
fn fetch(cli: &Cli, words: &[&str]) -> Value {
    json(&cli.with_limit(LONG), &[&["--relay", "get"], words].concat())
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Bytes that the server keeps.
fn stored(desk: &Desk) -> u64 {
    let files = files_below(&desk.server.data());
    files
        .iter()
        .filter_map(|file| file.metadata().ok())
        .map(|meta| meta.len())
        .sum()
}

#[test]
fn a_file_comes_whole_with_its_time_and_permissions_and_nothing_is_stored() {
    let desk = Desk::with(|folder| {
        sample::random_file(&folder.join("big"), 5 * MIB + 7, 1);
        set_mode(&folder.join("big"), 0o750);
        make_old(&folder.join("big"));
        sample::text(&folder.join("empty"), "");
    });
    let before = stored(&desk);
    let back = Back::new();
    let to = back.path("copy").display().to_string();
    let told = fetch(desk.cli(), &["desk:Documents/big", "-o", &to]);
    assert_eq!(hash(&back.path("copy")), hash(&desk.path("big")));
    let (here, there) = (fs::metadata(&to).unwrap(), fs::metadata(desk.path("big")).unwrap());
    assert_eq!(here.mode(), there.mode());
    assert_eq!((here.mtime(), here.mtime_nsec()), (there.mtime(), there.mtime_nsec()));
    assert_eq!(number(&told, "size"), 5 * MIB + 7);
    let came = &told["came"];
    assert_eq!(
        (number(came, "relay"), number(came, "direct"), number(came, "verified")),
        (5 * MIB + 7, 0, 5 * MIB + 7)
    );
    fetch(
        desk.cli(),
        &["desk:Documents/empty", "-o", &back.path("empty").display().to_string()],
    );
    assert_eq!(fs::metadata(back.path("empty")).unwrap().len(), 0);
    let again = fetch(desk.cli(), &["desk:Documents/big", "-o", &to]);
    assert_eq!(
        (again["skipped"].as_bool(), number(&again["came"], "relay")),
        (Some(true), 0)
    );
    back.expect_entries(2);
    assert!(stored(&desk) < before + MIB, "something is stored on the server");
}

#[test]
fn a_folder_comes_as_a_tree_with_all_that_is_in_it_and_a_second_time_nothing_comes() {
    let desk = Desk::with(|folder| {
        sample::small_tree(folder);
        sample::odd_names(folder);
        sample::many_files(&folder.join("many"), 1000, 20);
        fs::create_dir_all(folder.join("hollow/deep/down")).unwrap();
        sample::random_file(&folder.join("large"), 6 * MIB, 2);
        std::os::unix::fs::symlink("../../etc/passwd", folder.join("out")).unwrap();
        sample::text(&folder.join("private/key"), "secret");
        set_mode(&folder.join("private/key"), 0o600);
        set_mode(&folder.join("private"), 0o700);
        make_old(&folder.join("private/key"));
    });
    let before = stored(&desk);
    let back = Back::new();
    let to = back.path("copy").display().to_string();
    let told = fetch(desk.cli(), &["desk:Documents", "-o", &to]);
    assert_same_tree(desk.root(), &back.path("copy"));
    assert_eq!(rows(&told["problems"]).len(), 0, "{told}");
    for inner in ["private", "private/key"] {
        let (here, there) = (back.path("copy").join(inner), desk.path(inner));
        let (here, there) = (fs::metadata(here).unwrap(), fs::metadata(there).unwrap());
        assert_eq!((here.mode(), here.mtime()), (there.mode(), there.mtime()), "{inner}");
    }
    let again = fetch(desk.cli(), &["desk:Documents", "-o", &to]);
    assert_eq!(
        (number(&again, "files"), number(&again["came"], "relay")),
        (0, 0),
        "{again}"
    );
    assert_eq!(number(&again, "skipped"), number(&told, "files"));
    assert!(stored(&desk) < before + MIB, "something is stored on the server");
}

#[test]
fn a_folder_comes_as_a_zip() {
    let desk = Desk::with(|folder| {
        sample::small_tree(folder);
        // A ZIP shows them otherwise; that is told elsewhere.
        fs::remove_dir_all(folder.join("odd")).unwrap();
        sample::many_files(&folder.join("many"), 300, 7);
        sample::random_file(&folder.join("many/large"), 3 * MIB, 2);
        fs::create_dir_all(folder.join("hollow/deep")).unwrap();
    });
    let back = Back::new();
    let to = back.path("all.zip").display().to_string();
    fetch(desk.cli(), &["desk:Documents", "--zip", &to]);
    assert_same_tree(desk.root(), &unzipped(&back, &to));
    let refused = run(desk.cli(), &["get", "desk:Documents", "--zip", &to]);
    expect_refusal(&refused, 1, "file");
    fs::remove_dir_all(back.path("unzipped")).unwrap();
    fetch(desk.cli(), &["desk:Documents/many", "--zip", &to, "--force"]);
    assert_same_tree(&desk.path("many"), &unzipped(&back, &to));
}

#[test]
fn a_range_comes_to_standard_output_or_to_a_file() {
    let desk = Desk::with(|folder| sample::random_file(&folder.join("big"), 2 * MIB, 3));
    let content = fs::read(desk.path("big")).unwrap();
    let range = |range: &str| {
        let words = ["--relay", "get", "desk:Documents/big", "--range", range];
        desk.cli().run(words).expect_ok().stdout_bytes().to_vec()
    };
    assert!(range("100-299") == content[100..300]);
    assert!(range("-1000000") == content[content.len() - 1_000_000..]);
    assert!(range("2097000-") == content[2_097_000..]);
    let whole = desk.cli().run(["get", "desk:Documents/big", "-o", "-"]).expect_ok();
    assert!(whole.stdout_bytes() == content);
    let back = Back::new();
    let to = back.path("part").display().to_string();
    fetch(desk.cli(), &["desk:Documents/big", "--range", "5-1000004", "-o", &to]);
    assert!(fs::read(&to).unwrap() == content[5..1_000_005]);
    let outside = run(desk.cli(), &["get", "desk:Documents/big", "--range", "9999999-"]);
    expect_refusal(&outside, 2, "bad-request");
}

#[test]
fn what_is_there_is_replaced_only_by_force_and_what_is_not_there_is_said() {
    let desk = Desk::with(|folder| sample::text(&folder.join("note"), "theirs"));
    let back = Back::new();
    let to = back.path("note");
    sample::text(&to, "mine");
    let place = to.display().to_string();
    expect_refusal(
        &run(desk.cli(), &["get", "desk:Documents/note", "-o", &place]),
        1,
        "file",
    );
    assert_eq!(fs::read(&to).unwrap(), b"mine");
    fetch(desk.cli(), &["desk:Documents/note", "-o", &place, "--force"]);
    assert_eq!(fs::read(&to).unwrap(), b"theirs");
    let refused = |words: &[&str]| run(desk.cli(), &[&["get"], words].concat());
    expect_refusal(&refused(&["desk:Documents/absent", "-o", &place]), 1, "not-found");
    expect_refusal(&refused(&["desk:Else/note", "-o", &place]), 1, "not-found");
    expect_refusal(&refused(&["desk:", "-o", &place]), 2, "usage");
    expect_refusal(&refused(&["desk:Documents/note", "--zip", &place]), 2, "usage");
    let version = "00000000-0000-7000-8000-000000000000";
    expect_refusal(&refused(&["desk:Documents/note", "--version", version]), 2, "usage");
}

/// A desk with one large file, and a terminal that reaches the server through a proxy.
fn far_away(size: u64) -> (Desk, Proxy, Cli) {
    let desk = Desk::with(|folder| sample::random_file(&folder.join("big"), size, 8));
    let proxy = Proxy::to(desk.server.address());
    let cli = Cli::new();
    let password = desk.ann.password_file().display().to_string();
    cli.run(["login", &proxy.url(), "--name", "ann", "--password-file", &password])
        .expect_ok();
    (desk, proxy, cli)
}

/// Bytes of files in a folder.
fn on_disk(folder: &Path) -> u64 {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum()
}

#[test]
fn a_download_that_was_killed_goes_on_with_what_was_verified() {
    let (desk, proxy, cli) = far_away(64 * MIB);
    let back = Back::new();
    let to = back.path("big").display().to_string();
    let words = ["--json", "--relay", "get", "desk:Documents/big", "-o", &to].map(str::to_owned);
    proxy.allow(Way::Down, 40 * MIB);
    let mut download = cli.start(&words);
    proxy.wait_held_up(Way::Down, SOON);
    wait_until("the bytes that came are written", SOON, || {
        on_disk(back.folder()) >= 36 * MIB
    });
    assert!(
        !back.path("big").exists(),
        "half a file stands under the name of the whole"
    );
    download.kill();
    proxy.cut();
    proxy.open();
    let told = cli.with_limit(LONG).run(&words).expect_ok().json();
    let (kept, verified) = (number(&told["came"], "kept"), number(&told["came"], "verified"));
    assert!(kept >= 36 * MIB, "{told}");
    assert_eq!(kept + verified, 64 * MIB, "{told}");
    assert_eq!(hash(&back.path("big")), hash(&desk.path("big")));
    back.expect_entries(1);
}

#[test]
fn a_download_goes_on_by_itself_after_its_connection_broke() {
    let (desk, proxy, cli) = far_away(48 * MIB);
    let back = Back::new();
    let to = back.path("big").display().to_string();
    proxy.allow(Way::Down, 24 * MIB);
    let words = ["--json", "--relay", "get", "desk:Documents/big", "-o", &to];
    let download = thread::spawn({
        let (cli, words) = (cli.with_limit(LONG), words.map(str::to_owned));
        move || cli.run(&words).expect_ok().json()
    });
    proxy.wait_held_up(Way::Down, SOON);
    proxy.open();
    proxy.cut();
    let told = download.join().unwrap();
    assert_eq!(number(&told["came"], "verified"), 48 * MIB, "{told}");
    assert_eq!(hash(&back.path("big")), hash(&desk.path("big")));
    assert!(
        proxy.passed(Way::Down) < 60 * MIB,
        "{} bytes came: more than what was under way came twice",
        proxy.passed(Way::Down)
    );
}

#[test]
fn a_download_goes_on_by_itself_after_the_server_was_killed() {
    let (mut desk, proxy, cli) = far_away(48 * MIB);
    let back = Back::new();
    let to = back.path("big").display().to_string();
    proxy.allow(Way::Down, 24 * MIB);
    let words = ["--json", "--relay", "get", "desk:Documents/big", "-o", &to];
    let download = thread::spawn({
        let (cli, words) = (cli.with_limit(LONG), words.map(str::to_owned));
        move || cli.run(&words).expect_ok().json()
    });
    proxy.wait_held_up(Way::Down, SOON);
    desk.server.kill();
    proxy.open();
    desk.server.restart();
    let told = download.join().unwrap();
    assert_eq!(number(&told["came"], "verified"), 48 * MIB, "{told}");
    assert_eq!(hash(&back.path("big")), hash(&desk.path("big")));
}

#[test]
fn a_file_that_changed_since_is_begun_anew_and_its_parts_are_never_joined() {
    let (desk, proxy, cli) = far_away(32 * MIB);
    let back = Back::new();
    let to = back.path("big").display().to_string();
    let words = ["--json", "--relay", "get", "desk:Documents/big", "-o", &to].map(str::to_owned);
    proxy.allow(Way::Down, 16 * MIB);
    let mut download = cli.start(&words);
    proxy.wait_held_up(Way::Down, SOON);
    // In the middle of a run, which notices it by itself.
    sample::random_file(&desk.path("big"), 32 * MIB, 99);
    proxy.open();
    assert!(download.wait(LONG).success());
    assert_eq!(hash(&back.path("big")), hash(&desk.path("big")));
    back.expect_entries(1);
}

#[test]
fn a_file_that_never_rests_is_named_and_the_others_come() {
    let desk = Desk::with(|folder| {
        sample::text(&folder.join("calm/note"), "at rest");
        sample::random_file(&folder.join("busy/log"), 4 * MIB, 1);
    });
    let (stop, log) = (AtomicBool::new(false), desk.path("busy/log"));
    let back = Back::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut log = File::options().append(true).open(&log).unwrap();
            while !stop.load(Ordering::Relaxed) {
                log.write_all(b"one more line\n").unwrap();
                thread::sleep(Duration::from_millis(1));
            }
        });
        let to = back.path("copy").display().to_string();
        let output = run(desk.cli(), &["get", "desk:Documents", "-o", &to]);
        let alone = back.path("alone").display().to_string();
        let single = run(desk.cli(), &["get", "desk:Documents/busy/log", "-o", &alone]);
        stop.store(true, Ordering::Relaxed);
        assert_eq!(output.code(), 5, "{output}");
        let told = output.json();
        let problem = &rows(&told["problems"])[0];
        assert_eq!(
            (text(problem, "path"), text(problem, "code")),
            ("busy/log".into(), "changing".into())
        );
        expect_refusal(&single, 1, "changing");
    });
    assert_eq!(fs::read(back.path("copy/calm/note")).unwrap(), b"at rest");
    assert!(!back.path("copy/busy/log").exists() && !back.path("alone").exists());
    fetch(
        desk.cli(),
        &["desk:Documents", "-o", &back.path("copy").display().to_string()],
    );
    assert_same_tree(desk.root(), &back.path("copy"));
}

#[test]
fn what_the_machine_may_not_read_is_named_and_the_rest_comes() {
    let folder = tempfile::tempdir().unwrap();
    sample::small_tree(folder.path());
    sample::special_files(folder.path());
    set_mode(&folder.path().join("tables/trips.csv"), 0);
    set_mode(&folder.path().join("notes/2024"), 0);
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let joining = Machine::join(&ann, "desk").root("Documents", folder.path());
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    let through = if is_root { WITHOUT_OVERRIDE } else { &[] };
    let desk = Desk::of(joining.through(through).start(), ann, server, folder);
    let back = Back::new();
    for (word, to) in [("-o", "copy"), ("--zip", "all.zip")] {
        let to = back.path(to).display().to_string();
        let output = run(desk.cli(), &["get", "desk:Documents", word, &to]);
        assert_eq!(output.code(), 5, "{output}");
        let told = output.json();
        let mut problems: Vec<_> = rows(&told["problems"])
            .iter()
            .map(|row| (text(row, "path"), text(row, "code")))
            .collect();
        problems.sort();
        let expected = [("notes/2024", "not-readable"), ("tables/trips.csv", "not-readable")];
        assert_eq!(
            problems,
            expected.map(|(path, code)| (path.to_owned(), code.to_owned()))
        );
    }
    let zip = back.path("all.zip").display().to_string();
    for came in [back.path("copy"), unzipped(&back, &zip)] {
        assert_eq!(hash(&came.join("video.bin")), hash(&desk.path("video.bin")));
        assert!(!came.join("tables/trips.csv").exists());
    }
    set_mode(&desk.path("notes/2024"), 0o755);
}

#[test]
fn holes_of_a_file_take_no_room_here_either() {
    let desk = Desk::with(|folder| {
        let file = File::create(folder.join("sparse")).unwrap();
        file.set_len(96 * MIB).unwrap();
        file.write_all_at(b"in the middle", 41 * MIB).unwrap();
    });
    let back = Back::new();
    let to = back.path("sparse").display().to_string();
    fetch(desk.cli(), &["desk:Documents/sparse", "-o", &to]);
    assert_eq!(hash(&back.path("sparse")), hash(&desk.path("sparse")));
    let meta = fs::metadata(&to).unwrap();
    assert!(meta.blocks() * 512 < 4 * MIB, "{} blocks", meta.blocks());
}

#[test]
fn a_ref_of_a_listing_names_what_is_fetched_and_a_symlink_comes_as_one() {
    let desk = Desk::with(|folder| {
        sample::text(&folder.join("with:colon/a"), "a");
        std::os::unix::fs::symlink("elsewhere", folder.join("link")).unwrap();
    });
    let listed = json(desk.cli(), &["ls", "desk:Documents"]);
    let token = |name: &str| {
        let row = rows(&listed).iter().find(|row| row["name"] == name).unwrap();
        text(row, "ref")
    };
    let back = Back::new();
    fetch(
        desk.cli(),
        &[&token("with:colon"), "-o", &back.path("copy").display().to_string()],
    );
    assert_eq!(fs::read(back.path("copy/a")).unwrap(), b"a");
    fetch(
        desk.cli(),
        &[&token("link"), "-o", &back.path("link").display().to_string()],
    );
    assert_eq!(fs::read_link(back.path("link")).unwrap(), Path::new("elsewhere"));
}

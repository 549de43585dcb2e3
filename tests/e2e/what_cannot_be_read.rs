//! Files that cannot be read, change under the reader's hands, find no room, or were damaged in the store.

use std::{
    fs::{self, File},
    os::unix::fs::{FileExt, PermissionsExt},
    path::Path,
    process::{Command, Output},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use beckon_tests::{Account, Machine, Server, SmallDisk, sample, tree::assert_same_tree, wait_until};
use serde_json::Value;

use crate::scene::{
    Desk, LONG, MIB, SOON, expect_refusal, files_below, get, hash, json, number, order, rows, run, text, transfer,
    upload,
};

/// Runs a program without root's right to read everything, so that file modes count.
const WITHOUT_OVERRIDE: &[&str] = &[
    "setpriv",
    "--bounding-set=-dac_override,-dac_read_search",
    "--inh-caps=-all",
    "--",
];

/// The problems of a transfer: paths and codes.
fn problems(desk: &Desk, id: &str) -> Vec<(String, String)> {
    let shown = json(desk.cli(), &["transfers", "show", id, "--files"]);
    let mut problems: Vec<_> = rows(&shown["problems"])
        .iter()
        .map(|problem| (text(problem, "path"), text(problem, "code")))
        .collect();
    problems.sort();
    problems
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn what_the_machine_may_not_read_is_listed_and_the_rest_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    sample::small_tree(folder.path());
    set_mode(&folder.path().join("tables/trips.csv"), 0);
    set_mode(&folder.path().join("notes/2024"), 0);
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let joining = Machine::join(&ann, "desk").root("Documents", folder.path());
    let through = if rustix_is_root() { WITHOUT_OVERRIDE } else { &[] };
    let desk = Desk::of(joining.through(through).start(), ann, server, folder);

    let output = run(desk.cli(), &["upload", "desk:Documents", "--wait"]);
    assert_eq!(output.code(), 5, "{output}");
    let transfer = output.json();
    assert_eq!(
        (text(&transfer, "state"), number(&transfer, "failed")),
        ("partly".into(), 2),
        "{transfer}"
    );
    let expected = [("notes/2024", "not-readable"), ("tables/trips.csv", "not-readable")];
    assert_eq!(
        problems(&desk, &text(&transfer, "id")),
        expected.map(|(path, code)| (path.to_owned(), code.to_owned()))
    );
    let shown = desk
        .cli()
        .run(["transfers", "show", &text(&transfer, "id"), "--files"])
        .expect_ok();
    assert!(shown.stdout().contains("tables/trips.csv"), "{shown}");
    assert_eq!(run(desk.cli(), &["wait", &text(&transfer, "id")]).code(), 5);

    let back = tempfile::tempdir().unwrap();
    get(desk.cli(), "desk/Documents", &back.path().join("copy"));
    assert_eq!(hash(&back.path().join("copy/video.bin")), hash(&desk.path("video.bin")));
    assert!(!back.path().join("copy/tables/trips.csv").exists());

    // Once it may be read, the same order again has nothing to complain of.
    set_mode(&desk.path("tables/trips.csv"), 0o644);
    set_mode(&desk.path("notes/2024"), 0o755);
    desk.upload();
    get(desk.cli(), "desk/Documents", &back.path().join("all"));
    assert_same_tree(desk.root(), &back.path().join("all"));
}

fn rustix_is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout == b"0\n"
}

#[test]
fn a_path_too_long_for_any_program_is_listed_and_the_rest_is_stored() {
    let desk = Desk::with(|folder| {
        // Deeper than one path can say, so that it can only be made step by step.
        let script = r#"n=$(printf 'd%.0s' $(seq 250)); for i in $(seq 20); do mkdir "$n" && cd "$n" || exit 1; done; echo deep > file"#;
        let made = Command::new("bash")
            .args(["-c", script])
            .current_dir(folder)
            .status()
            .unwrap();
        assert!(made.success());
        sample::text(&folder.join("near"), "near");
    });
    let output = run(&desk.cli().with_limit(LONG), &["upload", "desk:Documents", "--wait"]);
    assert_eq!(output.code(), 5, "{output}");
    assert_eq!(problems(&desk, &text(&output.json(), "id")).len(), 1, "{output}");
    let back = tempfile::tempdir().unwrap();
    get(desk.cli(), "desk/Documents/near", &back.path().join("near"));
}

#[test]
fn what_is_ordered_and_is_not_there_is_said_at_once_or_when_the_machine_looks() {
    let mut desk = Desk::with(sample::small_tree);
    let output = run(desk.cli(), &["upload", "desk:Documents/nothing", "--wait"]);
    expect_refusal(&output, 1, "not-found");

    desk.machine.stop();
    let id = order(desk.cli(), "desk:Documents/nothing");
    desk.machine.restart();
    let output = run(desk.cli(), &["wait", &id]);
    let transfer = output.json();
    assert_eq!(
        (output.code(), text(&transfer, "state")),
        (1, "failed".into()),
        "{output}"
    );
    assert_eq!(problems(&desk, &id), [("nothing".into(), "not-found".into())]);
}

#[test]
fn a_root_whose_folder_is_gone_is_asked_about_and_counts_again_when_it_is_back() {
    let desk = Desk::with(sample::small_tree);
    desk.upload();
    let away = tempfile::tempdir().unwrap();
    fs::rename(desk.root(), away.path().join("root")).unwrap();
    let gone = run(desk.cli(), &["ls", "desk:Documents"]);
    expect_refusal(&gone, 1, "not-found");
    assert!(text(&gone.json_error(), "message").contains("Documents"), "{gone}");
    let waiting = run(desk.cli(), &["upload", "desk:Documents", "--wait"]);
    expect_refusal(&waiting, 1, "question");
    // Nothing that is stored goes because of it.
    let back = tempfile::tempdir().unwrap();
    get(desk.cli(), "desk/Documents", &back.path().join("copy"));
    assert_same_tree(&away.path().join("root"), &back.path().join("copy"));

    fs::rename(away.path().join("root"), desk.root()).unwrap();
    let asking = only_transfer_that_asks(&desk);
    wait_until("the upload went on", SOON, || {
        run(desk.cli(), &["wait", &asking]).code() == 0
    });
    let again = desk.upload();
    assert_eq!(number(&again, "bytes_sent"), 0, "{again}");
}

fn only_transfer_that_asks(desk: &Desk) -> String {
    let list = run(desk.cli(), &["transfers"]).json();
    let asks = |transfer: &&Value| transfer["hold"] == "question";
    text(list.as_array().unwrap().iter().find(asks).unwrap(), "id")
}

#[test]
fn an_order_for_a_root_that_its_owner_closed_meanwhile_is_not_carried_out() {
    let mut desk = Desk::with(sample::small_tree);
    desk.machine.stop();
    let id = order(desk.cli(), "desk:Documents");
    run(desk.machine.cli(), &["roots", "remove", "Documents"]).expect_ok();
    desk.machine.restart();
    let output = run(desk.cli(), &["wait", &id]);
    assert_eq!(output.code(), 1, "{output}");
    let transfer = output.json();
    assert_eq!(
        (text(&transfer, "state"), number(&transfer, "files_done")),
        ("failed".into(), 0),
        "{transfer}"
    );
    assert!(text(&transfer, "error").contains("root"), "{transfer}");
}

#[test]
fn a_file_that_changes_while_it_is_read_never_counts_as_safe() {
    let desk = Desk::with(|folder| {
        sample::random_file(&folder.join("busy"), 48 * MIB, 5);
        sample::text(&folder.join("calm"), "calm");
    });
    desk.upload();
    let whole = hash(&desk.path("busy"));
    let over = AtomicBool::new(false);
    let transfer = thread::scope(|scope| {
        scope.spawn(|| write_until(&desk.path("busy"), &over));
        let output = run(&desk.cli().with_limit(LONG), &["upload", "desk:Documents", "--wait"]);
        over.store(true, Ordering::Relaxed);
        output.json()
    });
    assert_eq!(number(&transfer, "torn"), 1, "{transfer}");
    let states = desk.in_drive("desk:Documents");
    assert_ne!(states[0], ("busy".into(), "safe".into()));
    assert_eq!(states[1].0, "calm");
    let versions = json(desk.cli(), &["drive", "versions", "desk/Documents/busy"]);
    let (torn, head): (Vec<_>, Vec<_>) = rows(&versions).iter().partition(|version| version["torn"] == true);
    assert!(torn.len() == 1 && torn[0]["head"] == false, "{versions}");
    assert!(head.len() == 1 && head[0]["head"] == true, "{versions}");
    let back = tempfile::tempdir().unwrap();
    get(desk.cli(), "desk/Documents/busy", &back.path().join("before"));
    assert_eq!(
        hash(&back.path().join("before")),
        whole,
        "a torn version took the place of a whole one"
    );

    desk.upload();
    let versions = json(desk.cli(), &["drive", "versions", "desk/Documents/busy"]);
    assert!(
        versions[0]["torn"] == false && versions[0]["head"] == true,
        "{versions}"
    );
    get(desk.cli(), "desk/Documents/busy", &back.path().join("busy"));
    assert_eq!(hash(&back.path().join("busy")), hash(&desk.path("busy")));
}

/// Changes a file all the time, as a program does that records.
fn write_until(path: &Path, over: &AtomicBool) {
    let file = File::options().write(true).open(path).unwrap();
    let mut count = 0u64;
    while !over.load(Ordering::Relaxed) {
        count += 1;
        file.write_all_at(&count.to_le_bytes(), count % 1000 * 8).unwrap();
        // Only paces the writer; nothing waits for it.
        thread::park_timeout(Duration::from_millis(1));
    }
}

#[test]
fn an_upload_waits_while_the_server_s_disk_is_full_and_goes_on_when_there_is_room() {
    let Some(disk) = SmallDisk::mount(96) else { return };
    let ballast = disk.path("ballast");
    sample::random_file(&ballast, 68 * MIB, 1);
    let folder = tempfile::tempdir().unwrap();
    for number in 0..20 {
        sample::random_file(&folder.path().join(format!("file-{number}")), 2 * MIB, number);
    }
    let server = Server::options()
        .args(["--reserve", "8MiB"])
        .data(disk.path("data"))
        .start();
    let ann = Account::sign_up(&server, "ann");
    let machine = Machine::join(&ann, "desk").root("Documents", folder.path()).start();
    let mut desk = Desk::of(machine, ann, server, folder);

    let id = order(desk.cli(), "desk:Documents");
    wait_until("the transfer waits for room", LONG, || {
        transfer(desk.cli(), &id)["hold"] == "no-room"
    });
    let waiting = transfer(desk.cli(), &id);
    assert_eq!(text(&waiting, "state"), "running", "{waiting}");
    // Full or not: who is signed in sees the machine and the drive.
    json(desk.cli(), &["ls", "desk:Documents"]);
    json(desk.cli(), &["drive", "ls", ""]);

    fs::remove_file(ballast).unwrap();
    let ended = json(&desk.cli().with_limit(LONG), &["wait", &id]);
    assert_eq!(
        (text(&ended, "state"), text(&ended, "hold")),
        ("done".into(), "none".into()),
        "{ended}"
    );
    let back = tempfile::tempdir().unwrap();
    get(desk.cli(), "desk/Documents", &back.path().join("copy"));
    assert_same_tree(desk.root(), &back.path().join("copy"));
    desk.server.stop();
}

/// Runs `beckon-server check` on a server that is stopped.
fn check(server: &Server, options: &[&str]) -> Output {
    let mut command = Command::new(beckon_tests::binary::path("beckon-server"));
    command
        .arg("check")
        .args(options)
        .arg("--data")
        .arg(server.data())
        .output()
        .unwrap()
}

/// Changes a byte of what is stored of a file that cannot be compressed.
fn damage(server: &Server, file: &Path) {
    let content = fs::read(file).unwrap();
    let mark = &content[content.len() / 2..][..64];
    let mut packs = files_below(&server.data().join("packs")).into_iter();
    let found = packs.find_map(|pack| {
        let bytes = fs::read(&pack).unwrap();
        let at = bytes.windows(mark.len()).position(|window| window == mark)?;
        Some((pack, at))
    });
    let (pack, at) = found.expect("the bytes of the file stand in a pack");
    sample::change_byte(&pack, at as u64);
}

#[test]
fn a_damaged_pack_costs_the_files_in_it_and_no_others_and_is_named() {
    let mut desk = Desk::with(|folder| {
        sample::random_file(&folder.join("inner/damaged.bin"), 3 * MIB, 1);
        sample::random_file(&folder.join("inner/whole.bin"), 3 * MIB, 2);
    });
    desk.upload();
    damage(&desk.server, &desk.path("inner/damaged.bin"));

    let back = tempfile::tempdir().unwrap();
    let copy = back.path().join("copy");
    let words = ["get", "desk/Documents", "-o", &copy.display().to_string()];
    let output = desk.cli().run(words);
    assert_eq!(output.code(), 5, "{output}");
    assert!(
        output.stderr().contains("damaged.bin") && !output.stderr().contains("whole.bin"),
        "{output}"
    );
    assert!(
        !copy.join("inner/damaged.bin").exists(),
        "a damaged file stands there as if it were whole"
    );
    assert_eq!(hash(&copy.join("inner/whole.bin")), hash(&desk.path("inner/whole.bin")));

    let alone = back.path().join("alone");
    let words = [
        "get",
        "desk/Documents/inner/damaged.bin",
        "-o",
        &alone.display().to_string(),
    ];
    let output = run(desk.cli(), &words);
    assert!([1, 5].contains(&output.code()) && !alone.exists(), "{output}");
    assert!(
        text(&output.json_error(), "message").contains("damaged.bin"),
        "{output}"
    );

    desk.server.stop();
    let checked = check(&desk.server, &["--read-data"]);
    let report = String::from_utf8_lossy(&checked.stdout);
    assert_eq!(checked.status.code(), Some(1), "{checked:?}");
    assert!(
        report.contains("damaged.bin") && !report.contains("whole.bin"),
        "{report}"
    );
    assert!(
        report.contains("desk/Documents/inner"),
        "the path is not named: {report}"
    );
}

#[test]
fn a_check_of_a_sound_store_finds_nothing() {
    let mut desk = Desk::with(sample::small_tree);
    desk.upload();
    desk.server.stop();
    for options in [
        &[][..],
        &["--read-data"],
        &["--rebuild-index"],
        &["--read-data", "--rebuild-index"],
    ] {
        let checked = check(&desk.server, options);
        assert!(checked.status.success(), "{options:?}: {checked:?}");
    }
}

#[test]
fn an_index_that_was_lost_is_made_again_out_of_the_packs() {
    let mut desk = Desk::with(|folder| {
        sample::small_tree(folder);
        sample::many_files(&folder.join("many"), 200, 5);
    });
    desk.upload();
    desk.server.stop();
    let database = desk.server.data().join("beckon.sqlite");
    let lost = "DELETE FROM pin; DELETE FROM chunk_use; DELETE FROM chunk; DELETE FROM pack;";
    let sqlite = Command::new("sqlite3").arg(&database).arg(lost).output().unwrap();
    assert!(sqlite.status.success(), "{sqlite:?}");
    assert!(
        !check(&desk.server, &[]).status.success(),
        "a check does not see that the index is gone"
    );

    let rebuilt = check(&desk.server, &["--rebuild-index"]);
    assert!(rebuilt.status.success(), "{rebuilt:?}");
    desk.server.restart();
    desk.machine.wait_online();
    let back = tempfile::tempdir().unwrap();
    get(desk.cli(), "desk/Documents", &back.path().join("copy"));
    assert_same_tree(desk.root(), &back.path().join("copy"));
    let again: Value = upload(desk.cli(), "desk:Documents");
    assert_eq!(number(&again, "bytes_sent"), 0, "{again}");
}

#[test]
fn an_agent_that_lost_its_index_asks_again_and_sends_nothing() {
    let mut desk = Desk::with(sample::small_tree);
    desk.upload();
    desk.machine.stop();
    let index = desk.machine.cli().state().join("index.redb");
    assert!(index.exists(), "the index is not where this test looks for it");
    fs::write(&index, "this is no database").unwrap();
    desk.machine.restart();
    let again = desk.upload();
    assert_eq!(number(&again, "bytes_sent"), 0, "{again}");
    wait_until("everything is safe", SOON, || {
        desk.in_drive("desk:Documents").iter().all(|(_, state)| state == "safe")
    });
}

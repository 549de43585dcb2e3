//! Files that a person puts into the drive by hand, from a terminal that is no machine.

use std::{fs, path::Path};

use beckon_tests::{Account, Browser, Cli, Proxy, Server, Way, sample, tree::assert_same_tree, wait_until};
use serde_json::{Value, json as value};
use tempfile::TempDir;

use crate::scene::{LONG, MIB, SOON, get, hash, json, node, number, rows, run, text, transfer};

/// Puts in, and waits as the command does; the transfer as it ended.
#[track_caller]
fn put(cli: &Cli, args: &[&str]) -> Value {
    let all: Vec<&str> = ["put"].iter().chain(args).copied().collect();
    let transfer = json(&cli.with_limit(LONG), &all);
    assert_eq!(transfer["state"], "done", "{transfer}");
    transfer
}

#[track_caller]
fn names(cli: &Cli, folder: &str) -> Vec<String> {
    let list = json(cli, &["drive", "ls", folder]);
    rows(&list).iter().map(|row| text(row, "name")).collect()
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn start() -> (Server, Account, TempDir) {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    (server, ann, tempfile::tempdir().unwrap())
}

#[test]
fn files_and_folders_are_put_in_and_come_back_equal() {
    let (_server, ann, folder) = start();
    let (cli, tree) = (ann.cli(), folder.path().join("tree"));
    fs::create_dir(&tree).unwrap();
    sample::small_tree(&tree);
    sample::text(&folder.path().join("note.txt"), "a note");
    let transfer = put(
        cli,
        &[
            &shown(&tree),
            &shown(&folder.path().join("note.txt")),
            "--to",
            "Files/From home",
        ],
    );
    assert_eq!(
        (text(&transfer, "root"), number(&transfer, "failed")),
        ("Files".into(), 0)
    );
    assert!(number(&transfer, "bytes_sent") > 0);
    assert_eq!(names(cli, "Files/From home"), ["note.txt", "tree"]);
    let back = folder.path().join("back");
    get(cli, "Files/From home/tree", &back);
    assert_same_tree(&tree, &back);
    assert!(
        !names(cli, "").contains(&"desk".to_owned()),
        "no machine is made of the terminal"
    );
}

#[test]
fn putting_again_sends_nothing_and_a_change_is_a_version() {
    let (_server, ann, folder) = start();
    let (cli, file) = (ann.cli(), folder.path().join("letter"));
    sample::random_file(&file, MIB, 1);
    put(cli, &[&shown(&file)]);
    let again = put(cli, &[&shown(&file)]);
    assert_eq!((number(&again, "bytes_sent"), number(&again, "files_done")), (0, 1));
    assert_eq!(rows(&json(cli, &["drive", "versions", "Files/letter"])).len(), 1);
    sample::change_byte(&file, 5);
    let changed = put(cli, &[&shown(&file)]);
    assert!(
        (1..MIB + MIB / 2).contains(&number(&changed, "bytes_sent")),
        "{changed}"
    );
    assert_eq!(rows(&json(cli, &["drive", "versions", "Files/letter"])).len(), 2);
    let back = folder.path().join("back");
    get(cli, "Files/letter", &back);
    assert_eq!(hash(&back), hash(&file));
}

#[test]
fn the_same_name_from_another_device_is_the_next_version_of_the_same_file() {
    let (server, ann, folder) = start();
    let (first, second) = (ann.cli(), ann.other_terminal());
    let [one, two] = ["one", "two"].map(|name| {
        fs::create_dir(folder.path().join(name)).unwrap();
        let file = folder.path().join(name).join("plan.txt");
        sample::text(&file, &format!("the plan of {name}"));
        file
    });
    put(first, &[&shown(&one)]);
    put(&second, &[&shown(&two)]);
    assert_eq!(names(first, "Files"), ["plan.txt"]);
    let versions = json(first, &["drive", "versions", "Files/plan.txt"]);
    let versions = rows(&versions);
    assert_eq!(versions.len(), 2);
    assert_ne!(versions[0]["device"], versions[1]["device"]);
    let back = folder.path().join("back");
    get(first, "Files/plan.txt", &back);
    assert_eq!(hash(&back), hash(&two));

    let browser = Browser::with_session_of(first, server.url());
    let id = node(&browser, "Files/plan.txt");
    let older = text(&versions[1], "id");
    let answer = browser.get(&format!("/api/drive/file/{id}?version={older}"), &[]);
    assert_eq!(blake3::hash(&answer.expect_status(200).body), hash(&one));
    let body = value!({ "node": id, "version": older });
    browser.post("/api/drive/current", &body).expect_status(204);
    let now = browser.get(&format!("/api/drive/file/{id}"), &[]).expect_status(200);
    assert_eq!(blake3::hash(&now.body), hash(&one));
    let found = browser.get("/api/drive/search?q=PLAN", &[]).expect_status(200).json();
    assert_eq!(found["rows"][0]["node"]["versions"], 3);
    let recent = browser.get("/api/drive/recent?limit=5", &[]).expect_status(200).json();
    assert_eq!(text(&recent["rows"][0]["node"], "name"), "plan.txt");
}

#[test]
fn a_folder_is_made_before_anything_is_in_it() {
    let (server, ann, folder) = start();
    let browser = Browser::with_session_of(ann.cli(), server.url());
    // Names travel as their bytes: `Photos`, and `laptop` below it.
    let photos = browser.post("/api/drive/folders", &value!({ "parent": null, "name": "UGhvdG9z" }));
    let photos = photos.expect_status(200).json();
    let again = browser.post("/api/drive/folders", &value!({ "parent": null, "name": "UGhvdG9z" }));
    assert_eq!(again.expect_status(200).json()["id"], photos["id"]);
    let inner = value!({ "parent": photos["id"], "name": "bGFwdG9w" });
    browser.post("/api/drive/folders", &inner).expect_status(200);
    let file = folder.path().join("a.txt");
    sample::text(&file, "a");
    put(ann.cli(), &[&shown(&file), "--to", "Files/Photos/laptop"]);
    assert_eq!(names(ann.cli(), "Files/Photos/laptop"), ["a.txt"]);
    browser.get("/api/drive/search?q=%20", &[]).expect_status(400);
}

#[test]
fn what_was_broken_off_goes_on_and_sends_nothing_twice_that_was_stored() {
    let size = 96 * MIB;
    let (server, ann, folder) = start();
    let tree = folder.path().join("tree");
    for number in 0..48 {
        sample::random_file(&tree.join(format!("file-{number}")), 2 * MIB, number);
    }
    let (proxy, far) = (Proxy::to(server.address()), Cli::new());
    let password = shown(ann.password_file());
    far.run([
        "login",
        &proxy.url(),
        "--name",
        ann.name(),
        "--password-file",
        &password,
    ])
    .expect_ok();
    proxy.allow(Way::Up, 64 * MIB);
    let mut broken = far.start(["put", &shown(&tree)]);
    proxy.wait_held_up(Way::Up, LONG);
    broken.kill();
    proxy.cut();
    let transfers = || json(ann.cli(), &["transfers"]);
    wait_until("the transfer waits for its files", SOON, || {
        transfers()[0]["hold"] == "question"
    });
    let left = text(&transfers()[0], "id");
    proxy.open();
    let ended = put(&far, &[&shown(&tree)]);
    assert_eq!(text(&ended, "id"), left, "it is the same transfer");
    assert_eq!(number(&ended, "bytes_done"), size);
    let passed = proxy.passed(Way::Up);
    assert!(
        passed >= size && passed < size + 40 * MIB,
        "{passed} bytes went up for {size}"
    );
    let back = folder.path().join("back");
    get(ann.cli(), "Files/tree", &back);
    assert_same_tree(&tree, &back);
}

#[test]
fn a_server_that_restarts_in_between_is_waited_for() {
    let (mut server, ann, folder) = start();
    let tree = folder.path().join("tree");
    for number in 0..24 {
        sample::random_file(&tree.join(format!("file-{number}")), 2 * MIB, number);
    }
    let (proxy, far) = (Proxy::to(server.address()), Cli::new());
    let password = shown(ann.password_file());
    far.run([
        "login",
        &proxy.url(),
        "--name",
        ann.name(),
        "--password-file",
        &password,
    ])
    .expect_ok();
    proxy.allow(Way::Up, 24 * MIB);
    let mut putting = far.start(["--json", "put", &shown(&tree)]);
    proxy.wait_held_up(Way::Up, LONG);
    server.kill();
    server.restart();
    proxy.open();
    assert!(putting.wait(LONG).success(), "{}", putting.log());
    assert_eq!(names(ann.cli(), "Files/tree").len(), 24);
}

#[test]
fn another_terminal_pauses_resumes_and_cancels_it() {
    let (server, ann, folder) = start();
    let tree = folder.path().join("tree");
    for number in 0..24 {
        sample::random_file(&tree.join(format!("file-{number}")), 2 * MIB, number);
    }
    let (proxy, far) = (Proxy::to(server.address()), Cli::new());
    let password = shown(ann.password_file());
    far.run([
        "login",
        &proxy.url(),
        "--name",
        ann.name(),
        "--password-file",
        &password,
    ])
    .expect_ok();
    proxy.allow(Way::Up, 24 * MIB);
    let mut putting = far.start(["--json", "put", &shown(&tree)]);
    proxy.wait_held_up(Way::Up, LONG);
    let id = text(&json(ann.cli(), &["transfers"])[0], "id");
    let steer = |act: &str| json(ann.cli(), &["transfers", act, &id]);
    steer("pause");
    proxy.open();
    wait_until("what was on its way is committed", SOON, || {
        number(&transfer(ann.cli(), &id), "files_done") > 0
    });
    assert_eq!(transfer(ann.cli(), &id)["hold"], "user");
    assert!(putting.is_running(), "{}", putting.log());
    steer("resume");
    assert!(putting.wait(LONG).success(), "{}", putting.log());
    assert!(proxy.passed(Way::Up) < 48 * MIB + 40 * MIB);

    sample::random_file(&tree.join("more"), 48 * MIB, 99);
    proxy.allow(Way::Up, 8 * MIB);
    let mut putting = far.start(["--json", "put", &shown(&tree.join("more"))]);
    proxy.wait_held_up(Way::Up, LONG);
    let id = text(&json(ann.cli(), &["transfers"])[0], "id");
    json(ann.cli(), &["transfers", "cancel", &id]);
    proxy.open();
    assert_eq!(putting.wait(LONG).code(), Some(1), "{}", putting.log());
    assert_eq!(transfer(ann.cli(), &id)["state"], "cancelled");
}

#[test]
fn what_cannot_be_put_in_is_told_before_anything_is_ordered() {
    let (_server, ann, folder) = start();
    let absent = shown(&folder.path().join("absent"));
    assert_eq!(run(ann.cli(), &["put", &absent]).json_error()["code"], "not-found");
    let here = shown(folder.path());
    assert_eq!(run(ann.cli(), &["put", &here, "--to", "desk/Documents"]).code(), 2);
    assert!(rows(&json(ann.cli(), &["transfers"])).is_empty());
    let keys = shown(&ann.cli().state());
    let refused = run(ann.cli(), &["put", &keys]);
    assert_ne!(
        refused.code(),
        0,
        "the keys of this terminal are nobody's to store: {refused}"
    );
    assert!(!names(ann.cli(), "Files").contains(&"state".to_owned()));
}

/// What a browser that trusts a name or looks into a file would run. Two texts of which one holds markup for each kind.
fn polyglots(folder: &Path) -> Vec<String> {
    let script = "<script>document.title='run'</script>";
    let endings = [
        "html", "htm", "xhtml", "svg", "svgz", "xml", "xsl", "mht", "mhtml", "shtml", "pdf", "js", "mjs", "css",
        "wasm", "json", "txt", "jpg", "png", "gif", "webp", "ico", "mp4", "webm", "ogg", "swf", "jar", "hta", "md",
        "bin",
    ];
    let heads = [
        "",
        "GIF89a/*",
        "%PDF-1.7\n",
        "\u{feff}",
        "<?xml version=\"1.0\"?>",
        "<svg xmlns=\"http://www.w3.org/2000/svg\">",
    ];
    let name = |(at, ending): (usize, &str)| {
        let name = format!("{at:02} \"evil\";\r\nx.{ending}").replace("\r\n", " ");
        sample::text(&folder.join(&name), &format!("{}{script}", heads[at % heads.len()]));
        name
    };
    endings.into_iter().enumerate().map(name).collect()
}

#[test]
fn thirty_polyglots_opened_by_their_address_are_attachments_that_run_nothing() {
    let (server, ann, folder) = start();
    let evil = folder.path().join("evil");
    let all = polyglots(&evil);
    assert_eq!(all.len(), 30);
    put(ann.cli(), &[&shown(&evil)]);
    let browser = Browser::with_session_of(ann.cli(), server.url());
    let list = browser
        .get("/api/drive/list?path=Files%2Fevil", &[])
        .expect_status(200)
        .json();
    let children = rows(&list["children"]);
    assert_eq!(children.len(), 30);
    for child in children {
        let (id, version) = (text(child, "id"), text(child, "head"));
        let urls = [
            (format!("/api/drive/file/{id}"), vec![]),
            (format!("/api/drive/file/{id}?version={version}"), vec![]),
            (format!("/api/drive/file/{id}"), vec!["--head"]),
            (format!("/api/drive/file/{id}"), vec!["--header", "range: bytes=0-20"]),
        ];
        for (url, args) in urls {
            let answer = browser.get(&url, &args);
            assert!(matches!(answer.status, 200 | 206), "{answer:?}");
            assert_eq!(answer.expect_header("content-type"), "application/octet-stream");
            assert_eq!(answer.expect_header("x-content-type-options"), "nosniff");
            assert!(answer.expect_header("content-disposition").starts_with("attachment;"));
            let policy = answer.expect_header("content-security-policy");
            assert!(policy.contains("sandbox") && !policy.contains("allow-"), "{policy}");
        }
    }
    let zip = browser
        .get("/api/drive/zip?path=Files%2Fevil", &["--head"])
        .expect_status(200);
    assert!(zip.expect_header("content-disposition").starts_with("attachment;"));
}

//! Ann and Bob share a server and nothing else: what is Ann's is not there for Bob.

use beckon_tests::{Account, Browser, Machine, curl::Answer, sample, tree::assert_same_tree};
use serde_json::{Value, json as object};

use crate::scene::{Desk, MIB, expect_refusal, get, json, number, rows, run, text, upload};

/// Ann with all that she has, and Bob, whom she invited.
fn ann_and_bob() -> (Desk, Account) {
    let desk = Desk::with(sample::small_tree);
    desk.upload();
    let invitation = json(desk.cli(), &["admin", "invite"]);
    let bob = Account::sign_up_with(desk.server.url(), &text(&invitation, "code"), "bob");
    (desk, bob)
}

/// Ids of what is Ann's, as texts in requests.
struct Anns {
    file: String,
    folder: String,
    version: String,
    transfer: String,
    device: String,
    root: String,
    session: String,
}

impl Anns {
    fn of(desk: &Desk) -> Self {
        let node = |path: &str, name: &str| {
            let list = json(desk.cli(), &["drive", "ls", path]);
            let found = rows(&list).iter().find(|node| node["name"] == name).cloned();
            found.unwrap_or_else(|| panic!("no {name} in {list}"))
        };
        let file = node("desk/Documents", "video.bin");
        let device = json(desk.cli(), &["device", "show", "desk"]);
        Self {
            version: text(&file, "version"),
            file: text(&file, "id"),
            folder: text(&node("desk/Documents", "notes"), "id"),
            transfer: text(&json(desk.cli(), &["transfers"])[0], "id"),
            root: text(&device["roots"][0], "id"),
            device: text(&device, "id"),
            session: text(&json(desk.cli(), &["sessions"])[0], "id"),
        }
    }

    /// The same requests with ids that nobody has.
    fn nobodys(&self) -> Self {
        let other = |id: &String| -> String {
            id.char_indices()
                .map(|(at, digit)| if at % 5 == 1 { flipped(digit) } else { digit })
                .collect()
        };
        Self {
            file: other(&self.file),
            folder: other(&self.folder),
            version: other(&self.version),
            transfer: other(&self.transfer),
            device: other(&self.device),
            root: other(&self.root),
            session: other(&self.session),
        }
    }

    fn gets(&self) -> Vec<String> {
        let Self {
            file,
            folder,
            version,
            transfer,
            device,
            root,
            ..
        } = self;
        vec![
            format!("/api/drive/file/{file}"),
            format!("/api/drive/file/{file}?version={version}"),
            format!("/api/drive/zip/{folder}"),
            format!("/api/drive/list?node={folder}"),
            format!("/api/drive/tree?node={folder}"),
            format!("/api/drive/versions?node={file}"),
            format!("/api/drive/heads?device={device}&root={root}&path="),
            format!("/api/transfers/{transfer}"),
            format!("/api/transfers/{transfer}/problems"),
            format!("/api/devices/{device}/visits"),
        ]
    }

    fn changes(&self) -> Vec<(&'static str, String, Value)> {
        let Self {
            file, device, session, ..
        } = self;
        vec![
            ("POST", "/api/drive/delete".into(), object!({ "nodes": [file] })),
            ("POST", "/api/drive/restore".into(), object!({ "nodes": [file] })),
            (
                "POST",
                "/api/drive/move".into(),
                object!({ "node": file, "name": "YQ" }),
            ),
            (
                "PATCH",
                format!("/api/devices/{device}"),
                object!({ "name": "mine now" }),
            ),
            ("DELETE", format!("/api/sessions/{session}"), object!({})),
        ]
    }
}

/// Another digit in place of a hexadecimal one; what is none stays.
fn flipped(digit: char) -> char {
    digit
        .to_digit(16)
        .and_then(|value| char::from_digit(value ^ 1, 16))
        .unwrap_or(digit)
}

fn change(browser: &Browser, method: &str, path: &str, body: &Value) -> Answer {
    browser.clone().options(["--request", method]).post(path, body)
}

/// What an answer tells: everything but when it was given.
fn told(answer: &Answer) -> (u16, String) {
    (answer.status, answer.text())
}

#[test]
fn what_is_ann_s_is_answered_to_bob_as_if_it_were_not_there() {
    let (desk, bob) = ann_and_bob();
    let (ann, bobs) = (desk.browser(), Browser::with_session_of(bob.cli(), desk.server.url()));
    let anns = Anns::of(&desk);
    let nobodys = anns.nobodys();
    for (hers, nobodys) in anns.gets().into_iter().zip(nobodys.gets()) {
        assert_eq!(ann.get(&hers, &[]).status, 200, "{hers} is there for Ann");
        let (to_bob, of_nothing) = (bobs.get(&hers, &[]), bobs.get(&nobodys, &[]));
        assert_eq!(told(&to_bob), told(&of_nothing), "{hers}");
        assert!(
            to_bob.status == 404 || hers.contains("heads") && !to_bob.text().contains("node"),
            "{hers}: {}",
            to_bob.text()
        );
    }
    for ((method, hers, body), (_, nobodys, nothing)) in anns.changes().into_iter().zip(nobodys.changes()) {
        let (to_bob, of_nothing) = (
            change(&bobs, method, &hers, &body),
            change(&bobs, method, &nobodys, &nothing),
        );
        assert_eq!(
            (to_bob.status, told(&to_bob)),
            (404, told(&of_nothing)),
            "{method} {hers}"
        );
    }
    // Nothing of it was done.
    let back = tempfile::tempdir().unwrap();
    get(desk.cli(), "desk/Documents", &back.path().join("copy"));
    assert_same_tree(desk.root(), &back.path().join("copy"));
    assert_eq!(json(desk.cli(), &["machines"])[0]["name"], "desk");
}

#[test]
fn bob_sees_none_of_ann_s_devices_transfers_and_files_and_cannot_name_them() {
    let (desk, bob) = ann_and_bob();
    let cli = bob.cli();
    assert!(rows(&json(cli, &["machines"])).is_empty());
    assert!(rows(&json(cli, &["transfers"])).is_empty());
    assert_eq!(
        (
            rows(&json(cli, &["devices"])).len(),
            rows(&json(cli, &["sessions"])).len()
        ),
        (1, 1)
    );
    assert!(
        rows(&json(cli, &["drive", "ls"]))
            .iter()
            .all(|node| node["name"] != "desk")
    );
    let entry = text(&json(desk.cli(), &["ls", "desk:Documents"])[0], "ref");
    let stored = text(&json(desk.cli(), &["drive", "ls", "desk/Documents"])[0], "ref");
    for words in [
        &["ls", "desk:Documents"][..],
        &["ls", &entry],
        &["upload", "desk:Documents"],
        &["upload", &entry],
        &["drive", "ls", "desk"],
        &["drive", "rm", &stored],
        &["get", &stored],
        &["device", "show", desk.machine.id()],
    ] {
        expect_refusal(&run(cli, words), 1, "not-found");
    }
}

#[test]
fn bob_does_not_learn_from_an_upload_what_ann_has_stored() {
    let (desk, bob) = ann_and_bob();
    let _desk = Machine::join(&bob, "desk").root("Documents", desk.root()).start();
    let transfer = upload(bob.cli(), "desk:Documents");
    assert!(
        number(&transfer, "bytes_sent") > 3 * MIB,
        "chunks were shared between accounts: {transfer}"
    );
    let back = tempfile::tempdir().unwrap();
    get(bob.cli(), "desk/Documents", &back.path().join("copy"));
    assert_same_tree(desk.root(), &back.path().join("copy"));
    // Two machines called desk in two accounts: each owner reaches the own one.
    assert_ne!(json(bob.cli(), &["device", "show", "desk"])["id"], desk.machine.id());
}

#[test]
fn a_name_that_is_taken_or_a_password_of_another_account_opens_nothing() {
    let (desk, bob) = ann_and_bob();
    let bobs = bob.password_file().display().to_string();
    let login = run(
        &beckon_tests::Cli::new(),
        &["login", desk.server.url(), "--name", "ann", "--password-file", &bobs],
    );
    expect_refusal(&login, 3, "wrong-password");
    let revoke = run(
        bob.cli(),
        &["device", "revoke", desk.machine.id(), "--password-file", &bobs],
    );
    expect_refusal(&revoke, 1, "not-found");
}

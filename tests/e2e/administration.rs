//! Ann administers the server: she invites Bob, bounds what he stores, shuts him out, and sees no name of his files.

use beckon_tests::{Account, Cli, Machine, Server, sample, tree::assert_same_tree, wait_until};
use serde_json::Value;

use crate::scene::{IN_TIME, LONG, MIB, SOON, expect_refusal, get, json, number, order, rows, run, text, transfer};

/// A server with its administrator.
struct Office {
    ann: Account,
    server: Server,
}

impl Office {
    fn open() -> Self {
        let server = Server::start();
        let ann = Account::sign_up(&server, "ann");
        Self { ann, server }
    }

    #[track_caller]
    fn admin(&self, words: &[&str]) -> Value {
        json(self.ann.cli(), &[&["admin"], words].concat())
    }

    /// Somebody who signs up by the link of an invitation.
    #[track_caller]
    fn invite(&self, name: &str, options: &[&str]) -> Account {
        let invitation = self.admin(&[&["invite"], options].concat());
        Account::sign_up_with(self.server.url(), &text(&invitation, "link"), name)
    }

    #[track_caller]
    fn account(&self, name: &str) -> Value {
        let accounts = self.admin(&["accounts"]);
        let found = rows(&accounts).iter().find(|account| account["name"] == name);
        found.unwrap_or_else(|| panic!("no {name} in {accounts}")).clone()
    }
}

#[test]
fn an_upload_that_is_over_quota_waits_until_the_quota_is_raised() {
    let office = Office::open();
    let bob = office.invite("bob", &["--quota", "6MiB"]);
    let folder = tempfile::tempdir().unwrap();
    for number in 0..6 {
        sample::random_file(&folder.path().join(format!("file-{number}")), 2 * MIB, number);
    }
    let _machine = Machine::join(&bob, "desk").root("Documents", folder.path()).start();
    let id = order(bob.cli(), "desk:Documents");
    wait_until("the transfer waits for room", LONG, || {
        transfer(bob.cli(), &id)["hold"] == "no-room"
    });
    assert_eq!(text(&transfer(bob.cli(), &id), "state"), "running");
    let used = number(&office.account("bob"), "used");
    assert!(used <= 6 * MIB, "{used} bytes are more than the quota");

    let raised = office.admin(&["quota", "Bob", "1GiB"]);
    assert_eq!(number(&raised, "quota"), 1024 * MIB);
    let ended = json(&bob.cli().with_limit(LONG), &["wait", &id]);
    assert_eq!(
        (text(&ended, "state"), text(&ended, "hold")),
        ("done".into(), "none".into()),
        "{ended}"
    );
    let back = tempfile::tempdir().unwrap();
    get(bob.cli(), "desk/Documents", &back.path().join("copy"));
    assert_same_tree(folder.path(), &back.path().join("copy"));
    let used = number(&office.account("bob"), "used");
    let expected = 12 * MIB..12 * MIB + 64 * 1024;
    assert!(
        expected.contains(&used),
        "{used} bytes: the content, and a little for what is kept of it"
    );
    assert_eq!(office.account("ann")["used"], 0, "each account has a space of its own");
}

#[test]
fn a_disabled_account_is_shut_out_at_once_and_comes_back_with_all_it_has() {
    let office = Office::open();
    let bob = office.invite("bob", &[]);
    let folder = tempfile::tempdir().unwrap();
    sample::small_tree(folder.path());
    let mut machine = Machine::join(&bob, "desk").root("Documents", folder.path()).start();
    json(&bob.cli().with_limit(LONG), &["upload", "desk:Documents", "--wait"]);

    let mut events = bob.cli().start(["events", "--json"]);
    wait_until("Bob's terminal listens", SOON, || office.account("bob")["online"] == 2);
    office.admin(&["disable", "bob"]);
    wait_until("all sockets are closed", IN_TIME, || {
        office.account("bob")["online"] == 0
    });
    assert!(!events.wait(SOON).success(), "{}", events.log());
    expect_refusal(&run(bob.cli(), &["drive", "ls"]), 3, "not-signed-in");
    let login = bob.login(&Cli::new());
    assert_eq!(login.code(), 3, "{login}");
    assert!(login.stderr().contains("disabled"), "{login}");
    assert!(machine.process().is_running(), "its machine waits");
    let own = run(office.ann.cli(), &["admin", "disable", "ann"]);
    expect_refusal(&own, 3, "not-allowed");

    office.admin(&["enable", "bob"]);
    bob.login(bob.cli()).expect_ok();
    machine.stop();
    machine.restart();
    let back = tempfile::tempdir().unwrap();
    get(bob.cli(), "desk/Documents", &back.path().join("copy"));
    assert_same_tree(folder.path(), &back.path().join("copy"));
}

#[test]
fn the_state_of_the_server_names_no_file_folder_or_root() {
    let office = Office::open();
    let bob = office.invite("bob", &[]);
    let folder = tempfile::tempdir().unwrap();
    sample::text(&folder.path().join("love-letter.txt"), "dear");
    let _machine = Machine::join(&bob, "desk").root("Secrets", folder.path()).start();
    json(&bob.cli().with_limit(LONG), &["upload", "desk:Secrets", "--wait"]);
    wait_until("the sums are taken anew", SOON, || {
        number(&office.admin(&["stats"])["stored"], "content") == 4
    });
    let told = [
        office.admin(&["stats"]),
        office.admin(&["accounts"]),
        office.admin(&["invitations"]),
    ];
    let all = format!("{told:?}");
    for name in ["love-letter", "Secrets", "dear"] {
        assert!(!all.contains(name), "{name} in {all}");
    }
    let stats = &told[0];
    assert_eq!((number(stats, "accounts"), number(stats, "machines_online")), (2, 1));
    for words in [&["admin", "stats"][..], &["admin", "accounts"], &["admin", "invite"]] {
        expect_refusal(&run(bob.cli(), words), 3, "not-allowed");
    }
}

#[test]
fn an_invitation_counts_once_and_not_after_it_was_withdrawn() {
    let office = Office::open();
    let bob = office.invite("bob", &["--for", "2h", "--admin"]);
    assert_eq!(rows(&json(bob.cli(), &["admin", "accounts"])).len(), 2);
    let invitation = json(bob.cli(), &["admin", "invite"]);
    let listed = office.admin(&["invitations"]);
    assert_eq!(rows(&listed)[0]["id"], invitation["id"]);
    office.admin(&["withdraw", &text(&invitation, "id")]);
    assert!(rows(&office.admin(&["invitations"])).is_empty());
    let cli = Cli::new();
    let password = cli
        .secret_file("password", "correct horse of eve\n")
        .display()
        .to_string();
    let words = cli.file("words").display().to_string();
    let code = text(&invitation, "code");
    let refused = run(
        &cli,
        &[
            "sign-up",
            office.server.url(),
            "--setup",
            &code,
            "--name",
            "eve",
            "--password-file",
            &password,
            "--recovery-file",
            &words,
        ],
    );
    expect_refusal(&refused, 3, "bad-setup-code");
}

#[test]
fn a_full_drive_is_freed_by_deleting_for_good_and_the_upload_goes_on() {
    let office = Office::open();
    let bob = office.invite("bob", &["--quota", "5MiB"]);
    let folder = tempfile::tempdir().unwrap();
    sample::random_file(&folder.path().join("old"), 4 * MIB, 1);
    let _machine = Machine::join(&bob, "desk").root("Documents", folder.path()).start();
    json(&bob.cli().with_limit(LONG), &["upload", "desk:Documents", "--wait"]);
    sample::random_file(&folder.path().join("new"), 3 * MIB, 2);
    let id = order(bob.cli(), "desk:Documents/new");
    wait_until("the transfer waits for room", LONG, || {
        transfer(bob.cli(), &id)["hold"] == "no-room"
    });
    json(bob.cli(), &["drive", "rm", "desk/Documents/old"]);
    assert!(
        number(&office.account("bob"), "used") > 4 * MIB,
        "it can still be restored"
    );
    bob.cli()
        .run(["drive", "rm", "--for-good", "desk/Documents/old"])
        .expect_ok();
    assert!(number(&office.account("bob"), "used") < 4 * MIB, "its room is free");
    let ended = json(&bob.cli().with_limit(LONG), &["wait", &id]);
    assert_eq!(text(&ended, "state"), "done", "{ended}");
    let gone = run(bob.cli(), &["drive", "restore", "desk/Documents/old"]);
    expect_refusal(&gone, 1, "not-found");
    json(bob.cli(), &["drive", "rm", "desk/Documents/new"]);
    bob.cli()
        .run(["drive", "rm", "--for-good", "--all-deleted"])
        .expect_ok();
    assert!(rows(&json(bob.cli(), &["drive", "ls", "--deleted"])).is_empty());
    let used = number(&office.account("bob"), "used");
    assert!(
        used < 2 * MIB + 64 * 1024,
        "{used}: of the 7 MiB of this day no more than the quota is free before it is collected"
    );
}

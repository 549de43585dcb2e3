//! Starting again where much is known already.

use std::{process::Command, time::Duration};

use beckon_tests::{Account, Machine, Server, curl, sample};

use super::Size;
use crate::measure::{Report, median, seconds};

/// The first upload of many files takes its time.
const LIMIT: Duration = Duration::from_secs(600);

/// A machine starts on a root that is stored already, with an order that waits: until that is done.
pub(super) fn agent(size: Size, report: &mut Report) {
    let count = size.of(100_000);
    let root = tempfile::tempdir().expect("room for a folder");
    for folder in 0..100 {
        sample::long_folder(&root.path().join(folder.to_string()), count / 100);
    }
    let server = Server::start();
    let account = Account::sign_up(&server, "ann");
    let mut desk = Machine::join(&account, "desk").root("Data", root.path()).start();
    let cli = account.cli().with_limit(LIMIT);
    let upload = |more: &[&str]| cli.run([&["--json", "upload", "desk:Data"], more].concat());
    upload(&["--wait"]).expect_ok();
    let times = (0..3).map(|_| {
        desk.stop();
        let order = upload(&[]).expect_ok().json();
        let id = order["id"].as_str().expect("an order has an id").to_owned();
        seconds(|| {
            desk.launch();
            cli.run(["transfers", "wait", &id]).expect_ok();
        })
        .0
    });
    let time = median(times.collect());
    report.below(
        &format!("{count} unchanged files: start of the agent to done"),
        time,
        2.0,
        "s",
    );
}

/// A server starts with much in its index.
pub(super) fn server(size: Size, report: &mut Report) {
    let count = size.of(1_000_000);
    let mut server = Server::start();
    let _ann = Account::sign_up(&server, "ann");
    server.stop();
    fill(&server, count);
    let url = format!("{}/api/status", server.url());
    let times = (0..3).map(|_| {
        let (time, ()) = seconds(|| {
            server.restart();
            curl([&url]).expect_status(200);
        });
        server.kill();
        time
    });
    let time = median(times.collect());
    report.below(
        &format!("{count} chunks indexed: start of the server to its first answer"),
        time,
        2.0,
        "s",
    );
}

/// Rows as uploads make them, of contents that nobody has: packs of 64 chunks.
fn fill(server: &Server, count: u64) {
    let script = format!(
        "BEGIN;
        INSERT INTO pack SELECT value, randomblob(16), 16777216, 0 FROM generate_series(1000000000, 1000000000 + {count} / 64);
        INSERT INTO chunk (no, space, id, pack, start, stored_len, len, encoding, suite, key_epoch)
            SELECT 2000000000 + value, (SELECT id FROM space LIMIT 1), randomblob(32), 1000000000 + value / 64,
                64 + value % 64 * 262144, 262144, 262144, 0, 0, 0
            FROM generate_series(1, {count});
        UPDATE counter SET next = 3000000000;
        COMMIT;"
    );
    let filled = Command::new("sqlite3")
        .arg("-bail")
        .arg(server.data().join("beckon.sqlite"))
        .arg(&script)
        .output()
        .expect("sqlite3 starts: `cargo xtask test` installs it");
    assert!(filled.status.success(), "{}", String::from_utf8_lossy(&filled.stderr));
}

//! A server that starts: with an index of a million chunks, and after a start that was cut off.

use std::{
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Command, Output},
    time::{Duration, Instant},
};

use beckon_shared::fault;
use beckon_tests::{Account, Browser, Machine, Server, large_index, sample};

use crate::{scene::upload, world::assert_sound};

/// Chunks of a quarter of a TiB.
const CHUNKS: u64 = 1_000_000;

/// The bound for users is two seconds; this server is not optimised.
const BOUND: Duration = Duration::from_secs(5);

/// It is not alone either: of so many starts the quickest counts. All would read the index if one does.
const STARTS: usize = 5;

#[test]
fn a_server_with_a_million_chunks_answers_soon_after_its_start() {
    let mut server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let folder = tempfile::tempdir().unwrap();
    sample::small_tree(folder.path());
    let _desk = Machine::join(&ann, "desk").root("Documents", folder.path()).start();
    upload(ann.cli(), "desk:Documents");
    server.stop();
    large_index::fill(&server.data(), CHUNKS);
    let browser = Browser::with_session_of(ann.cli(), server.url());
    // Killed before: nothing was put in order.
    let start = |_| {
        server.kill();
        let begun = Instant::now();
        server.restart();
        browser.get("/api/drive/list?path=", &[]).expect_status(200);
        begun.elapsed()
    };
    let took: Vec<_> = (0..STARTS).map(start).collect();
    eprintln!("from start to answer with {CHUNKS} chunks: {took:?}");
    assert!(took.iter().any(|took| *took < BOUND), "{took:?}");
    sample::random_file(&folder.path().join("new"), 100_000, 7);
    upload(ann.cli(), "desk:Documents");
}

#[test]
fn a_server_that_is_killed_while_it_brings_its_database_up_to_date_does_so_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    for times in [1, 3, 5] {
        let output = start_until_crash(folder.path(), &format!("{}:{times}", fault::START[0]));
        assert_eq!(output.status.signal(), Some(9), "{output:?}");
    }
    let mut server = Server::options().data(folder.path()).start();
    let ann = Account::sign_up(&server, "ann");
    let files = tempfile::tempdir().unwrap();
    sample::small_tree(files.path());
    let _desk = Machine::join(&ann, "desk").root("Documents", files.path()).start();
    upload(ann.cli(), "desk:Documents");
    server.stop();
    assert_sound(&server);
}

fn start_until_crash(data: &Path, plan: &str) -> Output {
    let mut command = Command::new("timeout");
    command.arg("30").arg(beckon_tests::binary::path("beckon-server"));
    command.args(["--listen", "127.0.0.1:0", "--data"]).arg(data);
    command.env(fault::VARIABLE, plan).output().unwrap()
}

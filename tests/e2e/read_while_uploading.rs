//! A file is read while it is still uploaded: what is stored comes from the store, the rest from the machine.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command},
    time::{Instant, SystemTime},
};

use beckon_tests::{Account, Browser, Machine, Proxy, Server, Way, curl::Answer, sample, wait_until};
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::scene::{LONG, MIB, SOON, json, number, order, run, text, transfer};

const SIZE: u64 = 200 * MIB;

/// So many bytes a second may be uploaded: the whole takes minutes.
const RATE: &str = "2MiB";

/// So slow that a twentieth takes most of a minute.
const SLOW: &str = "256KiB";

/// So slow that nothing more is stored. Live reads are not held back by it.
const SLOWEST: &str = "1KiB";

/// A machine behind a proxy that uploads a large film slowly.
struct Film {
    machine: Machine,
    proxy: Proxy,
    ann: Account,
    _server: Server,
    folder: TempDir,
    content: Vec<u8>,
    browser: Browser,
    id: String,
}

impl Film {
    /// The upload is under way.
    fn new() -> Self {
        Self::at(RATE)
    }

    fn at(rate: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let film = folder.path().join("films/a film.mp4");
        fs::create_dir(folder.path().join("films")).unwrap();
        sample::random_file(&film, SIZE, 1);
        sample::text(&folder.path().join("letter"), "not of this transfer");
        let server = Server::start();
        let ann = Account::sign_up(&server, "ann");
        let proxy = Proxy::to(server.address());
        let joining = Machine::join_with(&proxy.url(), &ann.join_code(&[]), "desk");
        let machine = joining.root("Documents", folder.path()).start();
        run(ann.cli(), &["device", "limit", "desk", "--rate", rate]).expect_ok();
        let id = order(ann.cli(), "desk:Documents/films");
        let browser = Browser::with_session_of(ann.cli(), server.url());
        Self {
            content: fs::read(&film).unwrap(),
            machine,
            proxy,
            ann,
            _server: server,
            folder,
            browser,
            id,
        }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("films/a film.mp4")
    }

    fn stored(&self) -> u64 {
        number(&transfer(self.ann.cli(), &self.id), "bytes_done")
    }

    fn wait_for_stored(&self, bytes: u64) {
        wait_until("some of the film is stored", LONG, || self.stored() >= bytes);
    }

    fn wait_until_readable(&self) {
        wait_until("the film can be read", SOON, || self.range(0, 0).status == 206);
    }

    fn path(&self) -> String {
        format!("/api/transfers/{}/content?path=films/a%20film.mp4", self.id)
    }

    fn range(&self, from: u64, to: u64) -> Answer {
        let range = format!("{from}-{to}");
        self.browser.get(&self.path(), &["--range", &range])
    }

    #[track_caller]
    fn expect_range(&self, from: u64, to: u64) {
        let got = self.range(from, to).expect_status(206);
        assert_eq!(got.exit, 0);
        let header = format!("bytes {from}-{to}/{SIZE}");
        assert_eq!(got.expect_header("content-range"), header);
        assert!(got.body == self.content[from as usize..=to as usize]);
    }

    /// A client in the middle of 100 MB, for which it takes its time.
    fn slow_reader(&self) -> Child {
        self.wait_until_readable();
        let url = format!("{}{}", self.ann.url(), self.path());
        let cookie = format!("cookie: {}", self.browser.cookie());
        let (folder, range) = (tempfile::tempdir().unwrap(), "100000000-199999999");
        let output = folder.path().join("read");
        let reader = Command::new("curl")
            .args([
                "--silent",
                "--limit-rate",
                "4M",
                "--range",
                range,
                "--header",
                &cookie,
                &url,
            ])
            .arg("--output")
            .arg(&output)
            .spawn()
            .unwrap();
        let read = || fs::metadata(&output).is_ok_and(|output| output.len() > MIB);
        wait_until("something is read live", SOON, read);
        reader
    }
}

#[track_caller]
fn code(answer: &Answer) -> String {
    text(&answer.json(), "code")
}

#[test]
fn a_seek_far_ahead_is_answered_before_a_twentieth_is_uploaded() {
    let film = Film::at(SLOW);
    wait_until("the upload has begun", SOON, || {
        transfer(film.ann.cli(), &film.id)["state"] == "running"
    });
    let begun = Instant::now();
    let from = SIZE / 10 * 9;
    film.expect_range(from, from + 4 * MIB - 1);
    let took = begun.elapsed();
    let stored = film.stored();
    assert!(stored < SIZE / 20, "{stored} bytes were stored already");
    eprintln!("4 MiB at 90 % after {took:?}, with {stored} bytes stored");
    let browser = &film.browser;
    let head = browser.get(&film.path(), &["--head"]).expect_status(200);
    assert_eq!(head.expect_header("content-length"), SIZE.to_string());
    let tag = format!("if-none-match: {}", head.expect_header("etag"));
    browser.get(&film.path(), &["--header", &tag]).expect_status(304);
    film.range(SIZE, SIZE + 9).expect_status(416);
    let others = film.path().replace("films/a%20film.mp4", "letter");
    assert_eq!(code(&browser.get(&others, &[]).expect_status(404)), "not-found");
}

#[test]
fn a_range_over_the_border_of_stored_and_live_is_whole_and_stored_bytes_do_not_travel_again() {
    let film = Film::new();
    // Two batches of the upload at the least.
    film.wait_for_stored(20 * MIB);
    run(film.ann.cli(), &["device", "limit", "desk", "--rate", SLOWEST]).expect_ok();
    let before = film.proxy.passed(Way::Up);
    film.expect_range(0, 32 * MIB - 1);
    let travelled = film.proxy.passed(Way::Up) - before;
    assert!(
        travelled < 26 * MIB,
        "{travelled} bytes went up for 32 MiB, of which 16 are stored"
    );
    film.expect_range(7 * MIB + 3, 9 * MIB + 5);
    let out = tempfile::tempdir().unwrap();
    let to = out.path().join("piece");
    let output = to.display().to_string();
    let args = [
        "transfers",
        "read",
        &film.id,
        "films/a film.mp4",
        "-o",
        &output,
        "--range",
        "1000-20000000",
    ];
    let told = json(film.ann.cli(), &args);
    assert_eq!(number(&told, "size"), 19_999_001);
    assert!(fs::read(&to).unwrap() == film.content[1000..=20_000_000]);
}

#[test]
fn what_is_uploaded_to_its_end_is_read_on_with_the_same_tag() {
    let film = Film::new();
    film.wait_until_readable();
    let live = film.range(5, 9).expect_status(206);
    run(film.ann.cli(), &["device", "limit", "desk", "--none"]).expect_ok();
    let cli = film.ann.cli().with_limit(LONG);
    let done: Value = json(&cli, &["wait", &film.id]);
    assert_eq!(done["state"], "done", "{done}");
    let tag = format!("if-range: {}", live.expect_header("etag"));
    let stored = film
        .browser
        .get(&film.path(), &["--range", "100000000-100000009", "--header", &tag]);
    assert_eq!(stored.expect_status(206).body, film.content[100_000_000..=100_000_009]);
}

#[test]
fn a_machine_that_is_killed_or_falls_silent_ends_the_answer_soon() {
    let mut film = Film::new();
    for silent in [true, false] {
        let mut reader = film.slow_reader();
        let begun = Instant::now();
        match silent {
            true => film.machine.process().signal(Signal::STOP),
            false => film.machine.kill(),
        }
        // What is on its way already is still taken at its pace.
        let mut ended = None;
        wait_until("the answer ends", SOON * 2, || {
            ended = reader.try_wait().unwrap();
            ended.is_some()
        });
        eprintln!("silent: {silent}; the answer ended after {:?}", begun.elapsed());
        let exit = ended.and_then(|ended| ended.code());
        assert!(
            matches!(exit, Some(18 | 56)),
            "curl got less than was announced: {exit:?}"
        );
        if silent {
            let late = film.range(SIZE - 10, SIZE - 1).expect_status(503);
            assert_eq!(
                (code(&late).as_str(), late.header("retry-after").is_some()),
                ("away", true)
            );
            film.machine.process().signal(Signal::CONT);
        }
    }
    let away = film.range(SIZE - 10, SIZE - 1).expect_status(503);
    assert_eq!(code(&away), "away");
    film.machine.restart();
    wait_until("the upload goes on", SOON, || film.range(0, 0).status == 206);
    film.expect_range(SIZE - 10, SIZE - 1);
}

#[test]
fn a_file_that_changes_meanwhile_is_refused_and_read_anew_when_the_upload_does() {
    let film = Film::new();
    film.wait_for_stored(1);
    film.expect_range(0, 9);
    let file = fs::File::options().write(true).open(film.file()).unwrap();
    file.set_modified(SystemTime::now()).unwrap();
    let refused = film.range(0, 9).expect_status(409);
    assert_eq!(code(&refused), "changing");
    let cancelled = run(film.ann.cli(), &["transfers", "cancel", &film.id]);
    cancelled.expect_ok();
    assert_eq!(code(&film.range(0, 9).expect_status(409)), "conflict");
}

//! The main job: upload, upload again, upload a small change, over a distance, and a long listing.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use beckon_tests::{Account, Cli, Machine, Server, sample, tree};
use tempfile::TempDir;

use crate::{
    data, delay,
    measure::{Report, cpu_seconds, median, peak_mib, seconds},
    rsync,
};

/// How much data to move.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    /// A GiB, 10,000 files: minutes.
    Full,
    /// A hundredth, to see that the benchmark itself works.
    Small,
}

impl Size {
    pub(crate) fn of(self, full: u64) -> u64 {
        match self {
            Self::Full => full,
            Self::Small => full / 100,
        }
    }

    pub(crate) const fn repeats(self) -> usize {
        match self {
            Self::Full => 3,
            Self::Small => 1,
        }
    }
}

/// Runs all of it; scratch data lies in the folder for temporary files.
pub(crate) fn run(size: Size) {
    let scratch = tempfile::tempdir().expect("room for a folder");
    let mut report = Report::new();
    one_large_file(size, scratch.path(), &mut report);
    many_small_files(size, scratch.path(), &mut report);
    a_distance(size, scratch.path(), &mut report);
    a_long_folder(size, scratch.path(), &mut report);
    report.close();
}

/// A server, an account and a machine, new for each measurement so that nothing is stored yet.
struct Scene {
    machine: Machine,
    account: Account,
    server: Server,
}

impl Scene {
    /// `url` of the server as machine and terminal are to dial it; `None` dials it directly.
    fn new(root: &Path, one_way: Option<Duration>) -> Self {
        let server = Server::start();
        let url = match one_way {
            Some(one_way) => format!("http://{}", delay::relay(server.address().to_owned(), one_way)),
            None => server.url().to_owned(),
        };
        let account = Account::sign_up_with(&url, &server.set_up_code(), "bench");
        let code = account.join_code(&[]);
        let machine = Machine::join_with(&url, &code, "desk").root("Data", root).start();
        Self {
            machine,
            account,
            server,
        }
    }

    fn cli(&self) -> Cli {
        self.account.cli().with_limit(Duration::from_secs(600))
    }

    /// Seconds until the upload of the whole root is done, and the stored-chunk bytes that it sent.
    fn upload(&self) -> (f64, u64) {
        let (time, output) = seconds(|| self.cli().run(["--json", "upload", "desk:Data", "--wait"]).expect_ok());
        let sent = output.json()["bytes_sent"]
            .as_u64()
            .expect("a transfer says what it sent");
        (time, sent)
    }

    fn report_load(&mut self, what: &str, report: &mut Report) {
        let (agent, server) = (self.machine.process().id(), self.server.process().id());
        report.below(&format!("{what}: peak memory, agent"), peak_mib(agent), 128.0, "MiB");
        report.below(&format!("{what}: peak memory, server"), peak_mib(server), 128.0, "MiB");
        report.note(
            &format!("{what}: processor, agent and server"),
            cpu_seconds(agent) + cpu_seconds(server),
            "s",
        );
    }

    /// What came back must be what was sent, or no figure counts.
    fn compare(&self, root: &Path, scratch: &Path) -> f64 {
        let back: PathBuf = scratch.join("back");
        let target = back.to_str().expect("a plain path");
        let (time, _) = seconds(|| self.cli().run(["get", "desk/Data", "-o", target]).expect_ok());
        let top = if back.join("Data").is_dir() {
            back.join("Data")
        } else {
            back.clone()
        };
        tree::assert_same_tree(root, &top);
        std::fs::remove_dir_all(back).expect("the copy can be removed");
        time
    }
}

fn folder(scratch: &Path) -> TempDir {
    tempfile::tempdir_in(scratch).expect("room for a folder")
}

fn one_large_file(size: Size, scratch: &Path, report: &mut Report) {
    let root = folder(scratch);
    let file = root.path().join("large");
    sample::random_file(&file, size.of(1 << 30), 1);
    let daemon = rsync::Daemon::start(scratch);
    let (mut copies, mut uploads, mut rsyncs) = (vec![], vec![], vec![]);
    let mut last = None;
    for _ in 0..size.repeats() {
        copies.push(rsync::copy(root.path(), scratch));
        drop(last.take());
        let scene = Scene::new(root.path(), None);
        uploads.push(scene.upload().0);
        last = Some(scene);
        rsyncs.push(daemon.push(root.path(), "a"));
        daemon.forget("a");
    }
    let mut scene = last.expect("at least one run");
    let copy = median(copies);
    report.note("A, one random GiB: cp -r and sync", copy, "s");
    report.below("A: upload to done", median(uploads) / copy, 2.5, "x cp");
    report.note("A: rsync daemon", median(rsyncs) / copy, "x cp");
    scene.report_load("A", report);
    report.note(
        "A: get and write to disk",
        scene.compare(root.path(), scratch) / copy,
        "x cp",
    );
    let inserted = {
        let mut bytes = vec![0; (1 << 20) + 7];
        blake3::Hasher::new()
            .update(b"inserted")
            .finalize_xof()
            .fill(&mut bytes);
        bytes
    };
    sample::insert(&file, size.of(1 << 30) / 3 + 1, &inserted);
    let (time, sent) = scene.upload();
    report.below(
        "A with 1 MiB + 7 bytes inserted: on the wire",
        sent as f64 / f64::from(1 << 20),
        4.0,
        "MiB",
    );
    report.note("A with 1 MiB + 7 bytes inserted: upload to done", time, "s");
}

fn many_small_files(size: Size, scratch: &Path, report: &mut Report) {
    let root = folder(scratch);
    data::small_files(root.path(), size.of(10_000), size.of(200).max(2));
    let daemon = rsync::Daemon::start(scratch);
    let (mut copies, mut uploads, mut rsyncs, mut again) = (vec![], vec![], vec![], vec![]);
    let mut last = None;
    for _ in 0..size.repeats() {
        copies.push(rsync::copy(root.path(), scratch));
        drop(last.take());
        let scene = Scene::new(root.path(), None);
        uploads.push(scene.upload().0);
        rsyncs.push(daemon.push(root.path(), "b"));
        again.push(scene.upload().0);
        daemon.forget("b");
        last = Some(scene);
    }
    let mut scene = last.expect("at least one run");
    let (copy, rsync) = (median(copies), median(rsyncs));
    report.note("B, 10,000 files of 1-64 KiB: cp -r and sync", copy, "s");
    report.note("B: rsync daemon", rsync, "s");
    report.note("B: upload to done", median(uploads.clone()), "s");
    report.below("B: upload to done", median(uploads) / rsync, 1.5, "x rsync");
    report.below("B again, nothing changed", median(again), 0.6, "s");
    scene.report_load("B", report);
    report.note(
        "B: get and write to disk",
        scene.compare(root.path(), scratch) / copy,
        "x cp",
    );
}

fn a_distance(size: Size, scratch: &Path, report: &mut Report) {
    let one_way = Duration::from_millis(25);
    let small = folder(scratch);
    data::small_files(small.path(), size.of(1000), 20);
    report.below(
        "50 ms round trip, 1,000 small files",
        Scene::new(small.path(), Some(one_way)).upload().0,
        3.0,
        "s",
    );
    let large = folder(scratch);
    sample::random_file(&large.path().join("large"), size.of(64 << 20), 2);
    report.below(
        "50 ms round trip, 64 MiB",
        Scene::new(large.path(), Some(one_way)).upload().0,
        2.0,
        "s",
    );
}

fn a_long_folder(size: Size, scratch: &Path, report: &mut Report) {
    let root = folder(scratch);
    sample::long_folder(root.path(), size.of(100_000));
    let scene = Scene::new(root.path(), None);
    let page = || {
        seconds(|| {
            scene
                .cli()
                .run(["--json", "ls", "desk:Data", "--limit", "500"])
                .expect_ok()
        })
        .0
    };
    let times = (0..5).map(|_| page()).collect();
    report.below(
        "first page of 100,000 entries, the whole command",
        median(times) * 1000.0,
        100.0,
        "ms",
    );
    let all = || seconds(|| scene.cli().run(["--json", "ls", "desk:Data"]).expect_ok()).0;
    report.note(
        "all of 100,000 entries, the whole command",
        median((0..3).map(|_| all()).collect()),
        "s",
    );
}

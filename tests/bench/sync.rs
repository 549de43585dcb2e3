//! Machines that are kept the same: how soon a saved file is elsewhere, how long much takes, what a small change costs, and
//! what it costs to watch.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use beckon_tests::{
    Account, Machine, Proxy, Server, Way, sample,
    tree::{copy_hashes, tree_hashes},
    wait_until,
};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) use crate::main_loop::Size;
use crate::{
    data,
    measure::{Report, cpu_seconds, median, resident_kib, seconds},
    rsync,
    syncthing::Pair,
};

/// A GiB and the like may take so long on a busy computer.
const LIMIT: Duration = Duration::from_secs(900);

/// Runs all of it; scratch data lies in the folder for temporary files.
pub(crate) fn run(size: Size) {
    let scratch = tempfile::tempdir().expect("room for a folder");
    let mut report = Report::new();
    saved_to_readable(size, scratch.path(), &mut report);
    much(size, scratch.path(), &mut report);
    a_small_change(size, scratch.path(), &mut report);
    watching(size, scratch.path(), &mut report);
    report.close();
}

/// A machine that watches its root, another one that follows it, and what passes on both their lines.
struct Scene {
    desk: Machine,
    _copy: Machine,
    account: Account,
    _server: Server,
    lines: [Proxy; 2],
    source: TempDir,
    target: TempDir,
}

impl Scene {
    fn new(scratch: &Path, fill: impl FnOnce(&Path)) -> Self {
        let (source, target) = (folder(scratch), folder(scratch));
        fill(source.path());
        let server = Server::start();
        let account = Account::sign_up_with(server.url(), &server.set_up_code(), "bench");
        let lines = [(); 2].map(|()| Proxy::to(server.address()));
        let code = || account.join_code(&[]);
        let desk = Machine::join_with(&lines[0].url(), &code(), "desk")
            .root("Docs", source.path())
            .start();
        let copy = Machine::join_with(&lines[1].url(), &code(), "copy")
            .writable_root("Copy", target.path())
            .start();
        Self {
            desk,
            _copy: copy,
            account,
            _server: server,
            lines,
            source,
            target,
        }
    }

    fn watch(&self) {
        self.account.cli().run(["watch", "desk:Docs"]).expect_ok();
    }

    fn follow(&self) {
        self.account
            .cli()
            .run(["follow", "desk:Docs", "--on", "copy:Copy"])
            .expect_ok();
    }

    /// Waits until the copy holds what the source holds.
    fn settle(&self) {
        settle(self.source.path(), self.target.path());
    }

    /// Whether the watch has nothing left to do.
    fn is_current(&self) -> bool {
        let rows = self.account.cli().run(["--json", "transfers"]).expect_ok().json();
        let is_current = |row: &Value| row["task"] == "watch" && row["hold"] == "current";
        rows.as_array().is_some_and(|rows| rows.iter().any(is_current))
    }

    /// Bytes so far on the line of the machine that is watched, and on that of the one that follows; both ways.
    fn passed(&self) -> [u64; 2] {
        self.lines
            .each_ref()
            .map(|line| line.passed(Way::Up) + line.passed(Way::Down))
    }
}

fn folder(scratch: &Path) -> TempDir {
    tempfile::tempdir_in(scratch).expect("room for a folder")
}

fn settle(source: &Path, target: &Path) {
    let is_ours = |path: &[u8]| !path.starts_with(b".stfolder");
    let mut wanted = tree_hashes(source);
    wanted.retain(|path, _| is_ours(path));
    wait_until("the copy is equal", LIMIT, || {
        copy_hashes(target).is_ok_and(|mut held| {
            held.retain(|path, _| is_ours(path));
            held == wanted
        })
    });
}

/// Milliseconds from the last write of files, one after the other, until they can be read elsewhere.
fn delays(source: &Path, target: &Path, count: u64) -> Vec<f64> {
    let mut delays = Vec::new();
    for number in 0..count {
        let name = format!("saved {number}");
        let content = format!("saved as number {number}");
        fs::write(source.join(&name), &content).expect("room for a file");
        let start = Instant::now();
        while !fs::read(target.join(&name)).is_ok_and(|now| now == content.as_bytes()) {
            assert!(start.elapsed() < LIMIT, "{name} never arrived");
            std::thread::sleep(Duration::from_millis(1));
        }
        delays.push(start.elapsed().as_secs_f64() * 1e3);
        // A person saves less often than this.
        std::thread::sleep(Duration::from_millis(150));
    }
    delays
}

/// The value that all but one of a hundred stay below.
fn percentile(mut values: Vec<f64>, percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() * percent / 100).min(values.len() - 1)]
}

fn saved_to_readable(size: Size, scratch: &Path, report: &mut Report) {
    let scene = Scene::new(scratch, sample::small_tree);
    scene.watch();
    scene.follow();
    scene.settle();
    let ours = delays(scene.source.path(), scene.target.path(), size.of(200).max(5));
    report.below("saved to readable elsewhere: median", median(ours.clone()), 250.0, "ms");
    report.below("saved to readable elsewhere: p99", percentile(ours, 99), 1000.0, "ms");
    drop(scene);
    if size == Size::Small {
        return;
    }
    for (delay, name) in [(10, "as it comes"), (1, "at its fastest")] {
        let (left, right) = (folder(scratch), folder(scratch));
        let _pair = Pair::start(left.path(), right.path(), delay);
        let theirs = delays(left.path(), right.path(), size.of(500).clamp(2, 5));
        report.note(&format!("the same, syncthing {name}: median"), median(theirs), "ms");
    }
}

fn much(size: Size, scratch: &Path, report: &mut Report) {
    let large = |root: &Path| sample::random_file(&root.join("large"), size.of(1 << 30), 1);
    let small = |root: &Path| data::small_files(root, size.of(10_000), size.of(200).max(2));
    type Fill<'a> = &'a dyn Fn(&Path);
    let sets: [(&str, Fill<'_>); 2] = [("one file of 1 GiB", &large), ("10,000 files of 1-64 KiB", &small)];
    for (name, fill) in sets {
        // Both begin with an empty other side and programs that run.
        let scene = Scene::new(scratch, fill);
        let (ours, ()) = seconds(|| {
            scene.watch();
            scene.follow();
            scene.settle();
        });
        drop(scene);
        report.note(&format!("{name}: watched and followed"), ours, "s");
        // Its data is as small as can be then, and the peer need not be there.
        if size == Size::Small {
            continue;
        }
        let (staged, left, right) = (folder(scratch), folder(scratch), folder(scratch));
        fill(staged.path());
        let copy = rsync::copy(staged.path(), scratch);
        let pair = Pair::start(left.path(), right.path(), 1);
        let (theirs, ()) = seconds(|| {
            for entry in fs::read_dir(staged.path()).expect("a listing") {
                let entry = entry.expect("an entry");
                fs::rename(entry.path(), left.path().join(entry.file_name())).expect("it can be moved");
            }
            settle(left.path(), pair.right_folder());
        });
        report.note(&format!("{name}: cp -r and sync"), copy, "s");
        report.note(&format!("{name}: syncthing"), theirs, "s");
        report.below(&format!("{name}: beside syncthing"), ours / theirs, 1.0, "x");
    }
}

/// 1 MiB and 7 bytes inserted at an odd offset and 100 single bytes changed, in a GiB that is saved by a rename.
fn a_small_change(size: Size, scratch: &Path, report: &mut Report) {
    let whole = size.of(1 << 30);
    let scene = Scene::new(scratch, |root| sample::random_file(&root.join("large"), whole, 1));
    let drafts = folder(scratch);
    let draft = drafts.path().join("large");
    draft_of(&scene.source.path().join("large"), &draft, whole);
    let daemon = (size != Size::Small).then(|| rsync::Daemon::start(scratch));
    if let Some(daemon) = &daemon {
        daemon.push(scene.source.path(), "change");
        let theirs = daemon.push_counted(drafts.path(), "change") as f64 / 1e6;
        report.note("a small change in 1 GiB: rsync", theirs, "MB");
    }
    scene.watch();
    scene.follow();
    scene.settle();
    let before = scene.passed();
    fs::rename(&draft, scene.source.path().join("large")).expect("it can be saved");
    scene.settle();
    let after = scene.passed();
    for (name, line) in [("to the server", 0), ("on to the copy", 1)] {
        let passed = (after[line] - before[line]) as f64 / 1e6;
        report.below(&format!("a small change in 1 GiB: {name}"), passed, 4.75, "MB");
    }
}

fn draft_of(path: &Path, draft: &Path, whole: u64) {
    fs::copy(path, draft).expect("room for a file");
    sample::insert(draft, whole / 3 + 1, &scratch_bytes((1 << 20) + 7));
    for number in 0..100 {
        sample::change_byte(draft, number * (whole / 100) + number * 37 % (whole / 200));
    }
}

fn scratch_bytes(len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new()
        .update(b"inserted")
        .finalize_xof()
        .fill(&mut bytes);
    bytes
}

fn watching(size: Size, scratch: &Path, report: &mut Report) {
    let fill = |root: &Path| sample::many_files(root, size.of(100_000), size.of(1_000).max(1));
    let mut scene = Scene::new(scratch, fill);
    scene.watch();
    wait_until("all of it is stored", LIMIT, || scene.is_current());
    scene.desk.stop();
    wait_until("it is away", LIMIT, || !scene.is_current());
    scene.desk.restart();
    wait_until("it is up to date again", LIMIT, || scene.is_current());
    let id = scene.desk.process().id();
    report.below(
        "100,000 files: processor of start and rescan",
        cpu_seconds(id),
        0.6,
        "s",
    );
    report.below(
        "100,000 files: memory of the agent",
        resident_kib(id) / 1024.0,
        40.0,
        "MiB",
    );
    let before = cpu_seconds(id);
    // The system tells ticks of 10 ms: of one minute they would say too little.
    let minutes = size.of(300).max(2) as f64 / 60.0;
    std::thread::sleep(Duration::from_secs_f64(minutes * 60.0));
    report.below(
        "100,000 files, nothing changes: processor in a minute",
        (cpu_seconds(id) - before) / minutes,
        0.02,
        "s",
    );
    if size == Size::Small {
        return;
    }
    let (left, right) = (folder(scratch), folder(scratch));
    fill(left.path());
    let pair = Pair::start(left.path(), right.path(), 1);
    settle(left.path(), pair.right_folder());
    report.note(
        "100,000 files: memory of syncthing",
        resident_kib(pair.left_id()) / 1024.0,
        "MiB",
    );
}

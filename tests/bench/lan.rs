//! Content from a live machine to a terminal: over the relay, over a distance, and straight over a cable.

use std::{
    fs,
    path::Path,
    process::{Child, Command},
    time::Duration,
};

use beckon_tests::{
    Account, Cli, Machine, Server,
    net::{Host, Knock, Network},
    sample, tree, wait_until,
};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) use crate::main_loop::Size;
use crate::{
    data, delay,
    measure::{Report, children_cpu_seconds, cpu_seconds, median, peak_mib, seconds},
    rsync,
};

/// A GiB and the like may take so long on a busy computer.
const LIMIT: Duration = Duration::from_secs(600);

/// Runs all of it; scratch data lies in the folder for temporary files.
pub(crate) fn run(size: Size) {
    let scratch = tempfile::tempdir().expect("room for a folder");
    let large = folder(scratch.path());
    sample::random_file(&large.path().join("large"), size.of(1 << 30), 1);
    let small = folder(scratch.path());
    data::small_files(small.path(), size.of(10_000), size.of(200).max(2));
    let mut report = Report::new();
    relayed(size, scratch.path(), (large.path(), small.path()), &mut report);
    far_away(size, scratch.path(), large.path(), &mut report);
    straight(size, scratch.path(), (large.path(), small.path()), &mut report);
    report.close();
}

/// A server, and a machine whose roots are these folders.
struct Scene {
    machine: Machine,
    account: Account,
    server: Server,
    cli: Cli,
}

impl Scene {
    fn new(large: &Path, small: &Path) -> Self {
        let server = Server::start();
        let account = Account::sign_up_with(server.url(), &server.set_up_code(), "bench");
        let code = account.join_code(&[]);
        let machine = Machine::join_with(server.url(), &code, "desk")
            .root("Large", large)
            .root("Small", small)
            .start();
        let cli = account.cli().with_limit(LIMIT);
        Self {
            machine,
            account,
            server,
            cli,
        }
    }

    /// Processor seconds of server and machine so far.
    fn processor(&mut self) -> f64 {
        cpu_seconds(self.machine.process().id()) + cpu_seconds(self.server.process().id())
    }
}

fn folder(scratch: &Path) -> TempDir {
    tempfile::tempdir_in(scratch).expect("room for a folder")
}

/// Fetches into a folder that is not there yet. Seconds, and what the command says.
fn get(cli: &Cli, how: &[&str], place: &str, target: &Path) -> (f64, Value) {
    let target = target.to_str().expect("a plain path");
    let words = [&["--json"], how, &["get", place, "-o", target]].concat();
    let (time, output) = seconds(|| cli.run(words).expect_ok());
    (time, output.json())
}

/// What came must be what is there, or no figure counts.
fn compare(root: &Path, came: &Path) {
    tree::assert_same_tree(root, came);
    fs::remove_dir_all(came).expect("the copy can be removed");
}

const RELAY: &[&str] = &["--relay"];

fn relayed(size: Size, scratch: &Path, (large, small): (&Path, &Path), report: &mut Report) {
    let mut scene = Scene::new(large, small);
    let (mut copies, mut gets, mut load) = (vec![], vec![], vec![]);
    let came = scratch.join("came");
    for _ in 0..size.repeats() {
        copies.push(rsync::copy(large, scratch));
        let before = (scene.processor(), children_cpu_seconds());
        gets.push(get(&scene.cli, RELAY, "desk:Large", &came).0);
        load.push(scene.processor() - before.0 + children_cpu_seconds() - before.1);
        compare(large, &came);
    }
    let copy = median(copies);
    report.note("1 GiB: cp -r and sync", copy, "s");
    report.note("1 GiB over the relay", median(gets.clone()), "s");
    report.below("1 GiB over the relay", median(gets) / copy, 4.0, "x cp");
    report.below("1 GiB over the relay: processor, all three", median(load), 5.0, "s");
    report.below(
        "1 GiB over the relay: peak memory, agent",
        peak_mib(scene.machine.process().id()),
        128.0,
        "MiB",
    );
    report.below(
        "1 GiB over the relay: peak memory, server",
        peak_mib(scene.server.process().id()),
        128.0,
        "MiB",
    );
    let copy = rsync::copy(small, scratch);
    let (time, _) = get(&scene.cli, RELAY, "desk:Small", &came);
    compare(small, &came);
    report.note("10,000 files of 1-64 KiB: cp -r and sync", copy, "s");
    report.note("10,000 files over the relay", time, "s");
}

/// The terminal is far from the server, as it is on a journey.
fn far_away(size: Size, scratch: &Path, large: &Path, report: &mut Report) {
    let scene = Scene::new(large, large);
    let url = format!(
        "http://{}",
        delay::relay(scene.server.address().to_owned(), Duration::from_millis(25))
    );
    let cli = Cli::new().with_limit(LIMIT);
    let password = scene.account.password_file().display().to_string();
    cli.run(["login", &url, "--name", "bench", "--password-file", &password])
        .expect_ok();
    let came = scratch.join("came");
    let (time, _) = get(&cli, RELAY, "desk:Large", &came);
    compare(large, &came);
    let rate = size.of(1 << 30) as f64 / 1e6 / time;
    report.above("1 GiB over the relay at a round trip of 50 ms", rate, 60.0, "MB/s");
}

/// Machine, terminal and server stand at one switch.
fn straight(size: Size, scratch: &Path, (large, small): (&Path, &Path), report: &mut Report) {
    let Some(network) = Network::new() else { return };
    let switch = network.switch("home");
    let computer = |name: &str, address: &str| {
        let host = network.host(name);
        host.connect(&switch, &[address]);
        host
    };
    let at_server = computer("server", "192.168.77.2/24");
    let (at_desk, at_laptop) = (
        computer("desk", "192.168.77.3/24"),
        computer("laptop", "192.168.77.4/24"),
    );
    let mut server = Server::options().on(&at_server, "192.168.77.2:80").start();
    let account = Account::sign_up_on(Cli::on(&at_laptop), server.url(), &server.set_up_code(), "bench");
    let machine = Machine::join(&account, "desk")
        .on(&at_desk)
        .root("Large", large)
        .root("Small", small);
    let mut machine = machine.start();
    let cli = account.cli().with_limit(LIMIT);
    let came = scratch.join("came");
    let daemon = Daemon::start(&at_desk, "192.168.77.3", [("large", large), ("small", small)], scratch);
    let (mut gets, mut rsyncs, mut load) = (vec![], vec![], vec![]);
    for _ in 0..size.repeats() {
        rsyncs.push(daemon.pull(&at_laptop, "large", &came));
        compare(large, &came);
        let agent = machine.process().id();
        let before = (cpu_seconds(agent), children_cpu_seconds());
        let (time, told) = get(&cli, &[], "desk:Large", &came);
        gets.push(time);
        load.push(cpu_seconds(agent) - before.0 + children_cpu_seconds() - before.1);
        compare(large, &came);
        let direct = told["came"]["direct"].as_u64().unwrap_or_default();
        report.above(
            "1 GiB on a cable: came straight",
            direct as f64 / size.of(1 << 30) as f64,
            0.9,
            "of it",
        );
    }
    let (time, peer) = (median(gets), median(rsyncs));
    report.note("1 GiB on a cable: rsync from its daemon", peer, "s");
    report.note("1 GiB on a cable", time, "s");
    report.above("1 GiB on a cable", peer / time, 0.5, "x rsync's rate");
    report.note("1 GiB on a cable: processor, machine and terminal", median(load), "s");
    report.note(
        "1 GiB on a cable: processor, server, all of it",
        cpu_seconds(server.process().id()),
        "s",
    );
    let peer = daemon.pull(&at_laptop, "small", &came);
    compare(small, &came);
    let (time, _) = get(&cli, &[], "desk:Small", &came);
    compare(small, &came);
    report.note("10,000 files on a cable: rsync from its daemon", peer, "s");
    report.note("10,000 files on a cable", time, "s");
    let (time, _) = seconds(|| cli.run(["--json", "ls", "desk:Large"]).expect_ok());
    report.note("a short listing on a cable, the whole command", time * 1e3, "ms");
}

/// An rsync daemon on a computer of a network, from which others fetch.
struct Daemon {
    child: Child,
    address: String,
    _folder: TempDir,
}

impl Daemon {
    fn start(at: &Host, address: &str, modules: [(&str, &Path); 2], scratch: &Path) -> Self {
        let folder = folder(scratch);
        let config = folder.path().join("rsyncd.conf");
        let mut text = "use chroot = no\nuid = 0\ngid = 0\n".to_owned();
        for (name, path) in modules {
            text += &format!("[{name}]\npath = {}\n", path.display());
        }
        fs::write(&config, text).expect("room for a file");
        let through = at.through();
        let child = Command::new(&through[0])
            .args(&through[1..])
            .args(["rsync", "--daemon", "--no-detach", "--port=8730"])
            .arg(format!("--address={address}"))
            .arg(format!("--config={}", config.display()))
            .spawn()
            .expect("rsync starts");
        let daemon = Self {
            child,
            address: address.to_owned(),
            _folder: folder,
        };
        let port = format!("{address}:8730").parse().expect("an address");
        wait_until("rsync's daemon listens", Duration::from_secs(10), || {
            at.knock(port) == Knock::Open
        });
        daemon
    }

    /// Seconds of `rsync -a` of a module into a folder.
    fn pull(&self, to: &Host, module: &str, target: &Path) -> f64 {
        let from = format!("rsync://{}:8730/{module}/", self.address);
        let through = to.through();
        let (time, status) = seconds(|| {
            Command::new(&through[0])
                .args(&through[1..])
                .args(["rsync", "-a", &from])
                .arg(target)
                .status()
        });
        assert!(status.expect("rsync starts").success(), "rsync failed");
        time
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

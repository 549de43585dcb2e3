//! Many machines, and those that come back: how soon, at what cost, and how quickly orders reach them.

mod half_open;
mod push;
mod restart;

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use beckon_tests::{Account, Server};
use tempfile::TempDir;

use crate::{
    fleet::{Fleet, Target},
    measure::{Report, cpu_seconds, resident_kib, seconds},
};

/// How many machines, files and chunks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    /// 2,000 machines: minutes.
    Full,
    /// 20, to see that the benchmark itself works.
    Small,
}

impl Size {
    const fn machines(self) -> usize {
        match self {
            Self::Full => 2000,
            Self::Small => 20,
        }
    }

    const fn of(self, full: u64) -> u64 {
        match self {
            Self::Full => full,
            Self::Small => full / 100,
        }
    }
}

/// How long the server is left alone before it is looked at, and while it is.
const SETTLE: Duration = Duration::from_secs(5);

/// Runs all of it; scratch data lies in the folder for temporary files.
pub(crate) fn run(size: Size) {
    let mut report = Report::new();
    let waiting = half_open::begin(size);
    machines(size, Speech::Plain, &mut report);
    machines(size, Speech::Tls, &mut report);
    restart::agent(size, &mut report);
    restart::server(size, &mut report);
    waiting.report(&mut report);
    report.close();
}

/// Whether the server speaks TLS by itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Speech {
    Plain,
    Tls,
}

impl Speech {
    const fn name(self) -> &'static str {
        match self {
            Self::Plain => "HTTP",
            Self::Tls => "TLS",
        }
    }
}

/// A server and the machines that belong to it.
struct Scene {
    fleet: Fleet,
    account: Account,
    target: Arc<Target>,
    server: Server,
    what: String,
    _data: TempDir,
}

impl Scene {
    /// The machines join without TLS, whatever the server speaks afterwards.
    fn new(size: Size, speech: Speech) -> Self {
        let data = tempfile::tempdir().expect("room for a folder");
        let server = Server::options().data(data.path().join("data")).start();
        let account = Account::sign_up(&server, "bench");
        let fleet = Fleet::join(&Target::new(server.url(), None), &account, size.machines());
        drop(server);
        let options = Server::options().data(data.path().join("data"));
        let (server, certificate) = match speech {
            Speech::Plain => (options.start(), None),
            Speech::Tls => {
                let (certificate, key) = self_signed(data.path());
                let files = [
                    "--tls-cert".as_ref(),
                    certificate.as_os_str(),
                    "--tls-key".as_ref(),
                    key.as_os_str(),
                ];
                (options.args(files).start(), Some(certificate))
            }
        };
        let target = Target::new(server.url(), certificate.as_deref());
        Self {
            what: format!("{} machines over {}", size.machines(), speech.name()),
            fleet,
            account,
            target: Arc::new(target),
            server,
            _data: data,
        }
    }
}

fn machines(size: Size, speech: Speech, report: &mut Report) {
    let mut scene = Scene::new(size, speech);
    memory(&mut scene, size, report);
    push::measure(&mut scene, size, report);
    storm(&mut scene, How::Told, report);
    storm(&mut scene, How::Killed, report);
}

/// What a server that has done nothing yet takes for each connection.
fn memory(scene: &mut Scene, size: Size, report: &mut Report) {
    let pid = scene.server.process().id();
    let before = resident_kib(pid);
    let (time, ()) = seconds(|| {
        scene.fleet.connect(&scene.target);
        scene.fleet.wait_online(Duration::from_secs(120));
    });
    std::thread::sleep(SETTLE);
    let each = (resident_kib(pid) - before) / scene.fleet.devices.len() as f64;
    report.note(&format!("{}: all connected", scene.what), time, "s");
    let what = format!("{}: memory of each", scene.what);
    match size {
        Size::Full => report.below(&what, each, 24.0, "KB"),
        // What the first ones cost once is too much for so few.
        Size::Small => report.note(&what, each, "KB"),
    }
}

/// How a server comes to its end.
#[derive(Clone, Copy)]
enum How {
    /// It says good-bye, and when to come back.
    Told,
    /// At once.
    Killed,
}

fn storm(scene: &mut Scene, how: How, report: &mut Report) {
    let what = match how {
        How::Told => format!("{}: back after a restart", scene.what),
        How::Killed => format!("{}: back after a kill", scene.what),
    };
    match how {
        How::Told => _ = scene.server.stop(),
        How::Killed => scene.server.kill(),
    }
    scene.server.restart();
    let (time, ()) = seconds(|| scene.fleet.wait_online(Duration::from_secs(120)));
    report.below(&what, time, 20.0, "s");
    idle(scene, report);
}

/// None comes and goes any more, and the server has nothing to do.
fn idle(scene: &mut Scene, report: &mut Report) {
    std::thread::sleep(SETTLE);
    let pid = scene.server.process().id();
    let (begun, before) = (Instant::now(), cpu_seconds(pid));
    std::thread::sleep(SETTLE);
    let busy = (cpu_seconds(pid) - before) / begun.elapsed().as_secs_f64();
    assert_eq!(scene.fleet.online(), scene.fleet.devices.len(), "some were lost again");
    report.below(
        &format!("{}: processor when all are back", scene.what),
        busy * 100.0,
        5.0,
        "%",
    );
}

/// A certificate for loopback, and its key.
fn self_signed(folder: &Path) -> (PathBuf, PathBuf) {
    let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-nodes", "-days", "2", "-newkey", "ec"])
        .args(["-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", "/CN=localhost"])
        .args(["-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .expect("openssl starts");
    assert!(made.status.success(), "{made:?}");
    (certificate, key)
}

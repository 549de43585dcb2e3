//! The peers: `cp` with `sync`, and rsync's daemon.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command},
    time::Duration,
};

use beckon_tests::wait::wait_until;
use tempfile::TempDir;

use crate::measure::seconds;

/// Seconds of `cp -r` and `sync` of a folder.
pub(crate) fn copy(source: &Path, scratch: &Path) -> f64 {
    let target = scratch.join("copy");
    let (time, ()) = seconds(|| {
        ok(Command::new("cp").arg("-r").arg(source).arg(&target));
        ok(&mut Command::new("sync"));
    });
    fs::remove_dir_all(target).expect("the copy can be removed");
    time
}

/// An rsync daemon with one writable module.
pub(crate) struct Daemon {
    child: Child,
    port: u16,
    folder: TempDir,
}

impl Daemon {
    pub(crate) fn start(scratch: &Path) -> Self {
        let folder = tempfile::tempdir_in(scratch).expect("room for a folder");
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|socket| socket.local_addr())
            .expect("a free port")
            .port();
        let target = folder.path().join("module");
        fs::create_dir(&target).expect("room for a folder");
        let config = folder.path().join("rsyncd.conf");
        let text = format!(
            "use chroot = no\n[module]\npath = {}\nread only = no\nuid = 0\ngid = 0\n",
            target.display()
        );
        fs::write(&config, text).expect("room for a file");
        let child = Command::new("rsync")
            .args(["--daemon", "--no-detach", "--address=127.0.0.1"])
            .arg(format!("--port={port}"))
            .arg(format!("--config={}", config.display()))
            .spawn()
            .expect("rsync starts");
        wait_until("rsync's daemon listens", Duration::from_secs(10), || {
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        Self { child, port, folder }
    }

    /// Seconds of `rsync -a` of a folder into the module; `name` says where there.
    pub(crate) fn push(&self, source: &Path, name: &str) -> f64 {
        seconds(|| ok(&mut self.pushing(source, name))).0
    }

    /// The bytes that `rsync -a` of a folder into the module sends and receives.
    pub(crate) fn push_counted(&self, source: &Path, name: &str) -> u64 {
        let output = self
            .pushing(source, name)
            .args(["--stats", "--no-human-readable"])
            .output()
            .expect("the program starts");
        let text = String::from_utf8_lossy(&output.stdout);
        let counts = text.lines().filter_map(|line| {
            let (what, count) = line.split_once(": ")?;
            what.starts_with("Total bytes ").then(|| count.trim().parse::<u64>())
        });
        counts.sum::<Result<_, _>>().expect("rsync tells numbers")
    }

    fn pushing(&self, source: &Path, name: &str) -> Command {
        let mut command = Command::new("rsync");
        command
            .arg("-a")
            .arg(slashed(source))
            .arg(format!("rsync://127.0.0.1:{}/module/{name}/", self.port));
        command
    }

    /// Removes what was pushed.
    pub(crate) fn forget(&self, name: &str) {
        fs::remove_dir_all(self.folder.path().join("module").join(name)).expect("what was pushed can be removed");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// With a slash at the end, rsync copies what is in the folder.
fn slashed(path: &Path) -> PathBuf {
    path.join("")
}

fn ok(command: &mut Command) {
    let status = command.status().expect("the program starts");
    assert!(status.success(), "{command:?} failed: {status}");
}

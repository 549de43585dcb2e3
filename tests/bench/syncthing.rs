//! The peer that keeps folders the same: two instances of Debian's syncthing that know each other and nobody else.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use beckon_tests::wait::wait_until;
use tempfile::TempDir;

/// Longer than any of it takes.
const LIMIT: Duration = Duration::from_secs(900);

/// Two instances that share one folder.
pub(crate) struct Pair {
    left: Instance,
    right: Instance,
}

struct Instance {
    child: Child,
    home: TempDir,
    folder: PathBuf,
    gui: u16,
}

impl Pair {
    /// Shares two folders that are there; a change is looked after so many seconds after it was seen (1 is the least).
    pub(crate) fn start(left: &Path, right: &Path, delay: u32) -> Self {
        let homes = [(); 2].map(|()| tempfile::tempdir().expect("room for a folder"));
        let ids = [0, 1].map(|at| generate(homes[at].path()));
        let ports = [(); 4].map(|()| free_port());
        let folders = [left, right];
        let mut instances = homes.into_iter().enumerate().map(|(at, home)| {
            let folder = folders[at].to_owned();
            fs::create_dir_all(folder.join(".stfolder")).expect("room for a folder");
            let config = config(&ids, at, &folder, (ports[at], ports[1 - at], ports[2 + at]), delay);
            fs::write(home.path().join("config.xml"), config).expect("room for a file");
            let child = Command::new("syncthing")
                .args(["serve", "--no-browser", "--no-restart", "--no-upgrade", "--logfile=-"])
                .arg(format!("--home={}", home.path().display()))
                .env("STNOUPGRADE", "1")
                // One process, whose memory is its own and which is gone when it is killed.
                .env("STMONITORED", "yes")
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("syncthing starts");
            Instance {
                child,
                home,
                folder,
                gui: ports[2 + at],
            }
        });
        let pair = Self {
            left: instances.next().expect("two"),
            right: instances.next().expect("two"),
        };
        wait_until("both instances are connected", LIMIT, || pair.left.is_connected());
        pair
    }

    /// Process id of the instance that has the data.
    pub(crate) fn left_id(&self) -> u32 {
        self.left.child.id()
    }

    /// The other instance's folder.
    pub(crate) fn right_folder(&self) -> &Path {
        &self.right.folder
    }
}

impl Instance {
    fn is_connected(&self) -> bool {
        let answer = Command::new("curl")
            .args(["-s", "-H", "X-API-Key: bench"])
            .arg(format!("http://127.0.0.1:{}/rest/system/connections", self.gui))
            .output()
            .expect("curl starts");
        String::from_utf8_lossy(&answer.stdout)
            .replace(' ', "")
            .contains("\"connected\":true")
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(self.home.path());
    }
}

/// Makes keys and answers the device's id.
fn generate(home: &Path) -> String {
    let home = format!("--home={}", home.display());
    let made = Command::new("syncthing")
        .args(["generate", "--no-default-folder", &home])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(made.expect("syncthing starts").success(), "syncthing makes keys");
    let told = Command::new("syncthing").args(["--device-id", &home]).output();
    String::from_utf8_lossy(&told.expect("syncthing starts").stdout)
        .trim()
        .to_owned()
}

fn free_port() -> u16 {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a free port");
    socket.local_addr().expect("an address").port()
}

fn config(ids: &[String; 2], own: usize, folder: &Path, ports: (u16, u16, u16), delay: u32) -> String {
    let (listen, other, gui) = ports;
    let folder = folder.display();
    let (me, peer) = (&ids[own], &ids[1 - own]);
    format!(
        r#"<configuration version="35">
  <folder id="bench" label="bench" path="{folder}" type="sendreceive" rescanIntervalS="3600" fsWatcherEnabled="true" fsWatcherDelayS="{delay}" ignorePerms="false" autoNormalize="false">
    <filesystemType>basic</filesystemType>
    <device id="{me}"></device>
    <device id="{peer}"></device>
    <minDiskFree unit="%">0</minDiskFree>
    <markerName>.stfolder</markerName>
  </folder>
  <device id="{me}" name="me" compression="metadata"><address>dynamic</address></device>
  <device id="{peer}" name="peer" compression="metadata"><address>tcp://127.0.0.1:{other}</address></device>
  <gui enabled="true" tls="false"><address>127.0.0.1:{gui}</address><apikey>bench</apikey></gui>
  <options>
    <listenAddress>tcp://127.0.0.1:{listen}</listenAddress>
    <globalAnnounceEnabled>false</globalAnnounceEnabled>
    <localAnnounceEnabled>false</localAnnounceEnabled>
    <relaysEnabled>false</relaysEnabled>
    <natEnabled>false</natEnabled>
    <urAccepted>-1</urAccepted>
    <autoUpgradeIntervalH>0</autoUpgradeIntervalH>
    <crashReportingEnabled>false</crashReportingEnabled>
    <startBrowser>false</startBrowser>
    <reconnectionIntervalS>1</reconnectionIntervalS>
  </options>
</configuration>
"#
    )
}

//! The agent and the server as services of the system, judged by the system's own tools.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
};

use beckon_tests::{Account, Cli, Machine, Server, binary};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::scene::{expect_refusal, run};

/// The exposure that `systemd-analyze security` may give, in tenths: below 2 it is `OK`.
const EXPOSURE_MAX: u32 = 20;

/// Runs `systemd-analyze` on a unit; what it said.
#[track_caller]
fn analyze(args: &[&str], unit: &Path) -> String {
    let output = Command::new("systemd-analyze")
        .args(args)
        .arg(unit)
        // A manager of a user asks for it, and nobody is signed in here.
        .env("XDG_RUNTIME_DIR", unit.parent().unwrap())
        .output()
        .expect("systemd-analyze starts");
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(
        output.status.success(),
        "systemd-analyze {args:?}: {said:?}\n{}",
        fs::read_to_string(unit).unwrap()
    );
    assert!(args[0] != "verify" || said.iter().all(String::is_empty), "{said:?}");
    said.concat()
}

/// Whether the units can be judged here; where everything must be, they are.
fn can_judge() -> bool {
    let is_there = Command::new("systemd-analyze").arg("--version").output().is_ok();
    assert!(
        is_there || std::env::var_os("CI").is_none(),
        "the package systemd is missing"
    );
    is_there
}

#[test]
fn the_unit_of_the_agent_is_good_and_lets_it_do_little() {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let [out, inn] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let mut machine = Machine::join(&ann, "desk")
        .root("Out", out.path())
        .writable_root("In", inn.path())
        .start();
    let taken = run(machine.cli(), &["service", "install", "--print"]);
    assert_eq!(taken.code(), 0, "printing changes nothing, so it may run: {taken}");
    machine.stop();
    let folder = tempfile::tempdir().unwrap();
    let unit = folder.path().join("beckon.service");
    for args in [["--system", "--run-as", "daemon"].as_slice(), &["--user"]] {
        let words = ["service", "install", "--print"].iter().chain(args);
        let printed = machine.cli().run(words).expect_ok();
        let text = printed.stdout().to_owned();
        assert!(text.contains(" \"--state\" ") && text.contains(" \"run\"\n"), "{text}");
        fs::write(&unit, &text).unwrap();
        let is_system = args.contains(&"--system");
        assert_eq!(
            text.contains(&format!("ReadWritePaths=\"-{}\"", inn.path().display())),
            is_system
        );
        assert!(!text.contains(&format!("ReadWritePaths=\"-{}\"", out.path().display())));
        if !can_judge() {
            continue;
        }
        if is_system {
            analyze(&["verify"], &unit);
            let threshold = format!("--threshold={EXPOSURE_MAX}");
            analyze(&["security", "--offline=true", &threshold], &unit);
        } else {
            analyze(&["verify", "--user"], &unit);
        }
    }
}

#[test]
fn the_unit_of_the_server_is_good_and_lets_it_do_little() {
    if !can_judge() {
        return;
    }
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../backend/beckon-server.service");
    let text = fs::read_to_string(shipped).unwrap();
    let program = binary::path("beckon-server").display().to_string();
    let here = text.replace("/usr/local/bin/beckon-server", &program);
    assert_ne!(here, text);
    let folder = tempfile::tempdir().unwrap();
    let unit = folder.path().join("beckon-server.service");
    fs::write(&unit, here).unwrap();
    analyze(&["verify"], &unit);
    let threshold = format!("--threshold={EXPOSURE_MAX}");
    analyze(&["security", "--offline=true", &threshold], &unit);
}

#[test]
fn only_a_machine_is_a_service() {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    expect_refusal(&run(ann.cli(), &["service", "install", "--print"]), 3, "not-signed-in");
}

#[test]
fn completions_and_the_manual_need_no_account() {
    let cli = Cli::new();
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let script = cli.run(["completions", shell]).expect_ok();
        assert!(script.stdout().contains("follow"), "{shell}");
    }
    let to = cli.file("man");
    let written = cli.run(["--json", "man", &to.display().to_string()]).expect_ok().json();
    assert!(written["pages"].as_u64().is_some_and(|pages| pages > 40), "{written}");
    assert!(
        fs::read_to_string(to.join("beckon-send.1"))
            .unwrap()
            .contains("beckon send")
    );
    assert!(!cli.state().exists(), "no state is made for them");
}

/// What stands in for the manager of a user's services: it starts and ends what a unit says, and writes down what it was told.
const MANAGER: &str = r#"#!/bin/sh
echo "$*" >> "$MANAGER/calls"
[ "$1" = --user ] && shift
unit="$XDG_CONFIG_HOME/systemd/user/beckon.service"
runs() { [ -f "$MANAGER/pid" ] && grep -q '^State:[[:space:]]*[^Z]' "/proc/$(cat "$MANAGER/pid")/status" 2>/dev/null; }
case "$1" in
status) [ -f "$unit" ] || exit 4; runs || exit 3 ;;
enable) [ -f "$2" ] ;;
disable) ;;
start)
  [ -f "$MANAGER/broken" ] && exit 0
  eval "exec $(sed -n 's/^ExecStart=//p' "$unit")" > "$MANAGER/log" 2>&1 &
  echo $! > "$MANAGER/pid" ;;
stop)
  runs && kill "$(cat "$MANAGER/pid")"
  while runs; do sleep 0.05; done
  rm -f "$MANAGER/pid" ;;
esac
"#;

/// A user's own services, on a computer where nobody else's are touched.
struct Services {
    folder: TempDir,
    cli: Cli,
}

impl Services {
    fn of(machine: &Machine) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("systemctl");
        fs::write(&program, MANAGER).unwrap();
        fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
        let cli = machine.cli().clone();
        Self { folder, cli }
    }

    fn run(&self, verb: &str) -> Output {
        let path = std::env::var("PATH").unwrap();
        Command::new(binary::path("beckon"))
            .arg("--state")
            .arg(self.cli.state())
            .args(["--json", "service", verb, "--user"])
            .env("PATH", format!("{}:{path}", self.folder.path().display()))
            .env("XDG_CONFIG_HOME", self.folder.path())
            .env("MANAGER", self.folder.path())
            .output()
            .unwrap()
    }

    #[track_caller]
    fn json(&self, verb: &str) -> Value {
        let output = self.run(verb);
        assert!(output.status.success(), "{verb}: {output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The process of the agent that answers, if one does.
    fn agent(&self) -> Option<u64> {
        run(&self.cli, &["status"]).json()["agent"]["pid"].as_u64()
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        self.run("uninstall");
    }
}

#[test]
fn a_service_is_installed_again_looked_at_and_removed() {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let root = tempfile::tempdir().unwrap();
    let mut machine = Machine::join(&ann, "desk").root("Documents", root.path()).start();
    let services = Services::of(&machine);
    let refused = services.run("install");
    assert_eq!(refused.status.code(), Some(1), "two agents cannot run: {refused:?}");
    machine.stop();

    let running = json!({ "level": "user", "installed": true, "running": true });
    assert_eq!(services.json("install"), running);
    let first = services.agent().expect("the agent answers");
    assert_eq!(services.json("install"), running);
    let second = services.agent().expect("the agent answers again");
    assert_ne!(first, second, "the new unit holds for a new agent");
    assert_eq!(services.json("status"), running);

    let gone = json!({ "level": "user", "installed": false, "running": false });
    assert_eq!(services.json("uninstall"), gone);
    assert_eq!(services.agent(), None);
    assert_eq!(
        (services.json("status"), services.json("uninstall")),
        (gone.clone(), gone)
    );
    let unit = services.folder.path().join("systemd/user/beckon.service");
    assert!(!unit.exists());
}

#[test]
fn an_agent_that_the_system_cannot_start_is_told_and_not_called_running() {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let root = tempfile::tempdir().unwrap();
    let mut machine = Machine::join(&ann, "desk").root("Documents", root.path()).start();
    machine.stop();
    let services = Services::of(&machine);
    fs::write(services.folder.path().join("broken"), "").unwrap();
    let failed = services.run("install");
    let told = String::from_utf8_lossy(&failed.stderr).into_owned();
    assert_eq!(failed.status.code(), Some(1), "{failed:?}");
    assert!(told.contains("journalctl"), "{told}");
    // Whoever waits to be started again is ended as well.
    services.json("uninstall");
    let calls = fs::read_to_string(services.folder.path().join("calls")).unwrap();
    assert!(calls.contains("--user stop beckon"), "{calls}");
}

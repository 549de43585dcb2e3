//! A machine: a device that joined, with `beckon run` as a child.

use std::{
    ffi::{OsStr, OsString},
    path::Path,
    process::ExitStatus,
    time::Duration,
};

use tempfile::TempDir;

use crate::{
    account::Account,
    cli::{CA, Cli, Output},
    net::Host,
    process::Process,
};

/// How long a machine may take until the server has accepted it.
const ONLINE_LIMIT: Duration = Duration::from_secs(30);

/// A machine that has joined. Dropping it kills its agent and removes its state, but not its roots.
pub struct Machine {
    name: String,
    id: String,
    cli: Cli,
    env: Vec<(OsString, OsString)>,
    through: Vec<OsString>,
    process: Process,
    folder: TempDir,
}

/// A machine that is about to join.
pub struct Joining {
    url: String,
    code: String,
    name: String,
    roots: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    through: Vec<OsString>,
    cli: Cli,
    /// Whether it may listen in the networks that it is in.
    listens: bool,
}

impl Machine {
    /// Prepares a machine to join `account` with a fresh join code; it trusts whom the account's terminal trusts.
    #[track_caller]
    pub fn join(account: &Account, name: &str) -> Joining {
        let joining = Self::join_with(account.url(), &account.join_code(&[]), name);
        match account.cli().ca() {
            Some(file) => joining.with_ca(file),
            None => joining,
        }
    }

    /// Prepares a machine to join with the code at hand.
    pub fn join_with(url: &str, code: &str, name: &str) -> Joining {
        Joining {
            url: url.to_owned(),
            code: code.to_owned(),
            name: name.to_owned(),
            roots: Vec::new(),
            env: Vec::new(),
            through: Vec::new(),
            cli: Cli::new(),
            // A test opens no port in the network of whoever runs it.
            listens: false,
        }
    }

    /// The name that the server knows the machine by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The device id, as the machine printed it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The machine's own command line: `status`, `roots add`.
    pub fn cli(&self) -> &Cli {
        &self.cli
    }

    /// The running agent: its log, its lines, its id.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Asks the agent to end (SIGTERM) and waits until it has.
    #[track_caller]
    pub fn stop(&mut self) -> ExitStatus {
        self.process.stop()
    }

    /// Ends the agent at once (SIGKILL).
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts an agent that was stopped or killed again, or a running one anew, and waits until it is online.
    #[track_caller]
    pub fn restart(&mut self) {
        self.launch();
        self.wait_online();
    }

    /// Starts the agent again without waiting: the server may be away.
    #[track_caller]
    pub fn launch(&mut self) {
        if self.process.is_running() {
            self.stop();
        }
        self.process = run(&self.cli, &self.name, self.folder.path(), &self.env, &self.through);
    }

    /// Sets an environment variable of the agent from the next start on.
    pub fn set_env(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) {
        self.env.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
    }

    /// Waits until the server has accepted the agent that was launched last.
    #[track_caller]
    pub fn wait_online(&mut self) {
        (self.name, self.id) = online(&self.process);
    }
}

impl Joining {
    /// Opens `path` as the root `name`, for reading.
    pub fn root(self, name: &str, path: impl AsRef<Path>) -> Self {
        self.root_as(name, path, "")
    }

    /// Opens `path` as the root `name`, for reading and writing.
    pub fn writable_root(self, name: &str, path: impl AsRef<Path>) -> Self {
        self.root_as(name, path, ":rw")
    }

    /// Sets an environment variable of the agent.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Starts the agent through another program, which these words begin: `["setpriv", "--reuid", "65534"]`.
    pub fn through<A: AsRef<OsStr>>(mut self, words: impl IntoIterator<Item = A>) -> Self {
        let words = words.into_iter().map(|word| word.as_ref().to_owned());
        self.through.extend(words);
        self
    }

    /// Joins and runs on a computer of a network, where it may listen.
    pub fn on(self, host: &Host) -> Self {
        let cli = self.cli.moved_to(host);
        let listens = true;
        Self { cli, listens, ..self }.through(host.through())
    }

    /// Joins and runs with trust in this certificate authority too.
    pub fn with_ca(self, file: &Path) -> Self {
        let cli = self.cli.with_ca(file);
        Self { cli, ..self }.env(CA, file)
    }

    /// Joins, starts the agent and waits until it is online.
    #[track_caller]
    pub fn start(self) -> Machine {
        let cli = self.cli.clone();
        self.redeem(&cli).expect_ok();
        let folder = tempfile::tempdir().expect("room for a log");
        let process = run(&cli, &self.name, folder.path(), &self.env, &self.through);
        let (name, id) = online(&process);
        Machine {
            name,
            id,
            cli,
            env: self.env,
            through: self.through,
            process,
            folder,
        }
    }

    /// Only redeems the code, on `cli`: for tests of joining itself.
    #[track_caller]
    pub fn redeem(&self, cli: &Cli) -> Output {
        let mut args: Vec<OsString> = ["join", &self.url, &self.code, "--name", &self.name]
            .map(OsString::from)
            .into();
        args.extend((!self.listens).then(|| "--no-lan".into()));
        args.extend(self.roots.iter().flat_map(|root| ["--root".into(), root.clone()]));
        cli.run(args)
    }

    fn root_as(mut self, name: &str, path: impl AsRef<Path>, mode: &str) -> Self {
        let mut root = OsString::from(format!("{name}="));
        root.push(path.as_ref());
        root.push(mode);
        self.roots.push(root);
        self
    }
}

fn run(cli: &Cli, name: &str, folder: &Path, env: &[(OsString, OsString)], through: &[OsString]) -> Process {
    let (title, log) = (format!("machine {name}"), folder.join("log"));
    Process::start_through(through, "beckon", &title, &log, |command| {
        command.arg("--state").arg(cli.state()).arg("run");
        command.envs(env.iter().map(|(name, value)| (name, value)));
    })
}

/// The name and id of `online as NAME ID`. A name may hold blanks, an id cannot.
#[track_caller]
fn online(process: &Process) -> (String, String) {
    let rest = process.wait_for_line("online as ", ONLINE_LIMIT);
    let (name, id) = rest.trim().rsplit_once(' ').expect("`online as NAME ID`");
    (name.to_owned(), id.to_owned())
}

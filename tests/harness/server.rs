//! A real `beckon-server` on a free port and a temporary data folder.

use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    process::ExitStatus,
    time::Duration,
};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::{
    net::Host,
    process::{self, Process},
};

/// How long a server may take to listen: it opens the database and runs migrations first.
const START_LIMIT: Duration = Duration::from_secs(30);

/// What the line begins with that says where it listens.
const LISTENING: &str = "listening on ";

/// A running server. Dropping it kills it and removes its data.
pub struct Server {
    process: Process,
    options: Options,
    url: String,
    folder: TempDir,
}

/// What a server is started with, beyond its address and data folder.
#[derive(Clone, Default)]
pub struct Options {
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    data: Option<PathBuf>,
    through: Vec<OsString>,
    address: Option<String>,
}

impl Options {
    /// Adds arguments.
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Uses this data folder, for instance a small file system that is to run full. The caller removes it.
    pub fn data(mut self, data: impl Into<PathBuf>) -> Self {
        self.data = Some(data.into());
        self
    }

    /// Runs on a computer of a network, and listens at this address of it: `203.0.113.10:80`.
    pub fn on(self, host: &Host, address: &str) -> Self {
        Self {
            through: host.through(),
            address: Some(address.to_owned()),
            ..self
        }
    }

    /// Starts the server and waits until it listens.
    #[track_caller]
    pub fn start(self) -> Server {
        let folder = tempfile::tempdir().expect("room for a data folder");
        let (process, url) = launch(&self, folder.path(), self.address.as_deref().unwrap_or("127.0.0.1:0"));
        Server {
            process,
            options: self,
            url,
            folder,
        }
    }
}

impl Server {
    /// Starts a server as it comes and waits until it listens.
    #[track_caller]
    pub fn start() -> Self {
        Self::options().start()
    }

    /// Starts a server with options: `Server::options().args(["--x"]).start()`.
    pub fn options() -> Options {
        Options::default()
    }

    /// `http://127.0.0.1:PORT`, or `https` with TLS.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> &str {
        self.url
            .split_once("://")
            .map_or(self.url.as_str(), |(_, address)| address)
    }

    /// The code that makes the first account; panics if the server prints none.
    #[track_caller]
    pub fn set_up_code(&self) -> String {
        let rest = self.process.wait_for_line("set up at ", START_LIMIT);
        let (_, code) = rest.split_once('#').expect("`set up at http://ADDR:PORT/setup#CODE`");
        code.trim().to_owned()
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        data(&self.options, self.folder.path())
    }

    /// The running program: its log, its lines, its id.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Asks the server to end (SIGTERM) and waits until it has.
    #[track_caller]
    pub fn stop(&mut self) -> ExitStatus {
        self.process.stop()
    }

    /// Ends the server at once (SIGKILL), as a power cut would.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts a server that was stopped or killed again, or a running one anew: same data, same port.
    #[track_caller]
    pub fn restart(&mut self) {
        if self.process.is_running() {
            self.stop();
        }
        let address = self.listens_at();
        (self.process, self.url) = launch(&self.options, self.folder.path(), &address);
    }

    /// Sets an environment variable from the next start on.
    pub fn set_env(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) {
        let options = std::mem::take(&mut self.options);
        self.options = options.env(name, value);
    }

    /// Adds an argument from the next start on.
    pub fn add_arg(&mut self, arg: impl AsRef<OsStr>) {
        let options = std::mem::take(&mut self.options);
        self.options = options.args([arg]);
    }

    /// Starts a server again that has ended, as [`Server::restart`] does; false if it ends before it listens.
    pub fn try_restart(&mut self) -> bool {
        let address = self.listens_at();
        self.process = spawn(&self.options, self.folder.path(), &address);
        self.process.find_line(LISTENING, START_LIMIT).is_some()
    }

    /// The address that it was told, or the port that it found.
    fn listens_at(&self) -> String {
        self.options
            .address
            .clone()
            .unwrap_or_else(|| self.address().to_owned())
    }

    /// Freezes the server (SIGSTOP): it keeps its sockets and answers nothing, until [`Server::resume`].
    pub fn suspend(&mut self) {
        self.process.signal(Signal::STOP);
    }

    /// Lets a suspended server go on.
    pub fn resume(&mut self) {
        self.process.signal(Signal::CONT);
    }
}

#[track_caller]
fn launch(options: &Options, folder: &Path, address: &str) -> (Process, String) {
    let process = spawn(options, folder, address);
    let url = process.wait_for_line(LISTENING, START_LIMIT).trim().to_owned();
    (process, url)
}

fn spawn(options: &Options, folder: &Path, address: &str) -> Process {
    let log = folder.join("log");
    let data = data(options, folder);
    Process::start_through(&options.through, "beckon-server", "server", &log, |command| {
        command.args(["--listen", address]).arg("--data").arg(data);
        command.args(&options.args);
        command.envs(options.env.iter().map(|(name, value)| (name, value)));
    })
}

fn data(options: &Options, folder: &Path) -> PathBuf {
    options.data.clone().unwrap_or_else(|| process::folder(folder, "data"))
}

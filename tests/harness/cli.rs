//! A terminal: the `beckon` command line with a state folder of its own.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{net::Host, process::Process, spawner, wait};

/// How long a command may take, unless [`Cli::with_limit`] says otherwise.
pub const LIMIT: Duration = Duration::from_secs(60);

/// Names a certificate authority to the programs.
pub(crate) const CA: &str = "BECKON_CA";

/// A terminal. Clones share the state folder, as two windows of one user do.
#[derive(Clone)]
pub struct Cli {
    folder: Arc<TempDir>,
    limit: Duration,
    started: Arc<AtomicU32>,
    through: Arc<[OsString]>,
    ca: Option<PathBuf>,
}

impl Cli {
    /// A terminal that nobody has signed in on.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("room for a state folder");
        Self {
            folder: Arc::new(folder),
            limit: LIMIT,
            started: Arc::default(),
            through: Arc::default(),
            ca: None,
        }
    }

    /// The same terminal, which trusts this certificate authority too.
    pub fn with_ca(&self, file: impl Into<PathBuf>) -> Self {
        let ca = Some(file.into());
        Self { ca, ..self.clone() }
    }

    /// A terminal that nobody has signed in on, on a computer of a network.
    pub fn on(host: &Host) -> Self {
        Self::new().moved_to(host)
    }

    /// The same terminal, carried to a computer of a network: a laptop.
    pub fn moved_to(&self, host: &Host) -> Self {
        Self {
            through: host.through().into(),
            ..self.clone()
        }
    }

    /// The same terminal, whose commands may take `limit`.
    pub fn with_limit(&self, limit: Duration) -> Self {
        Self { limit, ..self.clone() }
    }

    /// The certificate authority that it trusts besides the system's.
    pub fn ca(&self) -> Option<&Path> {
        self.ca.as_deref()
    }

    /// What `--state` says; the program makes it.
    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// Runs `beckon --state STATE ARGS...` to its end.
    ///
    /// A command that outlasts the limit is killed, and the test fails with what it had printed.
    #[track_caller]
    pub fn run<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Output {
        self.run_with_input(args, "")
    }

    /// Runs a command that reads `input` from standard input.
    #[track_caller]
    pub fn run_with_input<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>, input: &str) -> Output {
        let mut command = spawner::command_through(&self.through, crate::binary::path("beckon"));
        command.arg("--state").arg(self.state()).args(args);
        command.envs(self.ca.iter().map(|file| (CA, file)));
        command.stdin(self.input(input));
        let (in_time, output) = run_to_end(command, self.limit);
        assert!(in_time, "killed after {:?}: {output}", self.limit);
        output
    }

    /// Starts a command that goes on, for instance `events`, and lets the test read its lines.
    pub fn start<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Process {
        let args: Vec<_> = args.into_iter().collect();
        let name = args
            .first()
            .map_or_else(String::new, |arg| arg.as_ref().display().to_string());
        let log = self.fresh("log");
        Process::start_through(&self.through, "beckon", &format!("beckon {name}"), &log, |command| {
            command.arg("--state").arg(self.state()).args(&args);
            command.envs(self.ca.iter().map(|file| (CA, file)));
        })
    }

    /// Writes `text` to a file beside the state folder, readable by its owner only, and returns its path.
    pub fn secret_file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.file(name);
        fs::write(&path, text).expect("room for a file");
        restrict(&path).expect("permissions can be set");
        path
    }

    /// A path beside the state folder, for a file that a command is to write.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn input(&self, text: &str) -> Stdio {
        if text.is_empty() {
            return Stdio::null();
        }
        // From a file, so that no thread has to feed a pipe.
        let path = self.fresh("input");
        File::create(&path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .expect("room");
        File::open(path).expect("it was just written").into()
    }

    fn fresh(&self, kind: &str) -> PathBuf {
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        self.file(&format!("{kind}-{number}"))
    }
}

impl Default for Cli {
    fn default() -> Self {
        Self::new()
    }
}

/// What a command left behind.
pub struct Output {
    command: String,
    status: ExitStatus,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Output {
    /// The exit code; -1 if a signal ended the command.
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or(-1)
    }

    /// Standard output as text.
    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard output as it came.
    pub fn stdout_bytes(&self) -> &[u8] {
        &self.stdout
    }

    /// Standard error as text.
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// Standard output as the one JSON value that `--json` prints.
    #[track_caller]
    pub fn json(&self) -> Value {
        match serde_json::from_slice(&self.stdout) {
            Ok(value) => value,
            Err(error) => panic!("no JSON on standard output ({error}): {self}"),
        }
    }

    /// The error `{code, message, retry}` that `--json` prints on standard error, as its last line.
    #[track_caller]
    pub fn json_error(&self) -> Value {
        let text = self.stderr();
        let line = text.trim_end().lines().last().unwrap_or_default();
        match serde_json::from_str(line) {
            Ok(value) => value,
            Err(error) => panic!("no JSON on standard error ({error}): {self}"),
        }
    }

    /// Panics unless the command ended with code 0.
    #[track_caller]
    pub fn expect_ok(self) -> Self {
        self.expect_code(0)
    }

    /// Panics unless the command ended with `code`.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code(), code, "unexpected exit code: {self}");
        self
    }
}

impl std::fmt::Display for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}\n{}", self.command, self.status)?;
        write!(f, "--- stdout ---\n{}--- stderr ---\n{}", self.stdout(), self.stderr())
    }
}

impl std::fmt::Debug for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// Runs a command, killing it after `limit`; says whether it ended before.
fn run_to_end(mut command: Command, limit: Duration) -> (bool, Output) {
    let words = words(&command);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = spawner::spawn(command).expect("the program starts");
    let stdout = collect(child.stdout.take());
    let stderr = collect(child.stderr.take());
    let ended = wait::poll(limit, || child.try_wait().expect("a child can be asked"));
    if ended.is_none() {
        // An error means that it ended in this moment.
        let _ = child.kill();
    }
    let output = Output {
        command: words,
        status: child.wait().expect("a child can be waited for"),
        stdout: stdout.join().expect("reading does not panic"),
        stderr: stderr.join().expect("reading does not panic"),
    };
    (ended.is_some(), output)
}

/// The words of a command from `beckon` on, as a person would type them.
fn words(command: &Command) -> String {
    let args = command.get_args().map(|arg| arg.display().to_string());
    let args: Vec<_> = args.skip_while(|arg| arg != "--state").collect();
    format!("$ beckon {}", args.join(" "))
}

fn collect(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    let mut pipe = pipe.expect("the output is piped");
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What came before a broken pipe is still worth showing.
        let _ = pipe.read_to_end(&mut bytes);
        bytes
    })
}

fn restrict(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))
}

//! A long-running child: its lines, its log, and its end.

use std::{
    fmt::Write as _,
    fs::{self, File},
    io::{BufRead, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    sync::{Arc, Condvar, Mutex},
    thread,
    time::{Duration, Instant},
};

use crate::{spawner, wait};
use rustix::process::{Pid, Signal, kill_process};

/// How long a program may take to end after SIGTERM.
const STOP_LIMIT: Duration = Duration::from_secs(20);

/// How much of a log a failed test shows.
const TAIL_LINES: usize = 80;

/// A running program. Dropping it kills it, and prints the tail of its log if the test fails.
pub struct Process {
    name: String,
    child: Child,
    output: Arc<Lines>,
    log: PathBuf,
}

impl Process {
    /// Starts `program` of this workspace, with `configure` adding arguments and environment.
    ///
    /// Standard output is read line by line, see [`Process::wait_for_line`]; both outputs are added to `log`.
    pub fn start(
        program: &str,
        name: &str,
        log: &Path,
        configure: impl FnOnce(&mut Command),
    ) -> Self {
        let file = File::options()
            .create(true)
            .append(true)
            .open(log)
            .expect("a log");
        let mut command = spawner::command(crate::binary::path(program));
        configure(&mut command);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(file.try_clone().expect("a log"));
        let mut child = spawner::spawn(command)
            .unwrap_or_else(|error| panic!("{name} ({program}) does not start: {error}"));
        let output = Arc::new(Lines::default());
        let stdout = child.stdout.take().expect("standard output is piped");
        thread::spawn({
            let output = Arc::clone(&output);
            move || output.collect(stdout, file)
        });
        Self {
            name: name.to_owned(),
            child,
            output,
            log: log.to_owned(),
        }
    }

    /// The first line on standard output that starts with `prefix`, without it; panics after `limit`, or when the
    /// program ended without printing one.
    pub fn wait_for_line(&self, prefix: &str, limit: Duration) -> String {
        self.output.wait_for(prefix, limit).unwrap_or_else(|| {
            panic!(
                "{} printed no line `{prefix}...` and ended, or {limit:?} passed",
                self.name
            )
        })
    }

    /// The lines that the program has printed on standard output so far.
    pub fn lines(&self) -> Vec<String> {
        self.output.so_far()
    }

    /// All that the program has written to both outputs so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// The process id, for instance to read its peak memory from `/proc`.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether the program still runs.
    pub fn is_running(&mut self) -> bool {
        self.child
            .try_wait()
            .expect("a child can be asked")
            .is_none()
    }

    /// Sends a signal: `STOP` and `CONT` play a machine that sleeps.
    pub fn signal(&mut self, signal: Signal) {
        if self.is_running() {
            kill_process(self.pid(), signal).expect("a running child takes signals");
        }
    }

    /// Asks the program to end (SIGTERM) and waits until it has; panics if it does not.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait(STOP_LIMIT)
    }

    /// Waits until the program has ended by itself; panics after `limit`.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let status = wait::poll(limit, || {
            self.child.try_wait().expect("a child can be asked")
        });
        status.unwrap_or_else(|| panic!("{} did not end in {limit:?}", self.name))
    }

    /// Ends the program at once (SIGKILL), as a power cut would.
    pub fn kill(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    fn tail(&self) -> String {
        tail(&self.log(), TAIL_LINES)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if thread::panicking() {
            eprintln!("--- {}: end of its log ---\n{}---", self.name, self.tail());
        }
    }
}

/// The lines of an output, as they come.
#[derive(Default)]
struct Lines {
    state: Mutex<LineState>,
    changed: Condvar,
}

#[derive(Default)]
struct LineState {
    lines: Vec<String>,
    ended: bool,
}

impl Lines {
    fn collect(&self, stdout: ChildStdout, mut log: File) {
        for line in BufReader::new(stdout).split(b'\n') {
            let Ok(line) = line else { break };
            let line = String::from_utf8_lossy(&line).into_owned();
            // A log that cannot be written is no reason to stop reading: the program would block.
            let _ = writeln!(log, "{line}");
            self.update(|state| state.lines.push(line));
        }
        self.update(|state| state.ended = true);
    }

    fn update(&self, change: impl FnOnce(&mut LineState)) {
        change(&mut self.state.lock().expect("no holder panics"));
        self.changed.notify_all();
    }

    fn wait_for(&self, prefix: &str, limit: Duration) -> Option<String> {
        let end = Instant::now() + limit;
        let mut state = self.state.lock().expect("no holder panics");
        loop {
            if let Some(rest) = state
                .lines
                .iter()
                .find_map(|line| line.strip_prefix(prefix))
            {
                return Some(rest.to_owned());
            }
            let left = end.saturating_duration_since(Instant::now());
            if state.ended || left.is_zero() {
                return None;
            }
            state = self
                .changed
                .wait_timeout(state, left)
                .expect("no holder panics")
                .0;
        }
    }

    fn so_far(&self) -> Vec<String> {
        self.state.lock().expect("no holder panics").lines.clone()
    }
}

/// Where programs put their state: a folder of its own under `parent`, made now.
pub(crate) fn folder(parent: &Path, name: &str) -> PathBuf {
    let folder = parent.join(name);
    fs::create_dir_all(&folder).expect("room for a folder");
    folder
}

fn tail(text: &str, count: usize) -> String {
    let lines: Vec<_> = text.lines().collect();
    let from = lines.len().saturating_sub(count);
    lines[from..].iter().fold(String::new(), |mut text, line| {
        let _ = writeln!(text, "{line}");
        text
    })
}

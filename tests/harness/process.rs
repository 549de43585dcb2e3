//! A long-running child: its lines, its log, and its end.

use std::{
    ffi::OsString,
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
    pub fn start(program: &str, name: &str, log: &Path, configure: impl FnOnce(&mut Command)) -> Self {
        Self::start_through(&[], program, name, log, configure)
    }

    /// Like [`Process::start`], but through another program that ends by running ours: `setpriv`.
    pub fn start_through(
        through: &[OsString],
        program: &str,
        name: &str,
        log: &Path,
        configure: impl FnOnce(&mut Command),
    ) -> Self {
        let program = crate::binary::path(program);
        let Some((first, rest)) = through.split_first() else {
            return Self::start_at(&program, name, log, configure);
        };
        Self::start_at(Path::new(first), name, log, |command| {
            command.args(rest).arg(program);
            configure(command);
        })
    }

    /// Like [`Process::start`], for a program that is not ours.
    pub(crate) fn start_at(program: &Path, name: &str, log: &Path, configure: impl FnOnce(&mut Command)) -> Self {
        let file = File::options().create(true).append(true).open(log).expect("a log");
        let mut command = spawner::command(program);
        configure(&mut command);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(file.try_clone().expect("a log"));
        let mut child = spawner::spawn(command).unwrap_or_else(|error| panic!("{name} does not start: {error}"));
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

    /// The rest of the first line that begins like this; nothing if the process ends without one, or the time passes.
    pub(crate) fn find_line(&self, prefix: &str, limit: Duration) -> Option<String> {
        self.output.wait_for(prefix, limit)
    }

    /// The first line on standard output that starts with `prefix`, without it; panics after `limit`, or when the
    /// program ended without printing one.
    #[track_caller]
    pub fn wait_for_line(&self, prefix: &str, limit: Duration) -> String {
        let Some(rest) = self.find_line(prefix, limit) else {
            panic!(
                "{} printed no line `{prefix}...` and ended, or {limit:?} passed",
                self.name
            );
        };
        rest
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
        self.child.try_wait().expect("a child can be asked").is_none()
    }

    /// Sends a signal: `STOP` and `CONT` play a machine that sleeps.
    pub fn signal(&mut self, signal: Signal) {
        if self.is_running() {
            kill_process(self.pid(), signal).expect("a running child takes signals");
        }
    }

    /// Asks the program to end (SIGTERM) and waits until it has; panics if it does not.
    #[track_caller]
    pub fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait(STOP_LIMIT)
    }

    /// Waits until the program has ended by itself; panics after `limit`.
    #[track_caller]
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let ended = wait::poll(limit, || self.child.try_wait().expect("a child can be asked"));
        let Some(status) = ended else {
            panic!("{} did not end in {limit:?}", self.name);
        };
        status
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
            if let Some(rest) = state.lines.iter().find_map(|line| line.strip_prefix(prefix)) {
                return Some(rest.to_owned());
            }
            let left = end.saturating_duration_since(Instant::now());
            if state.ended || left.is_zero() {
                return None;
            }
            state = self.changed.wait_timeout(state, left).expect("no holder panics").0;
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

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    fn shell(folder: &Path, script: &str) -> Process {
        Process::start_at(Path::new("/bin/sh"), "shell", &folder.join("log"), |command| {
            command.args(["-c", script]);
        })
    }

    #[test]
    fn a_line_is_waited_for_and_both_outputs_are_logged() {
        let folder = tempfile::tempdir().unwrap();
        let mut process = shell(folder.path(), "echo why >&2; echo ready at 7; exec sleep 1000");
        assert_eq!(process.wait_for_line("ready at ", LIMIT), "7");
        assert_eq!(process.log(), "why\nready at 7\n");
        assert!(process.is_running());
        assert!(!process.stop().success(), "ended by a signal");
    }

    #[test]
    #[should_panic(expected = "printed no line `ready...`")]
    fn a_program_that_ends_too_early_fails_the_test_at_once() {
        let folder = tempfile::tempdir().unwrap();
        shell(folder.path(), "echo no").wait_for_line("ready", Duration::from_secs(3600));
    }

    #[test]
    fn a_child_outlives_the_thread_that_started_it_and_dies_when_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        let started = thread::spawn(move || shell(&path, "echo up; exec sleep 1000"));
        let mut process = started.join().unwrap();
        process.wait_for_line("up", LIMIT);
        assert!(process.is_running());
        let entry = PathBuf::from(format!("/proc/{}", process.id()));
        assert!(entry.exists());
        drop(process);
        assert!(!entry.exists());
    }

    #[test]
    fn the_log_of_a_program_that_is_started_again_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        for _ in 0..2 {
            let mut process = shell(folder.path(), "echo once");
            process.wait_for_line("once", LIMIT);
            assert!(process.wait(LIMIT).success());
        }
        let log = fs::read_to_string(folder.path().join("log")).unwrap();
        assert_eq!(log, "once\nonce\n");
    }
}

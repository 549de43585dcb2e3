//! A child that we start, watch and end.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Read, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{self, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::interrupt::Interrupt;

/// How long a program may take to end after SIGTERM, before it is killed.
const STOP_LIMIT: Duration = Duration::from_secs(15);

/// How long a program may take until it prints the line that says that it is ready.
const READY_LIMIT: Duration = Duration::from_secs(60);

/// How often we look while waiting.
const POLL: Duration = Duration::from_millis(50);

/// How much of a log is shown when a program ended that should not have.
const TAIL_LINES: usize = 30;

/// A running program. Dropping it ends it.
pub(crate) struct Child {
    name: &'static str,
    process: process::Child,
}

impl Child {
    /// Starts `program`; `configure` adds arguments and where its output goes.
    ///
    /// It gets a process group of its own, so that Ctrl-C reaches only us and we end the programs in the right order;
    /// and the kernel kills it should we be killed.
    pub(crate) fn start(name: &'static str, program: &Path, configure: impl FnOnce(&mut Command)) -> Result<Self> {
        let mut command = dying_with_us(program);
        configure(&mut command);
        let process = command
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        Ok(Self { name, process })
    }

    /// How the program ended, if it has.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.process
            .try_wait()
            .with_context(|| format!("cannot watch the {}", self.name))
    }

    /// Asks the program to end, and kills it if it does not.
    pub(crate) fn stop(&mut self) {
        if !matches!(self.ended(), Ok(None)) {
            return;
        }
        // An error means that it ended in this moment.
        let _ = kill_process(Pid::from_child(&self.process), Signal::TERM);
        let end = Instant::now() + STOP_LIMIT;
        while matches!(self.ended(), Ok(None)) && Instant::now() < end {
            thread::sleep(POLL);
        }
        if matches!(self.ended(), Ok(None)) {
            eprintln!("the {} did not end in {STOP_LIMIT:?} and is killed", self.name);
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A child whose output goes to a log, and whose lines on standard output can be waited for.
pub(crate) struct Logged {
    pub(crate) child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
    log: PathBuf,
}

impl Logged {
    /// Starts `program` with its output going to a new file `log`.
    pub(crate) fn start(
        name: &'static str,
        program: &Path,
        log: PathBuf,
        configure: impl FnOnce(&mut Command),
    ) -> Result<Self> {
        let file = File::options().create(true).append(true).open(&log);
        let file = file.with_context(|| format!("cannot write {}", log.display()))?;
        let stderr = file.try_clone().context("cannot share a log")?;
        let mut child = Child::start(name, program, |command| {
            configure(command);
            command.stdout(Stdio::piped()).stderr(stderr);
        })?;
        let stdout = child.process.stdout.take().context("standard output is piped")?;
        let (sender, lines) = channel();
        thread::spawn(move || pass_on(stdout, file, &sender));
        Ok(Self {
            child,
            lines,
            seen: Vec::new(),
            log,
        })
    }

    /// The first line that starts with `prefix`, without it. An error when the program ends first, when it takes too
    /// long, or when somebody wants us to end.
    pub(crate) fn wait_for_line(&mut self, prefix: &str, interrupt: &Interrupt) -> Result<String> {
        let end = Instant::now() + READY_LIMIT;
        loop {
            if let Some(rest) = self.seen.iter().find_map(|line| line.strip_prefix(prefix)) {
                return Ok(rest.trim().to_owned());
            }
            if interrupt.came() {
                bail!("ended before the {} was ready", self.child.name);
            }
            let next = self.lines.recv_timeout(POLL);
            if next == Err(RecvTimeoutError::Disconnected) || Instant::now() > end {
                bail!("the {} printed no line `{prefix}...`\n{}", self.child.name, self.tail());
            }
            self.seen.extend(next);
        }
    }

    /// An error when the program has ended.
    pub(crate) fn expect_running(&mut self) -> Result<()> {
        if let Some(status) = self.child.ended()? {
            bail!("the {} ended ({status})\n{}", self.child.name, self.tail());
        }
        Ok(())
    }

    /// The last lines of the log.
    fn tail(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
    }
}

/// Writes each line to the log, and hands it to whoever waits for one.
fn pass_on(output: impl Read, mut log: File, lines: &Sender<String>) {
    for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line).into_owned();
        // Neither a full disk nor a waiter that has gone is a reason to stop reading: the program would block.
        let _ = writeln!(log, "{line}");
        let _ = lines.send(line);
    }
}

fn dying_with_us(program: &Path) -> Command {
    let setpriv = Path::new("/usr/bin/setpriv");
    if !setpriv.exists() {
        return Command::new(program);
    }
    let mut command = Command::new(setpriv);
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> (tempfile::TempDir, Logged) {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let child = Logged::start("shell", Path::new("/bin/sh"), log, |command| {
            command.args(["-c", script]);
        });
        (folder, child.unwrap())
    }

    #[test]
    fn the_line_that_says_ready_is_found_and_the_child_ends_on_request() {
        let (_folder, mut child) = shell("echo ready on 7; echo hello; exec sleep 1000");
        let interrupt = Interrupt::watch().unwrap();
        assert_eq!(child.wait_for_line("hello", &interrupt).unwrap(), "");
        assert_eq!(child.wait_for_line("ready on ", &interrupt).unwrap(), "7");
        child.expect_running().unwrap();
        child.child.stop();
        assert!(child.expect_running().is_err());
    }

    #[test]
    fn a_child_that_ends_too_early_is_an_error_that_shows_its_log() {
        let (_folder, mut child) = shell("echo no room >&2; exit 3");
        let interrupt = Interrupt::watch().unwrap();
        let error = child.wait_for_line("ready on ", &interrupt).unwrap_err().to_string();
        assert!(error.contains("no room"), "{error}");
    }
}

//! Starts children that die with the test process, however it ends.
//!
//! Dropping a child ends it in every ordinary case. When the test process itself is killed nothing is dropped, so the
//! kernel is asked to kill the children then (`setpriv --pdeathsig`). It counts the death of the *thread* that started
//! the child, and each test is a thread; hence one thread that lives as long as the process starts them all.

use std::{
    ffi::{OsStr, OsString},
    io,
    path::Path,
    process::{Child, Command},
    sync::{
        LazyLock,
        mpsc::{Sender, channel, sync_channel},
    },
    thread,
};

type Job = Box<dyn FnOnce() + Send>;

static SPAWNER: LazyLock<Sender<Job>> = LazyLock::new(|| {
    let (jobs, queue) = channel::<Job>();
    thread::spawn(move || queue.into_iter().for_each(|job| job()));
    jobs
});

/// A command for `program` that is killed with this process, where the system can do that.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    if !Path::new("/usr/bin/setpriv").exists() {
        return Command::new(program);
    }
    let mut command = Command::new("/usr/bin/setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

/// Like [`command`], by way of another program that ends by running this one; of none if there are no words.
pub(crate) fn command_through(through: &[OsString], program: impl AsRef<OsStr>) -> Command {
    let Some((first, rest)) = through.split_first() else {
        return command(program);
    };
    let mut command = command(first);
    command.args(rest).arg(program);
    command
}

/// Starts `command`, made by [`command`].
pub(crate) fn spawn(mut command: Command) -> io::Result<Child> {
    let (answer, result) = sync_channel(1);
    let job = Box::new(move || {
        // The asker waits for the answer, so it cannot have gone.
        let _ = answer.send(command.spawn());
    });
    SPAWNER.send(job).expect("the spawning thread never ends");
    result.recv().expect("the spawning thread answers")
}

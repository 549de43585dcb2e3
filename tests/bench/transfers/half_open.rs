//! Connections that nobody closed: how long until either end notices that the other one is gone.

use std::{
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use beckon_tests::{Account, Machine, Proxy, Server, Way, wait_until};

use super::Size;
use crate::measure::Report;

/// Longer than it may take.
const LIMIT: Duration = Duration::from_secs(90);

/// Both measurements, which go on beside the others since they mostly wait.
pub(super) struct Waiting(Option<[JoinHandle<f64>; 2]>);

/// A small run leaves it away: it would take as long.
pub(super) fn begin(size: Size) -> Waiting {
    Waiting((size == Size::Full).then(|| [thread::spawn(frozen), thread::spawn(black_hole)]))
}

impl Waiting {
    pub(super) fn report(self, report: &mut Report) {
        let Some(both) = self.0 else { return };
        let [server, agent] = both.map(|one| one.join().expect("it is noticed"));
        report.below("a machine is frozen: the server notices", server, 45.0, "s");
        report.below("the line swallows all: the machine notices", agent, 45.0, "s");
    }
}

/// A machine whose program stands still keeps its connection open, and answers nothing.
fn frozen() -> f64 {
    let server = Server::start();
    let account = Account::sign_up(&server, "ann");
    let folder = tempfile::tempdir().expect("room for a folder");
    let mut machine = Machine::join(&account, "desk").root("Data", folder.path()).start();
    machine.process().signal(rustix::process::Signal::STOP);
    let begun = Instant::now();
    wait_until("the machine is away", LIMIT, || !is_online(&account));
    begun.elapsed().as_secs_f64()
}

fn is_online(account: &Account) -> bool {
    thread::sleep(Duration::from_millis(500));
    let machines = account.cli().run(["--json", "machines"]).expect_ok().json();
    machines[0]["online"] == true
}

/// Bytes go into the line and never come out, and nobody says so.
fn black_hole() -> f64 {
    let server = Server::start();
    let proxy = Proxy::to(server.address());
    let account = Account::sign_up_with(&proxy.url(), &server.set_up_code(), "ann");
    let folder = tempfile::tempdir().expect("room for a folder");
    let machine = Machine::join(&account, "desk").root("Data", folder.path()).start();
    proxy.allow(Way::Up, 0);
    proxy.allow(Way::Down, 0);
    let begun = Instant::now();
    wait_until("the machine knows that it is offline", LIMIT, || {
        thread::sleep(Duration::from_millis(500));
        machine.cli().run(["--json", "status"]).expect_ok().json()["agent"]["online"] == false
    });
    begun.elapsed().as_secs_f64()
}

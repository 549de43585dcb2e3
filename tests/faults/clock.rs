//! Clocks that jump by a day while a transfer is under way.

use beckon_tests::{Account, FakeClock, Machine, Proxy, Server, Way, sample};
use tempfile::TempDir;

use crate::scene::{LONG, MIB, assert_comes_back, json, order, text, upload};

/// A machine behind a proxy, and a clock for it and one for the server.
struct Far {
    machine: Machine,
    proxy: Proxy,
    ann: Account,
    server: Server,
    folder: TempDir,
    of_machine: FakeClock,
    of_server: FakeClock,
}

impl Far {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..24 {
            sample::random_file(&folder.path().join(format!("file-{number}")), MIB, number);
        }
        let (of_machine, of_server) = (FakeClock::new(), FakeClock::new());
        let env = of_server.env().into_iter();
        let options = env.fold(Server::options(), |options, (name, value)| options.env(name, value));
        let server = options.start();
        let ann = Account::sign_up(&server, "ann");
        let proxy = Proxy::to(server.address());
        let joining = Machine::join_with(&proxy.url(), &ann.join_code(&[]), "desk").root("Documents", folder.path());
        let env = of_machine.env().into_iter();
        let joining = env.fold(joining, |joining, (name, value)| joining.env(name, value));
        Self {
            machine: joining.start(),
            proxy,
            ann,
            server,
            folder,
            of_machine,
            of_server,
        }
    }

    fn half_way(&self) -> String {
        self.proxy.allow(Way::Up, 8 * MIB);
        let id = order(self.ann.cli(), "desk:Documents");
        self.proxy.wait_held_up(Way::Up, LONG);
        id
    }

    #[track_caller]
    fn expect_done(&self, id: &str) {
        let ended = json(&self.ann.cli().with_limit(LONG), &["wait", id]);
        assert_eq!(text(&ended, "state"), "done", "{ended}");
        assert_comes_back(self.ann.cli(), self.folder.path());
    }
}

#[test]
fn a_transfer_under_way_goes_on_when_the_clock_of_its_machine_jumps_by_a_day() {
    for offset in ["+1d", "-1d"] {
        let far = Far::new();
        let id = far.half_way();
        far.of_machine.shift(offset);
        far.proxy.open();
        far.expect_done(&id);
    }
}

#[test]
fn a_transfer_under_way_goes_on_after_a_break_when_the_clock_of_its_machine_is_a_day_ahead() {
    let mut far = Far::new();
    let id = far.half_way();
    far.of_machine.shift("+1d");
    far.machine.kill();
    far.proxy.cut();
    far.proxy.open();
    far.machine.restart();
    far.expect_done(&id);
}

#[test]
fn a_transfer_under_way_goes_on_with_a_new_ticket_when_the_clock_of_the_server_jumps_by_a_day() {
    for offset in ["+1d", "-1d"] {
        let mut far = Far::new();
        let id = far.half_way();
        far.of_server.shift(offset);
        far.proxy.open();
        far.expect_done(&id);
        // Whoever was signed in still is, and the machine is let in again.
        far.server.restart();
        far.machine.restart();
        sample::text(&far.folder.path().join("new"), offset);
        upload(far.ann.cli(), "desk:Documents");
    }
}

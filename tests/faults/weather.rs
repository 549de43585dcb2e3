//! Lines that break, hang, are slow or far: each upload ends whole, and goes on soon after the fault is over.

use std::time::Duration;

use beckon_tests::{Account, Chance, Cli, Machine, Proxy, Server, Way, Weather, sample, wait, wait_until};
use serde_json::Value;
use tempfile::TempDir;

use crate::scene::{LONG, MIB, assert_comes_back, json, number, order, text};

/// An upload moves again within this time of the end of a fault.
const RESUMED: Duration = Duration::from_secs(30);

/// More than anything but an upload says in a moment. Bytes.
const MOVED: u64 = 64 << 10;

/// What a break may make travel again.
const WINDOW: u64 = 8 * MIB;

/// A machine that reaches its server through bad weather.
struct Far {
    _machine: Machine,
    proxy: Proxy,
    ann: Account,
    _server: Server,
    folder: TempDir,
    chance: Chance,
}

impl Far {
    /// With so many files of 1 MiB.
    fn with_files(count: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..count {
            sample::random_file(&folder.path().join(format!("file-{number}")), MIB, number);
        }
        let server = Server::start();
        let ann = Account::sign_up(&server, "ann");
        let proxy = Proxy::to(server.address());
        let joining = Machine::join_with(&proxy.url(), &ann.join_code(&[]), "desk");
        Self {
            _machine: joining.root("Documents", folder.path()).start(),
            proxy,
            ann,
            _server: server,
            folder,
            chance: Chance::from_env(),
        }
    }

    fn weather(&mut self, weather: Weather) {
        let seed = self.chance.number(0..u64::MAX);
        self.proxy.weather(weather, Chance::of(seed));
    }

    /// Waits until bytes move again.
    #[track_caller]
    fn expect_resumes(&self) {
        let before = self.proxy.passed(Way::Up);
        wait_until("the upload goes on", RESUMED, || {
            self.proxy.passed(Way::Up) > before + MOVED
        });
    }

    /// The transfer as it ended.
    #[track_caller]
    fn expect_done(&self, id: &str) -> Value {
        let ended = json(&self.ann.cli().with_limit(LONG), &["wait", id]);
        assert_eq!(text(&ended, "state"), "done", "{ended}");
        self.expect_whole();
        ended
    }

    #[track_caller]
    fn expect_whole(&self) {
        assert_comes_back(self.ann.cli(), self.folder.path());
    }
}

#[test]
fn an_upload_whose_connections_are_reset_again_and_again_goes_on_each_time() {
    let far = Far::with_files(40);
    far.proxy.allow(Way::Up, 6 * MIB);
    let id = order(far.ann.cli(), "desk:Documents");
    for _ in 0..5 {
        far.proxy.wait_held_up(Way::Up, LONG);
        far.proxy.reset();
        far.proxy.allow(Way::Up, 6 * MIB);
        far.expect_resumes();
    }
    far.proxy.open();
    let ended = far.expect_done(&id);
    assert!(number(&ended, "bytes_sent") <= 40 * MIB + 5 * WINDOW, "{ended}");
}

#[test]
fn an_upload_whose_line_goes_dead_without_a_word_goes_on_by_a_new_one() {
    let mut far = Far::with_files(40);
    far.proxy.allow(Way::Up, 10 * MIB);
    let id = order(far.ann.cli(), "desk:Documents");
    far.proxy.wait_held_up(Way::Up, LONG);
    far.weather(Weather {
        hole: true,
        ..Weather::default()
    });
    far.proxy.open();
    // Long enough for what asks again in the meantime to be lost as well.
    wait::poll(Duration::from_secs(25), || None::<()>);
    far.weather(Weather::default());
    far.expect_resumes();
    let ended = far.expect_done(&id);
    assert!(number(&ended, "bytes_sent") <= 40 * MIB + 2 * WINDOW, "{ended}");
}

#[test]
fn an_upload_over_a_long_way_comes_whole() {
    let mut far = Far::with_files(4);
    sample::small_tree(&far.folder.path().join("tree"));
    far.weather(Weather {
        delay: Some(200..400),
        ..Weather::default()
    });
    let id = order(far.ann.cli(), "desk:Documents");
    far.expect_resumes();
    far.expect_done(&id);
}

#[test]
fn uploads_come_whole_where_each_twentieth_connection_drops() {
    let mut far = Far::with_files(4);
    far.weather(Weather {
        drops: 5,
        ..Weather::default()
    });
    let terminal = Cli::new();
    let password = far.ann.password_file().display().to_string();
    let (mut rounds, url) = (0, far.proxy.url());
    wait_until("somebody signs in over this line", LONG, || {
        let words = ["login", &url, "--name", "ann", "--password-file", &password];
        terminal.run(words).code() == 0
    });
    // Commands make the connections; the machine makes few.
    while far.proxy.dropped() < 3 || rounds < 5 {
        rounds += 1;
        assert!(rounds < 200, "nothing is dropped");
        sample::random_file(
            &far.folder.path().join(format!("more-{rounds}")),
            100_000,
            1000 + rounds,
        );
        wait_until("an order is taken", LONG, || {
            terminal.run(["upload", "desk:Documents", "--wait"]).code() == 0
        });
    }
    far.weather(Weather::default());
    far.expect_whole();
}

#[test]
fn an_upload_over_a_slow_line_moves_all_the_time_and_sends_nothing_twice() {
    let mut far = Far::with_files(1);
    far.weather(Weather {
        rate: Some(64_000),
        ..Weather::default()
    });
    let id = order(far.ann.cli(), "desk:Documents");
    far.expect_resumes();
    let ended = far.expect_done(&id);
    assert_eq!(number(&ended, "bytes_sent"), MIB, "{ended}");
}

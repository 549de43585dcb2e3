//! A server, a machine and its files, of which the first two die now and then and are started again.

use std::{
    collections::VecDeque,
    process::Command,
    time::{Duration, Instant},
};

use beckon_shared::fault;
use beckon_tests::{
    Account, Chance, Machine, Server, sample,
    tree::{Tree, assert_same_tree, tree_difference, tree_hashes},
    wait,
};
use serde_json::Value;
use tempfile::TempDir;

use crate::scene::{LONG, MIB, SOON, get, number, rows, run, text};

/// What a break may make travel again: the window in flight. Bytes.
const WINDOW: i64 = 8 << 20;

/// How long a transfer may take, all its breaks included.
const PATIENCE: Duration = Duration::from_secs(180);

/// How much there is to upload.
#[derive(Clone, Copy)]
pub(crate) enum Load {
    /// A second's worth.
    Small,
    /// Some hundred small files and a few of 5 to 20 MB.
    Large,
}

/// Who dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Victim {
    Server,
    Agent,
    Both,
}

/// Where a program crashes next.
#[derive(Default)]
struct Points {
    waiting: VecDeque<&'static str>,
    /// That the running program was started with.
    armed: Option<&'static str>,
}

/// All of it.
pub(crate) struct World {
    server: Server,
    machine: Machine,
    ann: Account,
    folder: TempDir,
    chance: Chance,
    server_points: Points,
    agent_points: Points,
    /// The files as they were made.
    tree: Tree,
    rounds: u64,
    /// Commands that were to give an order.
    commands: usize,
    kills: u64,
    /// Kills since the bytes were compared.
    breaks: i64,
    /// Bytes that were sent and are not stored, so far.
    wasted: i64,
    most_wasted: i64,
}

impl World {
    /// One in which nothing has happened yet.
    pub(crate) fn new(chance: Chance) -> Self {
        let folder = tempfile::tempdir().unwrap();
        sample::small_tree(folder.path());
        let server = Server::start();
        let ann = Account::sign_up(&server, "ann");
        let machine = Machine::join(&ann, "desk").root("Documents", folder.path()).start();
        Self {
            server,
            machine,
            ann,
            chance,
            server_points: Points::default(),
            agent_points: Points::default(),
            tree: tree_hashes(folder.path()),
            folder,
            rounds: 0,
            commands: 0,
            kills: 0,
            breaks: 0,
            wasted: 0,
            most_wasted: 0,
        }
    }

    /// Has the programs crash at these places, one after the other; each is waited for.
    pub(crate) fn plan(&mut self, server: &[&'static str], agent: &[&'static str]) {
        self.server_points.waiting.extend(server);
        self.agent_points.waiting.extend(agent);
        for victim in [Victim::Server, Victim::Agent] {
            self.kill(victim);
        }
    }

    /// Places at which nothing has crashed yet.
    pub(crate) fn unreached(&self) -> Vec<&'static str> {
        let points = [&self.server_points, &self.agent_points];
        let left = points.map(|points| points.armed.into_iter().chain(points.waiting.iter().copied()));
        left.into_iter().flatten().collect()
    }

    /// How often something was killed so far.
    pub(crate) fn kills(&self) -> u64 {
        self.kills
    }

    /// What chance brings.
    pub(crate) fn chance(&mut self) -> &mut Chance {
        &mut self.chance
    }

    /// Changes files, has all uploaded, kills at up to so many random moments, and waits until it is done.
    #[track_caller]
    pub(crate) fn round(&mut self, load: Load, kills: u64) {
        self.change(load);
        self.order();
        let end = Instant::now() + PATIENCE;
        let mut left = kills;
        while !self.is_over() {
            assert!(Instant::now() < end, "the transfer does not end: {}", self.transfers());
            let moment = self.chance.millis(50..700);
            self.watch(moment);
            if left > 0 {
                left -= 1;
                let victim = [Victim::Server, Victim::Agent, Victim::Both][self.chance.number(0..3) as usize];
                self.kill(victim);
            }
        }
        self.compare_bytes();
    }

    /// Adds files, and writes some anew that are there.
    fn change(&mut self, load: Load) {
        self.rounds += 1;
        let root = self.folder.path();
        let new = root.join(format!("round-{:03}", self.rounds));
        let (files, large) = match load {
            Load::Small => (30, 1),
            Load::Large => (300, 5),
        };
        for number in 0..files {
            let (size, seed) = (self.chance.number(1..64 << 10), self.chance.number(0..u64::MAX));
            sample::random_file(&new.join(format!("small/file-{number}")), size, seed);
        }
        for number in 0..large {
            let (size, seed) = (self.chance.number(5 * MIB..20 * MIB), self.chance.number(0..u64::MAX));
            let size = if matches!(load, Load::Small) { size / 4 } else { size };
            sample::random_file(&new.join(format!("large-{number}")), size, seed);
        }
        let old = self.chance.number(1..self.rounds + 1);
        for number in 0..3 {
            let path = root.join(format!("round-{old:03}/small/file-{number}"));
            let (size, seed) = (self.chance.number(1..64 << 10), self.chance.number(0..u64::MAX));
            sample::random_file(&path, size, seed);
        }
        self.tree = tree_hashes(root);
    }

    /// Gives the order until it stands. If the server crashed before it answered there may be two of them: no harm.
    fn order(&mut self) {
        let end = Instant::now() + PATIENCE;
        loop {
            self.commands += 1;
            // Beside this one: a command shows its order again when the server is back.
            let mut giving = self.ann.cli().start(["upload", "desk:Documents"]);
            let ended = wait::poll(PATIENCE, || {
                self.revive();
                (!giving.is_running()).then_some(())
            });
            if ended.is_some() && giving.wait(SOON).success() {
                return;
            }
            assert!(Instant::now() < end, "no order is taken: {}", giving.log());
        }
    }

    /// Whether all transfers have ended; panics if one has ended badly.
    fn is_over(&mut self) -> bool {
        let list = run(self.ann.cli(), &["--timeout", "5", "transfers"]);
        if list.code() != 0 {
            self.revive();
            return false;
        }
        let list = list.json();
        let states: Vec<_> = rows(&list).iter().map(|row| text(row, "state")).collect();
        let bad = states
            .iter()
            .any(|state| ["failed", "partly", "cancelled"].contains(&state.as_str()));
        assert!(!bad, "a transfer ended badly: {list}");
        states.iter().all(|state| state == "done")
    }

    fn transfers(&self) -> String {
        run(self.ann.cli(), &["transfers"]).to_string()
    }

    /// Lets time pass, in which who dies is started again.
    fn watch(&mut self, time: Duration) {
        wait::poll(time, || {
            self.revive();
            None::<()>
        });
    }

    /// Kills at once, and starts again.
    fn kill(&mut self, victim: Victim) {
        // Whoever was to crash somewhere and did not come so far still is to.
        if victim != Victim::Server {
            self.machine.kill();
            self.agent_points.put_back();
        }
        if victim != Victim::Agent {
            self.server.kill();
            self.server_points.put_back();
        }
        self.kills += 1;
        self.breaks += 1;
        self.start_dead();
    }

    /// Starts again who has crashed where it was to.
    fn revive(&mut self) {
        for (process, points) in [
            (self.server.process(), &mut self.server_points),
            (self.machine.process(), &mut self.agent_points),
        ] {
            if !process.is_running() {
                let Some(place) = points.armed.take() else {
                    panic!("a program ended that nobody killed: {}", process.log());
                };
                eprintln!("crashed at {place}");
                self.kills += 1;
                self.breaks += 1;
            }
        }
        self.start_dead();
    }

    fn start_dead(&mut self) {
        if !self.server.process().is_running() {
            if self.kills.is_multiple_of(8) {
                assert_sound(&self.server);
            }
            let plan = self.server_points.arm(&mut self.chance);
            self.server.set_env(fault::VARIABLE, plan);
            assert!(
                self.server.try_restart(),
                "the server does not start: {}",
                self.server.process().log()
            );
        }
        if !self.machine.process().is_running() {
            let plan = self.agent_points.arm(&mut self.chance);
            self.machine.set_env(fault::VARIABLE, plan);
            self.machine.launch();
        }
    }

    /// What was sent more often than once since the last time is at most a window for each break.
    fn compare_bytes(&mut self) {
        let list = run(self.ann.cli(), &["transfers"]).expect_ok().json();
        let sent: u64 = rows(&list).iter().map(|row: &Value| number(row, "bytes_sent")).sum();
        let transfers = rows(&list).len();
        assert!(
            transfers <= self.commands,
            "an order that was shown twice is two transfers: {list}"
        );
        let wasted = sent as i64 - stored(&self.server) as i64;
        let fresh = wasted - self.wasted;
        eprintln!(
            "round {}: {} kills, {:.1} MiB sent twice",
            self.rounds,
            self.breaks,
            fresh as f64 / MIB as f64
        );
        assert!(
            fresh <= self.breaks * WINDOW,
            "{} kills made {fresh} bytes travel twice",
            self.breaks
        );
        self.most_wasted = self.most_wasted.max(fresh / self.breaks.max(1));
        self.wasted = wasted;
        self.breaks = 0;
    }

    /// Looks whether everything is where it belongs, and as it was.
    #[track_caller]
    pub(crate) fn judge(mut self) {
        let changed = tree_difference(&self.tree, &tree_hashes(self.folder.path()));
        assert!(changed.is_empty(), "the source is not what it was: {changed:?}");
        let back = tempfile::tempdir().unwrap();
        get(
            &self.ann.cli().with_limit(LONG),
            "desk/Documents",
            &back.path().join("copy"),
        );
        assert_same_tree(self.folder.path(), &back.path().join("copy"));
        self.server.stop();
        assert_sound(&self.server);
        eprintln!(
            "{} kills in {} rounds; {:.2} MiB sent twice for each, {:.2} MiB in the worst round",
            self.kills,
            self.rounds,
            self.wasted as f64 / MIB as f64 / self.kills.max(1) as f64,
            self.most_wasted as f64 / MIB as f64,
        );
    }
}

impl Points {
    fn put_back(&mut self) {
        self.waiting.extend(self.armed.take());
    }

    /// The next one, as the environment says it; empty if there is none.
    fn arm(&mut self, chance: &mut Chance) -> String {
        self.armed = self.waiting.pop_front();
        match self.armed {
            // What comes once in a transfer would be waited for in vain.
            Some(place) if OFTEN.contains(&place) => format!("{place}:{}", chance.number(1..4)),
            Some(place) => place.to_owned(),
            None => String::new(),
        }
    }
}

/// Places that each transfer of some files passes several times.
const OFTEN: &[&str] = &[
    "chunk-counted",
    "part-answered",
    "pack-written",
    "pack-synced",
    "chunks-durable",
];

/// Reads everything that a server stores, which must not run.
#[track_caller]
pub(crate) fn assert_sound(server: &Server) {
    let check = Command::new(beckon_tests::binary::path("beckon-server"))
        .args(["check", "--read-data", "--data"])
        .arg(server.data())
        .output()
        .unwrap();
    assert!(check.status.success(), "{check:?}");
}

/// Bytes of chunks that a running server has stored, each counted once.
fn stored(server: &Server) -> u64 {
    let question = "SELECT COALESCE(SUM(stored_len), 0) FROM chunk";
    sql(server, question).trim().parse().expect("a number")
}

/// Asks the database of a server.
#[track_caller]
pub(crate) fn sql(server: &Server, question: &str) -> String {
    let output = Command::new("sqlite3")
        .arg(server.data().join("beckon.sqlite"))
        .arg(question)
        .output()
        .expect("sqlite3 starts: `cargo xtask test` installs it");
    assert!(output.status.success(), "{question}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

//! A server, a machine whose root is watched, and machines that follow it.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use beckon_tests::{
    Account, Cli, Machine, Server,
    tree::{Tree, copy_hashes, copy_modes, tree_difference, tree_hashes, tree_modes},
    wait::poll,
};
use serde_json::Value;
use tempfile::TempDir;

/// How long everything may take to be everywhere, on a busy computer.
const QUIET: Duration = Duration::from_secs(90);

/// How long it may take to fetch all that the drive holds, which may be much.
const FETCH: Duration = Duration::from_secs(300);

/// A person looks whether somebody asks something about so often; a terminal that comes much more often is sent away.
const ANSWER_EVERY: Duration = Duration::from_secs(2);

/// How many differences a failure shows.
const SHOWN: usize = 20;

/// A machine that follows, and its copy.
pub(crate) struct Follower {
    pub(crate) machine: Machine,
    folder: TempDir,
    pub(crate) transfer: String,
}

impl Follower {
    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }
}

/// `desk` with the watched root `Docs`, and those who follow it.
pub(crate) struct World {
    pub(crate) desk: Machine,
    pub(crate) followers: Vec<Follower>,
    pub(crate) watch: String,
    pub(crate) ann: Account,
    pub(crate) server: Server,
    folder: TempDir,
}

impl World {
    /// The watched root holds what `fill` puts into it before anybody watches.
    #[track_caller]
    pub(crate) fn with(followers: usize, fill: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fill(folder.path());
        let server = Server::start();
        let ann = Account::sign_up(&server, "ann");
        let desk = Machine::join(&ann, "desk").root("Docs", folder.path()).start();
        let watch = ordered(ann.cli(), &["watch", "desk:Docs"]);
        let mut world = Self {
            desk,
            followers: Vec::new(),
            watch,
            ann,
            server,
            folder,
        };
        for number in 0..followers {
            world.add_follower(&format!("copy{number}"));
        }
        world
    }

    /// A machine joins and follows.
    #[track_caller]
    pub(crate) fn add_follower(&mut self, name: &str) {
        let folder = tempfile::tempdir().unwrap();
        let machine = Machine::join(&self.ann, name)
            .writable_root("Copy", folder.path())
            .start();
        let place = format!("{name}:Copy");
        let transfer = ordered(self.cli(), &["follow", "desk:Docs", "--on", &place]);
        self.followers.push(Follower {
            machine,
            folder,
            transfer,
        });
    }

    /// The watched folder.
    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    /// A place in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    /// The terminal.
    pub(crate) fn cli(&self) -> &Cli {
        self.ann.cli()
    }

    /// A transfer as it stands.
    pub(crate) fn transfer(&self, id: &str) -> Value {
        let detail = self.cli().run(["--json", "transfers", "show", id]).expect_ok().json();
        match detail.get("transfer") {
            Some(transfer) => transfer.clone(),
            None => detail,
        }
    }

    /// Waits until every copy holds what the watched folder holds, then looks whether the drive does too.
    #[track_caller]
    pub(crate) fn settle(&self) {
        self.settle_within(QUIET);
    }

    #[track_caller]
    pub(crate) fn settle_within(&self, limit: Duration) {
        let wanted = tree_hashes(self.root());
        let modes = tree_modes(self.root());
        for follower in &self.followers {
            let name = follower.machine.name();
            let mut answered = Instant::now();
            let equal = || {
                if answered.elapsed() > ANSWER_EVERY {
                    self.answer();
                    answered = Instant::now();
                }
                let held = copy_hashes(follower.root()).ok()?;
                let is_equal = held == wanted && copy_modes(follower.root()).ok()? == modes;
                is_equal.then_some(())
            };
            if poll(limit, equal).is_none() {
                let mut difference = tree_difference(&wanted, &copy_hashes(follower.root()).unwrap());
                if difference.is_empty() {
                    difference = modes_difference(&modes, &copy_modes(follower.root()).unwrap());
                }
                difference.truncate(SHOWN);
                let problems = self
                    .cli()
                    .run(["--json", "transfers", "show", &follower.transfer, "--files"]);
                let mut stored = tree_difference(&wanted, &self.stored());
                stored.truncate(SHOWN);
                panic!(
                    "the drive: {}\n{problems}\nwaited {limit:?} in vain until {name} is equal:\n{}\nwatch: {}\nfollow: {}",
                    stored.join("\n"),
                    difference.join("\n"),
                    self.transfer(&self.watch),
                    self.transfer(&follower.transfer)
                );
            }
        }
        let mut last = Vec::new();
        let stored = poll(limit, || {
            last = tree_difference(&wanted, &self.stored());
            last.is_empty().then_some(())
        });
        last.truncate(SHOWN);
        assert!(stored.is_some(), "the drive differs:\n{}", last.join("\n"));
    }

    /// Says yes where somebody asks whether to go on because much is gone: so much was taken away.
    fn answer(&self) {
        let rows = self.cli().run(["--json", "transfers"]).expect_ok().json();
        let asking = rows
            .as_array()
            .into_iter()
            .flatten()
            .filter(|row| row["hold"] == "question");
        for id in asking.filter_map(|row| row["id"].as_str()) {
            self.cli().run(["transfers", "resume", id]);
        }
    }

    /// What the drive holds of the root, fetched to compare.
    fn stored(&self) -> Tree {
        let target = tempfile::tempdir().unwrap();
        let came = target.path().join("came");
        let words = ["get", "desk/Docs", "-o"].map(std::ffi::OsStr::new);
        let cli = self.cli().with_limit(FETCH);
        let output = cli.run(words.into_iter().chain([came.as_os_str()]));
        // Between two commits it may be that something is not there any more.
        match output.code() {
            0 if came.is_dir() => tree_hashes(&came),
            _ => Tree::new(),
        }
    }

    /// Waits until a standing transfer has nothing left to do.
    #[track_caller]
    pub(crate) fn wait_current(&self, id: &str) {
        self.wait_current_within(id, QUIET);
    }

    #[track_caller]
    pub(crate) fn wait_current_within(&self, id: &str, limit: Duration) {
        let current = poll(limit, || {
            let now = self.transfer(id);
            (now["state"] == "running" && now["hold"] == "current").then_some(())
        });
        assert!(current.is_some(), "never up to date: {}", self.transfer(id));
    }
}

fn modes_difference(
    left: &std::collections::BTreeMap<Vec<u8>, u32>,
    right: &std::collections::BTreeMap<Vec<u8>, u32>,
) -> Vec<String> {
    left.iter()
        .filter(|(path, mode)| right.get(*path) != Some(mode))
        .map(|(path, mode)| {
            format!(
                "mode: {}: {mode:o} became {:o}",
                path.escape_ascii(),
                right.get(path).copied().unwrap_or_default()
            )
        })
        .collect()
}

/// Gives an order; its id.
#[track_caller]
fn ordered(cli: &Cli, words: &[&str]) -> String {
    let words = [&["--json"], words].concat();
    let answer = cli.run(words).expect_ok().json();
    let id = answer.get("id").or_else(|| answer["transfer"].get("id"));
    id.and_then(Value::as_str)
        .unwrap_or_else(|| panic!("an order's answer names its transfer: {answer}"))
        .to_owned()
}

/// Where a copy keeps what was deleted.
pub(crate) fn trash_of(root: &Path) -> PathBuf {
    root.join(".beckon").join("trash")
}

/// Names of all files below a folder that end so.
pub(crate) fn files_below(folder: &Path, end: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for entry in entries.map(|entry| entry.unwrap()) {
        if entry.file_type().unwrap().is_dir() {
            found.extend(files_below(&entry.path(), end));
        } else if entry.file_name().to_string_lossy().ends_with(end) {
            found.push(entry.path());
        }
    }
    found
}

//! Where most stories begin: a server, Ann's account, and her machine `desk` with the root `Documents`.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime},
};

use beckon_tests::{Account, Browser, Cli, Machine, Output, Server, tree::assert_same_tree};
use serde_json::Value;
use tempfile::TempDir;

/// What another process does at once when the machine is not busy.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// What may take its time on a busy machine.
pub(crate) const LONG: Duration = Duration::from_secs(120);

/// The design's bound for a revocation is 5 s, and 2 s for a machine that comes or goes. (Looked at from outside, with some
/// room for a busy computer.)
pub(crate) const IN_TIME: Duration = Duration::from_secs(15);

pub(crate) const MIB: u64 = 1 << 20;

/// A server, an account and a machine.
pub(crate) struct Desk {
    pub(crate) machine: Machine,
    pub(crate) ann: Account,
    pub(crate) server: Server,
    folder: TempDir,
}

impl Desk {
    /// The machine's root holds what `fill` puts into it.
    #[track_caller]
    pub(crate) fn with(fill: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fill(folder.path());
        let server = Server::start();
        let ann = Account::sign_up(&server, "ann");
        let machine = Machine::join(&ann, "desk").root("Documents", folder.path()).start();
        Self {
            machine,
            ann,
            server,
            folder,
        }
    }

    /// Put together by a story that needs something special.
    pub(crate) fn of(machine: Machine, ann: Account, server: Server, folder: TempDir) -> Self {
        Self {
            machine,
            ann,
            server,
            folder,
        }
    }

    /// The terminal.
    pub(crate) fn cli(&self) -> &Cli {
        self.ann.cli()
    }

    /// The folder that is the root.
    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    /// A path in the root.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A signed-in browser.
    #[track_caller]
    pub(crate) fn browser(&self) -> Browser {
        Browser::with_session_of(self.cli(), self.server.url())
    }

    /// Uploads all of the root and waits; the transfer as it ended.
    #[track_caller]
    pub(crate) fn upload(&self) -> Value {
        upload(self.cli(), "desk:Documents")
    }

    /// The states in the drive of what stands in a folder, by name.
    #[track_caller]
    pub(crate) fn in_drive(&self, place: &str) -> Vec<(String, String)> {
        let list = json(self.cli(), &["ls", place]);
        let entries = list.as_array().expect("a list").iter();
        entries
            .map(|entry| (text(entry, "name"), text(entry, "in_drive")))
            .collect()
    }
}

/// Uploads a place and waits; panics unless all of it is done.
#[track_caller]
pub(crate) fn upload(cli: &Cli, place: &str) -> Value {
    let transfer = json(&cli.with_limit(LONG), &["upload", place, "--wait"]);
    assert_eq!(transfer["state"], "done", "{transfer}");
    transfer
}

/// Orders an upload and does not wait; the transfer's id.
#[track_caller]
pub(crate) fn order(cli: &Cli, place: &str) -> String {
    text(&json(cli, &["upload", place]), "id")
}

/// The transfer as it stands.
#[track_caller]
pub(crate) fn transfer(cli: &Cli, id: &str) -> Value {
    json(cli, &["transfers", "show", id])
}

/// Runs a command with `--json`, which must end well, and reads what it prints.
#[track_caller]
pub(crate) fn json(cli: &Cli, args: &[&str]) -> Value {
    run(cli, args).expect_ok().json()
}

/// Runs a command with `--json`.
#[track_caller]
pub(crate) fn run(cli: &Cli, args: &[&str]) -> Output {
    cli.run(["--json"].iter().chain(args))
}

/// Fetches a place of the drive to a file or folder that is not there yet.
#[track_caller]
pub(crate) fn get(cli: &Cli, place: &str, to: &Path) {
    let to = to.display().to_string();
    cli.with_limit(LONG).run(["get", place, "-o", &to]).expect_ok();
}

/// What was uploaded of `Documents` is what this folder holds.
#[track_caller]
pub(crate) fn assert_comes_back(cli: &Cli, folder: &Path) {
    let back = tempfile::tempdir().unwrap();
    get(cli, "desk/Documents", &back.path().join("copy"));
    assert_same_tree(folder, &back.path().join("copy"));
}

/// A text that must be there.
#[track_caller]
pub(crate) fn text(value: &Value, key: &str) -> String {
    match value[key].as_str() {
        Some(text) => text.to_owned(),
        None => panic!("no text `{key}` in {value}"),
    }
}

/// A number that must be there.
#[track_caller]
pub(crate) fn number(value: &Value, key: &str) -> u64 {
    value[key]
        .as_u64()
        .unwrap_or_else(|| panic!("no number `{key}` in {value}"))
}

/// The rows of a list.
#[track_caller]
pub(crate) fn rows(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("no list: {value}"))
}

/// Panics unless a command was refused with this exit code and error, and said what to do.
#[track_caller]
pub(crate) fn expect_refusal(output: &Output, exit: i32, code: &str) {
    let error = output.json_error();
    assert_eq!((output.code(), error["code"].as_str()), (exit, Some(code)), "{output}");
    assert!(text(&error, "message").len() > 20, "says too little: {output}");
    assert!(error["retry"].is_boolean(), "{output}");
}

/// Writes a file that was last changed long ago, so that its stamp alone tells whether it is the same.
pub(crate) fn old_file(path: &Path, content: &str) {
    beckon_tests::sample::text(path, content);
    make_old(path);
}

/// Sets a file's time of change to a day ago.
pub(crate) fn make_old(path: &Path) {
    let yesterday = SystemTime::now() - Duration::from_secs(86_400);
    File::options()
        .append(true)
        .open(path)
        .unwrap()
        .set_modified(yesterday)
        .unwrap();
}

/// The hash of a file's content.
#[track_caller]
pub(crate) fn hash(path: &Path) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    hasher
        .update_reader(File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
        .unwrap();
    hasher.finalize()
}

/// All regular files below a folder.
pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            match entry.file_type().unwrap() {
                kind if kind.is_dir() => open.push(entry.path()),
                kind if kind.is_file() => found.push(entry.path()),
                _ => {}
            }
        }
    }
    found
}

/// A folder for what comes back.
pub(crate) struct Back(TempDir);

impl Back {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// The folder itself.
    pub(crate) fn folder(&self) -> &Path {
        self.0.path()
    }

    /// A path in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// As many as were fetched: no temporary file stays behind.
    #[track_caller]
    pub(crate) fn expect_entries(&self, count: usize) {
        let found = fs::read_dir(self.folder()).unwrap().count();
        assert_eq!(found, count, "a temporary file stays behind");
    }
}

/// Tests a ZIP and unpacks it, by a program that is not ours. The one folder in it, or where its entries lie.
#[track_caller]
pub(crate) fn unzipped(back: &Back, zip: &str) -> PathBuf {
    let to = back.path("unzipped");
    let run = |args: &[&str]| {
        let output = Command::new("unzip")
            .env("LC_ALL", "C.UTF-8")
            .args(args)
            .output()
            .expect("unzip starts");
        assert!(
            output.status.success(),
            "unzip {args:?}: {}",
            String::from_utf8_lossy(&output.stdout)
        );
    };
    run(&["-t", "-qq", zip]);
    run(&["-q", zip, "-d", &to.display().to_string()]);
    let inside: Vec<_> = fs::read_dir(&to).unwrap().map(|entry| entry.unwrap().path()).collect();
    match &inside[..] {
        [folder] if folder.is_dir() => folder.clone(),
        _ => to,
    }
}

/// The id of a node by its path.
#[track_caller]
pub(crate) fn node(browser: &Browser, path: &str) -> String {
    let (folder, name) = path.rsplit_once('/').unwrap();
    let folder = folder.replace('/', "%2F");
    let list = browser
        .get(&format!("/api/drive/list?path={folder}"), &[])
        .expect_status(200)
        .json();
    let child = rows(&list["children"]).iter().find(|child| child["name"] == name);
    text(child.unwrap_or_else(|| panic!("no {name} in {list}")), "id")
}

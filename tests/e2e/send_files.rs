//! Files that a person sends from a terminal onto a machine.

use std::{fs, path::Path};

use beckon_tests::{Account, Cli, Machine, Proxy, Server, Way, sample, tree::assert_same_tree};
use serde_json::Value;
use tempfile::TempDir;

use crate::scene::{LONG, MIB, expect_refusal, hash, json, number, rows, run, text, transfer};

/// A machine called `desk` with the writable root `In`, and files to be sent.
struct Scene {
    machine: Machine,
    ann: Account,
    server: Server,
    root: TempDir,
    files: TempDir,
}

impl Scene {
    fn new() -> Self {
        let server = Server::start();
        let ann = Account::sign_up(&server, "ann");
        let [root, files] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let machine = Machine::join(&ann, "desk").writable_root("In", root.path()).start();
        Self {
            machine,
            ann,
            server,
            root,
            files,
        }
    }

    fn cli(&self) -> &Cli {
        self.ann.cli()
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.files.path().join(name)
    }

    fn there(&self, name: &str) -> std::path::PathBuf {
        self.root.path().join(name)
    }

    /// Another terminal of Ann's, whose way to the server can be held up.
    #[track_caller]
    fn far_terminal(&self) -> (Proxy, Cli) {
        let (proxy, far) = (Proxy::to(self.server.address()), Cli::new());
        let (url, name) = (proxy.url(), self.ann.name());
        let password = self.ann.password_file().display().to_string();
        far.run(["login", &url, "--name", name, "--password-file", &password])
            .expect_ok();
        (proxy, far)
    }

    /// Sends and waits until the machine has written it.
    #[track_caller]
    fn send(&self, files: &[&Path], to: &str) -> Value {
        let files: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
        let mut args = vec!["send"];
        args.extend(files.iter().map(String::as_str));
        args.extend([to, "--wait"]);
        json(&self.cli().with_limit(LONG), &args)
    }
}

#[test]
fn files_and_folders_come_onto_the_machine_whole_and_nothing_stays_in_the_drive() {
    let scene = Scene::new();
    let (tree, note) = (scene.path("tree"), scene.path("note.txt"));
    fs::create_dir(&tree).unwrap();
    sample::small_tree(&tree);
    sample::random_file(&tree.join("large"), 5 * MIB, 1);
    sample::text(&note, "a note");
    let sent = scene.send(&[&tree, &note], "desk:In/from ann");
    assert_eq!(
        (text(&sent, "task"), text(&sent, "state")),
        ("send".into(), "done".into())
    );
    assert!(
        text(&sent, "what").starts_with("from ann/"),
        "where it goes is told: {sent}"
    );
    assert_same_tree(&tree, &scene.there("from ann/tree"));
    assert_eq!(hash(&scene.there("from ann/note.txt")), hash(&note));
    let drive = json(scene.cli(), &["drive", "ls", ""]);
    assert_eq!(rows(&drive).len(), 1, "only Files, which each account has: {drive}");
    assert!(rows(&json(scene.cli(), &["drive", "ls", "Files"])).is_empty());
    let left: Vec<_> = fs::read_dir(scene.there("from ann"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[test]
fn what_was_broken_off_is_taken_up_by_the_same_command() {
    let scene = Scene::new();
    let tree = scene.path("tree");
    fs::create_dir(&tree).unwrap();
    for number in 0..24 {
        sample::random_file(&tree.join(format!("file-{number}")), 2 * MIB, number);
    }
    let size = 48 * MIB;
    let (proxy, far) = scene.far_terminal();
    let name = tree.display().to_string();
    proxy.allow(Way::Up, 24 * MIB);
    let mut broken = far.start(["send", &name, "desk:In"]);
    proxy.wait_held_up(Way::Up, LONG);
    broken.kill();
    proxy.cut();
    let left = text(&json(scene.cli(), &["transfers"])[0], "id");
    proxy.open();
    let ended = json(&far.with_limit(LONG), &["send", &name, "desk:In", "--wait"]);
    assert_eq!((text(&ended, "id"), text(&ended, "state")), (left, "done".into()));
    let passed = proxy.passed(Way::Up);
    assert!(
        (size..size + 16 * MIB).contains(&passed),
        "{passed} bytes went up for {size}"
    );
    assert_same_tree(&tree, &scene.there("tree"));
}

#[test]
fn what_changes_while_it_is_sent_ends_the_send_for_good() {
    let scene = Scene::new();
    let tree = scene.path("tree");
    fs::create_dir(&tree).unwrap();
    let files: Vec<_> = (0..24).map(|number| tree.join(format!("file-{number}"))).collect();
    for (file, seed) in files.iter().zip(0..) {
        sample::random_file(file, 2 * MIB, seed);
    }
    let (proxy, far) = scene.far_terminal();
    proxy.allow(Way::Up, 24 * MIB);
    let mut sending = far.start(["send", &tree.display().to_string(), "desk:In"]);
    proxy.wait_held_up(Way::Up, LONG);
    files.iter().for_each(|file| sample::text(file, "something else"));
    proxy.open();
    assert_eq!(sending.wait(LONG).code(), Some(1), "{}", sending.log());
    assert!(sending.log().contains("changed while it was sent"), "{}", sending.log());
    let left = json(scene.cli(), &["transfers"]);
    assert_eq!(left[0]["state"], "cancelled", "nobody can bring the rest: {left}");
}

#[test]
fn a_machine_that_is_away_writes_it_when_it_is_back() {
    let mut scene = Scene::new();
    let file = scene.path("plan.txt");
    sample::text(&file, "the plan");
    scene.machine.stop();
    let name = file.display().to_string();
    let sent = json(scene.cli(), &["send", &name, "desk:In"]);
    assert_eq!(sent["state"], "queued");
    scene.machine.restart();
    json(&scene.cli().with_limit(LONG), &["wait", &text(&sent, "id")]);
    assert_eq!(fs::read_to_string(scene.there("plan.txt")).unwrap(), "the plan");
    assert_eq!(number(&transfer(scene.cli(), &text(&sent, "id")), "files_done"), 1);
}

#[test]
fn what_is_there_already_and_differs_is_kept_beside() {
    let scene = Scene::new();
    let file = scene.path("plan.txt");
    sample::text(&file, "from ann");
    sample::text(&scene.there("plan.txt"), "it was here before");
    scene.send(&[&file], "desk:In");
    let texts: Vec<String> = fs::read_dir(scene.root.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(texts.contains(&"from ann".to_owned()) && texts.contains(&"it was here before".to_owned()));
}

#[test]
fn what_cannot_be_sent_says_why_before_anything_is_ordered() {
    let scene = Scene::new();
    let closed = tempfile::tempdir().unwrap();
    let _other = Machine::join(&scene.ann, "other").root("Closed", closed.path()).start();
    let file = scene.path("a");
    sample::text(&file, "a");
    fs::create_dir(scene.path("sub")).unwrap();
    sample::text(&scene.path("sub/a"), "another");
    let [name, same_name] = [file, scene.path("sub/a")].map(|path| path.display().to_string());
    let cli = scene.cli();
    expect_refusal(&run(cli, &["send", &name, "other:Closed"]), 3, "not-allowed");
    expect_refusal(&run(cli, &["send", &name, &same_name, "desk:In"]), 2, "usage");
    expect_refusal(&run(cli, &["send", "/absent/file", "desk:In"]), 1, "not-found");
    expect_refusal(&run(cli, &["send", &name, "desk"]), 2, "usage");
    assert!(rows(&json(cli, &["transfers"])).is_empty());
}

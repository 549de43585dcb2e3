//! Follows against a server that is played, on a real disk.
#![allow(clippy::disallowed_methods, reason = "a test looks at what was written")]

use std::{collections::BTreeMap, fs, path::Path};

use beckon_shared::{
    commit::{ChainHead, Change},
    id::{Hash, RootId},
    signature::Signed,
    statement::Statement,
    transfer::Progress,
};
use tokio::task::JoinHandle;

use super::*;
use crate::{
    clock,
    copy::{
        chain::tests::{Author, moved, remove, transfer},
        server::tests::Fake,
        source::NoLines,
    },
    state::RootConfig,
};

/// A machine that follows what the played server holds.
struct Scene {
    fake: Fake,
    folder: tempfile::TempDir,
    order: FollowOrder,
    transfer: TransferId,
    book: Book,
    standing: watch::Sender<Standing>,
    news: Arc<Notify>,
    writable: bool,
}

/// A follow that is under way.
struct Running {
    task: JoinHandle<Outcome>,
    pause: CancellationToken,
}

impl Scene {
    fn new() -> Self {
        let author = Author::new(1);
        let mut order = author.follow("");
        order.path = RootPath::root();
        Self {
            fake: Fake::new(author),
            folder: tempfile::tempdir().unwrap(),
            order,
            transfer: transfer(1),
            book: Book::in_memory().unwrap(),
            standing: watch::Sender::default(),
            news: Arc::default(),
            writable: true,
        }
    }

    fn commit(&self, make: impl FnOnce(&mut crate::copy::server::tests::Store) -> Vec<Change>) {
        let mut store = self.fake.store();
        let changes = make(&mut store);
        store.commit(&changes);
    }

    fn files(&self, files: &[(&str, &str)]) {
        self.commit(|store| {
            let put = |(path, content): &(&str, &str)| store.put_file(path, content.as_bytes());
            files.iter().map(put).collect()
        });
    }

    /// This state of a file is kept no more.
    fn lose(&self, path: &str, content: &str) {
        let mut store = self.fake.store();
        let Change::Put { manifest, .. } = store.put_file(path, content.as_bytes()) else {
            unreachable!()
        };
        store.manifests.remove(&manifest);
    }

    /// The newest commit.
    fn head(&self) -> ChainHead {
        self.fake.store().author.head
    }

    /// The account revokes the device that is followed.
    fn revoke(&self) {
        let (device, account, signing) = {
            let store = self.fake.store();
            let account = &store.author.account;
            (store.author.keys.id(), account.public(), account.signing().clone())
        };
        let revocation = Standing::default().revoke(&account, &[device], clock::now()).unwrap();
        let statement = Signed::sign(&Statement::Revocation(revocation), &signing);
        self.standing
            .send_modify(|standing| _ = standing.accept(&statement, &account).unwrap());
    }

    fn start(&self) -> Running {
        self.fake.told.send_replace((Hold::None, Progress::default()));
        let config = RootConfig {
            id: self.order.root,
            name: self.order.root_name.clone(),
            path: fs::canonicalize(self.folder.path()).unwrap(),
            writable: self.writable,
            ignore: String::new(),
        };
        let root = Arc::new(Root::new(&config));
        let pause = CancellationToken::new();
        let job = Job {
            transfer: self.transfer,
            order: self.order.clone(),
            root: Arc::clone(&root),
            machine: Label::new("copy").unwrap(),
            cancel: CancellationToken::new(),
            pause: pause.clone(),
            news: Arc::clone(&self.news),
            if_missing: IfMissing::Ask,
        };
        let tools = Tools {
            remote: Arc::new(self.fake.clone()),
            lines: NoLines,
            book: self.book.clone(),
            desired: Desired::open(self.book.clone()).unwrap(),
            roots: Arc::new(move |_: &RootId| Ok(Arc::clone(&root))),
            account_key: self.fake.store().author.account.public(),
            standing: self.standing.subscribe(),
            pace: Pace::NORMAL,
        };
        Running {
            task: tokio::spawn(run(job, tools)),
            pause,
        }
    }

    /// Has a running follow look, and waits until it is up to date again.
    async fn follow(&self, running: &Running) -> Progress {
        self.fake.told.send_replace((Hold::None, Progress::default()));
        self.news.notify_one();
        assert!(!running.task.is_finished());
        self.fake.current().await
    }

    fn tree(&self) -> BTreeMap<String, String> {
        let mut tree = BTreeMap::new();
        walk(self.folder.path(), "", &mut tree);
        tree
    }
}

impl Running {
    async fn paused(self) {
        self.pause.cancel();
        assert_eq!(self.task.await.unwrap(), Outcome::Stopped);
    }

    async fn end(self) -> TransferState {
        let outcome = self.task.await.unwrap();
        match outcome {
            Outcome::Ended { state, error: None, .. } => state,
            other => panic!("{other:?}"),
        }
    }

    async fn refusal(self) -> Refusal {
        let Outcome::Ended {
            state: TransferState::Failed,
            error: Some(refusal),
            ..
        } = self.task.await.unwrap()
        else {
            panic!("it is not refused")
        };
        refusal
    }
}

fn walk(folder: &Path, prefix: &str, tree: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if prefix.is_empty() && name == ".beckon" {
            continue;
        }
        let path = format!("{prefix}{name}");
        match entry.file_type().unwrap().is_dir() {
            true => {
                tree.insert(format!("{path}/"), String::new());
                walk(&entry.path(), &format!("{path}/"), tree);
            }
            false => _ = tree.insert(path, fs::read_to_string(entry.path()).unwrap()),
        }
    }
}

fn tree(of: &[(&str, &str)]) -> BTreeMap<String, String> {
    of.iter()
        .map(|(path, content)| ((*path).to_owned(), (*content).to_owned()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follow_writes_what_is_there_and_then_what_comes() {
    let scene = Scene::new();
    scene.commit(|store| {
        vec![
            store.put_folder("a"),
            store.put_file("a/b", b"one"),
            store.put_file("c", b"two"),
        ]
    });
    scene.files(&[("a/b", "one, and more"), ("d/e", "three")]);
    let running = scene.start();
    let progress = scene.fake.current().await;
    let expected = tree(&[
        ("a/", ""),
        ("a/b", "one, and more"),
        ("c", "two"),
        ("d/", ""),
        ("d/e", "three"),
    ]);
    assert_eq!(scene.tree(), expected);
    assert_eq!(
        (progress.files_total, progress.files_done, progress.walked),
        (3, 3, true)
    );
    assert_eq!((progress.bytes_done, progress.bytes_server), (21, 21));
    scene.files(&[("c", "two again")]);
    scene.commit(|_| vec![moved("a", "z"), remove("d")]);
    let progress = scene.follow(&running).await;
    let expected = tree(&[("z/", ""), ("z/b", "one, and more"), ("c", "two again")]);
    assert_eq!(scene.tree(), expected);
    assert_eq!(
        (progress.files_total, progress.files_done, progress.bytes_total),
        (2, 2, 22)
    );
    assert_eq!(progress.bytes_server, 30, "what moved was not fetched again");
    running.paused().await;
    scene.files(&[("n", "new")]);
    let running = scene.start();
    let progress = scene.fake.current().await;
    assert_eq!(
        (scene.tree().len(), progress.files_done, progress.bytes_server),
        (4, 3, 3)
    );
    running.paused().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_folder_is_followed_at_another_place_and_what_moves_in_and_out_with_it() {
    let mut scene = Scene::new();
    scene.order.from.path = RootPath::new("a").unwrap();
    scene.order.path = RootPath::new("my/copy").unwrap();
    scene.files(&[("a/b", "one"), ("x", "elsewhere")]);
    let running = scene.start();
    scene.fake.current().await;
    assert_eq!(
        scene.tree(),
        tree(&[("my/", ""), ("my/copy/", ""), ("my/copy/b", "one")])
    );
    scene.commit(|_| vec![moved("a/b", "b"), moved("x", "a/x")]);
    scene.follow(&running).await;
    assert_eq!(
        scene.tree(),
        tree(&[("my/", ""), ("my/copy/", ""), ("my/copy/x", "elsewhere")])
    );
    running.paused().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_nobody_put_goes_with_the_last_thing_in_it() {
    let scene = Scene::new();
    scene.files(&[("a/b/c", "one"), ("a/b/d", "two"), ("x", "stays")]);
    let running = scene.start();
    scene.fake.current().await;
    scene.commit(|_| vec![remove("a/b/c")]);
    scene.follow(&running).await;
    let left = [("a/", ""), ("a/b/", ""), ("a/b/d", "two"), ("x", "stays")];
    assert_eq!(scene.tree(), tree(&left));
    scene.commit(|_| vec![remove("a/b/d")]);
    scene.follow(&running).await;
    assert_eq!(scene.tree(), tree(&[("x", "stays")]));
    // Not while somebody has something in it.
    scene.files(&[("a/b", "again")]);
    scene.follow(&running).await;
    fs::write(scene.folder.path().join("a/mine"), "mine").unwrap();
    scene.commit(|_| vec![remove("a/b")]);
    scene.follow(&running).await;
    let left = [("a/", ""), ("a/mine", "mine"), ("x", "stays")];
    assert_eq!(scene.tree(), tree(&left));
    running.paused().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_moves_into_a_folder_that_took_a_files_place_arrives() {
    let scene = Scene::new();
    scene.files(&[("x", "a file"), ("y", "moves"), ("z", "stays")]);
    let running = scene.start();
    scene.fake.current().await;
    scene.commit(|store| vec![store.put_folder("x"), store.put_folder("x/deep")]);
    scene.commit(|_| vec![moved("y", "x/deep/y"), moved("x/deep/y", "x/deep/w")]);
    scene.commit(|store| vec![store.put_file("x/deep/v", b"new")]);
    let progress = scene.follow(&running).await;
    let expected = [
        ("x/", ""),
        ("x/deep/", ""),
        ("x/deep/v", "new"),
        ("x/deep/w", "moves"),
        ("z", "stays"),
    ];
    assert_eq!((scene.tree(), progress.failed), (tree(&expected), 0));
    // A folder moves to where a file stood that had moved away before.
    scene.commit(|_| vec![moved("z", "x/z"), moved("x", "z")]);
    scene.commit(|store| vec![store.put_file("x", b"a file again")]);
    scene.follow(&running).await;
    let expected = [
        ("x", "a file again"),
        ("z/", ""),
        ("z/deep/", ""),
        ("z/deep/v", "new"),
        ("z/deep/w", "moves"),
        ("z/z", "stays"),
    ];
    assert_eq!(scene.tree(), tree(&expected));
    running.paused().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_made_once_of_the_newest_or_of_an_older_state() {
    let mut scene = Scene::new();
    scene.files(&[("a", "one")]);
    scene.files(&[("b", "two")]);
    let older = scene.head();
    scene.files(&[("a", "one again")]);
    scene.commit(|_| vec![remove("b")]);
    scene.order.extent = Extent::Once;
    assert_eq!(scene.start().end().await, TransferState::Done);
    assert_eq!(scene.tree(), tree(&[("a", "one again")]));
    (scene.order.extent, scene.transfer) = (Extent::At(older), transfer(2));
    scene.order.path = RootPath::new("older").unwrap();
    assert_eq!(scene.start().end().await, TransferState::Done);
    assert_eq!(
        scene.tree(),
        tree(&[
            ("a", "one again"),
            ("older/", ""),
            ("older/a", "one"),
            ("older/b", "two")
        ])
    );
    let later = ChainHead { number: 9, ..older };
    (scene.order.extent, scene.transfer) = (Extent::At(later), transfer(3));
    assert_eq!(scene.start().refusal().await.code, ErrorCode::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_older_state_that_is_kept_no_more_the_next_one_is_taken() {
    let mut scene = Scene::new();
    scene.files(&[("a", "one"), ("b", "two")]);
    scene.order.extent = Extent::At(scene.head());
    scene.files(&[("a", "later")]);
    scene.files(&[("a", "latest")]);
    scene.lose("a", "one");
    assert_eq!(scene.start().end().await, TransferState::Done);
    assert_eq!(scene.tree(), tree(&[("a", "later"), ("b", "two")]));
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_that_come_late_are_waited_for_and_nothing_half_is_seen() {
    let scene = Scene::new();
    let content = "long ".repeat(100_000);
    scene.files(&[("long", &content), ("short", "s")]);
    let id = {
        let mut store = scene.fake.store();
        let manifest = store.file(content.as_bytes());
        crate::copy::server::tests::chunks(&manifest).last().unwrap().id
    };
    let held = scene.fake.store().chunks.remove(&id).unwrap();
    let running = scene.start();
    let mut told = scene.fake.told.subscribe();
    told.wait_for(|(_, progress)| progress.files_done == 1 && progress.walked)
        .await
        .unwrap();
    assert_eq!(
        scene
            .tree()
            .into_keys()
            .filter(|name| !name.starts_with('.'))
            .collect::<Vec<_>>(),
        ["short"]
    );
    scene.fake.store().chunks.insert(id, held);
    scene.follow(&running).await;
    assert_eq!(scene.tree()["long"], content);
    running.paused().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_bends_commits_or_swaps_manifests_has_nothing_written() {
    type Bend = fn(&mut Vec<beckon_shared::bulk::CommitRecord>);
    let bends: [(&str, Bend); 5] = [
        ("reordered", |records| records.swap(0, 1)),
        ("withheld in the middle", |records| _ = records.remove(0)),
        ("replayed", |records| {
            let first = records[0].clone();
            records.push(first);
        }),
        ("altered", |records| records[1].changes[5] ^= 1),
        ("forged", |records| {
            let commit = records[1].commit.peek().unwrap();
            records[1].commit = Signed::sign(&commit, Author::new(9).keys.signing());
        }),
    ];
    for (what, bend) in bends {
        let scene = Scene::new();
        scene.files(&[("a", "one")]);
        scene.files(&[("b", "two")]);
        scene.fake.store().bend = bend;
        let refusal = scene.start().refusal().await;
        assert_eq!(refusal.code, ErrorCode::NotAllowed, "{what}");
        assert!(refusal.message.contains("do not trust"), "{what}: {refusal}");
        assert!(scene.tree().is_empty(), "{what}");
        let desired = Desired::open(scene.book.clone()).unwrap();
        assert_eq!(desired.head(scene.transfer).unwrap().number, 0, "{what}");
    }
    let scene = Scene::new();
    scene.files(&[("a", "one"), ("b", "two")]);
    {
        let mut store = scene.fake.store();
        let hashes: Vec<Hash> = store.manifests.keys().copied().collect();
        let other = store.manifests[&hashes[1]].clone();
        store.manifests.insert(hashes[0], other);
    }
    assert_eq!(scene.start().refusal().await.code, ErrorCode::NotAllowed);
    assert!(scene.tree().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_that_is_not_marked_for_writing_is_not_written_in() {
    let mut scene = Scene::new();
    scene.writable = false;
    scene.files(&[("a", "one")]);
    let refusal = scene.start().refusal().await;
    assert_eq!(refusal.code, ErrorCode::NotAllowed);
    assert!(refusal.message.contains("beckon roots writable"), "{refusal}");
    assert!(scene.tree().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_origin_is_revoked_the_follow_ends() {
    let scene = Scene::new();
    scene.files(&[("a", "one")]);
    let running = scene.start();
    scene.fake.current().await;
    scene.revoke();
    assert_eq!(running.refusal().await.code, ErrorCode::Revoked);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_order_names_by_its_hash_is_restored_although_its_origin_is_revoked() {
    let mut scene = Scene::new();
    scene.files(&[("a", "one"), ("b", "two")]);
    let head = scene.head();
    scene.files(&[("a", "planted"), ("c", "planted")]);
    scene.revoke();
    scene.order.extent = Extent::At(head);
    assert_eq!(scene.start().end().await, TransferState::Done);
    assert_eq!(scene.tree(), tree(&[("a", "one"), ("b", "two")]));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_a_revoked_device_stored_later_takes_the_place_of_what_is_kept_no_more() {
    let mut scene = Scene::new();
    scene.files(&[("a", "one"), ("b", "two")]);
    scene.order.extent = Extent::At(scene.head());
    scene.files(&[("a", "planted")]);
    scene.lose("a", "one");
    scene.revoke();
    assert_eq!(scene.start().end().await, TransferState::Partly);
    assert_eq!(scene.tree(), tree(&[("b", "two")]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_that_does_not_lead_to_what_the_order_names_is_not_written() {
    let mut scene = Scene::new();
    scene.files(&[("a", "one")]);
    scene.files(&[("b", "two")]);
    let head = scene.head();
    for (what, end) in [
        (
            "another one",
            ChainHead {
                hash: Hash([7; 32]),
                ..head
            },
        ),
        ("a later one", ChainHead { number: 1, ..head }),
    ] {
        scene.order.extent = Extent::At(end);
        // The second time it is known from the start.
        for _ in 0..2 {
            assert_eq!(scene.start().refusal().await.code, ErrorCode::NotAllowed, "{what}");
            assert!(scene.tree().is_empty(), "{what}");
        }
        scene.transfer = transfer(2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn much_that_goes_at_once_is_asked_about_and_done_when_somebody_says_so() {
    let scene = Scene::new();
    let names: Vec<_> = (0..80).map(|at| format!("f{at}")).collect();
    let files: Vec<_> = names.iter().map(|name| (name.as_str(), "content")).collect();
    scene.files(&files);
    let running = scene.start();
    scene.fake.current().await;
    scene.commit(|_| names[..70].iter().map(|name| remove(name)).collect());
    scene.news.notify_one();
    assert!(matches!(running.task.await.unwrap(), Outcome::Asks(_)));
    assert!(
        scene.tree().len() >= 30,
        "at most 50 are gone before somebody was asked"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_written_is_told_and_the_rest_is_written() {
    let scene = Scene::new();
    scene.commit(|store| vec![store.put_file(".beckon/trash/x", b"evil"), store.put_file("a", b"one")]);
    let running = scene.start();
    let progress = scene.fake.current().await;
    assert_eq!(scene.tree(), tree(&[("a", "one")]));
    assert_eq!(progress.failed, 1);
    assert_eq!(scene.fake.store().problems.len(), 1);
    assert!(!scene.folder.path().join(".beckon/trash/x").exists());
    running.paused().await;
}

//! What is sent arrives: whole files only, each byte once, and nothing of what stood there is lost.
#![allow(clippy::disallowed_methods, reason = "a test looks at what was written")]

use std::{collections::BTreeMap, fs};

use beckon_shared::{chunk::ChunkRef, id::RootId, transfer::Progress, wire};
use bytes::Bytes;
use tokio::task::JoinHandle;

use super::*;
use crate::{
    copy::{
        chain::tests::{Author, transfer},
        place::tests::noise,
        server::tests::{Fake, chunks},
    },
    state::RootConfig,
};

/// A machine that is sent something.
struct Scene {
    fake: Fake,
    folder: tempfile::TempDir,
    book: Book,
    news: Arc<Notify>,
    order: ReceiveOrder,
    transfer: TransferId,
    writable: bool,
}

impl Scene {
    /// To which these manifests are sent, below `in`.
    fn new(manifests: &[(&str, Manifest)]) -> Self {
        let author = Author::new(1);
        let follow = author.follow("");
        let sent = |(path, manifest): &(&str, Manifest)| SentFile {
            path: RootPath::new(*path).unwrap(),
            manifest: wire::encode(manifest),
        };
        let beside = wire::encode(&manifests.iter().map(sent).collect::<Vec<_>>());
        let order = ReceiveOrder {
            root: follow.root,
            root_name: follow.root_name,
            path: RootPath::new("in").unwrap(),
            space: author.space,
            files: Hash::of(&beside),
        };
        let fake = Fake::new(author);
        fake.store().beside = beside;
        Self {
            fake,
            folder: tempfile::tempdir().unwrap(),
            book: Book::in_memory().unwrap(),
            news: Arc::default(),
            order,
            transfer: transfer(1),
            writable: true,
        }
    }

    fn start(&self) -> (JoinHandle<Outcome>, CancellationToken) {
        let root = Arc::new(Root::new(&RootConfig {
            id: self.order.root,
            name: self.order.root_name.clone(),
            path: fs::canonicalize(self.folder.path()).unwrap(),
            writable: self.writable,
            ignore: String::new(),
        }));
        let pause = CancellationToken::new();
        let job = Job {
            transfer: self.transfer,
            order: self.order.clone(),
            beside: None,
            root: Arc::clone(&root),
            machine: Label::new("copy").unwrap(),
            cancel: CancellationToken::new(),
            pause: pause.clone(),
            news: Arc::clone(&self.news),
            if_missing: IfMissing::Ask,
        };
        let tools = Tools {
            remote: Arc::new(self.fake.clone()),
            book: self.book.clone(),
            roots: Arc::new(move |_: &RootId| Ok(Arc::clone(&root))),
            pace: Pace::NORMAL,
        };
        (tokio::spawn(run(job, tools)), pause)
    }

    async fn progress(&self, is_enough: impl FnMut(&(Hold, Progress)) -> bool) -> Progress {
        let mut told = self.fake.told.subscribe();
        told.wait_for(is_enough).await.unwrap().1
    }

    fn tree(&self) -> BTreeMap<String, Vec<u8>> {
        let below = self.folder.path().join("in");
        let entries = fs::read_dir(&below).into_iter().flatten();
        let file = |name: String| {
            let bytes = fs::read(below.join(&name)).unwrap();
            (name, bytes)
        };
        entries
            .map(|entry| file(entry.unwrap().file_name().into_string().unwrap()))
            .collect()
    }

    fn take(&self, chunk: &ChunkRef) -> Bytes {
        self.fake.store().chunks.remove(&chunk.id).unwrap()
    }

    fn bring(&self, chunk: &ChunkRef, bytes: Bytes) {
        self.fake.store().chunks.insert(chunk.id, bytes);
        self.news.notify_one();
    }

    fn read(&self) -> usize {
        std::mem::take(&mut self.fake.store().read).len()
    }
}

fn ended(outcome: Outcome) -> (TransferState, Progress, Option<ErrorCode>) {
    match outcome {
        Outcome::Ended { state, progress, error } => (state, progress, error.map(|error| error.code)),
        other => panic!("{other:?}"),
    }
}

fn manifest(bytes: &[u8]) -> (Manifest, Vec<(ChunkRef, Bytes)>) {
    let fake = Fake::new(Author::new(1));
    let manifest = fake.store().file(bytes);
    let held = chunks(&manifest);
    let held = held
        .into_iter()
        .map(|chunk| (chunk, fake.store().chunks[&chunk.id].clone()));
    (manifest, held.collect())
}

/// A scene to which all chunks have come.
fn sent(files: &[(&str, &[u8])]) -> Scene {
    let files: Vec<_> = files.iter().map(|(path, bytes)| (*path, manifest(bytes))).collect();
    let manifests: Vec<_> = files
        .iter()
        .map(|(path, (manifest, _))| (*path, manifest.clone()))
        .collect();
    let scene = Scene::new(&manifests);
    let held = files.into_iter().flat_map(|(_, (_, held))| held);
    scene
        .fake
        .store()
        .chunks
        .extend(held.map(|(chunk, bytes)| (chunk.id, bytes)));
    scene
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_appears_when_all_of_it_is_there_and_each_byte_comes_and_counts_once() {
    let large = noise(3 << 20, 1);
    let scene = sent(&[("small", b"small"), ("large", &large)]);
    let (_, held) = manifest(&large);
    let late = held[1].0;
    let bytes = scene.take(&late);
    let (task, _) = scene.start();
    let came = (large.len() + 5) as u64 - u64::from(late.len);
    let is_there = |(_, progress): &(Hold, Progress)| progress.bytes_server == came && progress.files_done == 1;
    let progress = scene.progress(is_there).await;
    assert_eq!(progress.bytes_total, large.len() as u64 + 5);
    assert_eq!(scene.tree().get("small").unwrap(), b"small");
    assert!(!scene.tree().contains_key("large"));
    scene.read();
    scene.bring(&late, bytes);
    let (state, progress, error) = ended(task.await.unwrap());
    assert_eq!((state, error), (TransferState::Done, None));
    assert_eq!(
        scene.tree(),
        BTreeMap::from([("small".into(), b"small".to_vec()), ("large".into(), large)])
    );
    assert_eq!(scene.read(), 1, "what came is not asked for again");
    assert_eq!(progress.bytes_server, progress.bytes_total);
    assert_eq!((progress.bytes_done, progress.bytes_own), (progress.bytes_total, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_and_a_restart_keep_what_has_come() {
    let large = noise(3 << 20, 1);
    let scene = sent(&[("large", &large)]);
    let (_, held) = manifest(&large);
    let late = held[0].0;
    let bytes = scene.take(&late);
    let (task, pause) = scene.start();
    let came = large.len() as u64 - u64::from(late.len);
    scene.progress(|(_, progress)| progress.bytes_server == came).await;
    pause.cancel();
    assert_eq!(task.await.unwrap(), Outcome::Stopped);
    scene.read();
    scene.bring(&late, bytes);
    let (state, progress, _) = ended(scene.start().0.await.unwrap());
    assert_eq!((state, scene.read()), (TransferState::Done, 1));
    assert_eq!((progress.bytes_server, progress.bytes_own), (late.len.into(), came));
    assert_eq!(scene.tree(), BTreeMap::from([("large".into(), large)]));
    let (state, progress, _) = ended(scene.start().0.await.unwrap());
    assert_eq!((state, scene.read()), (TransferState::Done, 0));
    assert_eq!((progress.files_done, progress.bytes_server), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stood_there_is_kept_beside() {
    let scene = sent(&[("a.txt", b"sent")]);
    fs::create_dir(scene.folder.path().join("in")).unwrap();
    fs::write(scene.folder.path().join("in/a.txt"), "mine").unwrap();
    let (state, progress, _) = ended(scene.start().0.await.unwrap());
    assert_eq!((state, progress.conflicts), (TransferState::Done, 1));
    let tree = scene.tree();
    assert_eq!(tree["a.txt"], b"sent");
    assert!(
        tree.iter()
            .any(|(name, bytes)| name.starts_with("a (kept from copy") && bytes == b"mine")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_one_of_the_programs_own_names_is_told_and_the_rest_is_written() {
    let scene = sent(&[(".beckon-PART-0011223344556677", b"bad"), ("good", b"good")]);
    let (state, progress, _) = ended(scene.start().0.await.unwrap());
    assert_eq!((state, progress.failed), (TransferState::Partly, 1));
    assert_eq!(scene.tree().into_keys().collect::<Vec<_>>(), ["good"]);
    assert_eq!(scene.fake.store().problems[0].code, ErrorCode::NotAllowed);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_list_than_the_one_in_the_order_is_refused() {
    let scene = sent(&[("a", b"sent")]);
    scene.fake.store().beside.push(0);
    let (state, _, code) = ended(scene.start().0.await.unwrap());
    assert_eq!((state, code), (TransferState::Failed, Some(ErrorCode::BadOrder)));
    assert!(scene.tree().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_into_a_root_that_its_owner_has_not_opened_for_it() {
    let mut scene = sent(&[("a", b"sent")]);
    scene.writable = false;
    let (state, _, code) = ended(scene.start().0.await.unwrap());
    assert_eq!((state, code), (TransferState::Failed, Some(ErrorCode::NotAllowed)));
    assert!(scene.tree().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_many_files_of_which_nothing_came_nothing_is_looked_for() {
    let names: Vec<_> = (0..BATCH + 44).map(|at| format!("f{at:03}")).collect();
    let contents: Vec<_> = (0..names.len())
        .map(|at| format!("content {at}").into_bytes())
        .collect();
    let files: Vec<_> = names
        .iter()
        .zip(&contents)
        .map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
        .collect();
    let scene = sent(&files);
    let all = std::mem::take(&mut scene.fake.store().chunks);
    let last = manifest(&contents[contents.len() - 1]).1[0].0.id;
    let (task, _) = scene.start();
    let reads = async |many: usize| {
        while scene.fake.store().read.len() < many {
            tokio::task::yield_now().await;
        }
        scene.read()
    };
    assert_eq!(
        reads(names.len()).await,
        names.len(),
        "at first everything is looked for"
    );
    scene.fake.store().chunks.insert(last, all[&last].clone());
    for _ in 0..2 {
        scene.news.notify_one();
        assert_eq!(reads(BATCH).await, BATCH);
    }
    let is_last_there = scene.folder.path().join("in").join(&names[names.len() - 1]).exists();
    assert!(!is_last_there, "nobody asked for the last one");
    scene.fake.store().chunks = all;
    scene.news.notify_one();
    let (state, progress, _) = ended(task.await.unwrap());
    assert_eq!((state, progress.files_done), (TransferState::Done, names.len() as u64));
    assert_eq!(scene.read(), names.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_that_is_not_there_is_asked_about_and_not_made() {
    let scene = sent(&[("a", b"sent")]);
    let (root, away) = (
        scene.folder.path().to_owned(),
        scene.folder.path().with_extension("away"),
    );
    let (_, held) = manifest(b"sent");
    let bytes = scene.take(&held[0].0);
    let (task, _) = scene.start();
    scene.progress(|(_, progress)| progress.walked).await;
    fs::rename(&root, &away).unwrap();
    scene.bring(&held[0].0, bytes);
    assert!(matches!(task.await.unwrap(), Outcome::Asks(_)));
    assert!(!root.exists());
    fs::rename(&away, &root).unwrap();
}

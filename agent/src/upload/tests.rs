//! Whole uploads of real files to a server in memory.
#![allow(
    clippy::disallowed_methods,
    reason = "the tests make and change the files that the agent reads"
)]

mod delivered;
mod fake;
mod gone;
mod kept;
mod recipes;
mod watched;
mod weather;

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    time::{Duration, SystemTime},
};

use beckon_shared::{id::RootId, manifest::Content, path::Label, signature::PublicKey};

use super::*;
use crate::{
    identity,
    state::{RootConfig, StateDir},
    upload::remote::Failure,
};
use fake::{Fake, Fault, no_room};

const TRANSFER: TransferId = TransferId(uuid::Uuid::from_bytes([9; 16]));

/// A machine with a root, and its server.
struct Bench {
    folder: tempfile::TempDir,
    keys: Arc<DeviceKeys>,
    index: Index,
    server: Fake,
    throttle: Arc<Throttle>,
    durable: Arc<DurableFiles>,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("root")).unwrap();
        let keys = Arc::new(identity::new_keys());
        let index = Index::open(&StateDir::open(&folder.path().join("state")).unwrap()).unwrap();
        let server = Fake::new(PublicKey::from(keys.signing()));
        Self {
            folder,
            keys,
            index,
            server,
            throttle: Arc::default(),
            durable: Arc::default(),
        }
    }

    fn path(&self, below: &str) -> std::path::PathBuf {
        self.folder.path().canonicalize().unwrap().join("root").join(below)
    }

    /// Writes a file whose last change lies an hour back, so that its stamp is settled.
    fn write(&self, below: &str, content: &[u8]) {
        let path = self.path(below);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        age(&path, Duration::from_secs(3600));
    }

    fn job(&self, paths: &[&str]) -> Job {
        let config = RootConfig {
            id: RootId([3; 16]),
            name: Label::new("root").unwrap(),
            path: self.path("").components().collect(),
            writable: false,
            ignore: String::new(),
        };
        Job {
            transfer: TRANSFER,
            root: Arc::new(Root::new(&config)),
            space: fake::space(),
            selection: Selection::Inline(paths.iter().map(|path| below(path)).collect()),
            beside: None,
            below: RootPath::root(),
            device: self.keys.id(),
            keys: Arc::clone(&self.keys),
            cancel: CancellationToken::new(),
            pause: CancellationToken::new(),
            if_missing: IfMissing::Ask,
        }
    }

    fn shared<R>(&self, remote: R, pace: Pace) -> Shared<R> {
        Shared {
            remote,
            below: RootPath::root(),
            counters: Arc::new(Counters::new(self.index.tally(TRANSFER))),
            pace,
            compression: Compression::Fast,
            throttle: Arc::clone(&self.throttle),
            durable: Arc::clone(&self.durable),
            window: Window::default(),
        }
    }

    async fn upload(&self, paths: &[&str]) -> (TransferState, Progress, Option<Refusal>) {
        match self.outcome(self.job(paths)).await {
            Outcome::Ended { state, progress, error } => (state, progress, error),
            other => panic!("{other:?}"),
        }
    }

    async fn outcome(&self, job: Job) -> Outcome {
        let fast = (Duration::from_millis(1), Duration::from_millis(5));
        let pace = Pace {
            network: fast,
            room: (TELL, TELL * 2),
            changing: fast,
        };
        let shared = self.shared(self.server.clone(), pace);
        upload(job, shared, self.index.clone(), Arc::default()).await
    }

    async fn done(&self, paths: &[&str]) -> Progress {
        let (state, progress, error) = self.upload(paths).await;
        assert_eq!((state, error), (TransferState::Done, None));
        assert!(progress.walked);
        assert_eq!(
            (progress.files_done, progress.bytes_done),
            (progress.files_total, progress.bytes_total)
        );
        progress
    }
}

fn below(path: &str) -> RootPath {
    RootPath::new(path.as_bytes()).unwrap()
}

fn age(path: &Path, by: Duration) {
    fs::File::open(path)
        .unwrap()
        .set_modified(SystemTime::now() - by)
        .unwrap();
}

fn noise(len: usize, seed: u8) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new_keyed(&[seed; 32]).finalize_xof().fill(&mut bytes);
    bytes
}

fn sample() -> (Bench, Vec<(&'static str, Vec<u8>)>) {
    let bench = Bench::new();
    let files = vec![
        ("empty", Vec::new()),
        ("small", b"text ".repeat(2000)),
        ("photos/2026/large", noise(20 << 20, 1)),
        ("photos/twin of large", noise(20 << 20, 1)),
        ("photos/exact", noise(buffer::BUFFER_LEN, 2)),
        ("photos/between", noise(70_000, 3)),
    ];
    for (path, content) in &files {
        bench.write(path, content);
    }
    fs::create_dir(bench.path("photos/nothing in it")).unwrap();
    symlink("../../outside", bench.path("photos/link")).unwrap();
    (bench, files)
}

fn assert_equal(bench: &Bench, files: &[(&str, Vec<u8>)]) {
    bench.server.with(|store| {
        for (path, content) in files {
            assert!(store.content(&below(path)) == *content, "{path} differs");
        }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_was_selected_is_committed_and_equal() {
    let (bench, files) = sample();
    let progress = bench.done(&[""]).await;
    assert_eq!(progress.files_total, files.len() as u64);
    assert_eq!(
        (progress.files_unchanged, progress.bytes_present),
        (0, 20 << 20),
        "the twin"
    );
    assert_equal(&bench, &files);
    bench.server.with(|store| {
        assert_eq!(store.heads.len(), files.len() + 4, "three folders and a link besides");
        assert_eq!(store.heads[&below("photos/nothing in it")].content, Content::Folder);
        assert_eq!(
            store.heads[&below("photos/link")].content,
            Content::Symlink(b"../../outside".to_vec())
        );
        assert_eq!(store.sent_again, 0, "equal content travels once");
        let stored: u64 = store.chunks.values().map(|chunk| chunk.len() as u64).sum();
        assert!(progress.bytes_sent < stored, "text was compressed");
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_again_asks_nothing_and_sends_nothing() {
    let (bench, _) = sample();
    let sent = bench.done(&[""]).await.bytes_sent;
    let before = bench.server.with(|store| (store.asked, store.commits));
    let again = bench.done(&[""]).await;
    assert_eq!(again.bytes_sent, sent, "the count goes on where it was");
    assert_eq!(again.files_unchanged, 0, "this very transfer has stored them");
    bench.index.forget_transfer(TRANSFER);
    let other = bench.done(&[""]).await;
    assert_eq!((other.files_unchanged, other.bytes_present), (other.files_done, 0));
    assert_eq!(bench.server.with(|store| (store.asked, store.commits)), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_epoch_asks_again_and_sends_nothing() {
    let (bench, files) = sample();
    let sent = bench.done(&[""]).await.bytes_sent;
    bench.server.with(|store| {
        store.epoch = 2;
        store.heads.clear();
    });
    let again = bench.done(&[""]).await;
    assert_eq!((again.bytes_sent, again.files_unchanged), (sent, 0));
    assert_eq!(again.bytes_present, again.bytes_done, "the server had all of it");
    assert_equal(&bench, &files);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_byte_changed_in_a_large_file_sends_the_chunks_around_it() {
    let (bench, mut files) = sample();
    let sent = bench.done(&[""]).await.bytes_sent;
    let (path, content) = &mut files[2];
    content.insert(10_000_001, 7);
    bench.write(path, content);
    let more = bench.done(&[""]).await.bytes_sent - sent;
    assert!(more <= 3 << 20, "{more} bytes");
    assert_equal(&bench, &files);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_break_at_any_step_sends_nothing_twice_that_was_durable() {
    for fault in [
        Fault::Before(Failure::Break),
        Fault::After,
        Fault::Before(Failure::Ticket),
    ] {
        for step in 0.. {
            let bench = Bench::new();
            let files = [
                ("a", noise(9 << 20, 1)),
                ("b/c", noise(100, 2)),
                ("b/d", noise(3 << 20, 3)),
            ];
            for (path, content) in &files {
                bench.write(path, content);
            }
            bench.server.with(|store| _ = store.faults.insert(step, fault.clone()));
            let progress = bench.done(&[""]).await;
            assert_equal(&bench, &files);
            assert_eq!(
                bench.server.with(|store| store.sent_again),
                0,
                "{fault:?} at step {step}"
            );
            assert_eq!(progress.files_done, 3);
            if bench.server.with(|store| store.questions) <= step {
                assert!(step > 5, "only {step} steps");
                break;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_was_stopped_goes_on_without_sending_again() {
    let (bench, files) = sample();
    let dying = |fault: Failure| Fault::Before(fault);
    for step in 4..200 {
        let refused = Failure::Refused(Refusal::new(ErrorCode::NotAllowed, "as if the agent had ended here"));
        bench.server.with(|store| {
            store.faults.clear();
            store.faults.insert(store.questions + step, dying(refused));
        });
        if bench.upload(&[""]).await.0 == TransferState::Done {
            assert_equal(&bench, &files);
            assert_eq!(bench.server.with(|store| store.sent_again), 0);
            return;
        }
    }
    panic!("it never came to its end");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_room_is_a_hold_that_ends_by_itself() {
    let bench = Bench::new();
    bench.write("file", &noise(100_000, 1));
    bench.server.with(|store| {
        for question in 2..5 {
            store.faults.insert(question, Fault::Before(no_room()));
        }
    });
    bench.done(&[""]).await;
    assert!(bench.server.with(|store| store.holds.contains(&Hold::NoRoom)));
}

#[tokio::test(flavor = "multi_thread")]
async fn closed_hours_are_a_hold_that_ends_by_itself_and_what_is_stored_needs_none() {
    let (bench, files) = sample();
    bench.throttle.set(Some(0));
    let hours = async {
        while !bench.server.with(|store| store.holds.contains(&Hold::Schedule)) {
            tokio::time::sleep(TELL).await;
        }
        assert!(bench.server.with(|store| store.sent.is_empty()));
        bench.throttle.set(None);
    };
    tokio::join!(bench.done(&[""]), hours);
    assert_equal(&bench, &files);
    bench.throttle.set(Some(0));
    bench.done(&[""]).await;
}

#[tokio::test]
async fn what_waits_when_the_hour_ends_waits_for_the_next_one() {
    let bench = Bench::new();
    let shared = bench.shared(bench.server.clone(), Pace::NORMAL);
    let others = shared.window.pass(window::WINDOW_MAX).await;
    let part = vec![(fake::KEY.id(b"content"), bytes::Bytes::from_static(b"content"))];
    let mut sending = std::pin::pin!(store::send_part(&shared, part));
    assert!(futures_util::poll!(&mut sending).is_pending());
    bench.throttle.set(Some(0));
    drop(others);
    assert!(futures_util::poll!(&mut sending).is_pending());
    assert!(bench.server.with(|store| store.sent.is_empty()));
    assert_eq!(shared.counters.hold(), Hold::Schedule);
    bench.throttle.set(None);
    sending.await.unwrap();
    assert_eq!(bench.server.with(|store| store.sent.len()), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_head_is_signed_on_top_of() {
    let bench = Bench::new();
    bench.write("file", b"content");
    let job = bench.job(&[""]);
    let server = bench.server.clone();
    let grant = server.begin().await.unwrap();
    bench.done(&["file"]).await;
    let shared = Arc::new(bench.shared(server, Pace::NORMAL));
    let source = bench.index.source(job.space, job.root.id, 1, grant.head).unwrap();
    let upload = Upload {
        job,
        shared: Arc::clone(&shared),
        index: bench.index.clone(),
        buffers: Arc::default(),
        grant,
        source,
        keeps: false,
    };
    bench.write("later", b"more");
    let (problems, _reported) = mpsc::channel(8);
    upload.run(vec![below("later")], problems).await.unwrap();
    bench.server.with(|store| {
        assert_eq!((store.head.number, store.commits), (2, 3));
        assert_eq!(store.content(&below("later")), b"more");
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_lost_is_read_and_sent_again() {
    let (bench, files) = sample();
    let key = fake::KEY;
    bench
        .server
        .with(|store| store.lost = vec![key.id(&files[1].1), key.id(&files[0].1)]);
    bench.done(&[""]).await;
    assert_equal(&bench, &files);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unsettled_file_is_read_again_until_it_is_settled() {
    let bench = Bench::new();
    bench.write("file", b"first");
    let path = bench.path("file");
    age(&path, Duration::ZERO);
    bench.done(&[""]).await;
    let asked = bench.server.with(|store| (store.asked, store.commits));
    bench.done(&[""]).await;
    assert_eq!(
        bench.server.with(|store| (store.asked, store.commits)),
        asked,
        "it is as new as before: nothing to tell"
    );
    // Another content under the same size and mtime, as within the grain of a coarse clock.
    let mtime = fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(&path, b"other").unwrap();
    fs::File::open(&path).unwrap().set_modified(mtime).unwrap();
    bench.done(&[""]).await;
    assert_eq!(bench.server.with(|store| store.content(&below("file"))), b"other");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_fails_and_the_rest_is_stored() {
    let bench = Bench::new();
    bench.write("there", b"content");
    make_pipe(&bench.path("pipe"));
    let (state, progress, error) = bench.upload(&["there", "away", "pipe"]).await;
    assert_eq!(
        (state, error, progress.failed, progress.files_done),
        (TransferState::Partly, None, 1, 1)
    );
    let codes: Vec<_> = bench
        .server
        .with(|store| store.problems.iter().map(|problem| problem.code).collect());
    assert_eq!(codes, [ErrorCode::NotFound, ErrorCode::NotAFile]);
    let (state, _, error) = bench.upload(&["away"]).await;
    assert_eq!(
        (state, error.unwrap().code),
        (TransferState::Failed, ErrorCode::NotFound)
    );
    assert_eq!(
        bench.server.with(|store| store.problems.len()),
        1,
        "those of the run before are forgotten"
    );
    let (state, ..) = bench.upload(&[""]).await;
    assert_eq!(state, TransferState::Done, "a pipe in a folder is passed over");
    let (state, progress, _) = bench.upload(&["there", "pipe"]).await;
    assert_eq!((state, progress.failed), (TransferState::Done, 0), "it is told of");
    assert_eq!(bench.server.with(|store| store.problems.len()), 1);
    let (state, _, error) = bench.upload(&["pipe"]).await;
    assert_eq!(
        (state, error.unwrap().code),
        (TransferState::Failed, ErrorCode::NotAFile)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_selection_comes_beside_the_order() {
    let bench = Bench::new();
    let names: Vec<_> = (0..500).map(|at| format!("a rather long name {at}")).collect();
    for name in &names {
        bench.write(name, name.as_bytes());
    }
    let (selection, detached) = Selection::of(names.iter().map(|name| below(name)).collect());
    bench.server.with(|store| store.selection = detached.unwrap());
    let job = Job {
        selection: selection.clone(),
        ..bench.job(&[])
    };
    let run = |job| bench.outcome(job);
    assert!(matches!(
        run(job).await,
        Outcome::Ended {
            state: TransferState::Done,
            ..
        }
    ));
    assert_eq!(bench.server.with(|store| store.heads.len()), 500);
    bench.server.with(|store| store.selection.push(0));
    let forged = run(Job {
        selection,
        ..bench.job(&[])
    })
    .await;
    assert!(
        matches!(forged, Outcome::Ended { state: TransferState::Failed, error: Some(error), .. } if error.code == ErrorCode::BadOrder)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_selection_that_was_given_directly_is_handed_over_and_not_asked_for() {
    let bench = Bench::new();
    let names: Vec<String> = (0..500).map(|n| format!("a folder/file {n}")).collect();
    for name in &names {
        bench.write(name, b"content");
    }
    let (selection, detached) = Selection::of(names.iter().map(|name| below(name)).collect());
    let refused = |code| Failure::Refused(Refusal::new(code, "not today"));
    let refusals = |code, count| vec![refused(code); count];
    for (failures, is_kept) in [
        (Vec::new(), true),
        (vec![Failure::Break; 9], true),
        (refusals(ErrorCode::GoingAway, 2), true),
        (refusals(ErrorCode::GoingAway, 9), false),
        (refusals(ErrorCode::NotAllowed, 1), false),
    ] {
        bench.server.with(|store| {
            let after_begin = store.questions + 1;
            let faults = failures.into_iter().map(fake::Fault::Before);
            store.faults.clear();
            store.faults.extend((after_begin..).zip(faults));
        });
        let job = Job {
            selection: selection.clone(),
            beside: detached.clone(),
            ..bench.job(&[])
        };
        assert!(matches!(
            bench.outcome(job).await,
            Outcome::Ended {
                state: TransferState::Done,
                ..
            }
        ));
        let kept = bench.server.with(|store| std::mem::take(&mut store.selection));
        assert_eq!(kept, if is_kept { detached.clone().unwrap() } else { Vec::new() });
    }
    let forged = Job {
        selection,
        beside: detached.map(|mut bytes| {
            bytes.pop();
            bytes
        }),
        ..bench.job(&[])
    };
    assert!(matches!(
        bench.outcome(forged).await,
        Outcome::Ended {
            state: TransferState::Failed,
            ..
        }
    ));
}

fn make_pipe(path: &Path) {
    let made = std::process::Command::new("mkfifo").arg(path).status().unwrap();
    assert!(made.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_that_goes_away_during_the_upload_is_no_success() {
    let bench = Bench::new();
    bench.write("file", b"content");
    let job = bench.job(&[""]);
    let remote = bench.server.clone();
    let shared = Arc::new(bench.shared(remote, Pace::NORMAL));
    let grant = bench.server.begin().await.unwrap();
    let source = bench.index.source(job.space, job.root.id, 1, grant.head).unwrap();
    let upload = Upload {
        job,
        shared: Arc::clone(&shared),
        index: bench.index.clone(),
        buffers: Arc::default(),
        grant,
        source,
        keeps: false,
    };
    fs::remove_dir_all(bench.path("")).unwrap();
    let (problems, mut reported) = mpsc::channel(8);
    let (rows, _committed) = mpsc::channel(8);
    let mut chain = upload.chain(rows, problems.clone());
    shared.counters.found_file(7);
    let feed = Feed::Again(vec![Item::file(below("file"), 7)]);
    assert!(upload.round(feed, &mut chain, &problems).await.unwrap().is_empty());
    assert_eq!(reported.recv().await.unwrap().code, ErrorCode::NotFound);
    assert_eq!(shared.counters.progress().failed, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_lets_what_is_on_its_way_arrive_and_nothing_of_it_is_sent_again() {
    for question in [0, 1, 2, 4, 7] {
        let bench = Bench::new();
        let names: Vec<String> = (0..12).map(|number| format!("file-{number}")).collect();
        let files: Vec<_> = (0..12).map(|number| noise(6 << 20, number)).collect();
        for (name, content) in names.iter().zip(&files) {
            bench.write(name, content);
        }
        let job = bench.job(&[""]);
        bench
            .server
            .with(|store| store.pause_at = Some((question, job.pause.clone())));
        assert_eq!(bench.outcome(job).await, Outcome::Stopped, "at question {question}");
        let stored = bench.server.with(|store| store.chunks.len());
        assert_eq!(bench.done(&[""]).await.files_done, 12);
        bench.server.with(|store| {
            assert!(store.chunks.len() > stored, "it did not stop before the end");
            assert_eq!(store.sent_again, 0, "paused at question {question}");
            for (name, content) in names.iter().zip(&files) {
                assert!(store.content(&below(name)) == *content, "{name} differs");
            }
        });
    }
}

//! What is not there any more: a few files are nothing to talk about, and for many, or for the root, a person is asked.

use super::*;

/// A root of which so many files are stored.
async fn stored(count: usize) -> Bench {
    let bench = Bench::new();
    for at in 0..count {
        bench.write(&format!("folder {}/file {at}", at % 7), at.to_string().as_bytes());
    }
    bench.done(&[""]).await;
    bench
}

fn remove(bench: &Bench, numbers: std::ops::Range<usize>) {
    for at in numbers {
        fs::remove_file(bench.path(&format!("folder {}/file {at}", at % 7))).unwrap();
    }
}

async fn answered(bench: &Bench, paths: &[&str]) -> Outcome {
    let job = Job {
        if_missing: IfMissing::GoOn,
        ..bench.job(paths)
    };
    bench.outcome(job).await
}

fn is_done(outcome: &Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Ended {
            state: TransferState::Done,
            ..
        }
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn some_may_be_gone_each_time_and_are_not_counted_again() {
    let bench = stored(120).await;
    for first in [0, 40] {
        remove(&bench, first..first + 40);
        bench.done(&[""]).await;
    }
    assert_eq!(
        bench.server.with(|store| store.heads.len()),
        127,
        "nothing is deleted in the drive"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn when_many_are_gone_nothing_goes_on_before_a_person_says_so() {
    let bench = stored(120).await;
    remove(&bench, 0..51);
    bench.write("new", b"news");
    for _ in 0..2 {
        assert!(matches!(bench.outcome(bench.job(&[""])).await, Outcome::Asks(_)));
    }
    assert!(bench.server.with(|store| store.holds.contains(&Hold::Question)));
    bench.done(&["new"]).await;
    assert!(is_done(&answered(&bench, &[""]).await));
    assert_eq!(
        bench.done(&[""]).await.files_done,
        70,
        "it was answered once and for all"
    );
    assert_eq!(
        bench.server.with(|store| store.heads.len()),
        128,
        "nothing is deleted in the drive"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_root_leaves_out_since_it_was_stored_is_not_gone() {
    let bench = stored(120).await;
    let job = bench.job(&[""]);
    let config = RootConfig {
        id: job.root.id,
        name: job.root.name.clone(),
        path: job.root.path().to_owned(),
        writable: false,
        ignore: "file *".to_owned(),
    };
    let root = Arc::new(Root::new(&config));
    assert!(is_done(&bench.outcome(Job { root, ..job }).await));
    let asked = |bench: &Bench| bench.server.with(|store| store.asked);
    let before = asked(&bench);
    bench.done(&[""]).await;
    assert_eq!(asked(&bench), before, "it is known still when it is left out no more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_that_is_gone_is_asked_about_and_goes_on_when_it_is_back() {
    let bench = stored(3).await;
    let (root, aside) = (
        bench.path("").components().collect::<std::path::PathBuf>(),
        bench.folder.path().join("aside"),
    );
    fs::rename(&root, &aside).unwrap();
    assert!(matches!(
        bench.outcome(bench.job(&["folder 1"])).await,
        Outcome::Asks(_)
    ));
    assert!(
        matches!(answered(&bench, &[""]).await, Outcome::Ended { state: TransferState::Failed, error: Some(error), .. } if error.code == ErrorCode::NotFound)
    );
    fs::rename(&aside, &root).unwrap();
    let again = bench.done(&[""]).await;
    assert_eq!((again.files_done, bench.server.with(|store| store.sent_again)), (3, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_root_that_is_not_there_fails_at_once() {
    let bench = Bench::new();
    fs::remove_dir(bench.path("")).unwrap();
    let (state, _, error) = bench.upload(&[""]).await;
    assert_eq!(
        (state, error.unwrap().code),
        (TransferState::Failed, ErrorCode::NotFound)
    );
}

/// The figure of the issue: `cargo test -p beckon --lib unchanged_files_are_known -- --ignored --nocapture`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "makes 100,000 files and measures"]
#[allow(clippy::print_stderr, reason = "a measurement")]
async fn a_hundred_thousand_unchanged_files_are_known_in_two_seconds() {
    let bench = Bench::new();
    for at in 0..100_000 {
        bench.write(&format!("folder {}/file {at}", at % 200), at.to_string().as_bytes());
    }
    bench.done(&[""]).await;
    let Bench {
        folder,
        keys,
        index,
        durable,
        server,
        throttle,
    } = bench;
    drop(index);
    let begun = std::time::Instant::now();
    let index = Index::open(&StateDir::open(&folder.path().join("state")).unwrap()).unwrap();
    let opened = begun.elapsed();
    let bench = Bench {
        folder,
        keys,
        index,
        durable,
        server,
        throttle,
    };
    let progress = bench.done(&[""]).await;
    eprintln!(
        "index opened and checked in {opened:?}, nothing to do after {:?}",
        begun.elapsed()
    );
    assert_eq!(progress.files_done, 100_000);
    assert!(begun.elapsed() < Duration::from_secs(2));
}

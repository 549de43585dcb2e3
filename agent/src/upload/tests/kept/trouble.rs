//! A root that is kept stored while disks are taken out, lines break, programs end and servers forget.

use super::*;

/// A round whose first structural commit the server takes, and then nothing more is heard of either.
async fn cut_off_after_its_commit(kept: &mut Kept, scopes: Vec<Scope>) {
    let structural = |store: &fake::Store| store.moves + store.removes;
    let before = kept.bench.server.with(|store| {
        let first = store.questions;
        store.faults = (first..first + 100_000)
            .map(|at| {
                (
                    at,
                    if at == first {
                        Fault::After
                    } else {
                        Fault::Before(Failure::Break)
                    },
                )
            })
            .collect();
        structural(store)
    });
    let server = kept.bench.server.clone();
    let taken = async {
        while server.with(|store| structural(store)) == before {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        cycle = kept.round(Places::Some(scopes), IfMissing::Ask) => panic!("{cycle:?}"),
        () = taken => {}
    }
    kept.bench.server.with(|store| store.faults.clear());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_of_which_the_answer_was_not_heard_leaves_nothing_behind_whatever_happens_next() {
    for next in ["photos", "elsewhere", "gone"] {
        let mut kept = sample().await;
        let scopes = kept.rename("photos", "pictures");
        cut_off_after_its_commit(&mut kept, scopes).await;
        match next {
            "gone" => fs::remove_dir_all(kept.bench.path("pictures")).unwrap(),
            to => _ = kept.rename("pictures", to),
        }
        kept.restart().await;
        kept.all().await;
        kept.assert_equal();
        assert_eq!(kept.told().3, 0, "no content is sent");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_of_which_the_answer_was_not_heard_is_undone_if_the_files_are_back() {
    let mut kept = sample().await;
    let aside = kept.bench.folder.path().join("aside");
    fs::rename(kept.bench.path("photos"), &aside).unwrap();
    cut_off_after_its_commit(&mut kept, vec![Scope::itself(below("photos"))]).await;
    fs::rename(&aside, kept.bench.path("photos")).unwrap();
    kept.restart().await;
    kept.all().await;
    kept.assert_equal();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mount_point_without_its_disk_takes_nothing_away_even_after_a_restart() {
    let mut kept = sample().await;
    let root = kept.bench.path("").components().collect::<PathBuf>();
    let aside = kept.bench.folder.path().join("aside");
    fs::rename(&root, &aside).unwrap();
    fs::create_dir(&root).unwrap();
    // Something may stand in the folder that the disk is mounted at.
    kept.bench.write("a", b"one");
    for _ in 0..2 {
        assert!(matches!(kept.round(Places::All, IfMissing::Ask).await, Cycle::Much));
        kept.restart().await;
    }
    assert_eq!(kept.told(), (0, 0, 0, 0));
    fs::remove_dir_all(&root).unwrap();
    fs::rename(&aside, &root).unwrap();
    kept.all().await;
    assert_eq!(kept.told(), (0, 0, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn much_that_goes_away_bit_by_bit_is_asked_about_too() {
    let bench = Bench::new();
    for at in 0..600 {
        bench.write(&format!("f{}/{at}", at / 30), b"");
    }
    let mut kept = Kept::of(bench).await;
    let mut asked_at = None;
    for at in 0..20 {
        fs::remove_dir_all(kept.bench.path(&format!("f{at}"))).unwrap();
        let told = vec![Scope::itself(below(&format!("f{at}")))];
        if let Cycle::Much = kept.round(Places::Some(told), IfMissing::Ask).await {
            asked_at = Some(at);
            break;
        }
    }
    assert_eq!(asked_at, Some(2));
    done(kept.round(Places::All, IfMissing::GoOn).await);
    fs::remove_dir_all(kept.bench.path("f9")).unwrap();
    kept.look(vec![Scope::itself(below("f9"))]).await;
    kept.assert_equal();
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_that_took_each_others_place_are_known_again_when_they_move() {
    let mut kept = sample().await;
    kept.rename("photos", "aside");
    kept.rename("notes", "photos");
    kept.rename("aside", "notes");
    kept.all().await;
    kept.assert_equal();
    kept.told();
    let scopes = kept.rename("notes", "pictures");
    kept.look(scopes).await;
    assert_eq!(kept.told(), (0, 1, 0, 0));
    kept.assert_equal();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_lost_commits_is_told_of_everything_again() {
    let mut kept = sample().await;
    let (head, heads) = kept.bench.server.with(|store| (store.head, store.heads.clone()));
    for (path, content) in [("lost", &b"five"[..]), ("a", b"newer")] {
        kept.bench.write(path, content);
        kept.all().await;
    }
    kept.bench
        .server
        .with(|store| (store.head, store.heads) = (head, heads));
    kept.bench.write("b", b"six");
    let order = Order {
        places: Places::Some(vec![Scope::itself(below("b"))]),
        if_missing: IfMissing::Ask,
        pause: CancellationToken::new(),
        follow: Box::new(|_| {}),
    };
    let refusal = kept.keeping.round(order).await.unwrap_err();
    assert!(refusal.retry, "{refusal}");
    kept.restart().await;
    kept.all().await;
    kept.assert_equal();
}

//! What lost power makes of files is restored, and never taken for an edit.

use super::*;
use crate::copy::book::Intent;

fn set_mtime(file: &Path, seconds: u64) {
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
    fs::File::options()
        .write(true)
        .open(file)
        .unwrap()
        .set_modified(time)
        .unwrap();
}

#[tokio::test]
async fn after_an_unclean_stop_damaged_files_are_written_again_and_edits_are_kept() {
    for is_clean in [false, true] {
        let mut scene = Scene::new();
        let content = noise(100_000, 1);
        let names = ["same-time", "empty", "zero-tail", "edited", "good"];
        let steps: Vec<Step> = names.iter().map(|name| scene.shelf.put(name, &content, 50)).collect();
        scene.done(steps.clone()).await;
        scene.restart(is_clean);
        scene.write("same-time", noise(100_000, 2));
        set_mtime(&scene.at("same-time"), 50);
        scene.write("empty", "");
        scene.write("zero-tail", [&content[..60_000], &[0; 40_000]].concat());
        scene.write("edited", "something else");
        let survey = scene.survey().await;
        let (damaged, edited) = if is_clean { (0, 4) } else { (3, 1) };
        assert_eq!((survey.damaged, survey.edited), (damaged, edited), "{is_clean}");
        scene.apply(steps).await;
        for name in names {
            let is_restored = scene.read(name).unwrap() == content;
            let was_left = name == "edited" || is_clean && name != "good";
            assert_eq!(is_restored, !was_left, "{name} {is_clean}");
        }
        assert_eq!(scene.trash().len(), usize::try_from(damaged).unwrap());
        assert_eq!(scene.survey().await.damaged, 0);
    }
}

#[tokio::test]
async fn zeros_that_belong_there_are_no_damage() {
    let mut scene = Scene::new();
    let zeros = [&noise(100_000, 1)[..], &[0; 2000]].concat();
    scene.done(vec![scene.shelf.put("a", &zeros, 50)]).await;
    scene.restart(false);
    let edit = [b"edit", &zeros[4..]].concat();
    scene.write("a", edit);
    let survey = scene.survey().await;
    assert_eq!((survey.damaged, survey.edited), (0, 1));
}

#[tokio::test]
async fn temporary_files_of_a_crash_are_swept() {
    let mut scene = Scene::new();
    scene.done(vec![scene.shelf.put("d/a", b"x", 50)]).await;
    for at in [".beckon-PART-00", "d/.beckon-PART-01"] {
        scene.write(at, "half");
    }
    scene.restart(true);
    scene.survey().await;
    assert_eq!(scene.tree().len(), 4, "after a clean stop nobody looks for them");
    scene.restart(false);
    scene.survey().await;
    assert_eq!(scene.tree().into_keys().collect::<Vec<_>>(), ["d/", "d/a"]);
}

#[tokio::test]
async fn a_crash_between_the_disk_and_the_book_makes_no_conflict() {
    let scene = Scene::new();
    scene
        .done(vec![scene.shelf.put("a", b"one", 1), scene.shelf.put("m", b"moves", 1)])
        .await;
    let row = scene.book.row(transfer(), &path("a")).unwrap().unwrap();
    // As if the name had been given, and the book had not heard of it.
    scene.done(vec![scene.shelf.put("a", b"two", 2)]).await;
    let intent = (
        path("a"),
        crate::copy::book::Intent {
            content: Hash::of(b"two"),
        },
    );
    scene
        .book
        .write(transfer(), |pen| {
            pen.restamp(&[(path("a"), row)])?;
            pen.intend(&[intent])
        })
        .unwrap();
    fs::rename(scene.at("m"), scene.at("n")).unwrap();
    scene
        .done(vec![scene.shelf.put("a", b"three", 3), relocate("m", "n")])
        .await;
    assert_eq!(scene.read("a").unwrap(), b"three");
    assert_eq!(scene.conflicts(), []);
    assert_eq!(
        scene.survey().await,
        Survey {
            known: 2,
            ..Survey::default()
        }
    );
}

#[tokio::test]
async fn old_trash_is_swept_and_nothing_else() {
    let scene = Scene::new();
    let old = Timestamp(clock::now().0 - 31 * 24 * 3_600_000);
    let date = |at: Timestamp| {
        chrono::DateTime::from_timestamp_millis(at.0)
            .unwrap()
            .date_naive()
            .to_string()
    };
    for at in [
        date(old),
        format!("{} 2", date(old)),
        date(clock::now()),
        "2020-01-01-mine".to_owned(),
    ] {
        scene.write(&format!(".beckon/trash/{at}/deep/file"), "x");
    }
    scene.write(".beckon/other", "x");
    scene.survey().await;
    let mut left: Vec<String> = fs::read_dir(scene.at(".beckon/trash"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    left.sort();
    assert_eq!(left, ["2020-01-01-mine".to_owned(), date(clock::now())]);
    assert!(scene.at(".beckon/other").exists());
}

#[tokio::test]
async fn a_move_that_the_book_has_not_heard_of_is_known_after_a_restart_and_one_by_hand_is_not() {
    for is_announced in [true, false] {
        let mut scene = Scene::new();
        scene
            .done(vec![folder("a", 0o755), scene.shelf.put("a/x", b"x", 1)])
            .await;
        let moves = [(path("a"), path("b"))];
        if is_announced {
            scene.book.write(transfer(), |pen| pen.announce_moves(&moves)).unwrap();
        }
        fs::rename(scene.at("a"), scene.at("b")).unwrap();
        scene.restart(false);
        scene.survey().await;
        let is_known = scene.book.row(transfer(), &path("b/x")).unwrap().is_some();
        assert_eq!(is_known, is_announced);
        assert!(scene.book.moves(transfer()).unwrap().is_empty());
        scene.apply(vec![remove("b")]).await;
        assert_eq!(scene.tree().is_empty(), is_announced, "what somebody moved stays");
    }
}

#[tokio::test]
async fn what_came_and_the_book_has_not_heard_of_goes_when_the_origin_takes_it_away() {
    let mut scene = Scene::new();
    scene.done(vec![scene.shelf.put("kept", b"kept", 1)]).await;
    let intents = [
        (path("d"), Hash([0; 32])),
        (path("d/x"), Hash::of(b"x")),
        (path("other"), Hash::of(b"x")),
    ];
    let intents = intents.map(|(path, content)| (path, Intent { content }));
    scene.book.write(transfer(), |pen| pen.intend(&intents)).unwrap();
    scene.write("d/x", "x");
    scene.write("other", "mine");
    scene.restart(true);
    scene.survey().await;
    assert!(scene.book.intents(transfer()).unwrap().is_empty());
    scene.apply(vec![remove("d"), remove("other")]).await;
    assert_eq!(scene.tree().into_keys().collect::<Vec<_>>(), ["kept", "other"]);
}

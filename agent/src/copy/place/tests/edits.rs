//! What somebody changes here is never lost, and never overwritten silently.

use beckon_shared::browse::{Choice, Conflict};

use super::*;
use crate::copy::conflict::Hand;

impl Scene {
    pub(super) fn conflicts(&self) -> Vec<Conflict> {
        self.book.conflicts(transfer()).unwrap()
    }

    fn resolve(&self, at: &str, choice: Choice) -> Result<(), Refusal> {
        let mut hand = Hand {
            disk: &*self.place.0.disk,
            book: &self.book,
            transfer: transfer(),
            machine: Label::new("Laptop").unwrap(),
            touched: Touched::default(),
        };
        hand.resolve(&path(at), choice)
    }
}

/// A name like `a (kept from Laptop, 2026-11-23 14.30).txt`.
fn is_kept(name: &str, stem: &str, extension: &str) -> bool {
    name.starts_with(&format!("{stem} (kept from Laptop, 20")) && name.ends_with(&format!("){extension}"))
}

#[tokio::test]
async fn an_edit_is_kept_beside_when_the_origin_has_something_new() {
    let scene = Scene::new();
    scene.done(vec![scene.shelf.put("d/a.txt", b"one", 1)]).await;
    scene.write("d/a.txt", "mine");
    assert_eq!(
        scene.apply(vec![scene.shelf.put("d/a.txt", b"two", 2)]).await,
        [Became::KeptAside]
    );
    assert_eq!(scene.read("d/a.txt").unwrap(), b"two");
    let [conflict] = &scene.conflicts()[..] else {
        panic!("{:?}", scene.conflicts())
    };
    let kept = conflict.kept.as_ref().unwrap().display();
    assert!(is_kept(&kept, "d/a", ".txt"), "{kept}");
    assert_eq!(scene.read(&kept).unwrap(), b"mine");
    assert_eq!((conflict.ours.unwrap().size, conflict.theirs.unwrap().size), (4, 3));
    assert_eq!(scene.survey().await.edited, 0, "the copy is as it was written");
    assert_eq!(scene.conflicts().len(), 1);
}

#[tokio::test]
async fn an_edit_of_a_file_that_the_origin_left_alone_is_listed_where_it_is() {
    let scene = Scene::new();
    scene
        .done(vec![scene.shelf.put("a", b"one", 1), scene.shelf.put("b", b"two", 1)])
        .await;
    scene.write("a", "mine");
    assert_eq!(
        scene.survey().await,
        Survey {
            known: 2,
            edited: 1,
            ..Survey::default()
        }
    );
    let [conflict] = &scene.conflicts()[..] else { panic!() };
    assert_eq!((&conflict.path, &conflict.kept), (&path("a"), &None));
    assert_eq!(scene.read("a").unwrap(), b"mine");
    assert_eq!(scene.survey().await.edited, 1);
    assert_eq!(scene.place.counters().conflicts.load(Relaxed), 1, "it is counted once");
    scene.write("a", "one");
    assert_eq!(scene.survey().await.edited, 0);
    assert_eq!(scene.conflicts(), [], "somebody undid it");
}

#[tokio::test]
async fn the_same_content_is_no_edit_whoever_wrote_it() {
    let scene = Scene::new();
    scene.done(vec![scene.shelf.put("a", b"one", 1)]).await;
    scene.write("a", "one");
    scene.write("b", "made here");
    assert_eq!(scene.survey().await.edited, 0);
    scene.shelf.asked();
    scene
        .done(vec![
            scene.shelf.put("a", b"two", 2),
            scene.shelf.put("b", b"made here", 2),
        ])
        .await;
    assert_eq!(scene.shelf.asked(), 1, "only what is not here is asked for");
    scene.write("a", "three");
    scene.done(vec![scene.shelf.put("a", b"three", 3)]).await;
    assert_eq!(scene.conflicts(), []);
    assert_eq!(scene.tree().len(), 2);
}

#[tokio::test]
async fn what_was_never_written_here_and_is_in_the_way_is_kept_beside() {
    let scene = Scene::new();
    for (at, below) in [("file", ""), ("link", ""), ("folder", "/inside"), ("other", "/inside")] {
        scene.write(&format!("{at}{below}"), "mine");
    }
    let steps = vec![
        scene.shelf.put("file", b"theirs", 1),
        symlink("link", "x"),
        scene.shelf.put("folder", b"a file", 1),
        folder("other", 0o755),
    ];
    let became = scene.apply(steps).await;
    assert_eq!(became[..3], [Became::KeptAside, Became::KeptAside, Became::KeptAside]);
    assert_eq!(became[3], Became::Done, "folders are one");
    assert_eq!(scene.conflicts().len(), 3);
    let mine = scene.tree().values().filter(|bytes| *bytes == b"mine").count();
    assert_eq!(mine, 4);
    assert_eq!(scene.trash(), Vec::<String>::new());
}

#[tokio::test]
async fn a_file_in_the_way_of_a_folder_is_kept_beside() {
    let scene = Scene::new();
    scene.write("a", "mine");
    let steps = vec![folder("a", 0o755), scene.shelf.put("a/file", b"x", 1)];
    assert_eq!(scene.apply(steps).await, [Became::KeptAside, Became::Done]);
    let kept = scene.conflicts()[0].kept.clone().unwrap().display();
    assert_eq!(scene.read(&kept).unwrap(), b"mine");
}

#[tokio::test]
async fn an_edit_stays_when_the_origin_deletes_the_file_or_a_folder_above() {
    let scene = Scene::new();
    let put = |at: &str| scene.shelf.put(at, b"one", 1);
    scene
        .done(vec![
            put("a"),
            folder("d", 0o755),
            folder("d/e", 0o755),
            put("d/e/x"),
            put("d/y"),
            folder("d/f", 0o755),
        ])
        .await;
    for at in ["a", "d/e/x", "d/e/new"] {
        scene.write(at, "mine");
    }
    assert_eq!(
        scene.apply(vec![remove("a"), remove("d")]).await,
        [Became::Stays, Became::Stays]
    );
    let tree: Vec<String> = scene.tree().into_keys().collect();
    assert_eq!(tree, ["a", "d/", "d/e/", "d/e/new", "d/e/x"]);
    assert_eq!(scene.trash(), ["d/y"]);
    let conflicts = scene.conflicts();
    assert_eq!(conflicts.len(), 2, "what never was the origin's is none: {conflicts:?}");
    assert!(
        conflicts
            .iter()
            .all(|conflict| conflict.theirs.is_none() && conflict.kept.is_none())
    );
    scene.resolve("d/e/x", Choice::Theirs).unwrap();
    scene.resolve("a", Choice::Ours).unwrap();
    assert_eq!(scene.trash(), ["d/e/x", "d/y"]);
    assert_eq!(scene.read("a").unwrap(), b"mine");
    assert_eq!(scene.conflicts(), []);
}

#[tokio::test]
async fn an_edit_while_chunks_come_is_seen() {
    let scene = Scene::new();
    scene.done(vec![scene.shelf.put("a", b"one", 1)]).await;
    let file = scene.at("a");
    *scene.shelf.meanwhile.lock().unwrap() = Some(Box::new(move || fs::write(file, "mine").unwrap()));
    let step = scene.shelf.put("a", b"two", 2);
    assert_eq!(scene.apply(vec![step.clone()]).await, [Became::Waits]);
    assert_eq!(scene.read("a").unwrap(), b"mine");
    assert_eq!(scene.apply(vec![step]).await, [Became::KeptAside]);
    let new = scene.at("new");
    *scene.shelf.meanwhile.lock().unwrap() = Some(Box::new(move || fs::write(new, "mine too").unwrap()));
    assert_eq!(
        scene.apply(vec![scene.shelf.put("new", b"theirs", 1)]).await,
        [Became::Waits]
    );
    assert_eq!(scene.read("new").unwrap(), b"mine too");
}

#[tokio::test]
async fn each_choice_leaves_what_was_chosen_and_puts_the_rest_into_the_trash() {
    for (choice, at_path, is_kept_there, trash) in [
        (Choice::Theirs, "theirs", false, vec!["mine"]),
        (Choice::Ours, "mine", false, vec!["theirs"]),
        (Choice::Both, "theirs", true, vec![]),
    ] {
        let scene = Scene::new();
        scene.done(vec![scene.shelf.put("a", b"one", 1)]).await;
        scene.write("a", "mine");
        scene.apply(vec![scene.shelf.put("a", b"theirs", 2)]).await;
        let changes = scene.book.changes();
        scene.resolve("a", choice).unwrap();
        assert!(changes.has_changed().unwrap());
        assert_eq!(scene.read("a").unwrap(), at_path.as_bytes(), "{choice:?}");
        assert_eq!(scene.tree().len(), 1 + usize::from(is_kept_there), "{choice:?}");
        let trashed: Vec<Vec<u8>> = scene.trash().iter().map(|name| read_trash(&scene, name)).collect();
        assert_eq!(
            trashed,
            trash.iter().map(|text| text.as_bytes()).collect::<Vec<_>>(),
            "{choice:?}"
        );
        assert_eq!(scene.conflicts(), []);
        assert_eq!(
            scene.survey().await,
            Survey {
                known: 1,
                ..Survey::default()
            },
            "{choice:?}"
        );
        assert_eq!(scene.resolve("a", choice).unwrap_err().code, ErrorCode::NotFound);
        let became = scene.apply(vec![scene.shelf.put("a", b"three", 3)]).await;
        assert_eq!(scene.read("a").unwrap(), b"three");
        let is_kept_beside = scene.tree().values().any(|bytes| bytes == b"mine");
        assert_eq!(is_kept_beside, choice != Choice::Theirs, "what was chosen is an edit");
        let expected = if choice == Choice::Ours {
            Became::KeptAside
        } else {
            Became::Done
        };
        assert_eq!(became, [expected]);
        assert_eq!(scene.conflicts().len(), usize::from(choice == Choice::Ours));
    }
}

#[tokio::test]
async fn what_was_chosen_stays_when_the_origin_deletes_it() {
    let scene = Scene::new();
    scene
        .done(vec![scene.shelf.put("a", b"one", 1), scene.shelf.put("d/b", b"two", 1)])
        .await;
    for at in ["a", "d/b"] {
        scene.write(at, "mine");
        scene.survey().await;
        scene.resolve(at, Choice::Ours).unwrap();
    }
    assert_eq!(
        scene.apply(vec![remove("a"), remove("d")]).await,
        [Became::Stays, Became::Stays]
    );
    assert_eq!(scene.read("a").unwrap(), b"mine");
    assert_eq!(scene.read("d/b").unwrap(), b"mine");
}

#[tokio::test]
async fn of_several_changes_of_a_file_the_one_in_its_place_is_the_newest() {
    for (choice, left, trashed) in [
        (Choice::Ours, "newer", vec!["older"]),
        (Choice::Theirs, "two", vec!["older", "newer"]),
    ] {
        let scene = Scene::new();
        scene.done(vec![scene.shelf.put("a", b"one", 1)]).await;
        scene.write("a", "older");
        scene.survey().await;
        let two = scene.shelf.put("a", b"two", 2);
        scene.apply(vec![two.clone()]).await;
        let [conflict] = &scene.conflicts()[..] else {
            panic!("what was put aside lies nowhere else: {:?}", scene.conflicts())
        };
        assert!(conflict.kept.is_some());
        scene.write("a", "newer");
        scene.survey().await;
        assert_eq!(scene.conflicts().len(), 2);
        scene.resolve("a", choice).unwrap();
        scene.done(vec![two]).await;
        assert_eq!(scene.read("a").unwrap(), left.as_bytes(), "{choice:?}");
        assert_eq!(scene.conflicts(), []);
        let mut trash: Vec<_> = scene.trash().iter().map(|name| read_trash(&scene, name)).collect();
        trash.sort();
        let mut trashed: Vec<_> = trashed.iter().map(|text| text.as_bytes().to_vec()).collect();
        trashed.sort();
        assert_eq!(trash, trashed, "{choice:?}");
    }
}

#[tokio::test]
async fn a_choice_about_what_is_gone_moves_nothing() {
    let scene = Scene::new();
    scene.done(vec![scene.shelf.put("a", b"one", 1)]).await;
    scene.write("a", "mine");
    scene.apply(vec![scene.shelf.put("a", b"two", 2)]).await;
    let kept = scene.conflicts()[0].kept.clone().unwrap().display();
    fs::remove_file(scene.at(&kept)).unwrap();
    assert_eq!(scene.resolve("a", Choice::Ours).unwrap_err().code, ErrorCode::NotFound);
    assert_eq!(scene.read("a").unwrap(), b"two");
    assert!(scene.trash().is_empty());
}

#[tokio::test]
async fn what_somebody_made_where_something_moves_from_stays() {
    let scene = Scene::new();
    scene.write("a", "mine");
    scene.done(vec![relocate("a", "b")]).await;
    assert_eq!(scene.read("a").unwrap(), b"mine");
    assert_eq!(scene.read("b"), None);
}

fn read_trash(scene: &Scene, name: &str) -> Vec<u8> {
    let day = fs::read_dir(scene.at(".beckon/trash"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    fs::read(day.path().join(name)).unwrap()
}

#[tokio::test]
async fn choices_about_a_file_that_lies_where_it_was_changed() {
    for choice in [Choice::Theirs, Choice::Ours, Choice::Both] {
        let scene = Scene::new();
        let step = scene.shelf.put("a.txt", b"one", 1);
        scene.done(vec![step.clone()]).await;
        scene.write("a.txt", "mine");
        scene.survey().await;
        scene.resolve("a.txt", choice).unwrap();
        let is_written = scene.book.row(transfer(), &path("a.txt")).unwrap().is_some();
        assert_eq!(is_written, choice == Choice::Ours, "otherwise it is written once more");
        scene.done(vec![step]).await;
        let wanted: &[u8] = if choice == Choice::Ours { b"mine" } else { b"one" };
        assert_eq!(scene.read("a.txt").unwrap(), wanted);
        let kept = scene.tree().into_keys().any(|name| is_kept(&name, "a", ".txt"));
        assert_eq!(kept, choice == Choice::Both);
        assert_eq!(scene.conflicts(), []);
    }
}

#[tokio::test]
async fn what_is_deleted_here_is_written_again_unless_it_is_much() {
    let scene = Scene::new();
    let steps: Vec<Step> = (0..60).map(|at| scene.shelf.put(&format!("f{at}"), b"x", at)).collect();
    scene.done(steps.clone()).await;
    fs::remove_file(scene.at("f1")).unwrap();
    assert_eq!(
        scene.survey().await,
        Survey {
            known: 60,
            missing: 1,
            ..Survey::default()
        }
    );
    assert_eq!(scene.book.row(transfer(), &path("f1")).unwrap(), None);
    scene.done(steps).await;
    for at in 0..51 {
        fs::remove_file(scene.at(&format!("f{at}"))).unwrap();
    }
    let question = Some(Much::Missing { files: 51, known: 60 });
    assert_eq!(scene.survey().await.question, question);
    assert_eq!(
        scene.book.count(transfer(), &RootPath::root()).unwrap().0,
        60,
        "nothing is forgotten"
    );
    scene.place.allow_much();
    assert_eq!(scene.survey().await.question, None);
    assert_eq!(scene.book.count(transfer(), &RootPath::root()).unwrap().0, 9);
}

#[tokio::test]
async fn a_root_that_is_gone_is_asked_about() {
    let scene = Scene::new();
    scene.done(vec![scene.shelf.put("a", b"x", 1)]).await;
    let (root, away) = (scene.at(""), scene.folder.path().with_extension("away"));
    fs::rename(&root, &away).unwrap();
    assert_eq!(scene.survey().await.question, Some(Much::RootGone));
    let applied = scene.try_apply(vec![scene.shelf.put("b", b"y", 1)]).await;
    assert_eq!(applied.question, Some(Much::RootGone));
    assert!(!root.exists(), "a root is never made");
    fs::rename(&away, &root).unwrap();
    assert_eq!(scene.survey().await.question, None);
}

#[tokio::test]
async fn nothing_is_written_into_the_empty_folder_where_a_disk_was() {
    let scene = Scene::new();
    let steps: Vec<Step> = (0..60).map(|at| scene.shelf.put(&format!("f{at}"), b"x", at)).collect();
    scene.done(steps).await;
    let (root, away) = (scene.at(""), scene.folder.path().with_extension("away"));
    fs::rename(&root, &away).unwrap();
    fs::create_dir(&root).unwrap();
    let new = vec![scene.shelf.put("new", b"y", 1)];
    let question = Some(Much::Missing { files: 60, known: 60 });
    assert_eq!(scene.try_apply(new.clone()).await.question, question);
    assert!(scene.tree().is_empty());
    fs::remove_dir(&root).unwrap();
    fs::rename(&away, &root).unwrap();
    scene.done(new).await;
    assert_eq!(scene.tree().len(), 61);
}

#[tokio::test]
async fn much_that_the_origin_takes_away_is_asked_about_first() {
    let scene = Scene::new();
    let steps: Vec<Step> = (0..60)
        .map(|at| scene.shelf.put(&format!("d/f{at}"), b"x", at))
        .collect();
    scene.done(steps).await;
    let one_by_one: Vec<Step> = (0..60).map(|at| remove(&format!("d/f{at}"))).collect();
    let applied = scene.try_apply(one_by_one.clone()).await;
    assert_eq!(applied.question, Some(Much::Removed { files: 51, known: 60 }));
    assert_eq!(
        applied.became.iter().filter(|became| **became == Became::Done).count(),
        50
    );
    assert_eq!(scene.tree().len(), 11);
    let applied = scene.try_apply(vec![remove("d")]).await;
    assert_eq!(
        applied.question,
        Some(Much::Removed { files: 60, known: 60 }),
        "the round goes on"
    );
    assert_eq!(applied.became, [Became::NotReached]);
    scene.place.allow_much();
    scene.done(vec![remove("d")]).await;
    assert!(scene.tree().is_empty());
    assert_eq!(scene.trash().len(), 60);
}

#[tokio::test]
async fn much_that_something_else_takes_the_place_of_is_asked_about_first() {
    let scene = Scene::new();
    let mut steps: Vec<Step> = (0..60)
        .map(|at| scene.shelf.put(&format!("d/f{at}"), b"x", at))
        .collect();
    steps.extend([folder("d", 0o755), scene.shelf.put("a", b"moves", 1)]);
    scene.done(steps).await;
    let question = Some(Much::Removed { files: 60, known: 61 });
    for instead in [scene.shelf.put("d", b"a file", 1), relocate("a", "d")] {
        let applied = scene.try_apply(vec![instead.clone()]).await;
        assert_eq!((applied.question, applied.became), (question, vec![Became::NotReached]));
        assert_eq!(scene.tree().len(), 62);
    }
    scene.place.allow_much();
    scene.done(vec![relocate("a", "d")]).await;
    assert_eq!(scene.tree().len(), 1);
    assert_eq!(scene.trash().len(), 60);
}

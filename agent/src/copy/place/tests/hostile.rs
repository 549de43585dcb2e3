//! No step leads out of its place.

use std::os::unix::fs::symlink as make_link;

use super::*;

fn problem(became: &Became) -> ErrorCode {
    match became {
        Became::Problem(problem) => problem.code,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn nothing_is_written_through_a_symlink() {
    let scene = Scene::new();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("victim"), "untouched").unwrap();
    make_link(outside.path(), scene.at("out")).unwrap();
    make_link(outside.path().join("victim"), scene.at("file")).unwrap();
    let became = scene
        .apply(vec![
            scene.shelf.put("out/new", b"x", 1),
            scene.shelf.put("out/victim", b"x", 1),
            folder("out/folder", 0o755),
            remove("out/victim"),
            relocate("out/victim", "taken"),
            scene.shelf.put("file", b"theirs", 1),
        ])
        .await;
    for became in &became[..5] {
        assert_eq!(problem(became), ErrorCode::Conflict);
    }
    assert_eq!(became[5], Became::KeptAside, "the link itself is kept beside");
    let names: Vec<_> = fs::read_dir(outside.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["victim"]);
    assert_eq!(fs::read(outside.path().join("victim")).unwrap(), b"untouched");
    assert_eq!(scene.read("file").unwrap(), b"theirs");
}

#[tokio::test]
async fn a_symlink_that_was_written_is_never_followed_by_what_comes_after() {
    let scene = Scene::new();
    let outside = tempfile::tempdir().unwrap();
    let target = outside.path().to_str().unwrap();
    let became = scene
        .apply(vec![symlink("a", target), scene.shelf.put("a/file", b"x", 1)])
        .await;
    assert_eq!(became[0], Became::Done);
    assert_eq!(problem(&became[1]), ErrorCode::Conflict);
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn trash_is_not_put_through_a_symlink() {
    let scene = Scene::new();
    let outside = tempfile::tempdir().unwrap();
    scene.done(vec![scene.shelf.put("a", b"x", 1)]).await;
    make_link(outside.path(), scene.at(".beckon")).unwrap();
    assert_eq!(problem(&scene.apply(vec![remove("a")]).await[0]), ErrorCode::Conflict);
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    assert_eq!(scene.read("a").unwrap(), b"x");
}

#[tokio::test]
async fn own_names_and_other_places_are_refused() {
    let mut scene = Scene::new();
    scene.place = open(scene.folder.path(), &scene.book, "below");
    let part = format!("below/{}", crate::root::part_name([1; 8]));
    for at in [
        ".beckon/trash/2026-01-01/x",
        "elsewhere",
        "belowish",
        &part,
        "below/.beckon-PART-x/y",
    ] {
        let steps = vec![
            scene.shelf.put(at, b"x", 1),
            remove(at),
            relocate(at, "below/x"),
            relocate("below/x", at),
        ];
        for became in scene.apply(steps).await {
            assert_eq!(problem(&became), ErrorCode::NotAllowed, "{at}");
        }
    }
    scene
        .done(vec![scene.shelf.put("below/.beckon", b"only the top has one", 1)])
        .await;
    assert_eq!(
        scene.tree().into_keys().collect::<Vec<_>>(),
        ["below/", "below/.beckon"]
    );
}

#[tokio::test]
async fn names_that_are_too_long_are_problems_and_hold_up_nothing() {
    let scene = Scene::new();
    let long = "x".repeat(300);
    let fits = "y".repeat(255);
    let became = scene
        .apply(vec![
            scene.shelf.put(&long, b"x", 1),
            folder(&format!("{long}/d"), 0o755),
            scene.shelf.put(&fits, b"z", 1),
        ])
        .await;
    assert_eq!(
        (problem(&became[0]), problem(&became[1])),
        (ErrorCode::BadRequest, ErrorCode::BadRequest)
    );
    assert_eq!(became[2], Became::Done);
    scene.write(&fits, "mine");
    assert_eq!(
        scene.apply(vec![scene.shelf.put(&fits, b"new", 2)]).await,
        [Became::KeptAside]
    );
    assert_eq!(scene.tree().len(), 2, "what is kept gets a shorter name");
}

#[tokio::test]
async fn a_root_that_is_not_marked_is_never_written() {
    let scene = Scene::new();
    let site = site(scene.folder.path(), &scene.book, "", false);
    let refused = Place::open(site).err().unwrap();
    assert_eq!(refused.code, ErrorCode::NotAllowed);
    assert!(refused.message.contains("beckon roots writable"), "{refused}");
}

#[tokio::test]
async fn the_programs_own_keys_are_out_of_reach() {
    let scene = Scene::new();
    fs::create_dir(scene.at("state")).unwrap();
    let closed: Arc<[crate::root::FolderId]> = Arc::new([crate::root::FolderId::at(&scene.at("state")).unwrap()]);
    let site = site(scene.folder.path(), &scene.book, "", true);
    let root = Root::clone(&site.root).without(closed);
    let place = Place::open(Site {
        root: Arc::new(root),
        ..site
    })
    .unwrap();
    let steps = vec![scene.shelf.put("state/machine.json", b"x", 1), remove("state")];
    let applied = apply(&place, steps, &scene.shelf, &CancellationToken::new())
        .await
        .unwrap();
    assert_eq!(problem(&applied.became[0]), ErrorCode::NotAllowed);
    assert_ne!(applied.became[1], Became::Done);
    assert!(scene.at("state").exists());
    assert!(!scene.at("state/machine.json").exists());
}

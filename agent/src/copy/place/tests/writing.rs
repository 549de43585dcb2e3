//! Files, folders and symlinks come to their places, move and go.

use std::os::unix::fs::{MetadataExt, PermissionsExt};

use super::*;

#[tokio::test]
async fn files_folders_and_symlinks_are_written_with_bits_and_times() {
    let scene = Scene::new();
    let large = noise(3 << 20, 1);
    let steps = vec![
        folder("a", 0o750),
        scene.shelf.put("a/small", b"small", 100),
        scene.shelf.put("a/empty", b"", 101),
        scene.shelf.put("a/large", &large, -5),
        scene.shelf.put("deep/down/file", b"deep", 102),
        symlink("a/link", "../out/of/it"),
    ];
    scene.done(steps.clone()).await;
    assert_eq!(scene.read("a/small").unwrap(), b"small");
    assert_eq!(scene.read("a/empty").unwrap(), b"");
    assert_eq!(scene.read("a/large").unwrap(), large);
    assert_eq!(scene.read("deep/down/file").unwrap(), b"deep");
    let small = fs::metadata(scene.at("a/small")).unwrap();
    assert_eq!((small.permissions().mode() & 0o7777, small.mtime()), (0o640, 100));
    assert_eq!(fs::metadata(scene.at("a/large")).unwrap().mtime(), -5);
    let of_folder = fs::metadata(scene.at("a")).unwrap();
    assert_eq!(
        (of_folder.permissions().mode() & 0o7777, of_folder.mtime()),
        (0o750, 77)
    );
    assert_eq!(fs::read_link(scene.at("a/link")).unwrap(), Path::new("../out/of/it"));
    assert_eq!(scene.tree().len(), 8, "{:?}", scene.tree().keys());
    let row = scene.book.row(transfer(), &path("a/small")).unwrap().unwrap();
    assert_eq!((row.content, row.stamp.mtime_ns), (Hash::of(b"small"), 100_000_000_000));
    scene.shelf.asked();
    scene.done(steps).await;
    assert_eq!(scene.shelf.asked(), 0, "what stands is not asked for");
}

#[tokio::test]
async fn a_folder_keeps_its_time_when_something_comes_into_it_later() {
    let scene = Scene::new();
    scene.done(vec![folder("a", 0o750)]).await;
    scene.done(vec![scene.shelf.put("a/later", b"x", 5)]).await;
    assert_eq!(fs::metadata(scene.at("a")).unwrap().mtime(), 77);
}

#[tokio::test]
async fn a_folder_that_may_not_be_written_in_still_gets_its_files_and_its_bits() {
    let scene = Scene::new();
    scene
        .done(vec![folder("a", 0o555), scene.shelf.put("a/one", b"1", 5)])
        .await;
    scene
        .done(vec![scene.shelf.put("a/two", b"2", 5), remove("a/one")])
        .await;
    assert_eq!(scene.read("a/two").unwrap(), b"2");
    let mode = fs::metadata(scene.at("a")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o555);
}

#[tokio::test]
async fn without_permission_bits_files_are_as_new_files_here() {
    let scene = Scene::new();
    let Step::Put(mut wanted) = scene.shelf.put("file", b"x", 5) else {
        panic!()
    };
    wanted.manifest.mode = 0;
    scene.done(vec![Step::Put(wanted)]).await;
    scene.write("other", "y");
    let mode = |name: &str| fs::metadata(scene.at(name)).unwrap().permissions().mode();
    assert_eq!(mode("file"), mode("other"));
}

#[tokio::test]
async fn a_change_takes_the_place_of_what_was_written_and_tells_the_chunks_that_vanished() {
    let scene = Scene::new();
    let mut large = noise(3 << 20, 1);
    scene.done(vec![scene.shelf.put("file", &large, 1)]).await;
    let before = scene.book.chunks(transfer(), &path("file")).unwrap();
    large[1_000_000] ^= 1;
    scene.done(vec![scene.shelf.put("file", &large, 2)]).await;
    assert_eq!(scene.read("file").unwrap(), large);
    assert_eq!(scene.trash(), Vec::<String>::new());
    let after = scene.book.chunks(transfer(), &path("file")).unwrap();
    let vanished: Vec<ChunkId> = before
        .iter()
        .map(|c| c.id)
        .filter(|id| after.iter().all(|c| c.id != *id))
        .collect();
    assert_eq!(*scene.shelf.bases.lock().unwrap(), vanished);
    assert_eq!(vanished.len(), 1);
    let own = scene.book.own(&[vanished[0], after[1].id]).unwrap();
    assert_eq!(own[0], None, "what is not in the file any more is not looked for there");
    let offset = u64::from(after[0].len);
    assert_eq!(own[1].as_ref().unwrap().offset, offset);
    assert_eq!(own[1].as_ref().unwrap().path, path("file"));
}

#[tokio::test]
async fn other_bits_alone_are_set_without_writing() {
    let scene = Scene::new();
    scene.done(vec![scene.shelf.put("file", b"content", 1)]).await;
    let before = fs::metadata(scene.at("file")).unwrap().ino();
    scene.shelf.asked();
    let Step::Put(mut wanted) = scene.shelf.put("file", b"content", 9) else {
        panic!()
    };
    wanted.manifest.mode = 0o400;
    wanted.hash = Hash::of(b"another manifest");
    scene.done(vec![Step::Put(wanted)]).await;
    let after = fs::metadata(scene.at("file")).unwrap();
    assert_eq!(
        (after.ino(), after.mtime(), after.permissions().mode() & 0o777),
        (before, 9, 0o400)
    );
    assert_eq!(scene.shelf.asked(), 0);
    assert_eq!(scene.survey().await.edited, 0);
}

#[tokio::test]
async fn chunks_that_do_not_come_are_waited_for_and_hold_up_nothing_else() {
    let scene = Scene::new();
    let steps = vec![
        scene.shelf.put("there", b"there", 1),
        scene.shelf.put("not", b"not there", 1),
    ];
    let id = KEY.id(b"not there");
    let held = scene.shelf.chunks.lock().unwrap().remove(&id).unwrap();
    assert_eq!(scene.apply(steps.clone()).await, [Became::Done, Became::Waits]);
    assert_eq!(scene.tree().len(), 1, "{:?}", scene.tree().keys());
    scene.shelf.chunks.lock().unwrap().insert(id, held);
    scene.done(steps).await;
    assert_eq!(scene.read("not").unwrap(), b"not there");
}

#[tokio::test]
async fn a_chunk_of_another_length_is_not_written() {
    let scene = Scene::new();
    let steps = vec![scene.shelf.put("file", b"content", 1)];
    let wrong = bytes::Bytes::from_static(b"cont");
    scene.shelf.chunks.lock().unwrap().insert(KEY.id(b"content"), wrong);
    assert_eq!(scene.apply(steps).await, [Became::Waits]);
    assert!(scene.tree().is_empty());
}

#[tokio::test]
async fn holes_are_neither_asked_for_nor_written() {
    let scene = Scene::new();
    let mut bytes = vec![0; 8 << 20];
    bytes[..5].copy_from_slice(b"begin");
    let Step::Put(mut wanted) = scene.shelf.put("sparse", &bytes, 1) else {
        panic!()
    };
    let Content::File(file) = &mut wanted.manifest.content else {
        panic!()
    };
    file.sparse = true;
    scene.done(vec![Step::Put(wanted)]).await;
    assert_eq!(scene.shelf.asked(), 1);
    assert_eq!(scene.read("sparse").unwrap(), bytes);
    assert!(fs::metadata(scene.at("sparse")).unwrap().blocks() * 512 < 4 << 20);
}

#[tokio::test]
async fn what_the_origin_deleted_goes_to_the_trash_with_all_below() {
    let scene = Scene::new();
    let steps = vec![
        folder("a", 0o755),
        folder("a/b", 0o755),
        scene.shelf.put("a/b/file", b"1", 1),
        scene.shelf.put("a/other", b"2", 1),
        scene.shelf.put("a.txt", b"3", 1),
        symlink("link", "x"),
    ];
    scene.done(steps.clone()).await;
    scene.done(vec![remove("a"), remove("link"), remove("never-was")]).await;
    assert_eq!(scene.tree().into_keys().collect::<Vec<_>>(), ["a.txt"]);
    assert_eq!(scene.trash(), ["a/b/file", "a/other", "link -> x"]);
    let mode = fs::metadata(scene.at(".beckon")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700, "others may not look into the trash");
    assert_eq!(scene.book.count(transfer(), &RootPath::root()).unwrap(), (1, 1));
    scene.done(steps).await;
    scene.done(vec![remove("a")]).await;
    assert_eq!(
        scene.trash().len(),
        5,
        "a second time on the same day: {:?}",
        scene.trash()
    );
}

#[tokio::test]
async fn moves_write_nothing_and_keep_what_is_known() {
    let scene = Scene::new();
    let large = noise(2 << 20, 3);
    scene
        .done(vec![
            folder("a", 0o755),
            scene.shelf.put("a/file", &large, 1),
            scene.shelf.put("a.txt", b"3", 1),
        ])
        .await;
    let before = fs::metadata(scene.at("a/file")).unwrap().ino();
    scene.shelf.asked();
    scene
        .done(vec![
            relocate("a", "new/place"),
            relocate("a.txt", "b.txt"),
            relocate("gone", "x"),
        ])
        .await;
    assert_eq!(fs::metadata(scene.at("new/place/file")).unwrap().ino(), before);
    assert_eq!(scene.shelf.asked(), 0);
    assert_eq!(scene.book.row(transfer(), &path("a/file")).unwrap(), None);
    let chunk = scene.book.chunks(transfer(), &path("new/place/file")).unwrap()[1];
    let own = scene.book.own(&[chunk.id]).unwrap().remove(0).unwrap();
    assert_eq!(own.path, path("new/place/file"));
    let survey = scene.survey().await;
    assert_eq!((survey.known, survey.missing, survey.edited), (2, 0, 0));
    let row = scene.book.row(transfer(), &path("b.txt")).unwrap().unwrap();
    assert_eq!(row.stamp.ctime_ns, {
        let meta = fs::metadata(scene.at("b.txt")).unwrap();
        meta.ctime() * 1_000_000_000 + meta.ctime_nsec()
    });
}

#[tokio::test]
async fn types_change_both_ways() {
    let scene = Scene::new();
    scene
        .done(vec![
            folder("a", 0o755),
            scene.shelf.put("a/file", b"1", 1),
            scene.shelf.put("b", b"2", 1),
            symlink("c", "x"),
        ])
        .await;
    scene
        .done(vec![
            scene.shelf.put("a", b"now a file", 2),
            folder("b", 0o755),
            scene.shelf.put("b/file", b"in a folder", 2),
            scene.shelf.put("c", b"no link", 2),
        ])
        .await;
    let tree: Vec<String> = scene.tree().into_keys().collect();
    assert_eq!(tree, ["a", "b/", "b/file", "c"]);
    assert_eq!(scene.read("a").unwrap(), b"now a file");
    assert_eq!(scene.trash(), ["a/file", "b"]);
    assert_eq!(scene.book.row(transfer(), &path("a/file")).unwrap(), None);
    assert_eq!(
        scene.survey().await,
        Survey {
            known: 3,
            ..Survey::default()
        }
    );
}

#[tokio::test]
async fn the_trash_takes_a_file_and_what_was_in_a_folder_of_its_name_on_the_same_day() {
    let scene = Scene::new();
    for _ in 0..2 {
        scene.done(vec![scene.shelf.put("a", b"1", 1)]).await;
        scene.done(vec![remove("a")]).await;
        scene.done(vec![scene.shelf.put("a/b", b"2", 1)]).await;
        scene.done(vec![remove("a/b"), remove("a")]).await;
    }
    let trash = scene.trash();
    assert_eq!(trash.len(), 4, "{trash:?}");
}

#[tokio::test]
async fn a_large_file_goes_on_after_a_restart() {
    let mut scene = Scene::new();
    let large = noise(70 << 20, 5);
    let step = scene.shelf.put("large", &large, 1);
    let Step::Put(wanted) = &step else { panic!() };
    let Content::File(file) = &wanted.manifest.content else {
        panic!()
    };
    let last = file.chunks.last().unwrap().id;
    let chunks = file.chunks.len();
    let held = scene.shelf.chunks.lock().unwrap().remove(&last).unwrap();
    assert_eq!(scene.apply(vec![step.clone()]).await, [Became::Waits]);
    assert_eq!(scene.shelf.asked(), chunks);
    scene.restart(false);
    scene.survey().await;
    scene.shelf.chunks.lock().unwrap().insert(last, held);
    scene.done(vec![step]).await;
    assert_eq!(scene.shelf.asked(), 1);
    assert!(scene.read("large").unwrap() == large);
    assert_eq!(scene.tree().len(), 1, "{:?}", scene.tree().keys());
}

#[tokio::test]
async fn what_has_come_of_a_large_file_goes_with_it() {
    let scene = Scene::new();
    for is_removed in [true, false] {
        let step = scene.shelf.put("d/large", &noise(70 << 20, 5), 1);
        scene.shelf.chunks.lock().unwrap().clear();
        assert_eq!(scene.apply(vec![step]).await, [Became::Waits]);
        assert_eq!(scene.tree().len(), 2, "{:?}", scene.tree().keys());
        if is_removed {
            scene.done(vec![remove("d/large")]).await;
        } else {
            let root = site(scene.folder.path(), &scene.book, "", true).root;
            drop_parts(root, &scene.book, transfer()).unwrap();
        }
        assert_eq!(scene.tree().len(), 1, "{:?}", scene.tree().keys());
    }
}

#[tokio::test]
async fn many_small_files_come_in_several_batches() {
    let scene = Scene::new();
    let steps: Vec<Step> = (0..1300)
        .map(|at| {
            scene
                .shelf
                .put(&format!("{}/{at}", at % 7), format!("content {at}").as_bytes(), at)
        })
        .collect();
    scene.done(steps).await;
    assert_eq!(scene.book.count(transfer(), &RootPath::root()).unwrap().0, 1300);
    assert_eq!(scene.read("3/311").unwrap(), b"content 311");
    assert_eq!(scene.place.counters().files.load(Relaxed), 1300);
}

#[tokio::test]
async fn a_stop_leaves_nothing_half() {
    let scene = Scene::new();
    let stop = CancellationToken::new();
    let steps: Vec<Step> = (0..600).map(|at| scene.shelf.put(&at.to_string(), b"x", at)).collect();
    let (cancel, steps_too) = (stop.clone(), steps.clone());
    *scene.shelf.meanwhile.lock().unwrap() = Some(Box::new(move || cancel.cancel()));
    let applied = apply(&scene.place, steps_too, &scene.shelf, &stop).await.unwrap();
    assert_eq!(applied.became.last(), Some(&Became::NotReached));
    assert!(scene.tree().values().all(|bytes| bytes == b"x"), "{:?}", scene.tree());
    scene.done(steps).await;
    assert_eq!(scene.tree().len(), 600);
}

#[tokio::test]
async fn a_private_folder_is_private_before_anything_is_in_it() {
    let scene = Scene::new();
    let at = scene.at("a");
    let seen = Arc::new(Mutex::new(0));
    let note = Arc::clone(&seen);
    *scene.shelf.meanwhile.lock().unwrap() = Some(Box::new(move || {
        *note.lock().unwrap() = fs::metadata(at).unwrap().permissions().mode() & 0o777;
    }));
    scene
        .done(vec![folder("a", 0o500), scene.shelf.put("a/b", b"secret", 1)])
        .await;
    assert_eq!(*seen.lock().unwrap(), 0o700, "while chunks come");
    let mode = fs::metadata(scene.at("a")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o500);
}

#[tokio::test]
async fn folders_that_only_can_be_read_move_and_go_to_the_trash_and_leave_it() {
    let scene = Scene::new();
    let deep = |top: &str| {
        vec![
            folder(top, 0o555),
            folder(&format!("{top}/deep"), 0o555),
            scene.shelf.put(&format!("{top}/deep/x"), b"x", 1),
        ]
    };
    scene.done(deep("a")).await;
    scene.done(vec![folder("b", 0o755), relocate("a", "b/a")]).await;
    assert_eq!(scene.read("b/a/deep/x").unwrap(), b"x");
    let mode = fs::metadata(scene.at("b/a")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o555);
    scene.done(vec![remove("b/a")]).await;
    assert_eq!(scene.trash(), ["b/a/deep/x"]);
    let later = Timestamp(clock::now().0 + 40 * 24 * 3_600_000);
    trash::sweep(&*scene.place.0.disk, later).unwrap();
    assert!(scene.trash().is_empty());
}

#[tokio::test]
async fn a_large_file_that_is_replaced_leaves_nothing_behind() {
    let scene = Scene::new();
    let large = |end: u8| {
        let end = noise(10_000, end);
        let mut chunks = vec![
            ChunkRef {
                id: KEY.id(&vec![0; CHUNK_MAX]),
                len: CHUNK_MAX as u32,
            };
            usize::try_from(LARGE).unwrap() / CHUNK_MAX
        ];
        let last = KEY.id(&end);
        chunks.push(ChunkRef {
            id: last,
            len: end.len() as u32,
        });
        scene.shelf.chunks.lock().unwrap().insert(last, end.into());
        let content = FileContent {
            sparse: true,
            ..file(Hash([last.0[0]; 32]), 0, chunks, 1)
        };
        put("a", 0o640, 1, Content::File(content))
    };
    scene.done(vec![large(1)]).await;
    scene.done(vec![large(2)]).await;
    assert_eq!(scene.tree().into_keys().collect::<Vec<_>>(), ["a"]);
}

#[tokio::test]
async fn what_has_come_of_a_file_is_not_fetched_again_and_goes_when_it_is_not_wanted() {
    let scene = Scene::new();
    let bytes = noise(3 << 20, 1);
    let step = scene.shelf.put("a/b", &bytes, 1);
    let Step::Put(wanted) = &step else { panic!() };
    let Content::File(content) = &wanted.manifest.content else {
        panic!()
    };
    let late = content.chunks[1];
    let held = scene.shelf.chunks.lock().unwrap().remove(&late.id).unwrap();
    assert_eq!(scene.apply(vec![step.clone()]).await, [Became::Waits]);
    let came = scene.place.counters().bytes_server.load(Relaxed);
    assert_eq!(came, bytes.len() as u64 - u64::from(late.len));
    assert_eq!(scene.place.half_bytes(), came);
    scene.shelf.asked();
    scene.shelf.chunks.lock().unwrap().insert(late.id, held.clone());
    scene.done(vec![step.clone()]).await;
    assert_eq!(scene.shelf.asked(), 1);
    assert_eq!(scene.read("a/b").unwrap(), bytes);
    let counters = scene.place.counters();
    let whence = [&counters.bytes_server, &counters.bytes_own].map(|count| count.load(Relaxed));
    assert_eq!((whence, scene.place.half_bytes()), ([bytes.len() as u64, 0], 0));
    assert!(scene.book.parts(transfer()).unwrap().is_empty());
    // Another version of which one chunk does not come, and that nobody wants then.
    let other = scene.shelf.put("a/b", &noise(3 << 20, 2), 2);
    let Step::Put(wanted) = &other else { panic!() };
    let Content::File(content) = &wanted.manifest.content else {
        panic!()
    };
    scene
        .shelf
        .chunks
        .lock()
        .unwrap()
        .remove(&content.chunks[0].id)
        .unwrap();
    assert_eq!(scene.apply(vec![other]).await, [Became::Waits]);
    assert_eq!(scene.tree().len(), 3);
    scene.place.drop_unwanted_parts(|_, _| Ok(false)).unwrap();
    assert_eq!(scene.tree().len(), 2);
    assert_eq!(
        (scene.book.parts(transfer()).unwrap().len(), scene.place.half_bytes()),
        (0, 0)
    );
}

#[tokio::test]
async fn what_is_put_or_moved_below_a_file_takes_the_file_away_unless_it_was_changed() {
    let scene = Scene::new();
    let files = ["a", "b", "c", "x"].map(|name| scene.shelf.put(name, name.as_bytes(), 1));
    scene.done(files.to_vec()).await;
    scene.write("c", "mine");
    scene
        .done(vec![scene.shelf.put("a/deep/new", b"new", 2), relocate("x", "b/x")])
        .await;
    assert_eq!(scene.read("a/deep/new").unwrap(), b"new");
    assert_eq!(scene.read("b/x").unwrap(), b"x");
    assert_eq!(scene.trash(), ["a", "b"]);
    assert_eq!(scene.book.row(transfer(), &path("a")).unwrap(), None);
    let became = scene.apply(vec![scene.shelf.put("c/new", b"new", 2)]).await;
    assert!(matches!(&became[..], [Became::Problem(_)]), "{became:?}");
    assert_eq!(scene.read("c").unwrap(), b"mine");
}

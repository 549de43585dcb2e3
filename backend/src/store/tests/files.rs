//! What people put into `Files` by hand, from several devices, and making an older version the newest again.

use beckon_shared::{
    api::drive::{MakeCurrent, Move, NewFolder},
    bulk::CommitReply,
    error::ErrorCode,
    id::{NodeId, VersionId},
    manifest::Content,
    path::{Name, PATH_MAX},
};

use crate::{
    access::Access,
    clock::Clock,
    drive::view::{node_view, version_view},
    store::{
        meta::{
            drive::{
                Place, Row,
                change::{delete, move_node},
                current::make_current,
                find, folder,
                search::search,
                versions,
            },
            purge::purge,
            space,
        },
        testing::{Fixture, Machine, folder as folder_manifest},
    },
};

async fn two_browsers() -> (Fixture, Access, Machine, Machine) {
    let fixture = Fixture::new().await;
    let access = fixture.account(1).await;
    let (one, two) = (fixture.browser(&access, 1).await, fixture.browser(&access, 2).await);
    (fixture, access, one, two)
}

async fn at(machine: &Machine, path: &str) -> Row {
    let names = path.split('/').map(|name| Name::new(name).unwrap()).collect();
    find(machine.store.meta.read(), &machine.space(), &Place::Path(names))
        .await
        .unwrap()
}

/// How many bytes each version has, the newest first.
async fn sizes(machine: &Machine, path: &str) -> Vec<u64> {
    let row = at(machine, path).await;
    let versions = versions(machine.store.meta.read(), &row).await.unwrap();
    versions
        .iter()
        .map(|version| version_view(version, None).unwrap().size)
        .collect()
}

async fn newest(machine: &Machine, path: &str) -> VersionId {
    let versions = versions(machine.store.meta.read(), &at(machine, path).await).await;
    version_view(&versions.unwrap()[0], None).unwrap().id
}

async fn choose(fixture: &Fixture, machine: &Machine, path: &str, version: VersionId) {
    let asked = MakeCurrent {
        node: at(machine, path).await.id().unwrap(),
        version,
    };
    let made = make_current(&machine.store.meta, &*fixture.clock, &machine.space(), &asked).await;
    assert!(made.unwrap().is_some());
}

async fn rename(machine: &Machine, node: NodeId, name: &str) {
    let asked = Move {
        node,
        parent: None,
        name: Some(Name::new(name).unwrap()),
    };
    move_node(&machine.store.meta, &machine.space(), &asked, machine.store.clock.now())
        .await
        .unwrap();
}

#[tokio::test]
async fn all_devices_put_into_one_folder_and_the_same_name_is_the_same_file() {
    let (_fixture, _, mut one, mut two) = two_browsers().await;
    one.upload(&[("photos/a.jpg", b"a"), ("note", b"first")]).await;
    two.upload(&[("photos/b.jpg", b"b"), ("note", b"second!")]).await;
    assert_eq!(one.names(&[]).await, ["Files"]);
    assert_eq!(one.names(&["Files"]).await, ["note", "photos"]);
    assert_eq!(one.names(&["Files", "photos"]).await, ["a.jpg", "b.jpg"]);
    assert_eq!(sizes(&one, "Files/note").await, [7, 5]);
    let view = node_view(&at(&one, "Files/note").await).unwrap();
    assert_eq!((view.device, view.versions, view.size), (Some(two.access.device), 2, 7));
}

#[tokio::test]
async fn the_same_file_again_makes_no_version_whichever_device_puts_it() {
    let (_fixture, _, mut one, mut two) = two_browsers().await;
    one.upload(&[("note", b"same")]).await;
    one.upload(&[("note", b"same")]).await;
    two.upload(&[("note", b"same")]).await;
    assert_eq!(sizes(&one, "Files/note").await, [4]);
    assert_eq!(
        node_view(&at(&one, "Files/note").await).unwrap().device,
        Some(one.access.device)
    );
}

#[tokio::test]
async fn a_file_that_was_renamed_leaves_its_name_to_the_next_one() {
    let (fixture, _, mut one, _) = two_browsers().await;
    one.upload(&[("note", b"first"), ("old", b"old")]).await;
    rename(&one, at(&one, "Files/note").await.id().unwrap(), "kept").await;
    let gone = at(&one, "Files/old").await.id().unwrap();
    delete(&one.store.meta, &one.space(), &[gone], fixture.clock.now())
        .await
        .unwrap();
    one.upload(&[("note", b"other"), ("old", b"newer")]).await;
    assert_eq!(one.names(&["Files"]).await, ["kept", "note", "old"]);
    assert_eq!(sizes(&one, "Files/kept").await, [5]);
    assert_ne!(at(&one, "Files/old").await.id().unwrap(), gone);
}

#[tokio::test]
async fn a_file_and_a_folder_of_one_name_stand_side_by_side_and_stay_so() {
    let (_fixture, _, mut one, mut two) = two_browsers().await;
    one.upload(&[("x", b"file"), ("y/inside", b"inside")]).await;
    for content in [&b"1"[..], b"22"] {
        two.upload(&[("x/below", content), ("y", content)]).await;
    }
    assert_eq!(one.names(&["Files"]).await, ["x", "x (2)", "y", "y (2)"]);
    assert_eq!(sizes(&one, "Files/x").await, [4]);
    assert_eq!(sizes(&one, "Files/x (2)/below").await, [2, 1]);
    assert_eq!(sizes(&one, "Files/y (2)").await, [2, 1]);
}

#[tokio::test]
async fn what_a_person_called_so_is_never_taken_for_a_numbered_name() {
    let (_fixture, _, mut one, _) = two_browsers().await;
    one.upload(&[("report/inside", b"inside"), ("report (2)", b"own")])
        .await;
    for content in [&b"1"[..], b"22"] {
        one.upload(&[("report", content)]).await;
    }
    assert_eq!(one.names(&["Files"]).await, ["report", "report (2)", "report (3)"]);
    assert_eq!(sizes(&one, "Files/report (2)").await, [3]);
    assert_eq!(sizes(&one, "Files/report (3)").await, [2, 1]);
}

#[tokio::test]
async fn two_paths_of_a_commit_never_share_a_node() {
    let (_fixture, _, mut one, _) = two_browsers().await;
    one.upload(&[("a/inside", b"inside")]).await;
    for content in [&b"1"[..], b"22"] {
        one.upload(&[("a", content), ("a (2)", b"other")]).await;
    }
    assert_eq!(one.names(&["Files"]).await, ["a", "a (2)", "a (3)"]);
    assert_eq!(sizes(&one, "Files/a (2)").await, [5]);
    assert_eq!(sizes(&one, "Files/a (3)").await, [2, 1]);
}

#[tokio::test]
async fn numbers_behind_a_name_have_an_end() {
    let (_fixture, _, mut one, _) = two_browsers().await;
    let names: Vec<String> = (2..=100).map(|number| format!("a ({number})")).collect();
    let mut files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b"x"[..])).collect();
    files.push(("a", b"x"));
    one.upload(&files).await;
    let below = one.sign(&[("a/below", Some(folder_manifest()))]);
    let error = one.commit(below).await.unwrap_err();
    assert_eq!(error.refusal().code, ErrorCode::NameTaken);
}

#[tokio::test]
async fn versions_and_folders_count_for_the_quota_until_they_are_gone() {
    let (fixture, _, mut one, _) = two_browsers().await;
    let (meta, space) = (&fixture.store.meta, one.space());
    one.upload(&[("note", b"x")]).await;
    let full = fixture.store.fill(&space).await.unwrap();
    assert_eq!(full.content, 1);
    assert!(full.records > 1024, "a node and a version at least");
    let txn = meta.write().await.unwrap();
    space::set_quota(&txn, space.id(), Some(full.used())).await.unwrap();
    txn.commit().await.unwrap();
    let asked = NewFolder {
        parent: None,
        name: Name::new("one more").unwrap(),
    };
    let refused = folder::make(meta, &*fixture.clock, &space, &asked).await;
    assert_eq!(refused.err().unwrap().refusal().code, ErrorCode::NoRoom);
    let refused = one.commit(one.sign(&[("empty", Some(folder_manifest()))])).await;
    assert_eq!(refused.unwrap_err().refusal().code, ErrorCode::NoRoom);
    let node = at(&one, "Files/note").await;
    let now = fixture.clock.now();
    delete(meta, &space, &[node.id().unwrap()], now).await.unwrap();
    purge(meta, &*fixture.clock, node.node.no, now.0).await.unwrap();
    let less = fixture.store.fill(&space).await.unwrap();
    assert!(less.records < 512, "{less:?}");
}

#[tokio::test]
async fn folders_stand_only_so_deep() {
    let (fixture, _, one, _) = two_browsers().await;
    let (meta, space) = (&fixture.store.meta, one.space());
    let mut parent = None;
    let mut depth = 1;
    let refused = loop {
        let name = Name::new("d".repeat(700)).unwrap();
        let made = folder::make(meta, &*fixture.clock, &space, &NewFolder { parent, name }).await;
        match made {
            Ok((row, _)) => parent = Some(row.id().unwrap()),
            Err(error) => break error.refusal().code,
        }
        depth += 1;
    };
    assert_eq!((refused, depth), (ErrorCode::TooLarge, 1024));
    let found = search(meta.read(), &space, "d", None, 1000).await.unwrap();
    assert_eq!(found.len(), 1000);
    assert!(found.iter().all(|found| found.path.len() <= PATH_MAX));
    assert_eq!(
        found.iter().filter(|found| found.path.len() == 5 * 701 - 1).count(),
        995
    );
}

#[tokio::test]
async fn the_folder_itself_is_not_committed() {
    let (_fixture, _, mut one, _) = two_browsers().await;
    let error = one
        .commit(one.sign(&[("", Some(folder_manifest()))]))
        .await
        .unwrap_err();
    assert_eq!(error.refusal().code, ErrorCode::BadRequest);
}

#[tokio::test]
async fn each_device_has_a_chain_of_its_own() {
    let (_fixture, _, mut one, mut two) = two_browsers().await;
    one.upload(&[("a", b"a")]).await;
    one.upload(&[("b", b"b")]).await;
    assert!(matches!(two.upload(&[("c", b"c")]).await, CommitReply::Committed(head) if head.number == 1));
    let stolen = one.sign(&[("d", None)]);
    let error = two.commit(stolen).await.unwrap_err();
    assert_eq!(
        error.refusal().code,
        ErrorCode::BadRequest,
        "it is signed by another device"
    );
}

#[tokio::test]
async fn what_is_moved_into_files_is_out_of_its_machines_reach_which_uploads_it_anew() {
    let (fixture, access, mut one, _) = two_browsers().await;
    let mut laptop = fixture.machine(&access, 3).await;
    laptop.upload(&[("docs/letter", b"laptop's")]).await;
    laptop.begin().await;
    let before = laptop.epoch;
    into_files(&one, "laptop/home/docs").await;
    laptop.begin().await;
    assert_eq!(laptop.epoch, before + 1, "it is told");
    one.upload(&[("docs/new", b"new")]).await;
    laptop.upload(&[("docs", b"a file now")]).await;
    assert_eq!(one.names(&["Files", "docs"]).await, ["letter", "new"]);
    assert_eq!(laptop.names(&["laptop", "home"]).await, ["docs"]);
}

#[tokio::test]
async fn the_folder_of_a_whole_root_or_machine_is_left_to_people_once_it_is_in_files() {
    let (fixture, access, one, _) = two_browsers().await;
    let mut laptop = fixture.machine(&access, 3).await;
    laptop.upload(&[("letter", b"1")]).await;
    into_files(&one, "laptop/home").await;
    // In the same transfer, and in the next one.
    laptop.upload(&[("letter", b"22")]).await;
    assert_eq!(sizes(&one, "Files/home/letter").await, [1]);
    assert_eq!(sizes(&one, "laptop/home/letter").await, [2]);
    into_files(&one, "laptop").await;
    laptop.begin().await;
    laptop.upload(&[("letter", b"333")]).await;
    assert_eq!(sizes(&one, "Files/laptop/home/letter").await, [2]);
    assert_eq!(sizes(&one, "laptop/home/letter").await, [3]);
}

async fn into_files(machine: &Machine, path: &str) {
    let asked = Move {
        node: at(machine, path).await.id().unwrap(),
        parent: Some(at(machine, "Files").await.id().unwrap()),
        name: None,
    };
    move_node(&machine.store.meta, &machine.space(), &asked, machine.store.clock.now())
        .await
        .unwrap();
}

#[tokio::test]
async fn an_older_version_becomes_the_newest_as_a_version_of_its_own() {
    let (fixture, access, _, _) = two_browsers().await;
    let mut laptop = fixture.machine(&access, 3).await;
    laptop.upload(&[("letter", b"one")]).await;
    let (_, old) = laptop.version_of("letter").await.unwrap();
    laptop.upload(&[("letter", b"second")]).await;
    laptop.begin().await;
    let (epoch, row) = (laptop.epoch, at(&laptop, "laptop/home/letter").await);
    let asked = MakeCurrent {
        node: row.id().unwrap(),
        version: old,
    };
    let space = laptop.space();
    let made = make_current(&laptop.store.meta, &*fixture.clock, &space, &asked).await;
    assert!(made.unwrap().is_some());
    assert_eq!(laptop.read("letter").await.unwrap(), b"one");
    assert_eq!(sizes(&laptop, "laptop/home/letter").await, [3, 6, 3]);
    laptop.begin().await;
    assert_eq!(laptop.epoch, epoch + 1, "the machine is told");
    let strange = MakeCurrent {
        node: at(&laptop, "Files").await.id().unwrap(),
        version: old,
    };
    let error = make_current(&laptop.store.meta, &*fixture.clock, &space, &strange)
        .await
        .unwrap_err();
    assert_eq!(error.refusal().code, ErrorCode::BadRequest);
}

#[tokio::test]
async fn what_was_made_current_stays_so_until_the_machine_has_something_new() {
    let (fixture, access, _, _) = two_browsers().await;
    let mut laptop = fixture.machine(&access, 3).await;
    laptop.upload(&[("letter", b"one")]).await;
    let old = newest(&laptop, "laptop/home/letter").await;
    laptop.upload(&[("letter", b"second")]).await;
    let second = newest(&laptop, "laptop/home/letter").await;
    for version in [old, second, old] {
        choose(&fixture, &laptop, "laptop/home/letter", version).await;
    }
    laptop.begin().await;
    laptop.upload(&[("letter", b"second")]).await;
    // The machine reads the file again, later than the first time.
    let mut read_again = laptop.file(b"second");
    if let Content::File(file) = &mut read_again.content {
        file.read_ns += 1;
        file.stamp.ctime_ns += 1;
    }
    laptop
        .commit(laptop.sign(&[("letter", Some(read_again))]))
        .await
        .unwrap();
    assert_eq!(sizes(&laptop, "laptop/home/letter").await, [3, 6, 3, 6, 3]);
    assert_eq!(laptop.read("letter").await.unwrap(), b"one");
    laptop.upload(&[("letter", b"the third")]).await;
    assert_eq!(laptop.read("letter").await.unwrap(), b"the third");
    laptop.upload(&[("letter", b"second")]).await;
    assert_eq!(sizes(&laptop, "laptop/home/letter").await, [6, 9, 3, 6, 3, 6, 3]);
}

#[tokio::test]
async fn what_is_put_in_by_hand_comes_on_top_of_what_was_made_current() {
    let (fixture, _, mut one, _) = two_browsers().await;
    one.upload(&[("letter", b"one")]).await;
    let old = newest(&one, "Files/letter").await;
    one.upload(&[("letter", b"second")]).await;
    choose(&fixture, &one, "Files/letter", old).await;
    one.upload(&[("letter", b"second")]).await;
    assert_eq!(sizes(&one, "Files/letter").await, [6, 3, 6, 3]);
}

#[tokio::test]
async fn folders_are_made_below_files_once() {
    let (fixture, _, mut one, _) = two_browsers().await;
    let space = one.space();
    let make = async |parent, name: &str| {
        let asked = NewFolder {
            parent,
            name: Name::new(name).unwrap(),
        };
        let made = folder::make(&fixture.store.meta, &*fixture.clock, &space, &asked).await;
        made.map(|(row, revision)| (row.id().unwrap(), revision.is_some()))
            .map_err(|error| error.refusal().code)
    };
    let (photos, made) = make(None, "Photos").await.unwrap();
    assert!(made);
    assert_eq!(make(None, "Photos").await, Ok((photos, false)));
    let (inner, _) = make(Some(photos), "2026").await.unwrap();
    let view = node_view(&at(&one, "Files/Photos/2026").await).unwrap();
    assert_eq!((view.id, view.parent), (inner, Some(photos)));
    one.upload(&[("Photos/2026/a.jpg", b"a"), ("note", b"note")]).await;
    assert_eq!(one.names(&["Files", "Photos", "2026"]).await, ["a.jpg"]);
    assert_eq!(make(None, "note").await, Err(ErrorCode::NameTaken));
    let note = at(&one, "Files/note").await.id().unwrap();
    assert_eq!(make(Some(note), "in a file").await, Err(ErrorCode::BadRequest));
}

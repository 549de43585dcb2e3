//! Commits: idempotence, order, what is missing, and where things land in the drive.

use beckon_shared::{
    bulk::CommitReply,
    commit::ChainHead,
    error::ErrorCode,
    keys::DeviceKeys,
    manifest::{Content, Manifest},
};
use bytes::Bytes;
use futures_util::TryStreamExt;

use crate::store::{
    meta,
    testing::{Fixture, Machine, RESERVE, file, folder, noise},
};

async fn machine() -> (Fixture, Machine) {
    let fixture = Fixture::new().await;
    let access = fixture.account(1).await;
    let machine = fixture.machine(&access, 1).await;
    (fixture, machine)
}

#[tokio::test]
async fn what_was_uploaded_lies_under_machine_and_root() {
    let (_fixture, mut machine) = machine().await;
    assert!(matches!(
        machine
            .upload(&[("docs/a/deep.txt", b"deep"), ("top.txt", b"top")])
            .await,
        CommitReply::Committed(_)
    ));
    assert_eq!(machine.names(&[]).await, ["Files", "laptop"]);
    assert_eq!(machine.names(&["laptop", "home"]).await, ["docs", "top.txt"]);
    assert_eq!(machine.names(&["laptop", "home", "docs", "a"]).await, ["deep.txt"]);
    assert_eq!(machine.read("docs/a/deep.txt").await.unwrap(), b"deep");
}

#[tokio::test]
async fn the_same_commit_again_gets_the_same_answer() {
    let (_fixture, mut machine) = machine().await;
    machine.send(&[b"one"]).await.unwrap();
    let upload = machine.sign(&[("one", Some(machine.file(b"one")))]);
    let first = machine.commit(upload.clone()).await.unwrap();
    machine.upload(&[("two", b"two")]).await;
    assert_eq!(machine.commit(upload).await.unwrap(), first);
    assert_eq!(machine.names(&["laptop", "home"]).await, ["one", "two"]);
}

#[tokio::test]
async fn a_commit_that_does_not_follow_the_head_is_behind() {
    let (_fixture, mut machine) = machine().await;
    machine.send(&[b"one"]).await.unwrap();
    let upload = machine.sign(&[("other", Some(machine.file(b"one")))]);
    machine.upload(&[("one", b"one")]).await;
    let head = machine.head;
    assert_eq!(machine.commit(upload).await.unwrap(), CommitReply::Behind(head));
    machine.head = ChainHead {
        number: 7,
        hash: head.hash,
    };
    let upload = machine.sign(&[("other", Some(machine.file(b"one")))]);
    assert_eq!(machine.commit(upload).await.unwrap(), CommitReply::Behind(head));
}

#[tokio::test]
async fn what_is_not_durable_is_named_and_nothing_is_committed() {
    let (_fixture, mut machine) = machine().await;
    machine.send(&[b"here"]).await.unwrap();
    let changes = [
        ("here", Some(machine.file(b"here"))),
        ("gone", Some(machine.file(b"gone"))),
    ];
    let reply = machine.commit(machine.sign(&changes)).await.unwrap();
    assert_eq!(reply, CommitReply::Missing(vec![machine.key.id(b"gone")]));
    assert_eq!(machine.names(&["laptop", "home"]).await, [""; 0]);
    machine.send(&[b"gone"]).await.unwrap();
    assert!(matches!(
        machine.commit(machine.sign(&changes)).await.unwrap(),
        CommitReply::Committed(_)
    ));
}

#[tokio::test]
async fn forged_and_foreign_commits_are_refused() {
    let (fixture, mut machine) = machine().await;
    machine.send(&[b"one"]).await.unwrap();
    let upload = machine.sign(&[("one", Some(machine.file(b"one")))]);
    let stranger = DeviceKeys::from_bytes(&[9; DeviceKeys::LEN]).public().sign;
    let forged = fixture
        .store
        .commit(&machine.access, &stranger, upload.clone())
        .await
        .unwrap_err();
    assert_eq!(forged.refusal().code, ErrorCode::BadRequest);
    let other = fixture.account(2).await;
    let other = fixture.machine(&other, 2).await;
    let foreign = fixture
        .store
        .commit(&other.access, &machine.public(), upload.clone())
        .await
        .unwrap_err();
    assert_eq!(foreign.refusal().code, ErrorCode::NotAllowed);
    let mut altered = upload.clone();
    altered.changes.push(0);
    assert_eq!(
        machine.commit(altered).await.unwrap_err().refusal().code,
        ErrorCode::BadRequest
    );
    let mut bare = upload;
    bare.manifests.clear();
    assert_eq!(
        machine.commit(bare).await.unwrap_err().refusal().code,
        ErrorCode::BadRequest
    );
}

#[tokio::test]
async fn the_same_content_again_makes_no_version() {
    let (_fixture, mut machine) = machine().await;
    machine.upload(&[("a", b"same"), ("b", b"before")]).await;
    let (node, first) = machine.version_of("a").await.unwrap();
    let mut touched = machine.file(b"same");
    if let Content::File(file) = &mut touched.content {
        file.stamp.ctime_ns += 5;
    }
    machine.send(&[b"after"]).await.unwrap();
    let changes = [("a", Some(touched.clone())), ("b", Some(machine.file(b"after")))];
    machine.commit(machine.sign(&changes)).await.unwrap();
    let (_, again) = machine.head_of("a").await.unwrap();
    assert_eq!(*again.manifest, touched, "the stamp changed in place");
    assert_eq!(machine.version_of("a").await.unwrap().1, first);
    assert_eq!(
        meta::check::versions_of(machine.store.meta.read(), node.no)
            .await
            .unwrap(),
        1
    );
    let (b, _) = machine.head_of("b").await.unwrap();
    assert_eq!(
        meta::check::versions_of(machine.store.meta.read(), b.no).await.unwrap(),
        2
    );
    assert_eq!(machine.read("b").await.unwrap(), b"after");
}

#[tokio::test]
async fn a_torn_version_never_takes_the_place_of_a_whole_one() {
    let (_fixture, mut machine) = machine().await;
    machine.upload(&[("log", b"whole")]).await;
    let torn = |machine: &Machine| {
        let mut manifest = machine.file(b"torn!");
        if let Content::File(file) = &mut manifest.content {
            file.torn = true;
        }
        manifest
    };
    machine.send(&[b"torn!"]).await.unwrap();
    let changes = [("log", Some(torn(&machine))), ("new", Some(torn(&machine)))];
    machine.commit(machine.sign(&changes)).await.unwrap();
    assert_eq!(machine.read("log").await.unwrap(), b"whole");
    let (node, _) = machine.head_of("log").await.unwrap();
    assert_eq!(
        meta::check::versions_of(machine.store.meta.read(), node.no)
            .await
            .unwrap(),
        2,
        "it is kept all the same"
    );
    assert_eq!(
        machine.read("new").await.unwrap(),
        b"torn!",
        "where there is no other it is better than nothing"
    );
    machine.upload(&[("new", b"whole")]).await;
    assert_eq!(machine.read("new").await.unwrap(), b"whole");
}

#[tokio::test]
async fn a_file_may_become_a_folder_and_the_other_way_round() {
    let (_fixture, mut machine) = machine().await;
    machine.upload(&[("x", b"file"), ("y/inside", b"inside")]).await;
    machine.send(&[b"now"]).await.unwrap();
    let changes = [
        ("x/below", Some(machine.file(b"now"))),
        ("x", Some(folder())),
        ("y", Some(machine.file(b"now"))),
    ];
    machine.commit(machine.sign(&changes)).await.unwrap();
    assert_eq!(machine.names(&["laptop", "home"]).await, ["x", "y"]);
    assert_eq!(machine.names(&["laptop", "home", "x"]).await, ["below"]);
    assert_eq!(machine.read("y").await.unwrap(), b"now");
    let both = [
        ("z", Some(machine.file(b"now"))),
        ("z/below", Some(machine.file(b"now"))),
    ];
    assert_eq!(
        machine.commit(machine.sign(&both)).await.unwrap_err().refusal().code,
        ErrorCode::BadRequest
    );
}

#[tokio::test]
async fn a_symlink_is_stored_as_its_target() {
    let (_fixture, mut machine) = machine().await;
    let link = Manifest {
        suite: 0,
        mode: 0o777,
        mtime_ns: 3,
        content: Content::Symlink(b"../elsewhere".to_vec()),
    };
    machine
        .commit(machine.sign(&[("link", Some(link.clone()))]))
        .await
        .unwrap();
    let (node, content) = machine.head_of("link").await.unwrap();
    assert_eq!((node.kind, &*content.manifest), (meta::entity::Kind::Symlink, &link));
}

#[tokio::test]
async fn an_upload_deletes_nothing() {
    let (_fixture, mut machine) = machine().await;
    machine.upload(&[("a/b", b"one"), ("c", b"two")]).await;
    for changes in [&[("a", None)][..], &[("c", None), ("new", Some(machine.file(b"two")))]] {
        let refusal = machine.commit(machine.sign(changes)).await.unwrap_err().refusal();
        assert_eq!(refusal.code, ErrorCode::NotAllowed);
    }
    assert_eq!(machine.names(&["laptop", "home"]).await, ["a", "c"]);
    assert_eq!(machine.read("a/b").await.unwrap(), b"one");
}

#[tokio::test]
async fn who_claims_a_known_hash_for_other_chunks_makes_a_version_and_the_old_one_stays() {
    let (fixture, mut machine) = machine().await;
    machine.upload(&[("letter", b"good"), ("sum", b"good")]).await;
    let (node, good) = machine.version_of("letter").await.unwrap();
    machine.send(&[b"evil"]).await.unwrap();
    let claimed = |crc32: u32, content: &[u8]| {
        let (mut manifest, mut other) = (machine.file(b"good"), machine.file(content));
        if let (Content::File(file), Content::File(other)) = (&mut manifest.content, &mut other.content) {
            std::mem::swap(&mut file.chunks, &mut other.chunks);
            file.crc32 = crc32;
            file.stamp.ctime_ns += 5;
        }
        Some(manifest)
    };
    let changes = [("letter", claimed(0, b"evil")), ("sum", claimed(1, b"good"))];
    machine.commit(machine.sign(&changes)).await.unwrap();
    assert_eq!(
        meta::check::versions_of(machine.store.meta.read(), node.no)
            .await
            .unwrap(),
        2
    );
    let kept = fixture.store.open_version(&machine.space(), good).await.unwrap();
    let pieces: Vec<Bytes> = fixture.store.read_chunks(&kept, 0..4).try_collect().await.unwrap();
    assert_eq!(pieces.concat(), b"good");
    let (node, _) = machine.version_of("sum").await.unwrap();
    assert_eq!(
        meta::check::versions_of(machine.store.meta.read(), node.no)
            .await
            .unwrap(),
        2
    );
}

#[tokio::test]
async fn a_commit_leaves_the_reserve_free() {
    let (fixture, mut machine) = machine().await;
    machine.send(&[b"one"]).await.unwrap();
    let upload = machine.sign(&[("one", Some(machine.file(b"one")))]);
    fixture.blobs.set_room(RESERVE - 1);
    assert_eq!(
        machine.commit(upload.clone()).await.unwrap_err().refusal().code,
        ErrorCode::NoRoom
    );
    fixture.blobs.set_room(RESERVE);
    assert!(matches!(
        machine.commit(upload).await.unwrap(),
        CommitReply::Committed(_)
    ));
}

#[tokio::test]
async fn a_commit_that_does_not_fit_moves_no_revision() {
    let (_fixture, mut machine) = machine().await;
    machine.upload(&[("one", b"one")]).await;
    let (access, key, space) = (machine.access, machine.public(), machine.space());
    let before = meta::space::row(machine.store.meta.read(), &space)
        .await
        .unwrap()
        .revision;
    machine.head = ChainHead::EMPTY;
    let upload = machine.sign(&[("two", Some(machine.file(b"one")))]);
    assert!(matches!(
        machine.store.commit(&access, &key, upload).await.unwrap(),
        CommitReply::Behind(_)
    ));
    assert_eq!(
        meta::space::row(machine.store.meta.read(), &space)
            .await
            .unwrap()
            .revision,
        before
    );
}

#[tokio::test]
async fn a_version_is_opened_once_in_a_request() {
    let (fixture, mut machine) = machine().await;
    machine.upload(&[("a", b"a"), ("b", b"b")]).await;
    let (_, a) = machine.version_of("a").await.unwrap();
    let (_, b) = machine.version_of("b").await.unwrap();
    let space = machine.space();
    assert_eq!(fixture.store.open_small(&space, &[b, a]).await.unwrap().len(), 2);
    let twice = fixture.store.open_small(&space, &[a, b, a]).await.unwrap_err();
    assert_eq!(twice.refusal().code, ErrorCode::BadRequest);
}

#[tokio::test]
async fn two_machines_of_one_name_get_folders_of_their_own() {
    let fixture = Fixture::new().await;
    let access = fixture.account(1).await;
    let (mut one, mut two) = (fixture.machine(&access, 1).await, fixture.machine(&access, 2).await);
    one.upload(&[("f", b"one")]).await;
    two.upload(&[("f", b"two")]).await;
    assert_eq!(one.names(&[]).await, ["Files", "laptop", "laptop (2)"]);
    assert_eq!(
        (one.read("f").await.unwrap(), two.read("f").await.unwrap()),
        (b"one".to_vec(), b"two".to_vec())
    );
}

#[tokio::test]
async fn accounts_cannot_see_each_other() {
    let fixture = Fixture::new().await;
    let mine = fixture.account(1).await;
    let theirs = fixture.account(2).await;
    let mut machine = fixture.machine(&mine, 1).await;
    let other = fixture.machine(&theirs, 2).await;
    machine.upload(&[("secret", b"secret")]).await;
    let (_, version) = machine.version_of("secret").await.unwrap();
    let error = fixture.store.open_version(&other.space(), version).await.unwrap_err();
    assert_eq!(error.refusal().code, ErrorCode::NotFound);
    let missing = fixture
        .store
        .have(&other.access, &[machine.key.id(b"secret")])
        .await
        .unwrap();
    assert!(missing.get(0), "even who knows the id learns nothing");
    let mut thief = fixture.machine(&theirs, 3).await;
    let reply = thief
        .commit(thief.sign(&[("stolen", Some(file(&machine.key, b"secret")))]))
        .await
        .unwrap();
    assert!(matches!(reply, CommitReply::Missing(_)));
    assert!(theirs.space(machine.access.space, crate::access::Right::Read).is_err());
}

#[tokio::test]
async fn every_change_is_told_once_with_a_growing_revision() {
    let (fixture, mut machine) = machine().await;
    let mut changes = fixture.store.changes();
    let content = noise(3, 100);
    machine.send(&[&content]).await.unwrap();
    let upload = machine.sign(&[("a", Some(machine.file(&content)))]);
    machine.commit(upload.clone()).await.unwrap();
    machine.commit(upload).await.unwrap();
    machine.upload(&[("b", b"b")]).await;
    let revisions = [
        changes.recv().await.unwrap().revision,
        changes.recv().await.unwrap().revision,
    ];
    assert_eq!(revisions, [1, 2]);
    assert!(changes.try_recv().is_err());
}

//! Collection: what is needed stays, what is not goes after a day, and nothing is lost in between.

use std::time::Duration;

use beckon_shared::{bulk::CommitReply, error::ErrorCode, id::NodeId};

use crate::{
    clock::Clock,
    store::{
        blob::Blobs,
        meta::{
            self,
            drive::{change, deleted},
            space::Fill,
        },
        pack::{self, PackId},
        testing::{Fixture, RESERVE, noise},
    },
    worker::{
        self,
        collect::{self, GRACE},
        expiry,
    },
};

async fn collect(fixture: &Fixture) {
    let plan = collect::plan(&fixture.store).await.unwrap();
    collect::execute(&fixture.store, &plan).await.unwrap();
}

const DAY: Duration = Duration::from_secs(24 * 3600 + 1);

#[tokio::test]
async fn what_nothing_needs_goes_after_a_day_and_its_pack_with_it() {
    let fixture = Fixture::new().await;
    let access = fixture.account(1).await;
    let machine = fixture.machine(&access, 1).await;
    let id = machine.send(&[&noise(1, 2_000_000)]).await.unwrap()[0];
    fixture.store.end_transfer(machine.access.transfer).await.unwrap();
    collect(&fixture).await;
    collect(&fixture).await;
    assert!(
        fixture.store.fill(&machine.space()).await.unwrap().content > 0,
        "only marked yet"
    );
    fixture.clock.advance(DAY);
    collect(&fixture).await;
    collect(&fixture).await;
    assert_eq!(fixture.store.fill(&machine.space()).await.unwrap().content, 0);
    assert!(fixture.store.have(&machine.access, &[id]).await.unwrap().get(0));
    assert!(fixture.blobs.list().unwrap().is_empty());
}

#[tokio::test]
async fn what_is_pinned_or_used_stays() {
    let fixture = Fixture::new().await;
    let access = fixture.account(1).await;
    let mut machine = fixture.machine(&access, 1).await;
    machine.upload(&[("used", b"used")]).await;
    fixture.store.end_transfer(machine.access.transfer).await.unwrap();
    let pinned = machine.send(&[b"pinned"]).await.unwrap()[0];
    for _ in 0..3 {
        collect(&fixture).await;
        fixture.clock.advance(DAY);
    }
    assert_eq!(machine.read("used").await.unwrap(), b"used");
    assert!(!fixture.store.have(&machine.access, &[pinned]).await.unwrap().get(0));
}

#[tokio::test]
async fn a_chunk_that_was_called_present_cannot_be_collected_before_its_commit() {
    let fixture = Fixture::new().await;
    let access = fixture.account(1).await;
    let mut machine = fixture.machine(&access, 1).await;
    let content = noise(1, 100_000);
    machine.send(&[&content]).await.unwrap();
    fixture.store.end_transfer(machine.access.transfer).await.unwrap();
    collect(&fixture).await;
    fixture.clock.advance(GRACE * 2);
    // The plan to delete is made, then the chunk is asked for, then the plan is carried out.
    let plan = collect::plan(&fixture.store).await.unwrap();
    assert!(!plan.delete.is_empty());
    assert!(
        !fixture
            .store
            .have(&machine.access, &[machine.key.id(&content)])
            .await
            .unwrap()
            .get(0)
    );
    collect::execute(&fixture.store, &plan).await.unwrap();
    let reply = machine
        .commit(machine.sign(&[("f", Some(machine.file(&content)))]))
        .await
        .unwrap();
    assert!(matches!(reply, CommitReply::Committed(_)));
    assert_eq!(machine.read("f").await.unwrap(), content);
}

#[tokio::test]
async fn sparse_packs_are_written_anew_and_readers_notice_nothing() {
    let fixture = Fixture::new().await;
    let access = fixture.account(1).await;
    let mut machine = fixture.machine(&access, 1).await;
    let keep = noise(1, 500_000);
    machine.send(&[&noise(2, 5_000_000), &keep]).await.unwrap();
    machine.upload(&[("keep", &keep)]).await;
    fixture.store.end_transfer(machine.access.transfer).await.unwrap();
    let (_, version) = machine.head_of("keep").await.unwrap();
    for _ in 0..3 {
        collect(&fixture).await;
        fixture.clock.advance(DAY);
    }
    collect(&fixture).await;
    let left: u64 = fixture
        .blobs
        .list()
        .unwrap()
        .into_iter()
        .map(|pack| fixture.blobs.len(pack).unwrap())
        .sum();
    assert!(left < 1_100_000, "{left} bytes are left");
    assert_eq!(machine.read("keep").await.unwrap(), keep);
    assert_eq!(version.size(), 500_000);
    assert!(collect::plan(&fixture.store).await.unwrap().is_empty());
}

#[tokio::test]
async fn many_small_packs_become_one() {
    let fixture = Fixture::new().await;
    let access = fixture.account(1).await;
    let mut machine = fixture.machine(&access, 1).await;
    for seed in 0..10 {
        machine.upload(&[(&format!("f{seed}"), &noise(seed, 1000))]).await;
    }
    assert_eq!(fixture.blobs.list().unwrap().len(), 10);
    fixture.clock.advance(DAY);
    collect(&fixture).await;
    collect(&fixture).await;
    assert_eq!(
        fixture.blobs.list().unwrap().len(),
        11,
        "the old ones stay for those who restore an older database"
    );
    fixture.clock.advance(DAY);
    collect(&fixture).await;
    assert_eq!(fixture.blobs.list().unwrap().len(), 1);
    for seed in 0..10 {
        assert_eq!(machine.read(&format!("f{seed}")).await.unwrap(), noise(seed, 1000));
    }
}

#[tokio::test]
async fn what_was_deleted_goes_for_good_after_thirty_days_with_all_below_it() {
    let fixture = Fixture::new().await;
    let access = fixture.account(1).await;
    let mut machine = fixture.machine(&access, 1).await;
    machine
        .upload(&[
            ("gone/a/b", &noise(1, 50_000)),
            ("gone/c", &noise(2, 50_000)),
            ("kept", &noise(3, 50_000)),
        ])
        .await;
    let (node, _) = machine.version_of("gone/a/b").await.unwrap();
    // A file takes the folder's place, which goes to Deleted.
    machine.upload(&[("gone", b"")]).await;
    fixture.clock.advance(expiry::DELETED_KEPT - DAY);
    worker::round(&fixture.store).await.unwrap();
    assert_eq!(
        meta::check::versions_of(fixture.store.meta.read(), node.no)
            .await
            .unwrap(),
        1,
        "it can still be restored"
    );
    for _ in 0..4 {
        fixture.clock.advance(DAY);
        worker::round(&fixture.store).await.unwrap();
    }
    assert_eq!(
        meta::check::versions_of(fixture.store.meta.read(), node.no)
            .await
            .unwrap(),
        0
    );
    assert_eq!(fixture.store.fill(&machine.space()).await.unwrap().content, 50_000);
    assert_eq!(machine.read("kept").await.unwrap(), noise(3, 50_000));
    machine.upload(&[("gone/c", b"anew")]).await;
    assert_eq!(machine.read("gone/c").await.unwrap(), b"anew");
}

#[tokio::test]
async fn an_unknown_pack_is_taken_up_and_gives_back_what_its_row_lost() {
    let fixture = Fixture::new().await;
    let access = fixture.account(1).await;
    let mut machine = fixture.machine(&access, 1).await;
    machine.upload(&[("kept", &noise(1, 50_000))]).await;
    let old = fixture.blobs.list().unwrap()[0];
    // As after a restore: the database names a pack that collection has replaced by one that the database does not know.
    let bytes = fixture.blobs.read(old, 0..fixture.blobs.len(old).unwrap()).unwrap();
    let new = PackId::new(&*fixture.clock);
    let mut sink = fixture.blobs.begin(new).unwrap();
    sink.write(&pack::header(new)).unwrap();
    sink.write(&bytes[pack::HEADER_LEN..]).unwrap();
    sink.seal().unwrap();
    fixture.blobs.delete(old).unwrap();
    fixture.clock.advance(DAY);
    collect(&fixture).await;
    assert_eq!(fixture.blobs.list().unwrap(), [new]);
    assert_eq!(machine.read("kept").await.unwrap(), noise(1, 50_000));
    fixture.store.end_transfer(machine.access.transfer).await.unwrap();
    for _ in 0..3 {
        fixture.clock.advance(DAY);
        collect(&fixture).await;
    }
    assert_eq!(machine.read("kept").await.unwrap(), noise(1, 50_000));
}

#[tokio::test]
async fn a_pack_that_is_taken_up_while_it_is_indexed_is_indexed_once() {
    let fixture = Fixture::new().await;
    let access = fixture.account(1).await;
    let mut machine = fixture.machine(&access, 1).await;
    machine.upload(&[("kept", &noise(1, 50_000))]).await;
    let pack = fixture.blobs.list().unwrap()[0];
    let before = meta::check::whole_index(fixture.store.meta.read()).await.unwrap();
    let mut plan = collect::Plan::default();
    plan.orphans.push(pack);
    collect::execute(&fixture.store, &plan).await.unwrap();
    assert_eq!(
        meta::check::whole_index(fixture.store.meta.read()).await.unwrap(),
        before
    );
    assert_eq!(machine.read("kept").await.unwrap(), noise(1, 50_000));
}

#[tokio::test]
async fn an_unknown_pack_of_which_nothing_can_be_read_is_put_aside() {
    let fixture = Fixture::new().await;
    let pack = PackId::new(&*fixture.clock);
    let mut sink = fixture.blobs.begin(pack).unwrap();
    sink.write(b"nothing that anybody knows").unwrap();
    sink.seal().unwrap();
    fixture.clock.advance(DAY);
    collect(&fixture).await;
    assert!(fixture.blobs.list().unwrap().is_empty());
    let kept = fixture.folder.path().join("packs/lost").join(format!("{pack}.pack"));
    assert_eq!(std::fs::read(kept).unwrap(), b"nothing that anybody knows");
}

#[tokio::test]
async fn a_full_disk_is_freed_and_no_pack_is_written_anew_on_it() {
    let fixture = Fixture::new().await;
    let access = fixture.account(1).await;
    let mut machine = fixture.machine(&access, 1).await;
    for seed in 0..10 {
        machine.upload(&[(&format!("f{seed}"), &noise(seed, 1000))]).await;
    }
    machine.send(&[&noise(20, 2_000_000)]).await.unwrap();
    fixture.store.end_transfer(machine.access.transfer).await.unwrap();
    fixture.blobs.set_room(RESERVE);
    let seals = fixture.blobs.seals();
    for _ in 0..4 {
        collect(&fixture).await;
        fixture.clock.advance(DAY);
    }
    assert_eq!(fixture.blobs.seals(), seals, "nothing is written on a full disk");
    assert_eq!(fixture.blobs.list().unwrap().len(), 10, "what was empty is gone");
}

#[tokio::test]
async fn what_a_cancelled_upload_left_takes_no_room_and_comes_back_without_being_sent() {
    let fixture = Fixture::new().await;
    let access = fixture.account(1).await;
    let machine = fixture.machine(&access, 1).await;
    let before = fixture.store.fill(&machine.space()).await.unwrap().used();
    let ids = machine.send(&[&noise(1, 500_000)]).await.unwrap();
    assert!(fixture.store.fill(&machine.space()).await.unwrap().used() >= before + 500_000);
    fixture.store.end_transfer(machine.access.transfer).await.unwrap();
    let fill = fixture.store.fill(&machine.space()).await.unwrap();
    assert_eq!((fill.used(), fill.marked), (before, 500_000));
    let missing = fixture.store.have(&machine.access, &ids).await.unwrap();
    assert!((0..ids.len()).all(|at| !missing.get(at)), "it is still there");
    let fill = fixture.store.fill(&machine.space()).await.unwrap();
    assert_eq!((fill.used(), fill.marked), (before + 500_000, 0));
}

#[tokio::test]
async fn what_is_deleted_for_good_is_room_at_once_but_never_more_than_the_quota() {
    let fixture = Fixture::new().await;
    let access = fixture.account(1).await;
    let mut machine = fixture.machine(&access, 1).await;
    let (store, space) = (&fixture.store, machine.space());
    machine
        .upload(&[("large", &noise(1, 500_000)), ("small", b"small")])
        .await;
    store.end_transfer(machine.access.transfer).await.unwrap();
    let full = store.fill(&space).await.unwrap();
    let large = machine.head_of("large").await.unwrap().0;
    let gone = [NodeId::from_slice(&large.id).unwrap()];
    let remove = || deleted::remove(&store.meta, &*fixture.clock, &space, &gone);
    let live = remove().await.unwrap_err().refusal();
    assert_eq!(live.code, ErrorCode::Conflict);
    change::delete(&store.meta, &space, &gone, fixture.clock.now())
        .await
        .unwrap();
    assert_eq!(
        store.fill(&space).await.unwrap(),
        full,
        "it can be restored, so it counts"
    );
    remove().await.unwrap();
    let fill = store.fill(&space).await.unwrap();
    assert_eq!((fill.content, fill.marked), (full.content, 500_000));
    assert!(fill.used() < 500_000, "{fill:?}");
    let tight = Fill {
        quota: Some(100_000),
        ..fill
    };
    assert_eq!(tight.used(), fill.used() + 400_000);
    fixture.clock.advance(DAY);
    collect(&fixture).await;
    let fill = store.fill(&space).await.unwrap();
    assert_eq!((fill.content, fill.marked), (5, 0));
}

#[tokio::test]
async fn emptying_takes_all_that_was_deleted_and_nothing_else() {
    let fixture = Fixture::new().await;
    let access = fixture.account(1).await;
    let mut machine = fixture.machine(&access, 1).await;
    machine.upload(&[("a", b"a"), ("b", b"b"), ("c", b"c")]).await;
    let (store, space) = (&fixture.store, machine.space());
    let mut nodes = Vec::new();
    for name in ["a", "b"] {
        let (node, _) = machine.head_of(name).await.unwrap();
        nodes.push(NodeId::from_slice(&node.id).unwrap());
    }
    change::delete(&store.meta, &space, &nodes, fixture.clock.now())
        .await
        .unwrap();
    deleted::remove_all(&store.meta, &*fixture.clock, &space).await.unwrap();
    assert!(
        deleted::deleted(store.meta.read(), &space, None, 10)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(machine.read("c").await.unwrap(), b"c");
    assert!(machine.head_of("a").await.is_none());
}

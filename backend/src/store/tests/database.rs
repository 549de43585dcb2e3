//! The database fails, and must not be believed in more than it keeps.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use beckon_shared::{bulk::CommitReply, id::Hash};

use crate::store::{
    Store,
    meta::{self, Meta, replay},
    pack,
    testing::Fixture,
    writer::Parts,
};

/// The store of a fixture over connections whose next commit fails where `fails` says so.
async fn over(fixture: &Fixture, fails: &Arc<AtomicBool>) -> Store {
    let fails = fails.clone();
    let may_commit = move || !fails.swap(false, Ordering::SeqCst);
    Store::over(Parts {
        blobs: fixture.blobs.clone(),
        meta: replay::open_watched(&fixture.database, may_commit).await.unwrap(),
        clock: fixture.clock.clone(),
        reserve: 0,
        pack_len: pack::TARGET,
    })
    .unwrap()
}

#[tokio::test]
async fn what_is_called_durable_after_a_commit_that_failed_is_in_the_database() {
    let (fixture, fails) = (Fixture::new().await, Arc::new(AtomicBool::new(false)));
    if !fixture.database.starts_with("sqlite:") {
        return;
    }
    let access = fixture.account(1).await;
    let mut machine = fixture.machine(&access, 1).await;
    machine.store = over(&fixture, &fails).await;
    fails.store(true, Ordering::SeqCst);
    assert!(machine.send(&[b"lost"]).await.is_err());
    // A transaction that is given up.
    let (head, file) = (machine.head, machine.file(b"lost"));
    machine.head.hash = Hash([7; 32]);
    let behind = machine.commit(machine.sign(&[("file", Some(file))])).await.unwrap();
    assert_eq!(behind, CommitReply::Behind(head));
    let ids = machine.send(&[b"kept"]).await.unwrap();
    let seen = meta::chunk::durable(fixture.store.meta.read(), access.spaces[0].0, &ids).await;
    assert_eq!(seen.unwrap().len(), 1, "it is in no transaction that is committed");
}

#[tokio::test]
async fn a_commit_is_synced_before_it_is_answered() {
    let fixture = Fixture::new().await;
    if !fixture.database.starts_with("sqlite:") {
        return;
    }
    let meta = Meta::open(&fixture.database).await.unwrap();
    // 2 is FULL: the log is synced at each commit.
    let wanted = ("wal".to_owned(), 2);
    assert_eq!(replay::durability(&meta).await, wanted);
}

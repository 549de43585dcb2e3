//! Group commit, and what happens when the disk fails.

use std::io::ErrorKind;

use beckon_shared::error::ErrorCode;
use futures_util::future::join_all;

use crate::store::testing::{Fixture, RESERVE, noise};

#[tokio::test]
async fn many_senders_share_few_syncs() {
    let fixture = Fixture::new().await;
    let access = fixture.account(1).await;
    let machine = fixture.machine(&access, 1).await;
    fixture.blobs.hold();
    let contents: Vec<Vec<u8>> = (0..64).map(|seed| noise(seed, 10_000)).collect();
    let sends = contents.iter().map(|content| async { machine.send(&[content]).await.unwrap() });
    let release = async {
        // All senders are polled once before this: their chunks are queued behind the first sync.
        tokio::task::yield_now().await;
        fixture.blobs.release();
    };
    tokio::join!(join_all(sends), release);
    assert!(fixture.blobs.seals() <= 8, "{} syncs for 64 senders", fixture.blobs.seals());
}

#[tokio::test]
async fn what_was_called_durable_is_there_after_a_restart() {
    let fixture = Fixture::new().await;
    let access = fixture.account(1).await;
    let machine = fixture.machine(&access, 1).await;
    let ids = machine.send(&[&noise(1, 40_000_000)]).await.unwrap();
    fixture.store.close().await.unwrap();
    let (blobs, clock) = (fixture.blobs.clone(), fixture.clock.clone());
    let meta = crate::store::meta::Meta::open(&fixture.database).await.unwrap();
    let store = crate::store::Store::over(super::Parts { blobs, meta, clock, reserve: 0 }).unwrap();
    let missing = store.have(&machine.access, &ids).await.unwrap();
    assert!((0..ids.len()).all(|at| !missing.get(at)));
    assert!(fixture.blobs.seals() >= 2, "40 MB need more than one pack");
}

#[tokio::test]
async fn sending_the_same_chunk_twice_is_harmless() {
    let fixture = Fixture::new().await;
    let access = fixture.account(1).await;
    let machine = fixture.machine(&access, 1).await;
    let content = noise(1, 50_000);
    machine.send(&[&content, &content]).await.unwrap();
    let same = [content.as_slice()];
    let (one, two) = tokio::join!(machine.send(&same), machine.send(&same));
    assert_eq!(one.unwrap(), two.unwrap());
    assert_eq!(fixture.store.space_usage(&machine.space()).await.unwrap().stored, 50_000);
}

#[tokio::test]
async fn a_failed_sync_is_never_called_durable_and_the_store_recovers() {
    let fixture = Fixture::new().await;
    let access = fixture.account(1).await;
    let machine = fixture.machine(&access, 1).await;
    let content = noise(1, 50_000);
    // The probe before the next pack fails as well, then the disk works again.
    fixture.blobs.fail(&[ErrorKind::Other, ErrorKind::Other]);
    assert!(machine.send(&[&content]).await.is_err());
    assert!(!fixture.store.is_healthy());
    let id = machine.key.id(&content);
    assert!(fixture.store.have(&machine.access, &[id]).await.unwrap().get(0), "missing, since it is not durable");
    assert!(machine.send(&[&content]).await.is_err(), "the probe failed");
    machine.send(&[&content]).await.unwrap();
    assert!(fixture.store.is_healthy());
    assert!(!fixture.store.have(&machine.access, &[id]).await.unwrap().get(0));
}

#[tokio::test]
async fn a_full_disk_is_told_as_no_room() {
    let fixture = Fixture::new().await;
    let access = fixture.account(1).await;
    let machine = fixture.machine(&access, 1).await;
    fixture.blobs.fail(&[ErrorKind::StorageFull]);
    let error = machine.send(&[&noise(1, 1000)]).await.unwrap_err();
    assert_eq!(error.refusal().code, ErrorCode::NoRoom);
    fixture.blobs.set_room(RESERVE - 1);
    let error = machine.send(&[&noise(1, 1000)]).await.unwrap_err();
    assert_eq!(error.refusal().code, ErrorCode::NoRoom);
    fixture.blobs.set_room(RESERVE);
    machine.send(&[&noise(1, 1000)]).await.unwrap();
}

#[tokio::test]
async fn after_the_end_chunks_are_refused_and_nobody_hangs() {
    let fixture = Fixture::new().await;
    let access = fixture.account(1).await;
    let machine = fixture.machine(&access, 1).await;
    let batch = fixture.store.batch(&machine.access).await.unwrap();
    fixture.store.writer.close().await;
    let content = noise(1, 10);
    let pushed = batch.push(crate::store::testing::chunk(machine.key.id(&content), &content)).await;
    let error = match pushed {
        Err(error) => error,
        Ok(()) => batch.durable().await.unwrap_err(),
    };
    assert_eq!(error.refusal().code, ErrorCode::GoingAway);
}

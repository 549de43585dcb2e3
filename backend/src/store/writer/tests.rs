//! Group commit, and what happens when the disk fails.

use std::io::ErrorKind;

use futures_util::future::join_all;

use super::*;
use crate::store::{
    pack,
    room::Arriving,
    testing::{Fixture, RESERVE, noise},
};

#[tokio::test]
async fn many_senders_share_few_syncs() {
    let fixture = Fixture::new().await;
    let access = fixture.account(1).await;
    let machine = fixture.machine(&access, 1).await;
    fixture.blobs.hold();
    let contents: Vec<Vec<u8>> = (0..64).map(|seed| noise(seed, 10_000)).collect();
    let sends = contents
        .iter()
        .map(|content| async { machine.send(&[content]).await.unwrap() });
    let release = async {
        // All senders are polled once before this: their chunks are queued behind the first sync.
        tokio::task::yield_now().await;
        fixture.blobs.release();
    };
    tokio::join!(join_all(sends), release);
    assert!(
        fixture.blobs.seals() <= 8,
        "{} syncs for 64 senders",
        fixture.blobs.seals()
    );
}

#[tokio::test]
async fn a_large_pack_is_synced_while_the_one_before_it_becomes_durable() {
    let fixture = Fixture::new().await;
    let access = fixture.account(1).await;
    let machine = fixture.machine(&access, 1).await;
    fixture.blobs.hold();
    let contents = [1, 2].map(|seed| noise(seed, WORTH_A_PACK));
    let (first, second) = ([contents[0].as_slice()], [contents[1].as_slice()]);
    let begun = async |count| {
        while fixture.blobs.sealing() < count {
            tokio::task::yield_now().await;
        }
    };
    let in_time = async {
        begun(1).await;
        let (sent, ()) = tokio::join!(machine.send(&second), async {
            begun(2).await;
            fixture.blobs.release();
        });
        sent.unwrap();
    };
    let patience = std::time::Duration::from_secs(20);
    let both = async { tokio::join!(machine.send(&first), in_time).0.unwrap() };
    let sent = tokio::time::timeout(patience, both).await;
    fixture.blobs.release();
    assert!(sent.is_ok(), "the second pack waits for the first");
}

#[tokio::test]
async fn who_sent_part_of_a_pack_that_failed_is_told_so_though_the_next_pack_is_good() {
    let fixture = Fixture::new().await;
    let access = fixture.account(1).await;
    let machine = fixture.machine(&access, 1).await;
    fixture.blobs.fail(&[ErrorKind::Other]);
    let batch = fixture.store.batch(&machine.access).await.unwrap();
    for seed in 0..24 {
        let content = noise(seed, 1 << 20);
        let pushed = batch
            .push(crate::store::testing::chunk(machine.key.id(&content), &content))
            .await;
        if pushed.is_err() {
            break;
        }
    }
    assert!(batch.durable().await.is_err());
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
    let store = crate::store::Store::over(super::Parts {
        blobs,
        meta,
        clock,
        reserve: 0,
        pack_len: pack::TARGET,
    })
    .unwrap();
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
    assert_eq!(fixture.store.fill(&machine.space()).await.unwrap().content, 50_000);
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
    assert!(
        fixture.store.have(&machine.access, &[id]).await.unwrap().get(0),
        "missing, since it is not durable"
    );
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
    let pushed = batch
        .push(crate::store::testing::chunk(machine.key.id(&content), &content))
        .await;
    let error = match pushed {
        Err(error) => error,
        Ok(()) => batch.durable().await.unwrap_err(),
    };
    assert_eq!(error.refusal().code, ErrorCode::GoingAway);
}

#[tokio::test]
async fn at_the_end_nobody_is_answered_before_the_packs_are_indexed() {
    let fixture = Fixture::new().await;
    let access = fixture.account(1).await;
    let machine = fixture.machine(&access, 1).await;
    fixture.blobs.hold();
    fixture.blobs.fail(&[ErrorKind::Other]);
    let (one, two) = (
        fixture.store.batch(&machine.access).await.unwrap(),
        fixture.store.batch(&machine.access).await.unwrap(),
    );
    for (batch, seed) in [(&one, 1), (&two, 2)] {
        let content = noise(seed, 1000);
        batch
            .push(crate::store::testing::chunk(machine.key.id(&content), &content))
            .await
            .unwrap();
    }
    let one = tokio::spawn(one.durable());
    while fixture.blobs.sealing() == 0 {
        tokio::task::yield_now().await;
    }
    // Its chunk is in the pack that is being synced, and no other pack is open.
    let mut two = Box::pin(two.durable());
    assert!(futures_util::poll!(&mut two).is_pending());
    let mut end = Box::pin(fixture.store.writer.close());
    assert!(futures_util::poll!(&mut end).is_pending());
    // Chunks are refused once the thread knows that it is to end.
    let late = fixture.store.batch(&machine.access).await.unwrap();
    let content = noise(3, 1000);
    while late
        .push(crate::store::testing::chunk(machine.key.id(&content), &content))
        .await
        .is_ok()
    {
        tokio::task::yield_now().await;
    }
    let waits = futures_util::poll!(&mut two).is_pending();
    fixture.blobs.release();
    assert!(waits, "its pack is not indexed");
    end.await;
    assert!(two.await.is_err(), "the sync failed");
    assert!(one.await.unwrap().is_err());
}

#[tokio::test]
async fn a_panic_of_the_thread_is_seen_by_who_asks_for_the_servers_health() {
    let fixture = Fixture::new().await;
    let access = fixture.account(1).await;
    let machine = fixture.machine(&access, 1).await;
    fixture.blobs.panic_once();
    assert!(machine.send(&[&noise(1, 1000)]).await.is_err());
    assert!(!fixture.store.is_healthy());
}

#[tokio::test]
async fn nobody_is_told_durable_when_the_task_that_seals_is_gone() {
    let fixture = Fixture::new().await;
    let access = fixture.account(1).await;
    let machine = fixture.machine(&access, 1).await;
    let (queue, queued) = mpsc::unbounded_channel();
    let (filled, gone) = mpsc::channel(1);
    drop(gone);
    let health = Arc::new(Health(AtomicBool::new(true)));
    let parts = Parts {
        blobs: fixture.blobs.clone(),
        meta: fixture.store.meta.clone(),
        clock: fixture.clock.clone(),
        reserve: 0,
        pack_len: pack::TARGET,
    };
    let assembly = super::assembly::Assembly::new(parts, health.clone(), filled);
    let thread = std::thread::spawn(move || assembly.run(queued));
    let content = noise(1, 1000);
    let chunk = crate::store::testing::chunk(machine.key.id(&content), &content);
    let batch = Arc::new(BatchState {
        share: Arriving::default().share(machine.access.space),
        transfer: machine.access.transfer,
        failure: Mutex::new(None),
    });
    let permit = Arc::new(Semaphore::new(1)).acquire_owned().await.unwrap();
    queue
        .send(Message::Chunk(Queued {
            chunk,
            batch: batch.clone(),
            permit,
        }))
        .unwrap_or_else(|_| unreachable!("the thread listens"));
    let later = Arc::new(BatchState {
        share: Arriving::default().share(machine.access.space),
        transfer: machine.access.transfer,
        failure: Mutex::new(None),
    });
    for batch in [batch, later] {
        let (answer, answered) = oneshot::channel();
        queue
            .send(Message::Flush(Waiter { batch, answer }))
            .unwrap_or_else(|_| unreachable!("the thread listens"));
        assert!(answered.await.unwrap().is_err());
    }
    drop(Alarm {
        health: health.clone(),
        queue: None,
    });
    assert!(health.is_good(), "an orderly end is no alarm");
    drop(queue);
    thread.join().unwrap();
}

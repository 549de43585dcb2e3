//! Room for what is uploaded: an account's quota counts what is durable and what is on its way there.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use beckon_shared::{bulk::ChunkHeader, error::ErrorCode, id::SpaceId};
use tokio::sync::OwnedMutexGuard;

use super::{
    error::Error,
    meta::{
        Meta, chunk,
        space::{self, Fill},
    },
};

/// How full a space is, and how full it may be, is asked anew after so many bytes of content of one batch.
const LOOK_EVERY: u64 = 1 << 20;

/// Bytes of content that are on their way to becoming durable, by space; clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Arriving {
    bytes: Arc<Mutex<HashMap<SpaceId, u64>>>,
    /// Bytes that are on their way no more, in all spaces: most of them became durable.
    settled: Arc<AtomicU64>,
    /// Held while a pack becomes durable: its chunks may count twice meanwhile.
    indexing: Arc<tokio::sync::Mutex<()>>,
}

impl Arriving {
    /// A share of what arrives in a space, with nothing in it.
    pub(crate) fn share(&self, space: SpaceId) -> Share {
        Share {
            arriving: self.clone(),
            space,
            bytes: AtomicU64::new(0),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SpaceId, u64>> {
        // No code that can panic runs under this lock.
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one batch has on its way; gone when it is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    arriving: Arriving,
    space: SpaceId,
    bytes: AtomicU64,
}

impl Share {
    /// Where it goes.
    pub(crate) fn space(&self) -> SpaceId {
        self.space
    }

    /// Adds to it; what arrives in the space from all batches.
    fn add(&self, bytes: u64) -> u64 {
        let mut arriving = self.arriving.lock();
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let total = arriving.entry(self.space).or_default();
        *total += bytes;
        *total
    }

    /// Keeps what is on its way from being looked at until a pack is durable and settled.
    pub(crate) async fn indexing(&self) -> OwnedMutexGuard<()> {
        self.arriving.indexing.clone().lock_owned().await
    }

    /// Takes out what has become durable, and is counted as such from now on.
    pub(crate) fn settle(&self, bytes: u64) {
        let mut arriving = self.arriving.lock();
        self.arriving.settled.fetch_add(bytes, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        let left = arriving.get(&self.space).copied().unwrap_or_default();
        match left.saturating_sub(bytes) {
            0 => _ = arriving.remove(&self.space),
            left => _ = arriving.insert(self.space, left),
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.settle(self.bytes.load(Ordering::Relaxed));
    }
}

/// The quota of the space that a batch goes into.
#[derive(Debug)]
pub(crate) struct Limit {
    meta: Meta,
    seen: Mutex<Seen>,
}

/// What was found when it was last looked.
#[derive(Debug, Clone, Copy)]
struct Seen {
    fill: Fill,
    /// What was settled before that.
    settled: u64,
    /// What the batch took since.
    taken: u64,
}

impl Seen {
    async fn now(meta: &Meta, share: &Share) -> Result<Self, Error> {
        // Before it is looked: what becomes durable in between counts twice rather than never.
        let settled = share.arriving.settled.load(Ordering::Relaxed);
        let fill = space::fill(meta.read(), share.space).await?;
        Ok(Self {
            fill,
            settled,
            taken: 0,
        })
    }

    /// Whether so much more may come: what was settled since may be durable, and is not in what was seen.
    fn has_room_for(&self, arriving: u64, share: &Share) -> bool {
        let since = share.arriving.settled.load(Ordering::Relaxed) - self.settled;
        self.fill.has_room_for(arriving.saturating_add(since))
    }
}

impl Limit {
    /// The limit of the space that a share goes into.
    pub(crate) async fn of(meta: &Meta, share: &Share) -> Result<Self, Error> {
        let seen = Seen::now(meta, share).await?;
        Ok(Self {
            meta: meta.clone(),
            seen: Mutex::new(seen),
        })
    }

    /// Takes one more chunk into a batch's share, or refuses where there is no room for it. One that comes in a damaged
    /// one's place was counted before.
    pub(crate) async fn admit(&self, share: &Share, chunk: &ChunkHeader) -> Result<(), Error> {
        let bytes = u64::from(chunk.len);
        let arriving = share.add(bytes);
        if self.seen(share, bytes).await?.has_room_for(arriving, share) {
            return Ok(());
        }
        // Once more, while nothing counts twice.
        let (fill, arriving) = self.settled(share).await?;
        match fill.has_room_for(arriving) {
            false => {
                let damaged = chunk::damaged(self.meta.read(), share.space, &[chunk.id]).await?;
                damaged
                    .contains(&chunk.id)
                    .then_some(())
                    .ok_or_else(|| quota_is_full(&fill))
            }
            true => Ok(()),
        }
    }

    async fn settled(&self, share: &Share) -> Result<(Fill, u64), Error> {
        let _settled = share.indexing().await;
        let seen = Seen::now(&self.meta, share).await?;
        *self.lock() = seen;
        let arriving = share.arriving.lock().get(&share.space).copied().unwrap_or_default();
        Ok((seen.fill, arriving))
    }

    async fn seen(&self, share: &Share, bytes: u64) -> Result<Seen, Error> {
        {
            let mut seen = self.lock();
            seen.taken += bytes;
            if seen.taken < LOOK_EVERY {
                return Ok(*seen);
            }
        }
        let seen = Seen::now(&self.meta, share).await?;
        *self.lock() = seen;
        Ok(seen)
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        // No code that can panic runs under this lock.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A quota does not let more in.
pub(crate) fn quota_is_full(fill: &Fill) -> Error {
    let quota = fill.quota.unwrap_or(fill.used());
    Error::refused(
        ErrorCode::NoRoom,
        format!(
            "the drive is full: it holds {} of {}{}; delete what is not needed and then delete it for good (until then it counts), \
             or ask the server's administrator for more room; the transfer then goes on by itself",
            shown(fill.used()),
            shown(quota),
            lacking(fill.used().saturating_sub(quota)),
        ),
    )
}

/// How much more room what is asked for takes, where that is known.
fn lacking(bytes: u64) -> String {
    match bytes {
        0 => String::new(),
        bytes => format!(", and {} are missing for this", shown(bytes)),
    }
}

/// Bytes as people read them.
fn shown(bytes: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let unit = units.into_iter().find(|(_, power)| bytes >> power > 0);
    // Lossy above 2^53, where only the first digits are shown anyway.
    unit.map_or_else(
        || format!("{bytes} B"),
        |(name, power)| format!("{:.1} {name}", bytes as f64 / (1_u64 << power) as f64),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{
        meta::chunk as meta_chunk,
        testing::{Fixture, chunk, noise},
    };

    const KIB: u64 = 1024;

    async fn set_quota(fixture: &Fixture, space: SpaceId, quota: Option<u64>) {
        let txn = fixture.store.meta.write().await.unwrap();
        space::set_quota(&txn, space, quota).await.unwrap();
        txn.commit().await.unwrap();
    }

    #[tokio::test]
    async fn a_quota_holds_until_it_is_raised_and_counts_each_chunk_once() {
        let fixture = Fixture::new().await;
        let access = fixture.account(1).await;
        let machine = fixture.machine(&access, 1).await;
        let space = machine.access.space;
        set_quota(&fixture, space, Some(100 * KIB)).await;
        let first = noise(1, 60 * 1024);
        machine.send(&[&first]).await.unwrap();
        let second = noise(2, 50 * 1024);
        let refused = machine.send(&[&second]).await.unwrap_err().refusal();
        assert_eq!(refused.code, ErrorCode::NoRoom);
        assert!(refused.message.contains("61.0 KiB of 100.0 KiB"), "{}", refused.message);
        // Besides, there are the folders of the machine and of its root.
        set_quota(&fixture, space, Some(111 * KIB)).await;
        machine.send(&[&second]).await.unwrap();
        let fill = space::fill(fixture.store.meta.read(), space).await.unwrap();
        assert_eq!(
            (fill.content, fill.used(), fill.is_full()),
            (110 * KIB, 111 * KIB, true)
        );
        let missing = machine.key.id(b"one more");
        let asked = fixture.store.have(&machine.access, &[missing]).await;
        assert_eq!(asked.unwrap_err().refusal().code, ErrorCode::NoRoom);
        let known = machine.key.id(&first);
        assert!(!fixture.store.have(&machine.access, &[known]).await.unwrap().get(0));
    }

    #[tokio::test]
    async fn what_others_have_on_their_way_counts_until_they_give_it_up() {
        let fixture = Fixture::new().await;
        let access = fixture.account(1).await;
        let machine = fixture.machine(&access, 1).await;
        set_quota(&fixture, machine.access.space, Some(100 * KIB)).await;
        let other = Arriving::default();
        let (one, two) = (other.share(machine.access.space), other.share(machine.access.space));
        let limit = Limit::of(&fixture.store.meta, &one).await.unwrap();
        let sized = |len: usize| {
            let content = noise(1, len * 1024);
            chunk(machine.key.id(&content), &content).header
        };
        limit.admit(&one, &sized(60)).await.unwrap();
        assert!(limit.admit(&two, &sized(60)).await.is_err());
        drop(one);
        drop(two);
        limit
            .admit(&other.share(machine.access.space), &sized(99))
            .await
            .unwrap();
        assert!(other.lock().is_empty());
    }

    #[tokio::test]
    async fn what_became_durable_of_others_since_it_was_looked_counts() {
        let fixture = Fixture::new().await;
        let access = fixture.account(1).await;
        let machine = fixture.machine(&access, 1).await;
        let space = machine.access.space;
        set_quota(&fixture, space, Some(100 * KIB)).await;
        let share = fixture.store.arriving.share(space);
        let limit = Limit::of(&fixture.store.meta, &share).await.unwrap();
        machine.send(&[&noise(1, 60 * 1024)]).await.unwrap();
        let more = noise(2, 60 * 1024);
        let header = chunk(machine.key.id(&more), &more).header;
        assert!(limit.admit(&share, &header).await.is_err());
    }

    #[tokio::test]
    async fn what_is_damaged_in_a_full_drive_can_be_sent_again() {
        let fixture = Fixture::new().await;
        let access = fixture.account(1).await;
        let machine = fixture.machine(&access, 1).await;
        let (store, space) = (&fixture.store, machine.access.space);
        let content = noise(1, 60 * 1024);
        let id = machine.send(&[&content]).await.unwrap()[0];
        set_quota(&fixture, space, Some(KIB)).await;
        let place = meta_chunk::find(store.meta.read(), space, &[id]).await.unwrap()[&id];
        meta_chunk::mark_damaged(&store.meta, &*fixture.clock, &place)
            .await
            .unwrap();
        assert!(
            store.have(&machine.access, &[id]).await.unwrap().get(0),
            "it is asked for"
        );
        machine.send(&[&content]).await.unwrap();
        assert!(!store.have(&machine.access, &[id]).await.unwrap().get(0));
        assert!(
            machine.send(&[&noise(2, 1024)]).await.is_err(),
            "it is full all the same"
        );
    }

    #[tokio::test]
    async fn what_has_become_durable_is_not_counted_twice() {
        let fixture = Fixture::new().await;
        let access = fixture.account(1).await;
        let machine = fixture.machine(&access, 1).await;
        let space = machine.access.space;
        set_quota(&fixture, space, Some(45 << 20)).await;
        let batch = fixture.store.batch(&machine.access).await.unwrap();
        // More than two packs: the first is indexed while the last one comes.
        for seed in 0..40 {
            let content = noise(seed, 1 << 20);
            let id = machine.key.id(&content);
            batch.push(chunk(id, &content)).await.unwrap();
            if seed == 34 {
                while fixture
                    .store
                    .arriving
                    .lock()
                    .get(&space)
                    .is_some_and(|left| *left > 8 << 20)
                {
                    tokio::task::yield_now().await;
                }
            }
        }
        batch.durable().await.unwrap();
        assert!(fixture.store.arriving.lock().is_empty());
    }

    #[test]
    fn sizes_are_short() {
        let texts = [0, 1023, 1536, 5 << 20, 10 << 40].map(shown);
        assert_eq!(texts, ["0 B", "1023 B", "1.5 KiB", "5.0 MiB", "10240.0 GiB"]);
    }
}

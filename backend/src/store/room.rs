//! Room for what is uploaded: an account's quota counts what is durable and what is on its way there.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use beckon_shared::{error::ErrorCode, id::SpaceId};

use super::{
    error::Error,
    meta::{
        Meta,
        space::{self, Fill},
    },
};

/// How full a space is, is asked anew after so many bytes of content of one batch: by no more than that does a batch
/// overstep the quota where others upload at the same time.
const LOOK_EVERY: u64 = 1 << 20;

/// Bytes of content that are on their way to becoming durable, by space; clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Arriving(Arc<Mutex<HashMap<SpaceId, u64>>>);

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
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut arriving = self.arriving.lock();
        let left = arriving.get(&self.space).copied().unwrap_or_default();
        match left.saturating_sub(self.bytes.load(Ordering::Relaxed)) {
            0 => _ = arriving.remove(&self.space),
            left => _ = arriving.insert(self.space, left),
        }
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
    since: u64,
}

impl Limit {
    /// The limit of a space that is so full; refuses at once where nothing more goes in.
    pub(crate) fn of(meta: &Meta, fill: Fill) -> Result<Self, Error> {
        if fill.is_full() {
            return Err(quota_is_full(&fill));
        }
        let seen = Mutex::new(Seen { fill, since: 0 });
        Ok(Self {
            meta: meta.clone(),
            seen,
        })
    }

    /// Takes more content into a batch's share, or refuses where there is no room for it.
    pub(crate) async fn admit(&self, share: &Share, bytes: u64) -> Result<(), Error> {
        // Before it is looked how full the space is: what becomes durable in between counts twice rather than never.
        let arriving = share.add(bytes);
        let fill = self.fill(share.space, bytes).await?;
        match fill.quota {
            Some(quota) if fill.used.saturating_add(arriving) > quota => Err(quota_is_full(&fill)),
            _ => Ok(()),
        }
    }

    async fn fill(&self, space: SpaceId, bytes: u64) -> Result<Fill, Error> {
        {
            let mut seen = self.lock();
            seen.since += bytes;
            if seen.since < LOOK_EVERY || seen.fill.quota.is_none() {
                return Ok(seen.fill);
            }
        }
        let fill = space::fill(self.meta.read(), space).await?;
        *self.lock() = Seen { fill, since: 0 };
        Ok(fill)
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        // No code that can panic runs under this lock.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A quota does not let more in.
pub(crate) fn quota_is_full(fill: &Fill) -> Error {
    let quota = fill.quota.unwrap_or(fill.used);
    Error::refused(
        ErrorCode::NoRoom,
        format!(
            "the drive is full: it holds {} of {}; ask the server's administrator for more room, or delete what is not needed \
             (it counts until it is removed for good, 30 days later); the transfer then goes on by itself",
            shown(fill.used),
            shown(quota)
        ),
    )
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
    use crate::store::testing::{Fixture, noise};

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
        assert!(refused.message.contains("60.0 KiB of 100.0 KiB"), "{}", refused.message);
        set_quota(&fixture, space, Some(110 * KIB)).await;
        machine.send(&[&second]).await.unwrap();
        let fill = space::fill(fixture.store.meta.read(), space).await.unwrap();
        assert_eq!((fill.used, fill.is_full()), (110 * KIB, true));
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
        let fill = space::fill(fixture.store.meta.read(), machine.access.space)
            .await
            .unwrap();
        let limit = Limit::of(&fixture.store.meta, fill).unwrap();
        limit.admit(&one, 60 * KIB).await.unwrap();
        assert!(limit.admit(&two, 60 * KIB).await.is_err());
        drop(one);
        drop(two);
        limit
            .admit(&other.share(machine.access.space), 100 * KIB)
            .await
            .unwrap();
        assert!(other.lock().is_empty());
    }

    #[test]
    fn sizes_are_short() {
        let texts = [0, 1023, 1536, 5 << 20, 10 << 40].map(shown);
        assert_eq!(texts, ["0 B", "1023 B", "1.5 KiB", "5.0 MiB", "10240.0 GiB"]);
    }
}

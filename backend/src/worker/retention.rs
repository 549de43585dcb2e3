//! Deleting older versions by the rules that people set: once a day, and for the first time a day after a rule was set.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use beckon_shared::{id::SpaceId, time::Timestamp};

use crate::{
    retention::apply,
    store::{
        Error, Store,
        meta::retention::{is_due, spaces},
    },
};

/// How often the rules are followed, where none became due meanwhile.
const EVERY: Duration = Duration::from_secs(24 * 3600);

/// When the rules of each space were followed last, since the start.
#[derive(Debug, Default)]
pub(super) struct Followed(Mutex<HashMap<Vec<u8>, Timestamp>>);

impl Followed {
    /// Deletes what does not stay, if it is time; in a few words, what that was.
    pub(super) async fn run(&self, store: &Store) -> Result<String, Error> {
        let mut gone = 0;
        for (space, set) in spaces(store.meta.read()).await? {
            let now = store.clock.now();
            let last = self.lock().get(&space).copied();
            let is_time = last.is_none_or(|last| !is_due(set, last) || now.since(last) >= EVERY);
            if is_time && is_due(set, now) {
                gone += one(store, &space).await?;
                self.lock().insert(space, now);
            }
        }
        Ok(match gone {
            0 => "no older version to delete".to_owned(),
            gone => format!("deleted {gone} older versions by the rules that people set"),
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Vec<u8>, Timestamp>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn one(store: &Store, space: &[u8]) -> Result<u64, Error> {
    let space = SpaceId::from_slice(space).map_err(|_| Error::bad_row("space id"))?;
    let gone = apply(&store.meta, &*store.clock, space).await?;
    if gone > 0 {
        tracing::info!(%space, versions = gone, "deleted older versions by the rules of the space");
    }
    Ok(gone)
}

#[cfg(test)]
mod tests {
    use beckon_shared::retention::Retention;

    use super::*;
    use crate::{
        clock::Clock,
        store::{
            meta::retention::{DEFAULT, set},
            testing::Fixture,
        },
    };

    #[tokio::test]
    async fn a_rule_is_followed_a_day_after_it_was_set_and_then_once_a_day() {
        let fixture = Fixture::new().await;
        let access = fixture.account(1).await;
        let mut laptop = fixture.machine(&access, 1).await;
        let (followed, store) = (Followed::default(), &fixture.store);
        let rule = Retention {
            forever: false,
            ..Retention::EVERYTHING
        };
        let txn = store.meta.write().await.unwrap();
        let now = fixture.clock.now();
        set(&txn, &laptop.space(), DEFAULT, Some(rule), now).await.unwrap();
        txn.commit().await.unwrap();
        let mut gone = Vec::new();
        for hours in [0, 23, 1, 1, 22, 1] {
            fixture.clock.advance(Duration::from_secs(hours * 3600));
            for content in [b"a", b"b"] {
                laptop.upload(&[("file", content)]).await;
            }
            gone.push(followed.run(store).await.unwrap().contains("deleted"));
        }
        assert_eq!(gone, [false, false, true, false, false, true]);
    }
}

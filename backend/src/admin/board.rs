//! What works in the background: what each worker does, what came of it, and when it works again.

use std::{
    collections::BTreeMap,
    panic::AssertUnwindSafe,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use beckon_shared::{api::admin::WorkerView, time::Timestamp};
use futures_util::FutureExt;

use crate::{clock::Clock, store::Error};

/// A worker is late when it did not begin so long after it should have, or works for so much longer than it may rest.
const LATE: Duration = Duration::from_secs(600);

/// All workers, by name.
#[derive(Debug, Default)]
pub(crate) struct Board(Mutex<BTreeMap<&'static str, Entry>>);

#[derive(Debug)]
struct Entry {
    view: WorkerView,
    has_failed: bool,
    /// When it should have begun, or be done.
    due: Timestamp,
}

/// What is wrong with a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Its last round failed.
    Failed,
    /// It should have begun, or been done, long ago.
    Late,
}

impl Board {
    /// Shows a worker that has not worked yet.
    pub(crate) fn expect(&self, name: &'static str, first: Timestamp) {
        let view = WorkerView {
            name: name.to_owned(),
            busy: false,
            last: None,
            outcome: String::new(),
            next: Some(first),
        };
        let entry = Entry {
            view,
            has_failed: false,
            due: first,
        };
        self.lock().insert(name, entry);
    }

    /// Does a round of a worker, which works again `every` so often, and shows how it goes. A failure goes to the log.
    pub(crate) async fn round(
        &self,
        clock: &dyn Clock,
        name: &'static str,
        every: Duration,
        work: impl Future<Output = Result<String, Error>>,
    ) {
        let begun = clock.now();
        self.change(name, |entry| {
            entry.view.busy = true;
            entry.view.next = None;
            entry.due = begun + every;
        });
        let result = outcome(work).await;
        let now = clock.now();
        let has_failed = result.is_err();
        let outcome = result.unwrap_or_else(|cause| {
            tracing::error!(cause, worker = name, "background work failed; it is tried again");
            "failed; the server's log says why".to_owned()
        });
        self.change(name, |entry| {
            entry.has_failed = has_failed;
            entry.due = now + every;
            entry.view.busy = false;
            entry.view.last = Some(now);
            entry.view.outcome = outcome;
            entry.view.next = Some(now + every);
        });
    }

    /// All workers.
    pub(super) fn views(&self) -> Vec<WorkerView> {
        self.lock().values().map(|entry| entry.view.clone()).collect()
    }

    /// The workers that somebody should look after.
    pub(super) fn troubles(&self, now: Timestamp) -> Vec<(&'static str, Trouble)> {
        let trouble = |entry: &Entry| match entry {
            Entry { has_failed: true, .. } => Some(Trouble::Failed),
            Entry { due, .. } if now > *due + LATE => Some(Trouble::Late),
            _ => None,
        };
        let entries = self.lock();
        entries
            .iter()
            .filter_map(|(name, entry)| trouble(entry).map(|trouble| (*name, trouble)))
            .collect()
    }

    fn change(&self, name: &'static str, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.lock().get_mut(name) {
            change(entry);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, Entry>> {
        // No code that can panic runs under this lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What came of a round, or why nothing did. A fault in it ends that round and no other.
async fn outcome(work: impl Future<Output = Result<String, Error>>) -> Result<String, String> {
    // What it left half done in memory is gone with it; the store and the board hold no lock while they wait.
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(_) => Err("it panicked".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::fake::FakeClock;

    const HOUR: Duration = Duration::from_secs(3600);

    #[tokio::test]
    async fn a_worker_shows_what_it_does_and_what_came_of_it() {
        let (board, clock) = (Board::default(), FakeClock::new());
        board.expect("collect", clock.now() + HOUR);
        let work = async {
            assert!(board.views()[0].busy);
            Ok("nothing to do".to_owned())
        };
        board.round(&clock, "collect", HOUR, work).await;
        let view = board.views().remove(0);
        assert_eq!((view.busy, view.outcome.as_str()), (false, "nothing to do"));
        assert_eq!((view.last, view.next), (Some(clock.now()), Some(clock.now() + HOUR)));
        assert_eq!(board.troubles(clock.now()), []);
    }

    #[tokio::test]
    async fn a_worker_that_fails_or_does_not_come_is_noticed() {
        let (board, clock) = (Board::default(), FakeClock::new());
        board.expect("collect", clock.now() + HOUR);
        board.expect("expiry", clock.now() + 2 * HOUR);
        let broken = async { Err(Error::bad_row("thing")) };
        board.round(&clock, "expiry", HOUR, broken).await;
        clock.advance(HOUR + LATE + LATE);
        let troubles = board.troubles(clock.now());
        assert_eq!(troubles, [("collect", Trouble::Late), ("expiry", Trouble::Failed)]);
        assert!(!board.views()[1].outcome.contains("malformed"), "no internal cause");
    }

    #[tokio::test]
    async fn a_worker_that_hangs_is_late_and_one_that_panics_has_failed() {
        let (board, clock) = (Board::default(), FakeClock::new());
        board.expect("collect", clock.now());
        let hangs = async {
            clock.advance(HOUR + LATE);
            assert_eq!(board.troubles(clock.now()), []);
            clock.advance(LATE);
            assert_eq!(board.troubles(clock.now()), [("collect", Trouble::Late)]);
            Ok(String::new())
        };
        board.round(&clock, "collect", HOUR, hangs).await;
        assert_eq!(board.troubles(clock.now()), []);
        let panics = async { panic!("a fault") };
        board.round(&clock, "collect", HOUR, panics).await;
        assert_eq!(board.troubles(clock.now()), [("collect", Trouble::Failed)]);
        assert!(!board.views()[0].busy);
    }
}

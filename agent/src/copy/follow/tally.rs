//! How far a copy is: of what it holds and is to hold now, not of all that ever came.

use std::sync::{
    Mutex, OnceLock, PoisonError,
    atomic::{
        AtomicBool, AtomicU64,
        Ordering::{Relaxed, SeqCst},
    },
};

use beckon_shared::transfer::{Hold, Progress};
use tokio::sync::Notify;

use crate::copy::Place;

/// The counts, shared by who works and who tells.
#[derive(Default)]
pub(crate) struct Tally {
    pub(super) files_total: AtomicU64,
    pub(super) files_done: AtomicU64,
    pub(super) bytes_total: AtomicU64,
    pub(super) bytes_done: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) conflicts: AtomicU64,
    /// Whether the totals are final.
    pub(super) walked: AtomicBool,
    /// What had come when the batch that is under way began.
    before: AtomicU64,
    place: OnceLock<Place>,
    hold: Mutex<Option<Hold>>,
    told: Notify,
}

impl Tally {
    /// What comes is counted by this place.
    pub(crate) fn begin(&self, place: &Place) {
        let _ = self.place.set(place.clone());
    }

    /// A file of this size is to be written where one of the other size stood, if one did.
    pub(crate) fn plan(&self, size: u64, old: Option<u64>) {
        match old {
            Some(old) => {
                subtract(&self.files_done, 1);
                subtract(&self.bytes_done, old);
                subtract(&self.bytes_total, old);
            }
            None => _ = self.files_total.fetch_add(1, Relaxed),
        }
        self.bytes_total.fetch_add(size, Relaxed);
    }

    /// That was done.
    pub(crate) fn done(&self, size: u64) {
        self.files_done.fetch_add(1, Relaxed);
        self.bytes_done.fetch_add(size, Relaxed);
    }

    /// It was not done: what stood there stands there.
    pub(crate) fn undone(&self, size: u64, old: Option<u64>) {
        subtract(&self.bytes_total, size);
        match old {
            Some(old) => {
                self.bytes_total.fetch_add(old, Relaxed);
                self.done(old);
            }
            None => subtract(&self.files_total, 1),
        }
    }

    /// Files of so many bytes in all are there no more.
    pub(super) fn removed(&self, files: u64, bytes: u64) {
        subtract(&self.files_total, files);
        subtract(&self.files_done, files);
        subtract(&self.bytes_total, bytes);
        subtract(&self.bytes_done, bytes);
    }

    /// So much is here.
    pub(super) fn here(&self, files: u64, bytes: u64) {
        for (count, value) in [
            (&self.files_total, files),
            (&self.files_done, files),
            (&self.bytes_total, bytes),
            (&self.bytes_done, bytes),
        ] {
            count.store(value, Relaxed);
        }
    }

    /// A batch begins: what comes from now on is of its files.
    pub(crate) fn batch(&self) {
        // What has come of files that are not whole is still on its way.
        let halves = self.place.get().map_or(0, Place::half_bytes);
        self.before.store(self.came().saturating_sub(halves), Relaxed);
    }

    /// The totals are final, or not any more.
    pub(crate) fn set_walked(&self, walked: bool) {
        self.walked.store(walked, Relaxed);
    }

    /// Why it stands still.
    pub(crate) fn set_hold(&self, hold: Hold) {
        *self.hold.lock().unwrap_or_else(PoisonError::into_inner) = Some(hold);
        self.told.notify_one();
    }

    /// Why it stands still, if it does.
    pub(crate) fn hold(&self) -> Hold {
        let hold = self.hold.lock().unwrap_or_else(PoisonError::into_inner);
        hold.unwrap_or(Hold::None)
    }

    /// Ends when somebody waits for what is told next.
    pub(crate) async fn is_to_be_told(&self) {
        self.told.notified().await;
    }

    /// The counts.
    pub(crate) fn progress(&self) -> Progress {
        let whence = |count: fn(&crate::copy::place::Counters) -> &AtomicU64| {
            self.place.get().map_or(0, |place| count(place.counters()).load(SeqCst))
        };
        let bytes_total = self.bytes_total.load(Relaxed);
        let moving = self.came().saturating_sub(self.before.load(Relaxed));
        Progress {
            files_total: self.files_total.load(Relaxed),
            files_done: self.files_done.load(Relaxed),
            bytes_total,
            bytes_done: self.bytes_done.load(Relaxed).saturating_add(moving).min(bytes_total),
            failed: self.failed.load(Relaxed),
            walked: self.walked.load(Relaxed),
            bytes_own: whence(|counters| &counters.bytes_own),
            bytes_direct: whence(|counters| &counters.bytes_direct),
            bytes_server: whence(|counters| &counters.bytes_server),
            conflicts: self.conflicts.load(Relaxed),
            ..Progress::default()
        }
    }

    fn came(&self) -> u64 {
        let Some(place) = self.place.get() else { return 0 };
        let counters = place.counters();
        [&counters.bytes_own, &counters.bytes_direct, &counters.bytes_server]
            .map(|count| count.load(SeqCst))
            .iter()
            .sum()
    }
}

/// It is a measure for people, kept within its bounds.
fn subtract(count: &AtomicU64, by: u64) {
    let _ = count.fetch_update(Relaxed, Relaxed, |count| Some(count.saturating_sub(by)));
}

//! How long to wait before the server is asked again.

use std::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use beckon_shared::error::{ErrorCode, Refusal};

use super::{
    progress::Counters,
    remote::{Failure, Remedy, Remote},
};
use crate::limit::Throttle;

/// How long waits are; shorter in tests.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// After the first break, and the most after many.
    pub(crate) network: (Duration, Duration),
    /// After the first word that there is no room, and the most after many.
    pub(super) room: (Duration, Duration),
    /// Before files that changed while they were read are read again.
    pub(super) changing: (Duration, Duration),
}

impl Pace {
    /// What suits a server that restarts in seconds and a disk that somebody makes room on in minutes.
    pub(crate) const NORMAL: Self = Self {
        network: (Duration::from_millis(200), Duration::from_secs(8)),
        room: (Duration::from_secs(2), Duration::from_secs(30)),
        changing: (Duration::from_millis(200), Duration::from_secs(2)),
    };

    /// The wait before what changed is read again, for the `times`-th time from 0.
    pub(super) fn before_reading_again(&self, times: u32) -> Duration {
        grown(self.changing, times)
    }
}

/// A fault of the server that stays for so many questions in a row is not waited for any longer.
const FAULTS_MAX: u32 = 12;
/// A server that refuses so many fresh tickets in a row will not take any.
const TICKETS_MAX: u32 = 4;

/// The waits of one question that is asked until it is answered.
pub(super) struct Pause<'a, R> {
    remote: &'a R,
    counters: &'a Counters,
    pace: Pace,
    breaks: u32,
    faults: u32,
    tickets: u32,
    no_room: u32,
    waiting: Option<Counted<'a>>,
}

impl<'a, R: Remote> Pause<'a, R> {
    /// For a question that was not asked yet; dropped when it is answered.
    pub(super) fn new(remote: &'a R, counters: &'a Counters, pace: Pace) -> Self {
        Self {
            remote,
            counters,
            pace,
            breaks: 0,
            faults: 0,
            tickets: 0,
            no_room: 0,
            waiting: None,
        }
    }

    /// Waits as the failure demands; then the question may be asked again. An error is final.
    pub(super) async fn after(&mut self, failure: Failure) -> Result<(), Refusal> {
        match failure.remedy() {
            Remedy::Wait => self.wait_for_network().await,
            Remedy::WaitInDoubt(refusal) if self.faults >= FAULTS_MAX => return Err(refusal),
            Remedy::WaitInDoubt(_) => {
                self.faults += 1;
                self.wait_for_network().await;
            }
            Remedy::WaitForRoom => self.wait_for_room().await,
            Remedy::Begin => self.begin().await?,
            Remedy::GiveUp(refusal) => return Err(refusal),
        }
        Ok(())
    }

    async fn wait_for_network(&mut self) {
        tokio::time::sleep(grown(self.pace.network, self.breaks)).await;
        self.breaks += 1;
    }

    async fn wait_for_room(&mut self) {
        self.waiting
            .get_or_insert_with(|| Counted::new(&self.counters.without_room));
        tokio::time::sleep(grown(self.pace.room, self.no_room)).await;
        self.no_room += 1;
    }

    async fn begin(&mut self) -> Result<(), Refusal> {
        if self.tickets >= TICKETS_MAX {
            let advice = "the server does not take the ticket that it gave out; see its log, then upload again";
            return Err(Refusal::new(ErrorCode::NotAllowed, advice));
        }
        match self.remote.begin().await.map_err(Failure::remedy) {
            Ok(_) => self.tickets += 1,
            Err(Remedy::GiveUp(refusal)) => return Err(refusal),
            Err(_) => self.wait_for_network().await,
        }
        Ok(())
    }
}

/// Waits for an hour in which something may be sent, if this is none.
pub(super) async fn closed(throttle: &Throttle, counters: &Counters) {
    if !throttle.is_open() {
        let _counted = Counted::new(&counters.out_of_hours);
        throttle.opened().await;
    }
}

/// Counts as waiting, for room from the first word of it until the question is answered, or for the hour; until dropped.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Relaxed);
        Self(waiting)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// Doubles from the first to the most.
pub(crate) fn grown((first, most): (Duration, Duration), times: u32) -> Duration {
    first.saturating_mul(1 << times.min(16)).min(most)
}

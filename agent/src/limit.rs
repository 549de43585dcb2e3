//! How fast all uploads together may send: what the account allows at this hour, narrowed by the machine's owner.

use std::{
    convert::Infallible,
    future::pending,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use beckon_shared::limits::{Limits, narrower};
use tokio::{sync::watch, time::Instant};

/// How often the clock on the wall is looked at where hours matter: it may be set anew, and a machine may have slept.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// What is sent at once takes about this part of a second, so that a slow rate flows instead of jumping.
const STEPS_A_SECOND: u64 = 8;
/// Bounds of what is sent at once. Bytes.
const STEP: (u64, u64) = (512, 64 << 10);

/// What is sent past the rate holds the others up so long at the most.
const SPENT_MAX: Duration = Duration::from_secs(2);

/// What holds sending back to a rate. All who send pass one after the other.
#[derive(Debug)]
pub(crate) struct Throttle {
    allowed: watch::Sender<Allowed>,
    /// When the next byte may go.
    next: Mutex<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Allowed {
    /// Whether anything new may be sent.
    is_open: bool,
    /// For what is sent, also what was begun before it closed. Bytes a second, never 0; absent is without bound.
    rate: Option<u64>,
}

impl Default for Throttle {
    fn default() -> Self {
        Self {
            allowed: watch::Sender::new(Allowed {
                is_open: true,
                rate: None,
            }),
            next: Mutex::new(Instant::now()),
        }
    }
}

impl Throttle {
    /// Allows so many bytes a second from now on: 0 closes, absent is without bound.
    pub(crate) fn set(&self, rate: Option<u64>) {
        let before = *self.allowed.borrow();
        let now = match rate {
            Some(0) => Allowed {
                is_open: false,
                ..before
            },
            rate => Allowed { is_open: true, rate },
        };
        if now != before {
            tracing::info!(rate, "uploads may send so many bytes a second");
            // Both in one: what is booked at the old rate must not hold up the new one.
            let mut next = self.next();
            *next = Instant::now();
            self.allowed.send_replace(now);
        }
    }

    /// Whether something new may be sent now.
    pub(crate) fn is_open(&self) -> bool {
        self.allowed.borrow().is_open
    }

    /// Waits until something new may be sent.
    pub(crate) async fn opened(&self) {
        // Its sender is this very throttle.
        let _ = self.allowed.subscribe().wait_for(|allowed| allowed.is_open).await;
    }

    /// How many bytes are sent at once; absent if it makes no difference.
    pub(crate) fn step(&self) -> Option<usize> {
        let rate = self.allowed.borrow().rate?;
        Some((rate / STEPS_A_SECOND).clamp(STEP.0, STEP.1) as usize)
    }

    /// Waits until these bytes may go.
    pub(crate) async fn pass(&self, bytes: u64) {
        let mut allowed = self.allowed.subscribe();
        while let Some(at) = self.book(bytes, &mut allowed) {
            tokio::select! {
                () = tokio::time::sleep_until(at) => return,
                // What was booked at the old rate counts no more.
                _ = allowed.changed() => {}
            }
        }
    }

    /// Counts bytes that somebody waits for and that are not held back: what may be held back goes that much later, within
    /// bounds, so that it never stands still for long.
    pub(crate) fn spend(&self, bytes: u64) {
        if self.book(bytes, &mut self.allowed.subscribe()).is_some() {
            let mut next = self.next();
            *next = (*next).min(Instant::now() + SPENT_MAX);
        }
    }

    /// Takes the next free time for so many bytes; none is needed if there is no bound.
    fn book(&self, bytes: u64, allowed: &mut watch::Receiver<Allowed>) -> Option<Instant> {
        let mut next = self.next();
        let rate = allowed.borrow_and_update().rate?;
        let at = (*next).max(Instant::now());
        *next = at + Duration::from_secs_f64(bytes as f64 / rate as f64);
        Some(at)
    }

    fn next(&self) -> MutexGuard<'_, Instant> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps a throttle at what is allowed at each moment; `minute` is that of the machine's own day.
pub(crate) async fn obey(
    throttle: &Throttle,
    mut limits: watch::Receiver<Limits>,
    owner: Option<u64>,
    minute: impl Fn() -> u16,
) -> Infallible {
    loop {
        let now = *limits.borrow_and_update();
        throttle.set(narrower(now.at(minute()), owner));
        let another_hour = async {
            match now.full_speed {
                Some(_) => tokio::time::sleep(LOOK_EVERY).await,
                None => pending().await,
            }
        };
        tokio::select! {
            changed = limits.changed() => if changed.is_err() { pending::<()>().await },
            () = another_hour => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicBool, AtomicU16, Ordering::Relaxed},
    };

    use beckon_shared::limits::Hours;

    use super::*;

    async fn seconds_of(throttle: &Throttle, bytes: u64) -> f64 {
        let begun = Instant::now();
        let mut left = bytes;
        while left > 0 {
            let step = throttle.step().map_or(left, |step| left.min(step as u64));
            throttle.pass(step).await;
            left -= step;
        }
        begun.elapsed().as_secs_f64()
    }

    #[tokio::test(start_paused = true)]
    async fn what_two_send_at_once_keeps_to_the_rate_together_and_in_small_steps() {
        let throttle = Throttle::default();
        assert_eq!((seconds_of(&throttle, 1 << 30).await, throttle.step()), (0.0, None));
        throttle.set(Some(64_000));
        assert_eq!(throttle.step(), Some(8000), "an eighth of a second");
        let (one, other) = tokio::join!(seconds_of(&throttle, 320_000), seconds_of(&throttle, 320_000));
        assert!((9.7..=10.0).contains(&one.max(other)), "{one} {other}");
        assert!((one - other).abs() < 0.3, "neither starves: {one} {other}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_sent_past_the_rate_holds_the_others_up_and_never_for_long() {
        let throttle = Throttle::default();
        throttle.spend(1 << 40);
        let unbound = seconds_of(&throttle, 1 << 20).await;
        assert_eq!(unbound, 0.0, "without a rate it makes no difference");
        throttle.set(Some(64_000));
        throttle.spend(64_000);
        assert_eq!(seconds_of(&throttle, 8000).await.round(), 1.0);
        throttle.spend(1 << 40);
        assert_eq!(seconds_of(&throttle, 8000).await.round(), SPENT_MAX.as_secs_f64());
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_rate_counts_for_what_waits_already() {
        let throttle = Throttle::default();
        throttle.set(Some(1));
        throttle.pass(3600).await;
        let begun = Instant::now();
        let waiting = async {
            throttle.pass(1).await;
            begun.elapsed()
        };
        let faster = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            throttle.set(None);
        };
        let (waited, ()) = tokio::join!(waiting, faster);
        assert_eq!(waited, Duration::from_secs(1));
    }

    #[test]
    fn nothing_is_booked_at_a_rate_that_counts_no_more() {
        let (throttle, over) = (Throttle::default(), AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut allowed = throttle.allowed.subscribe();
                while !over.load(Relaxed) {
                    throttle.book(3600, &mut allowed);
                }
            });
            let stale = (0..20_000).find(|_| {
                throttle.set(Some(1));
                throttle.set(None);
                std::thread::yield_now();
                *throttle.next() > Instant::now()
            });
            over.store(true, Relaxed);
            assert_eq!(stale, None);
        });
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_begins_in_closed_hours_and_what_has_begun_ends_at_its_rate() {
        let throttle = Arc::new(Throttle::default());
        let minute = Arc::new(AtomicU16::new(12 * 60));
        let clock = Arc::clone(&minute);
        let (limits, receiver) = watch::channel(Limits::default());
        let obeying = Arc::clone(&throttle);
        let task = tokio::spawn(async move { obey(&obeying, receiver, Some(2000), move || clock.load(Relaxed)).await });
        let settled = || tokio::time::sleep(Duration::from_secs(1));
        settled().await;
        assert_eq!(throttle.allowed.borrow().rate, Some(2000), "the owner's own limit");
        limits.send_replace(Limits {
            rate: Some(0),
            full_speed: Some(Hours {
                from: 22 * 60,
                to: 7 * 60,
            }),
        });
        settled().await;
        assert!(!throttle.is_open());
        assert_eq!(seconds_of(&throttle, 10_000).await.round(), 5.0);
        let begun = Instant::now();
        let night = async {
            settled().await;
            minute.store(22 * 60, Relaxed);
        };
        tokio::join!(throttle.opened(), night);
        assert!(begun.elapsed() <= LOOK_EVERY + Duration::from_secs(1));
        assert_eq!(throttle.allowed.borrow().rate, Some(2000), "at night too");
        limits.send_replace(Limits {
            rate: Some(1024),
            full_speed: None,
        });
        settled().await;
        assert_eq!(throttle.allowed.borrow().rate, Some(1024), "the narrower one");
        task.abort();
    }
}

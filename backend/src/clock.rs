//! Time and chance, as a seam: the system's own in the server, injected in tests and simulation.

use beckon_shared::time::Timestamp;

/// Where the server gets time and random bytes from.
pub(crate) trait Clock: Send + Sync + 'static {
    /// The present moment.
    fn now(&self) -> Timestamp;

    /// Fills `bytes` with random bytes that are fit for secrets.
    fn fill(&self, bytes: &mut [u8]);
}

/// `N` random bytes.
pub(crate) fn random<const N: usize>(clock: &dyn Clock) -> [u8; N] {
    let mut bytes = [0; N];
    clock.fill(&mut bytes);
    bytes
}

/// The machine's clock and the kernel's random numbers.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Timestamp(since.map_or(0, |span| i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }

    #[expect(
        clippy::expect_used,
        reason = "a server without random numbers must not go on: every secret would be known"
    )]
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the kernel gives random numbers");
    }
}

/// A clock that stands until a test moves it, and chance that a test can repeat.
#[cfg(test)]
pub(crate) mod fake {
    use std::{
        sync::atomic::{AtomicI64, AtomicU64, Ordering},
        time::Duration,
    };

    use super::{Clock, Timestamp};

    /// A clock that stands until it is moved.
    #[derive(Debug)]
    pub(crate) struct FakeClock {
        now: AtomicI64,
        drawn: AtomicU64,
    }

    impl FakeClock {
        /// Stands at a day in 2026.
        pub(crate) fn new() -> Self {
            Self {
                now: AtomicI64::new(1_795_000_000_000),
                drawn: AtomicU64::new(0),
            }
        }

        /// Stands at a moment; `drawn` keeps its chance apart from that of other clocks.
        pub(crate) fn at(now: Timestamp, drawn: u64) -> Self {
            Self {
                now: AtomicI64::new(now.0),
                drawn: AtomicU64::new(drawn),
            }
        }

        /// Moves forward.
        pub(crate) fn advance(&self, span: Duration) {
            self.now.fetch_add(span.as_millis() as i64, Ordering::SeqCst);
        }
    }

    impl Clock for FakeClock {
        fn now(&self) -> Timestamp {
            Timestamp(self.now.load(Ordering::SeqCst))
        }

        fn fill(&self, bytes: &mut [u8]) {
            let draw = self.drawn.fetch_add(1, Ordering::SeqCst);
            blake3::Hasher::new()
                .update(&draw.to_le_bytes())
                .finalize_xof()
                .fill(bytes);
        }
    }
}

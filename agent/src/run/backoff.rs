//! How long to wait before the server is dialled again: ever longer, and never all machines at once.

use std::time::Duration;

const SHORTEST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);

/// The pauses of one spell without a connection.
#[derive(Debug)]
pub(super) struct Backoff {
    step: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { step: SHORTEST }
    }
}

impl Backoff {
    /// The next pause, somewhere between half the step and the whole; at least what the server asked for, up to a minute.
    pub(super) fn next(&mut self, asked: Option<Duration>, random: [u8; 4]) -> Duration {
        let share = f64::from(u32::from_le_bytes(random)) / f64::from(u32::MAX);
        let pause = self.step.mul_f64(0.5 + share / 2.0);
        self.step = (self.step * 2).min(LONGEST);
        // What the server asked for is spread out as well.
        asked.map_or(pause, |asked| asked.min(2 * LONGEST).mul_f64(1.0 + share / 4.0))
    }

    /// Somebody must do something first: no hurry.
    pub(super) fn give_time(&mut self) {
        self.step = LONGEST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_half_a_minute_and_keep_their_bounds() {
        let mut backoff = Backoff::default();
        let longest: Vec<_> = (0..8).map(|_| backoff.next(None, [255; 4]).as_millis()).collect();
        assert_eq!(longest, [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000]);
        assert_eq!(Backoff::default().next(None, [0; 4]), SHORTEST / 2);
    }

    #[test]
    fn what_the_server_asks_for_is_obeyed_within_reason() {
        let asked = |seconds| Backoff::default().next(Some(Duration::from_secs(seconds)), [0; 4]).as_secs();
        assert_eq!((asked(3), asked(100_000)), (3, 60));
    }
}

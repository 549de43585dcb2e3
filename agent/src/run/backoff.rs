//! How long to wait before the server is dialled again: ever longer, and never all machines at once.

use std::time::Duration;

const SHORTEST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);
/// Where the server will hardly change its mind, but may.
const SELDOM: Duration = Duration::from_secs(300);

/// Why there is no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// Nobody answers, or the line broke.
    Broken,
    /// The server wants to see this machine again after so long.
    Told(Duration),
    /// Somebody must do something first.
    NeedsSomebody,
    /// The server says that this machine was revoked. Only the account can do that, so a server that is wrong for a minute
    /// must not end the agent for good.
    CalledRevoked,
}

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
    /// The next pause, somewhere between half the step and the whole; or what the server asked for, up to a minute.
    pub(super) fn next(&mut self, cause: Cause, random: [u8; 4]) -> Duration {
        let share = f64::from(u32::from_le_bytes(random)) / f64::from(u32::MAX);
        let step = match cause {
            // What the server asked for is spread out as well.
            Cause::Told(asked) => return asked.min(2 * LONGEST).mul_f64(1.0 + share / 4.0),
            Cause::Broken => self.step,
            Cause::NeedsSomebody => LONGEST,
            Cause::CalledRevoked => SELDOM,
        };
        self.step = (step * 2).min(LONGEST);
        step.mul_f64(0.5 + share / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_half_a_minute_and_keep_their_bounds() {
        let mut backoff = Backoff::default();
        let longest: Vec<_> = (0..8)
            .map(|_| backoff.next(Cause::Broken, [255; 4]).as_millis())
            .collect();
        assert_eq!(longest, [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000]);
        assert_eq!(Backoff::default().next(Cause::Broken, [0; 4]), SHORTEST / 2);
    }

    #[test]
    fn what_the_server_asks_for_is_obeyed_within_reason() {
        let asked = |seconds| {
            Backoff::default()
                .next(Cause::Told(Duration::from_secs(seconds)), [0; 4])
                .as_secs()
        };
        assert_eq!((asked(3), asked(100_000)), (3, 60));
    }

    #[test]
    fn a_server_that_calls_the_machine_revoked_is_asked_again_within_minutes() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.next(Cause::CalledRevoked, [255; 4]).as_secs(), 300);
        assert_eq!(backoff.next(Cause::CalledRevoked, [0; 4]).as_secs(), 150);
        assert_eq!(backoff.next(Cause::NeedsSomebody, [0; 4]).as_secs(), 15);
    }
}

//! How fast a machine may send, and when: set by its account, and narrowed by its owner.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Minutes of a day.
pub const DAY: u16 = 24 * 60;

/// The slowest rate that is one. Bytes a second: below it a single step would take so long that the line counts as dead.
pub const RATE_MIN: u64 = 1024;

/// What an account allows a machine to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Bytes a second that transfers may send together, at least 1,024; 0 sends nothing, absent is without bound.
    #[serde(default)]
    pub rate: Option<u64>,
    /// When `rate` does not count: each day, by the machine's own clock.
    #[serde(default)]
    pub full_speed: Option<Hours>,
}

/// A part of each day; it may go over midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Hours {
    /// First minute since midnight.
    pub from: u16,
    /// First minute after it; the same as `from` is all day.
    pub to: u16,
}

impl Hours {
    /// Whether both ends are minutes of a day.
    pub const fn is_valid(self) -> bool {
        self.from < DAY && self.to < DAY
    }

    /// Whether this minute of a day is in it.
    pub const fn holds(self, minute: u16) -> bool {
        if self.from < self.to {
            self.from <= minute && minute < self.to
        } else {
            self.from <= minute || minute < self.to
        }
    }
}

impl Limits {
    /// Bytes a second at this minute of the machine's day; absent is without bound.
    pub fn at(&self, minute: u16) -> Option<u64> {
        match self.full_speed {
            Some(hours) if hours.holds(minute) => None,
            _ => self.rate,
        }
    }

    /// Whether the hours are hours and the rate is one.
    pub fn is_valid(&self) -> bool {
        self.full_speed.is_none_or(Hours::is_valid) && self.rate.is_none_or(is_rate)
    }
}

/// Whether so many bytes a second are a rate: nothing, or enough to get anywhere.
pub const fn is_rate(rate: u64) -> bool {
    rate == 0 || rate >= RATE_MIN
}

/// The narrower of two rates; absent is without bound.
pub fn narrower(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_may_go_over_midnight() {
        let night = Hours {
            from: 22 * 60,
            to: 7 * 60,
        };
        for (minute, inside) in [
            (22 * 60 - 1, false),
            (22 * 60, true),
            (0, true),
            (7 * 60 - 1, true),
            (7 * 60, false),
        ] {
            assert_eq!(night.holds(minute), inside, "{minute}");
        }
        let noon = Hours {
            from: 11 * 60,
            to: 13 * 60,
        };
        assert!(noon.holds(12 * 60) && !noon.holds(13 * 60) && !noon.holds(0));
        assert!(Hours { from: 5, to: 5 }.holds(4), "all day");
        assert!(!Hours { from: DAY, to: 0 }.is_valid());
    }

    #[test]
    fn full_speed_is_without_bound_and_else_the_narrower_rate_wins() {
        let limits = Limits {
            rate: Some(2000),
            full_speed: Some(Hours { from: 0, to: 60 }),
        };
        assert_eq!((limits.at(30), limits.at(60)), (None, Some(2000)));
        assert_eq!(Limits::default().at(0), None);
        let is_valid = |rate| Limits { rate, ..limits }.is_valid();
        assert!(is_valid(None) && is_valid(Some(0)) && is_valid(Some(RATE_MIN)));
        assert!(
            !is_valid(Some(1)) && !is_valid(Some(RATE_MIN - 1)),
            "it would get nowhere"
        );
        assert_eq!(narrower(Some(5), Some(3)), Some(3));
        assert_eq!((narrower(None, Some(3)), narrower(None, None)), (Some(3), None));
    }
}

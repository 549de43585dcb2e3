//! How long older versions are kept: a rule, and what it says of the versions of a file. Pure.

use std::{collections::HashSet, time::Duration};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::time::Timestamp;

/// Milliseconds of a day.
const DAY: i64 = 24 * 3600 * 1000;

/// 1970-01-01 was a Thursday: so many days later the first whole week began, on a Monday.
const FIRST_MONDAY: i64 = 4;

/// A rule for versions that are not the newest of their file. Ages are counted in days of 24 hours from when a newer version
/// took a version's place: what a file held for a year, up to yesterday, is a day old. Days, weeks (from Monday) and months
/// are those of UTC in which versions were committed.
///
/// A version younger than `keep_all_days` stays. Of older ones, up to `daily_days` the last of each day stays, up to
/// `weekly_days` the last of each week, up to `monthly_days` the last of each month. What is older than all of that goes; with
/// `forever` the last of the rules that are set has no end, and with none of them set everything stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// Up to this age every version stays.
    pub keep_all_days: u32,
    /// Up to this age one for each day; 0 is no such rule, as in the next two.
    #[serde(default)]
    pub daily_days: u32,
    /// Up to this age one for each week.
    #[serde(default)]
    pub weekly_days: u32,
    /// Up to this age one for each month.
    #[serde(default)]
    pub monthly_days: u32,
    /// The last of these rules that is set has no end.
    #[serde(default)]
    pub forever: bool,
}

/// A version, as far as the rule looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// When it was committed.
    pub committed: Timestamp,
    /// When a newer one took its place; nothing where none did.
    pub replaced: Option<Timestamp>,
    /// The file changed while it was read.
    pub torn: bool,
    /// It stays whatever the rule says: the newest one.
    pub always: bool,
}

/// A stretch of time of which one version stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Stretch {
    /// Days since 1970.
    Day(i64),
    /// Weeks since 1970.
    Week(i64),
    /// Year and month.
    Month(i64, u8),
}

/// What a rule says of an age.
#[derive(Clone, Copy)]
enum Of {
    All,
    Each(fn(Timestamp) -> Stretch),
    None,
}

impl Retention {
    /// Everything stays. This holds where nobody set a rule.
    pub const EVERYTHING: Self = Self {
        keep_all_days: 0,
        daily_days: 0,
        weekly_days: 0,
        monthly_days: 0,
        forever: true,
    };

    /// The longest time that a rule can name, in days: a hundred years.
    pub const DAYS_MAX: u32 = 36_500;

    /// Whether every version stays, however old.
    pub fn keeps_everything(&self) -> bool {
        self.forever && self.daily_days == 0 && self.weekly_days == 0 && self.monthly_days == 0
    }

    /// Whether its numbers can be a rule: none is longer than [`Self::DAYS_MAX`], and each that is set is longer than those
    /// before it, which else would count for nothing.
    pub fn is_sound(&self) -> bool {
        let set = [self.keep_all_days, self.daily_days, self.weekly_days, self.monthly_days];
        let set: Vec<u32> = set.into_iter().filter(|days| *days > 0).collect();
        set.is_sorted_by(|a, b| a < b) && set.iter().all(|days| *days <= Self::DAYS_MAX)
    }

    /// Which of the versions of a file stay; they come in the order in which they were committed, oldest first.
    ///
    /// What stays of a stretch of time is its newest version, a torn one only where no whole one stays.
    pub fn stays(&self, versions: &[Kept], now: Timestamp) -> Vec<bool> {
        let mut stays: Vec<bool> = versions.iter().map(|version| version.always).collect();
        let (mut whole, mut any) = (Taken::default(), Taken::default());
        for version in versions.iter().filter(|version| version.always) {
            any.take(version.committed);
            if !version.torn {
                whole.take(version.committed);
            }
        }
        for torn in [false, true] {
            for (at, version) in versions.iter().enumerate().rev() {
                if version.torn != torn || version.always {
                    continue;
                }
                let taken = if torn { &any } else { &whole };
                let age = version.replaced.map_or(Duration::ZERO, |replaced| now.since(replaced));
                stays[at] = match self.of(age) {
                    Of::All => true,
                    Of::None => false,
                    Of::Each(stretch) => !taken.0.contains(&stretch(version.committed)),
                };
                if stays[at] {
                    any.take(version.committed);
                    whole.take(version.committed);
                }
            }
        }
        stays
    }

    fn of(&self, age: Duration) -> Of {
        let steps = [
            (self.keep_all_days, Of::All),
            (self.daily_days, Of::Each(day)),
            (self.weekly_days, Of::Each(week)),
            (self.monthly_days, Of::Each(month)),
        ];
        let mut last = Of::All;
        for (days, of) in steps {
            if days == 0 {
                continue;
            }
            if age < Duration::from_secs(u64::from(days) * 24 * 3600) {
                return of;
            }
            last = of;
        }
        if self.forever { last } else { Of::None }
    }
}

/// The stretches of time of which something stays.
#[derive(Debug, Default)]
struct Taken(HashSet<Stretch>);

impl Taken {
    fn take(&mut self, committed: Timestamp) {
        self.0.extend([day(committed), week(committed), month(committed)]);
    }
}

fn day(at: Timestamp) -> Stretch {
    Stretch::Day(at.0.div_euclid(DAY))
}

fn week(at: Timestamp) -> Stretch {
    Stretch::Week((at.0.div_euclid(DAY) - FIRST_MONDAY).div_euclid(7))
}

fn month(at: Timestamp) -> Stretch {
    let (year, month) = at.year_and_month();
    Stretch::Month(year, month)
}

#[cfg(test)]
mod tests;

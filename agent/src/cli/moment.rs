//! Moments in the past as people write them.

use std::time::Duration;

use beckon_shared::time::Timestamp;
use chrono::{Local, NaiveDate, NaiveDateTime, NaiveTime, TimeZone};

use super::span::span;
use crate::clock;

/// `2026-11-23T14:30:00Z`, `2026-11-23 14:30` by the clock on this machine's wall, `2026-11-23` for the end of that day, or
/// how long ago: `3d`.
pub(crate) fn moment(text: &str) -> Result<Timestamp, String> {
    parse(text, clock::now(), &Local)
}

fn parse(text: &str, now: Timestamp, zone: &impl TimeZone) -> Result<Timestamp, String> {
    let bad = || {
        "write a time as 2026-11-23, \"2026-11-23 14:30\", 2026-11-23T14:30:00Z, or how long ago it was, as 3d or 2h"
            .to_owned()
    };
    if let Ok(moment) = text.parse() {
        return Ok(moment);
    }
    if let Ok(ago) = span(text) {
        return Ok(now.before(ago));
    }
    if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        let next = day.succ_opt().ok_or_else(bad)?.and_time(NaiveTime::MIN);
        return Ok(at(&next, zone).ok_or_else(bad)?.before(Duration::from_millis(1)));
    }
    let formats = [
        "%Y-%m-%d %H:%M",
        "%Y-%m-%dT%H:%M",
        "%Y-%m-%d %H:%M:%S",
        "%Y-%m-%dT%H:%M:%S",
    ];
    let read = formats
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok());
    read.and_then(|moment| at(&moment, zone)).ok_or_else(bad)
}

/// Of an hour that comes twice the first; of one that there is not, none.
fn at(moment: &NaiveDateTime, zone: &impl TimeZone) -> Option<Timestamp> {
    let moment = zone.from_local_datetime(moment).earliest()?;
    Some(Timestamp(moment.timestamp_millis()))
}

#[cfg(test)]
mod tests {
    use chrono::FixedOffset;

    use super::*;

    fn of(text: &str) -> Result<String, String> {
        let now = "2026-11-23T12:00:00Z".parse().unwrap();
        let east = FixedOffset::east_opt(8 * 3600).unwrap();
        parse(text, now, &east).map(|moment| moment.to_string())
    }

    #[test]
    fn a_moment_is_a_time_a_day_or_how_long_ago() {
        for (text, expected) in [
            ("2026-11-20T10:00:00Z", "2026-11-20T10:00:00.000Z"),
            ("2026-11-20T10:00:00+01:00", "2026-11-20T09:00:00.000Z"),
            ("2026-11-20 10:00", "2026-11-20T02:00:00.000Z"),
            ("2026-11-20T10:00:30", "2026-11-20T02:00:30.000Z"),
            ("2026-11-20", "2026-11-20T15:59:59.999Z"),
            ("3d", "2026-11-20T12:00:00.000Z"),
            ("90s", "2026-11-23T11:58:30.000Z"),
        ] {
            assert_eq!(of(text).as_deref(), Ok(expected), "{text}");
        }
        for text in ["", "yesterday", "2026-13-01", "2026-11-20 25:00", "0d", "-3d"] {
            assert!(of(text).unwrap_err().contains("2026-11-23"), "{text}");
        }
    }
}

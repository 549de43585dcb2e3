//! Spans of time as people write them.

use std::time::Duration;

/// `15m`, `24h`, `30d` or `90s`.
pub(crate) fn span(text: &str) -> Result<Duration, String> {
    let bad = || "write a span of time as 90s, 15m, 24h or 30d".to_owned();
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(bad)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 24 * 3600,
        _ => return Err(bad()),
    };
    let number: u64 = number.parse().map_err(|_| bad())?;
    match number.checked_mul(seconds) {
        Some(seconds) if seconds > 0 => Ok(Duration::from_secs(seconds)),
        _ => Err(bad()),
    }
}

/// A span of time as people say it: one number, which is enough to plan by.
pub(crate) fn about(span: Duration) -> String {
    match span.as_secs() {
        seconds @ ..100 => format!("{seconds} s"),
        seconds @ ..6_000 => format!("{} min", seconds / 60),
        seconds @ ..172_800 => format!("{} h", seconds / 3600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

/// Seconds, with or without a fraction.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let parsed = text
        .parse::<f64>()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    parsed
        .filter(|span| !span.is_zero())
        .ok_or_else(|| "write a number of seconds above 0, such as 30 or 2.5".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_a_number_and_a_unit() {
        assert_eq!(span("15m"), Ok(Duration::from_secs(900)));
        assert_eq!(span("30d"), Ok(Duration::from_secs(2_592_000)));
        for text in [
            "",
            "m",
            "15",
            "15 m",
            "-1m",
            "0s",
            "1w",
            "99999999999999999999d",
            "213503982334602d",
            "5µ",
        ] {
            assert!(span(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_span_is_told_by_one_number() {
        let told = [0, 99, 100, 5_999, 6_000, 10_800, 172_799, 172_800, 2_592_000];
        assert_eq!(
            told.map(|seconds| about(Duration::from_secs(seconds))),
            ["0 s", "99 s", "1 min", "99 min", "1 h", "3 h", "47 h", "2 d", "30 d"]
        );
    }

    #[test]
    fn a_timeout_may_have_a_fraction() {
        assert_eq!(seconds("2.5"), Ok(Duration::from_millis(2500)));
        for text in ["", "0", "-1", "nan", "inf", "1e300"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}

//! Values as people read them, and bytes as programs do.

use base64::{Engine, engine::general_purpose::STANDARD};
use beckon_shared::time::Timestamp;

/// A number of bytes in binary units, with three digits at least.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    // Lossy above 2^53, where only the first digits are shown anyway.
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// How many there are of something.
pub(crate) fn count(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// A time in UTC, to the second.
pub(crate) fn time(at: Timestamp) -> String {
    let text = at.to_string();
    match text.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => text,
    }
}

/// Bytes as padded standard base64 (RFC 4648, 4), which `base64 -d` reads.
pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        let texts: Vec<_> = [0, 1023, 1024, 1_048_576, 1_073_741_824, u64::MAX].map(size).into();
        assert_eq!(texts, ["0 B", "1023 B", "1.0 KiB", "1.0 MiB", "1.0 GiB", "16.0 EiB"]);
    }

    #[test]
    fn one_of_something_has_no_plural() {
        assert_eq!(
            [0, 1, 2].map(|number| count(number, "file")),
            ["0 files", "1 file", "2 files"]
        );
    }

    #[test]
    fn times_are_utc_to_the_second() {
        assert_eq!(time(Timestamp(1_795_357_800_123)), "2026-11-22T14:30:00Z");
        assert_eq!(time(Timestamp(0)), "1970-01-01T00:00:00Z");
        assert_eq!(time(Timestamp(123)), "1970-01-01T00:00:00Z");
    }
}

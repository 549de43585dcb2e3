//! Numbers of bytes as people write them.

use beckon_shared::limits::is_rate;

/// `4096`, `500KiB` or `20GiB`; binary units, without a fraction.
pub(super) fn size(text: &str) -> Option<u64> {
    let text = text.trim();
    let at = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let power = match unit.trim() {
        "" | "B" => 0,
        "K" | "KiB" => 10,
        "M" | "MiB" => 20,
        "G" | "GiB" => 30,
        "T" | "TiB" => 40,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(1 << power)
}

/// Bytes a second, as `500KiB` or `2MiB/s`; so few that nothing would get anywhere are none.
pub(super) fn rate(text: &str) -> Result<u64, String> {
    let number = text.trim().trim_end_matches("/s");
    size(number)
        .filter(|rate| is_rate(*rate))
        .ok_or_else(|| "write bytes a second as 500KiB or 2MiB, at least 1KiB; 0 sends nothing".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_size_with_or_without_its_second() {
        assert_eq!(
            ["2MiB", "2 MiB/s", "500KiB", "0", "64000"].map(rate),
            [2 << 20, 2 << 20, 500 << 10, 0, 64_000].map(Ok)
        );
        for text in ["", "fast", "-1", "1.5MiB", "2MiB/h", "99999999999TiB", "1", "1023"] {
            assert!(rate(text).is_err(), "{text}");
        }
    }
}

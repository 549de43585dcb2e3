//! Which part of a representation a request asks for (RFC 9110, sections 13 and 14).

use std::ops::Range;

/// What is to be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// 200, all of it.
    Whole,
    /// 206, these bytes; never empty.
    Part(Range<u64>),
    /// 304, the caller has it already.
    Unchanged,
    /// 416, the range lies beyond the end.
    Unsatisfiable,
}

/// The headers that decide, where they are given and are text.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Conditions<'a> {
    /// `Range`.
    pub(crate) range: Option<&'a str>,
    /// `If-Range`.
    pub(crate) if_range: Option<&'a str>,
    /// `If-None-Match`.
    pub(crate) if_none_match: Option<&'a str>,
}

impl Conditions<'_> {
    /// Decides for a representation of `total` bytes whose strong entity tag, with its quotes, is `etag`.
    pub(crate) fn wanted(&self, total: u64, etag: &str) -> Wanted {
        if self.if_none_match.is_some_and(|tags| lists(tags, etag)) {
            return Wanted::Unchanged;
        }
        // A date in `If-Range` never matches: no date is sent as a validator.
        if self.if_range.is_some_and(|tag| tag.trim() != etag) {
            return Wanted::Whole;
        }
        self.range
            .and_then(single)
            .map_or(Wanted::Whole, |asked| asked.within(total))
    }
}

/// Whether a list of entity tags has this one, compared weakly as `If-None-Match` demands.
fn lists(tags: &str, etag: &str) -> bool {
    tags.split(',')
        .map(str::trim)
        .any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
}

/// One range as it was asked for.
enum Asked {
    From(u64),
    FromTo(u64, u64),
    Last(u64),
}

/// The range, if it is exactly one and well formed; everything else is ignored, which RFC 9110 permits.
fn single(header: &str) -> Option<Asked> {
    let (unit, set) = header.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    match set.trim().split_once('-')? {
        ("", last) => Some(Asked::Last(number(last)?)),
        (first, "") => Some(Asked::From(number(first)?)),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some(Asked::FromTo(first, last))
        }
    }
}

/// Digits alone; what is too large for a number is as good as the largest.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

impl Asked {
    fn within(self, total: u64) -> Wanted {
        let range = match self {
            Self::From(first) => first..total,
            Self::FromTo(first, last) => first..total.min(last.saturating_add(1)),
            Self::Last(count) => total.saturating_sub(count)..total,
        };
        if range.is_empty() {
            Wanted::Unsatisfiable
        } else {
            Wanted::Part(range)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(header: &str, total: u64) -> Wanted {
        Conditions {
            range: Some(header),
            ..Default::default()
        }
        .wanted(total, "\"tag\"")
    }

    #[test]
    fn a_single_range_is_cut_to_what_there_is() {
        assert_eq!(range("bytes=0-0", 10), Wanted::Part(0..1));
        assert_eq!(range("bytes=2-5", 10), Wanted::Part(2..6));
        assert_eq!(range("bytes=2-99999999999999999999999", 10), Wanted::Part(2..10));
        assert_eq!(range("Bytes = 9-", 10), Wanted::Part(9..10));
        assert_eq!(range("bytes=-3", 10), Wanted::Part(7..10));
        assert_eq!(range("bytes=-30", 10), Wanted::Part(0..10));
    }

    #[test]
    fn a_range_beyond_the_end_cannot_be_satisfied() {
        for header in ["bytes=10-", "bytes=10-12", "bytes=-0", "bytes=99999999999999999999999-"] {
            assert_eq!(range(header, 10), Wanted::Unsatisfiable, "{header}");
        }
        assert_eq!(range("bytes=0-", 0), Wanted::Unsatisfiable);
        assert_eq!(range("bytes=-5", 0), Wanted::Unsatisfiable);
    }

    #[test]
    fn several_other_or_malformed_ranges_give_the_whole() {
        for header in [
            "bytes=0-1,3-4",
            "lines=0-1",
            "bytes=5-2",
            "bytes=-",
            "bytes",
            "bytes=a-b",
            "bytes=+1-2",
            "",
            "bytes=1 - 2",
        ] {
            assert_eq!(range(header, 10), Wanted::Whole, "{header}");
        }
    }

    #[test]
    fn a_range_holds_only_for_the_same_content() {
        let with = |tag| {
            Conditions {
                range: Some("bytes=5-"),
                if_range: Some(tag),
                ..Default::default()
            }
            .wanted(10, "\"tag\"")
        };
        assert_eq!(with("\"tag\""), Wanted::Part(5..10));
        for other in ["\"other\"", "W/\"tag\"", "Sat, 21 Nov 2026 07:28:00 GMT"] {
            assert_eq!(with(other), Wanted::Whole, "{other}");
        }
    }

    #[test]
    fn who_has_it_already_is_told_so() {
        let with = |tags| {
            Conditions {
                range: Some("bytes=5-"),
                if_none_match: Some(tags),
                ..Default::default()
            }
            .wanted(10, "\"tag\"")
        };
        for tags in ["\"tag\"", "\"a\", W/\"tag\"", "*"] {
            assert_eq!(with(tags), Wanted::Unchanged, "{tags}");
        }
        assert_eq!(with("\"other\""), Wanted::Part(5..10));
    }
}

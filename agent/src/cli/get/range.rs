//! Which bytes of a file are wanted.

use std::{fmt, str::FromStr};

/// One range of bytes, as in a `Range` header (RFC 9110, 14.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ByteRange {
    /// From the first to the last of these, both included.
    Between(u64, u64),
    /// From here to the end.
    From(u64),
    /// So many at the end.
    Last(u64),
}

impl ByteRange {
    /// Which bytes these are of a file of `size` bytes; none if they lie behind its end.
    pub(super) fn within(self, size: u64) -> Option<std::ops::Range<u64>> {
        match self {
            Self::Between(first, last) if first < size => Some(first..last.min(size - 1) + 1),
            Self::From(first) if first < size => Some(first..size),
            Self::Last(count) if size > 0 => Some(size - count.min(size)..size),
            _ => None,
        }
    }

    /// How many bytes these are of a file of `size` bytes; none if they lie behind its end.
    pub(super) fn len_of(self, size: u64) -> Option<u64> {
        self.within(size).map(|range| range.end - range.start)
    }
}

impl FromStr for ByteRange {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || "write a range as A-B (both included), A- or -N, in bytes from 0".to_owned();
        let number = |text: &str| text.parse::<u64>().map_err(|_| bad());
        let range = match text.split_once('-').ok_or_else(bad)? {
            ("", count) => Self::Last(number(count)?),
            (first, "") => Self::From(number(first)?),
            (first, last) => Self::Between(number(first)?, number(last)?),
        };
        match range {
            Self::Last(0) => Err(bad()),
            Self::Between(first, last) if first > last => Err(bad()),
            range => Ok(range),
        }
    }
}

impl fmt::Display for ByteRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Between(first, last) => write!(f, "{first}-{last}"),
            Self::From(first) => write!(f, "{first}-"),
            Self::Last(count) => write!(f, "-{count}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_and_written_alike() {
        for text in ["0-0", "5-9", "7-", "-3"] {
            assert_eq!(text.parse::<ByteRange>().unwrap().to_string(), text);
        }
        for text in ["", "-", "5", "9-5", "-0", "a-b", "1-2,4-5", "+1-2x"] {
            assert!(text.parse::<ByteRange>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_command_line_takes_the_last_bytes() {
        use clap::Parser;
        let parsed = |line: &[&str]| crate::cli::Args::try_parse_from(line).is_ok();
        assert!(parsed(&["beckon", "get", "desk/a", "--range", "-3"]));
        assert!(parsed(&["beckon", "get", "desk/a", "--range=-3", "--json"]));
    }

    #[test]
    fn a_range_ends_with_the_file() {
        assert_eq!(ByteRange::Between(2, 99).len_of(10), Some(8));
        assert_eq!(ByteRange::Between(2, u64::MAX).len_of(10), Some(8));
        assert_eq!(ByteRange::Between(2, 4).len_of(10), Some(3));
        assert_eq!(ByteRange::From(10).len_of(10), None);
        assert_eq!(ByteRange::Last(99).len_of(10), Some(10));
        assert_eq!(ByteRange::Last(1).len_of(0), None);
    }
}

//! Quotas as people write them.

use crate::cli::size::size;

/// The most that an account may store; nothing for as much as there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quota(pub(crate) Option<u64>);

/// `500MiB`, `20GiB`, `1TiB`, a number of bytes, or `none`.
pub(super) fn quota(text: &str) -> Result<Quota, String> {
    if text.eq_ignore_ascii_case("none") {
        return Ok(Quota(None));
    }
    let bytes = size(text).ok_or_else(|| "write a size as 500MiB, 20GiB or 1TiB, or none".to_owned())?;
    Ok(Quota(Some(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_have_a_unit_or_are_none() {
        assert_eq!(quota("none"), Ok(Quota(None)));
        assert_eq!(quota("4096"), Ok(Quota(Some(4096))));
        assert_eq!(quota("20 GiB"), Ok(Quota(Some(20 << 30))));
        assert_eq!(quota("3M"), Ok(Quota(Some(3 << 20))));
        for text in ["", "much", "-1", "1.5GiB", "1PB", "99999999999TiB"] {
            assert!(quota(text).is_err(), "{text}");
        }
    }
}

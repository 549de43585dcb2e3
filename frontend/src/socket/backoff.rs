//! How long to wait before the next try.

use crate::dom;

/// The first wait, in milliseconds.
const SHORTEST: u32 = 500;
/// The longest while somebody looks at the page, in milliseconds.
const LONGEST_SEEN: u32 = 6_000;
/// The longest while nobody does, in milliseconds. A page that is looked at again tries at once.
const LONGEST_HIDDEN: u32 = 30_000;

/// Counts tries that failed one after the other.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failed: u32,
}

impl Backoff {
    /// The wait after one more failure: twice as long each time, a half of it by chance, so that many browsers do not
    /// come back as one. Milliseconds.
    pub(super) fn next(&mut self) -> u32 {
        let longest = match dom::document().hidden() {
            true => LONGEST_HIDDEN,
            false => LONGEST_SEEN,
        };
        let wait = SHORTEST.saturating_mul(1 << self.failed.min(10)).min(longest);
        self.failed += 1;
        let [chance] = dom::random::<1>();
        wait / 2 + wait / 2 * u32::from(chance) / 255
    }

    /// It worked.
    pub(super) fn reset(&mut self) {
        self.failed = 0;
    }
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    #[wasm_bindgen_test]
    fn waits_grow_to_some_seconds_and_begin_anew_after_success() {
        let mut backoff = Backoff::default();
        let first = backoff.next();
        assert!((250..=500).contains(&first), "{first}");
        for _ in 0..20 {
            assert!(backoff.next() <= LONGEST_SEEN);
        }
        assert!(backoff.next() >= LONGEST_SEEN / 2);
        backoff.reset();
        assert!(backoff.next() <= SHORTEST);
    }
}

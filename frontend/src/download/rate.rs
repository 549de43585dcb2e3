//! How fast bytes come.

/// Measured over this time. Milliseconds.
const OVER_MS: f64 = 1_000.0;

/// Bytes per second, over the last second or so.
#[derive(Debug, Default)]
pub(super) struct Rate {
    since: Option<(f64, u64)>,
    last: Option<f64>,
}

impl Rate {
    /// So many bytes are here at this time, in milliseconds.
    pub(super) fn measure(&mut self, now: f64, done: u64) -> Option<f64> {
        let (at, before) = *self.since.get_or_insert((now, done));
        if now - at >= OVER_MS {
            self.last = Some(done.saturating_sub(before) as f64 * 1000.0 / (now - at));
            self.since = Some((now, done));
        }
        self.last
    }
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::Rate;

    #[wasm_bindgen_test]
    fn a_rate_is_that_of_the_last_second() {
        let mut rate = Rate::default();
        assert_eq!(rate.measure(0.0, 0), None);
        assert_eq!(rate.measure(500.0, 900), None);
        assert_eq!(rate.measure(2_000.0, 4_000), Some(2_000.0));
        assert_eq!(rate.measure(2_100.0, 9_000), Some(2_000.0));
        assert_eq!(rate.measure(3_000.0, 4_500), Some(500.0));
    }
}

//! A figure with a unit, as people write it: `1.5` and `GB`.

/// A unit with what it counts for.
pub(crate) type Unit = (&'static str, f64);

/// Why a figure is no amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bad {
    /// It is no plain number.
    Figure,
    /// It is more than the server counts.
    TooLarge,
}

/// An amount in the largest unit that tells it with three decimals at most.
pub(crate) fn written(amount: u64, units: &[Unit]) -> (String, usize) {
    let amount = amount as f64;
    let is_fit = |unit: &usize| amount >= units[*unit].1 && (amount / units[*unit].1 * 1000.0).fract() == 0.0;
    let unit = (0..units.len()).rev().find(is_fit).unwrap_or(0);
    let figure = format!("{:.6}", amount / units[unit].1);
    (figure.trim_end_matches('0').trim_end_matches('.').to_owned(), unit)
}

/// The amount that was written.
pub(crate) fn read(figure: &str, unit: Option<&Unit>) -> Result<u64, Bad> {
    // As it is written in half of the world.
    let figure = figure.trim().replace(',', ".");
    let is_plain = figure.chars().all(|c| c.is_ascii_digit() || c == '.');
    let figure: f64 = figure.parse().ok().filter(|_| is_plain).ok_or(Bad::Figure)?;
    let amount = (figure * unit.map_or(1.0, |(_, counts)| *counts)).round();
    // What the server's database holds.
    if amount < i64::MAX as f64 {
        Ok(amount as u64)
    } else {
        Err(Bad::TooLarge)
    }
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    const UNITS: [Unit; 3] = [("MB", 1e6), ("GB", 1e9), ("TB", 1e12)];

    fn amount(figure: &str, unit: usize) -> Result<u64, Bad> {
        read(figure, UNITS.get(unit))
    }

    #[wasm_bindgen_test]
    fn an_amount_is_read_with_point_or_comma() {
        assert_eq!(amount("500", 0), Ok(500_000_000));
        assert_eq!(amount(" 1,5 ", 1), Ok(1_500_000_000));
        assert_eq!(amount("0", 2), Ok(0));
    }

    #[wasm_bindgen_test]
    fn what_is_no_amount_is_refused() {
        for text in ["", "a lot", "-1", "1e3", "inf", "NaN", "1.2.3", "."] {
            assert_eq!(amount(text, 1), Err(Bad::Figure), "{text}");
        }
        assert_eq!(amount("99999999999", 2), Err(Bad::TooLarge));
    }

    #[wasm_bindgen_test]
    fn an_amount_is_written_as_it_is_read() {
        for bytes in [0, 500_000_000, 1_500_000_000, 1_000_000_000_000, 1_073_741_824] {
            let (figure, unit) = written(bytes, &UNITS);
            assert_eq!(amount(&figure, unit), Ok(bytes), "{figure} {}", UNITS[unit].0);
        }
        assert_eq!(written(1_500_000_000, &UNITS), ("1.5".to_owned(), 1));
    }
}

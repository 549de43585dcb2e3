//! Which rows exist: those in view and half a screen on either side, in steps, so that small movements draw nothing.

/// The window moves by so many rows at once.
const STEP: usize = 8;

/// The first of the rows that exist and the one after the last, of `count` rows. Lengths in pixels.
pub(super) fn window(scroll: f64, view: f64, row: f64, count: usize) -> (usize, usize) {
    if row <= 0.0 || count == 0 {
        return (0, 0);
    }
    let ahead = view / 2.0;
    let first = ((scroll - ahead).max(0.0) / row) as usize;
    let end = ((scroll + view + ahead) / row).ceil().max(0.0) as usize;
    let first = (first / STEP * STEP).min(count.saturating_sub(1) / STEP * STEP);
    (first, end.div_ceil(STEP).saturating_mul(STEP).min(count))
}

/// Where to scroll so that a row is wholly in view; nothing if it is. `head` covers the upper end of the view.
pub(super) fn reveal(index: usize, scroll: f64, view: f64, head: f64, row: f64) -> Option<f64> {
    let (top, bottom) = (index as f64 * row, (index + 1) as f64 * row);
    let visible = (view - head).max(row);
    if top < scroll {
        Some(top)
    } else if bottom > scroll + visible {
        Some(bottom - visible)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    #[wasm_bindgen_test]
    fn about_two_screens_of_rows_exist() {
        let (first, end) = window(36.0 * 50_000.0, 720.0, 36.0, 100_000);
        assert!(first <= 49_990 && end >= 50_030, "{first}..{end}");
        assert!(end - first <= 56, "{first}..{end}");
    }

    #[wasm_bindgen_test]
    fn a_window_stays_inside_the_list() {
        assert_eq!(window(0.0, 720.0, 36.0, 0), (0, 0));
        assert_eq!(window(0.0, 720.0, 36.0, 3), (0, 3));
        let (first, end) = window(36.0 * 100_000.0 - 720.0, 720.0, 36.0, 100_000);
        assert!(first < end && end == 100_000);
        // The list became shorter than where it was scrolled to.
        let (first, end) = window(36.0 * 90_000.0, 720.0, 36.0, 10);
        assert_eq!((first, end), (8, 10));
    }

    #[wasm_bindgen_test]
    fn small_movements_keep_the_window() {
        assert_eq!(window(3600.0, 720.0, 36.0, 1000), window(3610.0, 720.0, 36.0, 1000));
    }

    #[wasm_bindgen_test]
    fn a_row_out_of_view_is_brought_to_the_nearer_edge() {
        assert_eq!(reveal(5, 0.0, 400.0, 32.0, 36.0), None);
        assert_eq!(reveal(0, 100.0, 400.0, 32.0, 36.0), Some(0.0));
        assert_eq!(reveal(20, 0.0, 400.0, 32.0, 36.0), Some(21.0 * 36.0 - 368.0));
    }
}

//! The arithmetic of charts: round values up the side, paths, labels that do not lie on each other. All places are CSS
//! pixels from the top left.

use crate::format;

/// Round values up the side of a chart: from 0, in equal steps, to the first one that is not below the greatest value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ticks {
    step: f64,
    count: usize,
}

impl Ticks {
    /// For bytes up to `greatest`.
    pub(super) fn above(greatest: u64) -> Self {
        // Below a kilobyte there is nothing to tell apart.
        if greatest < 1000 {
            return Self { step: 1000.0, count: 1 };
        }
        let greatest = greatest as f64;
        let least = greatest / 4.0;
        let power = 10_f64.powf(least.log10().floor());
        let fits = |factor: &f64| factor * power >= least;
        let step = [1.0, 2.0, 2.5, 5.0].into_iter().find(fits).unwrap_or(10.0) * power;
        Self {
            step,
            count: (greatest / step).ceil() as usize,
        }
    }

    /// The value at the top.
    pub(super) fn top(self) -> f64 {
        self.step * self.count as f64
    }

    /// Each value with its label, from the bottom; the topmost one alone names the unit, which is that of all.
    pub(super) fn labels(self) -> Vec<(f64, String)> {
        let unit = 1000_f64.powf((self.top().log10() / 3.0).floor());
        let label = |at: usize| match at {
            at if at == self.count => format::bytes(self.top() as u64),
            at => trimmed(self.step * at as f64 / unit),
        };
        (0..=self.count).map(|at| (self.step * at as f64, label(at))).collect()
    }
}

/// A figure without zeros at its end.
fn trimmed(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Where lines and bars are drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Plot {
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) base: f64,
}

impl Plot {
    /// The height of a value.
    pub(super) fn y(self, value: f64, ticks: Ticks) -> f64 {
        self.base - value / ticks.top() * (self.base - self.top)
    }

    /// The place of a moment between the first and the last one, in milliseconds.
    pub(super) fn x(self, at: i64, first: i64, last: i64) -> f64 {
        if last <= first {
            return self.right;
        }
        self.left + (at - first) as f64 / (last - first) as f64 * (self.right - self.left)
    }

    /// The middle of one of `count` equal slots.
    pub(super) fn slot(self, at: usize, count: usize) -> f64 {
        self.left + (at as f64 + 0.5) * self.slot_width(count)
    }

    /// How wide a slot is.
    pub(super) fn slot_width(self, count: usize) -> f64 {
        (self.right - self.left) / count.max(1) as f64
    }
}

/// A line through points.
pub(super) fn line(points: &[(f64, f64)]) -> String {
    let mut path = String::with_capacity(points.len() * 12);
    for (at, (x, y)) in points.iter().enumerate() {
        path.push(if at == 0 { 'M' } else { 'L' });
        path.push_str(&format!("{x:.1} {y:.1}"));
    }
    path
}

/// What lies between a line and the base.
pub(super) fn area(points: &[(f64, f64)], base: f64) -> String {
    match (points.first(), points.last()) {
        (Some((first, _)), Some((last, _))) => format!("{}L{last:.1} {base:.1}L{first:.1} {base:.1}Z", line(points)),
        _ => String::new(),
    }
}

/// A bar with round upper corners that stands on the base; nothing for what is too low to be seen.
pub(super) fn bar(x: f64, width: f64, y: f64, base: f64) -> String {
    const ROUND: f64 = 2.0;
    let height = base - y;
    if height < 0.1 {
        return String::new();
    }
    let round = ROUND.min(height).min(width / 2.0);
    let (rise, across) = (y + round, width - 2.0 * round);
    format!(
        "M{x:.1} {base:.1}V{rise:.1}a{round:.1} {round:.1} 0 0 1 {round:.1} -{round:.1}h{across:.1}\
        a{round:.1} {round:.1} 0 0 1 {round:.1} {round:.1}V{base:.1}Z"
    )
}

/// Moves labels apart until each has `gap` to the next, each as near to its place as the others let it, none below `lowest`.
pub(super) fn spread(places: &[f64], gap: f64, lowest: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..places.len()).collect();
    // The lowest one first: it is pushed up by the base, and the others by it. Among equals the first stays highest.
    order.sort_by(|a, b| places[*b].total_cmp(&places[*a]).then(b.cmp(a)));
    let mut spread = places.to_vec();
    let mut limit = lowest;
    for at in order {
        spread[at] = places[at].min(limit);
        limit = spread[at] - gap;
    }
    spread
}

/// The one of ascending places that is nearest.
pub(super) fn nearest(places: &[f64], x: f64) -> Option<usize> {
    let distance = |at: &usize| (places[*at] - x).abs();
    (0..places.len()).min_by(|a, b| distance(a).total_cmp(&distance(b)))
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    fn labels(greatest: u64) -> Vec<String> {
        Ticks::above(greatest)
            .labels()
            .into_iter()
            .map(|(_, label)| label)
            .collect()
    }

    const PLOT: Plot = Plot {
        left: 42.0,
        right: 442.0,
        top: 10.0,
        base: 110.0,
    };

    #[wasm_bindgen_test]
    fn ticks_are_round_and_the_topmost_names_the_unit() {
        assert_eq!(labels(2_610_000_000_000), ["0", "1", "2", "3 TB"]);
        assert_eq!(labels(63_000_000_000), ["0", "20", "40", "60", "80 GB"]);
        assert_eq!(labels(1_000_000), ["0", "0.25", "0.5", "0.75", "1 MB"]);
        assert_eq!(labels(990), ["0", "1 kB"]);
        assert_eq!(labels(7_000_000), ["0", "2", "4", "6", "8 MB"]);
        assert_eq!(labels(0), ["0", "1 kB"]);
    }

    #[wasm_bindgen_test]
    fn ticks_reach_over_the_greatest_value_and_are_few() {
        for power in 0..60 {
            let greatest = 1_u64 << power;
            let ticks = Ticks::above(greatest);
            assert!(ticks.top() >= greatest as f64, "{greatest}");
            assert!((1..=4).contains(&ticks.count), "{greatest}: {ticks:?}");
        }
    }

    #[wasm_bindgen_test]
    fn values_and_moments_have_their_places() {
        let ticks = Ticks::above(4_000);
        assert_eq!(
            (PLOT.y(0.0, ticks), PLOT.y(2_000.0, ticks), PLOT.y(4_000.0, ticks)),
            (110.0, 60.0, 10.0)
        );
        assert_eq!(
            (PLOT.x(10, 10, 30), PLOT.x(20, 10, 30), PLOT.x(30, 10, 30)),
            (42.0, 242.0, 442.0)
        );
        assert_eq!(PLOT.x(10, 10, 10), 442.0);
        assert_eq!((PLOT.slot(0, 4), PLOT.slot(3, 4)), (92.0, 392.0));
    }

    #[wasm_bindgen_test]
    fn a_path_goes_through_its_points() {
        let points = [(42.0, 71.2), (56.64, 70.0)];
        assert_eq!(line(&points), "M42.0 71.2L56.6 70.0");
        assert_eq!(area(&points, 110.0), "M42.0 71.2L56.6 70.0L56.6 110.0L42.0 110.0Z");
        assert_eq!((line(&[]), area(&[], 110.0)), (String::new(), String::new()));
    }

    #[wasm_bindgen_test]
    fn a_bar_stands_on_the_base_and_a_low_one_is_less_round() {
        assert_eq!(
            bar(10.0, 8.0, 50.0, 110.0),
            "M10.0 110.0V52.0a2.0 2.0 0 0 1 2.0 -2.0h4.0a2.0 2.0 0 0 1 2.0 2.0V110.0Z"
        );
        assert_eq!(
            bar(10.0, 8.0, 109.0, 110.0),
            "M10.0 110.0V110.0a1.0 1.0 0 0 1 1.0 -1.0h6.0a1.0 1.0 0 0 1 1.0 1.0V110.0Z"
        );
        assert_eq!(bar(10.0, 8.0, 110.0, 110.0), "");
    }

    #[wasm_bindgen_test]
    fn labels_keep_their_distance_and_stay_above_the_base() {
        assert_eq!(spread(&[10.0, 50.0, 90.0], 12.0, 110.0), [10.0, 50.0, 90.0]);
        assert_eq!(spread(&[50.0, 52.0, 55.0], 12.0, 110.0), [31.0, 43.0, 55.0]);
        assert_eq!(spread(&[110.0, 110.0, 110.0], 12.0, 110.0), [86.0, 98.0, 110.0]);
    }

    #[wasm_bindgen_test]
    fn the_nearest_point_is_found() {
        assert_eq!(nearest(&[10.0, 20.0, 30.0], 24.0), Some(1));
        assert_eq!(nearest(&[10.0, 20.0, 30.0], 99.0), Some(2));
        assert_eq!(nearest(&[], 1.0), None);
    }
}

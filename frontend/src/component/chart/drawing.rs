//! A chart as it is drawn: every place and path, from points and the width of the box.

use beckon_shared::time::Timestamp;

use super::scale::{self, Plot, Ticks};
use crate::format;

/// The height of every chart.
pub(super) const HEIGHT: f64 = 132.0;

/// How far apart two labels at the ends of lines stand at least.
const LABEL: f64 = 13.0;

/// How values become shapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A line for each series, the area below the first one filled; each ends in its newest value.
    Lines,
    /// A bar for each series, side by side in equal slots.
    Bars,
}

/// What is known of a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Point {
    /// When it was.
    pub(crate) at: Timestamp,
    /// When it was, in words: `9 Nov, 15:00`.
    pub(crate) when: String,
    /// The same, as it stands below the chart: `9 Nov`.
    pub(crate) mark: String,
    /// Bytes, one figure for each series.
    pub(crate) values: Vec<u64>,
}

/// Where a text stands to its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

impl Anchor {
    /// Its class.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Start => "",
            Self::Middle => "middle",
            Self::End => "end",
        }
    }
}

/// A text of a chart.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Label {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) text: String,
    pub(super) anchor: Anchor,
}

/// All of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Drawing {
    pub(super) plot: Plot,
    /// The lines behind it.
    pub(super) grid: String,
    /// Values up the side and times below.
    pub(super) labels: Vec<Label>,
    /// The newest value at the end of each line, in the order of the series; none for bars.
    pub(super) ends: Vec<Label>,
    /// The path of each series.
    pub(super) paths: Vec<String>,
    /// The area below the first one.
    pub(super) area: String,
    /// Where each point stands.
    pub(super) xs: Vec<f64>,
    ticks: Ticks,
}

impl Drawing {
    /// Draws points, oldest first, into a box; nothing without points.
    pub(super) fn new(shape: Shape, points: &[Point], width: f64) -> Option<Self> {
        let (first, last) = (points.first()?, points.last()?);
        let ticks = Ticks::above(
            points
                .iter()
                .flat_map(|point| &point.values)
                .copied()
                .max()
                .unwrap_or(0),
        );
        let plot = plot(shape, ticks, last, width);
        let xs: Vec<f64> = match shape {
            Shape::Lines => points
                .iter()
                .map(|point| plot.x(point.at.0, first.at.0, last.at.0))
                .collect(),
            Shape::Bars => (0..points.len()).map(|at| plot.slot(at, points.len())).collect(),
        };
        let series = |of: usize| -> Vec<(f64, f64)> {
            let value = |point: &Point| point.values.get(of).copied().unwrap_or(0) as f64;
            points
                .iter()
                .zip(&xs)
                .map(|(point, x)| (*x, plot.y(value(point), ticks)))
                .collect()
        };
        let count = last.values.len();
        let (paths, area) = match shape {
            Shape::Lines => (
                (0..count).map(|of| scale::line(&series(of))).collect(),
                scale::area(&series(0), plot.base),
            ),
            Shape::Bars => (
                (0..count).map(|of| bars(&series(of), of, count, plot)).collect(),
                String::new(),
            ),
        };
        let mut labels = values(plot, ticks);
        labels.extend(times(shape, points, &xs, plot));
        Some(Self {
            plot,
            grid: grid(plot, ticks),
            labels,
            ends: if shape == Shape::Lines {
                ends(last, plot, ticks)
            } else {
                Vec::new()
            },
            paths,
            area,
            xs,
            ticks,
        })
    }

    /// The height of a value.
    pub(super) fn y(&self, value: u64) -> f64 {
        self.plot.y(value as f64, self.ticks)
    }
}

/// Room at the sides for the labels there.
fn plot(shape: Shape, ticks: Ticks, last: &Point, width: f64) -> Plot {
    let longest = |texts: &mut dyn Iterator<Item = String>| texts.map(|text| text.chars().count()).max().unwrap_or(0);
    let room = |chars: usize| chars as f64 * 6.3;
    let left = room(longest(&mut ticks.labels().into_iter().map(|(_, label)| label))) + 10.0;
    let end = match shape {
        Shape::Lines => room(longest(&mut last.values.iter().map(|value| format::bytes(*value)))) + 10.0,
        Shape::Bars => 0.0,
    };
    let right = width - end;
    Plot {
        left,
        right: right.max(left + 1.0),
        top: 8.0,
        base: HEIGHT - 18.0,
    }
}

fn grid(plot: Plot, ticks: Ticks) -> String {
    let line = |(value, _): (f64, String)| format!("M{:.1} {:.1}H{:.1}", plot.left, plot.y(value, ticks), plot.right);
    ticks.labels().into_iter().map(line).collect()
}

fn values(plot: Plot, ticks: Ticks) -> Vec<Label> {
    let label = |(value, text): (f64, String)| Label {
        x: plot.left - 8.0,
        y: plot.y(value, ticks) + 4.0,
        text,
        anchor: Anchor::End,
    };
    ticks.labels().into_iter().map(label).collect()
}

/// The first moment, the one in the middle, the last one.
fn times(shape: Shape, points: &[Point], xs: &[f64], plot: Plot) -> Vec<Label> {
    let last = points.len() - 1;
    let half = (plot.left + plot.right) / 2.0;
    // Where samples are missing the nearest one may stand beside an end, and so would its label.
    let is_near = |at: &usize| (xs[*at] - half).abs() < (plot.right - plot.left) / 5.0;
    let middle = scale::nearest(xs, half).filter(|at| *at > 0 && *at < last && is_near(at));
    let mark = |at: usize, anchor: Anchor| {
        let x = match (shape, anchor) {
            (Shape::Bars, Anchor::Start) => plot.left,
            (Shape::Bars, Anchor::End) => plot.right,
            _ => xs[at],
        };
        Label {
            x,
            y: HEIGHT - 2.0,
            text: points[at].mark.clone(),
            anchor,
        }
    };
    let ends = [(0, Anchor::Start), (last, Anchor::End)];
    let all = ends.into_iter().chain(middle.map(|middle| (middle, Anchor::Middle)));
    all.map(|(at, anchor)| mark(at, anchor)).collect()
}

fn ends(last: &Point, plot: Plot, ticks: Ticks) -> Vec<Label> {
    let places: Vec<f64> = last.values.iter().map(|value| plot.y(*value as f64, ticks)).collect();
    let places = scale::spread(&places, LABEL, plot.base);
    let label = |(value, y): (&u64, f64)| Label {
        x: plot.right + 8.0,
        y: y + 4.0,
        text: format::bytes(*value),
        anchor: Anchor::Start,
    };
    last.values.iter().zip(places).map(label).collect()
}

/// The bars of one of `count` series, beside those of the others.
fn bars(points: &[(f64, f64)], of: usize, count: usize, plot: Plot) -> String {
    let slot = plot.slot_width(points.len());
    let (gap, most) = (1.4_f64.min(slot * 0.1), 12.0);
    let width = ((slot * 0.62 - gap) / count as f64).clamp(0.5, most);
    let start = -(width * count as f64 + gap * (count as f64 - 1.0)) / 2.0 + of as f64 * (width + gap);
    points
        .iter()
        .map(|(x, y)| scale::bar(x + start, width, *y, plot.base))
        .collect()
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    fn point(at: i64, values: &[u64]) -> Point {
        Point {
            at: Timestamp(at),
            when: format!("moment {at}"),
            mark: at.to_string(),
            values: values.to_vec(),
        }
    }

    fn texts(labels: &[Label]) -> Vec<&str> {
        labels.iter().map(|label| label.text.as_str()).collect()
    }

    #[wasm_bindgen_test]
    fn lines_reach_from_the_first_moment_to_the_last_and_end_in_their_values() {
        let points = [
            point(0, &[1_000, 2_000]),
            point(40, &[1_000, 2_000]),
            point(100, &[2_000, 3_000]),
        ];
        let drawing = Drawing::new(Shape::Lines, &points, 400.0).unwrap();
        let plot = drawing.plot;
        assert_eq!((drawing.xs[0], drawing.xs[2]), (plot.left, plot.right));
        assert_eq!(texts(&drawing.ends), ["2 kB", "3 kB"]);
        assert!(drawing.ends[1].y < drawing.ends[0].y);
        assert_eq!(texts(&drawing.labels), ["0", "1", "2", "3 kB", "0", "100", "40"]);
        assert!(drawing.ends[0].x + 25.0 < 400.0, "the label has room beside the line");
    }

    #[wasm_bindgen_test]
    fn labels_of_times_do_not_lie_on_each_other_where_samples_are_missing() {
        let points = [0, 5, 100].map(|at| point(at, &[1_000]));
        let drawing = Drawing::new(Shape::Lines, &points, 400.0).unwrap();
        assert_eq!(texts(&drawing.labels)[5..], ["0", "100"]);
    }

    #[wasm_bindgen_test]
    fn bars_stand_side_by_side_in_equal_slots() {
        let points: Vec<Point> = (0..24).map(|at| point(at, &[1_000, 500])).collect();
        let drawing = Drawing::new(Shape::Bars, &points, 400.0).unwrap();
        assert_eq!(drawing.paths.len(), 2);
        let (received, sent) = (
            drawing.paths[0].matches('M').count(),
            drawing.paths[1].matches('M').count(),
        );
        assert_eq!((received, sent, drawing.ends.len()), (24, 24, 0));
        let step = drawing.xs[1] - drawing.xs[0];
        assert!((drawing.xs[23] - drawing.xs[22] - step).abs() < 1e-6);
        assert!(drawing.plot.right == 400.0 && drawing.xs[23] < 400.0);
    }

    #[wasm_bindgen_test]
    fn one_point_and_a_narrow_box_break_nothing() {
        assert_eq!(Drawing::new(Shape::Lines, &[], 400.0), None);
        let drawing = Drawing::new(Shape::Lines, &[point(5, &[0])], 10.0).unwrap();
        assert!(drawing.plot.right > drawing.plot.left);
        assert!(!drawing.paths[0].contains("NaN"), "{}", drawing.paths[0]);
        let drawing = Drawing::new(Shape::Bars, &[point(5, &[7_000])], 10.0).unwrap();
        assert!(!drawing.paths[0].contains("NaN"), "{}", drawing.paths[0]);
    }
}

//! Charts: few lines, one scale, direct labels, drawn at the width of their box. Whoever points at one, or goes through it
//! by the arrow keys, is told each moment; a screen reader also finds all of it as a table.

mod drawing;
mod scale;

use leptos::{ev::KeyboardEvent, html, prelude::*};
use wasm_bindgen::{JsCast, closure::Closure};

use self::drawing::{Drawing, HEIGHT, Label};
use crate::format;

pub(crate) use self::drawing::{Point, Shape};

/// Before the first measurement.
const WIDTH: f64 = 466.0;

/// One of the things that a chart compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Series {
    /// What it is.
    pub(crate) name: &'static str,
    /// The class of its path: `line`, `line-2`, `line-3`, `bar-1` or `bar-2`.
    pub(crate) class: &'static str,
}

/// A chart of bytes over time.
#[component]
pub(crate) fn Chart(
    /// What it shows.
    title: &'static str,
    /// How it is drawn.
    shape: Shape,
    /// What it compares; the first one is the main one.
    series: Vec<Series>,
    /// What is settled, oldest first.
    #[prop(into)]
    settled: Signal<Vec<Point>>,
    /// What moves: in the place of the last settled point if that is of the same moment, else behind it.
    #[prop(into)]
    newest: Signal<Option<Point>>,
    /// What the column of times is called.
    #[prop(into)]
    time: Signal<String>,
) -> impl IntoView {
    let plot = NodeRef::<html::Div>::new();
    let width = width_of(plot);
    let points = Memo::new(move |_| with_newest(settled.get(), newest.get()));
    let drawing = Memo::new(move |_| Drawing::new(shape, &points.read(), width.get()));
    let chart = Drawn {
        points,
        drawing,
        pointed: RwSignal::new(None),
        series: StoredValue::new(series),
    };
    let at = move |event: &web_sys::PointerEvent| {
        let x = f64::from(event.client_x()) - plot.get_untracked()?.get_bounding_client_rect().left();
        drawing.with_untracked(|drawing| scale::nearest(&drawing.as_ref()?.xs, x))
    };
    let point = move |event: web_sys::PointerEvent| chart.pointed.set(at(&event));
    let value_now = move || chart.shown().map(|at| at.to_string());
    let value_max = move || points.read().len().saturating_sub(1).to_string();
    view! {
        <figure class="card chart">
            <figcaption><h2>{title}</h2><Legend series=chart.series/></figcaption>
            <div
                class="plot" node_ref=plot tabindex="0" role="slider" aria-label=title
                aria-valuemin="0" aria-valuemax=value_max aria-valuenow=value_now aria-valuetext=move || chart.words()
                on:pointermove=point on:pointerdown=point on:pointerleave=move |_| chart.pointed.set(None)
                on:focus=move |_| chart.pointed.set(chart.shown()) on:blur=move |_| chart.pointed.set(None)
                on:keydown=move |event| chart.step(&event)
            >
                <Picture chart width/>
                <Tip chart width/>
            </div>
            <Table title series=chart.series settled time/>
        </figure>
    }
}

/// The width of a box, now and whenever it changes.
fn width_of(node: NodeRef<html::Div>) -> RwSignal<f64> {
    let width = RwSignal::new(WIDTH);
    let measure = move || {
        let now = node
            .try_get_untracked()
            .flatten()
            .map_or(0.0, |node| f64::from(node.client_width()));
        if now > 0.0 && width.try_get_untracked().is_some_and(|before| before != now) {
            width.set(now);
        }
    };
    let watch = Closure::<dyn FnMut()>::new(measure);
    let observer = web_sys::ResizeObserver::new(watch.as_ref().unchecked_ref()).ok();
    let kept = StoredValue::new_local((observer, watch));
    Effect::new(move || {
        let Some(node) = node.get() else { return };
        measure();
        kept.with_value(|(observer, _)| observer.as_ref().map(|observer| observer.observe(&node)));
    });
    on_cleanup(move || {
        kept.try_with_value(|(observer, _)| observer.as_ref().map(web_sys::ResizeObserver::disconnect));
    });
    width
}

fn with_newest(mut points: Vec<Point>, newest: Option<Point>) -> Vec<Point> {
    let Some(newest) = newest else { return points };
    if points.last().is_some_and(|last| last.at == newest.at) {
        points.pop();
    }
    points.push(newest);
    points
}

/// What the parts of a chart share.
#[derive(Clone, Copy)]
struct Drawn {
    points: Memo<Vec<Point>>,
    drawing: Memo<Option<Drawing>>,
    /// The point that somebody looks at.
    pointed: RwSignal<Option<usize>>,
    series: StoredValue<Vec<Series>>,
}

impl Drawn {
    /// The point that is told of: the one that somebody looks at, else the newest; tracked.
    fn shown(self) -> Option<usize> {
        let last = self.points.read().len().checked_sub(1)?;
        Some(self.pointed.get().map_or(last, |at| at.min(last)))
    }

    /// A point in words.
    fn words(self) -> String {
        let Some(at) = self.shown() else { return String::new() };
        let points = self.points.read();
        let Some(point) = points.get(at) else {
            return String::new();
        };
        let figures = self.series.with_value(|series| {
            let told = series.iter().zip(&point.values);
            told.map(|(series, value)| format!("{} {}", series.name, format::bytes(*value)))
                .collect::<Vec<_>>()
        });
        format!("{}: {}", point.when, figures.join(", "))
    }

    /// Goes from point to point by the keys of a slider.
    fn step(self, event: &KeyboardEvent) {
        let (Some(at), last) = (
            untrack(|| self.shown()),
            self.points.read_untracked().len().saturating_sub(1),
        ) else {
            return;
        };
        let leap = (last / 10).max(1);
        let to = match event.key().as_str() {
            "ArrowLeft" | "ArrowDown" => at.saturating_sub(1),
            "ArrowRight" | "ArrowUp" => at + 1,
            "PageDown" => at.saturating_sub(leap),
            "PageUp" => at + leap,
            "Home" => 0,
            "End" => last,
            _ => return,
        };
        event.prevent_default();
        self.pointed.set(Some(to.min(last)));
    }

    /// Something of the drawing.
    fn of<T: Default>(self, read: impl Fn(&Drawing) -> T) -> T {
        self.drawing.read().as_ref().map(read).unwrap_or_default()
    }
}

#[component]
fn Legend(series: StoredValue<Vec<Series>>) -> impl IntoView {
    let entry = |series: &Series| view! { <span><i class=series.class></i>{series.name}</span> };
    view! { <span class="legend">{series.with_value(|series| series.iter().map(entry).collect_view())}</span> }
}

#[component]
fn Picture(chart: Drawn, width: RwSignal<f64>) -> impl IntoView {
    let view_box = move || format!("0 0 {} {HEIGHT}", width.get());
    let count = chart.series.with_value(Vec::len);
    let path = |of: usize| {
        let class = chart
            .series
            .with_value(|series| series.get(of).map_or("", |series| series.class));
        view! { <path class=class d=move || chart.of(|drawing| drawing.paths.get(of).cloned().unwrap_or_default())/> }
    };
    // The main series lies over the others.
    let paths = (0..count).rev().map(path).collect_view();
    let text = |class: &'static str, label: Label| {
        let class = format!("{class} {}", label.anchor.class());
        view! { <text class=class x=format!("{:.1}", label.x) y=format!("{:.1}", label.y)>{label.text}</text> }
    };
    let labels = move || {
        chart
            .of(|drawing| drawing.labels.clone())
            .into_iter()
            .map(|label| text("", label))
            .collect_view()
    };
    let ends = move || {
        let ends = chart.of(|drawing| drawing.ends.clone()).into_iter().enumerate();
        ends.map(|(of, label)| text(if of == 0 { "tip" } else { "" }, label))
            .collect_view()
    };
    view! {
        <svg viewBox=view_box aria-hidden="true">
            <path class="gridline" d=move || chart.of(|drawing| drawing.grid.clone())/>
            <path class="area" d=move || chart.of(|drawing| drawing.area.clone())/>
            {paths}
            {move || cursor(chart)}
            {labels}
            {ends}
        </svg>
    }
}

/// The line at the point that somebody looks at, and dots where it meets the others; else a dot at the newest value.
fn cursor(chart: Drawn) -> Option<impl IntoView> {
    let at = chart.shown()?;
    let drawing = chart.drawing.read();
    let drawing = drawing.as_ref()?;
    let x = *drawing.xs.get(at)?;
    let is_pointed = chart.pointed.get().is_some();
    let values = chart.points.read().get(at)?.values.clone();
    let has_dots = !drawing.ends.is_empty();
    let dots = values
        .iter()
        .enumerate()
        .filter(|(of, _)| has_dots && (is_pointed || *of == 0))
        .map(|(of, value)| {
            let class = if of == 0 { "point" } else { "point other" };
            view! { <circle class=class cx=format!("{x:.1}") cy=format!("{:.1}", drawing.y(*value)) r="4"/> }
        });
    let dots = dots.collect_view();
    let line = format!("M{x:.1} {:.1}V{:.1}", drawing.plot.top, drawing.plot.base);
    Some(view! { {is_pointed.then(|| view! { <path class="cursor" d=line/> })}{dots} })
}

/// Time and values of the point that somebody looks at, above it.
#[component]
fn Tip(chart: Drawn, width: RwSignal<f64>) -> impl IntoView {
    move || {
        let at = chart.pointed.get().and_then(|_| chart.shown())?;
        let point = chart.points.read().get(at)?.clone();
        // It slides along with the point, so that it never reaches over the box.
        let place = chart.of(|drawing| drawing.xs.get(at).map_or(0.0, |x| x / width.get() * 100.0));
        let rows = chart.series.with_value(|series| {
            let rows = series.iter().zip(&point.values).map(|(series, value)| {
                view! { <span class="row"><i class=series.class></i>{series.name}<b>{format::bytes(*value)}</b></span> }
            });
            rows.collect_view()
        });
        Some(
            view! { <div class="chart-tip" style:--place=format!("{place:.1}%") aria-hidden="true"><b>{point.when}</b>{rows}</div> },
        )
    }
}

#[component]
fn Table(
    title: &'static str,
    series: StoredValue<Vec<Series>>,
    settled: Signal<Vec<Point>>,
    time: Signal<String>,
) -> impl IntoView {
    let names = series.with_value(|series| {
        series
            .iter()
            .map(|series| view! { <th scope="col">{series.name}</th> })
            .collect_view()
    });
    let row = |point: Point| {
        let cells = point
            .values
            .into_iter()
            .map(|value| view! { <td>{format::bytes(value)}</td> });
        view! { <tr><th scope="row">{point.when}</th>{cells.collect_view()}</tr> }
    };
    view! {
        <div class="sr">
            <table>
                <caption>{title}</caption>
                <thead><tr><th scope="col">{move || time.get()}</th>{names}</tr></thead>
                <tbody>{move || settled.get().into_iter().map(row).collect_view()}</tbody>
            </table>
        </div>
    }
}

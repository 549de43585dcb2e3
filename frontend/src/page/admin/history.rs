//! The two charts: what is stored, and what goes through the server, over a day, a month or a year.

use std::time::Duration;

use beckon_shared::{
    api::admin::{Sample, Span, Stored},
    time::Timestamp,
};
use leptos::prelude::*;

use super::watch::{Traffic, Watch};
use crate::{
    component::chart::{Chart, Point, Series, Shape},
    format,
    text::admin as words,
};

/// Buttons for how far back the charts go.
#[component]
pub(super) fn Spans(span: RwSignal<Span>) -> impl IntoView {
    let button = move |(which, word): (Span, &'static str)| {
        let pressed = move || if span.get() == which { "true" } else { "false" };
        view! { <button type="button" aria-pressed=pressed on:click=move |_| span.set(which)>{word}</button> }
    };
    let all = [
        (Span::Day, words::day()),
        (Span::Month, words::month()),
        (Span::Year, words::year()),
    ];
    view! { <div class="segmented" role="group" aria-label=words::span()>{all.map(button).collect_view()}</div> }
}

/// Both charts.
#[component]
pub(super) fn Charts(watch: Watch) -> impl IntoView {
    // What moves within a chart moves in it; another number of samples than enough draws something else.
    let is_enough = Memo::new(move |_| {
        watch
            .history
            .with(|history| history.as_ref().map(|(_, samples)| samples.len() > 1))
    });
    view! {
        <div class="charts">
            {move || match is_enough.get() {
                Some(true) => view! { <StoredChart watch/><TrafficChart watch/> }.into_any(),
                Some(false) => view! { <Nothing title=words::stored_bytes() watch/><Nothing title=words::traffic() watch/> }.into_any(),
                None => view! { <Bones title=words::stored_bytes()/><Bones title=words::traffic()/> }.into_any(),
            }}
        </div>
    }
}

/// In the place of a chart of one sample.
#[component]
fn Nothing(title: &'static str, watch: Watch) -> impl IntoView {
    let says = move || match watch.history.with(|history| history.as_ref().map(|(span, _)| *span)) {
        Some(Span::Month) => words::one_sample_month(),
        Some(Span::Year) => words::one_sample_year(),
        _ => words::one_sample_day(),
    };
    view! {
        <figure class="card chart">
            <figcaption><h2>{title}</h2></figcaption>
            <p class="nothing">{says}</p>
        </figure>
    }
}

#[component]
fn Bones(title: &'static str) -> impl IntoView {
    view! {
        <figure class="card chart" aria-busy="true">
            <figcaption><h2>{title}</h2></figcaption>
            <p class="nothing"></p>
        </figure>
    }
}

#[component]
fn StoredChart(watch: Watch) -> impl IntoView {
    let values = |stored: Stored| vec![stored.disk, stored.unique, stored.content];
    let settled = Memo::new(move |_| {
        watch.history.with(|history| {
            let Some((span, samples)) = history else {
                return Vec::new();
            };
            let Some(last) = samples.last() else { return Vec::new() };
            let point = |sample: &Sample| moment(*span, sample.at, last.at, values(sample.stored));
            samples.iter().map(point).collect()
        })
    });
    let newest = Memo::new(move |_| {
        let stats = watch.stats.read();
        let stats = stats.as_ref()?;
        let clock = format::clock(stats.now);
        Some(Point {
            at: stats.now,
            when: format!("{} ({clock})", words::now()),
            mark: words::now().to_owned(),
            values: values(stats.stored),
        })
    });
    let series = vec![
        Series {
            name: words::on_disk(),
            class: "line",
        },
        Series {
            name: words::unique(),
            class: "line-3",
        },
        Series {
            name: words::content(),
            class: "line-2",
        },
    ];
    view! { <Chart title=words::stored_bytes() shape=Shape::Lines series settled newest time=words::time().to_owned()/> }
}

/// A moment of a span, in words as exact as its samples.
fn moment(span: Span, at: Timestamp, now: Timestamp, values: Vec<u64>) -> Point {
    let (day, clock) = (format::date(at, now), format::clock(at));
    let (when, mark) = match span {
        Span::Day => (clock.clone(), clock),
        Span::Month => (words::at(&day, &clock), day),
        Span::Year => (day.clone(), day),
    };
    Point { at, when, mark, values }
}

#[component]
fn TrafficChart(watch: Watch) -> impl IntoView {
    let settled = Memo::new(move |_| {
        watch.history.with(|history| {
            history
                .as_ref()
                .map(|(span, samples)| bars(*span, samples))
                .unwrap_or_default()
        })
    });
    let newest = Memo::new(move |_| {
        let since = watch.since.get();
        settled.with(|points| {
            let mut last = points.last()?.clone();
            last.values = vec![last.values.first()? + since.received, last.values.get(1)? + since.sent];
            Some(last)
        })
    });
    let series = vec![
        Series {
            name: words::received(),
            class: "bar-1",
        },
        Series {
            name: words::sent(),
            class: "bar-2",
        },
    ];
    view! { <Chart title=words::traffic() shape=Shape::Bars series settled newest time=words::time().to_owned()/> }
}

/// A bar for each hour of a day, each day of a month, each month of a year, by the reader's own calendar. The last one is under way.
fn bars(span: Span, samples: &[Sample]) -> Vec<Point> {
    let Some(last) = samples.last() else { return Vec::new() };
    let starts = starts(span, last.at);
    let mut sums = vec![Traffic { received: 0, sent: 0 }; starts.len()];
    for sample in samples {
        // A sample tells of the minutes before it.
        let at = sample.at.before(SAMPLE / 2);
        let slot = starts.partition_point(|start| *start <= at);
        if let Some(sum) = slot.checked_sub(1).and_then(|slot| sums.get_mut(slot)) {
            sum.received += sample.received;
            sum.sent += sample.sent;
        }
    }
    let count = starts.len();
    let point = |(at, (start, sum)): (usize, (Timestamp, Traffic<u64>))| {
        let (when, mark) = slot_words(span, start, last.at, at + 1 == count);
        Point {
            at: start,
            when,
            mark,
            values: vec![sum.received, sum.sent],
        }
    };
    starts.into_iter().zip(sums).enumerate().map(point).collect()
}

/// How often the server takes a sample.
const SAMPLE: Duration = Duration::from_secs(300);

/// When each bar of a span begins, oldest first.
fn starts(span: Span, last: Timestamp) -> Vec<Timestamp> {
    let date = js_sys::Date::new(&(last.0 as f64).into());
    let (year, month, day) = (date.get_full_year(), date.get_month() as i32, date.get_date() as i32);
    let time = |date: js_sys::Date| Timestamp(date.get_time() as i64);
    match span {
        Span::Day => {
            let hour = time(js_sys::Date::new_with_year_month_day_hr(
                year,
                month,
                day,
                date.get_hours() as i32,
            ));
            (0..24)
                .rev()
                .map(|ago| hour.before(Duration::from_secs(3600) * ago))
                .collect()
        }
        // The calendar carries over: day 0 is the last one of the month before.
        Span::Month => (0..30)
            .rev()
            .map(|ago| time(js_sys::Date::new_with_year_month_day(year, month, day - ago)))
            .collect(),
        Span::Year => (0..12)
            .rev()
            .map(|ago| time(js_sys::Date::new_with_year_month_day(year, month - ago, 1)))
            .collect(),
    }
}

/// A bar's time, long and short.
fn slot_words(span: Span, start: Timestamp, now: Timestamp, is_last: bool) -> (String, String) {
    let (when, mark) = match span {
        Span::Day => {
            let from = format::clock(start);
            (
                words::hour_from(&from, &format::clock(start + Duration::from_secs(3600))),
                from,
            )
        }
        Span::Month => (format::date(start, now), format::date(start, now)),
        Span::Year => (format::month(start), format::month(start)),
    };
    let mark = match span {
        _ if !is_last => mark,
        Span::Day => words::now().to_owned(),
        Span::Month => words::today().to_owned(),
        Span::Year => mark,
    };
    (when, mark)
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    const DAY: i64 = 86_400_000;
    /// 2026-11-22, noon in Greenwich.
    const NOW: i64 = 1_795_348_800_000;

    fn sample(at: i64, received: u64) -> Sample {
        Sample {
            at: Timestamp(at),
            stored: Stored::default(),
            received,
            sent: 1,
            online: 0,
        }
    }

    #[wasm_bindgen_test]
    fn bars_hold_all_that_the_samples_tell() {
        for (span, step, count) in [
            (Span::Day, 300_000, 24),
            (Span::Month, 3 * 3_600_000, 30),
            (Span::Year, DAY, 12),
        ] {
            let samples: Vec<Sample> = (0..20).rev().map(|ago| sample(NOW - ago * step, 5)).collect();
            let bars = bars(span, &samples);
            assert_eq!(bars.len(), count);
            let (received, sent) = bars
                .iter()
                .fold((0, 0), |sum, bar| (sum.0 + bar.values[0], sum.1 + bar.values[1]));
            assert_eq!((received, sent), (100, 20), "{span:?}");
        }
    }

    #[wasm_bindgen_test]
    fn bars_begin_on_the_reader_s_calendar() {
        for span in [Span::Day, Span::Month, Span::Year] {
            let starts = starts(span, Timestamp(NOW));
            assert!(starts.is_sorted(), "{span:?}");
            let last = js_sys::Date::new(&(starts[starts.len() - 1].0 as f64).into());
            assert_eq!(last.get_minutes(), 0);
            assert!(span == Span::Day || last.get_hours() == 0);
            assert!(span != Span::Year || last.get_date() == 1);
        }
    }

    #[wasm_bindgen_test]
    fn no_samples_make_no_bars() {
        assert_eq!(bars(Span::Day, &[]), []);
    }
}

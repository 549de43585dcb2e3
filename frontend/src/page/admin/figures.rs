//! The four figures: devices, what is stored, traffic, the server itself.

use std::time::Duration;

use beckon_shared::api::admin::Stats;
use leptos::prelude::*;

use super::watch::Watch;
use crate::{
    component::progress::Progress,
    format,
    text::{self, admin as words},
};

/// The four figures.
#[component]
pub(super) fn Figures(watch: Watch) -> impl IntoView {
    let of = move |read: fn(&Stats) -> String| {
        Memo::new(move |_| watch.stats.with(|stats| stats.as_ref().map(read).unwrap_or_default()))
    };
    view! {
        <dl class="tiles">
            <div class="card tile">
                <dt>{words::online()}</dt>
                <dd class="value">{of(|stats| format::count(stats.online.into()))}<small>{of(|stats| words::of_devices(&format::count(stats.devices.into())))}</small></dd>
                <dd class="note">{of(online_note)}</dd>
            </div>
            <div class="card tile">
                <dt>{words::stored()}</dt>
                <dd class="value">{of(|stats| split(&format::bytes(stats.stored.disk)).0)}<small>{of(|stats| split(&format::bytes(stats.stored.disk)).1)}</small></dd>
                <Disk watch/>
                <dd class="note">{of(saved)}</dd>
            </div>
            <Traffic watch/>
            <div class="card tile">
                <dt>{words::memory()}</dt>
                <dd class="value">{of(|stats| memory(stats).0)}<small>{of(|stats| memory(stats).1)}</small></dd>
                <dd class="note">{of(|stats| words::version(&stats.version))}</dd>
                <dd class="note">{of(|stats| words::up_for(&time(stats.now.since(stats.started))))}</dd>
            </div>
        </dl>
    }
}

/// A figure and its unit, which are drawn differently.
fn split(text: &str) -> (String, String) {
    let (figure, unit) = text.rsplit_once(' ').unwrap_or((text, ""));
    (figure.to_owned(), unit.to_owned())
}

fn online_note(stats: &Stats) -> String {
    let word = text::plural(stats.accounts.into(), "account", "accounts");
    words::online_note(
        &stats.machines_online,
        &stats.machines,
        &format::count(stats.accounts.into()),
        &word,
    )
}

fn saved(stats: &Stats) -> String {
    let stored = stats.stored;
    let dedup = format::bytes(stored.content.saturating_sub(stored.unique));
    words::saved(&dedup, &format::bytes(stored.unique.saturating_sub(stored.disk)))
}

fn memory(stats: &Stats) -> (String, String) {
    stats.memory.map_or(("–".to_owned(), String::new()), |memory| {
        split(&format::bytes(memory))
    })
}

/// A time that something lasts: `3 d 4 h`, `2 h 10 min`.
fn time(lasts: Duration) -> String {
    let seconds = lasts.as_secs();
    let (days, hours) = (seconds / 86_400, seconds % 86_400 / 3600);
    if days > 0 {
        words::days(&days, &hours)
    } else {
        format::left(seconds)
    }
}

/// How full the disk is, where that has an end.
#[component]
fn Disk(watch: Watch) -> impl IntoView {
    let disk = Memo::new(move |_| {
        let stats = watch.stats.read();
        let stats = stats.as_ref()?;
        Some((stats.disk_free?, stats.disk_total.filter(|total| *total > 0)?))
    });
    let percent = Signal::derive(move || {
        disk.get()
            .map(|(free, total)| 100.0 - free as f64 * 100.0 / total as f64)
    });
    let state = Signal::derive(move || match percent.get() {
        Some(percent) if percent >= 98.0 => "failed",
        Some(percent) if percent >= 90.0 => "warn",
        _ => "running",
    });
    let says = move || {
        disk.get()
            .map(|(free, total)| words::disk_free(&format::bytes(free), &format::bytes(total)))
    };
    let is_known = Memo::new(move |_| disk.read().is_some());
    view! {
        <Show when=move || is_known.get()>
            <dd><Progress value=percent state label=words::disk_used().to_owned()/></dd>
            <dd class="note">{says}</dd>
        </Show>
    }
}

#[component]
fn Traffic(watch: Watch) -> impl IntoView {
    let value = Memo::new(move |_| match watch.rate.get() {
        Some(rate) => {
            let (figure, unit) = split(&format::rate(rate.received));
            (figure, words::rate_in(&unit))
        }
        None => ("–".to_owned(), words::measuring().to_owned()),
    });
    let out = move || {
        watch
            .rate
            .get()
            .map(|rate| view! { <dd class="note">{words::rate_out(&format::rate(rate.sent))}</dd> })
    };
    let total = Memo::new(move |_| {
        let told = |stats: &Stats| words::since_start(&format::bytes(stats.received), &format::bytes(stats.sent));
        watch.stats.with(|stats| stats.as_ref().map(told).unwrap_or_default())
    });
    view! {
        <div class="card tile">
            <dt>{words::traffic_now()}</dt>
            <dd class="value">{move || value.get().0}<small>{move || value.get().1}</small></dd>
            {out}
            <dd class="note">{total}</dd>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    #[wasm_bindgen_test]
    fn a_figure_is_parted_from_its_unit() {
        assert_eq!(split("1.84 TB"), ("1.84".to_owned(), "TB".to_owned()));
        assert_eq!(split("7"), ("7".to_owned(), String::new()));
    }

    #[wasm_bindgen_test]
    fn long_times_are_told_in_days() {
        let told = [59, 7_800, 90_000].map(|seconds| time(Duration::from_secs(seconds)));
        assert_eq!(told, ["59 s", "2 h 10 min", "1 d 1 h"]);
    }
}

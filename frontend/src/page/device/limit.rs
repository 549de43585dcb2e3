//! How fast a machine may send, and when: shown as it is set by now, and changed in a dialog.

use beckon_shared::{
    device::{DeviceKind, DeviceView},
    id::DeviceId,
    limits::{Hours, Limits, RATE_MIN, is_rate},
};
use leptos::{html, prelude::*, task::spawn_local};
use leptos_router::hooks::use_location;

use super::Row;
use crate::{
    api,
    component::{
        amount::{self, Bad, Unit},
        dialog::{Dialog, ProblemLine, fresh_id},
        field::SendButton,
    },
    format,
    text::{self, common, device as words},
};

/// Units of a rate, as lines are sold.
const UNITS: [Unit; 2] = [("kB/s", 1e3), ("MB/s", 1e6)];

/// What a person is first offered who wants hours.
const NIGHT: Hours = Hours {
    from: 22 * 60,
    to: 7 * 60,
};

/// The section; only machines have it.
#[component]
pub(super) fn Limit(row: Row) -> impl IntoView {
    let has_limits = Memo::new(move |_| row.with(|view| view.kind == DeviceKind::Agent && !view.revoked));
    let limits = Memo::new(move |_| row.with(|view| view.limits));
    let open = RwSignal::new(false);
    let title = Signal::derive(move || words::limits_title(&row.with(name)));
    let id = row.with_untracked(|view| view.id);
    let (node, hash) = (NodeRef::<html::Section>::new(), use_location().hash);
    Effect::new(move || {
        if let Some(section) = node.get().filter(|_| hash.get() == "#limits") {
            // Once all of the page is laid out.
            request_animation_frame(move || section.scroll_into_view());
        }
    });
    view! {
        <Show when=move || has_limits.get()>
            <section class="stack close limits" node_ref=node>
                <h2>{words::limits()}</h2>
                <div class="card padded row">
                    <span class="grow"><span class="tnum">{move || said(&limits.get())}</span><span class="hint block">{words::limits_says()}</span></span>
                    <button type="button" class="button sm" on:click=move |_| open.set(true)>{words::change_limits()}</button>
                </div>
            </section>
        </Show>
        <Dialog open title class="small"><Form id limits=limits.get_untracked() open/></Dialog>
    }
}

fn name(view: &DeviceView) -> String {
    format::name(view.name.as_str())
}

/// Limits in words.
fn said(limits: &Limits) -> String {
    let most = match limits.rate {
        None => return words::sends_freely().to_owned(),
        Some(0) => words::sends_nothing().to_owned(),
        Some(rate) => words::sends_at_most(&format::rate(rate as f64)),
    };
    match limits.full_speed {
        None => most,
        Some(hours) => words::but_freely(&most, &format::clock_face(hours.from), &format::clock_face(hours.to)),
    }
}

/// What stands in the form.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    has_limit: RwSignal<bool>,
    figure: RwSignal<String>,
    unit: RwSignal<usize>,
    has_hours: RwSignal<bool>,
    from: RwSignal<String>,
    to: RwSignal<String>,
    bad_rate: RwSignal<Option<String>>,
    bad_hours: RwSignal<Option<String>>,
}

impl Wanted {
    fn new(limits: Limits) -> Self {
        let (figure, unit) = limits
            .rate
            .map_or((String::new(), 1), |rate| amount::written(rate, &UNITS));
        let hours = limits.full_speed.unwrap_or(NIGHT);
        Self {
            has_limit: RwSignal::new(limits.rate.is_some()),
            figure: RwSignal::new(figure),
            unit: RwSignal::new(unit),
            has_hours: RwSignal::new(limits.full_speed.is_some()),
            from: RwSignal::new(format::clock_face(hours.from)),
            to: RwSignal::new(format::clock_face(hours.to)),
            bad_rate: RwSignal::new(None),
            bad_hours: RwSignal::new(None),
        }
    }

    /// What was written; nothing if that is no limit, which the fields then say.
    fn read(self) -> Option<Limits> {
        self.bad_rate.set(None);
        self.bad_hours.set(None);
        if !self.has_limit.get_untracked() {
            return Some(Limits::default());
        }
        let rate = self.read_rate();
        let full_speed = match self.has_hours.get_untracked() {
            true => self.read_hours().map(Some),
            false => Some(None),
        };
        Some(Limits {
            rate: Some(rate?),
            full_speed: full_speed?,
        })
    }

    fn read_rate(self) -> Option<u64> {
        let unit = UNITS.get(self.unit.get_untracked());
        match amount::read(&self.figure.read_untracked(), unit) {
            Ok(rate) if is_rate(rate) => Some(rate),
            Ok(_) => {
                let least = format::count(RATE_MIN);
                self.bad_rate.set(Some(words::rate_too_small(&least)));
                None
            }
            Err(bad) => {
                let says = match bad {
                    Bad::Figure => words::rate_problem(),
                    Bad::TooLarge => words::rate_too_large(),
                };
                self.bad_rate.set(Some(says.to_owned()));
                None
            }
        }
    }

    fn read_hours(self) -> Option<Hours> {
        let read = hours(&self.from.read_untracked(), &self.to.read_untracked());
        match read {
            Some(hours) if hours.from != hours.to => return Some(hours),
            Some(_) => self.bad_hours.set(Some(words::hours_same().to_owned())),
            None => self.bad_hours.set(Some(words::hours_problem().to_owned())),
        }
        None
    }
}

fn hours(from: &str, to: &str) -> Option<Hours> {
    let hours = Hours {
        from: minute(from)?,
        to: minute(to)?,
    };
    hours.is_valid().then_some(hours)
}

/// As the browser's own field writes it: `22:00`, some with seconds behind it.
fn minute(text: &str) -> Option<u16> {
    let (hour, rest) = text.split_once(':')?;
    let minute = rest.split(':').next()?;
    Some(hour.parse::<u16>().ok()?.checked_mul(60)? + minute.parse::<u16>().ok().filter(|minute| *minute < 60)?)
}

#[component]
fn Form(id: DeviceId, limits: Limits, open: RwSignal<bool>) -> impl IntoView {
    let wanted = Wanted::new(limits);
    let (busy, problem) = (RwSignal::new(false), RwSignal::new(None));
    let send = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        problem.set(None);
        let Some(limits) = wanted.read().filter(|_| !busy.get_untracked()) else {
            return;
        };
        busy.set(true);
        spawn_local(async move {
            let told = api::put(&format!("/api/devices/{id}/limits"), &limits).await;
            let _ = busy.try_set(false);
            match told {
                Ok(()) => _ = open.try_set(false),
                Err(refusal) => _ = problem.try_set(Some(text::error::of(&refusal))),
            }
        });
    };
    let limit = move |event| wanted.has_limit.set(!event_target_checked(&event));
    view! {
        <form on:submit=send novalidate>
            <div class="body">
                <label class="option">
                    <input class="check" type="checkbox" autofocus prop:checked=move || !wanted.has_limit.get() on:change=limit/>
                    <span>{words::no_limit()}</span>
                </label>
                <Show when=move || wanted.has_limit.get()><Rate wanted/><FullSpeed wanted/></Show>
                <ProblemLine problem/>
            </div>
            <footer>
                <button type="button" class="button" on:click=move |_| open.set(false)>{common::cancel()}</button>
                <SendButton busy label=common::save() working=common::save() class="button primary"/>
            </footer>
        </form>
    }
}

#[component]
fn Rate(wanted: Wanted) -> impl IntoView {
    let (field, below) = (fresh_id("rate"), fresh_id("rate"));
    let Wanted {
        figure, unit, bad_rate, ..
    } = wanted;
    let typed = move |event| {
        figure.set(event_target_value(&event));
        bad_rate.set(None);
    };
    let choose = move |event| unit.set(event_target_value(&event).parse().unwrap_or(1));
    let options = UNITS.iter().enumerate().map(|(at, (name, _))| {
        view! { <option value=at.to_string() prop:selected=move || unit.get() == at>{*name}</option> }
    });
    let options = options.collect_view();
    let is_bad = move || bad_rate.read().is_some().then_some("true");
    view! {
        <div class="field">
            <label for=field.clone()>{words::rate()}</label>
            <div class="size-field">
                <input
                    id=field class="input" inputmode="decimal" autocomplete="off" prop:value=move || figure.get() on:input=typed
                    aria-invalid=is_bad aria-describedby=below.clone()
                />
                <select class="input" aria-label=words::rate_unit() on:change=choose>{options}</select>
            </div>
            <div id=below>
                {move || bad_rate.read().is_none().then(|| view! { <p class="hint">{words::rate_hint()}</p> })}
                <ProblemLine problem=bad_rate/>
            </div>
        </div>
    }
}

/// When the rate does not count.
#[component]
fn FullSpeed(wanted: Wanted) -> impl IntoView {
    let Wanted {
        has_hours, bad_hours, ..
    } = wanted;
    let below = StoredValue::new(fresh_id("hours"));
    let time = move |label: &'static str, value: RwSignal<String>| {
        let field = fresh_id("time");
        let typed = move |event| {
            value.set(event_target_value(&event));
            bad_hours.set(None);
        };
        let is_bad = move || bad_hours.read().is_some().then_some("true");
        view! {
            <div class="field">
                <label for=field.clone()>{label}</label>
                <input
                    id=field class="input" type="time" prop:value=move || value.get() on:input=typed
                    aria-invalid=is_bad aria-describedby=below.get_value()
                />
            </div>
        }
    };
    view! {
        <label class="option">
            <input
                class="check" type="checkbox" prop:checked=move || has_hours.get()
                on:change=move |event| has_hours.set(event_target_checked(&event))
            />
            <span>{words::full_speed()}<span class="hint block" id=below.get_value()>{words::hours_hint()}</span></span>
        </label>
        <Show when=move || has_hours.get()>
            <div class="times">{time(words::hours_from(), wanted.from)}{time(words::hours_to(), wanted.to)}</div>
            <ProblemLine problem=bad_hours/>
        </Show>
    }
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    #[wasm_bindgen_test]
    fn hours_are_read_as_browsers_write_them() {
        assert_eq!(hours("22:00", "07:00"), Some(NIGHT));
        assert_eq!(hours("22:00:00", "07:00:00.000"), Some(NIGHT));
        for (from, to) in [
            ("", "07:00"),
            ("22:00", ""),
            ("24:00", "07:00"),
            ("22:60", "07:00"),
            ("99:00", "1"),
        ] {
            assert_eq!(hours(from, to), None, "{from} {to}");
        }
    }

    #[wasm_bindgen_test]
    fn limits_are_told_in_words() {
        let told = |rate, full_speed| said(&Limits { rate, full_speed });
        assert_eq!(told(None, Some(NIGHT)), "As fast as it can");
        assert_eq!(told(Some(500_000), None), "At most 500 kB/s");
        assert_eq!(
            told(Some(0), Some(NIGHT)),
            "Sends nothing; at full speed from 22:00 to 07:00"
        );
    }
}

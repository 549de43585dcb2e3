//! A quota as people write it: a figure with a unit, or none.

use leptos::prelude::*;

use crate::{
    component::{
        amount::{self, Bad, Unit},
        dialog::{ProblemLine, fresh_id},
    },
    text::admin as words,
};

/// Units with their bytes, as disks are sold.
const UNITS: [Unit; 3] = [("MB", 1e6), ("GB", 1e9), ("TB", 1e12)];

/// What stands in the field.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    has_limit: RwSignal<bool>,
    figure: RwSignal<String>,
    unit: RwSignal<usize>,
    problem: RwSignal<Option<String>>,
}

impl Size {
    /// A quota as it is; nothing is as much as there is.
    pub(super) fn new(quota: Option<u64>) -> Self {
        let (figure, unit) = quota.map_or((String::new(), 1), |bytes| amount::written(bytes, &UNITS));
        Self {
            has_limit: RwSignal::new(quota.is_some()),
            figure: RwSignal::new(figure),
            unit: RwSignal::new(unit),
            problem: RwSignal::new(None),
        }
    }

    /// The quota that was written; nothing if that is none, which the field then says.
    pub(super) fn read(self) -> Option<Option<u64>> {
        if !self.has_limit.get_untracked() {
            return Some(None);
        }
        match amount::read(&self.figure.read_untracked(), UNITS.get(self.unit.get_untracked())) {
            Ok(bytes) => Some(Some(bytes)),
            Err(bad) => {
                let says = match bad {
                    Bad::Figure => words::size_problem(),
                    Bad::TooLarge => words::size_too_large(),
                };
                self.problem.set(Some(says.to_owned()));
                None
            }
        }
    }
}

/// The field.
#[component]
pub(super) fn SizeField(
    /// What stands in it.
    size: Size,
    /// Whether a dialog that opens with it gives it the focus.
    #[prop(optional)]
    autofocus: bool,
) -> impl IntoView {
    let Size {
        has_limit,
        figure,
        unit,
        problem,
    } = size;
    let below = fresh_id("size");
    let limit = move |event| {
        has_limit.set(!event_target_checked(&event));
        problem.set(None);
    };
    let typed = move |event| {
        figure.set(event_target_value(&event));
        problem.set(None);
    };
    let choose = move |event| unit.set(event_target_value(&event).parse().unwrap_or(1));
    let options = UNITS.iter().enumerate().map(|(at, (name, _))| {
        view! { <option value=at.to_string() prop:selected=move || unit.get() == at>{*name}</option> }
    });
    let options = options.collect_view();
    let field = fresh_id("size");
    let begins_limited = has_limit.get_untracked();
    let is_bad = move || problem.read().is_some().then_some("true");
    view! {
        <label class="option">
            <input class="check" type="checkbox" autofocus=autofocus && !begins_limited prop:checked=move || !has_limit.get() on:change=limit/>
            <span>{words::no_limit()}<span class="hint block">{words::no_limit_hint()}</span></span>
        </label>
        <div class="field" hidden=move || !has_limit.get()>
            <label for=field.clone()>{words::size()}</label>
            <div class="size-field">
                <input
                    id=field class="input" inputmode="decimal" autocomplete="off" autofocus=autofocus && begins_limited prop:value=move || figure.get() on:input=typed
                    aria-invalid=is_bad aria-describedby=below.clone()
                />
                <select class="input" aria-label=words::unit() on:change=choose>{options}</select>
            </div>
            <div id=below><ProblemLine problem/></div>
        </div>
    }
}

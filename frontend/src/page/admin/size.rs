//! A quota as people write it: a figure with a unit, or none.

use leptos::prelude::*;

use crate::{
    component::dialog::{ProblemLine, fresh_id},
    text::admin as words,
};

/// Units with their bytes, as disks are sold.
const UNITS: [(&str, f64); 3] = [("MB", 1e6), ("GB", 1e9), ("TB", 1e12)];

/// What stands in the field.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    has_limit: RwSignal<bool>,
    figure: RwSignal<String>,
    unit: RwSignal<usize>,
    problem: RwSignal<Option<String>>,
}

/// Why a figure is no size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bad {
    Figure,
    TooLarge,
}

impl Size {
    /// A quota as it is; nothing is as much as there is.
    pub(super) fn new(quota: Option<u64>) -> Self {
        let (figure, unit) = quota.map_or((String::new(), 1), written);
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
        match bytes(&self.figure.read_untracked(), self.unit.get_untracked()) {
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

/// Bytes in the largest unit that tells them with three decimals at most.
fn written(bytes: u64) -> (String, usize) {
    let bytes = bytes as f64;
    let is_fit = |unit: &usize| bytes >= UNITS[*unit].1 && (bytes / UNITS[*unit].1 * 1000.0).fract() == 0.0;
    let unit = (0..UNITS.len()).rev().find(is_fit).unwrap_or(0);
    let figure = format!("{:.6}", bytes / UNITS[unit].1);
    (figure.trim_end_matches('0').trim_end_matches('.').to_owned(), unit)
}

fn bytes(figure: &str, unit: usize) -> Result<u64, Bad> {
    // As it is written in half of the world.
    let figure = figure.trim().replace(',', ".");
    let is_plain = figure.chars().all(|c| c.is_ascii_digit() || c == '.');
    let figure: f64 = figure.parse().ok().filter(|_| is_plain).ok_or(Bad::Figure)?;
    let bytes = (figure * UNITS.get(unit).map_or(1.0, |(_, bytes)| *bytes)).round();
    // What the server's database holds.
    if bytes < i64::MAX as f64 {
        Ok(bytes as u64)
    } else {
        Err(Bad::TooLarge)
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
            <div class="size">
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

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    #[wasm_bindgen_test]
    fn a_size_is_read_with_point_or_comma() {
        assert_eq!(bytes("500", 0), Ok(500_000_000));
        assert_eq!(bytes(" 1,5 ", 1), Ok(1_500_000_000));
        assert_eq!(bytes("0", 2), Ok(0));
    }

    #[wasm_bindgen_test]
    fn what_is_no_size_is_refused() {
        for text in ["", "a lot", "-1", "1e3", "inf", "NaN", "1.2.3", "."] {
            assert_eq!(bytes(text, 1), Err(Bad::Figure), "{text}");
        }
        assert_eq!(bytes("99999999999", 2), Err(Bad::TooLarge));
    }

    #[wasm_bindgen_test]
    fn a_size_is_written_as_it_is_read() {
        for quota in [0, 500_000_000, 1_500_000_000, 1_000_000_000_000, 1_073_741_824] {
            let (figure, unit) = written(quota);
            assert_eq!(bytes(&figure, unit), Ok(quota), "{figure} {}", UNITS[unit].0);
        }
        assert_eq!(written(1_500_000_000), ("1.5".to_owned(), 1));
    }
}

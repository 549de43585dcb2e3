//! Choosing a moment of the past, in the time of whoever sits there.

use beckon_shared::time::Timestamp;
use leptos::{html, prelude::*};
use wasm_bindgen::JsValue;

use super::{dialog::fresh_id, field::Below};
use crate::{
    dom,
    text::{common, past as words},
};

/// A form that asks for a moment. What is no moment of the past is not taken.
#[component]
pub(crate) fn AsOf(
    /// What stands in it at first.
    at: Timestamp,
    /// Takes the moment.
    on_choose: Callback<Timestamp>,
    /// Closes the form.
    on_close: Callback<()>,
) -> impl IntoView {
    let (id, below) = (fresh_id("as-of"), fresh_id("below"));
    let node = NodeRef::<html::Input>::new();
    let problem = RwSignal::new(None::<String>);
    Effect::new(move || {
        if let Some(input) = node.get() {
            let _ = input.focus();
        }
    });
    let send = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let typed = node.get_untracked().map(|input| input.value()).unwrap_or_default();
        match moment(&typed) {
            None => problem.set(Some(words::not_a_time().to_owned())),
            Some(at) if at > dom::now() => problem.set(Some(words::not_past().to_owned())),
            Some(at) => on_choose.run(at),
        }
    };
    view! {
        <form class="as-of" on:submit=send novalidate>
            <label for=id.clone()>{words::as_of_label()}</label>
            <div class="input">
                <input id=id type="datetime-local" node_ref=node value=local(at) max=local(dom::now())
                    aria-describedby=below.clone() on:input=move |_| problem.set(None)/>
            </div>
            <button type="submit" class="button primary sm"><span class="word">{words::show()}</span></button>
            <button type="button" class="button sm" on:click=move |_| on_close.run(())>
                <span class="word">{common::cancel()}</span>
            </button>
            <Below id=below problem=problem.into() hint=""/>
        </form>
    }
}

/// As a field for local times holds it, to the minute.
fn local(at: Timestamp) -> String {
    let date = js_sys::Date::new(&JsValue::from_f64(at.0 as f64));
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}",
        date.get_full_year(),
        date.get_month() + 1,
        date.get_date(),
        date.get_hours(),
        date.get_minutes()
    )
}

fn moment(text: &str) -> Option<Timestamp> {
    let millis = js_sys::Date::new(&JsValue::from_str(text)).get_time();
    (!text.is_empty() && millis.is_finite()).then_some(Timestamp(millis as i64))
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    #[wasm_bindgen_test]
    fn a_moment_stands_in_the_field_to_the_minute() {
        let at = Timestamp(1_795_000_020_000);
        assert_eq!(moment(&local(at)), Some(Timestamp(1_795_000_020_000 / 60_000 * 60_000)));
        assert_eq!(moment(""), None);
        assert_eq!(moment("soon"), None);
    }
}

//! Whether this browser tells that a transfer has ended.

use leptos::prelude::*;

use crate::{
    notify::{self, Standing},
    prefs::Prefs,
    text::settings as words,
};

/// The switch, with the reason where it cannot be used.
#[component]
pub(super) fn TellEnds(prefs: Prefs) -> impl IntoView {
    let standing = RwSignal::new(notify::standing());
    // What was chosen counts for nothing while the browser says no.
    let is_on = move || prefs.notify.get() && standing.get() == Standing::Allowed;
    let cannot = move || matches!(standing.get(), Standing::Insecure | Standing::Missing);
    let says = move || match standing.get() {
        Standing::Allowed | Standing::Unasked => words::tell_ends_sub(),
        Standing::Denied => words::tell_denied(),
        Standing::Insecure => words::tell_insecure(),
        Standing::Missing => words::tell_none(),
    };
    let choose = move |event: web_sys::Event| {
        if !event_target_checked(&event) {
            return prefs.notify.set(false);
        }
        leptos::task::spawn_local(async move {
            let now = notify::ask().await;
            prefs.notify.set(now == Standing::Allowed);
            // Set anew although it may be the same: the box shows what the click made of it.
            let _ = standing.try_set(now);
        });
    };
    view! {
        <label class="setting">
            <span class="says">
                <span class="what">{words::tell_ends()}</span>
                <span class="sub" role="status">{says}</span>
            </span>
            <input class="check" type="checkbox" prop:checked=is_on disabled=cannot on:change=choose/>
        </label>
    }
}

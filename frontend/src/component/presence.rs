//! Whether a device is reachable: a dot and a word.

use leptos::prelude::*;

use crate::text;

/// Online or away.
#[component]
pub(crate) fn Presence(
    /// Whether it is online.
    #[prop(into)]
    online: Signal<bool>,
) -> impl IntoView {
    let class = move || if online.get() { "presence on" } else { "presence" };
    view! { <span class=class><Dot online/>{move || word(online.get())}</span> }
}

/// The dot alone; a word must stand beside it.
#[component]
pub(crate) fn Dot(
    /// Whether it is online.
    #[prop(into)]
    online: Signal<bool>,
) -> impl IntoView {
    let class = move || if online.get() { "dot on" } else { "dot" };
    view! { <span class=class></span> }
}

/// The word for it.
pub(crate) fn word(online: bool) -> &'static str {
    if online {
        text::common::online()
    } else {
        text::common::away()
    }
}

//! Whether a device is reachable: a dot and a word. Nothing is known of that while the server is out of reach.

use leptos::prelude::*;

use crate::{
    store::{Stores, stores},
    text,
};

/// Online or away.
#[component]
pub(crate) fn Presence(
    /// Whether it is online.
    #[prop(into)]
    online: Signal<bool>,
) -> impl IntoView {
    let stores = stores();
    let class = move || {
        if online.get() && !stores.is_cut_off() {
            "presence on"
        } else {
            "presence"
        }
    };
    view! { <span class=class><Dot online/>{move || current(stores, online.get())}</span> }
}

/// The dot alone; a word must stand beside it.
#[component]
pub(crate) fn Dot(
    /// Whether it is online.
    #[prop(into)]
    online: Signal<bool>,
) -> impl IntoView {
    let stores = stores();
    let class = move || {
        if online.get() && !stores.is_cut_off() {
            "dot on"
        } else {
            "dot"
        }
    };
    view! { <span class=class></span> }
}

/// The word for how it is now; tracks the connection to the server.
pub(crate) fn current(stores: Stores, online: bool) -> &'static str {
    if stores.is_cut_off() {
        text::common::not_known()
    } else {
        word(online)
    }
}

/// The word for it.
pub(crate) fn word(online: bool) -> &'static str {
    if online {
        text::common::online()
    } else {
        text::common::away()
    }
}

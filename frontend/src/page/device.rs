//! One device of the control list: what it is, where it was, its certificate, and removing it.

use leptos::prelude::*;

/// The page.
#[component]
pub(crate) fn Device() -> impl IntoView {
    view! { <h1>"Device"</h1> }
}

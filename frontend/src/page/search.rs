//! Search in machines, devices and the drive.

use leptos::prelude::*;

/// The page.
#[component]
pub(crate) fn Search() -> impl IntoView {
    view! { <h1>"Search"</h1> }
}

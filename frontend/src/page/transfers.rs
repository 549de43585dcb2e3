//! All transfers: what needs somebody, what runs, what waits, what is done.

use leptos::prelude::*;

/// The page.
#[component]
pub(crate) fn Transfers() -> impl IntoView {
    view! { <h1>"Transfers"</h1> }
}

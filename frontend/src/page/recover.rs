//! Back into an account by its recovery words.

use leptos::prelude::*;

/// The page.
#[component]
pub(crate) fn Recover() -> impl IntoView {
    view! { <h1>"Recover"</h1> }
}

//! A machine's folders, live.

use leptos::prelude::*;

/// The page.
#[component]
pub(crate) fn Machine() -> impl IntoView {
    view! { <h1>"Machine"</h1> }
}

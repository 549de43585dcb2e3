//! The drive: folders, versions, what was deleted.

use leptos::prelude::*;

/// The page.
#[component]
pub(crate) fn Drive() -> impl IntoView {
    view! { <h1>"Drive"</h1> }
}

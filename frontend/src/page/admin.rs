//! Administration: accounts, storage, traffic, health. For administrators only.

use leptos::prelude::*;

/// The page.
#[component]
pub(crate) fn Admin() -> impl IntoView {
    view! { <h1>"Admin"</h1> }
}

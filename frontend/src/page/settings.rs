//! Settings: account, devices and sessions, this browser.

use leptos::prelude::*;

/// The page.
#[component]
pub(crate) fn Settings() -> impl IntoView {
    view! { <h1>"Settings"</h1> }
}

//! The first account, or one by invitation: name and password, recovery words, first machine.

use leptos::prelude::*;

/// The page.
#[component]
pub(crate) fn SetUp() -> impl IntoView {
    view! { <h1>"SetUp"</h1> }
}

//! Signing in.

use leptos::prelude::*;

/// The page.
#[component]
pub(crate) fn SignIn() -> impl IntoView {
    view! { <h1>"SignIn"</h1> }
}

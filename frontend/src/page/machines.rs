//! The control list: machines first, then browsers and command lines.

use leptos::prelude::*;

/// The page.
#[component]
pub(crate) fn Machines() -> impl IntoView {
    view! { <h1>"Machines"</h1> }
}

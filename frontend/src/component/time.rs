//! Times: relative to now, the exact one on hover.

use beckon_shared::time::Timestamp;
use leptos::prelude::*;

use crate::{format, store::stores};

/// When something was: `2 h ago`, kept right while it is on the screen.
#[component]
pub(crate) fn Ago(
    /// When it was.
    #[prop(into)]
    at: Signal<Timestamp>,
) -> impl IntoView {
    let now = stores().now;
    let exact = move || format::exact(at.get());
    view! { <time title=exact datetime=move || at.get().to_string()>{move || format::ago(at.get(), now.get())}</time> }
}

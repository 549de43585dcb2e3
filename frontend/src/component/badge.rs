//! Badges: a fact in a word.

use leptos::prelude::*;

use super::icon::Icon;

/// A badge of one of the kinds `ok`, `warn`, `bad`, `accent`, or of none.
#[component]
pub(crate) fn Badge(
    /// What it says.
    #[prop(into)]
    text: Signal<String>,
    /// Its kind.
    #[prop(optional)]
    kind: &'static str,
    /// Its icon.
    #[prop(optional)]
    icon: Option<&'static str>,
) -> impl IntoView {
    let class = format!("badge {kind}");
    view! { <span class=class>{icon.map(|name| view! { <Icon name/> })}{move || text.get()}</span> }
}

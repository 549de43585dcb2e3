//! Icons of the one set, which stands as symbols in the page.

use leptos::prelude::*;

/// An icon by its name in the set, such as `upload`. It says nothing to a screen reader: words beside it do.
#[component]
pub(crate) fn Icon(
    /// Name of the symbol, without `i-`.
    #[prop(into)]
    name: Signal<&'static str>,
    /// Further classes: `sm`, `lg`, `folder`.
    #[prop(optional)]
    class: &'static str,
) -> impl IntoView {
    let class = format!("icon {class}");
    view! {
        <svg class=class aria-hidden="true"><use href=move || format!("#i-{}", name.get())></use></svg>
    }
}

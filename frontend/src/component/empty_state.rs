//! What stands where nothing is yet, or where something failed: what this is for, and the next step.

use leptos::prelude::*;

use super::icon::Icon;

/// An empty place. Its children are the buttons.
#[component]
pub(crate) fn EmptyState(
    /// Its icon.
    icon: &'static str,
    /// What is so: `No machines yet`.
    #[prop(into)]
    title: Signal<String>,
    /// What to do about it.
    #[prop(into)]
    says: Signal<String>,
    /// `error` where something failed.
    #[prop(optional)]
    class: &'static str,
    #[prop(optional)] children: Option<Children>,
) -> impl IntoView {
    let class = format!("empty {class}");
    view! {
        <div class=class>
            <Icon name=icon/>
            <h2>{move || title.get()}</h2>
            <p>{move || says.get()}</p>
            {children.map(|children| view! { <div class="acts">{children()}</div> })}
        </div>
    }
}

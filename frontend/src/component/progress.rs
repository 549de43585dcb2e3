//! Bars: how far something is.

use leptos::prelude::*;

/// A bar that a screen reader can ask for.
#[component]
pub(crate) fn Progress(
    /// How far, in percent; nothing while that is not known.
    #[prop(into)]
    value: Signal<Option<f64>>,
    /// `running`, `paused`, `waiting`, `failed`, `warn` or `done`.
    #[prop(optional, into)]
    state: Signal<&'static str>,
    /// Of what.
    #[prop(into)]
    label: Signal<String>,
) -> impl IntoView {
    let class = move || {
        if value.read().is_some() {
            "progress"
        } else {
            "progress unknown"
        }
    };
    let now = move || value.get().map(|value| format!("{:.0}", value.floor()));
    view! {
        <div
            class=class data-state=move || state.get() style:--value=move || width(value.get())
            role="progressbar" aria-label=move || label.get() aria-valuenow=now aria-valuemin="0" aria-valuemax="100"
        >
            <i></i>
        </div>
    }
}

/// A bar that only repeats what words beside it say.
#[component]
pub(crate) fn Bar(
    /// How far, in percent.
    #[prop(into)]
    value: Signal<f64>,
    /// Its classes: `progress thin`, `progress meter`.
    #[prop(default = "progress")]
    class: &'static str,
) -> impl IntoView {
    view! { <span class=class style:--value=move || width(Some(value.get()))><i></i></span> }
}

fn width(value: Option<f64>) -> String {
    format!("{:.1}%", value.unwrap_or(0.0).clamp(0.0, 100.0))
}

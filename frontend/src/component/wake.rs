//! A machine that is away: how it can be woken, and how that goes.

use beckon_shared::id::DeviceId;
use leptos::prelude::*;

use super::icon::Icon;
use crate::{store::stores, text::device as words, wake};

/// The button that has it called. Where it cannot be used, [`WakeSaid`] beside it says why.
#[component]
pub(crate) fn WakeButton(
    /// The machine.
    machine: DeviceId,
    /// Its classes.
    #[prop(default = "button sm")]
    class: &'static str,
) -> impl IntoView {
    let stores = stores();
    let can = Memo::new(move |_| wake::can(stores, machine));
    view! {
        <button type="button" class=class disabled=move || !can.get() on:click=move |_| wake::begin(stores, machine)>
            <Icon name="wake"/><span class="word">{words::wake()}</span>
        </button>
    }
}

/// How its call stands; else who could call it, or why nobody can.
#[component]
pub(crate) fn WakeSaid(
    /// The machine.
    machine: DeviceId,
) -> impl IntoView {
    let stores = stores();
    let says = Memo::new(move |_| wake::reason(stores, machine));
    view! { <span role="status">{move || says.get()}</span> }
}

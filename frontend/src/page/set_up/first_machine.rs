//! The third step: the first machine, now or later.

use leptos::{html, prelude::*};
use leptos_router::{NavigateOptions, hooks::use_navigate};

use super::{Step, progress};
use crate::{component::add_machine::AddMachine, route, store, text};

/// Adds a machine as the dialog of the machines page does.
#[component]
pub(super) fn FirstMachine() -> impl IntoView {
    let stores = store::stores();
    let heading = NodeRef::<html::H1>::new();
    heading.on_load(|heading| {
        let _ = heading.focus();
    });
    let navigate = use_navigate();
    let leave = move |_| {
        // The next visit of this page begins at the beginning.
        progress().step.update_untracked(|step| *step = Step::Account);
        navigate(
            route::MACHINES,
            NavigateOptions {
                replace: true,
                ..Default::default()
            },
        );
    };
    let is_there = move || !stores.devices.machines().is_empty();
    let class = move || if is_there() { "button primary" } else { "button" };
    let label = move || {
        if is_there() {
            text::account::go_on()
        } else {
            text::account::skip_machine()
        }
    };
    view! {
        <div class="card wide">
            <div>
                <h1 tabindex="-1" node_ref=heading>{text::account::machine_title()}</h1>
                <p class="lead">{text::account::machine_lead()}</p>
            </div>
            <AddMachine joined=RwSignal::new(None)/>
            <div class="row end"><button type="button" class=class on:click=leave>{label}</button></div>
        </div>
    }
}

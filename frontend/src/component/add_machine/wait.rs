//! The wait for the machine: it shows by itself as soon as it joins.

use std::collections::BTreeSet;

use beckon_shared::{device::DeviceKind, id::DeviceId};
use leptos::prelude::*;

use super::code::Code;
use crate::{
    component::icon::Icon,
    format, route,
    store::{Stores, stores},
    text::machines as words,
};

#[component]
pub(super) fn Waiting(code: Code, joined: RwSignal<Option<DeviceId>>) -> impl IntoView {
    let stores = stores();
    watch(stores, joined);
    view! {
        <div role="status">
            {move || match joined.get() {
                Some(device) => view! { <Joined device/> }.into_any(),
                None => view! { <Wait code/> }.into_any(),
            }}
        </div>
    }
}

/// The first machine that was not in the list when the wait began.
fn watch(stores: Stores, joined: RwSignal<Option<DeviceId>>) {
    Effect::new(move |before: Option<Option<BTreeSet<DeviceId>>>| {
        if !stores.devices.known().get() {
            return None;
        }
        let ids: BTreeSet<DeviceId> = stores.devices.ids().into_iter().collect();
        let Some(before) = before.flatten() else {
            return Some(ids);
        };
        let is_machine = |id: &&DeviceId| {
            stores
                .devices
                .peek(**id)
                .is_some_and(|view| view.kind == DeviceKind::Agent)
        };
        if let Some(new) = ids.difference(&before).find(is_machine) {
            joined.set(Some(*new));
        }
        Some(ids)
    });
}

#[component]
fn Wait(code: Code) -> impl IntoView {
    let is_made = Memo::new(move |_| code.text().is_some());
    let left = move || {
        let left = code.left().filter(|left| *left > 0)?;
        Some(words::left(&format!("{}:{:02}", left / 60, left % 60)))
    };
    view! {
        <Show when=move || is_made.get()>
            <div class="waiting">
                <span class="pulse"></span>
                <span class="grow"><b>{words::waiting()}</b><br/><span class="quiet">{words::waiting_says()}</span></span>
                <span class="faint tnum nowrap" aria-live="off" role="timer">{left}</span>
            </div>
        </Show>
    }
}

#[component]
fn Joined(device: DeviceId) -> impl IntoView {
    let stores = stores();
    let view = Memo::new(move |_| stores.devices.get(device));
    let name = move || {
        view.get()
            .map(|view| format::name(view.name.as_str()))
            .unwrap_or_default()
    };
    let is_online = move || view.get().is_some_and(|view| view.online);
    let says = move || {
        if is_online() {
            words::joined_says()
        } else {
            words::joined_away_says()
        }
    };
    view! {
        <div class="waiting">
            <Icon name="check"/>
            <span class="grow"><b>{move || words::joined(&name())}</b><br/><span class="quiet">{says}</span></span>
            <a class="button sm primary" href=route::machine(device)>{words::open_it()}</a>
        </div>
    }
}

//! The control list: machines first, then browsers and command lines, then what was removed; live.

mod list;
mod row;
mod work;

use std::time::Duration;

use beckon_shared::id::DeviceId;
use leptos::{html, prelude::*};
use leptos_router::{
    NavigateOptions,
    hooks::{use_location, use_navigate},
};

use self::{
    list::{Listed, Section, Shown, listed},
    row::DeviceRow,
};
use crate::{
    component::{
        add_machine::AddMachineDialog, device_dialog::DeviceDialogs, empty_state::EmptyState, frame, icon::Icon,
        reach::ReachDialog, skeleton::DeviceBones,
    },
    dom, format, keyboard, route,
    store::{Stores, stores},
    text::{common, keyboard as keys, machines as words},
};

/// The list has been drawn after so long.
const SETTLED: Duration = Duration::from_secs(1);

/// The page.
#[component]
pub(crate) fn Machines() -> impl IntoView {
    let stores = stores();
    frame::title(|| common::machines().to_owned());
    let filter = RwSignal::new(String::new());
    let shown = RwSignal::new(Shown::All);
    let order = list::order(stores);
    let all = Memo::new(move |_| listed(stores, &order.read(), shown.get(), &filter.read()));
    let is_known = stores.devices.known();
    view! {
        <header class="page-head">
            <h1 tabindex="-1">{common::machines()}</h1>
            <span class="grow"></span>
            <Filter filter/>
            <a class="button primary not-phone" href=route::ADD_MACHINE><Icon name="plus"/><span>{words::add()}</span></a>
            <a class="button primary icon-only only-phone" href=route::ADD_MACHINE aria-label=words::add() title=words::add()><Icon name="plus"/></a>
        </header>
        <div class="page-body">
            <Show when=move || is_known.get() fallback=|| view! { <DeviceBones/> }>
                <Kinds stores order shown/>
                <Lists all shown filter/>
            </Show>
        </div>
        <Adding/>
    }
}

/// The dialog by its address, so that a link leads to it. When it closes, the focus goes to the machine that came.
#[component]
fn Adding() -> impl IntoView {
    let hash = use_location().hash;
    let go = StoredValue::new_local(use_navigate());
    let open = RwSignal::new(false);
    let joined = RwSignal::new(None::<DeviceId>);
    Effect::new(move || open.set(hash.get() == "#add"));
    Effect::new(move |was: Option<bool>| {
        let is = open.get();
        if was == Some(true) && !is {
            close(go, joined);
        }
        is
    });
    keyboard::bind("a", keys::here, keys::add_machine, move || {
        go.with_value(|go| go(route::ADD_MACHINE, NavigateOptions::default()));
    });
    view! { <AddMachineDialog open joined/> }
}

fn close(go: StoredValue<impl Fn(&str, NavigateOptions) + 'static, LocalStorage>, joined: RwSignal<Option<DeviceId>>) {
    let options = NavigateOptions {
        replace: true,
        ..NavigateOptions::default()
    };
    if dom::window().location().hash().is_ok_and(|hash| hash == "#add") {
        go.with_value(|go| go(route::MACHINES, options));
    }
    if let Some(device) = joined.get_untracked() {
        request_animation_frame(move || dom::focus(&format!("[data-device=\"{device}\"] .open")));
    }
}

#[component]
fn Filter(filter: RwSignal<String>) -> impl IntoView {
    let node = NodeRef::<html::Input>::new();
    let open = RwSignal::new(false);
    let take = move || {
        if let Some(input) = node.try_get_untracked().flatten() {
            let _ = input.focus();
        }
    };
    let focus = move || {
        open.set(true);
        // At once, so that the letters typed next go there; on a phone it must be drawn before.
        take();
        request_animation_frame(take);
    };
    keyboard::bind("f", keys::here, keys::filter, focus);
    let clear = move |event: web_sys::KeyboardEvent| {
        if event.key() == "Escape" {
            filter.set(String::new());
            open.set(false);
        }
    };
    // On a phone the field takes the heading's line only when it is wanted.
    let class = move || {
        if open.get() {
            "input search"
        } else {
            "input search not-phone"
        }
    };
    view! {
        <label class=class>
            <Icon name="search"/>
            <input
                type="search" node_ref=node placeholder=common::filter() aria-label=common::filter()
                prop:value=move || filter.get() on:input=move |event| filter.set(event_target_value(&event)) on:keydown=clear
            />
            <kbd aria-hidden="true">"F"</kbd>
        </label>
        <Show when=move || !open.get()>
            <button
                type="button" class="button icon-only ghost only-phone" aria-label=common::filter() title=common::filter()
                on:click=move |_| focus()
            >
                <Icon name="search"/>
            </button>
        </Show>
    }
}

#[component]
fn Kinds(stores: Stores, order: Memo<Vec<DeviceId>>, shown: RwSignal<Shown>) -> impl IntoView {
    let button = move |which: Shown| {
        let pressed = move || if shown.get() == which { "true" } else { "false" };
        let count = Memo::new(move |_| listed(stores, &order.read(), which, "").here());
        view! {
            <button type="button" aria-pressed=pressed on:click=move |_| shown.set(which)>
                {which.word()}" "<span class="count">{move || format::count(count.get() as u64)}</span>
            </button>
        }
    };
    view! {
        <div class="segmented above-list" role="group" aria-label=common::machines()>
            {Shown::ALL.map(button).collect_view()}
        </div>
    }
}

#[component]
fn Lists(all: Memo<Listed>, shown: RwSignal<Shown>, filter: RwSignal<String>) -> impl IntoView {
    let asked = RwSignal::new(None);
    let why = RwSignal::new(None);
    let sessions = row::sessions();
    let work = work::by_device();
    // What comes after the first look is new, and is seen to come.
    let settled = StoredValue::new(false);
    set_timeout(move || _ = settled.try_set_value(true), SETTLED);
    let is_empty = Memo::new(move |_| all.read().here() == 0);
    let list = move |section: Section| {
        let ids = Memo::new(move |_| all.read().of(section).to_vec());
        let row = move |id| view! { <DeviceRow id asked why work sessions settled/> };
        view! {
            <ul class="device-list" aria-label=section.word()>
                {section.has_head().then(head)}
                <For each=move || ids.get() key=|id| *id children=row/>
            </ul>
        }
    };
    let has = move |section: Section| Memo::new(move |_| !all.read().of(section).is_empty());
    let (machines, others, removed) = (has(Section::Machines), has(Section::Others), has(Section::Removed));
    let count = move |section: Section| view! { <span class="count">{move || all.read().of(section).len()}</span> };
    view! {
        <Show when=move || machines.get()>{list(Section::Machines)}</Show>
        <NoMachines all shown filter/>
        <Show when=move || others.get()>
            <div class="section-head"><h2>{words::others()}</h2>{count(Section::Others)}</div>
            {list(Section::Others)}
        </Show>
        <Show when=move || is_empty.get() && !filter.read().is_empty()>
            <EmptyState icon="search" title=words::nothing_found().to_owned() says=words::nothing_found_says().to_owned()>
                <button type="button" class="button" on:click=move |_| filter.set(String::new())>{words::clear_filter()}</button>
            </EmptyState>
        </Show>
        <Show when=move || removed.get()>
            <details class="fold">
                <summary><h2>{words::removed()}</h2>{count(Section::Removed)}</summary>
                {list(Section::Removed)}
            </details>
        </Show>
        <DeviceDialogs asked/>
        <ReachDialog why/>
    }
}

/// The next step of somebody who has no machine yet.
#[component]
fn NoMachines(all: Memo<Listed>, shown: RwSignal<Shown>, filter: RwSignal<String>) -> impl IntoView {
    let is_first = Memo::new(move |_| {
        let wants_machines = matches!(shown.get(), Shown::All | Shown::Machines);
        wants_machines && filter.read().is_empty() && all.read().of(Section::Machines).is_empty()
    });
    view! {
        <Show when=move || is_first.get()>
            <div class="card">
                <EmptyState icon="machines" title=words::empty().to_owned() says=words::empty_says().to_owned()>
                    <a class="button primary" href=route::ADD_MACHINE><Icon name="plus"/><span class="word">{words::add()}</span></a>
                </EmptyState>
            </div>
        </Show>
    }
}

fn head() -> impl IntoView {
    view! {
        <li class="head" aria-hidden="true">
            <span>{words::name()}</span><span class="c-state">{words::state()}</span><span class="c-reach">{words::route()}</span>
            <span class="c-addr">{words::address()}</span><span class="c-seen">{words::last_visit()}</span><span></span>
        </li>
    }
}

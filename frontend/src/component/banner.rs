//! The banners that concern every page: no connection, or a server that will not have this browser any more.

use std::time::Duration;

use beckon_shared::{
    error::{ErrorCode, Refusal},
    time::Timestamp,
};
use leptos::prelude::*;

use super::icon::Icon;
use crate::{
    dom, format,
    session::reach,
    socket,
    store::{Link, stores},
    text::{self, common as words, reach as ways},
};

/// The banner; there is none while the connection stands.
#[component]
pub(crate) fn LinkBanner() -> impl IntoView {
    let link = stores().link;
    view! {
        <div role="status">
            {move || match link.get() {
                Link::Connecting | Link::Online => ().into_any(),
                Link::Lost { again } => view! { <Lost again/> }.into_any(),
                Link::Refused(refusal) => view! { <Refused refusal/> }.into_any(),
            }}
        </div>
    }
}

#[component]
fn Lost(again: Timestamp) -> impl IntoView {
    let left = move || again.since(dom::now()).as_millis().div_ceil(1000);
    let seconds = RwSignal::new(left());
    let tick = set_interval_with_handle(move || seconds.set(left()), Duration::from_millis(500));
    on_cleanup(move || {
        if let Ok(tick) = tick {
            tick.clear();
        }
    });
    // The countdown is for the eye; a screen reader hears once that the connection is lost.
    let says = move || match seconds.get() {
        0 => words::lost_trying().to_owned(),
        seconds => words::lost_in(&seconds),
    };
    view! {
        <div class="banner bad">
            <Icon name="stop"/>
            <span class="grow"><b>{words::lost_title()}</b><span aria-live="off">" "{says}</span><StillReached/></span>
            <button type="button" class="button sm" on:click=move |_| socket::try_now()>
                <Icon name="retry"/><span class="word">{words::try_now()}</span>
            </button>
        </div>
    }
}

/// Which machines are reached all the same.
#[component]
fn StillReached() -> impl IntoView {
    let stores = stores();
    let names = Memo::new(move |_| {
        let machines = stores.devices.machines().into_iter();
        let machines = machines.filter(|id| reach::is_direct(*id));
        let names = machines.filter_map(|id| stores.devices.get(id));
        names.map(|view| format::name(view.name.as_str())).collect::<Vec<_>>()
    });
    move || names.with(|names| (!names.is_empty()).then(|| format!(" {}", ways::still(&names.join(", ")))))
}

#[component]
fn Refused(refusal: Refusal) -> impl IntoView {
    let stores = stores();
    let is_old = refusal.code == ErrorCode::BadVersion;
    let word = if is_old { words::reload() } else { words::sign_in() };
    let act = move |_| {
        if is_old {
            let _ = dom::window().location().reload();
        } else {
            // The frame shows only to who is signed in; nobody is, and so the sign-in page comes.
            stores.forget();
        }
    };
    view! {
        <div class="banner bad">
            <Icon name="stop"/>
            <span class="grow">{text::error::of(&refusal)}</span>
            <button type="button" class="button sm" on:click=act><span class="word">{word}</span></button>
        </div>
    }
}

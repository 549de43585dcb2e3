//! By which way a machine is reached, and why by that.

use beckon_shared::id::DeviceId;
use leptos::prelude::*;

use crate::{
    component::{dialog::Dialog, icon::Icon},
    format, session,
    store::stores,
    text::machines as words,
};

/// The badge of a machine that is online.
#[component]
pub(super) fn Reach(
    id: DeviceId,
    #[prop(into)] name: Signal<String>,
    why: RwSignal<Option<DeviceId>>,
) -> impl IntoView {
    let reach = session::reach::of(id);
    let rate = move || {
        reach
            .get()
            .and_then(|reach| reach.rate)
            .map(|rate| view! { <b>{format::rate(rate)}</b> })
    };
    view! {
        <span class="row">
            <span class="badge"><Icon name="relay"/>{words::relay()}" "{rate}</span>
            <button
                type="button" class="badge plain link" aria-haspopup="dialog" aria-label=move || words::why_of(&name.get())
                on:click=move |_| why.set(Some(id))
            >
                {words::why()}
            </button>
        </span>
    }
}

/// Three lines: what was tried, what was found, what to do.
#[component]
pub(super) fn ReachDialog(why: RwSignal<Option<DeviceId>>) -> impl IntoView {
    let stores = stores();
    let open = RwSignal::new(false);
    Effect::new(move || open.set(why.read().is_some()));
    // Set again, the same machine opens it once more.
    Effect::new(move |was: Option<bool>| {
        let is = open.get();
        if was == Some(true) && !is {
            why.set(None);
        }
        is
    });
    let device = move || why.get().and_then(|id| stores.devices.get(id));
    let title = Signal::derive(move || {
        device()
            .map(|device| words::relay_title(&format::name(device.name.as_str())))
            .unwrap_or_default()
    });
    let here = move || {
        let me = stores.me.with(|me| me.as_ref().map(|me| me.device));
        me.and_then(|me| stores.devices.get(me))
            .map(|me| me.address)
            .unwrap_or_default()
    };
    let found = move || {
        let there = device().map(|device| device.address).unwrap_or_default();
        let here = here();
        if here == there {
            words::relay_same(&there)
        } else {
            words::relay_other(&here, &there)
        }
    };
    view! {
        <Dialog open title class="small">
            <div class="body">
                <dl class="facts">
                    <dt>{words::relay_tried()}</dt><dd>{words::relay_tried_says()}</dd>
                    <dt>{words::relay_found()}</dt><dd>{found}</dd>
                    <dt>{words::relay_do()}</dt><dd>{words::relay_do_says()}</dd>
                </dl>
            </div>
        </Dialog>
    }
}

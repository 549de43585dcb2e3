//! By which way a machine is reached, how fast, and why by that: a badge, three lines behind it, and a word where one click
//! would make it faster.

use core::net::SocketAddr;

use beckon_shared::{browse::Route, id::DeviceId};
use leptos::prelude::*;

use super::{dialog::Dialog, icon::Icon};
use crate::{
    format,
    session::{direct, judge::Why, reach},
    store::{Stores, stores},
    text::reach as words,
};

/// The badge of a machine that is online, and what opens the reasons.
#[component]
pub(crate) fn ReachBadge(
    /// The machine.
    id: DeviceId,
    /// What it is called.
    #[prop(into)]
    name: Signal<String>,
    /// Of which machine the reasons are shown.
    why: RwSignal<Option<DeviceId>>,
) -> impl IntoView {
    direct::prepare(stores());
    let reach = reach::of(id);
    let route = Memo::new(move |_| reach.get().map_or(Route::Relay, |reach| reach.route));
    let rate = move || {
        let rate = reach.get().and_then(|reach| reach.rate);
        rate.map(|rate| view! { " "<b>{format::rate(rate)}</b> })
    };
    let open = move |_| why.set(Some(id));
    move || {
        match route.get() {
        Route::Relay => view! {
            <span class="row reach">
                <span class="badge" title=words::relay_says()><Icon name="relay"/><span>{words::relay()}{rate}</span></span>
                <button type="button" class="badge plain link" aria-haspopup="dialog"
                    aria-label=move || words::why_relay(&name.get()) on:click=open>{words::why()}</button>
            </span>
        }
        .into_any(),
        route => {
            let (word, says) = match route {
                Route::Lan => (words::lan(), words::lan_says()),
                _ => (words::direct(), words::direct_says()),
            };
            view! {
                <span class="row reach">
                    <button type="button" class="badge ok" aria-haspopup="dialog" title=says on:click=open>
                        <Icon name="bolt"/><span>{word}{rate}</span><span class="sr">" "{move || words::how_direct(&name.get())}</span>
                    </button>
                </span>
            }
            .into_any()
        }
    }
    }
}

/// Three lines: what was tried, what was found, what to do, with the button that does it.
#[component]
pub(crate) fn ReachDialog(
    /// Of which machine; closing it takes that away.
    why: RwSignal<Option<DeviceId>>,
) -> impl IntoView {
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
    let title = Signal::derive(move || {
        let Some(id) = why.get() else { return String::new() };
        let name = name_of(stores, id);
        match reach::is_direct(id) {
            true => words::direct_title(&name),
            false => words::relay_title(&name),
        }
    });
    view! {
        <Dialog open title class="small">
            {move || why.get().map(|id| view! { <Reasons id/> })}
        </Dialog>
    }
}

fn name_of(stores: Stores, id: DeviceId) -> String {
    let view = stores.devices.get(id);
    view.map(|view| format::name(view.name.as_str())).unwrap_or_default()
}

#[component]
fn Reasons(id: DeviceId) -> impl IntoView {
    let stores = stores();
    let now = Memo::new(move |_| State::of(stores, id));
    view! {
        <div class="body">
            <dl class="facts reasons" aria-live="polite">
                <dt>{words::tried()}</dt><dd>{move || now.with(State::tried)}</dd>
                <dt>{words::found()}</dt><dd>{move || now.with(State::found)}</dd>
                <dt>{words::to_do()}</dt><dd>{move || now.with(State::to_do)}</dd>
            </dl>
        </div>
        {move || {
            let (word, act) = now.with(State::act)?;
            let is_primary = act != Act::RelayOnly;
            Some(view! {
                <footer>
                    <button type="button" class="button" class:primary=is_primary on:click=move |_| act.run(stores, id)>{word}</button>
                </footer>
            })
        }}
    }
}

/// What the reasons are made of.
#[derive(Debug, Clone, PartialEq)]
struct State {
    name: String,
    route: Option<Route>,
    is_trying: bool,
    why: Option<Why>,
    candidates: Vec<SocketAddr>,
    /// Where the server sees this browser, and the machine.
    seen_at: (String, String),
}

/// What one click can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Insist,
    RelayOnly,
    UseDirect,
}

impl Act {
    fn run(self, stores: Stores, id: DeviceId) {
        match self {
            Self::Insist => direct::insist(stores, id),
            Self::RelayOnly => direct::choose(stores, false),
            Self::UseDirect => direct::choose(stores, true),
        }
    }
}

impl State {
    /// Tracked.
    fn of(stores: Stores, id: DeviceId) -> Self {
        let me = stores.me.with(|me| me.as_ref().map(|me| me.device));
        let at = |id: Option<DeviceId>| id.and_then(|id| stores.devices.get(id)).map(|view| view.address);
        Self {
            name: name_of(stores, id),
            route: reach::of(id)
                .get()
                .map(|reach| reach.route)
                .filter(|route| *route != Route::Relay),
            is_trying: direct::is_trying(stores, id),
            why: direct::why(stores, id),
            candidates: direct::candidates(stores, id),
            seen_at: (at(me).unwrap_or_default(), at(Some(id)).unwrap_or_default()),
        }
    }

    fn tried(&self) -> String {
        let was_tried = self.is_trying || self.route.is_some() || matches!(self.why, Some(Why::Silent | Why::Another));
        if !was_tried {
            return words::tried_nothing().to_owned();
        }
        let addresses: Vec<String> = self.candidates.iter().map(SocketAddr::to_string).collect();
        words::tried_at(&addresses.join(", "))
    }

    fn found(&self) -> String {
        match (self.route, self.why) {
            (Some(Route::Lan), _) => words::found_lan().to_owned(),
            (Some(_), _) => words::found_direct().to_owned(),
            _ if self.is_trying => words::trying().to_owned(),
            (None, None) => words::found_open().to_owned(),
            (None, Some(why)) => self.reason(why),
        }
    }

    fn reason(&self, why: Why) -> String {
        match why {
            Why::Chosen => words::found_chosen().to_owned(),
            Why::Closed => words::found_closed(&self.name),
            Why::Forbidden => words::found_forbidden().to_owned(),
            Why::Plain => words::found_plain().to_owned(),
            Why::Unasked => words::found_unasked(&self.name),
            Why::Denied => words::found_denied().to_owned(),
            Why::Far => words::found_far(&self.seen_at.0, &self.seen_at.1),
            Why::Silent => words::found_silent().to_owned(),
            Why::Another => words::found_another(&self.name),
        }
    }

    fn to_do(&self) -> String {
        let says = match self.why {
            _ if self.route.is_some() => words::do_nothing(),
            None | Some(Why::Another) => words::do_nothing_relay(),
            Some(Why::Chosen) => words::do_chosen(),
            Some(Why::Closed) => words::do_closed(),
            Some(Why::Forbidden) => words::do_ui(),
            Some(Why::Plain) => words::do_plain(),
            Some(Why::Unasked) => words::do_unasked(),
            Some(Why::Denied) => words::do_denied(),
            Some(Why::Far) => words::do_far(),
            Some(Why::Silent) => {
                let port = self.candidates.first().map(SocketAddr::port).unwrap_or_default();
                return words::do_silent(&port);
            }
        };
        says.to_owned()
    }

    /// The button, if one click can do something.
    fn act(&self) -> Option<(&'static str, Act)> {
        match self.why {
            _ if self.route.is_some() => Some((words::relay_only(), Act::RelayOnly)),
            _ if self.is_trying => None,
            None => Some((words::try_lan(), Act::Insist)),
            Some(Why::Chosen) => Some((words::use_direct(), Act::UseDirect)),
            Some(Why::Unasked) => Some((words::turn_on(), Act::Insist)),
            Some(Why::Far) => Some((words::try_lan(), Act::Insist)),
            Some(Why::Silent | Why::Another) => Some((words::try_again(), Act::Insist)),
            Some(Why::Closed | Why::Forbidden | Why::Plain | Why::Denied) => None,
        }
    }
}

/// Whether the machine is near and only a permission is wanting, which the browser asks for on a click.
#[component]
pub(crate) fn LanFound(
    /// The machine.
    id: DeviceId,
) -> impl IntoView {
    let stores = stores();
    let is_wanted = Memo::new(move |_| {
        let is_asked = direct::why(stores, id) == Some(Why::Unasked) && !direct::is_trying(stores, id);
        is_asked && !reach::is_direct(id) && !direct::is_put_off()
    });
    move || {
        is_wanted.get().then(|| {
            view! {
                <div class="banner" role="status">
                    <Icon name="bolt"/>
                    <span class="grow"><b>{words::lan_found(&name_of(stores, id))}</b>" "{words::lan_found_says()}</span>
                    <button type="button" class="button sm primary" on:click=move |_| direct::insist(stores, id)>{words::turn_on()}</button>
                    <button type="button" class="button icon-only ghost sm" aria-label=words::not_now() title=words::not_now()
                        on:click=move |_| direct::put_off()><Icon name="x"/></button>
                </div>
            }
        })
    }
}

//! The tray at the foot of every page: what moves, what waits, what needs a person, and downloads straight from machines; it
//! opens upwards as a list.

use beckon_shared::{api::transfer::Act, id::TransferId};
use leptos::{html, prelude::*};
use wasm_bindgen::JsCast;

use super::{
    download::{DownloadCounts, DownloadRows, DownloadSaid},
    icon::Icon,
    progress::Bar,
    transfer::{Group, Totals, TransferRows, grouped, steer_all},
};
use crate::{
    dom, format, keyboard, route,
    store::{Stores, stores},
    text::{self, keyboard as keys, transfer as words},
};

/// The tray; there is none while there is nothing to show.
#[component]
pub(crate) fn TransferTray() -> impl IntoView {
    let stores = stores();
    let totals = Memo::new(move |_| Totals::now(stores));
    let is_empty = Memo::new(move |_| totals.with(Totals::is_empty) && stores.downloads.all().is_empty());
    view! {
        <Show when=move || !is_empty.get()><Tray totals/></Show>
        <p class="sr" role="status">{move || said(totals)}</p>
        <DownloadSaid/>
    }
}

#[component]
fn Tray(totals: Memo<Totals>) -> impl IntoView {
    let node = NodeRef::<html::Details>::new();
    let open = RwSignal::new(false);
    let before = StoredValue::new_local(None);
    let close = move || {
        open.set(false);
        give_back(before, ".tray > summary");
    };
    keyboard::bind("t", keys::everywhere, keys::tray, move || match open.get_untracked() {
        true => close(),
        false => {
            before.set_value(dom::focused());
            open.set(true);
            dom::focus(".tray > summary");
        }
    });
    keyboard::on_escape(move || {
        let was_open = open.get_untracked();
        close();
        was_open
    });
    // It goes when its last transfer is done, whoever is in it.
    on_cleanup(move || give_back(before, "#content"));
    let toggled = move |_| open.set(node.get_untracked().is_some_and(|node| node.open()));
    view! {
        <details class="tray" node_ref=node prop:open=move || open.get() on:toggle=toggled>
            <summary>
                <span class="sr">{words::tray_label()}</span>
                <Bar value=Signal::derive(move || totals.read().percent) class="progress thin"/>
                <Icon name="up" class="sm turn"/>
                <Counts totals/>
                <span class="quiet not-phone">{move || totals.read().left.map(|left| words::about_left(&format::left(left)))}</span>
                <b>{move || { let rate = totals.read().rate; (rate >= 1.0).then(|| format::rate(rate)) }}</b>
            </summary>
            <Show when=move || open.get()><Panel open/></Show>
        </details>
    }
}

/// Who is in the tray goes back to where it was called from by its key, or else to another place.
fn give_back(before: StoredValue<Option<web_sys::HtmlElement>, LocalStorage>, other: &str) {
    let before = before.try_update_value(Option::take).flatten();
    let is_inside = dom::focused().is_some_and(|focused| focused.closest(".tray").ok().flatten().is_some());
    match before.filter(|before| before.is_connected()) {
        _ if !is_inside => {}
        Some(before) => _ = before.focus(),
        None => dom::focus(other),
    }
}

#[component]
fn Counts(totals: Memo<Totals>) -> impl IntoView {
    let some = |count: u64| (count > 0).then(|| format::count(count));
    let running = move || some(totals.read().running).map(|count| view! { <span>{words::is_running(&count)}</span> });
    let waiting = move || {
        some(totals.read().waiting).map(|count| view! { <span class="quiet">{words::is_waiting(&count)}</span> })
    };
    let needy = move || {
        let count = totals.read().needy;
        let word = text::plural(count, "needs", "need");
        (count > 0).then(|| {
            view! { <span class="needy"><Icon name="stop" class="sm"/>{words::is_needy(&format::count(count), &word)}</span> }
        })
    };
    view! { <span class="says grow"><DownloadCounts/>{running}{waiting}{needy}</span> }
}

#[component]
fn Panel(open: RwSignal<bool>) -> impl IntoView {
    let stores = stores();
    let ids = Memo::new(move |_| open_ones(stores));
    let running = Memo::new(move |_| of_group(stores, Group::Running));
    // The page that a link leads to is not covered by the tray.
    let follow = move |event: web_sys::MouseEvent| {
        let target = event
            .target()
            .and_then(|target| target.dyn_into::<web_sys::Element>().ok());
        let is_link = target.is_some_and(|target| target.closest("a").ok().flatten().is_some());
        if is_link && !(event.ctrl_key() || event.meta_key() || event.shift_key()) {
            open.set(false);
        }
    };
    view! {
        <section class="tray-panel" aria-label=text::common::transfers() on:click=follow>
            <header>
                <h2 class="grow">{text::common::transfers()}</h2>
                <Show when=move || !running.read().is_empty()>
                    <button type="button" class="button sm ghost" on:click=move |_| steer_all(stores, running.get_untracked(), Act::Pause)>
                        <Icon name="pause"/><span class="word">{words::pause_all()}</span>
                    </button>
                </Show>
                <a class="button sm ghost" href=route::TRANSFERS>{words::open_all()}</a>
            </header>
            <DownloadRows/>
            <TransferRows ids label=text::common::transfers().to_owned()/>
        </section>
    }
}

/// What is not over: what needs somebody first, then what moves, then what waits.
fn open_ones(stores: Stores) -> Vec<TransferId> {
    let all = grouped(stores).into_iter();
    all.filter(|(group, _)| !matches!(group, Group::Kept | Group::Done))
        .map(|(_, id)| id)
        .collect()
}

/// Those of one group, the newest first.
pub(crate) fn of_group(stores: Stores, wanted: Group) -> Vec<TransferId> {
    let all = grouped(stores).into_iter();
    all.filter(|(group, _)| *group == wanted).map(|(_, id)| id).collect()
}

/// What a screen reader hears: each quarter of the way, and the end.
fn said(totals: Memo<Totals>) -> String {
    let (running, percent) = totals.with(|totals| (totals.running, totals.percent));
    let quarter = (percent / 25.0).floor() as u64 * 25;
    match running {
        0 => String::new(),
        _ if quarter == 0 => words::is_running(&running),
        _ => words::said(&quarter),
    }
}

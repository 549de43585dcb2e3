//! All transfers of the account: what needs a person first, then what moves, what waits, what is done.

use beckon_shared::{api::transfer::Act, id::TransferId};
use leptos::prelude::*;

use crate::{
    component::{
        empty_state::EmptyState,
        frame,
        icon::Icon,
        skeleton::LineBones,
        transfer::{Group, TransferRows, grouped, steer_all},
    },
    dom, format, route,
    store::{LISTED, Stores, stores},
    text::{common, sync, transfer as words},
};

/// So many that are done are shown at first, and so many more at a time.
const DONE_SHOWN: usize = 20;

type All = Memo<Vec<(Group, TransferId)>>;

/// The page.
#[component]
pub(crate) fn Transfers() -> impl IntoView {
    let stores = stores();
    frame::title(|| common::transfers().to_owned());
    let all: All = Memo::new(move |_| grouped(stores));
    let only_done = RwSignal::new(false);
    let running = Memo::new(move |_| of(&all.read(), Group::Running));
    view! {
        <header class="page-head">
            <h1 tabindex="-1">{common::transfers()}</h1>
            <span class="grow"></span>
            <Show when=move || !running.read().is_empty()>
                <button type="button" class="button ghost" on:click=move |_| steer_all(stores, running.get_untracked(), Act::Pause)>
                    <Icon name="pause"/><span class="word">{words::pause_all()}</span>
                </button>
            </Show>
        </header>
        <div class="page-body">
            <Show when=move || stores.transfers.known().get() || !all.read().is_empty() fallback=|| view! { <LineBones/> }>
                <Views all only_done/>
                {move || if only_done.get() { done(all).into_any() } else { open(stores, all).into_any() }}
                <Show when=move || { all.read().len() >= LISTED }>
                    <p class="quiet below-list">{words::newest(&format::count(LISTED as u64))}</p>
                </Show>
            </Show>
        </div>
    }
}

#[component]
fn Views(all: All, only_done: RwSignal<bool>) -> impl IntoView {
    let done = Memo::new(move |_| all.read().iter().filter(|(group, _)| *group == Group::Done).count());
    let open = Memo::new(move |_| all.read().len() - done.get());
    let button = move |is_done: bool, word: &'static str, count: Memo<usize>| {
        let pressed = move || if only_done.get() == is_done { "true" } else { "false" };
        view! {
            <button type="button" aria-pressed=pressed on:click=move |_| only_done.set(is_done)>
                {word}" "<span class="count">{move || format::count(count.get() as u64)}</span>
            </button>
        }
    };
    view! {
        <div class="segmented above-list" role="group" aria-label=words::shown()>
            {button(false, words::open(), open)}{button(true, words::done(), done)}
        </div>
    }
}

/// What is not over, and what was done today.
fn open(stores: Stores, all: All) -> impl IntoView {
    let today = Memo::new(move |_| done_today(stores, &all.read()));
    let is_empty = Memo::new(move |_| all.read().iter().all(|(group, _)| *group == Group::Done));
    view! {
        <Show when=move || is_empty.get()>
            <EmptyState icon="transfers" title=words::empty().to_owned() says=words::empty_says().to_owned()>
                <a class="button primary" href=route::MACHINES>{words::to_machines()}</a>
            </EmptyState>
        </Show>
        <Section title=words::needs_you() ids=Memo::new(move |_| of(&all.read(), Group::NeedsYou))/>
        <Section title=words::running() ids=Memo::new(move |_| of(&all.read(), Group::Running))/>
        <Section title=words::waiting() ids=Memo::new(move |_| of(&all.read(), Group::Waiting))/>
        <Section title=sync::kept_current() ids=Memo::new(move |_| of(&all.read(), Group::Kept))/>
        <Section title=words::done_today() ids=today/>
    }
}

/// All that is over, folded.
fn done(all: All) -> impl IntoView {
    let most = RwSignal::new(DONE_SHOWN);
    let ids = Memo::new(move |_| of(&all.read(), Group::Done));
    let shown = Memo::new(move |_| ids.read().iter().take(most.get()).copied().collect::<Vec<_>>());
    let rest = move || ids.read().len().saturating_sub(most.get());
    view! {
        <Show when=move || ids.read().is_empty()>
            <EmptyState icon="check" title=words::empty_done().to_owned() says=words::empty_done_says().to_owned()/>
        </Show>
        <Show when=move || !ids.read().is_empty()>
            <TransferRows ids=shown label=words::done().to_owned()/>
        </Show>
        <Show when=move || { rest() > 0 }>
            <p class="below-list">
                <button type="button" class="button" on:click=move |_| most.update(|most| *most += 5 * DONE_SHOWN)>
                    {move || words::show_rest(&rest().min(5 * DONE_SHOWN))}
                </button>
            </p>
        </Show>
    }
}

#[component]
fn Section(title: &'static str, ids: Memo<Vec<TransferId>>) -> impl IntoView {
    let is_there = Memo::new(move |_| !ids.read().is_empty());
    view! {
        <Show when=move || is_there.get()>
            <div class="section-head"><h2>{title}</h2><span class="count">{move || ids.read().len()}</span></div>
            <TransferRows ids label=title.to_owned()/>
        </Show>
    }
}

fn of(all: &[(Group, TransferId)], wanted: Group) -> Vec<TransferId> {
    all.iter()
        .filter(|(group, _)| *group == wanted)
        .map(|(_, id)| *id)
        .collect()
}

/// What ended since midnight of this browser's zone, at most as many as are shown without folding.
fn done_today(stores: Stores, all: &[(Group, TransferId)]) -> Vec<TransferId> {
    let midnight = js_sys::Date::new(&(dom::now().0 as f64).into());
    midnight.set_hours(0);
    midnight.set_minutes(0);
    midnight.set_seconds(0);
    let midnight = midnight.get_time() as i64;
    let is_today = |id: &TransferId| {
        let row = stores.transfers.row(*id);
        row.is_some_and(|row| row.with(|view| view.ended.is_some_and(|ended| ended.0 >= midnight)))
    };
    of(all, Group::Done)
        .into_iter()
        .filter(is_today)
        .take(DONE_SHOWN)
        .collect()
}

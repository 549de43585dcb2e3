//! The rows: each a signal of its own, so that one transfer's progress draws one row.

use beckon_shared::{
    api::transfer::Act,
    error::Refusal,
    id::TransferId,
    transfer::{Hold, Priority, Task, TransferState, TransferView},
};
use leptos::prelude::*;
use leptos_router::{NavigateOptions, hooks::use_navigate};

use super::{
    act::{IconButton, Row, WordButton},
    ask::CancelDialog,
    dismissed, figure,
    line::WhyLine,
    place,
    problem::ProblemDialog,
    stand, why,
};
use crate::{
    component::{icon::Icon, progress::Progress, time::Ago},
    format, route,
    store::{Stores, stores},
    text::{self, sync, transfer as words},
};

/// A list of transfers, and the dialogs that its rows open.
#[component]
pub(crate) fn TransferRows(
    /// Which, in this order.
    #[prop(into)]
    ids: Signal<Vec<TransferId>>,
    /// Their heading, to a screen reader.
    #[prop(into)]
    label: Signal<String>,
) -> impl IntoView {
    let stores = stores();
    let asked = RwSignal::new(None);
    let row = move |id: TransferId| {
        let view = untrack(|| stores.transfers.row(id))?.into();
        let refused = RwSignal::new(None);
        Some(view! { <TransferRow row=Row { stores, id, view, refused, asked }/> })
    };
    view! {
        <ul class="transfers" aria-label=move || label.get()>
            <For each=move || ids.get() key=|id| *id children=row/>
        </ul>
        <CancelDialog asked/>
        <ProblemDialog asked/>
    }
}

#[component]
fn TransferRow(row: Row) -> impl IntoView {
    let view = row.view;
    let state = Memo::new(move |_| view.with(stand::state));
    let over = Memo::new(move |_| view.with(|view| view.state.is_over()));
    let has_bar = Memo::new(move |_| view.with(stand::has_bar));
    let what = Memo::new(move |_| view.with(figure::what));
    let size = Memo::new(move |_| view.with(why::size));
    let task = view.with_untracked(|view| view.task);
    view! {
        <li class="transfer" data-state=move || state.get() data-transfer=row.id.to_string()>
            <Icon name=Signal::derive(move || stand::icon(state.get(), task))/>
            <div class="grow">
                <div class="what">
                    <a class="cut" href=route::transfer(row.id)><bdi>{move || what.get()}</bdi></a>
                    <span class="faint nowrap size">{move || size.get()}</span>
                </div>
                <div class="route">
                    <bdi class="cut">{told(row, figure::from)}</bdi><Icon name="arrow"/><bdi class="cut">{told(row, figure::to)}</bdi>
                    <TaskWord view/>{place_among(row)}
                </div>
            </div>
            <div class="so-far">
                {move || has_bar.get().then(|| view! { <RowProgress row/> })}
                <div class="figures">
                    <span>{move || view.with(figure::amount)}</span>
                    <span>{move || when(row)}</span>
                </div>
            </div>
            <div class="acts">{move || acts(row, task, state.get(), over.get())}</div>
            <WhyLine row/>
        </li>
    }
}

#[component]
pub(super) fn RowProgress(row: Row) -> impl IntoView {
    let view = row.view;
    let value = Signal::derive(move || view.with(|view| figure::percent(&view.progress)));
    // What does not move shows no bar that does.
    let value = Signal::derive(move || {
        let is_running = view.with(|view| stand::state(view) == "running");
        value.get().or_else(|| (!is_running).then_some(0.0))
    });
    let state = Signal::derive(move || stand::bar(view.with(stand::state)));
    let label = Signal::derive(move || words::progress_of(&view.with(figure::what)));
    view! { <Progress value state label/> }
}

/// Where it comes from or goes to, by the names of today.
fn told(row: Row, tell: fn(Stores, &TransferView) -> String) -> Memo<String> {
    let Row { stores, view, .. } = row;
    Memo::new(move |_| view.with(|view| tell(stores, view)))
}

/// What it is about, unless it is an upload, as most are.
#[component]
pub(super) fn TaskWord(view: Signal<TransferView>) -> impl IntoView {
    let task = view.with_untracked(|view| view.task);
    let over = Memo::new(move |_| view.with(|view| view.state.is_over()));
    let word = move || sync::task(task, over.get());
    (task != Task::Upload).then(|| view! { <span class="badge"><Icon name=stand::task_icon(task)/>{word}</span> })
}

/// Where it stands among the others of its machine, unless that is where it was put by its age.
fn place_among(row: Row) -> impl IntoView {
    let priority = Memo::new(move |_| row.view.with(|view| (view.priority, view.state.is_over())));
    move || {
        let says = match priority.get() {
            (_, true) | (Priority::Normal, _) => return None,
            (Priority::High, _) => words::goes_first(),
            (Priority::Low, _) => words::goes_last(),
        };
        Some(view! { <span class="badge">{says}</span> })
    }
}

/// Right of the figures: how fast, or since when it stands so.
pub(super) fn when(row: Row) -> AnyView {
    let view = row.view.get();
    match (view.state, view.ended) {
        (TransferState::Done | TransferState::Cancelled, Some(ended)) => view! { <Ago at=ended/> }.into_any(),
        (TransferState::Failed, Some(ended)) => words::stopped_at(&format::clock(ended)).into_any(),
        (TransferState::Partly, Some(ended)) => words::done_at(&format::clock(ended)).into_any(),
        (TransferState::Running, None) if stand::hold(&view) == Hold::None => {
            figure::speed(row.stores, &view).into_any()
        }
        (TransferState::Running, None) if view.hold == Hold::Current => current(row, &view).into_any(),
        _ if view.hold == Hold::User => words::paused().into_any(),
        // It stands until somebody ends it, so its age tells nothing.
        (TransferState::Running, None) if view.task.is_standing() => ().into_any(),
        _ => view! { {words::queued()}" "<Ago at=view.created/> }.into_any(),
    }
}

/// Since when it is up to date, where this page saw it become so; or that it is not in all.
fn current(row: Row, view: &TransferView) -> String {
    match row.stores.transfers.current_since(view.id) {
        _ if stand::state(view) != "current" => stand::now(view).to_owned(),
        Some(since) => sync::current_since(&format::moment(since, row.stores.now.get())),
        None => sync::current().to_owned(),
    }
}

fn acts(row: Row, task: Task, state: &'static str, is_over: bool) -> AnyView {
    let cancel = move || view! { <IconButton icon="x" label=sync::stop(task) act=move || row.cancel()/> };
    let is_held = row.view.with(|view| stand::hold(view) == Hold::Question);
    match state {
        "running" | "current" => {
            let pause = move || row.steer(Act::Pause);
            view! { <IconButton icon="pause" label=words::pause() act=pause/>{cancel()} }.into_any()
        }
        "paused" => view! {
            <WordButton icon="play" label=words::resume() act=move || row.steer(Act::Resume)/>
            {cancel()}
        }
        .into_any(),
        "waiting" | "partly" if task.is_standing() && !is_over && !is_held => {
            let pause = move || row.steer(Act::Pause);
            view! { <IconButton icon="pause" label=words::pause() act=pause/>{cancel()} }.into_any()
        }
        "done" | "cancelled" => show(row).into_any(),
        _ if is_over => {
            let put_away = move || dismissed::put_away(row.stores, row.id);
            view! { <IconButton icon="x" label=words::dismiss() act=put_away/> }.into_any()
        }
        _ => cancel().into_any(),
    }
}

/// Where it lies in the drive. The transfer's page has the way there too, and says so if nothing is there.
fn show(row: Row) -> impl IntoView {
    let go = StoredValue::new_local(use_navigate());
    let written = row.view.with_untracked(|view| place::written(row.stores, view, None));
    let page = written.clone().unwrap_or_else(|| route::transfer(row.id));
    let href = page.clone();
    let open = move |event: web_sys::MouseEvent| {
        if event.ctrl_key() || event.meta_key() || event.shift_key() {
            return;
        }
        event.prevent_default();
        let (page, written) = (page.clone(), written.clone());
        leptos::task::spawn_local(async move {
            let found = match written {
                None => place::find(row.id).await,
                written => written,
            };
            let _ = go.try_with_value(|go| go(&found.unwrap_or(page), NavigateOptions::default()));
        });
    };
    view! { <a class="button sm ghost first" href=href on:click=open>{text::common::show()}</a> }
}

/// What a list of problems could not be read for.
pub(super) fn said(refusal: &Refusal) -> String {
    text::error::of(refusal)
}

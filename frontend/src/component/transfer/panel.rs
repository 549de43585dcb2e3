//! A transfer on its own page: how it stands, how far it is, and what can be done about it, in words.

use beckon_shared::{
    api::transfer::Act,
    id::TransferId,
    transfer::{Hold, Task, TransferState, TransferView},
};
use leptos::prelude::*;

use super::{
    act::{Row, WordButton},
    ask::CancelDialog,
    figure,
    line::WhyLine,
    row::{RowProgress, TaskWord, when},
    stand,
    why::Remedy,
};
use crate::{
    component::icon::Icon,
    store::stores,
    text::{sync, transfer as words},
};

/// The panel.
#[component]
pub(crate) fn TransferPanel(
    /// The transfer.
    id: TransferId,
    /// How it stands.
    view: Signal<TransferView>,
    /// What stands behind its own buttons.
    children: Children,
) -> impl IntoView {
    let (stores, asked) = (stores(), RwSignal::new(None));
    let row = Row {
        stores,
        id,
        view,
        refused: RwSignal::new(None),
        asked,
    };
    let state = Memo::new(move |_| view.with(stand::state));
    let has_bar = Memo::new(move |_| view.with(stand::has_bar));
    let can = Memo::new(move |_| view.with(Can::of));
    let task = view.with_untracked(|view| view.task);
    // That it is up to date stands at its head; since when is news.
    let says_it_twice = move || {
        let is_new = view.with(stand::state) == "current" && stores.transfers.current_since(id).is_some();
        view.with(|view| view.hold == Hold::Current) && !is_new
    };
    view! {
        <section class="card transfer-panel" data-state=move || state.get() data-transfer=id.to_string()>
            <div class="row top">
                <Icon name=Signal::derive(move || stand::icon(state.get(), task))/>
                <b class="grow" role="status">{move || view.with(stand::now)}<TaskWord view/></b>
                <div class="acts">{move || acts(row, task, can.get())}{children()}</div>
            </div>
            {move || has_bar.get().then(|| view! { <RowProgress row/> })}
            <div class="figures"><span>{move || view.with(figure::amount)}</span><span>{move || (!says_it_twice()).then(|| when(row))}</span></div>
            <WhyLine row without=&[Remedy::Problems, Remedy::Conflicts]/>
        </section>
        <CancelDialog asked/>
    }
}

/// What can be done with a transfer besides what the line below it offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Can {
    /// Pause or cancel it.
    Pause,
    /// Resume or cancel it.
    Resume,
    /// Cancel it: it waits for an answer, which the line asks for.
    Cancel,
    /// It is over.
    Nothing,
}

impl Can {
    fn of(view: &TransferView) -> Self {
        match (view.state, stand::hold(view)) {
            (TransferState::Queued | TransferState::Running, Hold::User) => Self::Resume,
            (TransferState::Queued | TransferState::Running, Hold::Question) => Self::Cancel,
            (TransferState::Queued | TransferState::Running, _) => Self::Pause,
            _ => Self::Nothing,
        }
    }
}

fn acts(row: Row, task: Task, can: Can) -> AnyView {
    let cancel = view! { <WordButton icon="x" label=sync::stop(task) act=move || row.cancel()/> };
    let first = match can {
        Can::Pause => Some(("pause", words::pause(), Act::Pause)),
        Can::Resume => Some(("play", words::resume(), Act::Resume)),
        Can::Cancel => None,
        Can::Nothing => return ().into_any(),
    };
    let first = first.map(|(icon, label, act)| view! { <WordButton icon label act=move || row.steer(act)/> });
    view! { {first}{cancel} }.into_any()
}

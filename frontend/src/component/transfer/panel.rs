//! A transfer on its own page: how it stands, how far it is, and what can be done about it, in words.

use beckon_shared::{
    api::transfer::Act,
    id::TransferId,
    transfer::{Hold, TransferState, TransferView},
};
use leptos::prelude::*;

use super::{
    act::{Row, WordButton},
    ask::CancelDialog,
    figure,
    line::WhyLine,
    row::{RowProgress, when},
    stand,
    why::Remedy,
};
use crate::{component::icon::Icon, store::stores, text::transfer as words};

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
    let can = Memo::new(move |_| view.with(Can::of));
    view! {
        <section class="card transfer-panel" data-state=move || state.get() data-transfer=id.to_string()>
            <div class="row top">
                <Icon name=Signal::derive(move || stand::icon(state.get()))/>
                <b class="grow" role="status">{move || view.with(stand::now)}</b>
                <div class="acts">{move || acts(row, can.get())}{children()}</div>
            </div>
            {move || (!matches!(state.get(), "done" | "cancelled")).then(|| view! { <RowProgress row/> })}
            <div class="figures"><span>{move || view.with(figure::amount)}</span><span>{move || when(row)}</span></div>
            <WhyLine row without=Remedy::Problems/>
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

fn acts(row: Row, can: Can) -> AnyView {
    let cancel = view! { <WordButton icon="x" label=words::cancel() act=move || row.cancel()/> };
    let first = match can {
        Can::Pause => Some(("pause", words::pause(), Act::Pause)),
        Can::Resume => Some(("play", words::resume(), Act::Resume)),
        Can::Cancel => None,
        Can::Nothing => return ().into_any(),
    };
    let first = first.map(|(icon, label, act)| view! { <WordButton icon label act=move || row.steer(act)/> });
    view! { {first}{cancel} }.into_any()
}

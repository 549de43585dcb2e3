//! Pause, resume, cancel, retry, and priority: shown at once, and taken back with a reason if the server refuses.

use beckon_shared::{
    api::transfer::{Act, Prioritise, Steer},
    error::Refusal,
    id::TransferId,
    transfer::{Hold, Priority, Progress, TransferState, TransferView},
};
use leptos::prelude::*;
use serde::Serialize;

use super::dismissed;
use crate::{api, dom, store::Stores};

/// Does it.
pub(crate) async fn steer(stores: Stores, id: TransferId, act: Act) -> Result<(), Refusal> {
    dismissed::take_out(stores, id);
    let expected = |view: &TransferView| expected(view, act);
    change(stores, id, expected, "steer", &Steer { act }).await
}

/// Gives it another place among the transfers of its machine.
pub(super) async fn prioritise(stores: Stores, id: TransferId, priority: Priority) -> Result<(), Refusal> {
    let expected = |view: &TransferView| TransferView {
        priority,
        ..view.clone()
    };
    change(stores, id, expected, "priority", &Prioritise { priority }).await
}

/// Does the same to several; what is refused goes back to what it was.
pub(crate) fn steer_all(stores: Stores, ids: Vec<TransferId>, act: Act) {
    leptos::task::spawn_local(async move {
        for id in ids {
            // A row that stays as it was says enough: it moves, or has ended meanwhile.
            let _ = steer(stores, id, act).await;
        }
    });
}

/// Asks the server for a change. What is shown goes back to what it was if it was refused and nothing newer came.
async fn change(
    stores: Stores,
    id: TransferId,
    expected: impl FnOnce(&TransferView) -> TransferView,
    what: &str,
    body: &impl Serialize,
) -> Result<(), Refusal> {
    let row = untrack(|| stores.transfers.row(id));
    let before = row.map(|row| row.get_untracked());
    if let (Some(row), Some(before)) = (row, &before) {
        // The same revision: whatever the server says next is newer.
        row.set(expected(before));
    }
    stores.transfers.ask(id);
    let told = api::tell(&format!("/api/transfers/{id}/{what}"), body).await;
    stores.transfers.answered(id);
    if let (Err(_), Some(row), Some(before)) = (&told, row, before)
        && row.with_untracked(|now| now.revision == before.revision)
    {
        row.set(before);
    }
    told
}

/// How it stands if the server agrees.
fn expected(view: &TransferView, act: Act) -> TransferView {
    let view = view.clone();
    match act {
        Act::Pause => TransferView {
            hold: Hold::User,
            ..view
        },
        Act::Resume => TransferView {
            hold: Hold::None,
            ..view
        },
        Act::Cancel => TransferView {
            state: TransferState::Cancelled,
            hold: Hold::None,
            ended: Some(dom::now()),
            ..view
        },
        Act::Retry => TransferView {
            state: TransferState::Queued,
            hold: Hold::None,
            error: None,
            ended: None,
            progress: Progress::default(),
            ..view
        },
    }
}

//! How a transfer stands, for people: which group it belongs to, and how its row is drawn.

use beckon_shared::{
    id::TransferId,
    transfer::{Hold, TransferState, TransferView},
};
use leptos::prelude::*;

use crate::{store::Stores, upload};

/// The parts of the page, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Group {
    /// Stands until a person does something.
    NeedsYou,
    /// Moves.
    Running,
    /// Goes on by itself later, or when somebody resumes it.
    Waiting,
    /// Is over.
    Done,
}

/// What holds a transfer; tracks what this page knows of its own uploads. That their files are gone it finds before the
/// server does.
pub(super) fn hold(view: &TransferView) -> Hold {
    let waits = !view.state.is_over() && view.hold != Hold::User;
    if waits && upload::lacks_files(view.id) {
        Hold::Question
    } else {
        view.hold
    }
}

/// The group of a transfer; tracks what this browser put away.
pub(crate) fn group(stores: Stores, view: &TransferView) -> Group {
    match (view.state, hold(view)) {
        (TransferState::Failed | TransferState::Partly, _) if is_dismissed(stores, view.id) => Group::Done,
        (TransferState::Failed | TransferState::Partly, _) => Group::NeedsYou,
        (TransferState::Done | TransferState::Cancelled, _) => Group::Done,
        (_, Hold::NoRoom | Hold::Question) => Group::NeedsYou,
        (TransferState::Running, Hold::None) => Group::Running,
        _ => Group::Waiting,
    }
}

/// All transfers by their groups, the newest first in each; tracks every one.
pub(crate) fn grouped(stores: Stores) -> Vec<(Group, TransferId)> {
    let mut all = Vec::new();
    stores.transfers.each(|view| all.push((group(stores, view), view.id)));
    all.sort_by_key(|(group, _)| *group);
    all
}

fn is_dismissed(stores: Stores, id: TransferId) -> bool {
    stores.transfers.dismissed.with(|dismissed| dismissed.contains(&id))
}

/// `data-state` of the row.
pub(super) fn state(view: &TransferView) -> &'static str {
    match (view.state, hold(view)) {
        (TransferState::Done, _) => "done",
        (TransferState::Cancelled, _) => "cancelled",
        (TransferState::Partly, _) => "partly",
        (TransferState::Failed, _) | (_, Hold::NoRoom) => "failed",
        (_, Hold::Question) => "partly",
        (_, Hold::User) => "paused",
        (TransferState::Running, Hold::None) => "running",
        _ => "waiting",
    }
}

/// `data-state` of its bar.
pub(super) fn bar(state: &'static str) -> &'static str {
    if state == "partly" { "warn" } else { state }
}

/// The icon of the row.
pub(super) fn icon(state: &'static str) -> &'static str {
    match state {
        "done" => "check",
        "cancelled" => "x",
        "partly" => "alert",
        "failed" => "stop",
        "paused" => "pause",
        "running" => "upload",
        _ => "clock",
    }
}

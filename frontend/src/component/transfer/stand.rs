//! How a transfer stands, for people: which group it belongs to, and how its row is drawn.

use beckon_shared::{
    id::TransferId,
    transfer::{Hold, TransferState, TransferView},
};
use leptos::prelude::*;

use crate::{format, store::Stores, text::transfer as words, upload};

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

/// A state with a hold, in a word or two.
pub(crate) fn word(state: TransferState, hold: Hold) -> &'static str {
    match (state, hold) {
        (TransferState::Done, _) => words::is_done(),
        (TransferState::Partly, _) => words::is_partly(),
        (TransferState::Failed, _) => words::is_failed(),
        (TransferState::Cancelled, _) => words::is_cancelled(),
        (_, Hold::User) => words::is_paused(),
        (_, Hold::Away) => words::is_away(),
        (_, Hold::NoRoom) => words::is_full(),
        (_, Hold::Schedule) => words::is_limited(),
        (_, Hold::Question) => words::is_asking(),
        (TransferState::Queued, Hold::None) => words::is_queued(),
        (TransferState::Running, Hold::None) => words::is_moving(),
    }
}

/// How a transfer stands, in a word or two.
pub(super) fn now(view: &TransferView) -> &'static str {
    match has_lapsed(view) {
        true => words::is_lapsed(),
        false => word(view.state, hold(view)),
    }
}

/// Whether its order was not carried out in its time.
pub(super) fn has_lapsed(view: &TransferView) -> bool {
    view.state == TransferState::Failed && view.ended.is_some_and(|ended| ended >= view.expires)
}

/// The name of what does the work, as it is now.
pub(crate) fn worker(stores: Stores, view: &TransferView) -> String {
    if stores
        .me
        .with(|me| me.as_ref().is_some_and(|me| me.device == view.device))
    {
        return words::this_browser().to_owned();
    }
    let name = stores.devices.get(view.device).map(|device| device.name.to_string());
    format::name(name.as_deref().unwrap_or(&view.machine))
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

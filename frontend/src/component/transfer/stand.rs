//! How a transfer stands, for people: which group it belongs to, and how its row is drawn.

use beckon_shared::{
    id::TransferId,
    transfer::{Hold, Task, TransferState, TransferView},
};
use leptos::prelude::*;

use crate::{
    format,
    store::Stores,
    text::{sync, transfer as words},
    upload,
};

/// The parts of the page, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Group {
    /// Stands until a person does something.
    NeedsYou,
    /// Moves.
    Running,
    /// Goes on by itself later, or when somebody resumes it.
    Waiting,
    /// Goes on until somebody ends it, and needs nobody now.
    Kept,
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
        _ if has_conflicts(view) => Group::NeedsYou,
        _ if view.task.is_standing() => Group::Kept,
        (TransferState::Running, Hold::None) => Group::Running,
        _ => Group::Waiting,
    }
}

/// Whether files of a copy wait for somebody to choose.
pub(super) fn has_conflicts(view: &TransferView) -> bool {
    view.progress.conflicts > 0 && !view.state.is_over()
}

/// Whether it is up to date but for files that could not be stored or written.
pub(super) fn is_short(view: &TransferView) -> bool {
    hold(view) == Hold::Current && !view.state.is_over() && view.progress.failed > 0
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
pub(crate) fn state(view: &TransferView) -> &'static str {
    match (view.state, hold(view)) {
        (TransferState::Done, _) => "done",
        (TransferState::Cancelled, _) => "cancelled",
        (TransferState::Partly, _) => "partly",
        (TransferState::Failed, _) | (_, Hold::NoRoom) => "failed",
        (_, Hold::Question) => "partly",
        (_, Hold::User) => "paused",
        _ if has_conflicts(view) || is_short(view) => "partly",
        (_, Hold::Current) => "current",
        (TransferState::Running, Hold::None) => "running",
        _ => "waiting",
    }
}

/// A state with a hold, in a word or two.
pub(crate) fn word(task: Task, state: TransferState, hold: Hold) -> &'static str {
    match (state, hold) {
        (TransferState::Cancelled, _) if task.is_standing() => sync::stopped(),
        (TransferState::Done, _) => words::is_done(),
        (TransferState::Partly, _) => words::is_partly(),
        (TransferState::Failed, _) => words::is_failed(),
        (TransferState::Cancelled, _) => words::is_cancelled(),
        (_, Hold::User) => words::is_paused(),
        (_, Hold::Away) => words::is_away(),
        (_, Hold::NoRoom) => words::is_full(),
        (_, Hold::Schedule) => words::is_limited(),
        (_, Hold::Question) => words::is_asking(),
        (_, Hold::Current) => sync::current(),
        (TransferState::Queued, Hold::None) => words::is_queued(),
        (TransferState::Running, Hold::None) => words::is_moving(),
    }
}

/// How a transfer stands, in a word or two.
pub(crate) fn now(view: &TransferView) -> &'static str {
    match hold(view) {
        _ if has_lapsed(view) => words::is_lapsed(),
        Hold::Current if has_conflicts(view) => sync::to_choose(),
        Hold::Current if is_short(view) => sync::current_but(),
        hold => word(view.task, view.state, hold),
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

/// The icon of a task.
pub(crate) fn task_icon(task: Task) -> &'static str {
    match task {
        Task::Upload => "upload",
        Task::Watch => "eye",
        Task::Follow => "follow",
        Task::Copy => "copy",
        Task::Send => "send",
    }
}

/// Whether how far it is wants a bar.
pub(super) fn has_bar(view: &TransferView) -> bool {
    !matches!(view.state, TransferState::Done | TransferState::Cancelled) && view.hold != Hold::Current
}

/// The icon of the row.
pub(super) fn icon(state: &'static str, task: Task) -> &'static str {
    match state {
        "current" => task_icon(task),
        "running" if task.writes() => "download",
        "done" => "check",
        "cancelled" => "x",
        "partly" => "alert",
        "failed" => "stop",
        "paused" => "pause",
        "running" => "upload",
        _ => "clock",
    }
}

#[cfg(test)]
mod tests {
    use beckon_shared::transfer::Progress;
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;
    use crate::component::transfer::sample;

    #[wasm_bindgen_test]
    fn only_what_is_up_to_date_in_all_its_files_is_called_so() {
        let with = |failed, conflicts| TransferView {
            task: Task::Follow,
            state: TransferState::Running,
            hold: Hold::Current,
            progress: Progress {
                failed,
                conflicts,
                ..Progress::default()
            },
            ..sample::view()
        };
        assert_eq!((now(&with(0, 0)), state(&with(0, 0))), ("Up to date", "current"));
        assert_eq!((now(&with(0, 1)), state(&with(0, 1))), ("Waits for a choice", "partly"));
        assert_eq!(
            (now(&with(2, 0)), state(&with(2, 0))),
            ("Up to date but for some files", "partly")
        );
    }
}

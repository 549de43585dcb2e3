//! Figures of transfers: of one, and of all that are open.

use beckon_shared::transfer::{Hold, Progress, Task, TransferState, TransferView};

use super::stand::{self, Group, group};
use crate::{
    format,
    store::Stores,
    text::{self, sync, transfer as words},
};

/// How far it is in percent, once there is something to measure by.
pub(super) fn percent(progress: &Progress) -> Option<f64> {
    let of = |done: u64, total: u64| done.min(total) as f64 * 100.0 / total as f64;
    match (progress.bytes_total, progress.files_total) {
        (0, 0) => progress.walked.then_some(100.0),
        (0, files) => Some(of(progress.files_done, files)),
        (bytes, _) => Some(of(progress.bytes_done, bytes)),
    }
}

/// What moves: what was selected, or the whole root by its name; of a copy the folder that it is a copy of.
pub(crate) fn what(view: &TransferView) -> String {
    let copied = view
        .from
        .as_deref()
        .filter(|_| matches!(view.task, Task::Follow | Task::Copy));
    let copied = copied
        .and_then(|from| from.rsplit('/').next())
        .filter(|name| !name.is_empty());
    let own = if view.what.is_empty() { &view.root } else { &view.what };
    format::name(copied.unwrap_or(own))
}

/// Where it comes from: the machine that works, or of what is written who has it.
pub(crate) fn from(stores: Stores, view: &TransferView) -> String {
    match &view.from {
        Some(from) if view.task.writes() => format::name(&origin(stores, view).unwrap_or_else(|| from.clone())),
        _ => stand::worker(stores, view),
    }
}

/// What a copy is of, `MACHINE/ROOT/PATH` by the names of today, while the machine has the root open.
fn origin(stores: Stores, view: &TransferView) -> Option<String> {
    let origin = view.origin.as_ref()?;
    let device = stores.devices.get(origin.device)?;
    let root = device.roots.iter().find(|root| root.id == origin.root)?;
    let names = [device.name.to_string(), root.name.to_string(), origin.path.display()];
    let names = names.iter().map(String::as_str).filter(|name| !name.is_empty());
    Some(names.collect::<Vec<_>>().join("/"))
}

/// The device that a copy is of, as it is called today.
pub(crate) fn source(stores: Stores, view: &TransferView) -> Option<String> {
    let device = stores.devices.get(view.origin.as_ref()?.device)?;
    Some(format::name(device.name.as_str()))
}

/// Where it goes.
pub(crate) fn to(stores: Stores, view: &TransferView) -> String {
    if !view.task.writes() {
        return words::drive().to_owned();
    }
    let mut place = format!("{}/{}", stand::worker(stores, view), format::name(&view.root));
    if view.task != Task::Send && !view.what.is_empty() {
        place.push('/');
        place.push_str(&format::name(&view.what));
    }
    place
}

/// `214 files`.
pub(crate) fn files(count: u64) -> String {
    words::files(&format::count(count), &text::plural(count, "file", "files"))
}

/// Left of the figures below the bar.
pub(super) fn amount(view: &TransferView) -> String {
    let progress = &view.progress;
    let total = format::bytes(progress.bytes_total);
    let done = same_unit(&format::bytes(progress.bytes_done), &total);
    let holds = |say: fn(&dyn std::fmt::Display, &dyn std::fmt::Display) -> String| {
        say(&files(progress.files_done), &format::bytes(progress.bytes_done))
    };
    match view.state {
        TransferState::Done if progress.files_done == 0 && view.task.writes() => sync::nothing_new().to_owned(),
        TransferState::Done if view.task.writes() => holds(sync::written),
        TransferState::Cancelled if view.task.is_standing() => sync::stays().to_owned(),
        TransferState::Running if view.hold == Hold::Current => holds(sync::holds),
        TransferState::Done if progress.files_done == 0 => words::nothing_new().to_owned(),
        TransferState::Done => words::safe(&files(progress.files_done), &format::bytes(progress.bytes_done)),
        TransferState::Cancelled => words::cancelled(&format::bytes(progress.bytes_done)),
        TransferState::Partly => words::files_of(
            &format::count(progress.files_done),
            &format::count(progress.files_total),
        ),
        TransferState::Failed => words::kept(&done, &total),
        _ if progress.walked => words::of(&done, &total),
        TransferState::Queued => String::new(),
        TransferState::Running if progress.bytes_total == 0 => words::looking().to_owned(),
        _ => words::so_far(&done, &total),
    }
}

/// `2.93` of `2.93 GB` where the total says the unit.
fn same_unit(done: &str, total: &str) -> String {
    match (done.split_once(' '), total.split_once(' ')) {
        (Some((figure, unit)), Some((_, of))) if unit == of => figure.to_owned(),
        _ => done.to_owned(),
    }
}

/// Seconds left, where the total is known and it moves.
pub(super) fn seconds_left(progress: &Progress, rate: f64) -> Option<u64> {
    let rest = progress.bytes_total.saturating_sub(progress.bytes_done);
    (progress.walked && rate >= 1.0).then(|| (rest as f64 / rate).ceil() as u64)
}

/// `112 MB/s · 17 s`, as much of it as is known: nothing while no news come.
pub(super) fn speed(stores: Stores, view: &TransferView) -> String {
    if stores.is_cut_off() {
        return String::new();
    }
    let Some(rate) = stores.transfers.rate(view.id) else {
        return words::starting().to_owned();
    };
    if let (Task::Send, Some(from), true) = (view.task, &view.from, rate < 1.0) {
        return sync::waits_for_sender(&format::name(from));
    }
    match seconds_left(&view.progress, rate) {
        Some(left) => words::rate_left(&format::rate(rate), &format::left(left)),
        None => format::rate(rate),
    }
}

/// All open transfers in a line.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Totals {
    /// How many move.
    pub(crate) running: u64,
    /// How many go on by themselves or are paused.
    pub(crate) waiting: u64,
    /// How many need a person.
    pub(crate) needy: u64,
    /// How far those are that move, in percent.
    pub(crate) percent: f64,
    /// Bytes per second of all together.
    pub(crate) rate: f64,
    /// Seconds until all that moves is there, where that is known.
    pub(crate) left: Option<u64>,
}

impl Totals {
    /// As they are now; tracks every transfer.
    pub(crate) fn now(stores: Stores) -> Self {
        let mut totals = Self::default();
        let is_cut_off = stores.is_cut_off();
        let mut moving = Progress {
            walked: true,
            ..Progress::default()
        };
        stores.transfers.each(|view| match group(stores, view) {
            Group::NeedsYou => totals.needy += 1,
            Group::Waiting => totals.waiting += 1,
            Group::Kept | Group::Done => {}
            Group::Running => {
                totals.running += 1;
                let rate = stores.transfers.rate(view.id).filter(|_| !is_cut_off);
                totals.rate += rate.unwrap_or(0.0);
                moving.bytes_done += view.progress.bytes_done;
                moving.bytes_total += view.progress.bytes_total;
                moving.walked &= view.progress.walked;
            }
        });
        totals.percent = percent(&moving).filter(|_| totals.running > 0).unwrap_or(0.0);
        totals.left = seconds_left(&moving, totals.rate).filter(|_| totals.running > 0);
        totals
    }

    /// Whether there is nothing to show.
    pub(crate) fn is_empty(&self) -> bool {
        self.running + self.waiting + self.needy == 0
    }
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;
    use crate::component::transfer::sample;

    #[wasm_bindgen_test]
    fn a_copy_is_called_by_what_it_is_a_copy_of() {
        let view = TransferView {
            task: Task::Follow,
            from: Some("desk/Documents/Kestrel".to_owned()),
            what: "from desk".to_owned(),
            ..sample::view()
        };
        assert_eq!(what(&view), "Kestrel");
        let sent = TransferView {
            task: Task::Send,
            from: Some("Chrome".to_owned()),
            what: "a.txt".to_owned(),
            ..view
        };
        assert_eq!(what(&sent), "a.txt");
    }

    #[wasm_bindgen_test]
    fn what_is_up_to_date_says_what_it_holds_and_what_was_stopped_that_it_stays() {
        let current = TransferView {
            task: Task::Watch,
            state: TransferState::Running,
            hold: Hold::Current,
            progress: Progress {
                files_done: 2,
                files_total: 2,
                bytes_done: 8_400_000,
                bytes_total: 8_400_000,
                walked: true,
                ..Progress::default()
            },
            ..sample::view()
        };
        assert_eq!(amount(&current), "2 files · 8.4 MB");
        let stopped = TransferView {
            state: TransferState::Cancelled,
            ..current
        };
        assert_eq!(amount(&stopped), "What is there stays");
    }

    #[wasm_bindgen_test]
    fn a_transfer_of_empty_files_is_measured_by_their_number() {
        let progress = Progress {
            files_total: 4,
            files_done: 1,
            walked: true,
            ..Progress::default()
        };
        assert_eq!(percent(&progress), Some(25.0));
        assert_eq!(percent(&Progress::default()), None);
    }

    #[wasm_bindgen_test]
    fn the_unit_is_said_once() {
        assert_eq!(same_unit("2.93 GB", "4.8 GB"), "2.93");
        assert_eq!(same_unit("930 MB", "4.8 GB"), "930 MB");
    }

    #[wasm_bindgen_test]
    fn the_time_left_is_not_told_before_the_total_is_known() {
        let walked = Progress {
            bytes_total: 1000,
            bytes_done: 500,
            walked: true,
            ..Progress::default()
        };
        assert_eq!(seconds_left(&walked, 100.0), Some(5));
        assert_eq!(
            seconds_left(
                &Progress {
                    walked: false,
                    ..walked
                },
                100.0
            ),
            None
        );
        assert_eq!(seconds_left(&walked, 0.0), None);
    }
}

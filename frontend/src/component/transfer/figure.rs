//! Figures of transfers: of one, and of all that are open.

use beckon_shared::transfer::{Progress, TransferState, TransferView};

use super::stand::{Group, group};
use crate::{
    format,
    store::Stores,
    text::{self, transfer as words},
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

/// What moves: what was selected, or the whole root by its name.
pub(crate) fn what(view: &TransferView) -> String {
    format::name(if view.what.is_empty() { &view.root } else { &view.what })
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
    match view.state {
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
            Group::Done => {}
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
    use beckon_shared::transfer::Progress;
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::{percent, same_unit, seconds_left};

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

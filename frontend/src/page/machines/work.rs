//! What each machine is doing: the second line of its row.

use std::collections::BTreeMap;

use beckon_shared::{
    id::DeviceId,
    transfer::{Hold, TransferState, TransferView},
};
use leptos::prelude::*;

use crate::{
    format,
    store::stores,
    text::{self, machines as words, transfer},
};

/// What one machine does, and what waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Work {
    files: u64,
    bytes_done: u64,
    bytes_total: u64,
    running: u64,
    waiting: u64,
}

impl Work {
    fn add(&mut self, view: &TransferView) {
        match (view.state, view.hold) {
            // What stands until somebody ends it waits for nothing.
            (TransferState::Queued, _) | (_, Hold::Away) if view.task.is_standing() => {}
            (TransferState::Running, Hold::None) if !view.task.writes() => {
                self.running += 1;
                self.files += view.progress.files_total;
                self.bytes_done += view.progress.bytes_done;
                self.bytes_total += view.progress.bytes_total;
            }
            (TransferState::Queued, _) | (_, Hold::Away) => self.waiting += 1,
            _ => {}
        }
    }

    /// What it does now, if it does something.
    pub(super) fn live(&self) -> Option<String> {
        let word = text::plural(self.files, "file", "files");
        let files = transfer::files(&format::count(self.files), &word);
        let percent = (self.bytes_done * 100).checked_div(self.bytes_total);
        match (self.running, percent) {
            (0, _) => None,
            (_, None) => Some(words::uploading_first().to_owned()),
            (_, Some(percent)) => Some(words::uploading(&files, &percent.min(100))),
        }
    }

    /// What waits until it is back.
    pub(super) fn waits(&self) -> Option<String> {
        let word = text::plural(self.waiting, "transfer waits", "transfers wait");
        (self.waiting > 0).then(|| words::waits(&format::count(self.waiting), &word))
    }
}

/// Of all machines; told once for the whole list.
pub(super) fn by_device() -> Memo<BTreeMap<DeviceId, Work>> {
    let stores = stores();
    Memo::new(move |_| {
        let mut all = BTreeMap::<DeviceId, Work>::new();
        stores.transfers.each(|view| {
            if !view.state.is_over() {
                all.entry(view.device).or_default().add(view);
            }
        });
        all
    })
}

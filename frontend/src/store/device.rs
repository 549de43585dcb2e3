//! The control list, live.

use std::collections::BTreeMap;

use beckon_shared::{
    device::{DeviceKind, DeviceView},
    id::DeviceId,
    wire::{Part, Place},
};
use leptos::prelude::*;

/// Every device of the account. Each row is a signal of its own, so that a change draws one row anew.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Devices {
    rows: RwSignal<BTreeMap<DeviceId, RwSignal<DeviceView>>>,
    /// Rows that the snapshot under way has not named yet.
    stale: StoredValue<Vec<DeviceId>>,
    /// Whether a whole snapshot has come since the page was opened.
    pub(crate) known: RwSignal<bool>,
}

impl Default for Devices {
    fn default() -> Self {
        Self {
            rows: RwSignal::default(),
            stale: StoredValue::default(),
            known: RwSignal::new(false),
        }
    }
}

impl Devices {
    /// Takes in a part of the control list; twice does no harm.
    pub(crate) fn take(self, part: Part<DeviceView>) {
        if matches!(part.place, Place::First | Place::Whole) {
            let all = self.rows.with_untracked(|rows| rows.keys().copied().collect());
            self.stale.set_value(all);
        }
        for view in part.rows {
            self.stale.update_value(|stale| stale.retain(|id| *id != view.id));
            self.put(view);
        }
        if matches!(part.place, Place::Last | Place::Whole) {
            let gone = self.stale.try_update_value(std::mem::take).unwrap_or_default();
            if !gone.is_empty() {
                self.rows.update(|rows| rows.retain(|id, _| !gone.contains(id)));
            }
            self.known.set(true);
        }
    }

    fn put(self, view: DeviceView) {
        let row = self.rows.with_untracked(|rows| rows.get(&view.id).copied());
        match row {
            Some(row) if row.with_untracked(|old| *old == view) => {}
            Some(row) => row.set(view),
            // Made outside any component, so it lives as long as the store does.
            None => self.rows.update(|rows| {
                rows.insert(view.id, RwSignal::new(view));
            }),
        }
    }

    /// The row of a device; tracks only whether it is there.
    pub(crate) fn row(self, id: DeviceId) -> Option<RwSignal<DeviceView>> {
        self.rows.with(|rows| rows.get(&id).copied())
    }

    /// A device as it is now; tracks it.
    pub(crate) fn get(self, id: DeviceId) -> Option<DeviceView> {
        self.row(id).map(|row| row.get())
    }

    /// A device as it is now, untracked.
    pub(crate) fn peek(self, id: DeviceId) -> Option<DeviceView> {
        let row = self.rows.with_untracked(|rows| rows.get(&id).copied());
        row.map(|row| row.get_untracked())
    }

    /// The ids of all devices, by first visit; tracks coming and going, not each row.
    pub(crate) fn ids(self) -> Vec<DeviceId> {
        let mut rows: Vec<_> = self
            .rows
            .with(|rows| rows.iter().map(|(id, row)| (*id, *row)).collect());
        rows.sort_by_key(|(id, row): &(DeviceId, RwSignal<DeviceView>)| {
            (row.with_untracked(|view| view.first_seen), *id)
        });
        rows.into_iter().map(|(id, _)| id).collect()
    }

    /// The ids of machines that are not revoked; tracks every row.
    pub(crate) fn machines(self) -> Vec<DeviceId> {
        let is_machine = |view: &DeviceView| view.kind == DeviceKind::Agent && !view.revoked;
        let ids = self.ids().into_iter();
        ids.filter(|id| self.row(*id).is_some_and(|row| row.with(is_machine)))
            .collect()
    }

    pub(super) fn forget(self) {
        self.rows.update(BTreeMap::clear);
        self.known.set(false);
    }
}

//! The control list, live.

use beckon_shared::{
    device::{DeviceKind, DeviceView},
    id::DeviceId,
    wire::Part,
};
use leptos::prelude::*;

use super::rows::{Row, Rows};

impl Row for DeviceView {
    type Id = DeviceId;

    fn id(&self) -> DeviceId {
        self.id
    }

    fn replaces(&self, old: &Self) -> bool {
        self != old
    }
}

/// Every device of the account.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Devices(Rows<DeviceView>);

impl Devices {
    /// Takes in a part of the control list; twice does no harm.
    pub(crate) fn take(self, part: Part<DeviceView>) {
        self.0.take(part);
    }

    /// Whether a whole snapshot has come since the page was opened.
    pub(crate) fn known(self) -> RwSignal<bool> {
        self.0.known
    }

    /// The row of a device; tracks only whether it is there.
    pub(crate) fn row(self, id: DeviceId) -> Option<RwSignal<DeviceView>> {
        self.0.get(id)
    }

    /// A device as it is now; tracks it.
    pub(crate) fn get(self, id: DeviceId) -> Option<DeviceView> {
        self.row(id).map(|row| row.get())
    }

    /// A device as it is now, untracked.
    pub(crate) fn peek(self, id: DeviceId) -> Option<DeviceView> {
        self.0.peek(id).map(|row| row.get_untracked())
    }

    /// The ids of all devices, by first visit; tracks coming and going, not each row.
    pub(crate) fn ids(self) -> Vec<DeviceId> {
        let rows = self.0.all().into_iter();
        let mut ids: Vec<_> = rows
            .map(|row| row.with_untracked(|view| (view.first_seen, view.id)))
            .collect();
        ids.sort_unstable();
        ids.into_iter().map(|(_, id)| id).collect()
    }

    /// The ids of machines that are not revoked; tracks every row.
    pub(crate) fn machines(self) -> Vec<DeviceId> {
        let is_machine = |view: &DeviceView| view.kind == DeviceKind::Agent && !view.revoked;
        let ids = self.ids().into_iter();
        ids.filter(|id| self.row(*id).is_some_and(|row| row.with(is_machine)))
            .collect()
    }

    pub(super) fn forget(self) {
        self.0.forget();
    }
}

//! Machines that are being woken.

use std::collections::BTreeMap;

use beckon_shared::{id::DeviceId, time::Timestamp};
use leptos::prelude::*;

/// How the call of a sleeping machine stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Call {
    /// Its neighbours are being asked.
    Asking,
    /// These called it; it has yet to come.
    Sent(Vec<String>),
    /// Nobody called it, for this reason.
    Failed(String),
    /// These called it, and it did not come.
    Silent(Vec<String>),
}

/// The last call of each machine, as far as this page made it, with when the machine was last seen then.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Calls(RwSignal<BTreeMap<DeviceId, (Timestamp, Call)>>);

impl Calls {
    /// The last call of a machine that was last seen then; tracked. If it was here since, that is past.
    pub(crate) fn get(self, machine: DeviceId, last_seen: Timestamp) -> Option<Call> {
        let is_of_now = |(seen, _): &&(Timestamp, Call)| *seen == last_seen;
        self.0
            .with(|calls| calls.get(&machine).filter(is_of_now).map(|(_, call)| call.clone()))
    }

    /// How its call stands from now on.
    pub(crate) fn set(self, machine: DeviceId, last_seen: Timestamp, call: Call) {
        self.0.update(|calls| _ = calls.insert(machine, (last_seen, call)));
    }

    pub(super) fn forget(self) {
        self.0.update(BTreeMap::clear);
    }
}

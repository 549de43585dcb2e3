//! Which devices are listed where, and in which order.

use beckon_shared::{
    device::{DeviceKind, DeviceView},
    id::DeviceId,
};
use leptos::prelude::*;

use crate::{store::Stores, text::common, text::machines as words};

/// What the switch above the list lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    All,
    Machines,
    Browsers,
    CommandLine,
}

impl Shown {
    pub(super) const ALL: [Self; 4] = [Self::All, Self::Machines, Self::Browsers, Self::CommandLine];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::All => common::all(),
            Self::Machines => words::machines(),
            Self::Browsers => words::browsers(),
            Self::CommandLine => words::command_line(),
        }
    }

    fn lets_through(self, kind: DeviceKind) -> bool {
        match self {
            Self::All => true,
            Self::Machines => kind == DeviceKind::Agent,
            Self::Browsers => kind == DeviceKind::Browser,
            Self::CommandLine => kind == DeviceKind::Cli,
        }
    }
}

/// The parts of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Machines,
    Others,
    Removed,
}

impl Section {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Machines => words::machines(),
            Self::Others => words::others(),
            Self::Removed => words::removed(),
        }
    }

    pub(super) fn has_head(self) -> bool {
        self == Self::Machines
    }

    fn of(view: &DeviceView) -> Self {
        match view.kind {
            _ if view.revoked => Self::Removed,
            DeviceKind::Agent => Self::Machines,
            DeviceKind::Browser | DeviceKind::Cli => Self::Others,
        }
    }
}

/// What is listed, part by part.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Listed {
    machines: Vec<DeviceId>,
    others: Vec<DeviceId>,
    removed: Vec<DeviceId>,
}

impl Listed {
    pub(super) fn of(&self, section: Section) -> &[DeviceId] {
        match section {
            Section::Machines => &self.machines,
            Section::Others => &self.others,
            Section::Removed => &self.removed,
        }
    }

    /// How many were not removed.
    pub(super) fn here(&self) -> usize {
        self.machines.len() + self.others.len()
    }

    fn add(&mut self, section: Section, id: DeviceId) {
        match section {
            Section::Machines => self.machines.push(id),
            Section::Others => self.others.push(id),
            Section::Removed => self.removed.push(id),
        }
    }
}

/// Those that the switch and the filter let through; tracks every row.
pub(super) fn listed(stores: Stores, order: &[DeviceId], shown: Shown, filter: &str) -> Listed {
    let filter = filter.trim().to_lowercase();
    let mut all = Listed::default();
    for id in order {
        let Some(row) = stores.devices.row(*id) else { continue };
        row.with(|view| {
            if shown.lets_through(view.kind) && matches(view, &filter) {
                all.add(Section::of(view), *id);
            }
        });
    }
    all
}

fn matches(view: &DeviceView, filter: &str) -> bool {
    let has = |text: &str| text.to_lowercase().contains(filter);
    filter.is_empty() || has(view.name.as_str()) || has(&view.os) || has(&view.address)
}

/// The order of this visit: who is online first, then by name. It stays while the page is open, so that nothing moves
/// under the hand; what comes later stands at the end.
pub(super) fn order(stores: Stores) -> Memo<Vec<DeviceId>> {
    Memo::new(move |before: Option<&Vec<DeviceId>>| {
        if !stores.devices.known().get() {
            return Vec::new();
        }
        let mut ids = stores.devices.ids();
        let before = before.filter(|before| !before.is_empty());
        match before {
            Some(before) => {
                let place = |id: &DeviceId| before.iter().position(|known| known == id).unwrap_or(usize::MAX);
                ids.sort_by_key(place);
            }
            None => ids.sort_by_cached_key(|id| {
                let view = stores.devices.peek(*id);
                view.map(|view| (!view.online, view.name.as_str().to_lowercase()))
            }),
        }
        ids
    })
}

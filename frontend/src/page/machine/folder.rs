//! A machine's folder on the screen: what is known of it, and what follows from that.

use std::sync::Arc;

use beckon_shared::{
    device::DeviceView,
    entry::{Direction, SortKey},
    error::Refusal,
    id::{DeviceId, RootId},
    path::RootPath,
    time::Timestamp,
};
use leptos::prelude::*;

use super::{item::Item, slots::Slots, standings::Standings, sync::Sync};
use crate::{
    component::{
        file_list::{List, Row},
        pane::Pane,
        selection::Key,
        stored::Standing,
    },
    dom,
    store::Stores,
};

/// Which folder: of a machine, and there of a root; without that the machine's top.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) machine: DeviceId,
    pub(super) place: Option<(RootId, RootPath)>,
}

/// What the rows are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing is here yet.
    Reading,
    /// As the machine told just now.
    Live,
    /// As this browser last read it.
    AsOf(Timestamp),
    /// The machine is away, and this browser never read it.
    Unseen,
    /// It could not be read.
    Failed(Refusal),
}

/// What went wrong with something that was asked for, above the list.
#[derive(Debug, Clone)]
pub(super) struct Trouble {
    /// What did not happen.
    pub(super) title: String,
    /// Why, and what to do.
    pub(super) says: String,
    /// The words of the button that helps, and what it does.
    pub(super) help: Option<(&'static str, Callback<()>)>,
}

/// What outlives a single folder: how lists are sorted, whether the details are shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Habits {
    pub(super) sort: RwSignal<(SortKey, Direction)>,
    pub(super) pane: Pane,
}

/// A folder; all of it are signals.
#[derive(Debug, Clone, Copy)]
pub(super) struct Folder {
    pub(super) stores: Stores,
    machine: DeviceId,
    spot: StoredValue<Spot>,
    pub(super) list: List,
    pub(super) habits: Habits,
    pub(super) slots: RwSignal<Slots>,
    pub(super) phase: RwSignal<Phase>,
    /// Whether the machine is being asked.
    pub(super) reading: RwSignal<bool>,
    /// Grows when the folder is to be read again.
    pub(super) again: RwSignal<u32>,
    pub(super) filter: RwSignal<String>,
    /// Whether the keyboard is to be in the field of the filter, though rows are chosen.
    pub(super) filtering: RwSignal<bool>,
    /// Indices of the rows that the filter leaves; all of them without one.
    pub(super) shown: Memo<Option<Arc<Vec<usize>>>>,
    /// The rows that exist.
    pub(super) visible: RwSignal<(usize, usize)>,
    pub(super) standings: Standings,
    pub(super) sync: Sync,
    pub(super) trouble: RwSignal<Option<Trouble>>,
    /// The machine's row of the control list.
    pub(super) view: Memo<Option<DeviceView>>,
    pub(super) online: Memo<bool>,
}

impl Folder {
    pub(super) fn new(stores: Stores, spot: Spot, habits: Habits) -> Self {
        let machine = spot.machine;
        let slots = RwSignal::new(Slots::default());
        let filter = RwSignal::new(String::new());
        let shown = Memo::new(move |_| {
            let wanted = filter.with(|filter| filter.trim().to_lowercase());
            (!wanted.is_empty()).then(|| slots.with(|slots| Arc::new(matching(slots, &wanted))))
        });
        let view = Memo::new(move |_| stores.devices.get(machine));
        Self {
            stores,
            machine,
            spot: StoredValue::new(spot.clone()),
            list: List::new(),
            habits,
            slots,
            phase: RwSignal::new(Phase::Reading),
            reading: RwSignal::new(false),
            again: RwSignal::new(0),
            filter,
            filtering: RwSignal::new(false),
            shown,
            visible: RwSignal::new((0, 0)),
            standings: Standings::new(stores, spot),
            sync: Sync::new(),
            trouble: RwSignal::new(None),
            view,
            online: Memo::new(move |_| view.with(|view| view.as_ref().is_some_and(|view| view.online))),
        }
    }

    /// Gives the keyboard to the field of the filter.
    pub(super) fn open_filter(self) {
        self.filtering.set(true);
        leptos::task::spawn_local(async {
            leptos::task::tick().await;
            dom::focus(".toolbar input");
        });
    }

    pub(super) fn spot(self) -> Spot {
        self.spot.get_value()
    }

    pub(super) fn machine(self) -> DeviceId {
        self.machine
    }

    /// Whether the page still shows this folder.
    pub(super) fn is_there(self) -> bool {
        !self.phase.is_disposed()
    }

    pub(super) fn machine_name(self) -> String {
        self.view
            .with(|view| view.as_ref().map(|view| view.name.to_string()))
            .unwrap_or_default()
    }

    /// How many rows there are after filtering; tracked.
    pub(super) fn count(self) -> usize {
        match self.shown.get() {
            Some(shown) => shown.len(),
            None => self.slots.with(Slots::len),
        }
    }

    /// The item of a row; tracked.
    pub(super) fn item(self, index: usize) -> Option<Arc<Item>> {
        let index = match self.shown.get() {
            Some(shown) => *shown.get(index)?,
            None => index,
        };
        self.slots.with(|slots| slots.get(index).cloned())
    }

    pub(super) fn row(self, index: usize) -> Option<Row> {
        self.item(index).map(|item| item.row())
    }

    /// The items of these rows, filtered or not; not tracked.
    pub(super) fn items(self, keys: &[Key]) -> Vec<Arc<Item>> {
        let keys: std::collections::HashSet<&Key> = keys.iter().collect();
        self.slots.with_untracked(|slots| {
            let chosen = slots.items().filter(|(_, item)| keys.contains(&item.key));
            chosen.map(|(_, item)| Arc::clone(item)).collect()
        })
    }

    /// The item that has the list's focus; tracked.
    pub(super) fn active(self) -> Option<Arc<Item>> {
        let key = self.list.active.get()?;
        self.slots.with(|slots| {
            slots
                .items()
                .find(|(_, item)| item.key == key)
                .map(|(_, item)| Arc::clone(item))
        })
    }

    /// How an item stands to the drive, with what is under way for it; tracked.
    pub(super) fn standing(self, item: &Item) -> Option<Standing> {
        let address = self.spot.with_value(|spot| item.address(spot.place.as_ref()));
        self.standings.of(item, address.as_ref())
    }
}

fn matching(slots: &Slots, wanted: &str) -> Vec<usize> {
    let fits = |item: &Item| item.label().to_lowercase().contains(wanted);
    slots
        .items()
        .filter(|(_, item)| fits(item))
        .map(|(index, _)| index)
        .collect()
}

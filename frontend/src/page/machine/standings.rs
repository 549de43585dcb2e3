//! How the rows in view stand to the drive: the machine's listing beside the server's heads, and where those prove
//! nothing the machine's own index. What is not known is never drawn as safe.

mod ask;

use std::{collections::HashMap, sync::Arc};

use beckon_shared::{
    entry::InDrive,
    id::{RootId, TransferId},
    path::RootPath,
    transfer::{Hold, TransferView},
};
use leptos::{prelude::*, task::spawn_local};

use super::{
    folder::{Folder, Spot},
    item::Item,
};
use crate::{
    component::{selection::Key, stored::Standing},
    dom, order,
    store::Stores,
};

/// Rows that come into view one after the other are asked for together. Milliseconds.
const GATHER_MS: u32 = 60;
/// After changes in the drive the rows are compared again no more often than this. Milliseconds.
const REST_MS: u32 = 500;

/// What was found of a row, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Found {
    state: InDrive,
    /// Of the entry that was compared.
    version: u64,
    /// The drive's state that it was compared with.
    epoch: u64,
}

/// A transfer of this machine that is not over.
#[derive(Debug, Clone, PartialEq, Eq)]
struct UnderWay {
    id: TransferId,
    root: String,
    percent: Option<u8>,
    waits: bool,
}

/// What is known of the rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standings {
    found: RwSignal<HashMap<Key, Found>>,
    /// Grows when what was found may be old.
    epoch: RwSignal<u64>,
    under_way: Memo<Vec<UnderWay>>,
    root_names: Memo<Vec<(RootId, String)>>,
    /// Whether rows are being compared.
    busy: StoredValue<bool>,
}

impl Standings {
    pub(super) fn new(stores: Stores, spot: Spot) -> Self {
        let machine = spot.machine;
        let under_way = Memo::new(move |_| {
            let mut all = stores.transfers.all();
            all.retain(|view| view.device == machine && !view.state.is_over());
            all.iter().map(UnderWay::of).collect()
        });
        let root_names = Memo::new(move |_| {
            let roots = stores.devices.get(machine).map(|view| view.roots).unwrap_or_default();
            roots.into_iter().map(|root| (root.id, root.name.to_string())).collect()
        });
        Self {
            found: RwSignal::default(),
            epoch: RwSignal::new(0),
            under_way,
            root_names,
            busy: StoredValue::new(false),
        }
    }

    /// How a row stands; nothing while that is awaited. Tracked.
    pub(super) fn of(self, item: &Item, address: Option<&(RootId, RootPath)>) -> Option<Standing> {
        let state = self.found.with(|found| found.get(&item.key).map(|found| found.state));
        if matches!(state, Some(InDrive::Safe | InDrive::Never)) {
            return state.map(Standing::Settled);
        }
        let is_told = state == Some(InDrive::Uploading);
        let covering = address.and_then(|(root, path)| self.covering(*root, path, is_told));
        covering.or_else(|| state.map(Standing::Settled))
    }

    /// The transfer that covers an entry: one that was ordered here, or the only one of the root, if the machine says that there is one.
    fn covering(self, root: RootId, path: &RootPath, is_told: bool) -> Option<Standing> {
        self.under_way.with(|all| {
            let known = all.iter().find(|one| order::covers(one.id, root, path) == Some(true));
            let name = self.root_name(root);
            let mut others = all.iter().filter(|one| Some(&one.root) == name.as_ref());
            let only = match (is_told, others.next(), others.next()) {
                (true, Some(only), None) => Some(only),
                _ => None,
            };
            known.or(only).map(UnderWay::standing)
        })
    }

    fn root_name(self, root: RootId) -> Option<String> {
        self.root_names
            .with(|names| names.iter().find(|(id, _)| *id == root).map(|(_, name)| name.clone()))
    }

    /// Whether a transfer of the root is under way, so that only the machine knows what it covers. Not tracked.
    fn is_busy(self, root: RootId) -> bool {
        let name = untrack(|| self.root_name(root));
        self.under_way
            .with_untracked(|all| all.iter().any(|one| Some(&one.root) == name.as_ref()))
    }

    /// What was known when the folder was last read here.
    pub(super) fn recall(self, states: impl Iterator<Item = (Arc<Item>, InDrive)>) {
        self.found.update(|found| {
            for (item, state) in states {
                let recalled = Found {
                    state,
                    version: item.version(),
                    epoch: u64::MAX,
                };
                found.entry(item.key.clone()).or_insert(recalled);
            }
        });
    }

    /// How a row stood when it was last compared; not tracked.
    pub(super) fn peek(self, key: &Key) -> Option<InDrive> {
        self.found
            .with_untracked(|found| found.get(key).map(|found| found.state))
    }
}

impl UnderWay {
    fn of(view: &TransferView) -> Self {
        let progress = &view.progress;
        let percent = (progress.walked && progress.bytes_total > 0)
            .then(|| (progress.bytes_done.min(progress.bytes_total) * 100 / progress.bytes_total).min(99) as u8);
        Self {
            id: view.id,
            root: view.root.clone(),
            percent,
            waits: view.hold != Hold::None,
        }
    }

    fn standing(&self) -> Standing {
        if self.waits {
            Standing::Waiting(self.percent)
        } else {
            Standing::Uploading(self.percent)
        }
    }
}

/// Compares the rows in view, again when they, the drive or a transfer change.
pub(super) fn follow(folder: Folder) {
    let standings = folder.standings;
    let moved = Memo::new(move |_| {
        standings
            .under_way
            .with(|all| all.iter().map(|one| (one.id, one.waits)).collect::<Vec<_>>())
    });
    Effect::new(move |before: Option<()>| {
        folder.stores.drive.track();
        // A memo that nobody reads is never worked out, and tells nobody.
        moved.with(|_| ());
        if before.is_some() {
            standings.epoch.update(|epoch| *epoch += 1);
        }
    });
    Effect::new(move || {
        folder.visible.track();
        folder.slots.track();
        folder.shown.with(|_| ());
        folder.list.active.track();
        folder.online.with(|_| ());
        standings.epoch.track();
        if !standings.busy.get_value() {
            standings.busy.set_value(true);
            spawn_local(compare(folder));
        }
    });
}

async fn compare(folder: Folder) {
    let standings = folder.standings;
    dom::sleep(GATHER_MS).await;
    while folder.is_there() {
        let epoch = standings.epoch.get_untracked();
        let items = open(folder, epoch);
        if items.is_empty() {
            standings.busy.set_value(false);
            return;
        }
        let asked = ask::ask(folder, &items, standings).await;
        if !folder.is_there() {
            return;
        }
        standings.take(&items, asked, epoch);
        dom::sleep(REST_MS).await;
    }
}

/// The rows in view that were not compared with the drive as it is.
fn open(folder: Folder, epoch: u64) -> Vec<Arc<Item>> {
    let (first, end) = folder.visible.get_untracked();
    let is_open = |item: &Arc<Item>| {
        folder.standings.found.with_untracked(|found| {
            found
                .get(&item.key)
                .is_none_or(|found| found.epoch != epoch || found.version != item.version())
        })
    };
    untrack(|| {
        let seen = (first..end).filter_map(|index| folder.item(index));
        seen.chain(folder.active()).filter(is_open).take(ask::MAX).collect()
    })
}

impl Standings {
    /// What could not be told stays as it was, or is not known.
    fn take(self, items: &[Arc<Item>], states: Vec<Option<InDrive>>, epoch: u64) {
        self.found.update(|found| {
            for (item, state) in items.iter().zip(states) {
                let version = item.version();
                let before = found.get(&item.key).filter(|before| before.version == version);
                let state = state.or(before.map(|before| before.state)).unwrap_or(InDrive::Unknown);
                found.insert(item.key.clone(), Found { state, version, epoch });
            }
        });
    }
}

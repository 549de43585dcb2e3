//! How the rows in view stand to the drive: the machine's listing beside the server's heads, and where those prove
//! nothing the machine's own index. What is not known is never drawn as safe.

mod ask;

use std::{collections::HashMap, sync::Arc};

use beckon_shared::{
    entry::InDrive,
    id::{NodeId, RootId, TransferId},
    path::RootPath,
    transfer::{Hold, TransferView},
};
use leptos::{prelude::*, task::spawn_local};

use self::ask::Told;
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
/// Comparing again without being asked takes at most one part in so many of the time: a machine may have to walk through
/// large folders for it.
const SHARE: f64 = 10.0;
/// It rests no longer than this in between. Milliseconds.
const REST_MAX_MS: f64 = 300_000.0;

/// What was found of a row, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Found {
    state: InDrive,
    /// What the drive holds of it, where its head was read.
    node: Option<NodeId>,
    /// Of the entry that was compared.
    version: u64,
    /// The drive's state that it was compared with.
    epoch: u64,
}

/// A transfer of this machine that is not over.
#[derive(Debug, Clone, PartialEq, Eq)]
struct UnderWay {
    id: TransferId,
    root: RootId,
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
    /// Whether rows are being compared.
    busy: StoredValue<bool>,
    /// Before this moment of the browser's clock nothing is compared again without being asked.
    rests_until: StoredValue<f64>,
}

impl Standings {
    pub(super) fn new(stores: Stores, spot: Spot) -> Self {
        let machine = spot.machine;
        let under_way = Memo::new(move |_| {
            let mut all = stores.transfers.all();
            // What is written there, or up to date, is nothing on its way into the drive.
            let is_moving = |view: &TransferView| !view.task.writes() && view.hold != Hold::Current;
            all.retain(|view| view.device == machine && !view.state.is_over() && is_moving(view));
            all.iter().map(UnderWay::of).collect()
        });
        Self {
            found: RwSignal::default(),
            epoch: RwSignal::new(0),
            under_way,
            busy: StoredValue::new(false),
            rests_until: StoredValue::new(0.0),
        }
    }

    /// How a row stands; nothing while that is awaited. Tracked.
    pub(super) fn of(self, item: &Item, address: Option<&(RootId, RootPath)>) -> Option<Standing> {
        let state = self.found.with(|found| Some(found.get(&item.key)?.of(item)?.state));
        if matches!(state, Some(InDrive::Safe | InDrive::Never | InDrive::Ignored)) {
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
            let mut others = all.iter().filter(|one| one.root == root);
            let only = match (is_told, others.next(), others.next()) {
                (true, Some(only), None) => Some(only),
                _ => None,
            };
            known.or(only).map(UnderWay::standing)
        })
    }

    /// What was known when the folder was last read here.
    pub(super) fn recall(self, states: impl Iterator<Item = (Arc<Item>, InDrive)>) {
        self.found.update(|found| {
            for (item, state) in states {
                let recalled = Found {
                    state,
                    node: None,
                    version: item.version(),
                    epoch: u64::MAX,
                };
                found.entry(item.key.clone()).or_insert(recalled);
            }
        });
    }

    /// How a row stood when it was last compared, if it is still the same; not tracked.
    pub(super) fn peek(self, item: &Item) -> Option<InDrive> {
        self.found
            .with_untracked(|found| Some(found.get(&item.key)?.of(item)?.state))
    }

    /// What the drive holds of a row, as far as that was told. Tracked.
    pub(super) fn node(self, item: &Item) -> Option<NodeId> {
        self.found.with(|found| found.get(&item.key)?.node)
    }

    /// What was found may be old: rows in view are compared again. Nothing tells of changes below a folder.
    pub(super) fn doubt(self) {
        self.epoch.update(|epoch| *epoch += 1);
    }

    /// The same without being asked for, unless the machine has just worked long for it.
    pub(super) fn doubt_now_and_then(self) {
        if js_sys::Date::now() >= self.rests_until.get_value() {
            self.doubt();
        }
    }
}

impl Found {
    /// What was found of another version says nothing of this one.
    fn of(&self, item: &Item) -> Option<&Self> {
        (self.version == item.version()).then_some(self)
    }
}

impl UnderWay {
    fn of(view: &TransferView) -> Self {
        let progress = &view.progress;
        let percent = (progress.walked && progress.bytes_total > 0)
            .then(|| (progress.bytes_done.min(progress.bytes_total) * 100 / progress.bytes_total).min(99) as u8);
        Self {
            id: view.id,
            root: view.root_id,
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
        folder.online.with(|_| ());
        if before.is_some() {
            standings.doubt();
        }
    });
    Effect::new(move || {
        folder.visible.track();
        folder.slots.track();
        folder.shown.with(|_| ());
        folder.list.active.track();
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
        let began = js_sys::Date::now();
        let told = ask::ask(folder, &items).await;
        if !folder.is_there() {
            return;
        }
        let now = js_sys::Date::now();
        let rest = ((now - began) * (SHARE - 1.0)).min(REST_MAX_MS);
        standings.rests_until.set_value(now + rest);
        standings.take(&items, told, epoch);
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
                .and_then(|found| found.of(item))
                .is_none_or(|found| found.epoch != epoch)
        })
    };
    untrack(|| {
        let seen = (first..end).filter_map(|index| folder.item(index));
        seen.chain(folder.active()).filter(is_open).take(ask::MAX).collect()
    })
}

impl Standings {
    /// What could not be told stays as it was, or is not known.
    fn take(self, items: &[Arc<Item>], told: Vec<Told>, epoch: u64) {
        self.found.maybe_update(|found| {
            let mut is_news = false;
            for (item, told) in items.iter().zip(told) {
                let before = found.get(&item.key);
                let node = told.node.or(before.and_then(|before| before.node));
                let state = before.and_then(|before| before.of(item)).map(|before| before.state);
                let fresh = Found {
                    state: told.state.or(state).unwrap_or(InDrive::Unknown),
                    node,
                    version: item.version(),
                    epoch,
                };
                is_news |= before.is_none_or(|before| Found { epoch, ..*before } != fresh);
                found.insert(item.key.clone(), fresh);
            }
            is_news
        });
    }
}

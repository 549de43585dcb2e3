//! What is on the screen: the rows of a folder, of what was stored last or of what was deleted; read in pages, kept current.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use beckon_shared::{
    api::drive::NodeView,
    entry::EntryKind,
    error::Refusal,
    id::NodeId,
    path::{Name, RootPath},
    time::Timestamp,
};
use leptos::prelude::*;

use super::{item::Item, order, remote};
use crate::{
    component::{file_list::Sorted, selection::Key},
    dom,
    store::Stores,
};

/// A drive that changes all the time is read again at most so often. Milliseconds.
const REST: u32 = 400;
/// More rows are shown when there are so many times as many as were shown before.
const GROWTH: usize = 4;

/// What the page is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// A folder, by its path from the top.
    Folder(RootPath),
    /// What was stored last.
    Recent,
    /// What can be restored.
    Deleted,
}

impl Place {
    /// The folder, if it is one.
    pub(super) fn folder(&self) -> Option<&RootPath> {
        match self {
            Self::Folder(path) => Some(path),
            Self::Recent | Self::Deleted => None,
        }
    }

    /// Where it lies below `Files`, if files can be put there.
    pub(super) fn below_files(&self) -> Option<RootPath> {
        let mut names = self.folder()?.names();
        let first = names.next()?;
        let inside = |path: RootPath, name: Name| path.join(&name).ok();
        (first.as_bytes() == remote::FILES).then(|| names.try_fold(RootPath::root(), inside))?
    }
}

/// How reading stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reading {
    /// Nothing is here yet.
    First,
    /// Some or all rows are here.
    Here,
    /// It could not be read.
    Failed(Refusal),
}

type Items = Arc<Vec<Arc<Item>>>;

/// The rows, and what is shown of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shelf {
    /// The folder itself.
    pub(super) node: RwSignal<Option<NodeView>>,
    pub(super) reading: RwSignal<Reading>,
    /// Whether all rows are here.
    pub(super) complete: RwSignal<bool>,
    pub(super) filter: RwSignal<String>,
    pub(super) sorted: RwSignal<Option<Sorted>>,
    items: RwSignal<Items>,
    shown: Memo<Arc<Vec<u32>>>,
    place: StoredValue<Place>,
    /// The time that is looked at; nothing for now.
    at: Option<Timestamp>,
    busy: StoredValue<bool>,
    dirty: StoredValue<bool>,
}

impl Shelf {
    /// Begins to read, and reads again whenever the drive changes.
    pub(super) fn new(stores: Stores, place: Place, at: Option<Timestamp>) -> Self {
        let items = RwSignal::new(Items::default());
        let filter = RwSignal::new(String::new());
        let by_name = Sorted {
            column: 0,
            descending: false,
        };
        let sorted = RwSignal::new(place.folder().map(|_| by_name));
        let shown =
            Memo::new(move |_| items.with(|items| Arc::new(arranged(stores, items, sorted.get(), &filter.read()))));
        let shelf = Self {
            node: RwSignal::new(None),
            reading: RwSignal::new(Reading::First),
            complete: RwSignal::new(false),
            filter,
            sorted,
            items,
            shown,
            place: StoredValue::new(place),
            at,
            busy: StoredValue::new(false),
            dirty: StoredValue::new(false),
        };
        Effect::new(move || {
            stores.drive.track();
            shelf.read_again();
        });
        shelf
    }

    /// How many rows are shown; tracked.
    pub(super) fn count(self) -> usize {
        self.shown.with(|shown| shown.len())
    }

    /// How many rows there are, shown or not; tracked.
    pub(super) fn total(self) -> usize {
        self.items.with(|items| items.len())
    }

    /// How many rows there are, unless the page was left; not tracked.
    pub(super) fn items_left(self) -> Option<usize> {
        self.items.try_with_untracked(|items| items.len())
    }

    /// Content bytes of all files that are shown; tracked.
    pub(super) fn bytes(self) -> u64 {
        self.items.with(|items| items.iter().map(|item| item.node.size).sum())
    }

    /// A row that is shown; tracked.
    pub(super) fn at(self, index: usize) -> Option<Arc<Item>> {
        let at = self.shown.with(|shown| shown.get(index).copied())?;
        self.items.with(|items| items.get(at as usize).cloned())
    }

    /// The rows of these keys, shown or not; tracked.
    pub(super) fn of_keys(self, keys: &[Key]) -> Vec<Arc<Item>> {
        let keys: HashSet<_> = keys.iter().collect();
        let wanted = |item: &&Arc<Item>| keys.contains(&item.key);
        self.items.with(|items| match keys.is_empty() {
            true => Vec::new(),
            false => items.iter().filter(wanted).cloned().collect(),
        })
    }

    /// How many of these keys the filter hides; tracked.
    pub(super) fn hidden(self, keys: &[Key]) -> usize {
        if self.filter.read().trim().is_empty() {
            return 0;
        }
        let filter = folded(&self.filter.read());
        let items = self.of_keys(keys);
        items
            .iter()
            .filter(|item| !folded(&item.label).contains(&filter))
            .count()
    }

    /// Takes rows away at once, before the server agrees; what is given back puts them in again.
    pub(super) fn take_away(self, keys: &[Key]) -> impl FnOnce() + use<> {
        let before = self.items.try_get_untracked();
        let keys: HashSet<_> = keys.iter().cloned().collect();
        self.items.update(|items| {
            let rest = items.iter().filter(|item| !keys.contains(&item.key));
            *items = Arc::new(rest.cloned().collect());
        });
        move || _ = before.and_then(|before| self.items.try_set(before))
    }

    /// Gives a row another name at once; what is given back takes the old one again.
    pub(super) fn rename(self, id: NodeId, name: &Name) -> impl FnOnce() + use<> {
        let before = self.items.get_untracked();
        self.items.update(|items| {
            let renamed = |item: &Arc<Item>| match item.node.id == id {
                true => item.renamed(name),
                false => item.clone(),
            };
            *items = Arc::new(items.iter().map(renamed).collect());
        });
        move || _ = self.items.try_set(before)
    }

    /// Reads everything again, once at a time; what is on the screen stays until then.
    pub(super) fn read_again(self) {
        match self.busy.try_get_value() {
            // The page was left, by whoever waited for an answer before.
            None => return,
            Some(true) => return self.dirty.set_value(true),
            Some(false) => {}
        }
        self.busy.set_value(true);
        leptos::task::spawn_local(async move {
            loop {
                let began = js_sys::Date::now();
                let read = self.read().await;
                // Whoever left the page meanwhile took the rows along.
                if self.busy.try_get_value().is_none() {
                    return;
                }
                self.settle(read);
                if !self.dirty.get_value() {
                    break;
                }
                self.dirty.set_value(false);
                let took = (js_sys::Date::now() - began) as u32;
                dom::sleep(REST.max(took.saturating_mul(2))).await;
                if self.busy.try_get_value().is_none() {
                    return;
                }
            }
            self.busy.set_value(false);
        });
    }

    fn settle(self, read: Result<(), Refusal>) {
        match read {
            Ok(()) if self.complete.get_untracked() => {}
            Ok(()) => {
                self.complete.set(true);
                self.reading.set(Reading::Here);
            }
            // What is on the screen stays; the banner of the page says that it may be old.
            Err(_) if self.complete.get_untracked() && self.total_untracked() > 0 => {}
            Err(refusal) => self.reading.set(Reading::Failed(refusal)),
        }
    }

    fn total_untracked(self) -> usize {
        self.items.with_untracked(|items| items.len())
    }

    async fn read(self) -> Result<(), Refusal> {
        let Some(place) = self.place.try_get_value() else {
            return Ok(());
        };
        match place {
            Place::Folder(path) => self.read_folder(&path).await,
            Place::Recent => {
                let rows = remote::recent().await?.rows;
                self.show(rows.into_iter().map(Item::of_row).collect());
                Ok(())
            }
            Place::Deleted => self.read_deleted().await,
        }
    }

    async fn read_folder(self, path: &RootPath) -> Result<(), Refusal> {
        let (mut items, mut after) = (Vec::new(), None);
        let mut shown = 0;
        loop {
            let page = remote::list(path, self.at, after.as_ref()).await?;
            let Some(complete) = self.complete.try_get_untracked() else {
                return Ok(());
            };
            if after.is_none() && self.node.try_set(page.node).is_some() {
                return Ok(());
            }
            items.extend(page.children.into_iter().map(Item::of));
            after = page.next;
            let is_last = after.is_none();
            if is_last || (!complete && items.len() >= shown * GROWTH) {
                items = order::by_name(self.as_before(items)).await;
                shown = items.len();
                self.show(items.clone());
            }
            if is_last || self.busy.try_get_value().is_none() {
                return Ok(());
            }
        }
    }

    /// In the order that they were in, with new ones behind: most often that is nearly the right one.
    fn as_before(self, items: Vec<Arc<Item>>) -> Vec<Arc<Item>> {
        let Some(before) = self.items.try_get_untracked() else {
            return items;
        };
        let places: HashMap<_, _> = before.iter().enumerate().map(|(at, item)| (item.node.id, at)).collect();
        let mut items = items;
        items.sort_by_key(|item| places.get(&item.node.id).copied().unwrap_or(usize::MAX));
        items
    }

    async fn read_deleted(self) -> Result<(), Refusal> {
        let (mut items, mut after) = (Vec::new(), None);
        loop {
            let page = remote::deleted(after).await?;
            items.extend(page.rows.into_iter().map(Item::of_row));
            after = page.next;
            if after.is_none() || self.busy.try_get_value().is_none() {
                self.show(items);
                return Ok(());
            }
        }
    }

    fn show(self, items: Vec<Arc<Item>>) {
        let same = self.items.try_with_untracked(|old| **old == items);
        if same == Some(false) {
            self.items.set(Arc::new(items));
        }
        if self.reading.try_with_untracked(|reading| *reading != Reading::Here) == Some(true) {
            self.reading.set(Reading::Here);
        }
    }
}

/// Places of the items that are shown, in their order. The items stand in the order of their names.
fn arranged(stores: Stores, items: &Items, sorted: Option<Sorted>, filter: &str) -> Vec<u32> {
    let filter = folded(filter.trim());
    let passes = |item: &Arc<Item>| filter.is_empty() || folded(&item.label).contains(&filter);
    let places = items.iter().enumerate().filter(|(_, item)| passes(item));
    let mut places: Vec<u32> = places.map(|(at, _)| at as u32).collect();
    let Some(sorted) = sorted else { return places };
    let item = |at: &u32| &items[*at as usize];
    if sorted.descending {
        places.reverse();
    }
    match sorted.column {
        1 => sort(&mut places, sorted, |at| from(stores, &item(at).node)),
        2 => sort(&mut places, sorted, |at| item(at).node.versions),
        3 => sort(&mut places, sorted, |at| item(at).node.stored),
        4 => sort(&mut places, sorted, |at| item(at).node.size),
        _ => {}
    }
    places.sort_by_key(|at| item(at).node.kind != EntryKind::Folder);
    places
}

fn sort<K: Ord>(places: &mut [u32], sorted: Sorted, key: impl Fn(&u32) -> K) {
    match sorted.descending {
        true => places.sort_by_cached_key(|at| std::cmp::Reverse(key(at))),
        false => places.sort_by_cached_key(key),
    }
}

/// The name of the device that a node came from; not tracked: rows do not move when a device is renamed.
fn from(stores: Stores, node: &NodeView) -> String {
    let view = node.device.and_then(|device| stores.devices.peek(device));
    view.map(|view| view.name.to_string()).unwrap_or_default()
}

fn folded(text: &str) -> String {
    text.to_lowercase()
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    fn folder(path: &str) -> Place {
        Place::Folder(RootPath::new(path).unwrap())
    }

    #[wasm_bindgen_test]
    fn files_are_put_below_the_folder_files_only() {
        let below = |path: &str| folder(path).below_files().map(|path| path.display());
        assert_eq!(below("Files").as_deref(), Some(""));
        assert_eq!(below("Files/Photos/2026").as_deref(), Some("Photos/2026"));
        assert_eq!(below(""), None);
        assert_eq!(below("office-pc/Files"), None);
        assert_eq!(Place::Recent.below_files(), None);
    }
}

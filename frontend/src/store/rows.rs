//! A list as the server tells it, in snapshots and changes: each row is a signal of its own, so that a change draws one
//! row anew.

use std::collections::{BTreeMap, BTreeSet};

use beckon_shared::wire::{Part, Place};
use leptos::prelude::*;

/// Something that stands in such a list.
pub(super) trait Row: Clone + Send + Sync + 'static {
    /// What names it.
    type Id: Copy + Ord + Send + Sync + 'static;

    /// Its name.
    fn id(&self) -> Self::Id;

    /// Whether it is to stand where `old` stands.
    fn replaces(&self, old: &Self) -> bool;
}

/// The rows, by their names.
#[derive(Debug)]
pub(super) struct Rows<R: Row> {
    rows: RwSignal<BTreeMap<R::Id, RwSignal<R>>>,
    /// Rows that the snapshot under way has not named yet.
    stale: StoredValue<BTreeSet<R::Id>>,
    /// Whether a whole snapshot has come since the page was opened.
    pub(super) known: RwSignal<bool>,
}

impl<R: Row> Clone for Rows<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R: Row> Copy for Rows<R> {}

impl<R: Row> Default for Rows<R> {
    fn default() -> Self {
        Self {
            rows: RwSignal::default(),
            stale: StoredValue::default(),
            known: RwSignal::new(false),
        }
    }
}

impl<R: Row> Rows<R> {
    /// Takes in a part of the list; twice does no harm.
    pub(super) fn take(self, part: Part<R>) {
        if matches!(part.place, Place::First | Place::Whole) {
            let all = self.rows.with_untracked(|rows| rows.keys().copied().collect());
            self.stale.set_value(all);
        }
        for row in part.rows {
            self.put(row);
        }
        if matches!(part.place, Place::Last | Place::Whole) {
            let gone = self.stale.try_update_value(std::mem::take).unwrap_or_default();
            if !gone.is_empty() {
                self.rows.update(|rows| rows.retain(|id, _| !gone.contains(id)));
            }
            self.known.set(true);
        }
    }

    /// Takes in one row.
    pub(super) fn put(self, new: R) {
        let id = new.id();
        self.stale.update_value(|stale| {
            stale.remove(&id);
        });
        match self.peek(id) {
            Some(row) if row.with_untracked(|old| !new.replaces(old)) => {}
            Some(row) => row.set(new),
            // Made outside any component, so it lives as long as the store does.
            None => self.rows.update(|rows| {
                rows.insert(id, RwSignal::new(new));
            }),
        }
    }

    /// A row; tracks only whether it is there.
    pub(super) fn get(self, id: R::Id) -> Option<RwSignal<R>> {
        self.rows.with(|rows| rows.get(&id).copied())
    }

    /// A row, untracked.
    pub(super) fn peek(self, id: R::Id) -> Option<RwSignal<R>> {
        self.rows.with_untracked(|rows| rows.get(&id).copied())
    }

    /// All rows by their names; tracks coming and going, not each row.
    pub(super) fn all(self) -> Vec<RwSignal<R>> {
        self.rows.with(|rows| rows.values().copied().collect())
    }

    /// As it was in the beginning.
    pub(super) fn forget(self) {
        self.rows.update(BTreeMap::clear);
        self.known.set(false);
    }
}

//! The rows of a folder while they come: each has its place from the first page on.

use std::{ops::Range, sync::Arc};

use beckon_shared::browse::Page;

use super::item::Item;

/// One place in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Slot {
    /// Not read yet.
    Waiting,
    /// It vanished between the look at the names and the look at the entry.
    Gone,
    Here(Arc<Item>),
}

/// A listing, as much of it as is here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Slots {
    slots: Vec<Slot>,
    /// No place before this one waits.
    read: usize,
}

impl Slots {
    /// Of so many entries, none of which is here.
    pub(super) fn of(total: usize) -> Self {
        Self {
            slots: vec![Slot::Waiting; total],
            read: 0,
        }
    }

    /// All of these, and no others.
    pub(super) fn whole(items: impl IntoIterator<Item = Arc<Item>>) -> Self {
        let slots: Vec<Slot> = items.into_iter().map(Slot::Here).collect();
        Self {
            read: slots.len(),
            slots,
        }
    }

    /// Takes in a page.
    pub(super) fn place(&mut self, page: Page) {
        let range = self.clamp(page.offset as usize..page.next as usize);
        let mut items = page.entries.into_iter().map(Item::of_entry);
        for slot in &mut self.slots[range] {
            *slot = items.next().map_or(Slot::Gone, Slot::Here);
        }
        while self.slots.get(self.read).is_some_and(|slot| *slot != Slot::Waiting) {
            self.read += 1;
        }
        if self.is_complete() {
            self.slots.retain(|slot| *slot != Slot::Gone);
            self.read = self.slots.len();
        }
    }

    /// From where to read next: what somebody looks at comes first.
    pub(super) fn wanted(&self, looked_at: Range<usize>) -> Option<usize> {
        let range = self.clamp(looked_at);
        let start = range.start;
        let seen = self.slots[range].iter().position(|slot| *slot == Slot::Waiting);
        seen.map(|at| start + at)
            .or_else(|| (!self.is_complete()).then_some(self.read))
    }

    fn clamp(&self, range: Range<usize>) -> Range<usize> {
        let end = range.end.min(self.slots.len());
        range.start.min(end)..end
    }

    pub(super) fn is_complete(&self) -> bool {
        self.read >= self.slots.len()
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn get(&self, index: usize) -> Option<&Arc<Item>> {
        match self.slots.get(index)? {
            Slot::Here(item) => Some(item),
            _ => None,
        }
    }

    /// The items that are here, with their places.
    pub(super) fn items(&self) -> impl Iterator<Item = (usize, &Arc<Item>)> {
        self.slots.iter().enumerate().filter_map(|(index, slot)| match slot {
            Slot::Here(item) => Some((index, item)),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use beckon_shared::{
        entry::{Entry, EntryKind, SourceStamp},
        path::Name,
    };
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    fn page(offset: u64, next: u64, names: &[&str]) -> Page {
        let stamp = SourceStamp {
            size: 1,
            mtime_ns: 0,
            ctime_ns: 0,
            file_id: 0,
        };
        let entry = |name: &&str| Entry {
            name: Name::new(name.as_bytes()).unwrap(),
            kind: EntryKind::File,
            stamp,
            target: None,
        };
        Page {
            snapshot: 1,
            total: 10,
            offset,
            entries: names.iter().map(entry).collect(),
            next,
        }
    }

    #[wasm_bindgen_test]
    fn what_is_looked_at_is_read_first() {
        let mut slots = Slots::of(10);
        slots.place(page(0, 2, &["a", "b"]));
        assert_eq!(slots.wanted(0..2), Some(2));
        assert_eq!(slots.wanted(6..9), Some(6));
        slots.place(page(6, 10, &["g", "h", "i", "j"]));
        assert_eq!(slots.wanted(6..9), Some(2));
        assert_eq!(slots.wanted(90..99), Some(2));
        assert!(slots.get(4).is_none() && slots.get(7).is_some());
    }

    #[wasm_bindgen_test]
    fn what_vanished_leaves_no_hole_once_all_is_read() {
        let mut slots = Slots::of(4);
        slots.place(page(0, 3, &["a", "b"]));
        assert_eq!((slots.len(), slots.wanted(0..4)), (4, Some(3)));
        slots.place(page(3, 4, &["d"]));
        assert!(slots.is_complete());
        assert_eq!((slots.len(), slots.wanted(0..4)), (3, None));
    }

    #[wasm_bindgen_test]
    fn a_page_beyond_the_end_does_no_harm() {
        let mut slots = Slots::of(2);
        slots.place(page(1, 9, &["b", "c", "d"]));
        slots.place(page(7, 9, &["x"]));
        assert_eq!((slots.len(), slots.is_complete()), (2, false));
    }
}

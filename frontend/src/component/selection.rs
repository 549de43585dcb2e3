//! Which rows of a list are chosen: by their ids, not by their places, so that it survives sorting and live changes.

use std::{collections::HashSet, sync::Arc};

use leptos::prelude::*;

/// A row's id: a name's bytes, a node's id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key(Arc<[u8]>);

impl Key {
    /// Of these bytes.
    pub(crate) fn new(bytes: &[u8]) -> Self {
        Self(Arc::from(bytes))
    }
}

/// The chosen rows of one list.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Selection {
    marks: RwSignal<Marks>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Marks {
    chosen: HashSet<Key>,
    /// From where a range is drawn.
    anchor: Option<Key>,
}

impl Marks {
    fn only(&mut self, key: Key) {
        self.chosen.clear();
        self.chosen.insert(key.clone());
        self.anchor = Some(key);
    }

    fn toggle(&mut self, key: Key) {
        if !self.chosen.remove(&key) {
            self.chosen.insert(key.clone());
        }
        self.anchor = Some(key);
    }

    /// A range takes the place of what was chosen, unless it is added to it. The anchor stays.
    fn range(&mut self, keys: Vec<Key>, add: bool) {
        if !add {
            self.chosen.clear();
        }
        self.chosen.extend(keys);
    }
}

impl Selection {
    /// Nothing is chosen.
    pub(crate) fn new() -> Self {
        Self {
            marks: RwSignal::default(),
        }
    }

    /// How many rows are chosen; tracked.
    pub(crate) fn len(self) -> usize {
        self.marks.with(|marks| marks.chosen.len())
    }

    /// Whether a row is chosen; tracked.
    pub(crate) fn has(self, key: &Key) -> bool {
        self.marks.with(|marks| marks.chosen.contains(key))
    }

    /// The chosen rows, in no order; tracked.
    pub(crate) fn keys(self) -> Vec<Key> {
        self.marks.with(|marks| marks.chosen.iter().cloned().collect())
    }

    /// The chosen rows, in no order; not tracked.
    pub(crate) fn peek(self) -> Vec<Key> {
        self.marks
            .with_untracked(|marks| marks.chosen.iter().cloned().collect())
    }

    /// Whether a row is chosen; not tracked.
    pub(crate) fn peek_has(self, key: &Key) -> bool {
        self.marks.with_untracked(|marks| marks.chosen.contains(key))
    }

    /// Chooses one row and no other.
    pub(crate) fn only(self, key: Key) {
        self.marks.update(|marks| marks.only(key));
    }

    /// Chooses a row, or no longer.
    pub(crate) fn toggle(self, key: Key) {
        self.marks.update(|marks| marks.toggle(key));
    }

    /// Chooses nothing.
    pub(crate) fn clear(self) {
        self.marks.set(Marks::default());
    }

    /// Forgets rows that are gone.
    pub(crate) fn retain(self, keep: &dyn Fn(&Key) -> bool) {
        let has_gone = |marks: &Marks| marks.chosen.iter().any(|key| !keep(key));
        if self.marks.with_untracked(has_gone) {
            self.marks.update(|marks| marks.chosen.retain(|key| keep(key)));
        }
    }

    /// Where a range is drawn from.
    pub(super) fn anchor(self) -> Option<Key> {
        self.marks.with_untracked(|marks| marks.anchor.clone())
    }

    /// A range is drawn from here.
    pub(super) fn set_anchor(self, key: Key) {
        self.marks.update_untracked(|marks| marks.anchor = Some(key));
    }

    /// Chooses a range of rows.
    pub(super) fn range(self, keys: Vec<Key>, add: bool) {
        self.marks.update(|marks| marks.range(keys, add));
    }
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    fn keys(names: &str) -> Vec<Key> {
        names
            .chars()
            .map(|name| Key::new(name.to_string().as_bytes()))
            .collect()
    }

    fn chosen(marks: &Marks) -> String {
        let mut names: Vec<&str> = marks
            .chosen
            .iter()
            .filter_map(|key| std::str::from_utf8(&key.0).ok())
            .collect();
        names.sort_unstable();
        names.concat()
    }

    fn key(name: &str) -> Key {
        Key::new(name.as_bytes())
    }

    #[wasm_bindgen_test]
    fn a_click_chooses_one_row_and_a_check_toggles() {
        let mut marks = Marks::default();
        marks.only(key("a"));
        marks.only(key("b"));
        assert_eq!(chosen(&marks), "b");
        marks.toggle(key("d"));
        assert_eq!(chosen(&marks), "bd");
        marks.toggle(key("b"));
        assert_eq!(chosen(&marks), "d");
    }

    #[wasm_bindgen_test]
    fn a_range_takes_the_place_of_what_was_chosen_and_keeps_its_anchor() {
        let mut marks = Marks::default();
        marks.only(key("a"));
        marks.toggle(key("c"));
        marks.range(keys("cdef"), false);
        assert_eq!(chosen(&marks), "cdef");
        marks.range(keys("bc"), false);
        assert_eq!(chosen(&marks), "bc");
        assert_eq!(marks.anchor, Some(key("c")));
        marks.range(keys("ef"), true);
        assert_eq!(chosen(&marks), "bcef");
    }
}

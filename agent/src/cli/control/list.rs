//! A list that the server tells and keeps up to date.

use std::collections::BTreeMap;

use beckon_shared::wire::{Part, Place};

/// A list that came as a snapshot and is kept by changes.
pub(super) struct List<K, V> {
    pub(super) rows: BTreeMap<K, V>,
    pub(super) whole: bool,
}

impl<K, V> Default for List<K, V> {
    fn default() -> Self {
        Self {
            rows: BTreeMap::new(),
            whole: false,
        }
    }
}

impl<K: Ord, V: Clone> List<K, V> {
    /// Takes a part in; gives the changed rows back, unless it belongs to a snapshot.
    pub(super) fn take(
        &mut self,
        part: Part<V>,
        key: impl Fn(&V) -> K,
        is_news: impl Fn(&V, &V) -> bool,
    ) -> Option<Vec<V>> {
        if matches!(part.place, Place::First | Place::Whole) {
            self.rows.clear();
        }
        let news: Vec<V> = part
            .rows
            .into_iter()
            .filter(|row| self.rows.get(&key(row)).is_none_or(|old| is_news(old, row)))
            .collect();
        self.rows.extend(news.iter().map(|row| (key(row), row.clone())));
        match part.place {
            Place::Last | Place::Whole => self.whole = true,
            Place::First | Place::Middle => {}
            Place::Change => return Some(news).filter(|news| !news.is_empty()),
        }
        None
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for List<K, V> {
    /// A list that nobody keeps up to date.
    fn from_iter<I: IntoIterator<Item = (K, V)>>(rows: I) -> Self {
        Self {
            rows: rows.into_iter().collect(),
            whole: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(place: Place, rows: &[(u8, u64)]) -> Part<(u8, u64)> {
        Part {
            place,
            rows: rows.to_vec(),
        }
    }

    fn take(list: &mut List<u8, (u8, u64)>, part: Part<(u8, u64)>) -> Option<Vec<(u8, u64)>> {
        list.take(part, |row| row.0, |old, new| new.1 >= old.1)
    }

    #[test]
    fn a_list_is_whole_after_the_last_part_and_then_takes_changes() {
        let mut list = List::default();
        assert_eq!(take(&mut list, part(Place::First, &[(1, 1)])), None);
        assert!(!list.whole);
        assert_eq!(take(&mut list, part(Place::Last, &[(2, 1)])), None);
        assert!(list.whole);
        assert_eq!(take(&mut list, part(Place::Change, &[(2, 2)])), Some(vec![(2, 2)]));
        assert_eq!(take(&mut list, part(Place::Change, &[(2, 1)])), None, "old news");
        assert_eq!(list.rows.into_values().collect::<Vec<_>>(), [(1, 1), (2, 2)]);
    }

    #[test]
    fn a_new_snapshot_forgets_what_it_does_not_name() {
        let mut list = List::default();
        take(&mut list, part(Place::Whole, &[(1, 5), (2, 5)]));
        take(&mut list, part(Place::Whole, &[(2, 1)]));
        assert_eq!(list.rows.into_values().collect::<Vec<_>>(), [(2, 1)]);
    }
}

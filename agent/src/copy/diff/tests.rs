//! Differences beside a copy that does naively what it is told.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::copy::{
    chain::tests::{moved, path, put, remove, transfer},
    want::tests::{Model, all, commits, desired, kind, possible, take},
};

/// A copy in memory.
#[derive(Debug, Default)]
struct Copy(Model);

impl Rows for Copy {
    fn row(&self, path: &RootPath) -> Result<Option<Hash>, Refusal> {
        Ok(self.0.0.get(path).copied())
    }

    fn page(&self, below: &RootPath, after: Option<&RootPath>, max: usize) -> Result<Vec<(RootPath, Hash)>, Refusal> {
        let rows = self.0.0.iter();
        let rows = rows.filter(|(path, _)| below.holds(path) && *path != below && after.is_none_or(|at| *path > at));
        Ok(rows.take(max).map(|(path, at)| (path.clone(), *at)).collect())
    }
}

impl Copy {
    /// Where something moves to, files above it go.
    fn make_way(&mut self, change: &Change) {
        if let Change::Move { from, to } = change
            && self.0.0.keys().any(|one| from.holds(one))
        {
            self.0
                .0
                .retain(|one, at| one == to || !one.holds(to) || kind(at) != Kind::Leaf);
        }
        self.0.take(change);
    }

    /// Does everything that a difference asks for; how much that was.
    fn follow(&mut self, view: &View, mapping: &Mapping, dirty: &mut Dirty) -> usize {
        let structure = dirty.take_structure(mapping);
        structure.iter().for_each(|change| self.make_way(change));
        let mut steps = structure.len();
        let mut cursor = dirty.wanted(mapping);
        loop {
            let puts = cursor.puts(view, self, mapping, 2).unwrap();
            if puts.is_empty() {
                break;
            }
            steps += puts.len();
            for Put { local, manifest, .. } in puts {
                self.0.take(&Change::Put { path: local, manifest });
            }
        }
        let mut cursor = dirty.written(mapping);
        loop {
            let removals = cursor.removals(view, self, mapping, 2).unwrap();
            if removals.is_empty() {
                break;
            }
            steps += removals.len();
            for path in removals {
                self.0.take(&Change::Remove { path });
            }
        }
        *dirty = Dirty::default();
        steps
    }
}

/// What a copy should hold.
fn expected(view: &View, mapping: &Mapping) -> BTreeMap<RootPath, Hash> {
    let rows = all(view).0.into_iter();
    rows.filter_map(|(path, at)| Some((mapping.local(&path)?, at)))
        .collect()
}

fn mapping(from: &str, to: &str) -> Mapping {
    Mapping {
        from: path(from),
        to: path(to),
    }
}

fn noted(changes: &[Change], kinds: &HashMap<Hash, Kind>) -> Dirty {
    let mut dirty = Dirty::default();
    changes.iter().for_each(|change| dirty.change(change, kinds));
    dirty
}

#[test]
fn a_moved_folder_is_one_step_and_what_makes_room_for_it_another() {
    let (desired, id) = (desired(), transfer(1));
    let mapping = mapping("", "copy");
    let mut copy = Copy::default();
    let first = [put("a", 2), put("a/b", 1), put("a/c", 3), put("d", 4)];
    take(&desired, id, 1, &first);
    assert_eq!(
        copy.follow(&desired.view(id).unwrap(), &mapping, &mut Dirty::whole()),
        4
    );
    let then = [remove("d"), moved("a", "d")];
    let kinds = take(&desired, id, 2, &then);
    let mut dirty = noted(&then, &kinds);
    let structure = dirty.clone().take_structure(&mapping);
    assert_eq!(structure, [remove("copy/d"), moved("copy/a", "copy/d")]);
    let view = desired.view(id).unwrap();
    assert_eq!(copy.follow(&view, &mapping, &mut dirty), 2);
    assert_eq!(copy.0.0, expected(&view, &mapping));
}

#[test]
fn what_moves_into_the_followed_folder_is_put_and_what_moves_out_is_removed() {
    let (desired, id) = (desired(), transfer(1));
    let mapping = mapping("a", "copy");
    let mut copy = Copy::default();
    take(&desired, id, 1, &[put("a", 2), put("b", 4), put("b/c", 1)]);
    assert_eq!(
        copy.follow(&desired.view(id).unwrap(), &mapping, &mut Dirty::whole()),
        1
    );
    for (number, (from, to, held)) in [("b", "a/b", 3), ("a/b", "z", 1)].into_iter().enumerate() {
        let changes = [moved(from, to)];
        let kinds = take(&desired, id, number as u64 + 2, &changes);
        let view = desired.view(id).unwrap();
        copy.follow(&view, &mapping, &mut noted(&changes, &kinds));
        assert_eq!(copy.0.0, expected(&view, &mapping));
        assert_eq!(copy.0.0.len(), held);
    }
}

#[test]
fn a_folder_that_nobody_put_goes_with_what_is_in_it_wherever_that_is_looked_for() {
    let (desired, id) = (desired(), transfer(1));
    let mapping = mapping("", "copy");
    take(&desired, id, 1, &[put("kept/b", 1)]);
    let view = desired.view(id).unwrap();
    for dirty in [
        Dirty::whole(),
        noted(&[remove("a/b/c"), remove("kept/a")], &HashMap::new()),
    ] {
        let mut copy = Copy::default();
        for file in ["copy/a/b/c", "copy/kept/a", "copy/kept/b"] {
            copy.0.take(&put(file, 1));
        }
        let removals = dirty.written(&mapping).removals(&view, &copy, &mapping, 9).unwrap();
        assert_eq!(removals, [path("copy/a"), path("copy/kept/a")]);
    }
}

#[test]
fn many_places_become_the_whole() {
    let mut dirty = Dirty::default();
    for at in 0..=PLACES_MAX {
        dirty.path(path(&format!("f{at}")));
    }
    assert!(dirty.is_whole() && dirty.at.is_empty());
    let changes = vec![moved("a", "b"); MOVES_MAX + 2];
    assert!(
        noted(&changes, &HashMap::new())
            .take_structure(&mapping("", ""))
            .is_empty()
    );
}

#[test]
fn one_followed_file_lies_at_the_place_itself() {
    let mapping = mapping("a/b", "copy/of b");
    assert_eq!(mapping.local(&path("a/b")), Some(path("copy/of b")));
    assert_eq!(mapping.local(&path("a/bc")), None);
    assert_eq!(mapping.origin(&path("copy/of b/x")), Some(path("a/b/x")));
    assert_eq!(
        super::Mapping {
            from: path(""),
            to: path("")
        }
        .local(&path("")),
        None
    );
}

proptest! {
    #[test]
    fn a_copy_that_looks_only_where_something_changed_holds_what_is_wanted(
        rounds in proptest::collection::vec(proptest::collection::vec(commits(), 1..4), 1..10),
        from in proptest::sample::select(vec!["", "a", "a/b"]),
        to in proptest::sample::select(vec!["", "copy", "c/a"]),
        lost in any::<u8>(),
    ) {
        let (desired, id, mapping) = (desired(), transfer(1), mapping(from, to));
        let mut copy = Copy::default();
        for (number, round) in rounds.iter().enumerate() {
            let mut dirty = Dirty::default();
            for commit in round {
                let commit = possible(&all(&desired.view(id).unwrap()), commit);
                let kinds = take(&desired, id, number as u64, &commit);
                dirty.merge(noted(&commit, &kinds));
            }
            // After a crash everything is compared.
            if number == usize::from(lost % 10) {
                dirty = Dirty::whole();
            }
            let view = desired.view(id).unwrap();
            copy.follow(&view, &mapping, &mut dirty);
            let expected = expected(&view, &mapping);
            let is_above = |path: &RootPath| expected.keys().any(|one| path.holds(one));
            let mut rows = copy.0.0.clone();
            // A folder that nobody puts any more stays as it is while something is wanted in it.
            rows.retain(|path, at| expected.contains_key(path) || kind(at) != Kind::Folder || !is_above(path));
            prop_assert_eq!(&rows, &expected);
            prop_assert_eq!(copy.follow(&view, &mapping, &mut Dirty::whole()), 0);
        }
    }
}

#[test]
fn kinds_of_the_tests_are_even_and_odd() {
    assert_eq!((kind(&Hash([2; 32])), kind(&Hash([1; 32]))), (Kind::Folder, Kind::Leaf));
}

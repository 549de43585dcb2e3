//! The state that commits lead to, beside a naive model of it.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::copy::chain::tests::{moved, path, put, remove, transfer};

/// Even manifests are folders.
pub(crate) fn kind(manifest: &Hash) -> Kind {
    match manifest.0[0] % 2 {
        0 => Kind::Folder,
        _ => Kind::Leaf,
    }
}

pub(crate) fn desired() -> Desired {
    Desired::open(Book::in_memory().unwrap()).unwrap()
}

/// What the root holds, by the words of the protocol.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Model(pub(crate) BTreeMap<RootPath, Hash>);

impl Model {
    pub(crate) fn take(&mut self, change: &Change) {
        match change {
            Change::Put { path, manifest } => {
                for folder in above(path) {
                    if self.0.get(&folder).is_some_and(|at| kind(at) == Kind::Leaf) {
                        self.0.remove(&folder);
                    }
                }
                if kind(manifest) == Kind::Leaf {
                    self.0.retain(|one, _| !path.holds(one));
                }
                self.0.insert(path.clone(), *manifest);
            }
            Change::Remove { path } => self.0.retain(|one, _| !path.holds(one)),
            Change::Move { from, .. } if !self.0.keys().any(|one| from.holds(one)) => {}
            Change::Move { from, to } => {
                self.0.retain(|one, _| !to.holds(one));
                let moved = self.0.clone().into_iter().filter(|(one, _)| from.holds(one));
                let moved: Vec<_> = moved.map(|(one, at)| (rebased(&one, from, to).unwrap(), at)).collect();
                self.0.retain(|one, _| !from.holds(one));
                self.0.extend(moved);
            }
        }
    }
}

/// Those of the changes that a device could make: what is moved goes into a folder.
pub(crate) fn possible(model: &Model, changes: &[Change]) -> Vec<Change> {
    let mut model = model.clone();
    let mut possible = Vec::new();
    for change in changes {
        let is_possible = match change {
            Change::Move { to, .. } => {
                above(to).all(|folder| model.0.get(&folder).is_none_or(|at| kind(at) != Kind::Leaf))
            }
            Change::Put { .. } | Change::Remove { .. } => true,
        };
        if is_possible {
            model.take(change);
            possible.push(change.clone());
        }
    }
    possible
}

/// What a view holds in all.
pub(crate) fn all(view: &View) -> Model {
    let root = RootPath::root();
    let mut rows: BTreeMap<_, _> = view
        .get(&root)
        .unwrap()
        .map(|at| (root.clone(), at))
        .into_iter()
        .collect();
    let mut after = None;
    loop {
        let page = view.page(&root, after.as_ref(), 3).unwrap();
        let Some((last, _)) = page.last() else {
            return Model(rows);
        };
        after = Some(last.clone());
        rows.extend(page);
    }
}

/// Takes changes as a follow does: it learns only of what it asks.
pub(crate) fn take(desired: &Desired, transfer: TransferId, number: u64, changes: &[Change]) -> HashMap<Hash, Kind> {
    let unclear = desired.unclear(transfer, changes).unwrap();
    let kinds: HashMap<_, _> = unclear
        .into_iter()
        .map(|manifest| (manifest, kind(&manifest)))
        .collect();
    let head = ChainHead {
        number,
        hash: Hash([number as u8; 32]),
    };
    let before = desired.head(transfer).unwrap();
    assert!(desired.advance(transfer, (before, head), changes, &kinds).unwrap());
    kinds
}

/// A path of few, so that they meet.
pub(crate) fn paths() -> impl Strategy<Value = String> {
    proptest::sample::select(vec![
        "", "a", "a!", "a/b", "a/b/c", "a/d", "b", "b/a", "b/a/c", "b/c", "c", "c/a",
    ])
    .prop_map(str::to_owned)
}

/// A commit: puts of different paths, or what takes away and moves.
pub(crate) fn commits() -> impl Strategy<Value = Vec<Change>> {
    let puts = proptest::collection::btree_map(paths(), any::<u8>(), 1..5)
        .prop_map(|puts| puts.into_iter().map(|(path, hash)| put(&path, hash)).collect());
    let one = (paths(), paths(), any::<bool>()).prop_filter_map("no such change", |(from, to, moves)| {
        let (from_path, to_path) = (path(&from), path(&to));
        match moves {
            true if from_path.holds(&to_path) || to_path.is_root() => None,
            true => Some(moved(&from, &to)),
            false if from_path.is_root() => None,
            false => Some(remove(&from)),
        }
    });
    prop_oneof![2 => puts, 1 => proptest::collection::vec(one, 1..4)]
}

#[test]
fn two_follows_do_not_mix_and_one_is_forgotten_alone() {
    let desired = desired();
    let (one, other) = (transfer(1), transfer(2));
    take(&desired, one, 1, &[put("a", 1), put("b/\u{ff}", 3)]);
    take(&desired, other, 7, &[put("a", 5), put("", 2)]);
    assert_eq!(desired.head(one).unwrap().number, 1);
    desired.forget(one).unwrap();
    assert_eq!(desired.head(one).unwrap(), ChainHead::EMPTY);
    assert_eq!(all(&desired.view(one).unwrap()), Model::default());
    assert_eq!(desired.head(other).unwrap().number, 7);
    assert_eq!(all(&desired.view(other).unwrap()).0.len(), 2);
}

#[test]
fn a_manifest_that_is_kept_no_more_takes_nothing_away() {
    let desired = desired();
    let id = transfer(1);
    take(&desired, id, 1, &[put("a", 2), put("a/b", 1)]);
    let before = desired.head(id).unwrap();
    let heads = (before, ChainHead { number: 2, ..before });
    assert!(desired.advance(id, heads, &[put("a", 3)], &HashMap::new()).unwrap());
    assert_eq!(all(&desired.view(id).unwrap()).0.len(), 2);
}

#[test]
fn a_move_that_is_said_again_takes_nothing_away() {
    let desired = desired();
    let id = transfer(1);
    take(&desired, id, 1, &[put("a", 2), put("a/b", 1)]);
    for number in 2..4 {
        take(&desired, id, number, &[moved("a", "c")]);
        let all = all(&desired.view(id).unwrap());
        assert_eq!(all.0.into_keys().collect::<Vec<_>>(), [path("c"), path("c/b")]);
    }
}

#[test]
fn what_was_taken_is_not_taken_once_more() {
    let desired = desired();
    let id = transfer(1);
    take(&desired, id, 1, &[put("a", 1)]);
    let before = desired.head(id).unwrap();
    take(&desired, id, 2, &[moved("a", "b")]);
    let again = desired.advance(id, (before, before), &[moved("a", "b")], &HashMap::new());
    assert!(!again.unwrap());
    assert_eq!(desired.head(id).unwrap().number, 2);
    assert!(all(&desired.view(id).unwrap()).0.contains_key(&path("b")));
}

proptest! {
    #[test]
    fn the_state_after_any_commits_is_that_of_the_model(
        runs in proptest::collection::vec(proptest::collection::vec(commits(), 1..4), 1..12),
    ) {
        let (desired, id) = (desired(), transfer(1));
        let mut model = Model::default();
        for (number, run) in runs.iter().enumerate() {
            // Commits that only put are taken together.
            let is_structural = |commit: &[Change]| commit.iter().any(Change::is_structural);
            for group in run.chunk_by(|one, other| !is_structural(one) && !is_structural(other)) {
                let changes = possible(&model, &group.concat());
                take(&desired, id, number as u64, &changes);
                changes.iter().for_each(|change| model.take(change));
                prop_assert_eq!(&all(&desired.view(id).unwrap()), &model);
            }
        }
    }
}

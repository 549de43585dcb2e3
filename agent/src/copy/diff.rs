//! What is to be done at a copy: the difference of what is wanted and what is written, looked for only where something may
//! have changed. Nothing of it needs to be kept: after a crash everything is compared once.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use beckon_shared::{commit::Change, error::Refusal, id::Hash, order::FollowOrder, path::RootPath};

use super::want::{Kind, View, above, rebased};

/// Of more single places than this nobody keeps a list: all is compared.
const PLACES_MAX: usize = 20_000;
/// Of more moves than this nobody keeps a list: what they moved is put anew, out of what lies here.
const MOVES_MAX: usize = 10_000;
/// Rows that are looked at in one go.
const PAGE: usize = 1000;

/// Paths and the manifests that they hold, sorted by the bytes of the paths.
pub(crate) trait Rows {
    /// What a path holds.
    fn row(&self, path: &RootPath) -> Result<Option<Hash>, Refusal>;
    /// What is strictly below a path, and behind `after`; at most so many.
    fn page(&self, below: &RootPath, after: Option<&RootPath>, max: usize) -> Result<Vec<(RootPath, Hash)>, Refusal>;
}

impl Rows for View {
    fn row(&self, path: &RootPath) -> Result<Option<Hash>, Refusal> {
        self.get(path)
    }

    fn page(&self, below: &RootPath, after: Option<&RootPath>, max: usize) -> Result<Vec<(RootPath, Hash)>, Refusal> {
        Self::page(self, below, after, max)
    }
}

/// Where what is followed lies here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mapping {
    from: RootPath,
    to: RootPath,
}

/// Where wanted and written may differ.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Dirty {
    at: BTreeSet<RootPath>,
    below: BTreeSet<RootPath>,
    /// Moves, and the removals that make room for them, in their order.
    structure: Vec<Change>,
}

/// Something that is to be put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Put {
    /// Below the root of the origin.
    pub(crate) origin: RootPath,
    /// Below the root of the copy.
    pub(crate) local: RootPath,
    /// What it is to hold.
    pub(crate) manifest: Hash,
}

/// A place of [`Dirty`], on either side.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Scope {
    At(RootPath),
    /// With the path itself.
    Below(RootPath),
}

/// Goes through the rows of some places.
#[derive(Debug)]
pub(crate) struct Cursor {
    scopes: VecDeque<Scope>,
    after: Option<RootPath>,
    removed: HashSet<RootPath>,
}

impl Mapping {
    /// Of an order.
    pub(crate) fn of(order: &FollowOrder) -> Self {
        Self {
            from: order.from.path.clone(),
            to: order.path.clone(),
        }
    }

    /// Where a path of the origin lies here; nothing if it is not copied. The root of the copy itself is nothing that could
    /// be put.
    pub(crate) fn local(&self, origin: &RootPath) -> Option<RootPath> {
        rebased(origin, &self.from, &self.to).filter(|path| !path.is_root())
    }

    /// What lies here at a path.
    pub(crate) fn origin(&self, local: &RootPath) -> Option<RootPath> {
        rebased(local, &self.to, &self.from)
    }

    /// As much of a scope as is copied.
    fn narrowed(&self, scope: Scope) -> Option<Scope> {
        match scope {
            Scope::At(path) | Scope::Below(path) if !self.from.holds(&path) && !path.holds(&self.from) => None,
            Scope::At(path) if !self.from.holds(&path) => None,
            Scope::Below(path) if !self.from.holds(&path) => Some(Scope::Below(self.from.clone())),
            scope => Some(scope),
        }
    }
}

impl Dirty {
    /// Everything may differ.
    pub(crate) fn whole() -> Self {
        Self {
            below: BTreeSet::from([RootPath::root()]),
            ..Self::default()
        }
    }

    /// Whether nothing differs.
    pub(crate) fn is_empty(&self) -> bool {
        self.at.is_empty() && self.below.is_empty()
    }

    /// One path may differ.
    pub(crate) fn path(&mut self, path: RootPath) {
        if !self.is_whole() {
            self.at.insert(path);
            self.bound();
        }
    }

    /// Something was changed at the origin.
    pub(crate) fn change(&mut self, change: &Change, kinds: &HashMap<Hash, Kind>) {
        match change {
            Change::Put { path, manifest } if kinds.get(manifest) == Some(&Kind::Leaf) => self.below(path),
            Change::Put { path, .. } => self.path(path.clone()),
            Change::Remove { path } => self.gone(path),
            Change::Move { from, to } => {
                self.gone(from);
                self.below(to);
            }
        }
        if change.is_structural() && self.structure.len() <= MOVES_MAX {
            self.structure.push(change.clone());
        }
    }

    /// A folder that nobody puts any more goes with the last thing in it.
    fn gone(&mut self, path: &RootPath) {
        self.below(path);
        for folder in above(path) {
            self.path(folder);
        }
    }

    fn below(&mut self, path: &RootPath) {
        if !self.is_whole() {
            self.below.insert(path.clone());
            self.bound();
        }
    }

    fn bound(&mut self) {
        if self.at.len() + self.below.len() > PLACES_MAX {
            self.at.clear();
            self.below = BTreeSet::from([RootPath::root()]);
        }
    }

    fn is_whole(&self) -> bool {
        self.below.contains(&RootPath::root())
    }

    /// Also everything that another one says, which came later.
    pub(crate) fn merge(&mut self, later: Self) {
        for path in later.below {
            self.below(&path);
        }
        for path in later.at {
            self.path(path);
        }
        self.structure.extend(later.structure);
    }

    /// Takes the moves at the copy, in their order, and the removals without which they could not be made.
    pub(crate) fn take_structure(&mut self, mapping: &Mapping) -> Vec<Change> {
        let structure = std::mem::take(&mut self.structure);
        if structure.len() > MOVES_MAX {
            return Vec::new();
        }
        let mut targets: Vec<RootPath> = Vec::new();
        let mut steps = Vec::new();
        for change in structure.into_iter().rev() {
            match change {
                Change::Move { from, to } => {
                    if let (Some(local_from), Some(local_to)) = (mapping.local(&from), mapping.local(&to)) {
                        steps.push(Change::Move {
                            from: local_from,
                            to: local_to,
                        });
                        targets.push(to);
                    }
                }
                Change::Remove { path } if targets.iter().any(|to| to.holds(&path) || path.holds(to)) => {
                    steps.extend(mapping.local(&path).map(|path| Change::Remove { path }));
                }
                Change::Remove { .. } | Change::Put { .. } => {}
            }
        }
        steps.reverse();
        steps
    }

    /// Goes through what is wanted there.
    pub(crate) fn wanted(&self, mapping: &Mapping) -> Cursor {
        Cursor::new(self.scopes(mapping).collect())
    }

    /// Goes through what is written there.
    pub(crate) fn written(&self, mapping: &Mapping) -> Cursor {
        let local = |scope| match scope {
            Scope::At(path) => mapping.local(&path).map(Scope::At),
            Scope::Below(path) => rebased(&path, &mapping.from, &mapping.to).map(Scope::Below),
        };
        Cursor::new(self.scopes(mapping).filter_map(local).collect())
    }

    fn scopes<'a>(&'a self, mapping: &'a Mapping) -> impl Iterator<Item = Scope> + 'a {
        let is_covered = |path: &RootPath| above(path).any(|folder| self.below.contains(&folder));
        let below = self.below.iter().filter(move |path| !is_covered(path));
        let at = self
            .at
            .iter()
            .filter(move |path| !self.below.contains(*path) && !is_covered(path));
        let scopes = below.cloned().map(Scope::Below).chain(at.cloned().map(Scope::At));
        scopes.filter_map(|scope| mapping.narrowed(scope))
    }
}

impl Cursor {
    fn new(scopes: VecDeque<Scope>) -> Self {
        Self {
            scopes,
            after: None,
            removed: HashSet::new(),
        }
    }

    /// The next things that are wanted and not written, about so many, parents first; none at the end.
    pub(crate) fn puts(
        &mut self,
        wanted: &impl Rows,
        written: &impl Rows,
        mapping: &Mapping,
        many: usize,
    ) -> Result<Vec<Put>, Refusal> {
        let mut puts = Vec::new();
        while puts.len() < many
            && let Some(page) = self.page(wanted)?
        {
            for (origin, manifest) in page {
                if let Some(local) = mapping.local(&origin)
                    && written.row(&local)? != Some(manifest)
                {
                    puts.push(Put {
                        origin,
                        local,
                        manifest,
                    });
                }
            }
        }
        Ok(puts)
    }

    /// The next paths of the copy that hold something though nothing is wanted there or below, about so many, of a folder
    /// only itself; none at the end.
    pub(crate) fn removals(
        &mut self,
        wanted: &View,
        written: &impl Rows,
        mapping: &Mapping,
        many: usize,
    ) -> Result<Vec<RootPath>, Refusal> {
        let is_wanted = |local: &RootPath| match mapping.origin(local) {
            None => Ok(true),
            Some(origin) => Ok::<_, Refusal>(wanted.get(&origin)?.is_some() || wanted.has_below(&origin)?),
        };
        // A folder that nobody put was made for what is in it, and goes with the last of that.
        let highest = |path: RootPath| {
            let folders = above(&path).take_while(|folder| !folder.is_root() && *folder != mapping.to);
            folders
                .into_iter()
                .try_fold(path, |highest, folder| match is_wanted(&folder)? {
                    true => Ok(highest),
                    false => Ok::<_, Refusal>(folder),
                })
        };
        let mut removals = Vec::new();
        while removals.len() < many && !self.scopes.is_empty() {
            // A folder goes as a whole, one too that nobody put and that was made for what is in it.
            if let (None, Some(Scope::Below(path))) = (&self.after, self.scopes.front())
                && !path.is_root()
                && !is_wanted(path)?
            {
                if written.row(path)?.is_some() || !written.page(path, None, 1)?.is_empty() {
                    let path = path.clone();
                    self.remove(highest(path)?, &mut removals);
                }
                self.scopes.pop_front();
                continue;
            }
            for (local, _) in self.page(written)?.unwrap_or_default() {
                if !self.is_removed(&local) && !is_wanted(&local)? {
                    self.remove(highest(local)?, &mut removals);
                }
            }
        }
        Ok(removals)
    }

    fn remove(&mut self, path: RootPath, removals: &mut Vec<RootPath>) {
        if !self.is_removed(&path) {
            self.removed.insert(path.clone());
            removals.push(path);
        }
    }

    fn is_removed(&self, path: &RootPath) -> bool {
        self.removed.contains(path) || above(path).any(|folder| self.removed.contains(&folder))
    }

    fn page(&mut self, rows: &impl Rows) -> Result<Option<Vec<(RootPath, Hash)>>, Refusal> {
        while let Some(scope) = self.scopes.front() {
            let mut page = Vec::new();
            let (path, is_deep) = match scope {
                Scope::At(path) => (path, false),
                Scope::Below(path) => (path, true),
            };
            if self.after.is_none() {
                page.extend(rows.row(path)?.map(|manifest| (path.clone(), manifest)));
            }
            let deep = match is_deep {
                true => rows.page(path, self.after.as_ref(), PAGE)?,
                false => Vec::new(),
            };
            match deep.last() {
                Some((last, _)) => self.after = Some(last.clone()),
                None => {
                    self.after = None;
                    self.scopes.pop_front();
                }
            }
            page.extend(deep);
            if !page.is_empty() {
                return Ok(Some(page));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests;

//! The nodes that a commit's paths are bound to: found level by level, and made where there are none.

mod by_name;

use std::collections::{BTreeMap, HashMap, HashSet};

use beckon_shared::{
    id::NodeId,
    path::{Name, RootPath},
    time::Timestamp,
};
use sea_orm::{ConnectionTrait, EntityTrait, QueryResult, TryGetable, Value};

use super::{
    BATCH, Error, Txn,
    drive::{past::remember, search::folded},
    entity::{Kind, node, source},
    name::first_free,
    places,
    shift::remove_node,
    source as sources, sql,
};
use crate::clock::{Clock, random};

/// How a path finds its node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Binding {
    /// By the machine's entry that it came from, wherever it was moved since (but into `Files`) and whatever it is called now.
    Entry,
    /// By the name that it has now: so are the files bound that people put into `Files`, from whichever device.
    Name,
}

impl Binding {
    /// How the paths of a root find theirs.
    pub(crate) fn of(source: &source::Model) -> Result<Self, Error> {
        Ok(if sources::is_files(source)? {
            Self::Name
        } else {
            Self::Entry
        })
    }
}

/// A node that a path is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bound {
    /// Row number.
    pub(crate) no: i64,
    /// What it is.
    pub(crate) kind: Kind,
    /// Its newest version.
    pub(crate) head: Option<i64>,
    /// Whether this commit makes it.
    pub(crate) is_new: bool,
}

/// The nodes of one commit's paths.
pub(crate) struct Tree<'a> {
    txn: &'a Txn,
    clock: &'a dyn Clock,
    source: &'a source::Model,
    binding: Binding,
    now: Timestamp,
    next: i64,
    bound: HashMap<RootPath, Bound>,
    new: Vec<node::Model>,
    unbound: Vec<i64>,
    replaced: Vec<i64>,
}

/// All paths that a commit needs, with what they are to be: those that it names, and the folders above them.
pub(crate) fn with_folders(named: impl IntoIterator<Item = (RootPath, Kind)>) -> BTreeMap<RootPath, Kind> {
    let named: BTreeMap<RootPath, Kind> = named.into_iter().collect();
    let mut wanted = named.clone();
    for path in named.keys() {
        let mut above = path.split_last();
        while let Some((folder, _)) = above {
            above = folder.split_last();
            wanted.insert(folder, Kind::Folder);
        }
    }
    wanted
}

impl<'a> Tree<'a> {
    /// Numbers from `next` on are free for as many nodes as there are wanted paths.
    pub(crate) fn new(
        txn: &'a Txn,
        clock: &'a dyn Clock,
        source: &'a source::Model,
        binding: Binding,
        next: i64,
    ) -> Self {
        let root = Bound {
            no: source.folder,
            kind: Kind::Folder,
            head: None,
            is_new: false,
        };
        let bound = HashMap::from([(RootPath::root(), root)]);
        Self {
            txn,
            clock,
            source,
            binding,
            now: clock.now(),
            next,
            bound,
            new: Vec::new(),
            unbound: Vec::new(),
            replaced: Vec::new(),
        }
    }

    /// What a path is bound to, once it was found or made.
    pub(crate) fn get(&self, path: &RootPath) -> Option<Bound> {
        self.bound.get(path).copied()
    }

    /// How many nodes are to be written.
    pub(crate) fn made(&self) -> usize {
        self.new.len()
    }

    /// Notes the first version of a new node.
    pub(crate) fn set_head(&mut self, node: i64, version: i64) {
        if let Some(new) = self.new.iter_mut().rev().find(|new| new.no == node) {
            new.head = Some(version);
        }
    }

    /// Finds the nodes of all wanted paths.
    pub(crate) async fn find(&mut self, wanted: &BTreeMap<RootPath, Kind>) -> Result<(), Error> {
        let root = node::Entity::find_by_id(self.source.folder).one(self.txn).await?;
        self.bound
            .entry(RootPath::root())
            .and_modify(|bound| bound.head = root.and_then(|root| root.head));
        for (_, level) in levels(wanted) {
            match self.binding {
                Binding::Entry => self.find_level(&level).await?,
                Binding::Name => self.find_level_by_name(&level).await?,
            }
        }
        Ok(())
    }

    /// Makes the nodes of those wanted paths that have none; they are written by [`Self::write`].
    pub(crate) async fn make_missing(&mut self, wanted: &BTreeMap<RootPath, Kind>) -> Result<(), Error> {
        for (_, level) in levels(wanted) {
            let missing: Vec<_> = level
                .into_iter()
                .filter(|path| !self.is_usable(path.0, path.1))
                .collect();
            self.make_level(&missing).await?;
        }
        Ok(())
    }

    fn is_usable(&mut self, path: &RootPath, wanted: Kind) -> bool {
        let Some(bound) = self.bound.get(path).copied() else {
            return false;
        };
        let fits = fits(bound.kind, wanted);
        if !fits {
            // A file took a folder's place, or the other way round: the old node goes to Deleted with all below it.
            self.replaced.push(bound.no);
            self.bound.remove(path);
        }
        fits
    }

    async fn find_level(&mut self, level: &[(&RootPath, Kind)]) -> Result<(), Error> {
        let asked: Vec<(i64, Name, RootPath)> = level.iter().filter_map(|(path, _)| self.binding(path)).collect();
        for asked in asked.chunks(BATCH) {
            let text = format!(
                "WITH w(folder, name) AS (VALUES {}) SELECT n.no, n.parent, n.kind, n.head, n.source_parent, n.source_name, n.deleted_at \
                 FROM w CROSS JOIN node n WHERE n.source_parent = w.folder AND n.source_name = w.name AND n.deleted_at IS NULL",
                pairs(asked.len())
            );
            let values = asked
                .iter()
                .flat_map(|(folder, name, _)| [Value::from(*folder), name.as_bytes().into()]);
            let paths: HashMap<(i64, &[u8]), &RootPath> = asked
                .iter()
                .map(|(folder, name, path)| ((*folder, name.as_bytes()), path))
                .collect();
            for row in self.txn.query_all_raw(sql(&text, self.txn, values)).await? {
                let key: (i64, Vec<u8>) = (row.try_get("", "source_parent")?, row.try_get("", "source_name")?);
                if let Some(path) = paths.get(&(key.0, key.1.as_slice())) {
                    self.found(path, key.0, &row).await?;
                }
            }
        }
        Ok(())
    }

    fn binding(&self, path: &RootPath) -> Option<(i64, Name, RootPath)> {
        let (folder, name) = path.split_last()?;
        let folder = self.bound.get(&folder)?;
        Some((folder.no, name, path.clone()))
    }

    /// Takes a node within reach; one that was deleted or moved into `Files` loses its binding, so that a new one can have it.
    async fn found(&mut self, path: &RootPath, folder: i64, row: &QueryResult) -> Result<(), Error> {
        let (no, parent): (i64, Option<i64>) = (row.try_get("", "no")?, row.try_get("", "parent")?);
        let deleted = row.try_get::<Option<i64>>("", "deleted_at")?.is_some();
        // The folder was found to be within reach before; only a node that was moved out of it needs a look at where it is now.
        let live = !deleted && (parent == Some(folder) || sources::is_reached(self.txn, self.source, no).await?);
        if !live {
            self.unbound.push(no);
            return Ok(());
        }
        let kind = Kind::try_get(row, "", "kind").map_err(|_| Error::bad_row("kind"))?;
        self.bound.insert(
            path.clone(),
            Bound {
                no,
                kind,
                head: row.try_get("", "head")?,
                is_new: false,
            },
        );
        Ok(())
    }

    async fn make_level(&mut self, missing: &[(&RootPath, Kind)]) -> Result<(), Error> {
        let mut asked = Vec::new();
        for (path, wanted) in missing {
            let (folder, name) = path.split_last().ok_or_else(|| Error::bad_row("root folder"))?;
            let folder = self
                .bound
                .get(&folder)
                .copied()
                .ok_or_else(|| Error::bad_row("folder"))?;
            asked.push((folder, name, (*path).clone(), *wanted));
        }
        let mut taken = self.taken(&asked).await?;
        let own: HashSet<(i64, Name)> = asked
            .iter()
            .map(|(folder, name, ..)| (folder.no, name.clone()))
            .collect();
        for (folder, name, path, kind) in asked {
            let free = self.free(folder, &name, &mut taken, &own).await?;
            self.make(path, folder.no, name, free, kind);
        }
        Ok(())
    }

    /// Which of these names live nodes have already. In a folder that this commit makes there are none.
    async fn taken(&self, asked: &[(Bound, Name, RootPath, Kind)]) -> Result<HashSet<(i64, Name)>, Error> {
        let old: Vec<_> = asked.iter().filter(|(folder, ..)| !folder.is_new).collect();
        let mut taken = HashSet::new();
        for old in old.chunks(BATCH) {
            let text = format!(
                "WITH w(folder, name) AS (VALUES {}) SELECT n.no, n.parent, n.name FROM w CROSS JOIN node n \
                 WHERE n.parent = w.folder AND n.name = w.name AND n.deleted_at IS NULL",
                pairs(old.len())
            );
            let values = old
                .iter()
                .flat_map(|(folder, name, ..)| [Value::from(folder.no), name.as_bytes().into()]);
            for row in self.txn.query_all_raw(sql(&text, self.txn, values)).await? {
                let name = Name::new(row.try_get::<Vec<u8>>("", "name")?).map_err(|_| Error::bad_row("name"))?;
                if !self.replaced.contains(&row.try_get("", "no")?) {
                    taken.insert((row.try_get("", "parent")?, name));
                }
            }
        }
        Ok(taken)
    }

    async fn free(
        &self,
        folder: Bound,
        name: &Name,
        taken: &mut HashSet<(i64, Name)>,
        own: &HashSet<(i64, Name)>,
    ) -> Result<Name, Error> {
        let is_ours = |name: &Name| {
            let key = (folder.no, name.clone());
            own.contains(&key) || taken.contains(&key)
        };
        let free = if taken.contains(&(folder.no, name.clone())) {
            first_free(self.txn, folder.no, name, is_ours).await?
        } else {
            name.clone()
        };
        taken.insert((folder.no, free.clone()));
        Ok(free)
    }

    fn make(&mut self, path: RootPath, folder: i64, name: Name, free: Name, kind: Kind) {
        let no = self.next;
        self.next += 1;
        let (source, source_parent, source_name) = match self.binding {
            Binding::Entry => (Some(self.source.no), Some(folder), Some(name.as_bytes().to_vec())),
            // Bound to nothing; but what got a number is found by what it should have been called.
            Binding::Name if free != name => (None, None, Some(name.as_bytes().to_vec())),
            Binding::Name => (None, None, None),
        };
        self.bound.insert(
            path,
            Bound {
                no,
                kind,
                head: None,
                is_new: true,
            },
        );
        self.new.push(node::Model {
            no,
            id: NodeId::new(self.now, random(self.clock)).as_bytes().to_vec(),
            space: self.source.space.clone(),
            parent: Some(folder),
            name: free.as_bytes().to_vec(),
            folded: folded(free.as_bytes()),
            kind,
            head: None,
            source,
            source_parent,
            source_name,
            created: self.now.0,
            deleted_at: None,
        });
    }

    /// Writes what was made, unbound and replaced.
    pub(crate) async fn write(&mut self) -> Result<(), Error> {
        remember(self.txn, &self.unbound, self.now).await?;
        self.update(
            "UPDATE node SET source_parent = NULL, source_name = NULL WHERE no IN",
            &self.unbound,
        )
        .await?;
        for replaced in &self.replaced {
            remove_node(self.txn, self.source, *replaced, self.now).await?;
        }
        let new = std::mem::take(&mut self.new);
        for new in new.chunks(BATCH) {
            let rows = new.iter().cloned().map(node::ActiveModel::from);
            node::Entity::insert_many(rows).exec_without_returning(self.txn).await?;
        }
        Ok(())
    }

    async fn update(&self, text: &str, nos: &[i64]) -> Result<(), Error> {
        for nos in nos.chunks(BATCH) {
            let text = format!("{text} ({})", places(1, nos.len()));
            self.txn
                .execute_raw(sql(&text, self.txn, nos.iter().map(|no| (*no).into())))
                .await?;
        }
        Ok(())
    }
}

/// Whether a node can take what a path holds: folders take folders, and files and symlinks each other.
fn fits(kind: Kind, wanted: Kind) -> bool {
    (kind == Kind::Folder) == (wanted == Kind::Folder)
}

type Levels<'p> = BTreeMap<usize, Vec<(&'p RootPath, Kind)>>;

/// The paths by depth, without the root itself.
fn levels(wanted: &BTreeMap<RootPath, Kind>) -> Levels<'_> {
    let mut levels = Levels::new();
    for (path, wanted) in wanted {
        let depth = path.names().count();
        if depth > 0 {
            levels.entry(depth).or_default().push((path, *wanted));
        }
    }
    levels
}

/// `($1,$2),($3,$4)...`
fn pairs(count: usize) -> String {
    let pairs: Vec<String> = (0..count).map(|at| format!("({})", places(at * 2 + 1, 2))).collect();
    pairs.join(",")
}

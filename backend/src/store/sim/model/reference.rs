//! What the store should do, put as plainly as can be.

use std::collections::{BTreeMap, BTreeSet};

use beckon_shared::{
    chunk::ChunkKey,
    commit::{ChainHead, Change, Commit, commit_hash},
    id::{ChunkId, DeviceId, Hash, RootId, TransferId},
    time::Timestamp,
};

use super::{Sent, What, ids_of, pieces};
use crate::{
    access::{Opens, TransferAccess},
    store::{meta::replay::State, sim::chance::Chance},
    worker::{collect::GRACE, expiry::DELETED_KEPT},
};

/// What is to be answered to a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Committed(ChainHead),
    Behind(ChainHead),
    Missing(Vec<ChunkId>),
}

/// A root.
#[derive(Debug, Clone)]
struct Root {
    head: ChainHead,
    /// The manifests of all versions of each file, the newest last.
    files: BTreeMap<String, Vec<Hash>>,
    folders: BTreeSet<String>,
    commits: BTreeMap<u64, Hash>,
}

/// The versions of a file that was deleted, and when that was.
type Deleted = (Timestamp, Vec<Hash>);

impl Root {
    fn put(&mut self, path: &str, manifest: Hash) {
        self.folders.extend(folder_of(path));
        let versions = self.files.entry(path.to_owned()).or_default();
        if versions.last() != Some(&manifest) {
            versions.push(manifest);
        }
    }

    /// What goes is taken down.
    fn remove(&mut self, path: &str, now: Timestamp, deleted: &mut Vec<Deleted>) {
        let gone = |other: &String| is_at_or_below(other, path);
        self.folders.retain(|folder| !gone(folder));
        deleted.extend(
            self.files
                .extract_if(.., |file, _| gone(file))
                .map(|(_, versions)| (now, versions)),
        );
    }

    fn rename(&mut self, from: &str, to: &str, now: Timestamp, deleted: &mut Vec<Deleted>) {
        if !self.folders.contains(from) && !self.files.contains_key(from) {
            return;
        }
        self.remove(to, now, deleted);
        self.folders.extend(folder_of(to));
        let moves = |other: &String| is_at_or_below(other, from);
        let called = |other: &str| format!("{to}{}", &other[from.len()..]);
        let folders: Vec<String> = self.folders.extract_if(.., |folder| moves(folder)).collect();
        self.folders.extend(folders.iter().map(|folder| called(folder)));
        let files: Vec<_> = self.files.extract_if(.., |file, _| moves(file)).collect();
        self.files
            .extend(files.into_iter().map(|(file, versions)| (called(&file), versions)));
    }
}

fn folder_of(path: &str) -> Option<String> {
    path.rsplit_once('/').map(|(folder, _)| folder.to_owned())
}

fn is_at_or_below(other: &str, path: &str) -> bool {
    other
        .strip_prefix(path)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// All that the store should know.
pub(super) struct Reference {
    pub(super) key: ChunkKey,
    /// All contents that there ever were.
    contents: BTreeMap<ChunkId, Vec<u8>>,
    /// The chunks of each manifest.
    manifests: BTreeMap<Hash, Vec<ChunkId>>,
    /// Chunks that are durable, with the moment when they were found unused.
    stored: BTreeMap<ChunkId, Option<Timestamp>>,
    /// Files that were deleted, until they are removed for good.
    deleted: Vec<Deleted>,
    pins: BTreeSet<(ChunkId, TransferId)>,
    roots: BTreeMap<(DeviceId, RootId), Root>,
    /// Chunks in packs that a crash has brought back: nothing names them until they are found.
    undone: BTreeSet<ChunkId>,
}

impl Reference {
    pub(super) fn new(key: ChunkKey) -> Self {
        Self {
            key,
            contents: BTreeMap::new(),
            manifests: BTreeMap::new(),
            stored: BTreeMap::new(),
            deleted: Vec::new(),
            pins: BTreeSet::new(),
            roots: BTreeMap::new(),
            undone: BTreeSet::new(),
        }
    }

    /// A crash has brought back these and no others.
    pub(super) fn undone(&mut self, chunks: BTreeSet<ChunkId>) {
        self.undone = chunks;
    }

    /// Takes down a content; the ids of its pieces.
    pub(super) fn note(&mut self, content: &[u8]) -> Vec<ChunkId> {
        let ids = ids_of(&self.key, content);
        let pieces = pieces(content).into_iter().map(<[u8]>::to_vec);
        self.contents.extend(ids.iter().copied().zip(pieces));
        ids
    }

    pub(super) fn note_manifest(&mut self, manifest: Hash, content: &[u8]) {
        let chunks = self.note(content);
        self.manifests.insert(manifest, chunks);
    }

    pub(super) fn is_content(&self, id: &ChunkId, content: &[u8]) -> bool {
        self.contents.get(id).is_some_and(|had| had == content)
    }

    /// A content that is one chunk, and is stored if any is.
    pub(super) fn any_stored(&self, chance: &mut Chance) -> Vec<u8> {
        let stored: Vec<&ChunkId> = self.stored.keys().collect();
        match stored.is_empty() {
            true => b"nothing is stored".to_vec(),
            false => self.contents[*chance.pick(&stored)].clone(),
        }
    }

    pub(super) fn head(&self, access: &TransferAccess) -> ChainHead {
        let root = self.roots.get(&(access.device, access.root));
        root.map_or(ChainHead::EMPTY, |root| root.head)
    }

    /// Which are missing; the others are pinned.
    pub(super) fn have(&mut self, transfer: TransferId, ids: &[ChunkId]) -> Vec<bool> {
        for id in ids
            .iter()
            .filter(|id| self.stored.contains_key(id))
            .copied()
            .collect::<Vec<_>>()
        {
            self.pin(transfer, id);
        }
        ids.iter().map(|id| !self.stored.contains_key(id)).collect()
    }

    /// These are durable now, and pinned.
    pub(super) fn store(&mut self, transfer: TransferId, ids: &[ChunkId]) {
        ids.iter().for_each(|id| self.pin(transfer, *id));
    }

    fn pin(&mut self, transfer: TransferId, id: ChunkId) {
        self.stored.insert(id, None);
        self.pins.insert((id, transfer));
    }

    /// Its pins go, and what nothing else needs is found unused at once.
    pub(super) fn end(&mut self, transfer: TransferId, now: Timestamp) {
        let (ended, left) = self.pins.iter().partition(|(_, of)| *of == transfer);
        self.pins = left;
        let ended: BTreeSet<(ChunkId, TransferId)> = ended;
        self.mark(&ended.into_iter().map(|(id, _)| id).collect(), now);
    }

    fn mark(&mut self, ids: &BTreeSet<ChunkId>, now: Timestamp) {
        let needed = self.needed();
        for (id, marked) in &mut self.stored {
            if ids.contains(id) && !needed.contains(id) {
                marked.get_or_insert(now);
            }
        }
    }

    fn needed(&self) -> BTreeSet<ChunkId> {
        let pinned = self.pins.iter().map(|(id, _)| *id);
        pinned.chain(self.used()).collect()
    }

    /// What versions need.
    fn used(&self) -> BTreeSet<ChunkId> {
        let live = self.roots.values().flat_map(|root| root.files.values());
        let versions = live.chain(self.deleted.iter().map(|(_, versions)| versions));
        let manifests = versions.flatten().map(|manifest| &self.manifests[manifest]);
        manifests.flatten().copied().collect()
    }

    /// A commit of one file, or of what is removed and moved.
    pub(super) fn commit(&mut self, sent: &Sent, now: Timestamp) -> Answer {
        let Sent { access, upload, what } = sent;
        let commit: Commit = beckon_shared::wire::decode(&upload.commit.bytes).unwrap();
        let next = ChainHead {
            number: commit.number,
            hash: commit_hash(&upload.commit),
        };
        let root = self.roots.entry((access.device, access.root)).or_insert_with(|| Root {
            head: ChainHead::EMPTY,
            files: BTreeMap::new(),
            folders: BTreeSet::new(),
            commits: BTreeMap::new(),
        });
        if root.commits.get(&next.number) == Some(&next.hash) {
            return Answer::Committed(next);
        }
        if next.number != root.head.number + 1 || commit.parent != root.head.hash {
            return Answer::Behind(root.head);
        }
        match what {
            What::Put { path, manifest } => {
                let chunks = &self.manifests[manifest];
                let mut seen = BTreeSet::new();
                let missing = chunks
                    .iter()
                    .filter(|id| !self.stored.contains_key(id) && seen.insert(**id));
                let missing: Vec<ChunkId> = missing.copied().collect();
                if !missing.is_empty() {
                    return Answer::Missing(missing);
                }
                root.put(path, *manifest);
                for id in chunks {
                    self.stored.insert(*id, None);
                    if access.opens == Opens::Watch {
                        self.pins.remove(&(*id, access.transfer));
                    }
                }
            }
            What::Shift(changes) => {
                for change in changes {
                    match change {
                        Change::Put { .. } => {}
                        Change::Remove { path } => root.remove(&path.display(), now, &mut self.deleted),
                        Change::Move { from, to } => {
                            root.rename(&from.display(), &to.display(), now, &mut self.deleted);
                        }
                    }
                }
            }
        }
        root.head = next;
        root.commits.insert(next.number, next.hash);
        Answer::Committed(next)
    }

    /// What was deleted 30 days ago is removed for good. What was found unused a day ago goes; what is unused now is marked.
    pub(super) fn clean(&mut self, now: Timestamp) {
        self.deleted.retain(|(at, _)| *at > now.before(DELETED_KEPT));
        let needed = self.needed();
        let is_fresh = |marked: &Option<Timestamp>| marked.is_none_or(|marked| marked > now.before(GRACE));
        self.stored.retain(|id, marked| needed.contains(id) || is_fresh(marked));
        self.mark(&self.stored.keys().copied().collect(), now);
    }

    /// Whether the database is as it should be.
    pub(super) fn compare(&mut self, now: &State) -> Result<(), String> {
        let mut ids = BTreeMap::new();
        for chunk in &now.chunks {
            ids.insert(chunk.place.no, chunk.place.header.id);
            if chunk.is_damaged {
                return Err(format!("chunk {} is called damaged", chunk.place.header.id));
            }
        }
        let sum = |of: &dyn Fn(i64) -> bool| {
            let chunks = now.chunks.iter().filter(|chunk| of(chunk.place.no));
            chunks.map(|chunk| u64::from(chunk.place.header.len)).sum::<u64>()
        };
        let counted = (sum(&|_| true), sum(&|no| now.marked.contains(&no)));
        if now.usage != counted {
            return Err(format!("the usage is {:?} and should be {counted:?}", now.usage));
        }
        let named: BTreeSet<ChunkId> = ids.values().copied().collect();
        if let Some(lost) = self.stored.keys().find(|id| !named.contains(id)) {
            return Err(format!("chunk {lost} is not named any more"));
        }
        for id in named
            .iter()
            .filter(|id| !self.stored.contains_key(id))
            .copied()
            .collect::<Vec<_>>()
        {
            // What a crash brought back is taken up again, with no pin, no use and no mark.
            if !self.undone.remove(&id) {
                return Err(format!("chunk {id} is named, and should be gone"));
            }
            self.stored.insert(id, None);
        }
        let pins: BTreeSet<_> = now.pins.iter().map(|(no, transfer)| (ids[no], *transfer)).collect();
        same("pins", &pins, &self.pins)?;
        let used: BTreeSet<ChunkId> = now.used.iter().map(|no| ids[no]).collect();
        same("chunks in use", &used, &self.used())?;
        let marked: BTreeSet<ChunkId> = now.marked.iter().map(|no| ids[no]).collect();
        let should = self.stored.iter().filter(|(_, marked)| marked.is_some());
        same("marked chunks", &marked, &should.map(|(id, _)| *id).collect())?;
        self.compare_roots(now)
    }

    fn compare_roots(&self, now: &State) -> Result<(), String> {
        let there: BTreeSet<_> = now.roots.iter().map(|root| (root.device, root.root)).collect();
        let begun = self.roots.iter().filter(|(_, root)| root.head != ChainHead::EMPTY);
        if let Some((lost, _)) = begun.into_iter().find(|(id, _)| !there.contains(*id)) {
            return Err(format!("the root {lost:?} is gone"));
        }
        for root in &now.roots {
            let should = self.roots.get(&(root.device, root.root));
            let (head, files) = should.map_or((ChainHead::EMPTY, BTreeMap::new()), |root| {
                let newest = |(path, versions): (&String, &Vec<Hash>)| Some((path.clone(), *versions.last()?));
                (root.head, root.files.iter().filter_map(newest).collect())
            });
            if (root.head, &root.files) != (head, &files) {
                return Err(format!("a root is at {:?} and should be at {head:?}", root.head));
            }
        }
        Ok(())
    }
}

fn same<T: Ord + std::fmt::Debug>(what: &str, found: &BTreeSet<T>, wanted: &BTreeSet<T>) -> Result<(), String> {
    let extra: Vec<&T> = found.difference(wanted).collect();
    let missing: Vec<&T> = wanted.difference(found).collect();
    match extra.is_empty() && missing.is_empty() {
        true => Ok(()),
        false => Err(format!("{what}: {extra:?} too much, {missing:?} too little")),
    }
}

//! A server in memory that keeps the protocol's promises and breaks at will.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
};

use beckon_shared::{
    bulk::{Bitmap, ChunkParts, CommitReply, CommitUpload, Encoding, Outline, UploadGrant},
    chunk::{ChunkKey, ChunkRef},
    commit::{ChainHead, Change, commit_hash},
    delta::{Recipe, parts},
    error::{ErrorCode, Refusal},
    id::{ChunkId, Hash, SpaceId},
    manifest::{Content, Manifest},
    path::RootPath,
    signature::PublicKey,
    transfer::{Hold, Problem, Progress},
    wire,
};

use tokio_util::sync::CancellationToken;

use crate::upload::{
    encode::{Body, Encoded},
    remote::{Failure, Remote},
};

/// Where a question goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nothing is done.
    Before(Failure),
    /// It is done, of chunks only the first half, but nobody hears of it.
    After,
}

/// All that the server holds and saw.
pub(super) struct Store {
    pub(super) key: PublicKey,
    pub(super) chunks: HashMap<ChunkId, Vec<u8>>,
    pub(super) heads: HashMap<RootPath, Manifest>,
    /// Whether commits may take away and move, and how often they did.
    pub(super) may_restructure: bool,
    pub(super) removes: usize,
    pub(super) moves: usize,
    pub(super) puts: usize,
    pub(super) head: ChainHead,
    pub(super) epoch: u64,
    /// The number of a question, from 0, and how it goes wrong.
    pub(super) faults: HashMap<usize, Fault>,
    /// Lost before the first commit is looked at.
    pub(super) lost: Vec<ChunkId>,
    pub(super) questions: usize,
    /// Somebody pauses when the question of this number comes.
    pub(super) pause_at: Option<(usize, CancellationToken)>,
    pub(super) asked: usize,
    pub(super) commits: usize,
    pub(super) sent: Vec<ChunkId>,
    pub(super) sent_again: usize,
    /// Stored bytes of chunks that came.
    pub(super) wire: usize,
    /// Outlines that were asked for, and chunks whose parts were.
    pub(super) outlines: usize,
    pub(super) parts_asked: usize,
    /// Whether recipes are followed.
    pub(super) follows_recipes: bool,
    pub(super) refused_recipes: usize,
    pub(super) problems: Vec<Problem>,
    pub(super) holds: HashSet<Hold>,
    pub(super) begins: usize,
    pub(super) selection: Vec<u8>,
}

/// One server; clones are the same.
#[derive(Clone)]
pub(super) struct Fake(pub(super) Arc<Mutex<Store>>);

impl Fake {
    pub(super) fn new(key: PublicKey) -> Self {
        Self(Arc::new(Mutex::new(Store {
            key,
            chunks: HashMap::new(),
            heads: HashMap::new(),
            may_restructure: false,
            removes: 0,
            moves: 0,
            puts: 0,
            head: ChainHead::EMPTY,
            epoch: 1,
            faults: HashMap::new(),
            lost: Vec::new(),
            questions: 0,
            pause_at: None,
            asked: 0,
            commits: 0,
            sent: Vec::new(),
            sent_again: 0,
            wire: 0,
            outlines: 0,
            parts_asked: 0,
            follows_recipes: true,
            refused_recipes: 0,
            problems: Vec::new(),
            holds: HashSet::new(),
            begins: 0,
            selection: Vec::new(),
        })))
    }

    pub(super) fn with<T>(&self, look: impl FnOnce(&mut Store) -> T) -> T {
        look(&mut self.0.lock().unwrap())
    }

    fn question<T>(&self, answer: impl FnOnce(&mut Store, bool) -> T) -> Result<T, Failure> {
        self.with(|store| {
            let fault = store.faults.get(&store.questions).cloned();
            if let Some((at, pause)) = &store.pause_at
                && *at == store.questions
            {
                pause.cancel();
            }
            store.questions += 1;
            match fault {
                Some(Fault::Before(failure)) => Err(failure),
                Some(Fault::After) => {
                    answer(store, true);
                    Err(Failure::Break)
                }
                None => Ok(answer(store, false)),
            }
        })
    }
}

impl Store {
    /// A path's content, put together from its chunks.
    pub(super) fn content(&self, path: &RootPath) -> Vec<u8> {
        let Content::File(file) = &self.heads[path].content else {
            panic!("{path:?} is no file")
        };
        let content: Vec<u8> = file
            .chunks
            .iter()
            .flat_map(|chunk| self.chunks[&chunk.id].clone())
            .collect();
        assert_eq!(Hash::of(&content), file.hash);
        assert_eq!(crc32fast::hash(&content), file.crc32);
        content
    }

    /// The chunks of the newest version of a file.
    pub(super) fn chunks_of(&self, path: &RootPath) -> Vec<ChunkRef> {
        match self.heads.get(path).map(|head| &head.content) {
            Some(Content::File(file)) => file.chunks.clone(),
            _ => Vec::new(),
        }
    }

    fn parts(&self, path: &RootPath, chunks: &[u32]) -> Vec<ChunkParts> {
        let of = self.chunks_of(path);
        let ids = chunks.iter().filter_map(|at| Some(of.get(*at as usize)?.id));
        let parts = |id: ChunkId| ChunkParts {
            id,
            parts: parts(&KEY, &self.chunks[&id]),
        };
        ids.map(parts).collect()
    }

    /// Whether all recipes of a body can be followed; a fake that follows none refuses all of them.
    fn follows(&self, all: &[Encoded]) -> bool {
        let recipes = all.iter().filter(|chunk| chunk.header.encoding == Encoding::Recipe);
        recipes
            .clone()
            .all(|chunk| self.follows_recipes && self.assembled(chunk).is_some())
    }

    fn assembled(&self, chunk: &Encoded) -> Option<Vec<u8>> {
        Recipe::parse(&chunk.stored)?.assemble(chunk.header.len as usize, |id| self.chunks.get(id))
    }

    fn take(&mut self, body: Body, half: bool) -> Result<(), Failure> {
        let all: Vec<_> = body.into_encoded().collect();
        if !self.follows(&all) {
            self.refused_recipes += 1;
            return Err(Failure::Refused(Refusal::new(ErrorCode::Conflict, "no such recipe")));
        }
        let count = if half { all.len() / 2 } else { all.len() };
        for chunk in all.iter().take(count) {
            self.take_one(chunk);
        }
        Ok(())
    }

    /// Stores a chunk that arrived.
    pub(super) fn take_one(&mut self, chunk: &Encoded) {
        let id = chunk.header.id;
        let bytes = match chunk.header.encoding {
            Encoding::Plain => chunk.stored.to_vec(),
            Encoding::Zstd => zstd::bulk::decompress(&chunk.stored, chunk.header.len as usize).unwrap(),
            Encoding::Recipe => self.assembled(chunk).unwrap(),
        };
        self.wire += chunk.stored.len();
        assert_eq!(KEY.id(&bytes), id);
        assert_eq!(chunk.header.stored_len as usize, chunk.stored.len());
        self.sent.push(id);
        if self.chunks.insert(id, bytes).is_some() {
            self.sent_again += 1;
        }
    }

    fn commit(&mut self, upload: &CommitUpload) -> CommitReply {
        self.commits += 1;
        for id in std::mem::take(&mut self.lost) {
            self.chunks.remove(&id);
        }
        let commit = upload.commit.verify(&self.key).unwrap();
        if commit_hash(&upload.commit) == self.head.hash {
            return CommitReply::Committed(self.head);
        }
        if (commit.number, commit.parent) != (self.head.number + 1, self.head.hash) {
            return CommitReply::Behind(self.head);
        }
        assert_eq!(Hash::of(&upload.changes), commit.changes);
        let manifests: HashMap<_, _> = upload
            .manifests
            .iter()
            .map(|bytes| (Hash::of(bytes), Manifest::parse(bytes).unwrap()))
            .collect();
        assert_eq!(manifests.len(), upload.manifests.len(), "a manifest travels once");
        let missing = self.missing(&manifests);
        if !missing.is_empty() {
            return CommitReply::Missing(missing);
        }
        let changes = wire::decode::<Vec<Change>>(&upload.changes).unwrap();
        let structural = changes.iter().filter(|change| change.is_structural()).count();
        assert!(
            structural == 0 || structural == changes.len(),
            "a commit is of one sort"
        );
        assert!(structural == 0 || self.may_restructure, "an upload removes nothing");
        for change in changes {
            self.apply(change, &manifests);
        }
        self.head = ChainHead {
            number: commit.number,
            hash: commit_hash(&upload.commit),
        };
        CommitReply::Committed(self.head)
    }

    fn apply(&mut self, change: Change, manifests: &HashMap<Hash, Manifest>) {
        match change {
            Change::Put { path, manifest } => {
                let manifest = manifests[&manifest].clone();
                if manifest.content != Content::Folder {
                    self.heads.retain(|one, _| *one == path || !path.holds(one));
                }
                let above = std::iter::successors(path.split_last(), |(above, _)| above.split_last());
                for (above, _) in above {
                    let is_other = |manifest: &Manifest| manifest.content != Content::Folder;
                    assert!(
                        !self.heads.get(&above).is_some_and(is_other),
                        "{path:?} is put below a file"
                    );
                }
                self.puts += 1;
                self.heads.insert(path, manifest);
            }
            Change::Remove { path } => {
                assert!(!path.is_root());
                self.removes += 1;
                self.heads.retain(|one, _| !path.holds(one));
            }
            Change::Move { from, to } => {
                assert!(!from.holds(&to) && !to.holds(&from), "{from:?} to {to:?}");
                assert!(!self.heads.contains_key(&to), "something is at {to:?}");
                assert!(self.heads.contains_key(&from), "nothing is at {from:?}");
                let (above, _) = to.split_last().unwrap();
                assert!(
                    above.is_root() || self.heads.contains_key(&above),
                    "nothing is above {to:?}"
                );
                self.moves += 1;
                let moved: Vec<_> = self.heads.keys().filter(|one| from.holds(one)).cloned().collect();
                for one in moved {
                    let rest = &one.as_bytes()[from.as_bytes().len()..];
                    let new = RootPath::new([to.as_bytes(), rest].concat()).unwrap();
                    let manifest = self.heads.remove(&one).unwrap();
                    self.heads.insert(new, manifest);
                }
            }
        }
    }

    fn missing(&self, manifests: &HashMap<Hash, Manifest>) -> Vec<ChunkId> {
        let files = manifests.values().filter_map(|manifest| match &manifest.content {
            Content::File(file) => Some(file),
            _ => None,
        });
        let chunks = files.flat_map(|file| &file.chunks).map(|chunk| chunk.id);
        chunks.filter(|id| !self.chunks.contains_key(id)).collect()
    }
}

/// Of the only space.
pub(super) const KEY: ChunkKey = ChunkKey([5; 32]);

pub(super) fn space() -> SpaceId {
    SpaceId::from_slice(&[4; 16]).unwrap()
}

/// What a server says that is full.
pub(super) fn no_room() -> Failure {
    Failure::Refused(Refusal::new(ErrorCode::NoRoom, "full"))
}

impl Remote for Fake {
    async fn begin(&self) -> Result<UploadGrant, Failure> {
        self.question(|store, _| {
            store.begins += 1;
            UploadGrant {
                ticket: [0; 32],
                space: space(),
                chunk_key: KEY,
                head: store.head,
                epoch: store.epoch,
            }
        })
    }

    async fn selection(&self) -> Result<Vec<u8>, Failure> {
        self.question(|store, _| store.selection.clone())
    }

    async fn keep_selection(&self, selection: &[u8]) -> Result<(), Failure> {
        self.question(|store, _| store.selection = selection.to_vec())
    }

    async fn have(&self, chunks: Vec<ChunkId>) -> Result<Bitmap, Failure> {
        self.question(|store, _| {
            store.asked += chunks.len();
            Bitmap::of(chunks.iter().map(|id| !store.chunks.contains_key(id)))
        })
    }

    async fn send(&self, body: Body) -> Result<(), Failure> {
        self.question(|store, half| store.take(body, half))?
    }

    async fn outline(&self, path: RootPath) -> Result<Outline, Failure> {
        self.question(|store, _| {
            store.outlines += 1;
            let hint = |id: &ChunkId| *id.0.first_chunk().unwrap();
            let chunks = store.chunks_of(&path);
            let chunks = chunks.iter().map(|chunk| (hint(&chunk.id), chunk.len)).collect();
            Outline { chunks }
        })
    }

    async fn parts(&self, path: RootPath, chunks: Vec<u32>) -> Result<Vec<ChunkParts>, Failure> {
        self.question(|store, _| {
            store.parts_asked += chunks.len();
            store.parts(&path, &chunks)
        })
    }

    async fn commit(&self, upload: &CommitUpload) -> Result<CommitReply, Failure> {
        self.question(|store, _| store.commit(upload))
    }

    async fn report(&self, offset: u64, problems: &[Problem]) -> Result<(), Failure> {
        self.question(|store, _| {
            store.problems.truncate(usize::try_from(offset).unwrap());
            store.problems.extend_from_slice(problems);
        })
    }

    fn progress(&self, hold: Hold, _: Progress) {
        self.with(|store| _ = store.holds.insert(hold));
    }
}

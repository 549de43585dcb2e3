//! Recipes: what changed inside a large file, told out of the chunks that the server has of its version before.
//!
//! Chunks that vanished stand where the missing ones now do: between the same neighbours, else at about the same place. The
//! server is asked for the parts of just these, so that the cost follows the change and not the file.

mod align;

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed},
    },
};

use beckon_shared::{
    bulk::{ChunkParts, READ_CHUNKS_MAX},
    chunk::{ChunkKey, ChunkRef},
    delta::Known,
    id::ChunkId,
    path::RootPath,
};
use bytes::Bytes;
use tokio::{sync::OnceCell, task::spawn_blocking};

use self::align::Old;
use super::{
    Shared,
    batch::{Batch, Piece},
    remote::{Failure, Remote},
};

/// Smaller files are sent as they are: their few chunks cost less than the questions. Bytes.
pub(super) const LARGE: u64 = 4 << 20;

/// After so much content in vain no more of a file is tried. Bytes.
const TRIED: u64 = 4 << 20;

/// It is in vain where less than this part of it was saved.
const SAVED: u64 = 8;

/// A large file of which an earlier version is stored.
#[derive(Debug)]
pub(super) struct Earlier {
    path: RootPath,
    key: ChunkKey,
    old: OnceCell<Old>,
    /// By how much content had moved where it was last found.
    shift: AtomicI64,
    tried: AtomicU64,
    saved: AtomicU64,
    is_given_up: AtomicBool,
}

/// Chunks of such a file that stand in a batch.
#[derive(Debug)]
pub(super) struct Span {
    /// The file.
    pub(super) file: Arc<Earlier>,
    /// Where the first of them begins in it.
    pub(super) at: u64,
    /// In order.
    pub(super) chunks: Vec<ChunkRef>,
}

impl Earlier {
    /// A file of the root whose chunk ids are made with this key.
    pub(super) fn new(path: RootPath, key: ChunkKey) -> Arc<Self> {
        Arc::new(Self {
            path,
            key,
            old: OnceCell::new(),
            shift: AtomicI64::new(0),
            tried: AtomicU64::new(0),
            saved: AtomicU64::new(0),
            is_given_up: AtomicBool::new(false),
        })
    }

    /// No more of it is told in recipes.
    fn give_up(&self) {
        self.is_given_up.store(true, Relaxed);
    }

    fn note(&self, tried: u64, saved: u64) {
        let tried = self.tried.fetch_add(tried, Relaxed) + tried;
        let saved = self.saved.fetch_add(saved, Relaxed) + saved;
        if tried >= TRIED && saved < tried / SAVED {
            self.give_up();
        }
    }

    /// What the server has of it, as far as it says so; asked once.
    async fn known<R: Remote>(&self, shared: &Shared<R>) -> Option<&Old> {
        if let Some(old) = self.old.get() {
            return Some(old);
        }
        if self.is_given_up.load(Relaxed) {
            return None;
        }
        let ask = async {
            let outline = match shared.told(&self.path) {
                Some(path) => shared.remote.outline(path).await?.chunks,
                None => Vec::new(),
            };
            Ok(Old::new(outline))
        };
        match self.old.get_or_try_init(|| ask).await {
            Ok(old) => Some(old),
            Err(failure) => self.failed(failure),
        }
    }

    /// It goes on without. What is sent next meets a broken connection too, and is tried again.
    fn failed<T: Default>(&self, failure: Failure) -> T {
        if let Failure::Refused(refusal) = failure {
            tracing::debug!(%refusal, "the server says nothing of an earlier version");
            self.give_up();
        }
        T::default()
    }

    /// The parts of the chunks at these places, as far as the server still has them.
    async fn parts<R: Remote>(
        &self,
        shared: &Shared<R>,
        old: &Old,
        places: Vec<u32>,
    ) -> Result<Vec<ChunkParts>, Failure> {
        let Some(path) = shared.told(&self.path) else {
            return Ok(Vec::new());
        };
        let asked: HashSet<[u8; 8]> = places.iter().filter_map(|at| old.hint(*at)).collect();
        let mut found = shared.remote.parts(path, places).await?;
        // Another version may be the newest by now.
        found.retain(|parts| asked.contains(&hint(&parts.id)));
        Ok(found)
    }
}

/// The chunks of a batch that the version before has: nobody need ask for them, since that version keeps them and the
/// commit looks after them once more. What is missing then is read again, and asked for.
pub(super) async fn held<R: Remote>(shared: &Shared<R>, batch: &Batch) -> HashSet<ChunkId> {
    let mut held = HashSet::new();
    for span in &batch.spans {
        if let Some(old) = span.file.known(shared).await {
            let ids = span.chunks.iter().map(|chunk| chunk.id);
            held.extend(ids.filter(|id| old.holds(&hint(id))));
        }
    }
    held
}

/// Recipes for those of the missing chunks that are told shorter so. Where the server does not help there are none.
pub(super) async fn of_batch<R: Remote>(
    shared: &Shared<R>,
    batch: &Batch,
    missing: &[Piece],
) -> HashMap<ChunkId, Bytes> {
    let mut recipes = HashMap::new();
    for span in &batch.spans {
        let wanted: HashMap<ChunkId, Bytes> = missing
            .iter()
            .filter(|piece| span.chunks.iter().any(|chunk| chunk.id == piece.id))
            .map(|piece| (piece.id, batch.content(piece)))
            .collect();
        if wanted.is_empty() || span.file.is_given_up.load(Relaxed) {
            continue;
        }
        let Some(old) = span.file.known(shared).await else {
            continue;
        };
        let found = of_span(shared, old, span, wanted).await;
        recipes.extend(found.unwrap_or_else(|failure| span.file.failed(failure)));
    }
    recipes
}

/// What was sent as recipes was refused: chunks of these files are sent as they are from now on.
pub(super) fn refused(spans: &[Span]) {
    spans.iter().for_each(|span| span.file.give_up());
}

async fn of_span<R: Remote>(
    shared: &Shared<R>,
    old: &Old,
    span: &Span,
    wanted: HashMap<ChunkId, Bytes>,
) -> Result<HashMap<ChunkId, Bytes>, Failure> {
    let file = &span.file;
    let is_wanted = |id: &ChunkId| wanted.contains_key(id);
    let (mut places, shift) = old.vanished(span.at, &span.chunks, is_wanted, file.shift.load(Relaxed));
    file.shift.store(shift, Relaxed);
    places.truncate(READ_CHUNKS_MAX);
    if places.is_empty() {
        return Ok(HashMap::new());
    }
    let mut known = Known::default();
    for ChunkParts { id, parts } in file.parts(shared, old, places).await? {
        known.add(id, &parts);
    }
    let tried: u64 = wanted.values().map(|content| content.len() as u64).sum();
    let key = file.key.clone();
    let told = spawn_blocking(move || told(&key, &known, wanted)).await;
    // A panic in there is told by its hook; the chunks are sent as they are.
    let told = told.unwrap_or_default();
    let saved = told.iter().map(|(_, (len, recipe))| len - recipe.len() as u64).sum();
    file.note(tried, saved);
    Ok(told.into_iter().map(|(id, (_, recipe))| (id, recipe)).collect())
}

/// The recipes of those chunks that have one, each with the length of the chunk.
fn told(key: &ChunkKey, known: &Known, wanted: HashMap<ChunkId, Bytes>) -> HashMap<ChunkId, (u64, Bytes)> {
    let tell = |(id, content): (ChunkId, Bytes)| {
        let recipe = known.recipe(key, &content)?;
        Some((id, (content.len() as u64, recipe.into())))
    };
    wanted.into_iter().filter_map(tell).collect()
}

/// What an outline names a chunk by.
fn hint(id: &ChunkId) -> [u8; 8] {
    let mut hint = [0; 8];
    hint.copy_from_slice(&id.as_bytes()[..8]);
    hint
}

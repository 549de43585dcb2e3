//! Collection in two phases: what nothing needs is marked, and a day later deleted if still nothing does.
//! Packs that became sparse, and many small ones, are written anew into full ones.

use std::{
    collections::{HashMap, HashSet},
    fmt, io,
    sync::Arc,
    time::Duration,
};

use beckon_shared::{chunk::ChunkKey, id::SpaceId, time::Timestamp};
use tokio::task::spawn_blocking;

use crate::{
    fault,
    store::{
        Error, Store,
        blob::Blobs,
        meta::{
            check::keys,
            chunk::{self, NewPack, Place},
            collect::{self, Kept, Move, PackFill},
        },
        pack::{self, PackId, salvage::salvage},
        read::is_gone,
    },
};

/// How long a chunk stays marked, and how old a pack without an index row must be: longer than any upload or read
/// that may have seen it can last without pinning it.
pub(crate) const GRACE: Duration = Duration::from_secs(24 * 3600);

/// Chunks that one round marks or deletes at most.
const ROUND: u32 = 100_000;

/// A new pack is filled up to this. Bytes.
const TARGET: u64 = pack::TARGET as u64;

/// A pack below this is small: worth being joined with others. Bytes.
const SMALL: u64 = 1 << 20;

/// So many small packs are joined, fewer are left.
const SMALL_MIN: usize = 8;

/// What a round would do; nothing in it has happened yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Chunks that nothing needs, by row number.
    pub(crate) mark: Vec<i64>,
    /// Chunks that nothing has needed for a day.
    pub(crate) delete: Vec<i64>,
    /// Packs in which nothing has been indexed for a day.
    pub(crate) empty: Vec<PackFill>,
    /// Packs that are written anew, each group into one.
    pub(crate) rewrite: Vec<Vec<PackFill>>,
    /// Packs that no row names: left behind by a stop between sealing and indexing, or a database that was restored.
    /// What is whole in them is indexed, and then kept or collected like all else.
    pub(crate) orphans: Vec<PackId>,
    marked_before: i64,
}

impl Plan {
    /// Whether there is nothing to do.
    pub(crate) fn is_empty(&self) -> bool {
        let chunks = self.mark.is_empty() && self.delete.is_empty();
        chunks && self.empty.is_empty() && self.rewrite.is_empty() && self.orphans.is_empty()
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "mark {} chunks, delete {} chunks, drop {} empty packs, take up {} unknown ones, write {} packs anew into {}",
            self.mark.len(),
            self.delete.len(),
            self.empty.len(),
            self.orphans.len(),
            self.rewrite.iter().map(Vec::len).sum::<usize>(),
            self.rewrite.len()
        )
    }
}

/// Looks for what can be collected.
pub(crate) async fn plan(store: &Store) -> Result<Plan, Error> {
    let now = store.clock.now();
    let marked_before = now.before(GRACE).0;
    let on = store.meta.read();
    let blobs = store.blobs.clone();
    // The packs on the disk are listed before those in the database: one that is indexed in between is in both.
    let listed = spawn_blocking(move || blobs.list()).await.map_err(io::Error::other)??;
    let packs = collect::packs(on).await?;
    let known: HashSet<PackId> = packs.iter().map(|pack| pack.id).collect();
    let orphans = listed
        .into_iter()
        .filter(|id| !known.contains(id) && is_old(*id, now))
        .collect();
    Ok(Plan {
        mark: collect::to_mark(on, ROUND).await?,
        delete: collect::to_delete(on, marked_before, ROUND).await?,
        empty: packs
            .iter()
            .filter(|pack| pack.chunks == 0 && pack.created <= marked_before)
            .copied()
            .collect(),
        rewrite: groups(
            packs
                .into_iter()
                .filter(|pack| pack.sound > 0 && pack.created <= marked_before),
        ),
        orphans,
        marked_before,
    })
}

/// By the time in its id.
fn is_old(pack: PackId, now: Timestamp) -> bool {
    let Some((seconds, _)) = pack.0.get_timestamp().map(|time| time.to_unix()) else {
        return false;
    };
    let made = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000);
    now.since(Timestamp(made)) >= GRACE
}

/// Groups of packs that are worth being written anew.
fn groups(packs: impl Iterator<Item = PackFill>) -> Vec<Vec<PackFill>> {
    let (small, large): (Vec<PackFill>, Vec<PackFill>) = packs.partition(|pack| pack.len < SMALL);
    let small = if small.len() >= SMALL_MIN { small } else { Vec::new() };
    let sparse = large.into_iter().filter(|pack| pack.live * 2 < pack.len);
    let mut groups: Vec<Vec<PackFill>> = Vec::new();
    let mut len = TARGET;
    for pack in small.into_iter().chain(sparse) {
        if len + pack.live > TARGET {
            groups.push(Vec::new());
            len = 0;
        }
        len += pack.live;
        if let Some(group) = groups.last_mut() {
            group.push(pack);
        }
    }
    groups
}

/// Does what is planned, as far as it is still right. What frees room comes first, and no pack keeps the others waiting.
pub(crate) async fn execute(store: &Store, plan: &Plan) -> Result<(), Error> {
    let deleted = collect::delete(&store.meta, &plan.delete, plan.marked_before).await?;
    fault::point("chunks-deleted");
    let marked = collect::mark(&store.meta, &plan.mark, store.clock.now().0).await?;
    let gone = collect::forget_empty(&store.meta, &plan.empty).await?;
    fault::point("packs-forgotten");
    let dropped = gone.len();
    let blobs = store.blobs.clone();
    spawn_blocking(move || drop_all(&*blobs, &gone))
        .await
        .map_err(io::Error::other)?;
    if !plan.orphans.is_empty() {
        let keys = Arc::new(keys(store.meta.read()).await?);
        for pack in plan.orphans.iter().copied() {
            if let Err(error) = adopt(store, pack, keys.clone()).await {
                tracing::error!(%error, %pack, "an unknown pack could not be taken up; it stays where it is");
            }
        }
    }
    for group in &plan.rewrite {
        if let Err(error) = rewrite(store, group).await {
            tracing::error!(%error, "packs could not be written anew; they stay as they are");
        }
    }
    tracing::info!(marked, deleted, packs = dropped, "collected");
    Ok(())
}

/// A file that cannot be deleted now is found as an unknown pack later.
fn drop_all(blobs: &dyn Blobs, packs: &[PackId]) {
    for pack in packs {
        if let Err(error) = blobs.delete(*pack) {
            tracing::error!(%error, %pack, "a pack could not be deleted");
        }
    }
}

/// Indexes what is whole in a pack that no row names; one in which there is nothing is put aside for a person to look at.
async fn adopt(store: &Store, pack: PackId, keys: Arc<HashMap<SpaceId, ChunkKey>>) -> Result<(), Error> {
    let blobs = store.blobs.clone();
    let found = spawn_blocking(move || {
        let found = salvage(&*blobs, pack, &keys)?;
        match found.chunks.is_empty() {
            true => blobs.set_aside(pack)?,
            false => blobs.secure(pack)?,
        }
        Ok::<_, io::Error>(found)
    });
    let found = found.await.map_err(io::Error::other)??;
    if found.chunks.is_empty() {
        tracing::warn!(%pack, "nothing could be read of an unknown pack; it lies in packs/lost now");
        return Ok(());
    }
    let (holders, blobs) = (
        chunk::holders(store.meta.read(), &found.chunks).await?,
        store.blobs.clone(),
    );
    let lost = spawn_blocking(move || {
        holders
            .into_iter()
            .filter(|pack| is_lost(&*blobs, *pack))
            .collect::<Vec<_>>()
    });
    let lost = lost.await.map_err(io::Error::other)?;
    chunk::adopt(&store.meta, &*store.clock, found.pack, &found.chunks, &lost).await?;
    tracing::warn!(%pack, chunks = found.chunks.len(), whole = found.is_whole, "took up a pack that the index did not name");
    Ok(())
}

fn is_lost(blobs: &dyn Blobs, pack: PackId) -> bool {
    blobs
        .len(pack)
        .is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// Copies what is needed of some packs into a new one.
async fn rewrite(store: &Store, group: &[PackFill]) -> Result<(), Error> {
    let blobs = store.blobs.clone();
    let room = spawn_blocking(move || blobs.room()).await.map_err(io::Error::other)??;
    let needed = group
        .iter()
        .map(|pack| pack.live)
        .sum::<u64>()
        .saturating_add(store.reserve);
    if room.is_some_and(|free| free < needed) {
        return Err(Error::no_room());
    }
    let mut kept = Vec::new();
    for pack in group {
        let chunks = collect::chunks_of(store.meta.read(), pack.no).await?;
        kept.extend(chunks.into_iter().map(|kept| (pack.no, kept)));
    }
    let (blobs, id) = (store.blobs.clone(), PackId::new(&*store.clock));
    let copied = spawn_blocking(move || copy(&*blobs, id, &kept))
        .await
        .map_err(io::Error::other)??;
    fault::point("pack-copied");
    for place in &copied.damaged {
        chunk::mark_damaged(&store.meta, &*store.clock, place).await?;
    }
    collect::move_chunks(
        &store.meta,
        &*store.clock,
        NewPack { id, len: copied.len },
        &copied.moves,
    )
    .await?;
    fault::point("chunks-moved");
    Ok(())
}

struct Copied {
    len: u64,
    moves: Vec<Move>,
    damaged: Vec<Place>,
}

fn copy(blobs: &dyn Blobs, id: PackId, kept: &[(i64, Kept)]) -> Result<Copied, Error> {
    let mut sink = blobs.begin(id)?;
    sink.write(&pack::header(id))?;
    let mut copied = Copied {
        len: pack::HEADER_LEN as u64,
        moves: Vec::new(),
        damaged: Vec::new(),
    };
    for (from, kept) in kept {
        let Some(record) = sound_record(blobs, kept)? else {
            copied.damaged.push(kept.place);
            continue;
        };
        sink.write(&record)?;
        let start = copied.len + pack::RECORD_LEN as u64;
        copied.moves.push(Move {
            chunk: kept.place.no,
            from: *from,
            start,
        });
        copied.len += record.len() as u64;
    }
    let count = u32::try_from(copied.moves.len()).unwrap_or(u32::MAX);
    sink.write(&pack::footer(count))?;
    copied.len += pack::FOOTER_LEN as u64;
    sink.seal()?;
    Ok(copied)
}

/// A record as it stands in its pack; nothing where it is damaged, which must not be copied under a new check.
fn sound_record(blobs: &dyn Blobs, kept: &Kept) -> Result<Option<Vec<u8>>, Error> {
    let place = &kept.place;
    let Some(start) = place.start.checked_sub(pack::RECORD_LEN as u64) else {
        return Ok(None);
    };
    let end = place.start + u64::from(place.header.stored_len);
    let bytes = match blobs.read(place.pack, start..end) {
        Ok(bytes) => bytes,
        Err(error) if is_gone(&error) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let sound = bytes[..pack::RECORD_LEN] == pack::record(kept.space, &place.header, &bytes[pack::RECORD_LEN..]);
    Ok(sound.then_some(bytes))
}

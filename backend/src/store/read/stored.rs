//! Chunks as they are stored, for whoever verifies them himself: read in the order in which they lie, checked against the
//! sums of their packs, and never unpacked.

use std::{collections::VecDeque, io};

use beckon_shared::{
    bulk::ChunkHeader,
    id::{ChunkId, SpaceId},
};
use bytes::Bytes;
use futures_util::{Stream, stream};
use tokio::task::spawn_blocking;

use super::{BadBytes, Error, Store, content, is_gone, meta};
use crate::store::{blob::Blobs, meta::chunk::Place, pack};

/// Bytes that are read at once, unless a chunk alone is longer.
const RUN_MAX: u64 = 1 << 20;

/// What lies between two wanted chunks is read along where it is no longer: a second read costs more. Bytes.
const GAP_MAX: u64 = 32 << 10;

/// A chunk that is as it was stored.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    /// What it is.
    pub(crate) header: ChunkHeader,
    /// The header and the stored bytes, as they stand in a body.
    pub(crate) frame: Bytes,
}

impl Stored {
    /// What it holds; whoever relies on it checks its id.
    pub(crate) fn content(&self) -> Result<Bytes, BadBytes> {
        let stored = self.frame.slice(ChunkHeader::LEN..);
        content(stored, self.header.encoding, self.header.len)
    }
}

impl Store {
    /// These chunks in the order in which they lie, about a MiB at a time, read when the next are asked for. What is damaged
    /// is noted and left out.
    pub(crate) fn stored(
        &self,
        space: SpaceId,
        places: Vec<Place>,
    ) -> impl Stream<Item = Result<Vec<Stored>, Error>> + Send + use<> {
        let reading = (self.clone(), runs(places));
        stream::try_unfold(reading, move |(store, mut runs)| async move {
            let Some(run) = runs.pop_front() else {
                return Ok(None);
            };
            let stored = store.read_stored(space, run).await?;
            Ok(Some((stored, (store, runs))))
        })
    }

    async fn read_stored(&self, space: SpaceId, run: Vec<Place>) -> Result<Vec<Stored>, Error> {
        let (mut stored, bad) = self.load_stored(space, run).await?;
        for place in bad {
            // Collection may have moved it meanwhile.
            let found = meta::chunk::find(self.meta.read(), space, &[place.header.id]).await?;
            let Some(place) = found.get(&place.header.id) else {
                continue;
            };
            let (again, bad) = self.load_stored(space, vec![*place]).await?;
            stored.extend(again);
            for place in bad {
                self.note_stored_damage(&place).await;
            }
        }
        Ok(stored)
    }

    /// Those that are good, and the places of the others.
    async fn load_stored(&self, space: SpaceId, run: Vec<Place>) -> Result<(Vec<Stored>, Vec<Place>), Error> {
        let blobs = self.blobs.clone();
        let loaded = spawn_blocking(move || load(&*blobs, space, run));
        Ok(loaded.await.map_err(io::Error::other)??)
    }

    async fn note_stored_damage(&self, place: &Place) {
        let chunk: &ChunkId = &place.header.id;
        tracing::error!(%chunk, pack = %place.pack, "a stored chunk is damaged");
        if let Err(error) = meta::chunk::mark_damaged(&self.meta, &*self.clock, place).await {
            tracing::error!(%error, "the damage could not be recorded");
        }
    }
}

/// The chunks in runs that are read at once.
fn runs(mut places: Vec<Place>) -> VecDeque<Vec<Place>> {
    places.sort_unstable_by_key(|place| (place.pack, place.start));
    let mut runs: VecDeque<Vec<Place>> = VecDeque::new();
    for place in places {
        match runs.back_mut() {
            Some(run) if goes_on(run, &place) => run.push(place),
            _ => runs.push_back(vec![place]),
        }
    }
    runs
}

fn goes_on(run: &[Place], next: &Place) -> bool {
    let (Some(first), Some(last)) = (run.first(), run.last()) else {
        return false;
    };
    next.pack == first.pack && next.start <= end(last) + GAP_MAX && end(next) - first.start <= RUN_MAX
}

fn end(place: &Place) -> u64 {
    place.start + u64::from(place.header.stored_len)
}

/// Reads a run with the record before each chunk, whose place the header of its frame takes.
fn load(blobs: &dyn Blobs, space: SpaceId, run: Vec<Place>) -> io::Result<(Vec<Stored>, Vec<Place>)> {
    let (Some(first), Some(last)) = (run.first(), run.last()) else {
        return Ok((Vec::new(), run));
    };
    let from = first.start.saturating_sub(pack::RECORD_LEN as u64);
    let mut bytes = match blobs.read(first.pack, from..end(last)) {
        Ok(bytes) => bytes,
        Err(error) if is_gone(&error) => {
            tracing::warn!(%error, pack = %first.pack, "a pack could not be read");
            return Ok((Vec::new(), run));
        }
        Err(error) => return Err(error),
    };
    let mut good = Vec::with_capacity(run.len());
    let mut bad = Vec::new();
    for place in run {
        match frame_in(&mut bytes, space, &place, from) {
            Some(range) => good.push((place.header, range)),
            None => bad.push(place),
        }
    }
    let bytes = Bytes::from(bytes);
    let stored = |(header, range)| Stored {
        header,
        frame: bytes.slice(range),
    };
    Ok((good.into_iter().map(stored).collect(), bad))
}

/// Makes a chunk's frame out of its record in `bytes`, which are those of a pack from `from` on, if it is intact.
fn frame_in(bytes: &mut [u8], space: SpaceId, place: &Place, from: u64) -> Option<std::ops::Range<usize>> {
    let start = usize::try_from(place.start.checked_sub(from)?).ok()?;
    let range = start..start.checked_add(place.header.stored_len as usize)?;
    let record = start.checked_sub(pack::RECORD_LEN)?..start;
    let expected = pack::record(space, &place.header, bytes.get(range.clone())?);
    if bytes.get(record)? != expected {
        return None;
    }
    let frame = start - ChunkHeader::LEN..range.end;
    bytes
        .get_mut(frame.start..start)?
        .copy_from_slice(&place.header.to_bytes());
    Some(frame)
}

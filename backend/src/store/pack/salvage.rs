//! What of a pack can be counted on, whatever happened to it: the records whose content is what their id says.

use std::{
    collections::{HashMap, HashSet},
    io,
};

use beckon_shared::{
    chunk::ChunkKey,
    id::{ChunkId, SpaceId},
};
use bytes::Bytes;

use super::{PackId, Record, parse};
use crate::store::{
    blob::Blobs,
    meta::chunk::{NewChunk, NewPack},
    read::content,
};

/// What was found in a pack.
#[derive(Debug, Clone)]
pub(crate) struct Salvaged {
    /// The pack.
    pub(crate) pack: NewPack,
    /// Its sound chunks in the spaces that there are, each once.
    pub(crate) chunks: Vec<NewChunk>,
    /// Whether nothing in it is damaged.
    pub(crate) is_whole: bool,
}

/// Reads a pack and keeps what is sound; it is durable if a row named it, or after [`Blobs::secure`]. Its name is its id: its
/// header may be damaged.
///
/// After damage the next record is looked for inside what somebody uploaded, so a record's own check is not enough.
pub(crate) fn salvage(blobs: &dyn Blobs, id: PackId, keys: &HashMap<SpaceId, ChunkKey>) -> io::Result<Salvaged> {
    let len = blobs.len(id)?;
    let bytes = Bytes::from(blobs.read(id, 0..len)?);
    let contents = parse(&bytes);
    let mut is_whole = contents.complete && contents.id == Some(id);
    let mut seen: HashSet<(SpaceId, ChunkId)> = HashSet::new();
    let mut chunks = Vec::new();
    for record in contents.records {
        if !record.intact
            || keys
                .get(&record.space)
                .is_some_and(|key| !is_sound(&bytes, key, &record))
        {
            is_whole = false;
        } else if keys.contains_key(&record.space) && seen.insert((record.space, record.chunk.id)) {
            chunks.push(NewChunk {
                space: record.space,
                header: record.chunk,
                start: record.start as u64,
            });
        }
    }
    Ok(Salvaged {
        pack: NewPack { id, len },
        chunks,
        is_whole,
    })
}

fn is_sound(pack: &Bytes, key: &ChunkKey, record: &Record) -> bool {
    let header = &record.chunk;
    content(pack.slice(record.start..record.end()), header.encoding, header.len)
        .is_ok_and(|content| key.id(&content) == header.id)
}

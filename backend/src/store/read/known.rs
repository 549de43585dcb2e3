//! The finer second level: the parts of stored chunks, chunks told as recipes out of them, and chunks that come as recipes.

use std::io;

use beckon_shared::{
    bulk::{ChunkHeader, ChunkParts, Encoding},
    chunk::ChunkKey,
    delta::{Known, Recipe, parts},
    id::{ChunkId, SpaceId},
};
use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt;
use tokio::task::spawn_blocking;

use super::{Error, Store, stored::Stored};
use crate::store::{meta::chunk::Place, writer::VerifiedChunk};

/// Level of zstd for what was put together here.
const LEVEL: i32 = 1;

impl Store {
    /// The parts of these chunks, in the order in which they lie.
    pub(crate) async fn parts(
        &self,
        space: SpaceId,
        key: &ChunkKey,
        places: Vec<Place>,
    ) -> Result<Vec<ChunkParts>, Error> {
        let mut found = Vec::new();
        let mut runs = std::pin::pin!(self.stored(space, places));
        while let Some(run) = runs.try_next().await? {
            let key = key.clone();
            let cut = spawn_blocking(move || run.iter().filter_map(|stored| parts_of(&key, stored)).collect());
            let cut: Vec<ChunkParts> = cut.await.map_err(io::Error::other)?;
            found.extend(cut);
        }
        Ok(found)
    }

    /// The contents of these chunks, unverified: what is made of them is verified.
    pub(crate) async fn contents(&self, space: SpaceId, places: Vec<Place>) -> Result<Vec<(ChunkId, Bytes)>, Error> {
        let mut found = Vec::new();
        let mut runs = std::pin::pin!(self.stored(space, places));
        while let Some(run) = runs.try_next().await? {
            let unpack = |stored: Stored| Some((stored.header.id, stored.content().ok()?));
            let unpacked = spawn_blocking(move || run.into_iter().filter_map(unpack).collect());
            let unpacked: Vec<(ChunkId, Bytes)> = unpacked.await.map_err(io::Error::other)?;
            found.extend(unpacked);
        }
        Ok(found)
    }
}

fn parts_of(key: &ChunkKey, stored: &Stored) -> Option<ChunkParts> {
    let content = stored.content().ok()?;
    Some(ChunkParts {
        id: stored.header.id,
        parts: parts(key, &content),
    })
}

/// The frame of a chunk as a recipe out of what is known, if that is shorter than the chunk as it is stored.
pub(crate) fn as_recipe(key: &ChunkKey, known: &Known, stored: &Stored) -> Option<Bytes> {
    let content = stored.content().ok()?;
    if key.id(&content) != stored.header.id {
        return None;
    }
    let recipe = known.recipe(key, &content)?;
    if recipe.len() >= stored.header.stored_len as usize {
        return None;
    }
    let header = ChunkHeader {
        encoding: Encoding::Recipe,
        // It is shorter than a stored chunk.
        stored_len: recipe.len() as u32,
        ..stored.header
    };
    let mut frame = BytesMut::with_capacity(ChunkHeader::LEN + recipe.len());
    frame.extend_from_slice(&header.to_bytes());
    frame.extend_from_slice(&recipe);
    Some(frame.freeze())
}

/// The chunk that a recipe makes out of `base`, verified; compressed where that saves enough and `encoding` says that it may.
pub(crate) fn assemble<'a>(
    key: &ChunkKey,
    header: &ChunkHeader,
    recipe: &Recipe,
    encoding: Encoding,
    base: impl FnMut(&ChunkId) -> Option<&'a Bytes>,
) -> Option<VerifiedChunk> {
    let content = recipe.assemble(header.len as usize, base)?;
    if key.id(&content) != header.id {
        return None;
    }
    let packed = match encoding {
        Encoding::Zstd => zstd::bulk::compress(&content, LEVEL).ok(),
        Encoding::Plain | Encoding::Recipe => None,
    };
    let (encoding, stored) = match packed {
        Some(packed) if packed.len() <= content.len() - content.len() / 10 => (Encoding::Zstd, packed),
        _ => (Encoding::Plain, content),
    };
    let header = ChunkHeader {
        encoding,
        // No chunk is longer than 1 MiB.
        stored_len: stored.len() as u32,
        ..*header
    };
    Some(VerifiedChunk {
        header,
        stored: stored.into(),
    })
}

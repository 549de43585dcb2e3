//! Chunks as a body carries them: a header and the bytes, compressed where that saves enough.

use std::{net::IpAddr, sync::Arc};

use beckon_shared::{
    bulk::{ChunkHeader, Encoding},
    id::ChunkId,
};
use bytes::Bytes;
use zstd::bulk::Compressor;

use super::progress::Counters;
use crate::{fault, origin::Origin};

/// Whether chunks are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    /// Never.
    Off,
    /// Where it saves at least a tenth.
    Fast,
}

impl Compression {
    /// What pays on the way to this server: on the same machine or network the way is faster than zstd.
    pub(super) fn towards(origin: &Origin) -> Self {
        match origin.address().0.parse::<IpAddr>() {
            Ok(address) if is_near(address) => Self::Off,
            Err(_) if origin.address().0 == "localhost" => Self::Off,
            _ => Self::Fast,
        }
    }
}

fn is_near(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

/// Level of zstd: what is not worth it costs next to nothing, and text shrinks to half.
const LEVEL: i32 = 1;
/// Chunks of at least twice this length are judged by so many bytes at their start.
const SAMPLE: usize = 16 << 10;
/// Less is not worth a frame of its own. Bytes.
const SHORTEST: usize = 64;

/// A chunk to be sent.
#[derive(Debug, Clone)]
pub(super) struct Chunk {
    pub(super) id: ChunkId,
    pub(super) content: Bytes,
    /// What it can be sent as in place of its content.
    pub(super) recipe: Option<Bytes>,
}

impl From<(ChunkId, Bytes)> for Chunk {
    fn from((id, content): (ChunkId, Bytes)) -> Self {
        Self {
            id,
            content,
            recipe: None,
        }
    }
}

impl Chunk {
    /// Bytes on the wire, before compression.
    pub(super) fn len(&self) -> u64 {
        self.recipe.as_ref().unwrap_or(&self.content).len() as u64
    }
}

/// Chunks to be sent in one body.
pub(crate) struct Body {
    chunks: Vec<Chunk>,
    compression: Compression,
    counters: Arc<Counters>,
}

/// A chunk as it is stored.
pub(super) struct Encoded {
    pub(super) header: ChunkHeader,
    pub(super) stored: Bytes,
}

impl Body {
    /// What is put on the wire is counted in `counters`.
    pub(super) fn new(chunks: Vec<Chunk>, compression: Compression, counters: Arc<Counters>) -> Self {
        Self {
            chunks,
            compression,
            counters,
        }
    }

    /// The chunks one after the other; each is encoded, and counted as sent, when it is taken.
    pub(super) fn into_encoded(self) -> impl Iterator<Item = Encoded> + Send + 'static {
        let Self {
            chunks,
            compression,
            counters,
        } = self;
        let mut compressor = match compression {
            Compression::Off => None,
            Compression::Fast => Compressor::new(LEVEL).ok(),
        };
        chunks.into_iter().map(move |chunk| {
            let encoded = encode(chunk, compressor.as_mut());
            counters.sent.add(u64::from(encoded.header.stored_len));
            fault::point("chunk-counted");
            encoded
        })
    }
}

fn encode(chunk: Chunk, compressor: Option<&mut Compressor<'static>>) -> Encoded {
    let Chunk { id, content, recipe } = chunk;
    // A chunk has at most `CHUNK_MAX` bytes, which is far below 4 GiB.
    let len = content.len() as u32;
    let packed = compressor.and_then(|compressor| compressed(&content, compressor));
    let (encoding, stored) = match (packed, recipe) {
        (Some(packed), Some(recipe)) if packed.len() < recipe.len() => (Encoding::Zstd, packed.into()),
        (_, Some(recipe)) => (Encoding::Recipe, recipe),
        (Some(packed), None) => (Encoding::Zstd, packed.into()),
        (None, None) => (Encoding::Plain, content),
    };
    let header = ChunkHeader {
        id,
        encoding,
        len,
        stored_len: stored.len() as u32,
    };
    Encoded { header, stored }
}

fn compressed(content: &[u8], compressor: &mut Compressor<'static>) -> Option<Vec<u8>> {
    if content.len() < SHORTEST {
        return None;
    }
    if content.len() >= 2 * SAMPLE {
        let sample = &content[..SAMPLE];
        compressor.compress(sample).ok().filter(|stored| pays(sample, stored))?;
    }
    compressor.compress(content).ok().filter(|stored| pays(content, stored))
}

fn pays(content: &[u8], stored: &[u8]) -> bool {
    stored.len() <= content.len() - content.len() / 10
}

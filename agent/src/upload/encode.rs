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

/// Chunks to be sent in one body.
pub(super) struct Body {
    chunks: Vec<(ChunkId, Bytes)>,
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
    pub(super) fn new(chunks: Vec<(ChunkId, Bytes)>, compression: Compression, counters: Arc<Counters>) -> Self {
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
        chunks.into_iter().map(move |(id, content)| {
            let encoded = encode(id, content, compressor.as_mut());
            counters.sent.add(u64::from(encoded.header.stored_len));
            fault::point("chunk-counted");
            encoded
        })
    }
}

fn encode(id: ChunkId, content: Bytes, compressor: Option<&mut Compressor<'static>>) -> Encoded {
    // A chunk has at most `CHUNK_MAX` bytes, which is far below 4 GiB.
    let len = content.len() as u32;
    match compressor.and_then(|compressor| compressed(&content, compressor)) {
        Some(stored) => {
            let header = ChunkHeader {
                id,
                encoding: Encoding::Zstd,
                len,
                stored_len: stored.len() as u32,
            };
            Encoded {
                header,
                stored: stored.into(),
            }
        }
        None => Encoded {
            header: ChunkHeader {
                id,
                encoding: Encoding::Plain,
                len,
                stored_len: len,
            },
            stored: content,
        },
    }
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

//! One version of a file, folder or symlink, as a value: what it holds and what its source said of it.

use serde::{Deserialize, Serialize};

use crate::{
    chunk::{CHUNK_MAX, CHUNK_MIN, ChunkRef},
    entry::SourceStamp,
    id::{ChunkId, Hash},
};

/// A manifest is at most this many encoded bytes: about 1.9 million chunks, 480 GiB at their average length.
pub const MANIFEST_MAX: usize = 64 << 20;

/// What a version holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// How content is stored: 0 is readable by the server, chunk ids by keyed BLAKE3.
    pub suite: u8,
    /// Permission bits (the low 12), 0 where the platform has none.
    pub mode: u32,
    /// Modification time in nanoseconds since 1970.
    pub mtime_ns: i64,
    /// What it is, and holds.
    pub content: Content,
}

/// What an entry is, and holds. Numbers of variants are never used again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Content {
    /// A directory; what is in it has manifests of its own.
    Folder,
    /// A regular file.
    File(FileContent),
    /// A symbolic link, as its bytes stand on the disk.
    Symlink(Vec<u8>),
}

/// The content of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileContent {
    /// What the source said of it, equal before and after the read unless torn.
    pub stamp: SourceStamp,
    /// When the read began, in nanoseconds since 1970 by the machine's clock.
    pub read_ns: i64,
    /// Plain BLAKE3 of the whole.
    pub hash: Hash,
    /// CRC-32 (IEEE 802.3) of the whole, for ZIPs.
    pub crc32: u32,
    /// It changed in every attempt to read it.
    pub torn: bool,
    /// It had holes.
    pub sparse: bool,
    /// The chunks, in order; their lengths add up to the size, and none but the last is below [`CHUNK_MIN`].
    pub chunks: Vec<ChunkRef>,
}

impl FileContent {
    /// Bytes of the whole: what the chunks hold.
    pub fn size(&self) -> u64 {
        self.chunks.iter().map(|chunk| u64::from(chunk.len)).sum()
    }
}

/// What is known of a file's content once all of it was read.
#[derive(Debug, PartialEq, Eq)]
pub struct ContentSum {
    /// Plain BLAKE3 of the whole.
    pub hash: Hash,
    /// CRC-32 of the whole.
    pub crc32: u32,
    /// The chunks, in order.
    pub chunks: Vec<ChunkRef>,
    /// Bytes of the whole.
    pub size: u64,
}

/// Gathers what a manifest says of a file's content, chunk by chunk.
#[derive(Default)]
pub struct ContentHasher {
    hash: blake3::Hasher,
    crc32: crc32fast::Hasher,
    chunks: Vec<ChunkRef>,
    size: u64,
}

impl ContentHasher {
    /// Takes in the next chunk, which has at most [`CHUNK_MAX`] bytes.
    pub fn add(&mut self, id: ChunkId, bytes: &[u8]) {
        self.hash.update(bytes);
        self.crc32.update(bytes);
        self.chunks.push(ChunkRef {
            id,
            // `CHUNK_MAX` is far below 4 GiB.
            len: bytes.len() as u32,
        });
        self.size += bytes.len() as u64;
    }

    /// The file has ended.
    pub fn finish(self) -> ContentSum {
        ContentSum {
            hash: Hash(*self.hash.finalize().as_bytes()),
            crc32: self.crc32.finalize(),
            chunks: self.chunks,
            size: self.size,
        }
    }
}

/// Why a manifest is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadManifest {
    /// Not the encoding of a manifest, or too large.
    #[error("a manifest is malformed; update the agent")]
    Malformed,
    /// A suite that this end does not know.
    #[error("a manifest is of an unknown suite; update the server")]
    Suite,
    /// Chunk lengths outside their limits, or a stamp that contradicts them.
    #[error("a manifest contradicts itself; update the agent")]
    Lengths,
}

impl Manifest {
    /// Parses and checks one that came over the wire.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadManifest> {
        if bytes.len() > MANIFEST_MAX {
            return Err(BadManifest::Malformed);
        }
        let manifest: Self = crate::wire::decode(bytes).map_err(|_| BadManifest::Malformed)?;
        if manifest.suite != 0 {
            return Err(BadManifest::Suite);
        }
        match &manifest.content {
            Content::File(file) if !file.is_consistent() => Err(BadManifest::Lengths),
            Content::Symlink(target) if target.len() > crate::path::PATH_MAX => Err(BadManifest::Lengths),
            _ => Ok(manifest),
        }
    }
}

impl FileContent {
    fn is_consistent(&self) -> bool {
        let last = self.chunks.len().saturating_sub(1);
        let bounds = |at: usize| {
            if at < last {
                CHUNK_MIN..=CHUNK_MAX
            } else {
                1..=CHUNK_MAX
            }
        };
        let bounded = self
            .chunks
            .iter()
            .enumerate()
            .all(|(at, chunk)| bounds(at).contains(&(chunk.len as usize)));
        bounded && (self.torn || self.size() == self.stamp.size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{id::ChunkId, wire};

    fn parsed(lengths: &[usize]) -> Result<Manifest, BadManifest> {
        let chunks = lengths
            .iter()
            .map(|len| ChunkRef {
                id: ChunkId([1; 32]),
                len: *len as u32,
            })
            .collect();
        let stamp = SourceStamp {
            size: lengths.iter().sum::<usize>() as u64,
            mtime_ns: 1,
            ctime_ns: 2,
            file_id: 3,
        };
        let file = FileContent {
            stamp,
            read_ns: 4,
            hash: Hash([5; 32]),
            crc32: 6,
            torn: false,
            sparse: false,
            chunks,
        };
        Manifest::parse(&wire::encode(&Manifest {
            suite: 0,
            mode: 0,
            mtime_ns: 0,
            content: Content::File(file),
        }))
    }

    #[test]
    fn no_chunk_but_the_last_is_below_the_smallest_length() {
        for sound in [&[][..], &[1], &[CHUNK_MIN, 1], &[CHUNK_MAX, CHUNK_MIN, CHUNK_MAX]] {
            assert!(parsed(sound).is_ok(), "{sound:?}");
        }
        for bad in [
            &[0][..],
            &[1, 1],
            &[CHUNK_MIN - 1, CHUNK_MIN],
            &[CHUNK_MAX + 1],
            &[CHUNK_MIN, 0],
        ] {
            assert_eq!(parsed(bad), Err(BadManifest::Lengths), "{bad:?}");
        }
    }
}

//! Content-defined pieces of files (FastCDC, version of 2020; ids by keyed BLAKE3).

use serde::{Deserialize, Serialize};
use zeroize::ZeroizeOnDrop;

use crate::id::ChunkId;

/// A file below this is one chunk, and no chunk but a file's last is smaller. Bytes.
pub const CHUNK_MIN: usize = 64 << 10;
/// What chunks measure on average. Bytes.
pub const CHUNK_AVERAGE: usize = 256 << 10;
/// No chunk is larger. Bytes.
pub const CHUNK_MAX: usize = 1 << 20;

/// The key of a space's chunk ids: equal bytes have equal ids inside a space and unrelated ones elsewhere.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ZeroizeOnDrop)]
pub struct ChunkKey(pub [u8; 32]);

impl ChunkKey {
    /// The id of these bytes in the key's space.
    pub fn id(&self, bytes: &[u8]) -> ChunkId {
        ChunkId(*blake3::keyed_hash(&self.0, bytes).as_bytes())
    }
}

impl std::fmt::Debug for ChunkKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ChunkKey(..)")
    }
}

/// A chunk as a manifest lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ChunkRef {
    /// Its id.
    pub id: ChunkId,
    /// Its content bytes.
    pub len: u32,
}

/// The length of the chunk at the start of `window`.
///
/// `window` must hold either [`CHUNK_MAX`] bytes or all that is left of the file.
pub fn cut(window: &[u8]) -> usize {
    fastcdc::v2020::FastCDC::new(window, CHUNK_MIN, CHUNK_AVERAGE, CHUNK_MAX)
        .cut(0, window.len())
        .1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        blake3::Hasher::new_derive_key("beckon test noise")
            .finalize_xof()
            .fill(&mut bytes);
        bytes
    }

    fn lengths(mut rest: &[u8]) -> Vec<usize> {
        let mut lengths = Vec::new();
        while !rest.is_empty() {
            let len = cut(&rest[..rest.len().min(CHUNK_MAX)]);
            lengths.push(len);
            rest = &rest[len..];
        }
        lengths
    }

    #[test]
    fn cut_points_never_move_between_releases() {
        assert_eq!(lengths(&noise(2 << 20)), PINNED);
    }

    const PINNED: &[usize] = &[204_426, 89_654, 72_683, 291_579, 174_256, 301_380, 600_632, 362_542];

    #[test]
    fn small_files_are_one_chunk_and_zeros_are_cut_at_the_maximum() {
        assert_eq!(cut(&noise(CHUNK_MIN)), CHUNK_MIN);
        assert_eq!(cut(&[]), 0);
        assert_eq!(lengths(&vec![0; CHUNK_MAX * 2 + 5]), [CHUNK_MAX, CHUNK_MAX, 5]);
    }

    #[test]
    fn an_insertion_changes_only_the_chunks_around_it() {
        let before = noise(8 << 20);
        let after = [&before[..3_000_001], &noise(7), &before[3_000_001..]].concat();
        let key = ChunkKey([7; 32]);
        let ids = |bytes: &[u8]| {
            let mut at = 0;
            lengths(bytes)
                .into_iter()
                .map(|len| {
                    at += len;
                    key.id(&bytes[at - len..at])
                })
                .collect::<std::collections::HashSet<_>>()
        };
        let (before, after) = (ids(&before), ids(&after));
        assert!(
            after.difference(&before).count() <= 4,
            "{} chunks changed",
            after.difference(&before).count()
        );
    }

    #[test]
    fn ids_depend_on_the_space() {
        assert_ne!(ChunkKey([1; 32]).id(b"same"), ChunkKey([2; 32]).id(b"same"));
    }
}

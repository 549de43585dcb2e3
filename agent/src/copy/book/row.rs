//! The records of the book.

use beckon_shared::{
    chunk::ChunkRef,
    entry::{EntryKind, SourceStamp},
    id::{ChunkId, Hash, RootId},
};
use serde::{Deserialize, Serialize};

/// What is known of a copy as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Copied {
    /// Stands for the transfer in the keys of the book.
    pub(super) number: u32,
    /// The root that it is written in.
    pub(crate) root: RootId,
    /// The agent stopped without notice since this was last looked through.
    pub(super) is_suspect: bool,
}

/// What was written at a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Row {
    /// What it is.
    pub(crate) kind: EntryKind,
    /// The origin's version.
    pub(crate) manifest: Hash,
    /// Plain BLAKE3 of a file's content or a symlink's target; zeros for a folder. Of what is here: where somebody chose the
    /// local side of a conflict, this is not what the manifest says.
    pub(crate) content: Hash,
    /// What the file system said once it was in its place.
    pub(crate) stamp: SourceStamp,
    /// Permission bits.
    pub(crate) mode: u32,
    /// Whether it ends in zeros.
    pub(crate) has_zero_tail: bool,
    /// Somebody chose the local side: it is not what the manifest says.
    pub(crate) is_ours: bool,
}

/// What is about to be given its name: after a crash in between it is known by its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Intent {
    /// As in [`Row`].
    pub(crate) content: Hash,
}

/// A large file that has come in part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Part {
    /// What it is called meanwhile, in the same folder.
    pub(crate) name: String,
    /// Which version it is of.
    pub(crate) manifest: Hash,
}

/// Id and length of each chunk, in order: 36 bytes each.
pub(super) fn encode_chunks(chunks: &[ChunkRef]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(chunks.len() * 36);
    for chunk in chunks {
        bytes.extend_from_slice(chunk.id.as_bytes());
        bytes.extend_from_slice(&chunk.len.to_le_bytes());
    }
    bytes
}

/// What [`encode_chunks`] wrote.
pub(super) fn decode_chunks(bytes: &[u8]) -> Vec<ChunkRef> {
    let decode = |bytes: &[u8]| {
        Some(ChunkRef {
            id: ChunkId::from_slice(bytes.get(..32)?).ok()?,
            len: u32::from_le_bytes(bytes.get(32..36)?.try_into().ok()?),
        })
    };
    bytes.chunks_exact(36).filter_map(decode).collect()
}

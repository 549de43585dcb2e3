//! What agents and server say in HTTP bodies: which chunks are missing, the chunks, the commit.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::{
    certificate::Chain,
    chunk::{CHUNK_MAX, ChunkKey},
    commit::{CHANGES_MAX, ChainHead, Change, Commit},
    entry::SourceStamp,
    error::Refusal,
    id::{ChunkId, DeviceId, Hash, RootId, SpaceId},
    path::RootPath,
    signature::Signed,
    time::Timestamp,
    wire,
};

/// A have-query asks for at most this many chunks.
pub const HAVE_MAX: usize = 16_384;

/// A body of chunks has at most this many bytes.
pub const CHUNKS_BODY_MAX: usize = 32 << 20;

/// The chunks of one body hold at most this many bytes of content, which compression can make far more than the body.
/// A chunk that stands in a body again counts once.
pub const CHUNKS_CONTENT_MAX: usize = 64 << 20;

/// A commit's body has at most this many bytes: one manifest of the largest kind with its commit.
pub const COMMIT_BODY_MAX: usize = 80 << 20;

/// A frame of the body of `POST /bulk/live/TICKET`: bytes of a file that is still uploading. Each stands behind its length, a
/// little-endian `u32` of at most [`SEGMENT_MAX`]; the first one is [`Segment::File`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Segment {
    /// What the file is; the bytes from the asked offset on follow in order.
    File {
        /// Its size.
        size: u64,
        /// How it stood when the upload began with it.
        stamp: SourceStamp,
    },
    /// These bytes are in the store already: `skip` bytes into the chunk, `len` of them.
    Stored {
        /// The chunk, durable and pinned for the transfer.
        chunk: ChunkId,
        /// Its length.
        chunk_len: u32,
        /// From here in it.
        skip: u32,
        /// So many.
        len: u32,
    },
    /// These are not: read from the machine's disk.
    Bytes(Vec<u8>),
    /// All that was asked for has been sent.
    End,
    /// There is no more to come.
    Refused(Refusal),
}

/// No frame of a live answer is larger. Bytes.
pub const SEGMENT_MAX: usize = 256 << 10;

/// "Which of these are missing?" The answer is a [`Bitmap`]; what it calls present is pinned for the transfer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HaveRequest {
    /// At most [`HAVE_MAX`].
    pub chunks: Vec<ChunkId>,
}

/// One bit for each asked chunk, the lowest bit of the first byte first; set means missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bitmap(Vec<u8>);

impl Bitmap {
    /// From one answer for each.
    pub fn of(bits: impl IntoIterator<Item = bool>) -> Self {
        let mut bytes = Vec::new();
        for (at, bit) in bits.into_iter().enumerate() {
            if at % 8 == 0 {
                bytes.push(0);
            }
            if let (true, Some(last)) = (bit, bytes.last_mut()) {
                *last |= 1 << (at % 8);
            }
        }
        Self(bytes)
    }

    /// The bit at `index`; clear beyond the end.
    pub fn get(&self, index: usize) -> bool {
        self.0.get(index / 8).is_some_and(|byte| byte & (1 << (index % 8)) != 0)
    }

    /// Whether there is exactly one answer for each of `count` questions.
    pub fn answers(&self, count: usize) -> bool {
        self.0.len() == count.div_ceil(8)
    }
}

/// How a chunk's bytes stand in a body or pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// As they are.
    Plain,
    /// As one zstd frame (RFC 8878).
    Zstd,
    /// As an encoded [`Recipe`](crate::delta::Recipe): parts of other chunks and what is new. Never in packs.
    Recipe,
}

/// Stands before a chunk's bytes in a body of chunks: 41 bytes, integers little-endian.
///
/// `id: 32 | encoding: u8 (0 plain, 1 zstd, 2 recipe) | content length: u32 | stored length: u32`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkHeader {
    /// The id of the content.
    pub id: ChunkId,
    /// How it is stored.
    pub encoding: Encoding,
    /// Bytes of content, 1 to [`CHUNK_MAX`].
    pub len: u32,
    /// Bytes that follow, never more than `len`.
    pub stored_len: u32,
}

impl ChunkHeader {
    /// Its length in bytes.
    pub const LEN: usize = 41;

    /// As bytes.
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[..32].copy_from_slice(&self.id.0);
        bytes[32] = match self.encoding {
            Encoding::Plain => 0,
            Encoding::Zstd => 1,
            Encoding::Recipe => 2,
        };
        bytes[33..37].copy_from_slice(&self.len.to_le_bytes());
        bytes[37..].copy_from_slice(&self.stored_len.to_le_bytes());
        bytes
    }

    /// Parses and checks; nothing if any field is out of its limits.
    pub fn parse(bytes: &[u8; Self::LEN]) -> Option<Self> {
        let word = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let (len, stored_len) = (word(33)?, word(37)?);
        let encoding = match bytes[32] {
            0 => Encoding::Plain,
            1 => Encoding::Zstd,
            2 => Encoding::Recipe,
            _ => return None,
        };
        let bounded = (1..=CHUNK_MAX).contains(&(len as usize)) && (1..=len).contains(&stored_len);
        let fits = bounded && (encoding != Encoding::Plain || stored_len == len);
        fits.then(|| {
            Some(Self {
                id: ChunkId::from_slice(&bytes[..32]).ok()?,
                encoding,
                len,
                stored_len,
            })
        })?
    }
}

/// A commit with all that it names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitUpload {
    /// Signed by the device that uploads.
    pub commit: Signed<Commit>,
    /// The encoded `Vec<Change>` whose hash stands in the commit.
    pub changes: Vec<u8>,
    /// The encoded manifests that the changes name, each once, in any order; at most [`CHANGES_MAX`].
    #[serde(deserialize_with = "crate::commit::at_most::<_, _, CHANGES_MAX>")]
    pub manifests: Vec<Vec<u8>>,
}

/// What a commit is to say, before it is signed: its changes, and the manifests that they name.
pub struct CommitDraft {
    changes: Vec<u8>,
    manifests: Vec<Vec<u8>>,
}

impl CommitDraft {
    /// Puts each path to its encoded manifest; manifests that are the same travel once.
    pub fn of<'a>(entries: impl IntoIterator<Item = (RootPath, &'a [u8])>) -> Self {
        let mut named = HashSet::new();
        let mut manifests = Vec::new();
        let mut changes = Vec::new();
        for (path, encoded) in entries {
            let manifest = Hash::of(encoded);
            changes.push(Change::Put { path, manifest });
            if named.insert(manifest) {
                manifests.push(encoded.to_vec());
            }
        }
        Self {
            changes: wire::encode(&changes),
            manifests,
        }
    }

    /// Takes away and moves, in this order.
    pub fn structural(changes: &[Change]) -> Self {
        Self {
            changes: wire::encode(&changes),
            manifests: Vec::new(),
        }
    }

    /// The commit to sign: the next of that root's chain.
    pub fn commit(&self, space: SpaceId, device: DeviceId, root: RootId, head: ChainHead, at: Timestamp) -> Commit {
        Commit {
            suite: 0,
            space,
            device,
            root,
            number: head.number + 1,
            parent: head.hash,
            changes: Hash::of(&self.changes),
            at,
        }
    }

    /// With the commit as it was signed.
    pub fn signed(self, commit: Signed<Commit>) -> CommitUpload {
        CommitUpload {
            commit,
            changes: self.changes,
            manifests: self.manifests,
        }
    }
}

/// What became of a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum CommitReply {
    /// Every change is committed. The same commit again gets the same answer.
    Committed(ChainHead),
    /// Another commit came first: sign again on top of this one.
    Behind(ChainHead),
    /// These chunks are not durable (any more): send them, then commit again.
    Missing(Vec<ChunkId>),
}

/// What a machine needs to carry out an upload; got on the control socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadGrant {
    /// Bearer ticket for the bulk requests of this transfer, 32 bytes, good for ten minutes.
    pub ticket: [u8; 32],
    /// Where the content goes.
    pub space: SpaceId,
    /// For the chunk ids of that space.
    pub chunk_key: ChunkKey,
    /// The root's newest commit.
    pub head: ChainHead,
    /// Changes whenever the drive's side of this root changed other than by the root's own commits:
    /// then what the agent remembers as committed counts no more.
    pub epoch: u64,
}

/// What a machine needs to write what others stored or send; got on the control socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyGrant {
    /// Bearer ticket for the bulk requests of this transfer, 32 bytes, good for ten minutes.
    pub ticket: [u8; 32],
    /// For the chunk ids of the space.
    pub chunk_key: ChunkKey,
    /// Of a follow: proof of the keys of the device whose commits count.
    pub origin: Option<Chain>,
}

/// A commit as it was signed, with what it names: one of those that answer `GET /bulk/TRANSFER/commits?after=N`, each behind
/// its length as a little-endian `u32`, in the order of their numbers, without a gap. The body ends after about
/// [`COMMITS_BODY_MAX`] bytes; an empty one says that there are no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitRecord {
    /// Signed by the device that uploaded.
    pub commit: Signed<Commit>,
    /// The encoded `Vec<Change>` whose hash stands in the commit.
    #[serde(with = "serde_bytes")]
    pub changes: Vec<u8>,
}

/// A body of commits ends behind the record that reaches so many bytes.
pub const COMMITS_BODY_MAX: usize = 4 << 20;

/// `POST /bulk/TRANSFER/manifests`: manifests that commits of the followed root named. They are answered in this order, each
/// behind its length as a little-endian `u32`, 0 for one that is kept no more; the body may end early, then the rest is
/// asked again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestsRequest {
    /// At most [`CHANGES_MAX`].
    pub manifests: Vec<Hash>,
}

/// `POST /bulk/TRANSFER/read`: chunks that versions of the followed root use, or that were sent for this transfer. They are
/// answered as chunks with their headers, in any order; what is not (yet) there is left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadRequest {
    /// At most [`READ_CHUNKS_MAX`].
    pub chunks: Vec<ChunkId>,
    /// Chunks that the asker has, of an older state of the same files: those above may come as recipes out of these. At
    /// most [`READ_CHUNKS_MAX`].
    pub bases: Vec<ChunkId>,
}

/// A request reads at most this many chunks.
pub const READ_CHUNKS_MAX: usize = 1024;

/// `POST /bulk/TRANSFER/outline`: which chunks the newest stored version of a file has, so that a changed one can be sent as
/// a recipe. Answered by [`Outline`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutlineRequest {
    /// Below the transfer's root.
    pub path: RootPath,
}

/// The first 8 bytes of the id and the length of each chunk of a file, in order; empty if nothing is stored of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outline {
    /// Of a file of at most [`OUTLINE_CHUNKS_MAX`] chunks.
    pub chunks: Vec<([u8; 8], u32)>,
}

/// A file of more chunks has an empty outline.
pub const OUTLINE_CHUNKS_MAX: usize = 1 << 16;

/// `POST /bulk/TRANSFER/parts`: the parts of some of those chunks. Answered by an encoded `Vec<ChunkParts>` in the order asked;
/// chunks that cannot be read are left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartsRequest {
    /// The file.
    pub path: RootPath,
    /// Places in its outline, at most [`READ_CHUNKS_MAX`].
    pub chunks: Vec<u32>,
}

/// A chunk that the server holds, and the parts it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChunkParts {
    /// The chunk.
    pub id: ChunkId,
    /// Its parts, in order.
    pub parts: Vec<crate::delta::Part>,
}

/// Epochs of one era differ in their lower half. While the era stays, the server can still tell all that changed
/// (`api::drive::Outdated`); it ends when a trace of that is removed for good.
pub const ERA: u64 = 1 << 32;

/// Whether what was remembered in an earlier epoch counts in a later one, but for what the server tells.
pub fn is_same_era(earlier: u64, later: u64) -> bool {
    earlier <= later && earlier / ERA == later / ERA
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::keys::DeviceKeys;

    #[test]
    fn a_commit_of_too_many_manifests_ends_at_the_first_too_many() {
        let signed = Signed::<Commit>::sign(&commit(), DeviceKeys::from_bytes(&[1; DeviceKeys::LEN]).signing());
        let upload = |count| {
            wire::encode(&CommitUpload {
                commit: signed.clone(),
                changes: Vec::new(),
                manifests: vec![Vec::new(); count],
            })
        };
        assert_eq!(
            wire::decode::<CommitUpload>(&upload(CHANGES_MAX)).map(|upload| upload.manifests.len()),
            Ok(CHANGES_MAX)
        );
        assert_eq!(
            wire::decode::<CommitUpload>(&upload(CHANGES_MAX + 1)),
            Err(wire::Malformed)
        );
    }

    #[test]
    fn a_draft_names_each_path_and_carries_each_manifest_once() {
        let path = |name: &str| RootPath::new(name).unwrap();
        let entries = [(path("a"), &b"one"[..]), (path("b"), b"two"), (path("c"), b"one")];
        let draft = CommitDraft::of(entries);
        let head = ChainHead {
            number: 7,
            hash: Hash([9; 32]),
        };
        let Commit {
            space,
            device,
            root,
            at,
            ..
        } = commit();
        let next = draft.commit(space, device, root, head, at);
        assert_eq!((next.number, next.parent), (8, head.hash));
        let upload = draft.signed(Signed::sign(
            &next,
            DeviceKeys::from_bytes(&[1; DeviceKeys::LEN]).signing(),
        ));
        assert_eq!(next.changes, Hash::of(&upload.changes));
        assert_eq!(upload.manifests, [b"one".to_vec(), b"two".to_vec()]);
        let put = |name: &str, bytes: &[u8]| Change::Put {
            path: path(name),
            manifest: Hash::of(bytes),
        };
        assert_eq!(
            crate::commit::decode_changes(&upload.changes),
            Ok(vec![put("a", b"one"), put("b", b"two"), put("c", b"one")])
        );
    }

    fn commit() -> Commit {
        let zeros = Hash([0; 32]);
        let (space, device, root) = (SpaceId::new(Timestamp(1), [1; 10]), DeviceId([2; 32]), RootId([3; 16]));
        Commit {
            suite: 0,
            space,
            device,
            root,
            number: 1,
            parent: zeros,
            changes: zeros,
            at: Timestamp(1),
        }
    }

    #[test]
    fn a_chunk_header_has_these_bytes() {
        let header = ChunkHeader {
            id: ChunkId([0xab; 32]),
            encoding: Encoding::Zstd,
            len: 0x0001_0203,
            stored_len: 0x0a0b,
        };
        assert_eq!(
            hex::encode(header.to_bytes()),
            format!("{}01030201000b0a0000", "ab".repeat(32))
        );
    }

    proptest! {
        #[test]
        fn any_header_bytes_are_refused_or_come_back_the_same(bytes in proptest::array::uniform32(any::<u8>()), tail in proptest::array::uniform9(any::<u8>())) {
            let mut all = [0; ChunkHeader::LEN];
            all[..32].copy_from_slice(&bytes);
            all[32..].copy_from_slice(&tail);
            if let Some(header) = ChunkHeader::parse(&all) {
                prop_assert_eq!(header.to_bytes(), all);
            }
        }

        #[test]
        fn a_bitmap_gives_back_its_bits(bits in proptest::collection::vec(any::<bool>(), 0..70)) {
            let map = Bitmap::of(bits.iter().copied());
            prop_assert!(map.answers(bits.len()));
            for (at, bit) in bits.iter().enumerate() {
                prop_assert_eq!(map.get(at), *bit);
            }
        }
    }
}

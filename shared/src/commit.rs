//! A numbered, signed change of what a root holds in a space.

use serde::{Deserialize, Serialize};

use crate::{
    id::{DeviceId, Hash, RootId, SpaceId},
    path::RootPath,
    signature::{Context, Signable, Signed},
    time::Timestamp,
};

/// A commit has at most this many changes.
pub const CHANGES_MAX: usize = 1000;

/// One link of a root's chain of commits: number *n + 1* names the hash of number *n*.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// Signature suite: 0 is Ed25519 over postcard.
    pub suite: u8,
    /// Where the content is stored.
    pub space: SpaceId,
    /// The device that signs.
    pub device: DeviceId,
    /// Whose content changed.
    pub root: RootId,
    /// 1 for the first.
    pub number: u64,
    /// [`commit_hash`] of the one before; zeros for the first.
    pub parent: Hash,
    /// BLAKE3 of the encoded `Vec<Change>`.
    pub changes: Hash,
    /// When it was made, by the device's clock.
    pub at: Timestamp,
}

impl Signable for Commit {
    const CONTEXT: Context = Context::Commit;
    const MAX_BYTES: usize = 512;
}

/// One changed path. Numbers of variants are never used again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// The path now holds what this manifest says.
    Put {
        /// Below the root.
        path: RootPath,
        /// BLAKE3 of the manifest's encoding.
        manifest: Hash,
    },
    /// The path holds nothing any more.
    Remove {
        /// Below the root.
        path: RootPath,
    },
}

/// What the next commit names as its parent.
pub fn commit_hash(commit: &Signed<Commit>) -> Hash {
    Hash::of(&commit.bytes)
}

/// The newest commit of a root in a space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainHead {
    /// 0 where there is none yet.
    pub number: u64,
    /// [`commit_hash`] of it; zeros where there is none.
    pub hash: Hash,
}

impl ChainHead {
    /// Of a root that never committed.
    pub const EMPTY: Self = Self { number: 0, hash: Hash([0; 32]) };
}

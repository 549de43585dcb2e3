//! A numbered, signed change of what a root holds in a space.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, SeqAccess, Visitor},
};

use crate::{
    id::{DeviceId, Hash, RootId, SpaceId},
    path::RootPath,
    signature::{Context, Signable, Signed},
    time::Timestamp,
    wire::{self, Malformed},
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
    /// The path now holds what this manifest says. Where a file takes a folder's place, or a folder a file's, what was
    /// there goes to Deleted with all below it.
    Put {
        /// Below the root.
        path: RootPath,
        /// BLAKE3 of the manifest's encoding.
        manifest: Hash,
    },
    /// The path holds nothing any more, nor does anything below it. Only a watch says so.
    Remove {
        /// Below the root; not the root itself.
        path: RootPath,
    },
    /// What was at `from`, with all below it, is now at `to`, where nothing was. Only a watch says so.
    Move {
        /// Below the root; not the root itself.
        from: RootPath,
        /// Below the root, and not below `from`. The folder above it holds something already.
        to: RootPath,
    },
}

impl Change {
    /// Whether it takes away or moves. A commit holds either such changes, which count in their order, or [`Change::Put`]s of
    /// different paths.
    pub const fn is_structural(&self) -> bool {
        matches!(self, Self::Remove { .. } | Self::Move { .. })
    }
}

/// Decodes the `Vec<Change>` of a commit. More than [`CHANGES_MAX`] are malformed.
pub fn decode_changes(bytes: &[u8]) -> Result<Vec<Change>, Malformed> {
    #[derive(Deserialize)]
    struct Changes(#[serde(deserialize_with = "at_most::<_, _, CHANGES_MAX>")] Vec<Change>);
    wire::decode(bytes).map(|Changes(changes)| changes)
}

/// Reads a list of at most `MAX` elements: elements may take far more memory than their bytes, so a longer list must
/// end before they exist.
pub(crate) fn at_most<'de, D, T, const MAX: usize>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    deserializer.deserialize_seq(AtMost::<T, MAX>(PhantomData))
}

struct AtMost<T, const MAX: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for AtMost<T, MAX> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of at most {MAX}")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = list.next_element()? {
            if elements.len() == MAX {
                return Err(A::Error::invalid_length(MAX + 1, &self));
            }
            elements.push(element);
        }
        Ok(elements)
    }
}

/// What the next commit names as its parent.
pub fn commit_hash(commit: &Signed<Commit>) -> Hash {
    Hash::of(&commit.bytes)
}

/// The newest commit of a root in a space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ChainHead {
    /// 0 where there is none yet.
    pub number: u64,
    /// [`commit_hash`] of it; zeros where there is none.
    pub hash: Hash,
}

impl ChainHead {
    /// Of a root that never committed.
    pub const EMPTY: Self = Self {
        number: 0,
        hash: Hash([0; 32]),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_of_too_many_changes_ends_at_the_first_too_many() {
        let changes = |count: usize| wire::encode(&vec![Change::Remove { path: RootPath::root() }; count]);
        assert_eq!(
            decode_changes(&changes(CHANGES_MAX)).map(|changes| changes.len()),
            Ok(CHANGES_MAX)
        );
        assert_eq!(decode_changes(&changes(CHANGES_MAX + 1)), Err(Malformed));
    }
}

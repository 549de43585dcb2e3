//! One row of the index: what the server holds of a path, and how the machine's own file stands to it.

use beckon_shared::{
    entry::{Entry, EntryKind, SourceStamp},
    id::Hash,
    wire,
};
use serde::{Deserialize, Serialize};

/// What the server confirmed of one path; about 100 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Row {
    /// What it is.
    pub(crate) kind: EntryKind,
    /// What the file system said around the read.
    pub(crate) stamp: SourceStamp,
    /// When the read began, in nanoseconds since 1970.
    pub(crate) read_ns: i64,
    /// Permission bits.
    pub(crate) mode: u32,
    /// Of a file's content or a symlink's target; zeros for a folder.
    pub(crate) hash: Hash,
}

/// How an entry stands to what the server confirmed of its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The server holds it.
    Held,
    /// It looks the same, but was read so soon after a write that another write may not show: it is read again.
    Unsettled,
    /// The server holds something else, or nothing.
    Other,
}

impl Row {
    /// The encoding, with the generation of its source.
    pub(super) fn encode(&self, generation: u64) -> Vec<u8> {
        wire::encode(&(generation, self))
    }

    /// The generation and the row.
    pub(super) fn decode(bytes: &[u8]) -> Option<(u64, Self)> {
        wire::decode(bytes).ok()
    }

    /// Of something that may be stored soon, of which nothing is known.
    pub(super) fn expected() -> Self {
        let stamp = SourceStamp {
            size: 0,
            mtime_ns: 0,
            ctime_ns: -1,
            file_id: 0,
        };
        Self {
            kind: EntryKind::File,
            stamp,
            read_ns: i64::MIN,
            mode: 0,
            hash: Hash([0; 32]),
        }
    }

    /// Whether it is a file that is stored, not one that perhaps is.
    pub(crate) fn is_stored_file(&self) -> bool {
        self.kind == EntryKind::File && !self.is_expected()
    }

    /// Whether it is only expected.
    pub(crate) fn is_expected(&self) -> bool {
        self.read_ns == i64::MIN
    }

    /// The same, of something that is stored in another state than it ever was on the machine.
    pub(crate) fn never_held(self) -> Self {
        let stamp = SourceStamp {
            ctime_ns: -1,
            ..self.stamp
        };
        Self { stamp, ..self }
    }

    /// How an entry stands to this row.
    pub(crate) fn standing(&self, entry: &Entry) -> Standing {
        if entry.kind != self.kind || entry.stamp != self.stamp {
            return Standing::Other;
        }
        match &entry.target {
            Some(target) if Hash::of(target) != self.hash => Standing::Other,
            None if entry.kind == EntryKind::File && !self.stamp.is_settled(self.read_ns) => Standing::Unsettled,
            _ => Standing::Held,
        }
    }
}

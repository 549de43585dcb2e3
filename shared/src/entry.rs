//! What stands in a folder of a root.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::path::Name;

/// What an entry is. Only files have content that can be read or uploaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EntryKind {
    /// A directory.
    Folder,
    /// A regular file.
    File,
    /// A symbolic link: shown, stored as its target, never followed out of a root.
    Symlink,
    /// A pipe, socket or device: shown and never opened.
    Other,
}

/// What a file system says of a file without reading it; the same stamp means the same content,
/// unless the file was [changed within the clock's grain](SourceStamp::is_settled) of the read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub struct SourceStamp {
    /// Bytes.
    pub size: u64,
    /// Modification time in nanoseconds since 1970.
    pub mtime_ns: i64,
    /// Change time in nanoseconds since 1970; 0 where the platform has none.
    pub ctime_ns: i64,
    /// Inode or file index; 0 where the platform has none.
    pub file_id: u64,
}

impl SourceStamp {
    /// A write this soon after another may leave the same mtime on a coarse clock (FAT counts in 2 s).
    const GRAIN_NS: i64 = 2_000_000_000;

    /// Whether the mtime lies far enough before `read_ns` that a later write would show in it.
    pub const fn is_settled(&self, read_ns: i64) -> bool {
        read_ns.saturating_sub(self.mtime_ns) >= Self::GRAIN_NS
    }
}

/// One row of a live listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its name in the folder.
    pub name: Name,
    /// What it is.
    pub kind: EntryKind,
    /// Size, times and identity.
    pub stamp: SourceStamp,
    /// Where a symlink points, as its bytes stand on the disk.
    pub target: Option<Vec<u8>>,
}

/// What a listing is sorted by; folders always come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SortKey {
    /// By name, without case, numbers by value.
    #[default]
    Name,
    /// By size.
    Size,
    /// By modification time.
    Time,
}

/// Which end of the order comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Smallest first.
    #[default]
    Ascending,
    /// Largest first.
    Descending,
}

/// Whether what a machine holds is in the drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum InDrive {
    /// The drive's head has the same stamp.
    Safe,
    /// An active transfer covers it.
    Uploading,
    /// The drive holds another content.
    Changed,
    /// The drive does not hold it.
    No,
    /// Not compared yet.
    Unknown,
    /// It is of a kind that is never uploaded.
    Never,
    /// The root leaves it out.
    Ignored,
}

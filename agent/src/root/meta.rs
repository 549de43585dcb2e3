//! What the file system says of an entry, in the shapes of the protocol.

use std::{fs::File, io};

use beckon_shared::entry::{EntryKind, SourceStamp};
use cap_std::fs::{FileType, Metadata};

/// What was said of an open file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileMeta {
    /// Size, times and identity.
    pub(crate) stamp: SourceStamp,
    /// Permission bits (the low 12); 0 where the platform has none.
    pub(crate) mode: u32,
    /// Bytes on the disk; less than the size where there are holes.
    pub(crate) allocated: u64,
}

/// What was said of a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FolderMeta {
    /// Permission bits (the low 12); 0 where the platform has none.
    pub(crate) mode: u32,
    /// Modification time in nanoseconds since 1970.
    pub(crate) mtime_ns: i64,
}

/// Nothing if the file system left the kind open.
pub(super) fn kind_of_type(kind: FileType) -> Option<EntryKind> {
    if kind.is_dir() {
        Some(EntryKind::Folder)
    } else if kind.is_file() {
        Some(EntryKind::File)
    } else if kind.is_symlink() {
        Some(EntryKind::Symlink)
    } else if kind == FileType::unknown() {
        None
    } else {
        Some(EntryKind::Other)
    }
}

pub(super) fn kind_of(meta: &Metadata) -> EntryKind {
    kind_of_type(meta.file_type()).unwrap_or(EntryKind::Other)
}

/// What an open file says of itself now.
pub(crate) fn meta_of(file: &File) -> io::Result<FileMeta> {
    file.metadata().map(|meta| file_meta(&meta))
}

#[cfg(unix)]
mod platform {
    use super::*;

    const NANOS: i64 = 1_000_000_000;

    fn nanos(seconds: i64, rest: i64) -> i64 {
        seconds.saturating_mul(NANOS).saturating_add(rest)
    }

    pub(in crate::root) fn stamp(meta: &Metadata) -> SourceStamp {
        use cap_std::fs::MetadataExt;
        SourceStamp {
            size: meta.len(),
            mtime_ns: nanos(meta.mtime(), meta.mtime_nsec()),
            ctime_ns: nanos(meta.ctime(), meta.ctime_nsec()),
            file_id: meta.ino(),
        }
    }

    pub(in crate::root) fn folder_meta(meta: &Metadata) -> FolderMeta {
        use cap_std::fs::MetadataExt;
        FolderMeta {
            mode: meta.mode() & 0o7777,
            mtime_ns: nanos(meta.mtime(), meta.mtime_nsec()),
        }
    }

    pub(in crate::root) fn file_meta(meta: &std::fs::Metadata) -> FileMeta {
        use std::os::unix::fs::MetadataExt;
        let stamp = SourceStamp {
            size: meta.len(),
            mtime_ns: nanos(meta.mtime(), meta.mtime_nsec()),
            ctime_ns: nanos(meta.ctime(), meta.ctime_nsec()),
            file_id: meta.ino(),
        };
        FileMeta {
            stamp,
            mode: meta.mode() & 0o7777,
            allocated: meta.blocks().saturating_mul(512),
        }
    }
}

#[cfg(not(unix))]
mod platform {
    use std::time::{SystemTime, UNIX_EPOCH};

    use super::*;

    fn nanos(time: io::Result<SystemTime>) -> i64 {
        let passed = time
            .ok()
            .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
            .unwrap_or_default();
        i64::try_from(passed.as_nanos()).unwrap_or(i64::MAX)
    }

    pub(in crate::root) fn stamp(meta: &Metadata) -> SourceStamp {
        let mtime = meta.modified().map(cap_std::time::SystemTime::into_std);
        SourceStamp {
            size: meta.len(),
            mtime_ns: nanos(mtime),
            ctime_ns: 0,
            file_id: 0,
        }
    }

    pub(in crate::root) fn folder_meta(meta: &Metadata) -> FolderMeta {
        FolderMeta {
            mode: 0,
            mtime_ns: stamp(meta).mtime_ns,
        }
    }

    pub(in crate::root) fn file_meta(meta: &std::fs::Metadata) -> FileMeta {
        let stamp = SourceStamp {
            size: meta.len(),
            mtime_ns: nanos(meta.modified()),
            ctime_ns: 0,
            file_id: 0,
        };
        FileMeta {
            stamp,
            mode: 0,
            allocated: meta.len(),
        }
    }
}

pub(super) use platform::{file_meta, folder_meta, stamp};

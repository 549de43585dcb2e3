//! What can go wrong in the store, and what of it others are told.

use std::io;

use beckon_shared::{
    error::{ErrorCode, Refusal},
    id::{ChunkId, NodeId},
};

use super::meta::{DbErr, is_database_full};

/// What can go wrong in the store.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The request does not stand; the text is for whoever asked.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// The database failed.
    #[error("database: {0}")]
    Database(#[from] DbErr),
    /// The disk failed.
    #[error("storage: {0}")]
    Io(#[from] io::Error),
    /// Stored bytes are not what they were.
    #[error("chunk {chunk} of node {node} is damaged")]
    Damaged {
        /// The file that cannot be read.
        node: NodeId,
        /// The chunk that is damaged or lost.
        chunk: ChunkId,
    },
}

impl Error {
    /// A refusal with a message that says what to do.
    pub(crate) fn refused(code: ErrorCode, message: impl Into<String>) -> Self {
        Self::Refused(Refusal::new(code, message))
    }

    /// There is no room for more.
    pub(crate) fn no_room() -> Self {
        Self::refused(
            ErrorCode::NoRoom,
            "the server's disk is full; free room on the server, the transfer then goes on by itself",
        )
    }

    /// A stored value that cannot be what the server wrote.
    pub(crate) fn bad_row(what: &str) -> Self {
        Self::Database(DbErr::Type(format!("the database holds a malformed {what}")))
    }

    /// Whether this is a disk or quota that is full.
    pub(crate) fn is_no_room(&self) -> bool {
        match self {
            Self::Refused(refusal) => refusal.code == ErrorCode::NoRoom,
            Self::Database(error) => is_database_full(error),
            Self::Io(error) => is_disk_full(error),
            Self::Damaged { .. } => false,
        }
    }

    /// What others are told; the cause itself is for the log alone.
    pub(crate) fn refusal(&self) -> Refusal {
        match self {
            Self::Refused(refusal) => refusal.clone(),
            full if full.is_no_room() => match Self::no_room() {
                Self::Refused(refusal) => refusal,
                _ => Refusal::new(ErrorCode::NoRoom, "the server's disk is full"),
            },
            Self::Damaged { node, .. } => Refusal::new(
                ErrorCode::Damaged,
                format!(
                    "the stored content of file {node} is damaged; upload it again from its machine, or get an older version"
                ),
            ),
            Self::Io(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => Refusal::new(
                ErrorCode::Internal,
                "the server cannot write to its disk, which is read-only; make it writable there, then try again",
            ),
            Self::Database(_) | Self::Io(_) => Refusal::new(
                ErrorCode::Internal,
                "the server could not do this; try again, and look into its log if it stays so",
            ),
        }
    }

    /// The same for another waiter: causes cannot be cloned, what they mean can.
    pub(crate) fn for_another(&self) -> Self {
        match self {
            Self::Io(error) => Self::Io(io::Error::new(error.kind(), error.to_string())),
            Self::Database(error) => Self::Database(error.clone()),
            other => Self::Refused(other.refusal()),
        }
    }
}

/// Whether the disk or a quota is full.
pub(crate) fn is_disk_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_says_to_free_room_and_may_be_tried_again() {
        let refusal = Error::from(io::Error::from(io::ErrorKind::StorageFull)).refusal();
        assert_eq!((refusal.code, refusal.retry), (ErrorCode::NoRoom, true));
        assert!(refusal.message.contains("free room"));
    }

    #[test]
    fn an_internal_cause_is_never_shown() {
        let refusal = Error::from(io::Error::other("/var/lib/secret/path")).refusal();
        assert_eq!(refusal.code, ErrorCode::Internal);
        assert!(!refusal.message.contains("secret"));
    }
}

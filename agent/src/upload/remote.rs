//! The server as an upload sees it.

use std::future::Future;

use beckon_shared::{
    bulk::{Bitmap, ChunkParts, CommitReply, CommitUpload, Outline, UploadGrant},
    error::{ErrorCode, Refusal},
    id::ChunkId,
    path::RootPath,
    transfer::{Hold, Problem, Progress},
};

use super::encode::Body;

/// What an upload asks of the server. Each can be asked again after any failure without harm.
pub(crate) trait Remote: Send + Sync + 'static {
    /// Begins the transfer or goes on with it, and renews the ticket that the other questions carry.
    fn begin(&self) -> impl Future<Output = Result<UploadGrant, Failure>> + Send;
    /// The selection that was too large for the order, as encoded.
    fn selection(&self) -> impl Future<Output = Result<Vec<u8>, Failure>> + Send;
    /// Has it keep the selection that was too large for the order, as encoded.
    fn keep_selection(&self, selection: &[u8]) -> impl Future<Output = Result<(), Failure>> + Send;
    /// Which of these chunks are missing.
    fn have(&self, chunks: Vec<ChunkId>) -> impl Future<Output = Result<Bitmap, Failure>> + Send;
    /// Which chunks the newest stored version of a file has.
    fn outline(&self, path: RootPath) -> impl Future<Output = Result<Outline, Failure>> + Send;
    /// The parts of the chunks at these places of its outline.
    fn parts(&self, path: RootPath, chunks: Vec<u32>) -> impl Future<Output = Result<Vec<ChunkParts>, Failure>> + Send;
    /// Sends chunks; once answered they are durable. A recipe that the server cannot follow is a [`ErrorCode::Conflict`].
    fn send(&self, body: Body) -> impl Future<Output = Result<(), Failure>> + Send;
    /// Sends a commit with its manifests.
    fn commit(&self, upload: &CommitUpload) -> impl Future<Output = Result<CommitReply, Failure>> + Send;
    /// Lists entries that could not be stored, after `offset` others.
    fn report(&self, offset: u64, problems: &[Problem]) -> impl Future<Output = Result<(), Failure>> + Send;
    /// Tells how far it is; may get lost.
    fn progress(&self, hold: Hold, progress: Progress);
}

/// Why the server did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// No answer came: the network, or a server that restarts.
    Break,
    /// The ticket has expired: begin again.
    Ticket,
    /// The server says no.
    Refused(Refusal),
}

/// What to do about a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// Ask again in a while.
    Wait,
    /// Ask again in a while, and only so often.
    WaitInDoubt(Refusal),
    /// Ask again when there may be room.
    WaitForRoom,
    /// Begin again, then ask again.
    Begin,
    /// Nothing: it is over.
    GiveUp(Refusal),
}

impl Failure {
    /// What to do about it.
    pub(crate) fn remedy(self) -> Remedy {
        match self {
            Self::Break => Remedy::Wait,
            Self::Ticket => Remedy::Begin,
            Self::Refused(refusal) => match refusal.code {
                ErrorCode::NoRoom => Remedy::WaitForRoom,
                // A body that was cut short or damaged on its way is malformed too.
                ErrorCode::Internal | ErrorCode::BadRequest => Remedy::WaitInDoubt(refusal),
                _ if refusal.retry => Remedy::Wait,
                _ => Remedy::GiveUp(refusal),
            },
        }
    }
}

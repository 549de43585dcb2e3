//! Where chunks come from: files of this machine first, then straight from machines that hold the same, then the server. The
//! keyed id of each is verified here, so nobody who has one needs to be believed.

mod own;
mod peers;
mod remote;

use std::{collections::HashSet, sync::Arc};

use beckon_shared::{
    bulk::READ_CHUNKS_MAX,
    chunk::ChunkKey,
    error::{ErrorCode, Refusal},
    id::ChunkId,
};
use tokio::sync::mpsc;

use super::{Book, Fetch, Got, Want, server::Remote};
use crate::upload::pause::Pace;

pub(crate) use own::{Own, Roots};
pub(crate) use peers::{Line, Lines, NoLines};

/// Everything that may hold chunks of a copy.
pub(crate) struct Sources<R, L> {
    /// The server.
    pub(crate) remote: Arc<R>,
    /// Other machines.
    pub(crate) lines: L,
    /// Files that were written here.
    pub(crate) own: Own,
    /// For the ids of the space.
    pub(crate) key: ChunkKey,
    /// How long the server is waited for.
    pub(crate) pace: Pace,
}

impl Own {
    /// What `book` says was written in these roots.
    pub(crate) fn new(book: Book, key: ChunkKey, roots: Arc<Roots>) -> Self {
        Self { book, key, roots }
    }
}

impl<R: Remote, L: Lines> Fetch for Sources<R, L> {
    async fn fetch(&self, wants: Vec<Want>, bases: Vec<ChunkId>, out: mpsc::Sender<Got>) -> Result<(), Refusal> {
        let mut once = HashSet::new();
        let wants: Vec<_> = wants.into_iter().filter(|want| once.insert(want.chunk.id)).collect();
        let (own, reading) = (self.own.clone(), out.clone());
        let rest = tokio::task::spawn_blocking(move || own.read(wants, &reading))
            .await
            .map_err(|_| broken())?;
        let rest = peers::fetch(&self.lines, &self.key, rest, &out).await;
        remote::fetch(self, rest, &bases[..bases.len().min(READ_CHUNKS_MAX)], &out).await
    }
}

fn broken() -> Refusal {
    Refusal::new(
        ErrorCode::Internal,
        "the agent has a fault; its log says more. Resume, and if it stays, report it",
    )
}

#[cfg(test)]
mod tests;

//! Writing to this machine what others stored or send: where it comes from, and how it gets to its place.
//!
//! Whoever knows what is wanted (a follow, a restore, something that is sent) says so in [`Step`]s; [`place::apply`] carries them
//! out. The book remembers what was written, so that what somebody changed here is never taken for it.

pub(crate) mod book;
pub(crate) mod chain;
pub(crate) mod conflict;
pub(crate) mod diff;
pub(crate) mod direct;
pub(crate) mod disk;
pub(crate) mod follow;
pub(crate) mod place;
pub(crate) mod receive;
pub(crate) mod serve;
pub(crate) mod server;
pub(crate) mod source;
pub(crate) mod trash;
pub(crate) mod want;

use std::future::Future;

use beckon_shared::{
    chunk::ChunkRef,
    entry::SourceStamp,
    error::Refusal,
    id::{ChunkId, Hash},
    manifest::Manifest,
    path::RootPath,
    transfer::Problem,
};
use bytes::Bytes;
use tokio::sync::mpsc;

pub(crate) use book::{Book, OwnChunk, Row};
pub(crate) use place::{Place, Site, apply};

/// What is to happen at a place. Steps count in their order.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// The path is to hold this.
    Put(Box<Wanted>),
    /// The path, with all below it, is to hold nothing.
    Remove(RootPath),
    /// What is at `from`, with all below it, is to be at `to`.
    Move {
        /// Below the target root.
        from: RootPath,
        /// Below the target root.
        to: RootPath,
    },
}

/// What a path is to hold.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// Below the target root.
    pub(crate) path: RootPath,
    /// Below the root of the origin.
    pub(crate) origin: RootPath,
    /// Of the encoded manifest.
    pub(crate) hash: Hash,
    /// What it says.
    pub(crate) manifest: Manifest,
}

/// A chunk that is wanted, and where it stands in the origin's file.
#[derive(Debug, Clone)]
pub(crate) struct Want {
    /// Its id and length.
    pub(crate) chunk: ChunkRef,
    /// Where it begins in the file.
    pub(crate) offset: u64,
    /// The file, below the root of the origin.
    pub(crate) origin: RootPath,
    /// The version of the file.
    pub(crate) manifest: Hash,
    /// How that version stood on the machine of the origin.
    pub(crate) stamp: SourceStamp,
}

/// A chunk that came. Its bytes have the id, by the word of whoever fetched it.
#[derive(Debug, Clone)]
pub(crate) struct Got {
    /// Which one.
    pub(crate) chunk: ChunkId,
    /// What it holds.
    pub(crate) bytes: Bytes,
    /// Where it came from.
    pub(crate) from: Whence,
}

/// Where a chunk came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whence {
    /// A file of this machine.
    Own,
    /// Straight from another machine.
    Direct,
    /// The server.
    Server,
}

/// Gets chunks from wherever they are.
pub(crate) trait Fetch: Sync {
    /// Sends the chunks to `out` in any order, each at most once; those that are nowhere just do not come. Ids are verified
    /// before. `bases` are chunks of older versions of the same files that are on this machine.
    fn fetch(
        &self,
        wants: Vec<Want>,
        bases: Vec<ChunkId>,
        out: mpsc::Sender<Got>,
    ) -> impl Future<Output = Result<(), Refusal>> + Send;
}

/// What became of steps.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    /// Of each step, in their order.
    pub(crate) became: Vec<Became>,
    /// A person must answer this before the rest is done.
    pub(crate) question: Option<Much>,
}

/// What became of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Became {
    /// It is so now.
    Done,
    /// It is so now, and what was changed here is kept beside it as a conflict.
    KeptAside,
    /// What was changed here stays as it is, as a conflict.
    Stays,
    /// Chunks did not come, or the place changed meanwhile: to be tried again.
    Waits,
    /// It cannot be done; nothing was lost.
    Problem(Problem),
    /// It was not begun with.
    NotReached,
}

/// So much would go or is gone that a person is asked first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Much {
    /// The root itself is not there.
    RootGone,
    /// So many files of those known are gone from this machine.
    Missing {
        /// Files that are gone.
        files: u64,
        /// Of so many.
        known: u64,
    },
    /// The origin took so many files away.
    Removed {
        /// Files that would go to the trash, in this round.
        files: u64,
        /// Of so many.
        known: u64,
    },
}

#[cfg(test)]
mod sim;

//! What a controller asks a machine inside a session, and what it is answered.

use serde::{Deserialize, Serialize};

use crate::{
    api::drive::Outdated,
    device::{Platform, RootView},
    entry::{Direction, Entry, InDrive, SortKey},
    error::Refusal,
    id::RootId,
    order::SignedOrder,
    path::RootPath,
    signature::Signed,
    statement::Statement,
};

/// A page of a listing has at most this many encoded bytes, whatever was asked for.
pub const PAGE_MAX: u32 = 256 * 1024;

/// One read returns at most this many bytes.
pub const READ_MAX: u32 = 512 << 10;

/// An ask to wake names at most this many hardware addresses.
pub const WAKE_MAX: usize = 16;

/// From the controller. Numbers of variants are never used again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToMachine {
    /// The first message: what the controller knows of revocations.
    Open {
        /// The newest statement it has seen, if the machine named a lower number.
        statement: Option<Box<Signed<Statement>>>,
    },
    /// Asks for something; answered by one [`FromMachine::Reply`] with the same number.
    Ask {
        /// Chosen by the asker, not in use.
        id: u32,
        /// What is asked.
        body: Ask,
    },
}

/// What a controller asks. Numbers of variants are never used again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ask {
    /// Which roots are open; answered by [`Answer::Roots`].
    Roots,
    /// A page of a folder; answered by [`Answer::Page`].
    List(ListAsk),
    /// One entry; answered by [`Answer::Page`] with the entry alone.
    Stat {
        /// The root.
        root: RootId,
        /// The entry; not the root itself.
        path: RootPath,
    },
    /// Bytes of a file; answered by [`Answer::Bytes`].
    Read {
        /// The root.
        root: RootId,
        /// The file.
        path: RootPath,
        /// From here.
        offset: u64,
        /// So many, at most [`READ_MAX`].
        len: u32,
    },
    /// How the entries of a folder stand to the drive, by the machine's own index; answered by [`Answer::States`].
    States {
        /// The root.
        root: RootId,
        /// The folders below which the worst state is wanted, at most 1,000.
        folders: Vec<RootPath>,
        /// What the drive holds no more, of a folder at or above all of these, as the server told it just now.
        drive: Box<Outdated>,
    },
    /// An order given directly; answered by [`Answer::Done`] once it is in the journal.
    Order(Box<SignedOrder>),
    /// Wake a sleeping neighbour by Wake-on-LAN packets to these hardware addresses, at most [`WAKE_MAX`], on the networks of
    /// this machine; answered by [`Answer::Done`] once they are sent.
    Wake(Vec<[u8; 6]>),
}

/// A page of a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListAsk {
    /// The root.
    pub root: RootId,
    /// The folder.
    pub path: RootPath,
    /// What it is sorted by, folders first.
    pub sort: SortKey,
    /// Which end comes first.
    pub direction: Direction,
    /// Index of the first entry wanted.
    pub offset: u64,
    /// Wanted size of the page in encoded bytes, at most [`PAGE_MAX`].
    pub max_bytes: u32,
    /// Go on in this snapshot; absent reads the folder anew.
    pub snapshot: Option<u64>,
}

/// From the machine. Numbers of variants are never used again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromMachine {
    /// Answers [`ToMachine::Open`].
    Opened {
        /// The newest statement the machine has seen, if the controller named a lower number.
        statement: Option<Box<Signed<Statement>>>,
        /// How its name bytes are to be read.
        platform: Platform,
    },
    /// Answers an ask.
    Reply {
        /// The ask's number.
        id: u32,
        /// The answer.
        result: Result<Answer, Refusal>,
    },
}

/// What a machine answers. Numbers of variants are never used again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// Done and recorded.
    Done,
    /// The open roots.
    Roots(Vec<RootView>),
    /// Entries of a folder.
    Page(Page),
    /// Bytes of a file; fewer than asked for only at its end.
    Bytes(Vec<u8>),
    /// One state for each folder asked for.
    States(Vec<InDrive>),
}

/// Entries of a folder, a page of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// Names the snapshot that the page is cut from; the machine keeps a few per session.
    pub snapshot: u64,
    /// Entries in the folder.
    pub total: u64,
    /// Index of the first of these.
    pub offset: u64,
    /// The entries; one that vanished since the snapshot was taken is left out.
    pub entries: Vec<Entry>,
    /// Index from which to go on; `total` after the last page.
    pub next: u64,
}

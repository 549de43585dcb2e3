//! What a controller asks a machine inside a session, and what it is answered.

use serde::{Deserialize, Serialize};

use crate::{
    api::drive::Outdated,
    device::{Platform, RootView},
    entry::{Direction, Entry, InDrive, SortKey, SourceStamp},
    error::Refusal,
    id::{Hash, RootId, TransferId},
    order::SignedOrder,
    path::{Name, RootPath},
    signature::Signed,
    statement::Statement,
};

/// A page of a listing has at most this many encoded bytes, whatever was asked for.
pub const PAGE_MAX: u32 = 256 * 1024;

/// One read returns at most this many bytes.
pub const READ_MAX: u32 = 512 << 10;

/// A selection given beside an order directly has at most this many bytes, so that both fit a message of a session.
pub const BESIDE_MAX: usize = 768 << 10;

/// An ask for permission bits names at most this many entries.
pub const MODES_MAX: usize = 4096;

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
    /// Bytes of a file in one of its states; answered by [`Answer::Fetched`], or refused with
    /// [`ErrorCode::Changing`](crate::error::ErrorCode::Changing) once the file is in another one.
    Fetch {
        /// The root.
        root: RootId,
        /// The file.
        path: RootPath,
        /// The state, as a listing told it.
        stamp: SourceStamp,
        /// From here.
        offset: u64,
        /// So many, at most [`READ_MAX`].
        len: u32,
    },
    /// Which way this session came; answered by [`Answer::Route`].
    Route,
    /// Like [`Ask::Order`], with the selection that travels beside the order.
    OrderWith {
        /// The order.
        order: Box<SignedOrder>,
        /// The encoded paths, at most [`BESIDE_MAX`] bytes.
        selection: Vec<u8>,
    },
    /// The permission bits of entries of a folder; answered by [`Answer::Modes`].
    Modes {
        /// The root.
        root: RootId,
        /// The folder.
        path: RootPath,
        /// The entries, at most [`MODES_MAX`].
        names: Vec<Name>,
    },
    /// What a root leaves out of uploads, in gitignore syntax; answered by [`Answer::Ignore`].
    Ignore {
        /// The root.
        root: RootId,
    },
    /// What a root is to leave out from now on; answered by [`Answer::Done`]. What is stored already stays stored.
    SetIgnore {
        /// The root.
        root: RootId,
        /// In gitignore syntax, at most [`IGNORE_MAX`] bytes.
        patterns: String,
    },
    /// What these patterns would leave out; answered by [`Answer::Skipped`].
    PreviewIgnore {
        /// The root.
        root: RootId,
        /// As above.
        patterns: String,
    },
    /// The files of the copies below a root that were changed here; answered by [`Answer::Conflicts`].
    Conflicts {
        /// The root that the copies are in; all roots if absent.
        root: Option<RootId>,
        /// Only what follows the first so many.
        after: u64,
    },
    /// What is to become of such a file; answered by [`Answer::Done`].
    Resolve {
        /// The follow.
        transfer: TransferId,
        /// The file in the copy, below the order's root.
        path: RootPath,
        /// Which side is wanted.
        choice: Choice,
    },
    /// From another machine that follows: the order that lets it read. Answered by [`Answer::Done`].
    Present(Box<SignedOrder>),
    /// From another machine that follows, after [`Ask::Present`]: bytes of a file of the followed root. Answered by
    /// [`Answer::Fetched`].
    Piece {
        /// The follow.
        transfer: TransferId,
        /// The file, below the root of the origin.
        path: RootPath,
        /// Which version of it.
        manifest: Hash,
        /// How that version stood on the machine of the origin.
        stamp: SourceStamp,
        /// From here.
        offset: u64,
        /// So many, at most [`READ_MAX`].
        len: u32,
    },
}

/// Patterns of a root have at most so many bytes.
pub const IGNORE_MAX: usize = 16 << 10;

/// A preview names at most so many entries, and an answer so many conflicts.
pub const NAMED_MAX: usize = 500;

/// A file of a copy that was changed where the copy is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// The follow.
    pub transfer: TransferId,
    /// The root that the copy is in.
    pub root: RootId,
    /// Where the copy has it, below that root.
    pub path: RootPath,
    /// Where the local content lies beside it; absent where it still lies at `path`, since the origin has not changed
    /// the file since.
    pub kept: Option<RootPath>,
    /// Size and modification time of the local side, if it is a file.
    pub ours: Option<Side>,
    /// Of the origin's side; absent if the origin deleted it.
    pub theirs: Option<Side>,
}

/// One side of a conflict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    /// Bytes.
    pub size: u64,
    /// Modification time in nanoseconds since 1970.
    pub mtime_ns: i64,
}

/// What is to become of a conflict. Whatever is not chosen goes to the local trash. Numbers of variants are never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Choice {
    /// The file is as the origin has it.
    Theirs,
    /// The file is as it was changed here, until the origin changes it again.
    Ours,
    /// Both stay, and it is no conflict any more.
    Both,
}

/// The way that a session takes. Numbers of variants are never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Route {
    /// By way of the server, which cannot read it.
    Relay,
    /// Straight, through a router or a VPN.
    Direct,
    /// Straight, within one local network.
    Lan,
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
    Bytes(#[serde(with = "serde_bytes")] Vec<u8>),
    /// One state for each folder asked for.
    States(Vec<InDrive>),
    /// Bytes of a file in the state that was asked for; fewer than asked for only at its end.
    Fetched {
        /// The bytes.
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
        /// Their BLAKE3, as the machine read them.
        hash: Hash,
    },
    /// The way of this session, as the machine sees it.
    Route(Route),
    /// The low 12 permission bits of each entry asked for; 0 where the platform has none or the entry is gone.
    Modes(Vec<u32>),
    /// Patterns in gitignore syntax.
    Ignore(String),
    /// What patterns would leave out.
    Skipped {
        /// Files, with those in folders that are left out.
        files: u64,
        /// Their bytes.
        bytes: u64,
        /// The first entries that match, at most [`NAMED_MAX`]; of a folder only itself.
        first: Vec<RootPath>,
        /// Whether the whole root was looked at in the time that there was.
        is_whole: bool,
    },
    /// Conflicts, at most [`NAMED_MAX`] of them, and how many there are in all.
    Conflicts {
        /// By transfer and path.
        conflicts: Vec<Conflict>,
        /// Of all that was asked about.
        total: u64,
    },
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

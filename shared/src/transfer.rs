//! A transfer as every terminal of the account sees it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    error::ErrorCode,
    id::{DeviceId, RootId, TransferId},
    order::Followed,
    path::{Name, RootPath},
    time::Timestamp,
};

/// Where a transfer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TransferState {
    /// Recorded; its machine has not begun.
    Queued,
    /// Its machine works on it.
    Running,
    /// All that was ordered is committed.
    Done,
    /// All but the listed entries is committed.
    Partly,
    /// Nothing of it could be done.
    Failed,
    /// A person ended it.
    Cancelled,
}

impl TransferState {
    /// Whether nothing more will happen by itself.
    pub const fn is_over(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }
}

/// Why a transfer that is not over stands still. Only `User` and `Question` need a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Hold {
    /// It does not.
    #[default]
    None,
    /// A person paused it.
    User,
    /// The machine is away.
    Away,
    /// The server's disk or the account's quota is full.
    NoRoom,
    /// A schedule says later.
    Schedule,
    /// A person must answer something first.
    Question,
    /// All is done that is to be done until something changes: of a standing order.
    Current,
}

/// What a transfer is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// Stores what a machine holds.
    #[default]
    Upload,
    /// Keeps a root stored, until somebody ends it.
    Watch,
    /// Keeps a copy of what another device stored, until somebody ends it.
    Follow,
    /// Makes a copy of what another device stored, once.
    Copy,
    /// Writes on a machine what a controller sends.
    Send,
}

impl Task {
    /// Whether it goes on until somebody ends it.
    pub const fn is_standing(self) -> bool {
        matches!(self, Self::Watch | Self::Follow)
    }

    /// Whether the machine writes files.
    pub const fn writes(self) -> bool {
        matches!(self, Self::Follow | Self::Copy | Self::Send)
    }
}

/// Which of the transfers of a machine goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Priority {
    /// After all others.
    Low,
    /// In the order in which they were given.
    #[default]
    Normal,
    /// Before all others.
    High,
}

/// How far a transfer is; sent at most four times a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Progress {
    /// Files found so far, or in all once `walked`.
    pub files_total: u64,
    /// Files committed.
    pub files_done: u64,
    /// Content bytes found so far, or in all once `walked`.
    pub bytes_total: u64,
    /// Content bytes of committed files; while it runs also those of other files that are durable.
    pub bytes_done: u64,
    /// Stored-chunk bytes put on the wire, repeats included.
    pub bytes_sent: u64,
    /// Entries that could not be stored.
    pub failed: u64,
    /// Files committed as torn.
    pub torn: u64,
    /// Whether the totals are final.
    pub walked: bool,
    /// Files of `files_done` that were not read, because nothing changed since they were committed.
    pub files_unchanged: u64,
    /// Bytes of `bytes_done` that were not sent, because the server had them.
    pub bytes_present: u64,
    /// Of a copy: content bytes that came from files that the machine had itself.
    pub bytes_own: u64,
    /// Of a copy: content bytes that came straight from other machines.
    pub bytes_direct: u64,
    /// Of a copy: content bytes that came from the server.
    pub bytes_server: u64,
    /// Of a copy: files that were changed here, and wait for somebody to choose.
    pub conflicts: u64,
}

/// A transfer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TransferView {
    /// The order's id.
    pub id: TransferId,
    /// The machine that works.
    pub device: DeviceId,
    /// Its name when asked.
    pub machine: String,
    /// Name of the root, as last told by the machine.
    pub root: String,
    /// What was selected, shortened for people.
    pub what: String,
    /// Where it stands.
    pub state: TransferState,
    /// Why it stands still.
    pub hold: Hold,
    /// How far it is.
    pub progress: Progress,
    /// What went wrong with the whole of it.
    pub error: Option<String>,
    /// When it was ordered.
    pub created: Timestamp,
    /// When it lapses, unless it is over.
    pub expires: Timestamp,
    /// When it was over.
    pub ended: Option<Timestamp>,
    /// Grows with every change; a lower revision is old news.
    pub revision: u64,
    /// Which of its machine's transfers goes first.
    pub priority: Priority,
    /// What it is about.
    pub task: Task,
    /// Of a copy: what is copied, `MACHINE/ROOT/PATH` by their names when asked; of what is sent: the name of the terminal.
    pub from: Option<String>,
    /// The root of the machine that it is about, whatever it is called.
    pub root_id: RootId,
    /// Of a copy: what is copied, whatever it is called.
    #[schema(value_type = Option<Object>)]
    pub origin: Option<Followed>,
}

/// An entry that a transfer could not store as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// Where it is below the root.
    pub path: RootPath,
    /// What was wrong.
    pub code: ErrorCode,
    /// What to do about it.
    pub message: String,
}

impl Problem {
    /// The entry's own name, for people.
    pub fn name(&self) -> Option<Name> {
        self.path.split_last().map(|(_, name)| name)
    }
}

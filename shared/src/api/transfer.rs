//! `/api/transfers`, `/api/selections`: what the machines were ordered to do.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    id::NodeId,
    path::RootPath,
    time::Timestamp,
    transfer::{Hold, Priority, Problem, TransferState, TransferView},
};

/// `GET /api/transfers/{id}/problems?after=N`: at most 1,000 problems after the first N.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Problems {
    /// The problems.
    pub problems: Vec<Problem>,
    /// How many there are in all.
    pub total: u64,
}

/// `GET /api/transfers/{id}`: a transfer's whole story.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TransferDetail {
    /// How it stands.
    #[schema(value_type = Object)]
    pub transfer: TransferView,
    /// Name of the terminal that ordered it.
    pub ordered_by: String,
    /// Whether that terminal gave the order to the machine itself, which showed it to the server.
    #[serde(default)]
    pub given_directly: bool,
    /// The first of what was selected, below the root.
    pub selected: Vec<RootPath>,
    /// How many were selected, where that is known.
    pub selected_total: Option<u64>,
    /// Where in the drive its root lies, once something of it is stored.
    pub node: Option<NodeId>,
    /// How it came to stand so, oldest first; at most the newest 200.
    pub events: Vec<TransferEvent>,
}

/// A change of how a transfer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TransferEvent {
    /// When.
    pub at: Timestamp,
    /// Where it stood from then on.
    pub state: TransferState,
    /// Why it stood still from then on.
    pub hold: Hold,
    /// Content bytes that were done.
    pub bytes_done: u64,
    /// Stored-chunk bytes that had been put on the wire.
    pub bytes_sent: u64,
}

impl TransferEvent {
    /// How a transfer stands at this moment, if it is not over: until then its last event lasts.
    pub fn still(transfer: &TransferView, now: Timestamp) -> Option<Self> {
        (!transfer.state.is_over()).then_some(Self {
            at: now,
            state: transfer.state,
            hold: transfer.hold,
            bytes_done: transfer.progress.bytes_done,
            bytes_sent: transfer.progress.bytes_sent,
        })
    }

    /// Content bytes that were done until the next event. A retry counts what is done anew.
    pub fn done_until(&self, next: &Self) -> u64 {
        next.bytes_done.saturating_sub(self.bytes_done)
    }

    /// Stored-chunk bytes that were put on the wire until the next event.
    pub fn sent_until(&self, next: &Self) -> u64 {
        next.bytes_sent.saturating_sub(self.bytes_sent)
    }
}

/// `POST /api/transfers/{id}/priority`: answered by 204 once recorded; all terminals see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Prioritise {
    /// Where it is to stand among the machine's transfers.
    pub priority: Priority,
}

/// What a terminal does with a transfer. None of these needs a signature: they narrow an order and never widen it.
/// Numbers of variants are never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// Stands still until somebody resumes it: hold `user`.
    Pause,
    /// Goes on.
    Resume,
    /// Ends it for good; what is stored already stays.
    Cancel,
    /// Runs again, for what failed: of a transfer that is `failed` or `partly`.
    Retry,
}

/// `POST /api/transfers/{id}/steer`: answered by 204 once recorded; all terminals see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Steer {
    /// What to do.
    pub act: Act,
}

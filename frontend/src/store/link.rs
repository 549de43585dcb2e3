//! How the connection to the server stands.

use beckon_shared::{error::Refusal, time::Timestamp};

/// The state of the control socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Link {
    /// For the first time.
    Connecting,
    /// All that is on the screen is live.
    Online,
    /// Cut off; what is on the screen may be old.
    Lost {
        /// When it is tried again, by this browser's clock.
        again: Timestamp,
    },
    /// The server will not have this device: signed out elsewhere, revoked, another version.
    Refused(Refusal),
}

//! Who asks: what a check of rights yields, and what every act then names.

use crate::id::DeviceId;

/// In whose name something is done on a machine. Only a check of a signature or of a session's handshake makes one.
///
/// Grantees (another account, by a grant that this one signed) come with sharing, as a further variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Principal {
    /// A controller of the machine's own account.
    Owner {
        /// The controller.
        device: DeviceId,
    },
}

impl Principal {
    /// The device that asks.
    pub fn device(&self) -> DeviceId {
        match self {
            Self::Owner { device } => *device,
        }
    }
}

//! Who this device is: its keys, its certificate, and the account whose key it pinned.

use beckon_shared::{
    certificate::Chain,
    id::{AccountId, DeviceId},
    keys::{DeviceKeys, account_id},
    session::Me,
    signature::PublicKey,
    statement::Standing,
};

use crate::clock;

/// What a device proves itself with, and the only account key that it believes.
#[derive(Debug)]
pub(crate) struct Identity {
    /// The device's secret keys.
    pub(crate) keys: DeviceKeys,
    /// Their certificate.
    pub(crate) chain: Chain,
    /// The pinned key of the account.
    pub(crate) account_key: PublicKey,
}

impl Identity {
    /// The device's id.
    pub(crate) fn device(&self) -> DeviceId {
        self.keys.id()
    }

    /// The account's id.
    pub(crate) fn account(&self) -> AccountId {
        account_id(&self.account_key)
    }

    /// This end of a session's handshake.
    pub(crate) fn me(&self, standing: &Standing) -> Me<'_> {
        Me {
            keys: &self.keys,
            chain: &self.chain,
            account: self.account(),
            statement: standing.number(),
        }
    }
}

/// Keys for a new device.
pub(crate) fn new_keys() -> DeviceKeys {
    DeviceKeys::from_bytes(&zeroize::Zeroizing::new(clock::random()))
}

/// The same keys once more: they are not cloned by accident.
pub(crate) fn copy_keys(keys: &DeviceKeys) -> DeviceKeys {
    DeviceKeys::from_bytes(&keys.to_bytes())
}

//! Keys of devices and accounts, and the ids that follow from them.

use std::fmt;

use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};
use x25519_dalek::StaticSecret;
use zeroize::Zeroizing;

use crate::{
    id::{AccountId, DeviceId},
    signature::PublicKey,
};

/// BLAKE3 derive-key context of a device id.
const DEVICE_ID: &str = "beckon v1 device-id";
/// BLAKE3 derive-key context of an account id.
const ACCOUNT_ID: &str = "beckon v1 account-id";

/// The secret keys of a device: Ed25519 to sign with, X25519 for sessions; independent, never converted into each other.
pub struct DeviceKeys {
    sign: SigningKey,
    session: StaticSecret,
}

impl DeviceKeys {
    /// Length of both secrets together, in bytes.
    pub const LEN: usize = 64;

    /// Makes keys of [`Self::LEN`] random bytes, or of those that [`Self::to_bytes`] gave out.
    pub fn from_bytes(bytes: &[u8; Self::LEN]) -> Self {
        let mut sign = Zeroizing::new([0; 32]);
        let mut session = Zeroizing::new([0; 32]);
        sign.copy_from_slice(&bytes[..32]);
        session.copy_from_slice(&bytes[32..]);
        Self {
            sign: SigningKey::from_bytes(&sign),
            session: StaticSecret::from(*session),
        }
    }

    /// Both secrets, to be stored where only the device's owner can read.
    pub fn to_bytes(&self) -> Zeroizing<[u8; Self::LEN]> {
        let mut bytes = Zeroizing::new([0; Self::LEN]);
        bytes[..32].copy_from_slice(self.sign.as_bytes());
        bytes[32..].copy_from_slice(self.session.as_bytes());
        bytes
    }

    /// What others may know of these keys.
    pub fn public(&self) -> DevicePublicKeys {
        DevicePublicKeys {
            sign: PublicKey::from(&self.sign),
            session: x25519_dalek::PublicKey::from(&self.session).to_bytes(),
        }
    }

    /// The device's id.
    pub fn id(&self) -> DeviceId {
        self.public().id()
    }

    /// The key that signs.
    pub fn signing(&self) -> &SigningKey {
        &self.sign
    }

    /// The secret of the private channel.
    pub(crate) fn session(&self) -> &StaticSecret {
        &self.session
    }
}

impl fmt::Debug for DeviceKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceKeys(of {:?})", self.id())
    }
}

/// The public keys of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DevicePublicKeys {
    /// Ed25519: verifies what the device signs.
    pub sign: PublicKey,
    /// X25519: the static key of its sessions.
    pub session: [u8; 32],
}

impl DevicePublicKeys {
    /// The id of the device that holds these keys: BLAKE3 in derive-key mode over both.
    pub fn id(&self) -> DeviceId {
        let mut hasher = blake3::Hasher::new_derive_key(DEVICE_ID);
        hasher.update(&self.sign.0).update(&self.session);
        DeviceId(*hasher.finalize().as_bytes())
    }
}

/// The secret key of an account; whoever holds it is the account.
pub struct AccountKey(SigningKey);

impl AccountKey {
    /// Length of the secret, in bytes.
    pub const LEN: usize = 32;

    /// Makes a key of 32 random bytes, or of those that [`Self::to_bytes`] gave out.
    pub fn from_bytes(bytes: &[u8; Self::LEN]) -> Self {
        Self(SigningKey::from_bytes(bytes))
    }

    /// The secret, to be wrapped; it is stored in no other form.
    pub fn to_bytes(&self) -> Zeroizing<[u8; Self::LEN]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// What devices pin.
    pub fn public(&self) -> PublicKey {
        PublicKey::from(&self.0)
    }

    /// The account's id.
    pub fn id(&self) -> AccountId {
        account_id(&self.public())
    }

    /// The key that signs.
    pub fn signing(&self) -> &SigningKey {
        &self.0
    }
}

impl fmt::Debug for AccountKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccountKey(of {:?})", self.id())
    }
}

/// The id of the account whose first key this is: BLAKE3 in derive-key mode.
pub fn account_id(key: &PublicKey) -> AccountId {
    AccountId(blake3::derive_key(ACCOUNT_ID, &key.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_known_keys_never_change() {
        let device = DeviceKeys::from_bytes(&[7; DeviceKeys::LEN]);
        assert_eq!(
            hex::encode(device.public().sign.0),
            "ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c"
        );
        assert_eq!(
            hex::encode(device.public().session),
            "13be4feaeaf204c7fd3358fc9c00721881d174278128227ec674f37f7fe97b6d"
        );
        assert_eq!(
            device.id().to_string(),
            "08c2ff808ea596a82215b3982808fb22c2c4fb4f5d7c259c7cf31b81c00bc684"
        );
        assert_eq!(
            AccountKey::from_bytes(&[1; 32]).id().to_string(),
            "84455a7f37229c289a4db0682d727caf568fef2401a9edccdb3184ae7fc98f18"
        );
    }

    #[test]
    fn keys_come_back_from_their_bytes() {
        let mut bytes = [7; DeviceKeys::LEN];
        bytes[40] = 8;
        let keys = DeviceKeys::from_bytes(&bytes);
        assert_eq!(*keys.to_bytes(), bytes);
        assert_eq!(DeviceKeys::from_bytes(&keys.to_bytes()).public(), keys.public());
        let account = AccountKey::from_bytes(&[1; 32]);
        assert_eq!(AccountKey::from_bytes(&account.to_bytes()).public(), account.public());
    }

    #[test]
    fn either_public_key_changes_the_device_id() {
        let keys = DeviceKeys::from_bytes(&[7; DeviceKeys::LEN]).public();
        let other = DeviceKeys::from_bytes(&[8; DeviceKeys::LEN]).public();
        assert_ne!(
            keys.id(),
            DevicePublicKeys {
                sign: other.sign,
                ..keys
            }
            .id()
        );
        assert_ne!(
            keys.id(),
            DevicePublicKeys {
                session: other.session,
                ..keys
            }
            .id()
        );
    }

    #[test]
    fn debug_output_holds_no_secret() {
        let secret = hex::encode([7; 4]);
        let keys = DeviceKeys::from_bytes(&[7; DeviceKeys::LEN]);
        let account = AccountKey::from_bytes(&[7; 32]);
        let shown = format!("{keys:?} {account:?}");
        assert!(!shown.contains(&secret) && !shown.contains("7, 7"), "{shown}");
    }
}

//! What is written down of a controller and of a machine: JSON with a version, binary values as base64.

use std::{collections::BTreeMap, path::PathBuf};

use beckon_shared::{
    certificate::Chain,
    device::DeviceView,
    id::{AccountId, Hash, RootId, SpaceId, TransferId},
    keys::{DeviceKeys, account_id},
    path::Label,
    signature::PublicKey,
    statement::Standing,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    identity::{Identity, copy_keys},
    lan::Policy,
    origin::Origin,
};

/// The shape of the records below; a later program reads every earlier shape.
const VERSION: u32 = 1;

/// A device that commands machines. Its keys outlive the sign-out, so that it is the same row of the control list next time.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Controller {
    /// Where it signed in.
    pub(crate) server: Origin,
    /// The account's name.
    pub(crate) account_name: String,
    /// The account's key, pinned at the first sign-in.
    #[serde(with = "packed")]
    pub(crate) account_key: PublicKey,
    /// The account's space.
    pub(crate) space: SpaceId,
    /// This device's name in the account.
    pub(crate) device_name: String,
    /// The device's keys.
    #[serde(with = "secret_keys")]
    pub(crate) keys: DeviceKeys,
    /// What is known of the account's statements.
    #[serde(with = "packed", default)]
    pub(crate) standing: Standing,
    /// Absent after signing out.
    pub(crate) sign_in: Option<SignIn>,
}

/// What a controller has while it is signed in.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SignIn {
    /// The device's certificate.
    #[serde(with = "packed")]
    pub(crate) chain: Chain,
    /// The session cookie as `name=value`.
    pub(crate) cookie: String,
}

/// A device whose files can be reached.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Machine {
    /// Where it joined.
    pub(crate) server: Origin,
    /// The account's key, pinned when it joined.
    #[serde(with = "packed")]
    pub(crate) account_key: PublicKey,
    /// The account's space.
    pub(crate) space: SpaceId,
    /// Its name in the account, as last told by the server.
    pub(crate) name: Label,
    /// The device's keys.
    #[serde(with = "secret_keys")]
    pub(crate) keys: DeviceKeys,
    /// Its certificate.
    #[serde(with = "packed")]
    pub(crate) chain: Chain,
    /// What is known of the account's statements.
    #[serde(with = "packed", default)]
    pub(crate) standing: Standing,
    /// What its owner opened.
    pub(crate) roots: Vec<RootConfig>,
    /// What its owner closed again, the latest last: a folder that is opened anew is the root that it was.
    #[serde(default)]
    pub(crate) closed: Vec<RootConfig>,
    /// Whether a journal of orders was ever begun: one that is missing then was lost. False for a machine that just joined.
    #[serde(default)]
    pub(crate) has_journal: bool,
    /// Where its owner allows direct sessions.
    #[serde(default)]
    pub(crate) lan: Policy,
}

/// A directory that the machine's owner opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RootConfig {
    /// Made when it was opened, never changes.
    pub(crate) id: RootId,
    /// Unique in the machine.
    pub(crate) name: Label,
    /// Absolute, without symlinks.
    pub(crate) path: PathBuf,
    /// Whether orders may write below it.
    #[serde(default)]
    pub(crate) writable: bool,
    /// What uploads leave out, in the syntax of `.gitignore`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) ignore: String,
}

/// What `beckon put` began here, so that only the very same command takes it up: each transfer with a digest of which files
/// of this device go where.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Puts(pub(crate) BTreeMap<TransferId, Hash>);

/// The control list as a controller last saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KnownDevices {
    /// Of this server.
    pub(crate) server: Origin,
    /// Of this account.
    #[serde(with = "packed")]
    pub(crate) account: AccountId,
    /// Its rows, with nothing in them that is only of the moment.
    #[serde(with = "packed")]
    pub(crate) devices: Vec<DeviceView>,
}

impl Controller {
    /// The account.
    pub(crate) fn account(&self) -> AccountId {
        account_id(&self.account_key)
    }

    /// Who this device is, while it is signed in.
    pub(crate) fn identity(&self) -> Option<Identity> {
        let chain = self.sign_in.as_ref()?.chain.clone();
        Some(Identity {
            keys: copy_keys(&self.keys),
            chain,
            account_key: self.account_key,
        })
    }
}

impl Machine {
    /// Who this device is.
    pub(crate) fn identity(&self) -> Identity {
        Identity {
            keys: copy_keys(&self.keys),
            chain: self.chain.clone(),
            account_key: self.account_key,
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Versioned<T> {
    version: u32,
    record: T,
}

pub(super) fn encode<T: Serialize>(record: &T) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec_pretty(&Versioned {
        version: VERSION,
        record,
    })
}

pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> serde_json::Result<T> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let found: Version = serde_json::from_slice(bytes)?;
    if found.version != VERSION {
        let advice = format!(
            "it is of version {}, this program knows {VERSION}: update it",
            found.version
        );
        return Err(serde::de::Error::custom(advice));
    }
    serde_json::from_slice::<Versioned<T>>(bytes).map(|stored| stored.record)
}

/// A binary protocol value as base64.
mod packed {
    use beckon_shared::api::Packed;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};

    pub(super) fn serialize<T: Serialize, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        Packed(value).serialize(serializer)
    }

    pub(super) fn deserialize<'de, T: DeserializeOwned, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
        Packed::deserialize(deserializer).map(|packed| packed.0)
    }
}

/// Both secrets of a device as hex.
mod secret_keys {
    use beckon_shared::keys::DeviceKeys;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use zeroize::Zeroizing;

    pub(super) fn serialize<S: Serializer>(keys: &DeviceKeys, serializer: S) -> Result<S::Ok, S::Error> {
        let text = Zeroizing::new(hex::encode(keys.to_bytes()));
        serializer.serialize_str(&text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DeviceKeys, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        let mut bytes = Zeroizing::new([0; DeviceKeys::LEN]);
        hex::decode_to_slice(text.as_bytes(), bytes.as_mut_slice())
            .map_err(|_| D::Error::custom("device keys are 128 hex digits"))?;
        Ok(DeviceKeys::from_bytes(&bytes))
    }
}

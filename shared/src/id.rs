//! Identifiers: one newtype for each, so that none can be taken for another.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// The text given is not an identifier of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is not a valid {0}; copy it again, whole")]
pub struct BadId(pub &'static str);

/// An id of N raw bytes, shown as lower-case hex.
macro_rules! byte_id {
    ($(#[$doc:meta])* $name:ident, $len:literal, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub [u8; $len]);

        impl $name {
            /// The length in bytes.
            pub const LEN: usize = $len;

            /// Takes exactly [`Self::LEN`] bytes.
            pub fn from_slice(bytes: &[u8]) -> Result<Self, BadId> {
                bytes.try_into().map(Self).map_err(|_| BadId($what))
            }

            /// The raw bytes.
            pub fn as_bytes(&self) -> &[u8] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), hex::encode(&self.0[..4]))
            }
        }

        impl FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                let mut bytes = [0; $len];
                hex::decode_to_slice(text, &mut bytes).map_err(|_| BadId($what))?;
                Ok(Self(bytes))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    self.0.serialize(serializer)
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
                } else {
                    <[u8; $len]>::deserialize(deserializer).map(Self)
                }
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                String::schema()
            }
        }
        impl utoipa::ToSchema for $name {}
    };
}

/// An id that the clock orders: a UUID of version 7 (RFC 9562), 16 bytes on the wire.
macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub struct $name(pub Uuid);

        impl $name {
            /// Makes an id from the time and 10 random bytes: this crate has neither clock nor chance.
            pub fn new(now: crate::time::Timestamp, random: [u8; 10]) -> Self {
                let millis = u64::try_from(now.0).unwrap_or(0);
                Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
            }

            /// Takes exactly 16 bytes.
            pub fn from_slice(bytes: &[u8]) -> Result<Self, BadId> {
                Uuid::from_slice(bytes).map(Self).map_err(|_| BadId($what))
            }

            /// The raw bytes.
            pub fn as_bytes(&self) -> &[u8] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                Uuid::try_parse(text).map(Self).map_err(|_| BadId($what))
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                String::schema()
            }
        }
        impl utoipa::ToSchema for $name {}
    };
}

byte_id!(/// A person's id: the hash of the account's first public key.
    AccountId, 32, "account id");
byte_id!(/// A device's id: the hash of its two public keys.
    DeviceId, 32, "device id");
byte_id!(/// A root's id: 128 random bits made by the agent that opened it.
    RootId, 16, "root id");
byte_id!(/// A chunk's id: the keyed BLAKE3 of its bytes, never truncated except as a hint.
    ChunkId, 32, "chunk id");
byte_id!(/// A plain BLAKE3 hash: of a file's content, of a manifest, of a commit.
    Hash, 32, "BLAKE3 hash");

uuid_id!(/// A tree of stored files with its own dedup scope and keys.
    SpaceId, "space id");
uuid_id!(/// A file or folder in a space.
    NodeId, "node id");

impl NodeId {
    /// The nameless folder at the top of a space, where an order names the folder to put something in.
    pub const TOP: Self = Self(Uuid::nil());
}
uuid_id!(/// One immutable content of a node.
    VersionId, "version id");
uuid_id!(/// An order, and the transfer that it starts.
    TransferId, "transfer id");
uuid_id!(/// A signed-in HTTP session.
    SignInId, "session id");
uuid_id!(/// A permission to make an account.
    InvitationId, "invitation id");
uuid_id!(/// One visit: a control socket from its start to its end.
    VisitId, "visit id");

impl RootId {
    /// The root by which a device that commands puts files into the drive's folder `Files`; it follows from the device's id.
    pub fn of_files(device: &DeviceId) -> Self {
        let derived = blake3::derive_key("beckon v1 files-root", &device.0);
        let mut id = [0; Self::LEN];
        id.copy_from_slice(&derived[..Self::LEN]);
        Self(id)
    }
}

impl Hash {
    /// The plain BLAKE3 of the bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }
}

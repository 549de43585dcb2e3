//! What visits Beckon, and how the control list describes it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    certificate::Chain,
    id::{DeviceId, RootId},
    limits::Limits,
    path::Label,
    time::Timestamp,
};

/// What sort of program holds the device's keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceKind {
    /// Runs on a machine whose files matter.
    Agent,
    /// A web browser.
    Browser,
    /// The command line.
    Cli,
}

/// The path alphabet of a machine's file system: how name bytes are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Platform {
    /// Any bytes but `/` and NUL.
    Unix,
    /// WTF-8.
    Windows,
}

impl Platform {
    /// Of the machine that this program runs on.
    pub const fn here() -> Self {
        if cfg!(windows) { Self::Windows } else { Self::Unix }
    }
}

/// What a device tells of itself when it opens its control socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Wanted name; the server makes it unique in the account.
    pub name: Label,
    /// The sort of program.
    pub kind: DeviceKind,
    /// Operating system and release, at most 128 bytes.
    pub os: String,
    /// Version of the program, at most 64 bytes.
    pub version: String,
    /// Path alphabet.
    pub platform: Platform,
    /// Addresses of its interfaces, at most [`Hello::MAX_ADDRESSES`].
    pub addresses: Vec<NetAddress>,
    /// Where it listens for direct sessions.
    pub lan_port: Option<u16>,
    /// What its owner opened, at most [`Hello::MAX_ROOTS`].
    pub roots: Vec<RootView>,
    /// The highest statement number it has seen.
    pub statement: u64,
}

impl Hello {
    /// More addresses than this are not told.
    pub const MAX_ADDRESSES: usize = 32;
    /// More roots than this are refused.
    pub const MAX_ROOTS: usize = 64;

    /// Whether all lengths keep their limits.
    pub fn is_bounded(&self) -> bool {
        self.os.len() <= 128
            && self.version.len() <= 64
            && self.addresses.len() <= Self::MAX_ADDRESSES
            && self.roots.len() <= Self::MAX_ROOTS
            && self
                .addresses
                .iter()
                .all(|at| at.address.len() <= 64 && at.interface.len() <= 64)
    }
}

/// One address of one interface.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub struct NetAddress {
    /// IP address as text.
    pub address: String,
    /// Length of the on-link prefix in bits.
    pub prefix: u8,
    /// Name of the interface.
    pub interface: String,
    /// What the interface is made of.
    pub kind: InterfaceKind,
    /// Hardware address as `aa:bb:cc:dd:ee:ff`, where there is one.
    pub mac: Option<String>,
}

/// What an interface is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum InterfaceKind {
    /// A cable.
    Ethernet,
    /// Radio.
    Wifi,
    /// A private network over another one.
    Vpn,
    /// Joins other interfaces, of containers for instance.
    Bridge,
    /// None of these, or not known.
    Other,
}

/// A directory that the machine's owner opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RootView {
    /// Made by the agent, never changes.
    pub id: RootId,
    /// Unique in the machine.
    pub name: Label,
    /// Whether orders may write below it.
    pub writable: bool,
}

/// A row of the control list: a device that visited at least once, as every controller of the account sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceView {
    /// The hash of its keys.
    pub id: DeviceId,
    /// Unique in the account.
    pub name: Label,
    /// The sort of program.
    pub kind: DeviceKind,
    /// Operating system and release.
    pub os: String,
    /// Version of the program.
    pub version: String,
    /// Path alphabet.
    pub platform: Platform,
    /// Whether a control socket of it is open.
    pub online: bool,
    /// Address and port as the server saw them at the newest visit.
    pub address: String,
    /// The port beside the address.
    pub port: u16,
    /// Addresses of its interfaces.
    pub addresses: Vec<NetAddress>,
    /// Where it listens for direct sessions.
    pub lan_port: Option<u16>,
    /// What its owner opened.
    pub roots: Vec<RootView>,
    /// First visit.
    pub first_seen: Timestamp,
    /// Newest sign of life.
    pub last_seen: Timestamp,
    /// Whether the account has revoked it.
    pub revoked: bool,
    /// Whether it came by a join code and no controller has confirmed it yet.
    pub joined_by_code: bool,
    /// Proof of its keys; a controller believes nothing else about them.
    pub certificate: Chain,
    /// How fast it may send.
    pub limits: Limits,
}

//! What only the operating system can tell, one file for each.

mod changes;
#[cfg(target_os = "linux")]
#[path = "host/linux.rs"]
mod system;
#[cfg(target_os = "macos")]
#[path = "host/macos.rs"]
mod system;
#[cfg(windows)]
#[path = "host/windows.rs"]
mod system;
#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
#[path = "host/other.rs"]
mod system;

use std::net::IpAddr;

pub(crate) use changes::Changes;
pub(crate) use system::{carrier_changes, gateway, interface_kind, is_root, mac, name, os_name};

/// The default way out of a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Gateway {
    /// Its address there.
    pub(crate) address: IpAddr,
    /// Its hardware address as `aa:bb:cc:dd:ee:ff`, once the system has met it.
    pub(crate) mac: Option<String>,
}

//! Windows: what can be learned without calling into its libraries.

use beckon_shared::device::InterfaceKind;

use super::Gateway;

/// The host's name.
pub(crate) fn name() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_default()
}

/// Whether this process may do what only the owner of the system may; a guess by the environment.
pub(crate) fn is_root() -> bool {
    false
}

/// Operating system and release.
pub(crate) fn os_name() -> String {
    "Windows".to_owned()
}

/// Not told without the system's libraries.
pub(crate) fn mac(_: &str) -> Option<String> {
    None
}

/// Not told without the system's libraries.
pub(crate) fn interface_kind(_: &str) -> Option<InterfaceKind> {
    None
}

/// Not told without the system's libraries.
pub(crate) fn carrier_changes(_: &str) -> Option<u64> {
    None
}

/// Not told without the system's libraries.
pub(crate) fn gateway(_: &str) -> Option<Gateway> {
    None
}

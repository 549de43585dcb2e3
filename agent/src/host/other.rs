//! Other systems: nothing is known of them.

use beckon_shared::device::InterfaceKind;

use super::Gateway;

/// The host's name.
pub(crate) fn name() -> String {
    std::env::var("HOSTNAME").unwrap_or_default()
}

/// Whether this process may do what only the owner of the system may; a guess by the environment.
pub(crate) fn is_root() -> bool {
    std::env::var_os("USER").is_some_and(|user| user == "root")
}

/// Operating system and release.
pub(crate) fn os_name() -> String {
    std::env::consts::OS.to_owned()
}

/// Not known.
pub(crate) fn mac(_: &str) -> Option<String> {
    None
}

/// Not known.
pub(crate) fn interface_kind(_: &str) -> Option<InterfaceKind> {
    None
}

/// Not known.
pub(crate) fn carrier_changes(_: &str) -> Option<u64> {
    None
}

/// Not known.
pub(crate) fn gateway(_: &str) -> Option<Gateway> {
    None
}

//! macOS: what can be learned without calling into its libraries.

use beckon_shared::device::InterfaceKind;

use super::Gateway;
use crate::state::read_small_file;

/// The host's name.
pub(crate) fn name() -> String {
    std::env::var("HOSTNAME").unwrap_or_default()
}

/// Whether this process may do what only the owner of the system may; a guess by the environment.
pub(crate) fn is_root() -> bool {
    std::env::var_os("USER").is_some_and(|user| user == "root")
}

/// Operating system and release, as the system's own property list calls it.
pub(crate) fn os_name() -> String {
    let list =
        read_small_file("/System/Library/CoreServices/SystemVersion.plist".as_ref(), 64 << 10).unwrap_or_default();
    let list = String::from_utf8_lossy(&list);
    let version = list
        .split("ProductVersion</key>")
        .nth(1)
        .and_then(|rest| rest.split(['<', '>']).nth(2));
    version.map_or_else(|| "macOS".to_owned(), |version| format!("macOS {version}"))
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

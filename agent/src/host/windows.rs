//! Windows: what can be learned without calling into its libraries.

/// The host's name.
pub(crate) fn name() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_default()
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
pub(crate) fn is_wireless(_: &str) -> bool {
    false
}

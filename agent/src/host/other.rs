//! Other systems: nothing is known of them.

/// The host's name.
pub(crate) fn name() -> String {
    std::env::var("HOSTNAME").unwrap_or_default()
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
pub(crate) fn is_wireless(_: &str) -> bool {
    false
}

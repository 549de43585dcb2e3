//! Linux: `/etc`, `/proc` and `/sys`.

use std::path::Path;

use crate::state::read_small_file;

/// None of the files read here is larger. Bytes.
const MAX: usize = 64 << 10;

/// The host's name.
pub(crate) fn name() -> String {
    text("/proc/sys/kernel/hostname").unwrap_or_default()
}

/// Operating system and release, as `/etc/os-release` calls it.
pub(crate) fn os_name() -> String {
    let release = text("/etc/os-release").unwrap_or_default();
    let line = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    line.map(|name| name.trim_matches(['"', '\'']).to_owned())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "Linux".to_owned())
}

/// Hardware address of an interface, where there is one.
pub(crate) fn mac(interface: &str) -> Option<String> {
    let mac = text(&format!("/sys/class/net/{}/address", plain(interface)?))?;
    let is_real = mac.len() == 17 && mac != "00:00:00:00:00:00";
    is_real.then_some(mac)
}

/// Whether the kernel lists an interface as radio.
pub(crate) fn is_wireless(interface: &str) -> bool {
    let event = plain(interface).and_then(|name| text(&format!("/sys/class/net/{name}/uevent")));
    event.is_some_and(|event| event.contains("DEVTYPE=wlan"))
}

fn plain(interface: &str) -> Option<&str> {
    (!interface.contains('/') && !interface.starts_with('.')).then_some(interface)
}

fn text(path: &str) -> Option<String> {
    let bytes = read_small_file(Path::new(path), MAX).ok()?;
    Some(String::from_utf8_lossy(&bytes).trim().to_owned())
}

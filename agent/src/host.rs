//! What only the operating system can tell, one file for each.

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

pub(crate) use system::{is_wireless, mac, name, os_name};

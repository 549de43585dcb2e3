//! What this device tells of itself: name, system, addresses.

use std::net::IpAddr;

use beckon_shared::{
    device::{DeviceKind, Hello, InterfaceKind, NetAddress, Platform, RootView},
    neighbour::is_card,
    path::Label,
};

use crate::host;

/// Version of this program.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// All that a device tells when it connects.
pub(crate) fn hello(name: Label, kind: DeviceKind, roots: Vec<RootView>, statement: u64) -> Hello {
    Hello {
        name,
        kind,
        os: os(),
        version: VERSION.to_owned(),
        platform: Platform::here(),
        addresses: addresses(),
        lan_port: None,
        roots: roots.into_iter().take(Hello::MAX_ROOTS).collect(),
        statement,
    }
}

/// Operating system and release, at most 128 bytes.
pub(crate) fn os() -> String {
    let mut os = host::os_name();
    while os.len() > 128 {
        os.pop();
    }
    os
}

/// The host's name, made fit to be a device's name.
pub(crate) fn default_name() -> Label {
    let host = host::name();
    let short = host.split('.').next().unwrap_or_default();
    let kept: String = short
        .chars()
        .filter(|c| c.is_alphanumeric() || "-_ ".contains(*c))
        .take(64)
        .collect();
    let fallback = || Label::new("machine");
    Label::new(kept.trim())
        .or_else(|_| fallback())
        .unwrap_or_else(|bad| unreachable!("a plain word is a name: {bad}"))
}

/// Addresses of all interfaces that lead anywhere, in a fixed order so that lists can be compared: first those that others
/// could come to.
pub(crate) fn addresses() -> Vec<NetAddress> {
    named(&interfaces())
}

/// The same again and again, for little as long as nothing changes.
#[derive(Debug, Default)]
pub(crate) struct Told {
    interfaces: Vec<if_addrs::Interface>,
    addresses: Vec<NetAddress>,
}

impl Told {
    /// Addresses of all interfaces that lead anywhere, as they are now.
    pub(crate) fn now(&mut self) -> Vec<NetAddress> {
        let interfaces = interfaces();
        if interfaces != self.interfaces {
            self.addresses = named(&interfaces);
            self.interfaces = interfaces;
        }
        self.addresses.clone()
    }
}

fn interfaces() -> Vec<if_addrs::Interface> {
    let mut interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    interfaces.retain(|one| leads_anywhere(one.ip()));
    interfaces
}

fn named(interfaces: &[if_addrs::Interface]) -> Vec<NetAddress> {
    let mut addresses: Vec<_> = interfaces
        .iter()
        .map(|one| (one.is_link_local(), address(one)))
        .collect();
    addresses.sort_by(|(one_is_local, one), (other_is_local, other)| {
        let rank = |is_local: &bool, at: &NetAddress| *is_local || !is_card(at.kind);
        let by_rank = rank(one_is_local, one).cmp(&rank(other_is_local, other));
        by_rank.then_with(|| (&one.interface, &one.address).cmp(&(&other.interface, &other.address)))
    });
    addresses.truncate(Hello::MAX_ADDRESSES);
    addresses.into_iter().map(|(_, address)| address).collect()
}

fn leads_anywhere(ip: IpAddr) -> bool {
    !ip.is_loopback() && !ip.is_unspecified()
}

fn address(interface: &if_addrs::Interface) -> NetAddress {
    let prefix = match &interface.addr {
        if_addrs::IfAddr::V4(v4) => v4.prefixlen,
        if_addrs::IfAddr::V6(v6) => v6.prefixlen,
    };
    NetAddress {
        address: interface.ip().to_string(),
        prefix,
        interface: interface.name.chars().take(16).collect(),
        kind: match interface.is_p2p() {
            true => InterfaceKind::Vpn,
            false => kind(&interface.name),
        },
        mac: host::mac(&interface.name),
    }
}

/// As the system says; where it says nothing, by the names that systems give.
fn kind(name: &str) -> InterfaceKind {
    let begins = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
    if let Some(kind) = host::interface_kind(name) {
        kind
    } else if begins(&["wl", "Wi-Fi"]) {
        InterfaceKind::Wifi
    } else if begins(&["tun", "tap", "wg", "utun", "ppp", "ipsec", "tailscale", "zt"]) {
        InterfaceKind::Vpn
    } else if begins(&[
        "br",
        "docker",
        "podman",
        "veth",
        "virbr",
        "lxc",
        "lxd",
        "cni",
        "vmnet",
        "vEthernet",
    ]) {
        InterfaceKind::Bridge
    } else if begins(&["en", "eth", "Ethernet"]) {
        InterfaceKind::Ethernet
    } else {
        InterfaceKind::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_device_tells_keeps_its_limits() {
        let hello = hello(default_name(), DeviceKind::Agent, Vec::new(), 0);
        assert!(hello.is_bounded());
        assert!(!hello.os.is_empty());
    }

    #[test]
    fn interfaces_are_told_apart_by_name() {
        assert_eq!(kind("wlp3s0"), InterfaceKind::Wifi);
        assert_eq!(kind("enp0s31f6"), InterfaceKind::Ethernet);
        assert_eq!(kind("docker0"), InterfaceKind::Bridge);
        assert_eq!(kind("wg0"), InterfaceKind::Vpn);
    }
}

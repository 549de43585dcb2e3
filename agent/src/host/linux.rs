//! Linux: `/etc`, `/proc` and `/sys`.

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    path::Path,
};

use beckon_shared::device::InterfaceKind;

use super::Gateway;
use crate::state::read_small_file;

/// None of the files read here is larger. Bytes.
const MAX: usize = 64 << 10;
/// A table of routes or neighbours is read up to here. Bytes.
const TABLE_MAX: usize = 1 << 20;

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

/// Whether this process may do what only the owner of the system may.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Hardware address of an interface, where there is one.
pub(crate) fn mac(interface: &str) -> Option<String> {
    let mac = text(&format!("/sys/class/net/{}/address", plain(interface)?))?;
    let is_real = mac.len() == 17 && mac != "00:00:00:00:00:00";
    is_real.then_some(mac)
}

/// What an interface is made of, where the kernel says so.
pub(crate) fn interface_kind(interface: &str) -> Option<InterfaceKind> {
    let of = |file: &str| text(&format!("/sys/class/net/{}/{file}", plain(interface)?));
    let told = of("uevent").unwrap_or_default();
    let told = told.lines().find_map(|line| line.strip_prefix("DEVTYPE="));
    match (told, of("type").as_deref()) {
        (Some("wlan"), _) => Some(InterfaceKind::Wifi),
        (Some("bridge"), _) => Some(InterfaceKind::Bridge),
        // ARPHRD_NONE, PPP, IPIP, IP6IP6, SIT and GRE: nothing that has a cable.
        (Some("wireguard"), _) | (_, Some("65534" | "512" | "768" | "769" | "776" | "778")) => Some(InterfaceKind::Vpn),
        _ => of("tun_flags").map(|_| InterfaceKind::Vpn),
    }
}

/// How often the interface got or lost its link: the same number twice means that the cable was not pulled in between.
pub(crate) fn carrier_changes(interface: &str) -> Option<u64> {
    text(&format!("/sys/class/net/{}/carrier_changes", plain(interface)?))?
        .parse()
        .ok()
}

/// The default way out by an interface: that of IPv4, else that of IPv6.
pub(crate) fn gateway(interface: &str) -> Option<Gateway> {
    let table = |name: &str| long_text(&format!("/proc/net/{name}"));
    if let Some(address) = gateway_v4(&table("route"), interface) {
        let mac = neighbour(&table("arp"), interface, address);
        return Some(Gateway {
            address: address.into(),
            mac,
        });
    }
    let address = gateway_v6(&table("ipv6_route"), interface)?;
    Some(Gateway {
        address: address.into(),
        mac: mac_in(address),
    })
}

/// Of `/proc/net/route`, the default route with the lowest metric.
fn gateway_v4(table: &str, interface: &str) -> Option<Ipv4Addr> {
    let routes = table.lines().filter_map(|line| {
        let columns: Vec<&str> = line.split_ascii_whitespace().collect();
        let [name, "00000000", gateway, _, _, _, metric, "00000000", ..] = columns[..] else {
            return None;
        };
        // As it lies in memory, in the machine's own order of bytes.
        let gateway = Ipv4Addr::from(u32::from_str_radix(gateway, 16).ok()?.to_ne_bytes());
        let is_one = name == interface && !gateway.is_unspecified();
        is_one.then_some((metric.parse::<u32>().ok()?, gateway))
    });
    routes.min().map(|(_, gateway)| gateway)
}

/// Of `/proc/net/arp`, the hardware address of a neighbour that has answered.
fn neighbour(table: &str, interface: &str, address: Ipv4Addr) -> Option<String> {
    table.lines().find_map(|line| {
        let columns: Vec<&str> = line.split_ascii_whitespace().collect();
        // 0x2 is set while the entry is complete.
        let [ip, _, "0x2" | "0x6", mac, _, name] = columns[..] else {
            return None;
        };
        let is_known = name == interface && ip.parse() == Ok(address);
        is_known.then(|| mac.to_ascii_lowercase())
    })
}

/// Of `/proc/net/ipv6_route`, the default route with the lowest metric.
fn gateway_v6(table: &str, interface: &str) -> Option<Ipv6Addr> {
    let routes = table.lines().filter_map(|line| {
        let columns: Vec<&str> = line.split_ascii_whitespace().collect();
        let [to, "00", _, _, gateway, metric, _, _, _, name] = columns[..] else {
            return None;
        };
        let gateway = Ipv6Addr::from(u128::from_str_radix(gateway, 16).ok()?);
        let is_one = name == interface && to.bytes().all(|digit| digit == b'0') && !gateway.is_unspecified();
        is_one.then_some((u32::from_str_radix(metric, 16).ok()?, gateway))
    });
    routes.min().map(|(_, gateway)| gateway)
}

/// The hardware address that many IPv6 addresses are made of (RFC 4291, appendix A).
fn mac_in(address: Ipv6Addr) -> Option<String> {
    let [.., a, b, c, 0xff, 0xfe, d, e, f] = address.octets() else {
        return None;
    };
    let mac = [a ^ 2, b, c, d, e, f].map(|byte| format!("{byte:02x}"));
    Some(mac.join(":"))
}

fn plain(interface: &str) -> Option<&str> {
    (!interface.contains('/') && !interface.starts_with('.')).then_some(interface)
}

fn text(path: &str) -> Option<String> {
    let bytes = read_small_file(Path::new(path), MAX).ok()?;
    Some(String::from_utf8_lossy(&bytes).trim().to_owned())
}

fn long_text(path: &str) -> String {
    let bytes = read_small_file(Path::new(path), TABLE_MAX).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As this machine would have written it.
    fn in_memory(address: [u8; 4]) -> String {
        format!("{:08X}", u32::from_ne_bytes(address))
    }

    #[test]
    fn the_gateway_is_the_default_route_with_the_lowest_metric_of_that_interface() {
        let [first, second, other] = [[192, 168, 1, 1], [192, 168, 1, 2], [10, 0, 0, 1]].map(in_memory);
        let table = format!(
            "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
             eth0\t00000000\t{second}\t0003\t0\t0\t600\t00000000\t0\t0\t0\n\
             eth0\t00000000\t{first}\t0003\t0\t0\t100\t00000000\t0\t0\t0\n\
             eth0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n\
             wlan0\t00000000\t{other}\t0003\t0\t0\t20\t00000000\t0\t0\t0\n\
             tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0\n"
        );
        assert_eq!(gateway_v4(&table, "eth0"), Some(Ipv4Addr::new(192, 168, 1, 1)));
        assert_eq!(gateway_v4(&table, "wlan0"), Some(Ipv4Addr::new(10, 0, 0, 1)));
        assert_eq!(gateway_v4(&table, "tun0"), None);
        assert_eq!(gateway_v4("", "eth0"), None);
    }

    #[test]
    fn only_a_neighbour_that_answered_has_a_hardware_address() {
        let table = "IP address       HW type     Flags       HW address            Mask     Device\n\
                     192.168.1.1      0x1         0x2         AA:bb:cc:dd:ee:01     *        eth0\n\
                     192.168.1.2      0x1         0x0         00:00:00:00:00:00     *        eth0\n\
                     192.168.1.1      0x1         0x2         aa:bb:cc:dd:ee:09     *        wlan0\n";
        let mac = |last, interface| neighbour(table, interface, Ipv4Addr::new(192, 168, 1, last));
        assert_eq!(mac(1, "eth0").as_deref(), Some("aa:bb:cc:dd:ee:01"));
        assert_eq!(mac(1, "wlan0").as_deref(), Some("aa:bb:cc:dd:ee:09"));
        assert_eq!(mac(2, "eth0"), None);
        assert_eq!(mac(3, "eth0"), None);
    }

    #[test]
    fn the_way_out_by_ipv6_tells_its_hardware_address_where_it_is_made_of_it() {
        let none = "0".repeat(32);
        let table = format!(
            "{none} 00 {none} 00 fe80000000000000020000fffe000001 00000400 00000001 00000000 00000003 eth0\n\
             {none} 00 {none} 00 {none} ffffffff 00000001 00000000 00200200 lo\n\
             fd000000000000000000000000000000 40 {none} 00 {none} 00000100 00000001 00000000 00000001 eth0\n"
        );
        let address = gateway_v6(&table, "eth0").unwrap();
        assert_eq!(address.to_string(), "fe80::200:ff:fe00:1");
        assert_eq!(mac_in(address).as_deref(), Some("00:00:00:00:00:01"));
        assert_eq!(mac_in("fe80::1".parse().unwrap()), None);
        assert_eq!(gateway_v6(&table, "lo"), None);
    }

    #[test]
    fn names_that_are_paths_are_no_interfaces() {
        for name in ["../../..", "a/b", "."] {
            assert_eq!(
                (mac(name), interface_kind(name), carrier_changes(name)),
                (None, None, None)
            );
        }
    }
}

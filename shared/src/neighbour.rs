//! Which devices may share a local network, by what the control list says of them. It is a judgement and no proof: two homes
//! behind one carrier may look the same, so whoever builds on it probes, or loses nothing when it is wrong.

use core::net::{IpAddr, Ipv6Addr};

use crate::{
    browse::WAKE_MAX,
    device::{DeviceKind, DeviceView, InterfaceKind, NetAddress},
};

/// Where a device is in the network, as far as is known.
#[derive(Debug, Clone, Copy)]
pub struct Site<'a> {
    /// Its address as the server saw it at the newest visit.
    pub seen_at: &'a str,
    /// What it told of its interfaces.
    pub addresses: &'a [NetAddress],
}

impl<'a> From<&'a DeviceView> for Site<'a> {
    fn from(device: &'a DeviceView) -> Self {
        Self {
            seen_at: &device.address,
            addresses: &device.addresses,
        }
    }
}

/// How likely two devices share a network; what is greater is likelier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Nearness {
    /// Bits of the prefix that both have: few other networks have a long one.
    prefix: u8,
    /// Both ends say that it is exactly so long.
    is_exact: bool,
    /// So many of the two ends are on a cable, which is no radio network that guests use too.
    cables: u8,
}

/// How likely two devices share a local network; nothing if they hardly do. They leave it at the same public address, and
/// each has an interface in the same range, those of VPNs and bridges left out.
pub fn nearness(one: Site<'_>, other: Site<'_>) -> Option<Nearness> {
    let (out, other_out) = (ip(one.seen_at)?, ip(other.seen_at)?);
    let theirs: Vec<Link> = links(other.addresses).collect();
    links(one.addresses)
        .flat_map(|link| theirs.iter().filter_map(move |their| link.shares(*their)))
        .filter(|(network, _)| network.is_one_in_the_world() || network.is_left_together(out, other_out))
        .map(|(_, nearness)| nearness)
        .max()
}

/// The machines that could wake a sleeping one, best first: awake, and perhaps in its network.
pub fn wakers<'a>(devices: impl IntoIterator<Item = &'a DeviceView>, sleeping: &DeviceView) -> Vec<&'a DeviceView> {
    let may = |device: &&DeviceView| {
        device.online && !device.revoked && device.kind == DeviceKind::Agent && device.id != sleeping.id
    };
    let mut near: Vec<_> = devices
        .into_iter()
        .filter(may)
        .filter_map(|device| Some((nearness(device.into(), sleeping.into())?, device)))
        .collect();
    near.sort_by(|(one, a), (other, b)| other.cmp(one).then_with(|| a.id.cmp(&b.id)));
    near.into_iter().map(|(_, device)| device).collect()
}

/// The hardware addresses of a device's network cards, at most [`WAKE_MAX`].
pub fn hardware_addresses(device: &DeviceView) -> Vec<[u8; 6]> {
    let mut macs: Vec<[u8; 6]> = Vec::new();
    let cards = device.addresses.iter().filter(|at| is_card(at.kind));
    for mac in cards.filter_map(|at| mac(at.mac.as_deref()?)) {
        if !macs.contains(&mac) && macs.len() < WAKE_MAX {
            macs.push(mac);
        }
    }
    macs
}

/// Whether an interface of this kind leads into a local network of its own.
pub fn is_card(kind: InterfaceKind) -> bool {
    !matches!(kind, InterfaceKind::Vpn | InterfaceKind::Bridge)
}

fn mac(text: &str) -> Option<[u8; 6]> {
    let mut parts = text.split(':');
    let mut mac = [0; 6];
    for byte in &mut mac {
        *byte = u8::from_str_radix(parts.next()?, 16).ok()?;
    }
    // The lowest bit of the first byte marks addresses of groups.
    let is_one_card = mac != [0; 6] && mac[0] & 1 == 0;
    (parts.next().is_none() && is_one_card).then_some(mac)
}

fn ip(text: &str) -> Option<IpAddr> {
    Some(text.parse::<IpAddr>().ok()?.to_canonical())
}

/// An interface's address in a local network.
#[derive(Debug, Clone, Copy)]
struct Link {
    at: IpAddr,
    prefix: u8,
    is_cable: bool,
}

/// A range of addresses.
#[derive(Debug, Clone, Copy)]
struct Network {
    at: IpAddr,
    prefix: u8,
}

fn links(addresses: &[NetAddress]) -> impl Iterator<Item = Link> {
    let cards = addresses.iter().filter(|at| is_card(at.kind));
    cards.filter_map(|at| {
        let link = Link {
            at: ip(&at.address)?,
            prefix: at.prefix,
            is_cable: at.kind == InterfaceKind::Ethernet,
        };
        link.tells_something().then_some(link)
    })
}

impl Link {
    /// Whether the address and its range say where it is: every device has the same local ones, carriers hand out their own to
    /// whole towns, and a range of one or two addresses has no neighbours.
    fn tells_something(self) -> bool {
        match self.at {
            IpAddr::V4(at) => {
                let is_carriers = at.octets()[0] == 100 && at.octets()[1] & 0xc0 == 64;
                let is_everywhere = at.is_loopback() || at.is_link_local() || at.is_unspecified();
                !is_carriers && !is_everywhere && (8..=30).contains(&self.prefix)
            }
            IpAddr::V6(at) => {
                let is_everywhere = at.is_loopback() || at.is_unicast_link_local() || at.is_unspecified();
                !is_everywhere && (32..=126).contains(&self.prefix)
            }
        }
    }

    /// The range that both addresses lie in, by what either end knows of it.
    fn shares(self, other: Self) -> Option<(Network, Nearness)> {
        let network = Network {
            at: self.at,
            prefix: self.prefix.min(other.prefix),
        };
        let nearness = Nearness {
            prefix: network.prefix,
            is_exact: self.prefix == other.prefix,
            cables: u8::from(self.is_cable) + u8::from(other.is_cable),
        };
        network.holds(other.at).then_some((network, nearness))
    }
}

impl Network {
    fn holds(self, at: IpAddr) -> bool {
        match (self.at, at) {
            (IpAddr::V4(own), IpAddr::V4(at)) => same_start(own.to_bits().into(), at.to_bits().into(), 32, self.prefix),
            (IpAddr::V6(own), IpAddr::V6(at)) => same_start(own.to_bits(), at.to_bits(), 128, self.prefix),
            _ => false,
        }
    }

    /// Whether its addresses are public ones (RFC 4291, 2.4), which are given out once.
    fn is_one_in_the_world(self) -> bool {
        matches!(self.at, IpAddr::V6(at) if at.segments()[0] & 0xe000 == 0x2000)
    }

    /// Whether two devices of it, seen at these addresses, leave it by the same way: behind one address, with one network of
    /// public addresses around them, or not at all, where the server is in it.
    fn is_left_together(self, one: IpAddr, other: IpAddr) -> bool {
        let around = |one: Ipv6Addr, other: Ipv6Addr| same_start(one.to_bits(), other.to_bits(), 128, 64);
        match (one, other) {
            _ if one == other => true,
            _ if self.holds(one) && self.holds(other) => true,
            (IpAddr::V6(one), IpAddr::V6(other)) => around(one, other),
            _ => false,
        }
    }
}

/// Whether the first `prefix` of `width` bits are equal.
fn same_start(one: u128, other: u128, width: u8, prefix: u8) -> bool {
    let rest = u32::from(width.saturating_sub(prefix));
    (one ^ other).checked_shr(rest).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests;

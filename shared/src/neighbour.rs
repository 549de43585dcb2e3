//! Which devices may share a local network, by what the control list says of them. It is a judgement and no proof: two homes
//! behind one carrier may look the same, so whoever builds on it probes, or loses nothing when it is wrong.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::{
    browse::WAKE_MAX,
    device::{DeviceKind, DeviceView, Hello, InterfaceKind, NetAddress},
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

/// No more addresses of a machine are tried.
pub const CANDIDATES_MAX: usize = 4;

/// Where a machine may be reached directly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// One of its addresses.
    pub address: IpAddr,
    /// Where it listens.
    pub port: u16,
}

impl Candidate {
    /// The address of its endpoint, for a WebSocket.
    pub fn url(&self) -> String {
        format!("ws://{}{}", SocketAddr::new(self.address, self.port), crate::route::LAN)
    }
}

/// Whether it is worth a try to reach a machine directly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hint {
    /// It may be in the same network.
    Near,
    /// Nothing says so; a person may have it tried all the same.
    Unlikely,
    /// It does not listen, or told no address that could be tried.
    Closed,
}

/// The judgement of [`reachable`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reachable {
    /// Whether to try by itself.
    pub hint: Hint,
    /// What to try, best first, at most [`CANDIDATES_MAX`].
    pub candidates: Vec<Candidate>,
}

/// Where to try a machine from a device that is at `me`; a browser knows no interfaces of its own, only where it is seen.
///
/// Whatever the machine's row says, nothing comes of it but a first message of a handshake at so many addresses that only a
/// local network or a VPN of both leads to.
pub fn reachable(me: Site<'_>, machine: &DeviceView) -> Reachable {
    let here = Here::new(me);
    let port = machine.lan_port.filter(|port| *port != 0);
    let mut ranked: Vec<(Rank, bool, IpAddr)> = Vec::new();
    for (rank, link) in bounded(&machine.addresses).iter().filter_map(|told| here.rank(told)) {
        if ranked.iter().all(|(_, _, known)| *known != link.at) {
            ranked.push((rank, !link.is_cable, link.at));
        }
    }
    ranked.sort_by_key(|(rank, is_no_cable, _)| (*rank, *is_no_cable));
    let tried = ranked.iter().take(CANDIDATES_MAX);
    let candidates: Vec<_> = port
        .into_iter()
        .flat_map(|port| {
            tried.clone().map(move |(_, _, address)| Candidate {
                address: *address,
                port,
            })
        })
        .collect();
    let is_near = ranked.iter().any(|(rank, _, _)| rank.is_telling())
        || ip(&machine.address).is_some_and(|seen_at| here.is_seen_beside(seen_at))
        || nearness(me, machine.into()).is_some();
    let hint = match candidates.is_empty() {
        true => Hint::Closed,
        false if is_near => Hint::Near,
        false => Hint::Unlikely,
    };
    Reachable { hint, candidates }
}

/// Whether an address is one of a neighbour: in a range of one of our own interfaces, VPNs left out.
pub fn is_on_link(own: &[NetAddress], at: IpAddr) -> bool {
    let told = bounded(own).iter().filter(|told| told.kind != InterfaceKind::Vpn);
    let links = told.filter_map(Link::of).filter(|link| link.tells_something());
    let at = at.to_canonical();
    scope(at).is_some() && links.into_iter().any(|link| link.network().holds(at))
}

/// How promising an address is; what is less is tried first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// A local one, in a range that one of our own interfaces is in too. Other homes have the same ranges.
    OnOurLink,
    /// A public one in such a range.
    OnOurPublicLink,
    /// In a VPN that we are in too.
    InOurVpn,
    /// A local one around the local address at which the server sees us.
    AroundUs,
    /// Any other local one.
    Local,
    /// A public one around the address at which the server sees us.
    AroundUsInPublic,
}

impl Rank {
    /// Whether it says by itself that both may be in one network.
    fn is_telling(self) -> bool {
        match self {
            Self::OnOurPublicLink | Self::InOurVpn | Self::AroundUs | Self::AroundUsInPublic => true,
            Self::OnOurLink | Self::Local => false,
        }
    }
}

/// Where we are.
struct Here {
    seen_at: Option<IpAddr>,
    links: Vec<Link>,
    vpns: Vec<Network>,
}

impl Here {
    fn new(me: Site<'_>) -> Self {
        let (seen_at, told) = (ip(me.seen_at), bounded(me.addresses));
        let in_vpns = told.iter().filter(|at| at.kind == InterfaceKind::Vpn);
        let in_vpns = in_vpns.filter_map(|at| ip(&at.address)).chain(seen_at);
        Self {
            seen_at,
            links: links(told).collect(),
            vpns: in_vpns.filter_map(vpn_of).collect(),
        }
    }

    /// What is to be hoped of an address that a machine told; nothing if it is not to be tried.
    fn rank(&self, told: &NetAddress) -> Option<(Rank, Link)> {
        let link = Link::of(told)?;
        let rank = match is_card(told.kind) {
            true if link.tells_something() => self.rank_of_card(link),
            false if told.kind == InterfaceKind::Vpn => self.rank_of_vpn(link.at),
            _ => None,
        };
        Some((rank?, link))
    }

    fn rank_of_card(&self, link: Link) -> Option<Rank> {
        // By what we know ourselves: a range that only the machine tells of may be made up.
        let is_on_our_link = self.links.iter().any(|own| own.network().holds(link.at));
        let scope = scope(link.at)?;
        let around = link.network_of_one_place(scope);
        let is_around_us = self.seen_at.is_some_and(|seen_at| around.holds(seen_at));
        match (scope, is_on_our_link, is_around_us) {
            (Scope::Local, true, _) => Some(Rank::OnOurLink),
            (Scope::Local, false, true) => Some(Rank::AroundUs),
            (Scope::Local, false, false) => Some(Rank::Local),
            (Scope::Public, true, _) => Some(Rank::OnOurPublicLink),
            (Scope::Public, false, true) => Some(Rank::AroundUsInPublic),
            (Scope::Public, false, false) => None,
        }
    }

    fn rank_of_vpn(&self, at: IpAddr) -> Option<Rank> {
        let is_ours = vpn_of(at).is_some_and(|vpn| self.vpns.contains(&vpn));
        is_ours.then_some(Rank::InOurVpn)
    }

    /// Whether the server sees another device at our own address, or in our own network of version 6.
    fn is_seen_beside(&self, other: IpAddr) -> bool {
        match (self.seen_at, other) {
            (Some(own), other) if own == other => true,
            (Some(IpAddr::V6(own)), IpAddr::V6(other)) => {
                let is_everywhere = own.is_loopback() || own.is_unicast_link_local();
                !is_everywhere && same_start(own.to_bits(), other.to_bits(), 128, 64)
            }
            _ => false,
        }
    }
}

/// How far an address is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// In its own network only: RFC 1918, and unique local addresses (RFC 4193).
    Local,
    /// In the whole world.
    Public,
}

/// Nothing for those that mean no single machine, or this one, or another one in each network.
fn scope(at: IpAddr) -> Option<Scope> {
    match at {
        IpAddr::V4(at) if at.is_private() => Some(Scope::Local),
        IpAddr::V4(at) => {
            let [first, second, ..] = at.octets();
            let is_special = at.is_loopback() || at.is_link_local() || first == 0 || first >= 224;
            let is_carriers = first == 100 && second & 0xc0 == 64;
            (!is_special && !is_carriers).then_some(Scope::Public)
        }
        IpAddr::V6(at) if at.is_unique_local() => Some(Scope::Local),
        IpAddr::V6(at) => is_global(at).then_some(Scope::Public),
    }
}

/// The range that VPNs hand out addresses of which this is one.
fn vpn_of(at: IpAddr) -> Option<Network> {
    let ranges = [
        Network {
            at: IpAddr::V4(Ipv4Addr::new(100, 64, 0, 0)),
            prefix: 10,
        },
        Network {
            at: IpAddr::V6(Ipv6Addr::new(0xfd7a, 0x115c, 0xa1e0, 0, 0, 0, 0, 0)),
            prefix: 48,
        },
    ];
    ranges.into_iter().find(|range| range.holds(at))
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    at: IpAddr,
    prefix: u8,
}

fn links(addresses: &[NetAddress]) -> impl Iterator<Item = Link> {
    let cards = addresses.iter().filter(|at| is_card(at.kind));
    cards.filter_map(Link::of).filter(|link| link.tells_something())
}

/// What a device tells at the most; the row of one may come from a server that adds to it.
fn bounded(addresses: &[NetAddress]) -> &[NetAddress] {
    addresses.get(..Hello::MAX_ADDRESSES).unwrap_or(addresses)
}

impl Link {
    fn of(told: &NetAddress) -> Option<Self> {
        Some(Self {
            at: ip(&told.address)?,
            prefix: told.prefix,
            is_cable: told.kind == InterfaceKind::Ethernet,
        })
    }

    fn network(self) -> Network {
        Network {
            at: self.at,
            prefix: self.prefix,
        }
    }

    /// The range around it that may be one place: with public addresses no wider one is.
    fn network_of_one_place(self, scope: Scope) -> Network {
        let widest = match (scope, self.at) {
            (Scope::Local, _) => 0,
            (Scope::Public, IpAddr::V4(_)) => 16,
            (Scope::Public, IpAddr::V6(_)) => 64,
        };
        Network {
            at: self.at,
            prefix: self.prefix.max(widest),
        }
    }

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
        matches!(self.at, IpAddr::V6(at) if is_global(at))
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

fn is_global(at: Ipv6Addr) -> bool {
    at.segments()[0] & 0xe000 == 0x2000
}

/// Whether the first `prefix` of `width` bits are equal.
fn same_start(one: u128, other: u128, width: u8, prefix: u8) -> bool {
    let rest = u32::from(width.saturating_sub(prefix));
    (one ^ other).checked_shr(rest).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests;

//! What the machine's owner allows of direct sessions: whether at all, in which networks, for which web apps.

use std::{fmt, net::IpAddr};

use beckon_shared::{device::InterfaceKind, neighbour::is_card};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::network::{Link, Router};
use crate::origin::Origin;

/// The owner's word, as it stands in the machine's record. A machine that joined with an earlier program allows no network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Policy {
    /// Whether there is an endpoint at all.
    pub(crate) on: bool,
    /// The port that the owner chose.
    pub(crate) port: Option<u16>,
    /// The port that was free when the usual one was not; kept, so that it stays the same.
    pub(crate) found_port: Option<u16>,
    /// Networks in which the machine may be reached.
    pub(crate) networks: Vec<Network>,
    /// Interfaces by which it may be reached whatever they lead to.
    pub(crate) interfaces: Vec<String>,
    /// Interfaces by which it may never be reached.
    pub(crate) closed: Vec<String>,
    /// Web apps that may open a direct session besides the server's own and those of the controller's own machine.
    pub(crate) origins: Vec<Origin>,
    /// Names by which the machine may be dialled besides its addresses.
    pub(crate) hosts: Vec<String>,
    /// Whether it says in its networks that it is there.
    pub(crate) mdns: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            on: true,
            port: None,
            found_port: None,
            networks: Vec::new(),
            interfaces: Vec::new(),
            closed: Vec::new(),
            origins: Vec::new(),
            hosts: Vec::new(),
            mdns: true,
        }
    }
}

/// A network as it is recognised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Network {
    /// Its range of addresses.
    pub(crate) prefix: IpNet,
    /// Who leads out of it, where there is somebody and the system tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) router: Option<String>,
}

/// Who may come to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Whoever is in a network of the interface.
    OnLink,
    /// Whoever has a private address: the owner named this VPN.
    Vpn,
}

/// Why nobody may come to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closed {
    /// There is to be no endpoint.
    Off,
    /// The owner closed the interface.
    Interface,
    /// It leads into no local network of its own.
    NoCard,
    /// Its router has not told who it is.
    RouterSilent,
    /// The owner has not allowed this network.
    Network,
}

impl Policy {
    /// Who may come to an address of an interface.
    pub(super) fn judge(&self, link: &Link, address: IpNet) -> Result<Reach, Closed> {
        let is_named = |names: &[String]| names.contains(&link.interface);
        if !self.on {
            Err(Closed::Off)
        } else if is_named(&self.closed) {
            Err(Closed::Interface)
        } else if is_named(&self.interfaces) {
            Ok(match link.kind {
                InterfaceKind::Vpn => Reach::Vpn,
                _ => Reach::OnLink,
            })
        } else if !is_card(link.kind) {
            Err(Closed::NoCard)
        } else if self.networks.iter().any(|network| network.is(link, address)) {
            Ok(Reach::OnLink)
        } else if link.router == Router::Silent {
            Err(Closed::RouterSilent)
        } else {
            Err(Closed::Network)
        }
    }

    /// Allows this network, or all, of those of an interface that can be recognised again; which ones.
    pub(super) fn allow_in(&mut self, link: &Link, network: Option<IpNet>) -> Vec<Network> {
        if !is_card(link.kind) || link.router == Router::Silent {
            return Vec::new();
        }
        let is_meant = |at: &&IpNet| network.is_none_or(|network| network == at.trunc());
        let networks = link.addresses.iter().filter(is_meant);
        let networks: Vec<Network> = networks.map(|at| Network::at(link, *at)).collect();
        for network in &networks {
            if !self.networks.contains(network) {
                self.networks.push(network.clone());
            }
        }
        networks
    }

    /// Takes back that this network, or all that these interfaces are in, are allowed; which ones.
    pub(super) fn deny(&mut self, links: &[Link], network: Option<IpNet>) -> Vec<Network> {
        let addresses = || {
            links
                .iter()
                .flat_map(|link| link.addresses.iter().map(move |at| (link, *at)))
        };
        let is_meant = |known: &Network| {
            let is_named = network == Some(known.prefix);
            let is_here =
                |(link, at): (&Link, IpNet)| network.is_none_or(|network| network == at.trunc()) && known.is(link, at);
            is_named || addresses().any(is_here)
        };
        self.networks.extract_if(.., |known| is_meant(known)).collect()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.router {
            Some(router) => write!(f, "{} (router {router})", self.prefix),
            None => self.prefix.fmt(f),
        }
    }
}

impl Network {
    /// The network that an address of an interface is in.
    pub(super) fn at(link: &Link, address: IpNet) -> Self {
        Self {
            prefix: address.trunc(),
            router: link.router.name().map(str::to_owned),
        }
    }

    /// Whether an address of an interface is in this network.
    fn is(&self, link: &Link, address: IpNet) -> bool {
        // Providers hand out other public prefixes now and then: behind the same router, each is the same network.
        let is_public = |net: &IpNet| matches!(net.addr(), IpAddr::V6(at) if at.segments()[0] & 0xe000 == 0x2000);
        let is_telling = self.router.as_deref().is_some_and(is_hardware_address);
        let is_renumbered = is_telling && is_public(&self.prefix) && is_public(&address);
        let is_same_router = match &link.router {
            Router::Silent => false,
            router => router.name() == self.router.as_deref(),
        };
        is_same_router && (self.prefix == address.trunc() || is_renumbered)
    }
}

/// Whether a router's name is its own. Many of them have the same address, as fe80::1.
fn is_hardware_address(router: &str) -> bool {
    router.parse::<IpAddr>().is_err()
}

impl Router {
    fn name(&self) -> Option<&str> {
        match self {
            Self::Known(name) => Some(name),
            Self::None | Self::Silent => None,
        }
    }
}

impl Closed {
    /// Why, and what to do about it.
    pub(super) fn advice(self, link: &Link) -> String {
        let interface = &link.interface;
        match self {
            Self::Off => "direct sessions are off; beckon lan on".to_owned(),
            Self::Interface => format!("{interface} is closed; beckon lan allow {interface}"),
            Self::NoCard => format!("{interface} is a VPN or a bridge; if it is meant: beckon lan allow {interface}"),
            Self::RouterSilent => "its router does not answer, so the network is not recognised".to_owned(),
            Self::Network => "this network is not allowed; beckon lan allow here".to_owned(),
        }
    }
}

/// Whether an address is given out inside a house or a VPN: RFC 1918, RFC 6598, and unique local ones of IPv6 (RFC 4193).
pub(super) fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(at) => at.is_private() || (at.octets()[0] == 100 && at.octets()[1] & 0xc0 == 64),
        IpAddr::V6(at) => at.is_unique_local(),
    }
}

#[cfg(test)]
mod tests;

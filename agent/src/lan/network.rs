//! Which networks this machine is in, as its system tells: addresses, what the interface is made of, and who leads out.

use std::{
    collections::HashMap,
    net::{IpAddr, UdpSocket},
    time::Duration,
};

use beckon_shared::device::{InterfaceKind, NetAddress};
use ipnet::IpNet;

use crate::{hello, host};

/// The port of the discard protocol (RFC 863): what is sent there has the system look for the neighbour's hardware address.
const DISCARD: u16 = 9;
/// How long a router may take to tell its hardware address to who waits for it.
const ROUTER_TIMEOUT: Duration = Duration::from_secs(1);
const ROUTER_EVERY: Duration = Duration::from_millis(50);

/// An interface that leads somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    /// As the system calls it.
    pub(super) interface: String,
    /// What it is made of.
    pub(super) kind: InterfaceKind,
    /// Its own addresses with their on-link prefixes, those left out that every machine has.
    pub(super) addresses: Vec<IpNet>,
    /// Who leads out of its networks.
    pub(super) router: Router,
}

/// Who leads out of a network: by it, one's own 192.168.1.0/24 is told from all others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Router {
    /// Nobody, or the system does not tell.
    None,
    /// Somebody whose hardware address is not known yet.
    Silent,
    /// Known by its hardware address, or by its address where that is all there is.
    Known(String),
}

/// Looks at the networks again and again.
#[derive(Debug, Default)]
pub(super) struct Looker {
    met: HashMap<String, Met>,
    /// A router was called at the last look: the next one may find it.
    pub(super) is_calling: bool,
}

/// A router as it was met last at an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Met {
    address: IpAddr,
    carrier_changes: Option<u64>,
    name: String,
}

impl Looker {
    /// The networks as they are now; routers that are not known yet are called, so that they are known at the next look.
    pub(super) fn look(&mut self, addresses: &[NetAddress]) -> Vec<Link> {
        let mut links = links(addresses);
        self.is_calling = false;
        for link in &mut links {
            let gateway = host::gateway(&link.interface);
            let carrier_changes = host::carrier_changes(&link.interface);
            link.router = self.router(&link.interface, gateway, carrier_changes);
        }
        self.met
            .retain(|interface, _| links.iter().any(|link| link.interface == *interface));
        links
    }

    /// Systems forget neighbours that they do not need; one that was met stays known until the cable is pulled.
    fn router(&mut self, interface: &str, gateway: Option<host::Gateway>, carrier_changes: Option<u64>) -> Router {
        let Some(host::Gateway { address, mac }) = gateway else {
            self.met.remove(interface);
            return Router::None;
        };
        let name = match (mac, address) {
            (Some(mac), _) => mac,
            (None, IpAddr::V6(address)) => address.to_string(),
            (None, IpAddr::V4(_)) => {
                let is_same = |met: &&Met| met.address == address && met.carrier_changes == carrier_changes;
                let met = self.met.get(interface).filter(is_same);
                call(address);
                self.is_calling = true;
                return met.map_or(Router::Silent, |met| Router::Known(met.name.clone()));
            }
        };
        let met = Met {
            address,
            carrier_changes,
            name: name.clone(),
        };
        self.met.insert(interface.to_owned(), met);
        Router::Known(name)
    }
}

/// The networks as they are now, for whoever looks once: waits a moment for routers.
pub(super) async fn look_once() -> Vec<Link> {
    let mut looker = Looker::default();
    let begun = tokio::time::Instant::now();
    loop {
        let links = looker.look(&hello::addresses());
        let is_known = links.iter().all(|link| link.router != Router::Silent);
        if is_known || begun.elapsed() > ROUTER_TIMEOUT {
            return links;
        }
        tokio::time::sleep(ROUTER_EVERY).await;
    }
}

fn links(addresses: &[NetAddress]) -> Vec<Link> {
    let mut links: Vec<Link> = Vec::new();
    for at in addresses {
        let Some(address) = address(at) else { continue };
        match links.iter_mut().find(|link| link.interface == at.interface) {
            Some(link) => link.addresses.push(address),
            None => links.push(Link {
                interface: at.interface.clone(),
                kind: at.kind,
                addresses: vec![address],
                router: Router::None,
            }),
        }
    }
    links
}

/// An address that leads to this machine alone.
fn address(at: &NetAddress) -> Option<IpNet> {
    let ip: IpAddr = at.address.parse().ok()?;
    let is_everywhere = match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    let is_own = !is_everywhere && !ip.is_loopback() && !ip.is_unspecified() && !ip.is_multicast();
    is_own.then(|| IpNet::new(ip, at.prefix).ok())?
}

/// Has the system ask for a neighbour's hardware address. Nothing depends on whether it arrives.
fn call(neighbour: IpAddr) {
    let sent = UdpSocket::bind(("0.0.0.0", 0)).and_then(|socket| socket.send_to(&[], (neighbour, DISCARD)));
    if let Err(cause) = sent {
        tracing::debug!(%cause, "a router cannot be called");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(interface: &str, address: &str, prefix: u8) -> NetAddress {
        NetAddress {
            address: address.to_owned(),
            prefix,
            interface: interface.to_owned(),
            kind: InterfaceKind::Ethernet,
            mac: None,
        }
    }

    fn gateway(mac: Option<&str>) -> Option<host::Gateway> {
        Some(host::Gateway {
            address: "127.0.0.1".parse().unwrap(),
            mac: mac.map(str::to_owned),
        })
    }

    #[test]
    fn addresses_are_gathered_by_interface_without_those_that_every_machine_has() {
        let found = links(&[
            at("eth0", "192.168.1.5", 24),
            at("eth0", "fe80::5", 64),
            at("eth0", "fd00::5", 64),
            at("eth1", "169.254.1.1", 16),
            at("lo", "127.0.0.1", 8),
            at("wlan0", "10.0.0.7", 8),
            at("wlan0", "not an address", 8),
            at("wlan0", "10.0.0.8", 33),
        ]);
        let found: Vec<_> = found
            .iter()
            .map(|link| {
                (
                    link.interface.as_str(),
                    link.addresses.iter().map(IpNet::to_string).collect(),
                )
            })
            .collect();
        let expected: Vec<(&str, Vec<String>)> = vec![
            ("eth0", vec!["192.168.1.5/24".to_owned(), "fd00::5/64".to_owned()]),
            ("wlan0", vec!["10.0.0.7/8".to_owned()]),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_router_that_was_met_stays_known_until_the_cable_is_pulled() {
        let mut looker = Looker::default();
        let known = Router::Known("aa:bb:cc:dd:ee:01".to_owned());
        assert_eq!(looker.router("eth0", gateway(None), Some(2)), Router::Silent);
        assert!(looker.is_calling);
        assert_eq!(
            looker.router("eth0", gateway(Some("aa:bb:cc:dd:ee:01")), Some(2)),
            known
        );
        assert_eq!(
            looker.router("eth0", gateway(None), Some(2)),
            known,
            "the system forgot it"
        );
        assert_eq!(looker.router("eth0", gateway(None), Some(4)), Router::Silent);
        assert_eq!(looker.router("eth1", gateway(None), Some(2)), Router::Silent);
        let other = Router::Known("aa:bb:cc:dd:ee:02".to_owned());
        assert_eq!(
            looker.router("eth0", gateway(Some("aa:bb:cc:dd:ee:02")), Some(2)),
            other
        );
        assert_eq!(looker.router("eth0", None, Some(2)), Router::None);
        assert_eq!(looker.router("eth0", gateway(None), Some(2)), Router::Silent);
    }
}

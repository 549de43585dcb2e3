//! Looks for one machine by what agents say in the local network. Anybody can say anything there: what comes of it is a few
//! addresses to be tried, and the handshake proves who is behind them.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use beckon_shared::{
    device::NetAddress,
    id::DeviceId,
    neighbour::{self, CANDIDATES_MAX},
};
use mdns_sd::{IfKind, ServiceDaemon, ServiceEvent};

use super::{SERVICE, Sign, TAG};
use crate::hello;

/// How long answers are waited for. It is asked again after a second: nobody says the same twice within one (RFC 6762, 6), so
/// who asks soon after somebody else is not answered at once.
const PATIENCE: Duration = Duration::from_millis(1500);
/// After the machine was heard, so long for what else is said of it.
const MORE: Duration = Duration::from_millis(50);
/// No more answers are looked at.
const ANSWERS_MAX: usize = 256;

/// Where a machine says in this network that it is, at most [`CANDIDATES_MAX`] addresses; it takes a moment if it is not there.
///
/// Who asks tells the network that it uses Beckon, so it is asked only where one of the addresses `known` of the machine may be.
pub(crate) async fn find(device: &DeviceId, known: &[IpAddr]) -> Vec<SocketAddr> {
    let own = near(hello::addresses(), known);
    if own.is_empty() {
        return Vec::new();
    }
    let mut found = Vec::new();
    let listening = listen(device, &own, &mut found);
    if let Ok(Err(cause)) = tokio::time::timeout(PATIENCE, listening).await {
        tracing::debug!(%cause, "nothing is heard of machines in this network");
    }
    found
}

/// Our own addresses on the links in which one of these may be.
fn near(mut own: Vec<NetAddress>, known: &[IpAddr]) -> Vec<NetAddress> {
    let is_near = |at: &&NetAddress| {
        let at = std::slice::from_ref(*at);
        known.iter().any(|known| neighbour::is_on_link(at, *known))
    };
    let links: Vec<String> = own.iter().filter(is_near).map(|at| at.interface.clone()).collect();
    own.retain(|at| links.contains(&at.interface));
    own
}

async fn listen(device: &DeviceId, own: &[NetAddress], found: &mut Vec<SocketAddr>) -> mdns_sd::Result<()> {
    let daemon = Listener(ServiceDaemon::new()?);
    let links = own.iter().filter_map(|at| at.address.parse::<IpAddr>().ok());
    daemon.0.disable_interface(IfKind::All)?;
    daemon.0.enable_interface(links.map(IfKind::from).collect::<Vec<_>>())?;
    let events = daemon.0.browse(SERVICE)?;
    for _ in 0..ANSWERS_MAX {
        let event = match found.is_empty() {
            true => events.recv_async().await.ok(),
            false => tokio::time::timeout(MORE, events.recv_async())
                .await
                .ok()
                .and_then(Result::ok),
        };
        match event {
            Some(ServiceEvent::ServiceResolved(service)) => {
                let said = Said {
                    name: service
                        .fullname
                        .strip_suffix(SERVICE)
                        .unwrap_or_default()
                        .trim_end_matches('.'),
                    tag: service.get_property_val_str(TAG).unwrap_or_default(),
                    port: service.port,
                };
                said.take(
                    device,
                    own,
                    service.addresses.iter().map(mdns_sd::ScopedIp::to_ip_addr),
                    found,
                );
            }
            Some(_) => {}
            None => break,
        }
    }
    Ok(())
}

/// Ends its thread when dropped.
struct Listener(ServiceDaemon);

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.0.shutdown();
    }
}

/// What somebody says.
#[derive(Debug, Clone, Copy)]
struct Said<'a> {
    name: &'a str,
    tag: &'a str,
    port: u16,
}

impl Said<'_> {
    /// Adds the addresses if it is the machine's sign, but for those that are in none of our own networks.
    fn take(
        self,
        device: &DeviceId,
        own: &[NetAddress],
        addresses: impl Iterator<Item = IpAddr>,
        found: &mut Vec<SocketAddr>,
    ) {
        let is_its_sign = Sign::of_name(self.name).is_some_and(|sign| sign.tag(device) == self.tag);
        if !is_its_sign || self.port == 0 {
            return;
        }
        for address in addresses.filter(|at| neighbour::is_on_link(own, *at)) {
            let place = SocketAddr::new(address, self.port);
            if found.len() < CANDIDATES_MAX && !found.contains(&place) {
                found.push(place);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use beckon_shared::device::InterfaceKind;

    use super::*;

    const MACHINE: DeviceId = DeviceId([7; 32]);

    fn own() -> Vec<NetAddress> {
        let at = |address: &str, prefix| NetAddress {
            address: address.to_owned(),
            prefix,
            interface: "eth0".to_owned(),
            kind: InterfaceKind::Ethernet,
            mac: None,
        };
        vec![at("192.168.1.5", 24), at("fd12::5", 64), at("fe80::5", 64)]
    }

    fn take(name: &str, tag: &str, port: u16, addresses: &[&str]) -> Vec<String> {
        let mut found = Vec::new();
        let addresses = addresses.iter().map(|at| at.parse().unwrap());
        Said { name, tag, port }.take(&MACHINE, &own(), addresses, &mut found);
        found.iter().map(SocketAddr::to_string).collect()
    }

    #[test]
    fn only_the_machine_that_is_looked_for_is_found_and_only_on_our_own_link() {
        let sign = Sign { nonce: [3; 16] };
        let (name, tag) = (sign.name(), sign.tag(&MACHINE));
        let told = [
            "192.168.1.9",
            "192.168.2.9",
            "fd12::9",
            "fe80::9",
            "127.0.0.1",
            "224.0.0.251",
            "8.8.8.8",
        ];
        assert_eq!(
            take(&name, &tag, 47820, &told),
            ["192.168.1.9:47820", "[fd12::9]:47820"]
        );
        assert_eq!(take(&name, &sign.tag(&DeviceId([8; 32])), 47820, &told).len(), 0);
        assert_eq!(take(&name, "", 47820, &told).len(), 0);
        assert_eq!(take("studio", &tag, 47820, &told).len(), 0);
        assert_eq!(take(&name, &tag, 0, &told).len(), 0);
    }

    #[test]
    fn it_is_asked_only_on_links_where_the_machine_may_be() {
        let mut own = own();
        own.push(NetAddress {
            address: "10.7.0.5".to_owned(),
            interface: "wlan0".to_owned(),
            ..own[0].clone()
        });
        let near = |known: &str| -> Vec<String> {
            let near = near(own.clone(), &[known.parse().unwrap()]);
            near.into_iter().map(|at| at.address).collect()
        };
        assert_eq!(near("192.168.1.9"), ["192.168.1.5", "fd12::5", "fe80::5"]);
        assert_eq!(near("10.7.0.9"), ["10.7.0.5"]);
        assert!(near("172.20.0.9").is_empty());
    }

    #[test]
    fn who_recorded_the_sign_and_answers_with_a_thousand_addresses_has_four_tried() {
        let sign = Sign { nonce: [3; 16] };
        let many: Vec<String> = (1..250).map(|n| format!("192.168.1.{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(take(&sign.name(), &sign.tag(&MACHINE), 80, &many).len(), CANDIDATES_MAX);
    }
}

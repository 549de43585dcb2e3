//! Wake-on-LAN: packets that a sleeping network card knows as a call to wake up.

use std::{
    io,
    net::{Ipv4Addr, UdpSocket},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use beckon_shared::{
    browse::WAKE_MAX,
    device::NetAddress,
    error::{ErrorCode, Refusal},
    neighbour::is_card,
};

use crate::hello;

/// The port of the discard protocol (RFC 863), which cards and firewalls expect such packets on.
const PORT: u16 = 9;
/// Each packet is sent so often: nobody says that one has arrived, and wireless networks lose what goes to everyone.
const TIMES: usize = 3;
/// Packets are sent at most so often, whoever asks.
const PAUSE: Duration = Duration::from_secs(5);

/// Wakes neighbours, now and then.
#[derive(Debug, Default)]
pub(crate) struct Waker {
    /// When, and whom.
    last: Mutex<Option<(Instant, Vec<[u8; 6]>)>>,
}

/// A network that this machine is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    own: Ipv4Addr,
    /// What all in it hear.
    everyone: Ipv4Addr,
}

impl Waker {
    /// Sends a packet for each hardware address to every network of this machine.
    pub(crate) fn wake(&self, macs: &[[u8; 6]]) -> Result<(), Refusal> {
        if macs.is_empty() || macs.len() > WAKE_MAX {
            let advice = format!("name 1 to {WAKE_MAX} hardware addresses");
            return Err(Refusal::new(ErrorCode::BadRequest, advice));
        }
        if !self.take_turn(macs, Instant::now())? {
            return Ok(());
        }
        let networks = networks(&hello::addresses());
        // One that works is enough: the sleeper is in one of them.
        let sent: Vec<io::Result<()>> = networks.iter().map(|network| send(*network, port(), macs)).collect();
        tracing::info!(count = macs.len(), networks = networks.len(), "waking neighbours");
        let sent = sent.into_iter().reduce(Result::or);
        if !matches!(sent, Some(Ok(()))) {
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), Vec::new()));
        }
        match sent {
            Some(Ok(())) => Ok(()),
            Some(Err(cause)) => {
                tracing::warn!(%cause, "no packet could be sent");
                Err(away("this machine could not send to its networks; its log says more"))
            }
            None => Err(away("this machine is in no local network by now; try another one")),
        }
    }

    /// Whether packets are to be sent: not to those who were sent some just now, whose answer may have got lost.
    fn take_turn(&self, macs: &[[u8; 6]], now: Instant) -> Result<bool, Refusal> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some((at, _)) if now.duration_since(*at) >= PAUSE => {}
            Some((_, woken)) if woken == macs => return Ok(false),
            Some(_) => {
                return Err(Refusal::new(
                    ErrorCode::TooMany,
                    "this machine woke somebody just now; try again in 5 s",
                ));
            }
            None => {}
        }
        *last = Some((now, macs.to_vec()));
        Ok(true)
    }
}

fn away(advice: &str) -> Refusal {
    Refusal::new(ErrorCode::Away, advice)
}

/// The networks in which a packet for everyone stays in the house.
fn networks(addresses: &[NetAddress]) -> Vec<Network> {
    let cards = addresses.iter().filter(|at| is_card(at.kind));
    cards
        .filter_map(|at| network(at.address.parse().ok()?, at.prefix))
        .collect()
}

fn network(own: Ipv4Addr, prefix: u8) -> Option<Network> {
    // In longer ones there is nobody else.
    let rest = (1..=30).contains(&prefix).then(|| u32::MAX >> prefix)?;
    Some(Network {
        own,
        everyone: Ipv4Addr::from_bits(own.to_bits() | rest),
    })
}

fn send(network: Network, port: u16, macs: &[[u8; 6]]) -> io::Result<()> {
    let socket = UdpSocket::bind((network.own, 0))?;
    socket.set_broadcast(true)?;
    // In rounds, so that what loses one packet does not lose all of one card.
    for mac in std::iter::repeat_n(macs, TIMES).flatten() {
        socket.send_to(&packet(mac), (network.everyone, port))?;
    }
    Ok(())
}

/// The port. Builds for tests take another one from the environment, since not everybody may listen at this one.
fn port() -> u16 {
    let other = || std::env::var("BECKON_WAKE_PORT").ok()?.parse().ok();
    cfg!(debug_assertions).then(other).flatten().unwrap_or(PORT)
}

/// Six bytes of ones, then the hardware address sixteen times.
fn packet(mac: &[u8; 6]) -> [u8; 102] {
    let mut packet = [0xff; 102];
    for part in packet[6..].chunks_exact_mut(6) {
        part.copy_from_slice(mac);
    }
    packet
}

#[cfg(test)]
mod tests {
    use beckon_shared::device::InterfaceKind;

    use super::*;

    fn at(address: &str, prefix: u8, kind: InterfaceKind) -> NetAddress {
        NetAddress {
            address: address.to_owned(),
            prefix,
            interface: "x0".to_owned(),
            kind,
            mac: None,
        }
    }

    #[test]
    fn a_packet_goes_to_everyone_in_a_network_and_has_the_form_that_cards_know() {
        let everywhere = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        everywhere.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let port = everywhere.local_addr().unwrap().port();
        let network = network(Ipv4Addr::LOCALHOST, 8).unwrap();
        assert_eq!(network.everyone, Ipv4Addr::new(127, 255, 255, 255));
        let macs = [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]];
        send(network, port, &macs).unwrap();
        for mac in [macs, macs, macs].into_iter().flatten() {
            let mut got = [0; 200];
            let len = everywhere.recv(&mut got).unwrap();
            assert_eq!((len, &got[..6]), (102, &[0xff; 6][..]));
            assert!(got[6..len].chunks(6).all(|part| part == mac), "{got:?}");
        }
    }

    #[test]
    fn packets_stay_out_of_vpns_and_bridges_and_go_only_where_somebody_else_may_be() {
        let found = networks(&[
            at("192.168.1.5", 24, InterfaceKind::Wifi),
            at("10.1.2.3", 9, InterfaceKind::Ethernet),
            at("10.8.0.2", 24, InterfaceKind::Vpn),
            at("172.17.0.1", 16, InterfaceKind::Bridge),
            at("10.0.0.1", 32, InterfaceKind::Other),
            at("10.0.0.1", 0, InterfaceKind::Other),
            at("fd00::2", 64, InterfaceKind::Ethernet),
        ]);
        let everyone: Vec<String> = found.iter().map(|network| network.everyone.to_string()).collect();
        assert_eq!(everyone, ["192.168.1.255", "10.127.255.255"]);
    }

    #[test]
    fn whoever_asks_often_waits() {
        let (waker, now) = (Waker::default(), Instant::now());
        let soon = now + Duration::from_secs(4);
        assert_eq!(waker.take_turn(&[[2; 6]], now), Ok(true));
        let refused = waker.take_turn(&[[4; 6]], soon).unwrap_err();
        assert_eq!(refused.code, ErrorCode::TooMany);
        assert_eq!(
            waker.take_turn(&[[2; 6]], soon),
            Ok(false),
            "they were sent what is asked"
        );
        assert_eq!(waker.take_turn(&[[2; 6]], now + PAUSE), Ok(true));
        for bad in [vec![], vec![[2; 6]; WAKE_MAX + 1]] {
            assert_eq!(waker.wake(&bad).unwrap_err().code, ErrorCode::BadRequest);
        }
    }
}

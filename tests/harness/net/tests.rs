//! The networks themselves: what is connected reaches each other, and nothing else does.

use super::*;
use crate::wait_until;
use std::{net::SocketAddr, time::Duration};

const SOON: Duration = Duration::from_secs(10);

/// A home behind a router that hides it, and somebody on the Internet.
struct Home {
    desk: Host,
    desk_cable: Cable,
    lamp: Host,
    lamp_cable: Cable,
    shop: Host,
    shop_cable: Cable,
    router: Host,
    network: Network,
}

impl Home {
    fn new() -> Option<Self> {
        let network = Network::new()?;
        let (internet, lan) = (network.switch("internet"), network.switch("lan"));
        let (router, shop) = (network.host("router"), network.host("shop"));
        router.connect(&internet, &["203.0.113.77/24"]);
        router.connect(&lan, &["192.168.77.1/24", "fd00:77::1/64"]);
        router.hide_behind("eth0");
        let shop_cable = shop.connect(&internet, &["203.0.113.10/24"]);
        let (desk, lamp) = (network.host("desk"), network.host("lamp"));
        let desk_cable = desk.connect(&lan, &["192.168.77.10/24", "fd00:77::10/64"]);
        let lamp_cable = lamp.connect(&lan, &["192.168.77.20/24", "fd00:77::20/64"]);
        desk.route("default", "192.168.77.1");
        Some(Self {
            desk,
            desk_cable,
            lamp,
            lamp_cable,
            shop,
            shop_cable,
            router,
            network,
        })
    }
}

/// Whether a packet comes back from a port where nobody listens.
fn reaches(from: &Host, address: &str) -> bool {
    from.knock(SocketAddr::new(address.parse().unwrap(), 9)) == Knock::Refused
}

#[test]
fn a_home_is_hidden_behind_its_router_and_reaches_all() {
    let Some(home) = Home::new() else { return };
    assert!(reaches(&home.desk, "192.168.77.20"), "its neighbour");
    assert!(reaches(&home.desk, "fd00:77::20"), "its neighbour by IPv6");
    assert!(reaches(&home.desk, "203.0.113.10"), "the Internet through the router");
    assert!(!reaches(&home.shop, "192.168.77.10"), "nobody from outside");
    home.shop.route("192.168.77.0/24", "203.0.113.77");
    assert!(
        !reaches(&home.shop, "192.168.77.10"),
        "nobody from outside who knows the way"
    );
    assert!(reaches(&home.shop, "203.0.113.77"), "the router itself");
    let addresses = home.desk.run(&["ip", "-brief", "address"]);
    assert!(
        addresses.contains("eth0") && !addresses.contains("198.18."),
        "{addresses}"
    );
}

#[test]
fn a_pulled_cable_and_an_isolated_one_pass_nothing_until_they_are_plugged_in() {
    let Some(home) = Home::new() else { return };
    home.desk_cable.pull();
    assert!(!reaches(&home.desk, "192.168.77.20"));
    home.desk_cable.plug();
    wait_until("the cable passes something", SOON, || {
        reaches(&home.desk, "192.168.77.20")
    });
    home.desk_cable.isolate();
    home.lamp_cable.isolate();
    assert!(!reaches(&home.desk, "192.168.77.20") && !reaches(&home.lamp, "192.168.77.10"));
    assert!(reaches(&home.desk, "203.0.113.10"), "the router is still there");
    home.desk_cable.join();
    assert!(reaches(&home.desk, "192.168.77.20"));
}

#[test]
fn what_goes_over_a_cable_is_counted() {
    let Some(home) = Home::new() else { return };
    let before = home.shop_cable.bytes();
    assert!(reaches(&home.desk, "203.0.113.10"));
    let after = home.shop_cable.bytes();
    assert!(
        after.received > before.received && after.sent > before.sent,
        "{after:?}"
    );
    assert!(after.sum() - before.sum() < 10_000, "{after:?}");
}

#[test]
fn what_a_router_loses_does_not_pass_until_it_loses_nothing() {
    let Some(home) = Home::new() else { return };
    home.router.lose_from("192.168.77.10");
    assert!(!reaches(&home.desk, "203.0.113.10"));
    assert!(reaches(&home.desk, "192.168.77.20"), "not by way of the router");
    home.router.lose_nothing();
    assert!(reaches(&home.desk, "203.0.113.10"));
}

#[test]
fn a_cable_can_be_made_slow() {
    let Some(home) = Home::new() else { return };
    home.desk_cable.limit(10);
    assert!(
        home.desk
            .run(&["tc", "qdisc", "show", "dev", "eth0"])
            .contains("80Mbit")
    );
}

#[test]
fn an_address_can_be_taken_and_another_one_given() {
    let Some(home) = Home::new() else { return };
    home.lamp_cable.remove_address("192.168.77.20/24");
    home.lamp_cable.add_address("192.168.77.99/24");
    assert!(reaches(&home.desk, "192.168.77.99"));
    assert!(!reaches(&home.desk, "192.168.77.20"));
}

#[test]
fn dropping_a_network_ends_what_runs_in_it_and_leaves_nothing() {
    let Some(home) = Home::new() else { return };
    let name = home.network.inner.name.clone();
    let listed = || run_list().lines().filter(|line| line.starts_with(&name)).count();
    assert_eq!(listed(), 5);
    let desk = home.desk.through();
    let mut sleeper = std::process::Command::new(&desk[0])
        .args(&desk[1..])
        .args(["sleep", "1000"])
        .spawn()
        .unwrap();
    wait_until("it runs there", SOON, || {
        !home
            .desk
            .run(&["ip", "netns", "pids", home.desk.namespace()])
            .is_empty()
    });
    drop(home);
    let ended = wait_until_ended(&mut sleeper);
    assert!(!ended.success(), "ended by a signal");
    assert_eq!(listed(), 0);
}

fn run_list() -> String {
    command::run(&["ip", "netns", "list"])
}

fn wait_until_ended(child: &mut std::process::Child) -> std::process::ExitStatus {
    crate::wait_for("it has ended", SOON, || child.try_wait().unwrap())
}

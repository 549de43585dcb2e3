//! Tables of what an owner allowed and what follows.

use super::*;

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn link(interface: &str, kind: InterfaceKind, router: Option<&str>, addresses: &[&str]) -> Link {
    Link {
        interface: interface.to_owned(),
        kind,
        addresses: addresses.iter().map(|at| net(at)).collect(),
        router: router.map_or(Router::None, |name| Router::Known(name.to_owned())),
    }
}

const HOME: Option<&str> = Some("aa:bb:cc:dd:ee:01");
const CAFE: Option<&str> = Some("aa:bb:cc:dd:ee:99");

fn at_home() -> Link {
    let addresses = ["192.168.1.5/24", "2001:db8:1:2::5/64", "fd12:3456:789a::5/64"];
    link("eth0", InterfaceKind::Ethernet, HOME, &addresses)
}

fn home() -> Policy {
    let mut policy = Policy::default();
    assert_eq!(policy.allow_in(&at_home(), None).len(), 3);
    policy
}

fn judged(policy: &Policy, link: &Link) -> Vec<Result<Reach, Closed>> {
    link.addresses.iter().map(|at| policy.judge(link, *at)).collect()
}

#[test]
fn a_network_is_recognised_by_its_prefix_and_its_router() {
    let policy = home();
    let (open, closed) = (Ok(Reach::OnLink), Err(Closed::Network));
    let wifi = InterfaceKind::Wifi;
    for (why, link, expected) in [
        ("at home", at_home(), vec![open; 3]),
        (
            "at home by radio",
            link("wlan0", wifi, HOME, &["192.168.1.77/24"]),
            vec![open],
        ),
        (
            "the café has the same prefix",
            link("eth0", wifi, CAFE, &["192.168.1.5/24"]),
            vec![closed],
        ),
        (
            "or the very same prefixes",
            Link {
                router: Router::Known("fe80::1".to_owned()),
                ..at_home()
            },
            vec![closed; 3],
        ),
        (
            "nobody leads out",
            link("eth0", wifi, None, &["192.168.1.5/24"]),
            vec![closed],
        ),
        (
            "another prefix behind the same router",
            link("eth0", wifi, HOME, &["192.168.2.5/24"]),
            vec![closed],
        ),
        (
            "a longer one",
            link("eth0", wifi, HOME, &["192.168.1.5/25"]),
            vec![closed],
        ),
        (
            "a new public prefix behind the same router",
            link("eth0", wifi, HOME, &["2001:db8:9::5/64"]),
            vec![open],
        ),
        (
            "a new public prefix elsewhere",
            link("eth0", wifi, CAFE, &["2001:db8:9::5/64"]),
            vec![closed],
        ),
        (
            "another local prefix of IPv6",
            link("eth0", wifi, HOME, &["fd00::5/64"]),
            vec![closed],
        ),
    ] {
        assert_eq!(judged(&policy, &link), expected, "{why}");
    }
    let silent = Link {
        router: Router::Silent,
        ..at_home()
    };
    assert_eq!(judged(&policy, &silent), vec![Err(Closed::RouterSilent); 3]);
}

#[test]
fn a_network_without_a_router_is_recognised_by_its_prefix_alone() {
    let cable = link(
        "eth1",
        InterfaceKind::Ethernet,
        None,
        &["10.9.0.1/24", "2001:db8::1/64"],
    );
    let mut policy = Policy::default();
    policy.allow_in(&cable, None);
    assert_eq!(judged(&policy, &cable), vec![Ok(Reach::OnLink); 2]);
    let elsewhere = link("eth1", InterfaceKind::Ethernet, CAFE, &["10.9.0.1/24"]);
    assert_eq!(judged(&policy, &elsewhere), vec![Err(Closed::Network)]);
    let renumbered = link("eth1", InterfaceKind::Ethernet, None, &["2001:db8:7::1/64"]);
    assert_eq!(judged(&policy, &renumbered), vec![Err(Closed::Network)]);
}

#[test]
fn a_router_that_is_known_by_its_address_alone_vouches_for_no_other_prefix() {
    let (home, cafe) = (["2001:db8:1:2::5/64"], ["2001:db8:9::5/64"]);
    let at = |addresses: &[&str]| link("eth0", InterfaceKind::Ethernet, Some("fe80::1"), addresses);
    let mut policy = Policy::default();
    policy.allow_in(&at(&home), None);
    assert_eq!(judged(&policy, &at(&home)), vec![Ok(Reach::OnLink)]);
    assert_eq!(judged(&policy, &at(&cafe)), vec![Err(Closed::Network)]);
}

#[test]
fn nothing_is_allowed_until_the_owner_says_so() {
    assert_eq!(judged(&Policy::default(), &at_home()), vec![Err(Closed::Network); 3]);
    let earlier: Policy = serde_json::from_str("{}").unwrap();
    assert_eq!(earlier, Policy::default());
}

#[test]
fn what_is_off_is_off() {
    let policy = Policy {
        on: false,
        interfaces: vec!["eth0".to_owned()],
        ..home()
    };
    assert_eq!(judged(&policy, &at_home()), vec![Err(Closed::Off); 3]);
}

#[test]
fn vpns_and_bridges_must_be_named() {
    let vpn = link("wg0", InterfaceKind::Vpn, None, &["10.8.0.2/24"]);
    let bridge = link("br0", InterfaceKind::Bridge, HOME, &["192.168.1.5/24"]);
    let mut policy = home();
    assert!(policy.allow_in(&vpn, None).is_empty());
    for link in [&vpn, &bridge] {
        assert_eq!(judged(&policy, link), vec![Err(Closed::NoCard)]);
    }
    policy.interfaces = vec!["wg0".to_owned(), "br0".to_owned()];
    assert_eq!(judged(&policy, &vpn), vec![Ok(Reach::Vpn)]);
    assert_eq!(judged(&policy, &bridge), vec![Ok(Reach::OnLink)]);
}

#[test]
fn a_named_card_is_open_wherever_it_leads_and_a_closed_one_nowhere() {
    let cafe = link("eth0", InterfaceKind::Ethernet, CAFE, &["172.20.0.5/16"]);
    let mut policy = home();
    policy.interfaces = vec!["eth0".to_owned()];
    assert_eq!(judged(&policy, &cafe), vec![Ok(Reach::OnLink)]);
    policy.closed = vec!["eth0".to_owned()];
    assert_eq!(judged(&policy, &cafe), vec![Err(Closed::Interface)]);
    assert_eq!(judged(&policy, &at_home()), vec![Err(Closed::Interface); 3]);
}

#[test]
fn a_network_that_could_not_be_recognised_again_is_not_allowed_unasked() {
    let silent = Link {
        router: Router::Silent,
        ..at_home()
    };
    let mut policy = Policy::default();
    assert!(policy.allow_in(&silent, None).is_empty());
    assert_eq!(policy, Policy::default());
}

#[test]
fn allowing_twice_is_allowing_once() {
    let mut policy = home();
    policy.allow_in(&at_home(), None);
    assert_eq!(policy, home());
}

#[test]
fn one_network_of_several_is_allowed_or_taken_back_alone() {
    let mut policy = Policy::default();
    let allowed = policy.allow_in(&at_home(), Some(net("192.168.1.0/24")));
    assert_eq!(allowed.len(), 1);
    let (open, closed) = (Ok(Reach::OnLink), Err(Closed::Network));
    assert_eq!(judged(&policy, &at_home()), vec![open, closed, closed]);
    assert!(policy.allow_in(&at_home(), Some(net("192.168.2.0/24"))).is_empty());
    let mut policy = home();
    assert_eq!(policy.deny(&[], Some(net("192.168.1.0/24"))).len(), 1);
    assert_eq!(judged(&policy, &at_home()), vec![closed, open, open]);
    assert!(policy.deny(&[], Some(net("192.168.1.0/24"))).is_empty());
    assert_eq!(policy.deny(&[at_home()], None).len(), 2);
    assert_eq!(policy.networks, []);
}

#[test]
fn what_is_open_under_a_new_public_prefix_can_be_taken_back_by_it() {
    let mut policy = home();
    let renumbered = link("eth0", InterfaceKind::Ethernet, HOME, &["2001:db8:9::5/64"]);
    assert_eq!(policy.deny(&[renumbered], Some(net("2001:db8:9::/64"))).len(), 1);
    assert_eq!(policy.networks.len(), 2);
}

#[test]
fn denying_here_leaves_other_places_alone() {
    let mut policy = home();
    let cafe = link("eth0", InterfaceKind::Wifi, CAFE, &["192.168.1.5/24"]);
    assert_eq!(policy.deny(&[cafe], None), []);
    assert_eq!(policy, home());
}

#[test]
fn private_addresses_are_those_of_houses_and_vpns() {
    for (address, expected) in [
        ("10.1.2.3", true),
        ("172.31.0.1", true),
        ("172.32.0.1", false),
        ("192.168.9.9", true),
        ("100.64.0.1", true),
        ("100.127.255.255", true),
        ("100.128.0.1", false),
        ("203.0.113.1", false),
        ("fd7a:115c:a1e0::1", true),
        ("2001:db8::1", false),
        ("fe80::1", false),
    ] {
        assert_eq!(is_private(address.parse().unwrap()), expected, "{address}");
    }
}

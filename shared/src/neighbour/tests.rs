//! Who is near whom, in tables.

use super::*;
use crate::{
    certificate::{Chain, DeviceCertificate, Role, SUITE},
    device::Platform,
    keys::{AccountKey, DeviceKeys},
    limits::Limits,
    path::Label,
    time::Timestamp,
};

use InterfaceKind::{Bridge, Ethernet, Other, Vpn, Wifi};

const HOME: &str = "203.0.113.5";

fn at(address: &str, prefix: u8, kind: InterfaceKind) -> NetAddress {
    NetAddress {
        address: address.to_owned(),
        prefix,
        interface: "x0".to_owned(),
        kind,
        mac: None,
    }
}

/// An end: where it is seen, and its interfaces.
type End<'a> = (&'a str, &'a [(&'a str, u8, InterfaceKind)]);

fn judge(one: End<'_>, other: End<'_>) -> Option<Nearness> {
    let [mine, theirs] = [one, other].map(|(_, interfaces)| {
        let addresses = interfaces
            .iter()
            .map(|(address, prefix, kind)| at(address, *prefix, *kind));
        addresses.collect::<Vec<_>>()
    });
    let site = |seen_at, addresses| Site { seen_at, addresses };
    let judged = nearness(site(one.0, &mine), site(other.0, &theirs));
    assert_eq!(
        judged,
        nearness(site(other.0, &theirs), site(one.0, &mine)),
        "it is the same from both ends"
    );
    judged
}

#[test]
fn two_devices_are_near_that_leave_by_one_address_and_have_a_network_in_common() {
    let rows: &[(&str, End<'_>, End<'_>, bool)] = &[
        (
            "one home",
            (HOME, &[("192.168.1.5", 24, Wifi)]),
            (HOME, &[("192.168.1.9", 24, Ethernet)]),
            true,
        ),
        (
            "another home with the same private addresses",
            (HOME, &[("192.168.1.5", 24, Wifi)]),
            ("203.0.113.6", &[("192.168.1.9", 24, Wifi)]),
            false,
        ),
        (
            "two networks behind one address",
            (HOME, &[("192.168.1.5", 24, Wifi)]),
            (HOME, &[("192.168.2.9", 24, Wifi)]),
            false,
        ),
        (
            "one end knows a wider range than the other",
            (HOME, &[("10.1.2.3", 8, Ethernet)]),
            (HOME, &[("10.9.2.3", 24, Ethernet)]),
            true,
        ),
        (
            "only a VPN in common",
            (HOME, &[("10.8.0.2", 24, Vpn), ("192.168.1.5", 24, Wifi)]),
            (HOME, &[("10.8.0.3", 24, Vpn)]),
            false,
        ),
        (
            "a VPN at one end",
            (HOME, &[("10.8.0.2", 24, Vpn)]),
            (HOME, &[("10.8.0.3", 24, Other)]),
            false,
        ),
        (
            "the bridge that every machine with containers has",
            (HOME, &[("172.17.0.1", 16, Bridge)]),
            (HOME, &[("172.17.0.1", 16, Bridge)]),
            false,
        ),
        (
            "addresses that every device has",
            (
                HOME,
                &[
                    ("169.254.1.1", 16, Wifi),
                    ("fe80::1", 64, Wifi),
                    ("127.0.0.1", 8, Other),
                ],
            ),
            (
                HOME,
                &[
                    ("169.254.1.2", 16, Wifi),
                    ("fe80::2", 64, Wifi),
                    ("127.0.0.1", 8, Other),
                ],
            ),
            false,
        ),
        (
            "addresses of a carrier",
            (HOME, &[("100.64.3.4", 10, Other)]),
            (HOME, &[("100.64.9.9", 10, Other)]),
            false,
        ),
        (
            "a line from one end to the other",
            (HOME, &[("10.0.0.1", 32, Other)]),
            (HOME, &[("10.0.0.1", 32, Other)]),
            false,
        ),
        (
            "private addresses of version 6",
            (HOME, &[("fd12::1", 64, Wifi)]),
            (HOME, &[("fd12::9", 64, Wifi)]),
            true,
        ),
        (
            "the server is in the same network",
            ("192.168.1.5", &[("192.168.1.5", 24, Wifi)]),
            ("192.168.1.9", &[("192.168.1.9", 24, Wifi)]),
            true,
        ),
        (
            "each has a public address of version 6",
            ("2001:db8:1::5", &[("192.168.1.5", 24, Wifi)]),
            ("2001:db8:1::9", &[("192.168.1.9", 24, Wifi)]),
            true,
        ),
        (
            "they reach the server by different versions but share a public range",
            (HOME, &[("2001:db8:1::5", 64, Wifi)]),
            ("2001:db8:1::9", &[("2001:db8:1::9", 64, Ethernet)]),
            true,
        ),
        (
            "version 4 inside version 6 is version 4",
            ("::ffff:203.0.113.5", &[("192.168.1.5", 24, Wifi)]),
            (HOME, &[("192.168.1.9", 24, Wifi)]),
            true,
        ),
        (
            "nothing is known of one end",
            (HOME, &[("192.168.1.5", 24, Wifi)]),
            (HOME, &[]),
            false,
        ),
        (
            "what is no address",
            ("here", &[("192.168.1.5", 24, Wifi)]),
            ("here", &[("192.168.1.9", 24, Wifi)]),
            false,
        ),
        (
            "what is no range",
            (HOME, &[("192.168.1.5", 200, Wifi)]),
            (HOME, &[("192.168.1.9", 0, Wifi)]),
            false,
        ),
    ];
    for (what, one, other, are_near) in rows {
        assert_eq!(judge(*one, *other).is_some(), *are_near, "{what}");
    }
}

#[test]
fn a_longer_common_range_comes_first_then_one_that_both_know_alike_then_cables() {
    let sleeping: End<'_> = (HOME, &[("192.168.1.9", 24, Ethernet), ("10.0.0.9", 8, Wifi)]);
    let by = |interfaces| judge((HOME, interfaces), sleeping).unwrap();
    let cable = by(&[("192.168.1.5", 24, Ethernet)]);
    let wifi = by(&[("192.168.1.5", 24, Wifi)]);
    let narrower = by(&[("192.168.1.5", 25, Ethernet)]);
    let wide = by(&[("10.1.1.1", 8, Ethernet)]);
    assert!(cable > wifi && wifi > narrower && narrower > wide);
    assert_eq!(
        by(&[("10.1.1.1", 8, Ethernet), ("192.168.1.5", 24, Wifi)]),
        wifi,
        "the best counts"
    );
}

fn device(seed: u8, online: bool, address: NetAddress) -> DeviceView {
    let account = AccountKey::from_bytes(&[1; 32]);
    let keys = DeviceKeys::from_bytes(&[seed; 64]);
    let certificate = DeviceCertificate {
        suite: SUITE,
        account: account.id(),
        keys: keys.public(),
        kind: DeviceKind::Agent,
        role: Role::Source,
        issued: Timestamp(0),
        not_after: None,
        epoch: 0,
    };
    DeviceView {
        id: keys.id(),
        name: Label::new("machine").unwrap(),
        kind: DeviceKind::Agent,
        os: String::new(),
        version: String::new(),
        platform: Platform::Unix,
        online,
        address: HOME.to_owned(),
        port: 1,
        addresses: vec![address],
        lan_port: None,
        roots: Vec::new(),
        first_seen: Timestamp(0),
        last_seen: Timestamp(0),
        revoked: false,
        joined_by_code: false,
        certificate: Chain::by_account(&certificate, &account),
        limits: Limits::default(),
    }
}

#[test]
fn only_machines_that_are_awake_wake_others_and_the_likeliest_one_first() {
    let sleeping = device(1, false, at("192.168.1.9", 24, Ethernet));
    let near = device(2, true, at("192.168.1.5", 24, Wifi));
    let nearer = device(3, true, at("192.168.1.6", 24, Ethernet));
    let far = device(4, true, at("192.168.7.6", 24, Ethernet));
    let asleep = device(5, false, at("192.168.1.7", 24, Ethernet));
    let revoked = DeviceView {
        revoked: true,
        ..device(6, true, at("192.168.1.8", 24, Ethernet))
    };
    let terminal = DeviceView {
        kind: DeviceKind::Cli,
        ..device(7, true, at("192.168.1.4", 24, Ethernet))
    };
    let all = [&sleeping, &near, &nearer, &far, &asleep, &revoked, &terminal];
    let found: Vec<_> = wakers(all, &sleeping).iter().map(|device| device.id).collect();
    assert_eq!(found, [nearer.id, near.id]);
}

#[test]
fn the_hardware_addresses_of_network_cards_are_told_once_and_nothing_that_is_none() {
    let with = |kind, mac: &str| NetAddress {
        mac: Some(mac.to_owned()),
        ..at("192.168.1.9", 24, kind)
    };
    let device = DeviceView {
        addresses: vec![
            with(Ethernet, "02:fc:00:00:00:01"),
            with(Ethernet, "02:FC:00:00:00:01"),
            with(Bridge, "02:fc:00:00:00:02"),
            with(Vpn, "02:fc:00:00:00:03"),
            with(Wifi, "02:fc:00:00:00:04"),
            with(Wifi, "ff:ff:ff:ff:ff:ff"),
            with(Wifi, "00:00:00:00:00:00"),
            with(Wifi, "02:fc:00:00:00"),
            with(Wifi, "02:fc:00:00:00:04:05"),
            with(Wifi, "zz:fc:00:00:00:04"),
            at("192.168.1.9", 24, Ethernet),
        ],
        ..device(1, false, at("192.168.1.9", 24, Ethernet))
    };
    assert_eq!(
        hardware_addresses(&device),
        [[2, 0xfc, 0, 0, 0, 1], [2, 0xfc, 0, 0, 0, 4]]
    );
    let many = DeviceView {
        addresses: (0..40)
            .map(|n| with(Ethernet, &format!("02:00:00:00:00:{n:02x}")))
            .collect(),
        ..device
    };
    assert_eq!(hardware_addresses(&many).len(), WAKE_MAX);
}

/// A case of [`reachable`]: what it is, where we are, the machine, the hint, and the candidates in their order.
type Case<'a> = (&'a str, End<'a>, End<'a>, Hint, &'a [&'a str]);

fn at_site(end: End<'_>) -> Vec<NetAddress> {
    let told = end.1.iter();
    told.map(|(address, prefix, kind)| at(address, *prefix, *kind))
        .collect()
}

fn reached(me: End<'_>, machine: End<'_>, port: Option<u16>) -> Reachable {
    let machine = DeviceView {
        address: machine.0.to_owned(),
        addresses: at_site(machine),
        lan_port: port,
        ..device(1, true, at("192.168.1.9", 24, Ethernet))
    };
    let mine = at_site(me);
    let site = Site {
        seen_at: me.0,
        addresses: &mine,
    };
    reachable(site, &machine)
}

#[track_caller]
fn check(cases: &[Case<'_>]) {
    for (what, me, machine, hint, expected) in cases {
        let found = reached(*me, *machine, Some(47820));
        let addresses: Vec<_> = found.candidates.iter().map(|one| one.address.to_string()).collect();
        assert_eq!(
            (found.hint, addresses),
            (*hint, expected.iter().map(|at| (*at).to_owned()).collect()),
            "{what}"
        );
        assert!(found.candidates.iter().all(|one| one.port == 47820), "{what}");
    }
}

const ELSEWHERE: &str = "198.51.100.7";
const NOT_TOLD: &[(&str, u8, InterfaceKind)] = &[];

#[test]
fn a_browser_that_knows_no_interfaces_is_judged_by_where_it_is_seen() {
    check(&[
        (
            "one home",
            (HOME, NOT_TOLD),
            (HOME, &[("192.168.1.9", 24, Wifi)]),
            Hint::Near,
            &["192.168.1.9"],
        ),
        (
            "another home",
            (ELSEWHERE, NOT_TOLD),
            (HOME, &[("192.168.1.9", 24, Wifi)]),
            Hint::Unlikely,
            &["192.168.1.9"],
        ),
        (
            "two homes behind one carrier look like one home, and the handshake tells them apart",
            ("203.0.113.1", NOT_TOLD),
            ("203.0.113.1", &[("192.168.77.2", 24, Ethernet)]),
            Hint::Near,
            &["192.168.77.2"],
        ),
        (
            "the server is in the same network and the machine comes to it from outside",
            ("192.168.1.5", NOT_TOLD),
            (HOME, &[("10.0.0.9", 24, Ethernet), ("192.168.1.9", 24, Wifi)]),
            Hint::Near,
            &["192.168.1.9", "10.0.0.9"],
        ),
        (
            "one network of version 6",
            ("2001:db8:1::5", NOT_TOLD),
            (
                "2001:db8:1::9",
                &[("192.168.1.9", 24, Wifi), ("2001:db8:1::9", 64, Wifi)],
            ),
            Hint::Near,
            &["192.168.1.9", "2001:db8:1::9"],
        ),
        (
            "the machine reaches the server by version 4, but is in the browser's network of version 6",
            ("2001:db8:1::5", NOT_TOLD),
            (HOME, &[("2001:db8:1::9", 64, Wifi)]),
            Hint::Near,
            &["2001:db8:1::9"],
        ),
        (
            "version 6 only, in another network: its public address is not tried",
            ("2001:db8:2::5", NOT_TOLD),
            ("2001:db8:1::9", &[("2001:db8:1::9", 64, Wifi)]),
            Hint::Closed,
            &[],
        ),
        (
            "a machine that claims half the world as its network",
            ("2001:db8:2::5", NOT_TOLD),
            (HOME, &[("2001:db8:1::9", 1, Wifi), ("2001:db8:1::9", 32, Wifi)]),
            Hint::Closed,
            &[],
        ),
        (
            "the same of version 4",
            ("198.51.100.7", NOT_TOLD),
            (HOME, &[("198.18.0.9", 8, Ethernet)]),
            Hint::Closed,
            &[],
        ),
        (
            "both in a VPN",
            ("100.101.1.5", NOT_TOLD),
            (HOME, &[("192.168.1.9", 24, Wifi), ("100.70.2.9", 32, Vpn)]),
            Hint::Near,
            &["100.70.2.9", "192.168.1.9"],
        ),
        (
            "the same of version 6",
            ("fd7a:115c:a1e0::5", NOT_TOLD),
            (HOME, &[("fd7a:115c:a1e0::9", 128, Vpn)]),
            Hint::Near,
            &["fd7a:115c:a1e0::9"],
        ),
        (
            "only the machine in a VPN, or in one of another range",
            (HOME, NOT_TOLD),
            (ELSEWHERE, &[("100.70.2.9", 32, Vpn), ("10.8.0.2", 24, Vpn)]),
            Hint::Closed,
            &[],
        ),
        (
            "nothing is known of where the browser is",
            ("", NOT_TOLD),
            (HOME, &[("192.168.1.9", 24, Wifi)]),
            Hint::Unlikely,
            &["192.168.1.9"],
        ),
    ]);
}

#[test]
fn a_terminal_tries_first_what_is_on_its_own_link() {
    check(&[
        (
            "several interfaces",
            (HOME, &[("192.168.1.5", 24, Wifi)]),
            (
                HOME,
                &[
                    ("10.0.0.9", 24, Ethernet),
                    ("192.168.1.10", 24, Wifi),
                    ("2001:db8:1::9", 64, Ethernet),
                    ("192.168.1.9", 24, Ethernet),
                ],
            ),
            Hint::Near,
            &["192.168.1.9", "192.168.1.10", "10.0.0.9"],
        ),
        (
            "overlapping ranges count by what our own end knows",
            (HOME, &[("10.1.2.3", 24, Ethernet)]),
            (HOME, &[("10.9.2.3", 8, Ethernet), ("10.1.2.9", 24, Wifi)]),
            Hint::Near,
            &["10.1.2.9", "10.9.2.3"],
        ),
        (
            "the same private range in two homes",
            (ELSEWHERE, &[("192.168.77.2", 24, Ethernet)]),
            (HOME, &[("192.168.77.2", 24, Ethernet)]),
            Hint::Unlikely,
            &["192.168.77.2"],
        ),
        (
            "version 6 only, of one link",
            ("2001:db8:1::5", &[("2001:db8:1::5", 64, Wifi), ("fe80::5", 64, Wifi)]),
            (
                "2001:db8:1::9",
                &[
                    ("fe80::9", 64, Wifi),
                    ("2001:db8:1::9", 64, Wifi),
                    ("fd12::9", 64, Wifi),
                ],
            ),
            Hint::Near,
            &["2001:db8:1::9", "fd12::9"],
        ),
        (
            "unique local addresses of one link come before its public ones",
            (HOME, &[("fd12::5", 64, Wifi), ("2001:db8:1::5", 64, Wifi)]),
            (HOME, &[("2001:db8:1::9", 64, Wifi), ("fd12::9", 64, Wifi)]),
            Hint::Near,
            &["fd12::9", "2001:db8:1::9"],
        ),
        (
            "a campus that hands out public addresses",
            ("198.51.100.7", &[("198.51.100.7", 24, Ethernet)]),
            ("198.51.100.9", &[("198.51.100.9", 24, Ethernet)]),
            Hint::Near,
            &["198.51.100.9"],
        ),
        (
            "a VPN of both, and one of the machine alone",
            (ELSEWHERE, &[("100.64.0.5", 32, Vpn), ("192.168.5.5", 24, Wifi)]),
            (HOME, &[("10.8.0.9", 24, Vpn), ("100.64.0.9", 32, Vpn)]),
            Hint::Near,
            &["100.64.0.9"],
        ),
        (
            "addresses that a carrier hands out are no VPN",
            (ELSEWHERE, &[("100.64.0.5", 10, Other)]),
            (HOME, &[("100.64.0.9", 10, Other)]),
            Hint::Closed,
            &[],
        ),
        (
            "bridges of containers",
            (HOME, &[("172.17.0.1", 16, Bridge), ("192.168.1.5", 24, Wifi)]),
            (HOME, &[("172.17.0.1", 16, Bridge)]),
            Hint::Closed,
            &[],
        ),
    ]);
}

#[test]
fn addresses_that_mean_no_single_machine_are_never_tried() {
    let hostile: &[(&str, u8, InterfaceKind)] = &[
        ("127.0.0.1", 8, Ethernet),
        ("::1", 64, Ethernet),
        ("::ffff:127.0.0.1", 96, Ethernet),
        ("0.0.0.0", 24, Ethernet),
        ("::", 64, Ethernet),
        ("224.0.0.251", 24, Ethernet),
        ("255.255.255.255", 24, Ethernet),
        ("ff02::fb", 64, Ethernet),
        ("169.254.1.1", 16, Ethernet),
        ("fe80::1", 64, Ethernet),
        ("fe80::1%eth0", 64, Ethernet),
        ("192.168.1.9", 0, Ethernet),
        ("192.168.1.9", 33, Ethernet),
        ("192.168.1.9", 200, Ethernet),
        ("192.168.1.9", 32, Ethernet),
        ("fd12::9", 0, Ethernet),
        ("fd12::9", 200, Ethernet),
        ("8.8.8.8", 24, Ethernet),
        ("drive.example", 24, Ethernet),
        ("192.168.1.9/lan", 24, Ethernet),
        ("192.168.1.9:80", 24, Ethernet),
        ("", 24, Ethernet),
        ("\u{0}\r\nHost: x", 24, Ethernet),
    ];
    let mine: &[(&str, u8, InterfaceKind)] = &[("192.168.1.5", 24, Wifi), ("0.0.0.0", 0, Wifi), ("::", 0, Wifi)];
    check(&[
        ("from a terminal", (HOME, mine), (HOME, hostile), Hint::Closed, &[]),
        ("from a browser", (HOME, NOT_TOLD), (HOME, hostile), Hint::Closed, &[]),
    ]);
}

#[test]
fn a_long_list_is_cut_and_what_it_repeats_is_tried_once() {
    let names: Vec<String> = (0..200).map(|n| format!("192.168.{}.9", n / 2)).collect();
    let told: Vec<_> = names.iter().map(|name| (name.as_str(), 24, Wifi)).collect();
    let found = reached((HOME, &[("192.168.15.5", 24, Wifi)]), (HOME, &told), Some(9));
    let urls: Vec<_> = found.candidates.iter().map(Candidate::url).collect();
    let expected = ["192.168.15.9", "192.168.0.9", "192.168.1.9", "192.168.2.9"];
    assert_eq!(urls, expected.map(|at| format!("ws://{at}:9/lan")));
    let far = reached((HOME, &[("192.168.99.5", 24, Wifi)]), (HOME, &told), Some(9));
    assert!(
        !far.candidates
            .iter()
            .any(|one| one.address.to_string() == "192.168.99.9"),
        "beyond the 32nd"
    );
}

#[test]
fn a_machine_that_does_not_listen_is_not_tried() {
    let (me, machine): (End<'_>, End<'_>) = (
        (HOME, &[("192.168.1.5", 24, Wifi)]),
        (HOME, &[("192.168.1.9", 24, Wifi)]),
    );
    for port in [None, Some(0)] {
        let found = reached(me, machine, port);
        assert_eq!((found.hint, found.candidates.len()), (Hint::Closed, 0));
    }
    let version_6 = reached((HOME, NOT_TOLD), (HOME, &[("fd12::9", 64, Wifi)]), Some(7));
    assert_eq!(version_6.candidates[0].url(), "ws://[fd12::9]:7/lan");
}

//! Which addresses may be reached, from where.

use super::{network::Router, *};
use crate::agent::tests::Scene;

fn link(interface: &str, kind: InterfaceKind, addresses: &[&str]) -> Link {
    Link {
        interface: interface.to_owned(),
        kind,
        addresses: addresses.iter().map(|at| at.parse().unwrap()).collect(),
        router: Router::None,
    }
}

#[test]
fn only_what_is_allowed_is_opened_and_only_for_those_near_it() {
    let card = link(
        "eth0",
        InterfaceKind::Ethernet,
        &["192.168.1.5/24", "192.168.1.6/24", "10.0.0.5/8", "fd00::5/64"],
    );
    let links = [
        card.clone(),
        link("eth1", InterfaceKind::Ethernet, &["172.20.0.5/16"]),
        link("wg0", InterfaceKind::Vpn, &["100.64.0.5/32"]),
        link("wg1", InterfaceKind::Vpn, &["100.64.9.5/32"]),
    ];
    let mut policy = Policy {
        interfaces: vec!["wg0".to_owned()],
        origins: vec![Origin::parse("https://other.example").unwrap()],
        ..Policy::default()
    };
    policy.allow_in(&card, Some("192.168.1.0/24".parse().unwrap()));
    policy.allow_in(&card, Some("fd00::/64".parse().unwrap()));
    let doors = doors(&policy, &links, &Origin::parse("https://drive.example").unwrap());
    let opened: Vec<_> = doors
        .iter()
        .map(|door| {
            let networks: Vec<String> = door.networks.iter().map(IpNet::to_string).collect();
            (door.address.to_string(), networks.join(" "), door.reach)
        })
        .collect();
    let near = || "192.168.1.0/24 fd00::/64".to_owned();
    let expected = [
        ("192.168.1.5".to_owned(), near(), Reach::OnLink),
        ("192.168.1.6".to_owned(), near(), Reach::OnLink),
        ("fd00::5".to_owned(), near(), Reach::OnLink),
        ("100.64.0.5".to_owned(), "100.64.0.5/32".to_owned(), Reach::Vpn),
    ];
    assert_eq!(opened, expected);
    let origins: Vec<&str> = doors[0].guests.origins.iter().map(Origin::as_str).collect();
    assert_eq!(origins, ["https://drive.example", "https://other.example"]);
}

#[test]
fn a_network_that_another_interface_could_be_taken_for_is_reached_by_its_own_only() {
    let home = link("eth0", InterfaceKind::Ethernet, &["192.168.1.5/24", "172.20.0.5/16"]);
    let cafe = link("wlan0", InterfaceKind::Wifi, &["192.168.1.77/24"]);
    let wide = link("wlan0", InterfaceKind::Wifi, &["172.16.9.9/12"]);
    let mut policy = Policy::default();
    policy.allow_in(&home, None);
    let server = Origin::parse("https://drive.example").unwrap();
    for (other, expected) in [(cafe, [true, false]), (wide, [false, true])] {
        let policy = Policy {
            closed: vec!["wlan0".to_owned()],
            ..policy.clone()
        };
        let doors = doors(&policy, &[home.clone(), other], &server);
        let only_here: Vec<bool> = doors.iter().map(|door| door.only_here).collect();
        assert_eq!(only_here, expected);
    }
}

#[test]
fn a_machine_that_is_in_one_network_twice_is_reached_by_either_interface() {
    let cable = link("eth0", InterfaceKind::Ethernet, &["192.168.1.5/24"]);
    let radio = link("wlan0", InterfaceKind::Wifi, &["192.168.1.77/24"]);
    let mut policy = Policy::default();
    policy.allow_in(&cable, None);
    let doors = doors(
        &policy,
        &[cable, radio],
        &Origin::parse("https://drive.example").unwrap(),
    );
    let only_here: Vec<bool> = doors.iter().map(|door| door.only_here).collect();
    assert_eq!(
        only_here,
        [false, false],
        "neighbours may send by one what the other one is asked for"
    );
}

#[cfg(target_os = "linux")]
#[tokio::test(start_paused = true)]
async fn networks_are_looked_at_after_a_change_while_something_is_waited_for_and_now_and_then_anyway() {
    let scene = Scene::alone();
    let (system, told) = std::os::unix::net::UnixDatagram::pair().unwrap();
    let mut endpoint = Endpoint::new(&scene.agent, Changes::told_by(told));
    assert!(endpoint.is_due(), "a router, say, has not answered");
    endpoint.is_settled = true;
    assert!(!endpoint.is_due());
    system.send(b"a route is gone").unwrap();
    assert!(endpoint.is_due());
    endpoint.adapt().await;
    assert!(endpoint.is_due(), "it may have been told before it was done");
    endpoint.is_settled = true;
    assert!(!endpoint.is_due());
    tokio::time::advance(LOOK_ANYWAY).await;
    assert!(endpoint.is_due());
}

#[tokio::test]
async fn the_port_that_is_kept_is_the_one_at_which_it_listens() {
    let scene = Scene::alone();
    let endpoint = Endpoint::new(&scene.agent, Changes::listen());
    for (port, expected) in [(50_000, Some(50_000)), (PORT, None)] {
        let mut policy = scene.agent.lan.policy.borrow().clone();
        endpoint.remember(&mut policy, port);
        assert_eq!(policy.found_port, expected, "at {port}");
        assert_eq!(*scene.agent.lan.policy.borrow(), policy);
        scene.agent.reload().unwrap();
        assert_eq!(*scene.agent.lan.policy.borrow(), policy, "the record says the same");
    }
}

#[test]
fn each_address_is_shown_with_why_it_is_closed() {
    let links = [
        link("eth0", InterfaceKind::Ethernet, &["192.168.1.5/24"]),
        link("wg0", InterfaceKind::Vpn, &["100.64.0.5/32"]),
    ];
    let mut policy = Policy::default();
    let why = |policy: &Policy| -> Vec<Option<String>> {
        let rows = status::rows(policy, &links, &[], &[]);
        rows.into_iter().map(|row| row.why).collect()
    };
    let closed = why(&policy);
    assert!(
        closed[0]
            .as_ref()
            .is_some_and(|why| why.contains("beckon lan allow here")),
        "{closed:?}"
    );
    assert!(
        closed[1]
            .as_ref()
            .is_some_and(|why| why.contains("beckon lan allow wg0")),
        "{closed:?}"
    );
    policy.allow_in(&links[0], None);
    policy.interfaces.push("wg0".to_owned());
    assert_eq!(why(&policy), [None, None]);
    policy.on = false;
    assert!(why(&policy).iter().flatten().all(|why| why.contains("beckon lan on")));
}

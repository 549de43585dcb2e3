//! Somebody else at the address of a machine learns nothing and is not used.

use std::time::Duration;

use beckon_shared::session::HANDSHAKE_MAX;
use beckon_tests::{Cli, net::Host};

use crate::{
    scene::{Desk, LITTLE, MIB, World, get, json},
    stranger::Stranger,
};

/// The machine leaves its address, and somebody else takes it.
#[track_caller]
fn tell(manner: &str) {
    let Some(world) = World::new() else { return };
    let home = world.home("home", 77, 77);
    let (laptop, _) = home.computer("laptop", 20);
    let ann = world.ann(&Cli::on(&laptop));
    let computer = home.computer("desk", 10);
    let own = mac_of(&computer.0);
    let desk = Desk::join(&ann, computer);
    desk.put("film", 4 * MIB);
    let port = desk.wait_for_port(ann.cli());
    let (thief, thief_cable) = home.computer("thief", 66);
    // Two computers with one address, as the thief of one would have it: the laptop hears of the thief alone.
    thief_cable.add_address(&home.with_range(10));
    let stranger = Stranger::start(&thief, port, manner);
    pin(&laptop, "eth0", &mac_of(&thief));
    // The desk goes on with the server: its router is not taken in.
    pin(&home.router, "eth1", &own);

    let (passed, ()) = world.bytes_during(|| get(ann.cli(), &desk, "film", &[]));
    assert!(passed > 8 * MIB, "it went by way of the server: {passed}");
    stranger.process.wait_for_line("message ", Duration::from_secs(5));
    let devices = json(ann.cli(), &["devices"]);
    let ids = devices.as_array().expect("a list").iter();
    let ids: Vec<_> = ids
        .map(|device| hex::decode(device["id"].as_str().expect("an id")).unwrap())
        .collect();
    assert_eq!(ids.len(), 2, "the laptop and the desk");
    let film = std::fs::read(desk.documents.path().join("film")).unwrap();
    for message in stranger.heard() {
        assert!(
            message.len() <= HANDSHAKE_MAX,
            "more than a greeting: {} bytes",
            message.len()
        );
        for id in &ids {
            assert!(!holds(&message, id), "it tells who greets or who is meant");
        }
        assert!(!holds(&message, &film[..16]) && !holds(&message, b"ann") && !holds(&message, b"Documents"));
    }
    assert!(thief_cable.bytes().received < LITTLE);
}

fn holds(message: &[u8], part: &[u8]) -> bool {
    message.windows(part.len()).any(|window| window == part)
}

#[test]
fn a_stranger_who_keeps_silent_gets_a_greeting_and_nothing_more() {
    tell("silent");
}

#[test]
fn a_stranger_who_answers_gets_a_greeting_and_nothing_more() {
    tell("garbage");
}

fn mac_of(host: &Host) -> String {
    host.run(&["cat", "/sys/class/net/eth0/address"]).trim().to_owned()
}

/// To this computer the desk's address is that of the network card `mac`, whatever anybody says.
fn pin(host: &Host, interface: &str, mac: &str) {
    let to = [
        "ip",
        "neigh",
        "replace",
        "192.168.77.10",
        "lladdr",
        mac,
        "dev",
        interface,
    ];
    host.run(&[&to[..], &["nud", "permanent"]].concat());
}

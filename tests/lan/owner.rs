//! The owner decides where a machine listens.

use beckon_tests::{Cli, net::Knock, wait_until};

use crate::scene::{Desk, LONG, MIB, SOON, World, get, json, lan_port, see_knock};

/// So much that what is asked for by way of the server before the direct line stands is little beside it: 8 MiB, which pass
/// the server's cable twice.
const FILM: u64 = 64 * MIB;

#[test]
fn a_machine_that_is_told_not_to_listen_does_not_and_is_reached_by_way_of_the_server() {
    let Some(world) = World::new() else { return };
    let home = world.home("home", 77, 77);
    let (laptop, _) = home.computer("laptop", 20);
    let ann = world.ann(&Cli::on(&laptop));
    let desk = Desk::join(&ann, home.computer("desk", 10));
    desk.put("film", FILM);
    let port = desk.wait_for_port(ann.cli());
    see_knock(&laptop, (home.address(10), port).into(), Knock::Open);

    desk.lan(&["off"]);
    see_knock(&laptop, (home.address(10), port).into(), Knock::Refused);
    wait_until("everybody knows", SOON, || lan_port(ann.cli(), "desk").is_none());
    let (passed, ()) = world.bytes_during(|| get(ann.cli(), &desk, "film", &[]));
    assert!(passed > 2 * FILM, "{passed}");

    desk.lan(&["on"]);
    see_knock(&laptop, (home.address(10), port).into(), Knock::Open);
    assert_eq!(desk.wait_for_port(ann.cli()), port, "it takes the same port again");
    let (passed, ()) = world.bytes_during(|| get(ann.cli(), &desk, "film", &[]));
    assert!(passed < FILM / 2, "{passed}");
}

#[test]
fn of_two_cards_only_the_one_that_the_owner_allows_listens() {
    let Some(world) = World::new() else { return };
    let (home, guests) = (world.home("home", 77, 77), world.home("guests", 78, 78));
    let (laptop, _) = home.computer("laptop", 20);
    let (guest, _) = guests.computer("laptop", 20);
    let ann = world.ann(&Cli::on(&laptop));
    let at = home.computer("desk", 10);
    at.0.connect(&guests.switch, &[&guests.with_range(10)]);
    let desk = Desk::join(&ann, at);
    desk.put("film", FILM);
    let port = desk.wait_for_port(ann.cli());
    let (inside, outside) = ((home.address(10), port).into(), (guests.address(10), port).into());
    see_knock(&laptop, inside, Knock::Open);
    see_knock(&guest, outside, Knock::Open);

    desk.lan(&["deny", "eth1"]);
    see_knock(&guest, outside, Knock::Refused);
    see_knock(&laptop, inside, Knock::Open);
    let (passed, ()) = world.bytes_during(|| get(ann.cli(), &desk, "film", &[]));
    assert!(passed < FILM / 2, "{passed}");
    let cli = ann.cli().moved_to(&guest);
    let (passed, ()) = world.bytes_during(|| get(&cli, &desk, "film", &[]));
    assert!(passed > 2 * FILM, "{passed}");
}

#[test]
fn a_machine_that_is_carried_into_a_cafe_closes_its_port_until_it_is_told_otherwise() {
    let Some(world) = World::new() else { return };
    // As it happens: the same range of addresses as at home, with another router.
    let (home, cafe) = (world.home("home", 77, 77), world.home("cafe", 88, 77));
    let (laptop, _) = home.computer("laptop", 20);
    let (stranger, _) = cafe.computer("stranger", 20);
    let ann = world.ann(&Cli::on(&laptop));
    let desk = Desk::join(&ann, home.computer("desk", 10));
    let port = desk.wait_for_port(ann.cli());
    see_knock(&laptop, (home.address(10), port).into(), Knock::Open);

    desk.cable.pull();
    desk.cable.remove_address(&home.with_range(10));
    desk.host.connect(&cafe.switch, &[&cafe.with_range(11)]);
    desk.host.route("default", "192.168.77.1");
    let there = (cafe.address(11), port).into();
    wait_until("the machine is online there", LONG, || {
        let shown = json(ann.cli(), &["device", "show", "desk"]);
        shown["online"] == true && shown["address"] == "203.0.113.88"
    });
    assert_eq!(stranger.knock(there), Knock::Refused);
    assert_eq!(lan_port(ann.cli(), "desk"), None);
    let told = desk.lan(&[]);
    assert!(
        told.contains("192.168.77.0/24"),
        "it says which network is not allowed: {told}"
    );

    desk.lan(&["allow", "here"]);
    see_knock(&stranger, there, Knock::Open);
}

//! The cable between a terminal and a machine is pulled in the middle of a download, and plugged in again.

use beckon_tests::{
    Cli, Process,
    net::{Cable, Host},
    wait_until,
};

use crate::scene::{Desk, Home, LONG, MIB, SOON, World, assert_same};

/// Large enough that all of this happens before it is there, at these rates.
const FILM: u64 = 96 * MIB;

/// MB a second in the LAN.
const NEAR: u32 = 20;

/// MB a second by way of the server: little of the film comes so, however long it takes until the direct line stands again.
const FAR: u32 = 2;

/// What may be asked again after a switch: pieces on their way, and what stands in queues.
const ON_THE_WAY: u64 = 8 * MIB;

/// A laptop that is in the LAN by its cable; its way to the server is the radio network of the same router.
struct Laptop {
    host: Host,
    near: Cable,
}

fn laptop(world: &World, home: &Home<'_>) -> Laptop {
    let (host, radio) = (world.network.host("laptop"), world.network.switch("radio"));
    home.router.connect(&radio, &["192.168.99.1/24"]);
    let near = host.connect(&home.switch, &[&home.with_range(20)]);
    host.connect(&radio, &["192.168.99.20/24"]);
    host.route("default", "192.168.99.1");
    near.limit(NEAR);
    world.uplink.limit(FAR);
    Laptop { host, near }
}

/// Waits until so much more came over a cable.
#[track_caller]
fn see_flow(what: &str, cable: &Cable, bytes: u64, download: &mut Process) {
    let before = cable.bytes().received;
    wait_until(what, SOON, || {
        assert!(
            download.is_running(),
            "the download ended before {what}:\n{}",
            download.log()
        );
        cable.bytes().received - before > bytes
    });
}

#[test]
fn a_download_goes_on_by_way_of_the_server_and_comes_back_when_the_cable_is_plugged_in() {
    let Some(world) = World::new() else { return };
    let home = world.home("home", 77, 77);
    let laptop = laptop(&world, &home);
    let ann = world.ann(&Cli::on(&laptop.host));
    let desk = Desk::join(&ann, home.computer("desk", 10));
    let film = desk.put("film", FILM);
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("film");
    let place = copy.display().to_string();
    let (server, sent) = (world.uplink.bytes().received, desk.cable.bytes().sent);

    let mut download = ann.cli().start(["get", "desk:Documents/film", "-o", &place]);
    see_flow("it comes directly", &laptop.near, 8 * MIB, &mut download);
    laptop.near.pull();
    see_flow("it comes by way of the server", &world.uplink, 4 * MIB, &mut download);
    laptop.near.plug();
    see_flow("it comes directly again", &laptop.near, 8 * MIB, &mut download);
    assert!(download.wait(LONG).success(), "{}", download.log());

    assert_same(&film, &copy);
    let (server, sent) = (world.uplink.bytes().received - server, desk.cable.bytes().sent - sent);
    assert!(
        server < FILM / 2,
        "most of it went directly: {server} bytes passed the server"
    );
    // 3 %: headers.
    assert!(
        sent < FILM + FILM / 32 + ON_THE_WAY,
        "what was verified was sent again: {sent}"
    );
}

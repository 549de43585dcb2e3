//! A network without IPv4.

use beckon_tests::{Cli, Server};

use crate::scene::{Desk, MIB, World, get};

/// So much that what is asked for by way of the server before the direct line stands is little beside it: 8 MiB, which pass
/// the server's cable twice.
const FILM: u64 = 64 * MIB;

#[test]
fn where_there_is_only_ipv6_a_machine_is_reached_directly_too() {
    let world = World::with(|host, internet| {
        let uplink = host.connect(internet, &["2001:db8::10/64"]);
        host.route("2001:db8:77::/48", "2001:db8::77");
        (Server::options().on(host, "[2001:db8::10]:80").start(), uplink)
    });
    let Some(world) = world else { return };
    let router = world.network.host("router");
    let lan = world.network.switch("lan");
    router.connect(&world.internet, &["2001:db8::77/64"]);
    router.connect(&lan, &["2001:db8:77:1::1/64"]);
    router.forward();
    let computer = |name: &str, number: u8| {
        let host = world.network.host(name);
        let cable = host.connect(&lan, &[&format!("2001:db8:77:1::{number}/64")]);
        host.route("default", "2001:db8:77:1::1");
        (host, cable)
    };
    let (laptop, _) = computer("laptop", 20);
    let ann = world.ann(&Cli::on(&laptop));
    let desk = Desk::join(&ann, computer("desk", 10));
    desk.put("film", FILM);
    let (passed, ()) = world.bytes_during(|| get(ann.cli(), &desk, "film", &[]));
    assert!(passed < FILM / 2, "{passed} bytes passed the server");
}

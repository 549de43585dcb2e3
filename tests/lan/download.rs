//! Who is in the LAN of a machine fetches from it directly; who is not fetches by way of the server.

use beckon_tests::{Cli, net::Knock};

use crate::scene::{Desk, MIB, World, get, names, see_knock};

/// Says how many MiB are fetched; [`LARGE_MIB`] if it is not set.
const MIB_VARIABLE: &str = "BECKON_LAN_MIB";

/// So much that nothing else in a story weighs as much, not even what is asked for by way of the server before the direct line
/// stands: 8 MiB, which pass the server's cable twice.
const LARGE_MIB: u64 = 64;

/// How many bytes are fetched.
fn large() -> u64 {
    let wanted = std::env::var(MIB_VARIABLE).ok();
    wanted.map_or(LARGE_MIB, |text| text.parse().expect("a count of MiB")) * MIB
}

#[test]
fn a_download_in_the_same_lan_does_not_pass_the_server() {
    let Some(world) = World::new() else { return };
    let home = world.home("home", 77, 77);
    let (laptop, _) = home.computer("laptop", 20);
    let ann = world.ann(&Cli::on(&laptop));
    let desk = Desk::join(&ann, home.computer("desk", 10));
    desk.put("film", large());
    let (passed, ()) = world.bytes_during(|| {
        assert_eq!(names(ann.cli(), "desk:Documents"), ["film"]);
        get(ann.cli(), &desk, "film", &[]);
    });
    assert!(passed < large() / 2, "{passed} bytes passed the server");
    let (passed, ()) = world.bytes_during(|| get(ann.cli(), &desk, "film", &["--relay"]));
    assert!(
        passed > 2 * large(),
        "only {passed} bytes passed the server of a download by way of it"
    );
}

#[test]
fn a_terminal_in_another_lan_fetches_by_way_of_the_server() {
    let Some(world) = World::new() else { return };
    let (home, work) = (world.home("home", 77, 77), world.home("work", 88, 88));
    let (laptop, _) = work.computer("laptop", 20);
    let ann = world.ann(&Cli::on(&laptop));
    let desk = Desk::join(&ann, home.computer("desk", 10));
    desk.put("film", large());
    let (passed, ()) = world.bytes_during(|| get(ann.cli(), &desk, "film", &[]));
    assert!(passed > 2 * large(), "{passed}");
}

#[test]
fn a_laptop_that_comes_home_fetches_directly() {
    let Some(world) = World::new() else { return };
    let (home, work) = (world.home("home", 77, 77), world.home("work", 88, 88));
    let (away, _) = work.computer("laptop", 20);
    let (at_home, _) = home.computer("laptop", 20);
    let ann = world.ann(&Cli::on(&away));
    let desk = Desk::join(&ann, home.computer("desk", 10));
    desk.put("film", large());
    get(ann.cli(), &desk, "film", &[]);
    let (passed, ()) = world.bytes_during(|| get(&ann.cli().moved_to(&at_home), &desk, "film", &[]));
    assert!(passed < large() / 2, "{passed} bytes passed the server");
}

#[test]
fn a_machine_with_a_cell_that_keeps_guests_apart_is_reached_by_way_of_the_server() {
    let Some(world) = World::new() else { return };
    let home = world.home("home", 77, 77);
    let (laptop, laptop_cable) = home.computer("laptop", 20);
    let ann = world.ann(&Cli::on(&laptop));
    let desk = Desk::join(&ann, home.computer("desk", 10));
    desk.put("film", MIB);
    laptop_cable.isolate();
    desk.cable.isolate();
    let port = desk.wait_for_port(ann.cli());
    see_knock(&laptop, (home.address(10), port).into(), Knock::Silent);
    let (passed, ()) = world.bytes_during(|| get(ann.cli(), &desk, "film", &[]));
    assert!(passed > 2 * MIB, "{passed}");
}

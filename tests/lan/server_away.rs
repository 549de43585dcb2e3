//! Machines in the LAN are of use while a terminal does not reach the server.

use beckon_tests::{Cli, wait_until};
use serde_json::Value;

use crate::scene::{Desk, LONG, MIB, World, assert_same, get, json, names};

#[test]
fn a_terminal_that_is_cut_off_looks_fetches_and_orders_in_the_lan_and_others_see_the_transfer() {
    let Some(world) = World::new() else { return };
    let (home, work) = (world.home("home", 77, 77), world.home("work", 88, 88));
    let (laptop, _) = home.computer("laptop", 20);
    let (office, _) = work.computer("office", 30);
    let ann = world.ann(&Cli::on(&laptop));
    let desk = Desk::join(&ann, home.computer("desk", 10));
    let film = desk.put("film", 8 * MIB);
    let other = Cli::on(&office);
    ann.login(&other).expect_ok();
    assert_eq!(
        names(ann.cli(), "desk:Documents"),
        ["film"],
        "so that it knows its machines"
    );

    home.router.lose_from("192.168.77.20");
    assert_eq!(names(ann.cli(), "desk:Documents"), ["film"]);
    get(ann.cli(), &desk, "film", &[]);
    let transfer = json(ann.cli(), &["upload", "desk:Documents/film"]);
    let id = transfer["id"].as_str().expect("an id").to_owned();
    wait_until("another terminal sees it done", LONG, || {
        let all = json(&other, &["transfers"]);
        let mut rows = all.as_array().into_iter().flatten();
        rows.any(|row: &Value| row["id"] == id.as_str() && row["state"] == "done")
    });
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("film");
    let to = copy.display().to_string();
    other.run(["get", "desk/Documents/film", "-o", &to]).expect_ok();
    assert_same(&film, &copy);
}

#[test]
fn a_machine_with_a_new_address_is_found_in_the_lan_while_the_server_is_away() {
    let Some(world) = World::new() else { return };
    let home = world.home("home", 77, 77);
    let (laptop, _) = home.computer("laptop", 20);
    let ann = world.ann(&Cli::on(&laptop));
    let desk = Desk::join(&ann, home.computer("desk", 10));
    desk.put("film", 4 * MIB);
    assert_eq!(
        names(ann.cli(), "desk:Documents"),
        ["film"],
        "so that it knows its machines"
    );

    world.uplink.pull();
    desk.cable.remove_address(&home.with_range(10));
    desk.cable.add_address(&home.with_range(99));
    desk.host.route("default", &home.address(1).to_string());
    wait_until("it is found", LONG, || {
        let output = ann.cli().run(["--json", "ls", "desk:Documents"]);
        output.code() == 0
    });
    get(ann.cli(), &desk, "film", &[]);
}

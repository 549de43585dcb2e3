//! A copy in the same LAN is made of what is there: its bytes do not pass the server.

use std::fs;

use beckon_tests::{Account, Cli, Machine, net::Host, wait_until};
use serde_json::Value;
use tempfile::TempDir;

use crate::scene::{Desk, Home, LONG, MIB, SOON, World, assert_same, json, lan_port};

const SIZE: u64 = 24 * MIB;

/// A machine that keeps copies, with the writable root `Copies`.
struct Shelf {
    name: &'static str,
    copies: TempDir,
    _machine: Machine,
    _host: Host,
}

impl Shelf {
    #[track_caller]
    fn join(ann: &Account, home: &Home<'_>, name: &'static str, number: u8) -> Self {
        let copies = tempfile::tempdir().unwrap();
        let (host, _) = home.computer(name, number);
        let machine = Machine::join(ann, name)
            .writable_root("Copies", copies.path())
            .on(&host)
            .start();
        beckon_tests::wait_for("the machine listens in its LAN", SOON, || lan_port(ann.cli(), name));
        Self {
            name,
            copies,
            _machine: machine,
            _host: host,
        }
    }

    /// Has it follow `desk` and waits until nothing is left to do; the transfer then.
    #[track_caller]
    fn follow(&self, cli: &Cli) -> Value {
        let place = format!("{}:Copies", self.name);
        let args = ["follow", "desk:Documents", "--on", &place, "--wait"];
        json(&cli.with_limit(LONG), &args)
    }
}

fn bytes(transfer: &Value, whence: &str) -> u64 {
    transfer[whence]
        .as_u64()
        .unwrap_or_else(|| panic!("{whence} of {transfer}"))
}

#[test]
fn a_copy_comes_straight_from_who_has_it_and_the_next_one_also_from_the_copy() {
    let Some(world) = World::new() else { return };
    let home = world.home("home", 77, 77);
    let (laptop, _) = home.computer("laptop", 20);
    let ann = world.ann(&Cli::on(&laptop));
    let desk = Desk::join(&ann, home.computer("desk", 10));
    let film = desk.put("film", SIZE);
    json(&ann.cli().with_limit(LONG), &["watch", "desk:Documents", "--wait"]);

    let shelf = Shelf::join(&ann, &home, "shelf", 30);
    let (passed, followed) = world.bytes_during(|| shelf.follow(ann.cli()));
    assert_same(&film, &shelf.copies.path().join("film"));
    assert!(passed < SIZE / 4, "{passed} bytes passed the server");
    assert!(bytes(&followed, "bytes_direct") > SIZE / 4 * 3, "{followed}");
    assert!(bytes(&followed, "bytes_server") < SIZE / 4, "{followed}");

    // Who stored it is gone; who copied it is there.
    let events = ann.cli().start(["events", "--json"]);
    wait_until("the events are open", SOON, || !events.lines().is_empty());
    desk.cable.pull();
    wait_until("the machine is away", LONG, || {
        let lines = events.lines();
        let mut lines = lines.iter();
        lines.any(|line| line.contains("\"desk\"") && line.contains("\"online\":false"))
    });
    let attic = Shelf::join(&ann, &home, "attic", 40);
    let (passed, followed) = world.bytes_during(|| attic.follow(ann.cli()));
    assert_same(&film, &attic.copies.path().join("film"));
    assert!(passed < SIZE / 4, "{passed} bytes passed the server");
    assert!(bytes(&followed, "bytes_direct") > SIZE / 4 * 3, "{followed}");
}

#[test]
fn elsewhere_a_copy_comes_from_the_server() {
    let Some(world) = World::new() else { return };
    let (home, work) = (world.home("home", 77, 77), world.home("work", 88, 88));
    let (laptop, _) = home.computer("laptop", 20);
    let ann = world.ann(&Cli::on(&laptop));
    let desk = Desk::join(&ann, home.computer("desk", 10));
    fs::write(desk.documents.path().join("note"), "a note").unwrap();
    json(&ann.cli().with_limit(LONG), &["watch", "desk:Documents", "--wait"]);
    let office = Shelf::join(&ann, &work, "office", 30);
    let followed = office.follow(ann.cli());
    assert_eq!(fs::read(office.copies.path().join("note")).unwrap(), b"a note");
    assert_eq!(
        (bytes(&followed, "bytes_direct"), bytes(&followed, "bytes_server")),
        (0, 6)
    );
}

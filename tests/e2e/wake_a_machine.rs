//! A machine that sleeps is called through one that is awake in its network.

use std::{net::UdpSocket, time::Duration};

use beckon_tests::{Machine, wait_until};
use serde_json::Value;

use crate::scene::{Desk, SOON, expect_refusal, json, rows, run, text};

/// The port that network cards are called at.
const PORT: u16 = 9;

/// `desk` is awake, `attic` sleeps.
struct House {
    desk: Desk,
    attic: Machine,
}

impl House {
    /// Nothing where this computer has no network in which a card could be called.
    fn new() -> Option<Self> {
        let desk = Desk::with(|_| ());
        let mut attic = Machine::join(&desk.ann, "attic").start();
        let shown = json(desk.cli(), &["device", "show", "attic"]);
        if !rows(&shown["addresses"]).iter().any(can_be_called) {
            eprintln!("not told: there is no network here but the computer's own");
            return None;
        }
        attic.stop();
        wait_until("the machine is away", SOON, || {
            json(desk.cli(), &["device", "show", "attic"])["online"] == false
        });
        Some(Self { desk, attic })
    }
}

fn can_be_called(at: &Value) -> bool {
    let is_card = !matches!(text(at, "kind").as_str(), "vpn" | "bridge");
    is_card && at["mac"].is_string() && text(at, "address").contains('.')
}

/// Hears what is sent to everyone in the network, if this process may.
fn ear() -> Option<UdpSocket> {
    let ear = UdpSocket::bind(("0.0.0.0", PORT)).ok()?;
    ear.set_read_timeout(Some(SOON)).ok()?;
    Some(ear)
}

#[test]
fn a_sleeping_machine_is_called_through_its_neighbour_and_waited_for() {
    let Some(mut house) = House::new() else { return };
    let ear = ear();
    let mut wake = house.desk.cli().start(["wake", "attic"]);
    wait_until("it says through whom", SOON, || {
        wake.log().contains("called attic through desk")
    });
    if let Some(ear) = ear {
        let mut packet = [0; 200];
        let len = ear.recv(&mut packet).expect("a packet comes");
        assert_eq!((len, &packet[..6]), (102, &[0xff; 6][..]));
        assert!(packet[6..len].chunks(6).all(|part| part == &packet[6..12]));
    }
    house.attic.restart();
    assert_eq!(wake.wait(SOON).code(), Some(0), "{}", wake.log());
    assert!(
        wake.log().contains("attic is online, called through desk"),
        "{}",
        wake.log()
    );
    let already = json(house.desk.cli(), &["wake", "attic"]);
    assert_eq!(
        (already["online"].clone(), rows(&already["through"]).len()),
        (true.into(), 0)
    );
}

#[test]
fn a_machine_that_does_not_come_is_said_to_be_away_with_what_was_tried() {
    let Some(mut house) = House::new() else { return };
    let cli = house.desk.cli().with_limit(Duration::from_secs(60));
    let late = run(&cli, &["wake", "attic", "--timeout", "3"]);
    expect_refusal(&late, 4, "away");
    assert!(late.stderr().contains("through desk"), "{late}");
    house.desk.machine.stop();
    wait_until("nobody is awake", SOON, || {
        json(&cli, &["device", "show", "desk"])["online"] == false
    });
    let alone = run(&cli, &["wake", "attic"]);
    expect_refusal(&alone, 4, "away");
    assert!(alone.stderr().contains("by hand"), "{alone}");
    expect_refusal(&run(&cli, &["wake", "nobody"]), 1, "not-found");
}

//! A machine that sleeps is called through one that is awake in its network.

use std::{net::UdpSocket, time::Duration};

use beckon_tests::{Machine, wait_until};
use serde_json::Value;

use crate::scene::{Desk, SOON, expect_refusal, json, rows, run, text};

/// Set where this computer has no network in which a card could be called: then these stories are not told.
const NO_NETWORK: &str = "BECKON_TEST_NO_NETWORK";

/// `desk` is awake, `attic` sleeps.
struct House {
    desk: Desk,
    attic: Machine,
    /// Hears what is sent to everyone in the network.
    ear: UdpSocket,
}

impl House {
    /// Nothing where there is no network in which a card could be called, and that was said before.
    fn new() -> Option<Self> {
        let ear = UdpSocket::bind(("0.0.0.0", 0)).expect("a port is free");
        ear.set_read_timeout(Some(SOON)).expect("a socket has a time limit");
        let mut desk = Desk::with(|_| ());
        let port = ear.local_addr().expect("it is bound").port();
        desk.machine.set_env("BECKON_WAKE_PORT", port.to_string());
        desk.machine.restart();
        let mut attic = Machine::join(&desk.ann, "attic").start();
        let shown = json(desk.cli(), &["device", "show", "attic"]);
        if !rows(&shown["addresses"]).iter().any(can_be_called) {
            assert!(
                std::env::var_os(NO_NETWORK).is_some(),
                "this computer has no network in which a card could be called; set {NO_NETWORK}=1 to leave these stories out"
            );
            return None;
        }
        attic.stop();
        wait_until("the machine is away", SOON, || {
            json(desk.cli(), &["device", "show", "attic"])["online"] == false
        });
        Some(Self { desk, attic, ear })
    }
}

fn can_be_called(at: &Value) -> bool {
    let is_card = !matches!(text(at, "kind").as_str(), "vpn" | "bridge");
    is_card && at["mac"].is_string() && text(at, "address").contains('.')
}

#[test]
fn a_sleeping_machine_is_called_through_its_neighbour_and_waited_for() {
    let Some(mut house) = House::new() else { return };
    let mut wake = house.desk.cli().start(["wake", "attic"]);
    wait_until("it says through whom", SOON, || {
        wake.log().contains("called attic through desk")
    });
    let mut packet = [0; 200];
    let len = house.ear.recv(&mut packet).expect("a packet comes");
    assert_eq!((len, &packet[..6]), (102, &[0xff; 6][..]));
    assert!(packet[6..len].chunks(6).all(|part| part == &packet[6..12]));
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
    let late = run(&cli, &["wake", "attic", "--timeout", "15"]);
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

//! A machine that sleeps is woken through one that is awake in its network.

use std::{net::UdpSocket, time::Duration};

use beckon_tests::{
    Account, Machine, Server,
    page::{Page, button, css, role, text},
};
use serde_json::Value;
use tempfile::TempDir;

use crate::scene;

/// The port that network cards are called at.
const PORT: u16 = 9;
const SOON: Duration = Duration::from_secs(30);

/// `desk` is awake, `attic` sleeps.
struct House {
    page: Page,
    desk: Machine,
    attic: Machine,
    ann: Account,
    _server: Server,
    _loft: TempDir,
}

impl House {
    /// Nothing where this computer has no network in which a card could be called.
    fn new() -> Option<Self> {
        let server = Server::start();
        let ann = Account::sign_up(&server, "ann");
        let desk = Machine::join(&ann, "desk").start();
        let loft = tempfile::tempdir().unwrap();
        let mut attic = Machine::join(&ann, "attic").root("Loft", loft.path()).start();
        let shown = ann.cli().run(["--json", "device", "show", "attic"]).json();
        if !shown["addresses"]
            .as_array()
            .is_some_and(|all| all.iter().any(can_be_called))
        {
            eprintln!("not told: there is no network here but the computer's own");
            return None;
        }
        attic.stop();
        let page = scene::sign_in(&server, "ann");
        page.go(&format!("/device/{}", attic.id()));
        page.see(text("attic is away."));
        Some(Self {
            page,
            desk,
            attic,
            ann,
            _server: server,
            _loft: loft,
        })
    }
}

fn can_be_called(at: &Value) -> bool {
    let is_card = !matches!(at["kind"].as_str(), Some("vpn" | "bridge"));
    is_card && at["mac"].is_string() && at["address"].as_str().is_some_and(|address| address.contains('.'))
}

/// Hears what is sent to everyone in the network, if this process may.
fn ear() -> Option<UdpSocket> {
    let ear = UdpSocket::bind(("0.0.0.0", PORT)).ok()?;
    ear.set_read_timeout(Some(SOON)).ok()?;
    Some(ear)
}

#[test]
fn wake_says_through_whom_it_went_and_then_that_the_machine_is_here() {
    let Some(mut house) = House::new() else { return };
    let (page, ear) = (&house.page, ear());
    page.see(text("desk seems to be in its network and can wake it."));
    page.expect_accessible();
    page.screenshot("device-away");
    page.click(button("Wake"));
    page.see(text("Wake sent through desk; waiting for attic"));
    page.screenshot("device-woken");
    page.expect_accessible();
    if let Some(ear) = ear {
        let mut packet = [0; 200];
        let len = ear.recv(&mut packet).expect("a packet comes");
        assert_eq!((len, &packet[..6]), (102, &[0xff; 6][..]));
    }
    // The machine's folders say so too.
    page.click(role("link", "Open"));
    page.see_path("/machine/");
    page.see(text("Wake sent through desk; waiting for attic"));
    page.see(css("button:disabled"));
    page.expect_accessible();
    house.attic.restart();
    page.see(text("attic is online"));
    page.see_gone(button("Wake"));
}

#[test]
fn where_nobody_is_near_the_button_says_so_and_the_menu_has_none() {
    let Some(mut house) = House::new() else { return };
    house.page.go("/machines");
    house.page.click(button("More for attic"));
    house.page.see(role("menuitem", "Wake"));
    // What waits for it offers the same.
    house.ann.cli().run(["upload", "attic:Loft"]);
    house.page.go("/transfers");
    house.page.see(text("attic was last seen"));
    house.page.see(button("Wake"));
    house.desk.stop();
    house.page.see_gone(button("Wake"));
    house.page.go(&format!("/device/{}", house.attic.id()));
    house
        .page
        .see(text("no machine that is online seems to be in its network"));
    house.page.see(css(".banner button:disabled"));
    house.page.expect_accessible();
    house.page.screenshot("device-nobody-near");
    house.page.go("/machines");
    house.page.click(button("More for attic"));
    house.page.see(role("menuitem", "Details"));
    assert!(!house.page.has(role("menuitem", "Wake")));
}

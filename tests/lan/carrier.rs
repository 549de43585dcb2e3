//! Two homes behind one carrier look alike: same public address, same private ones.

use beckon_tests::{Account, Cli};

use crate::scene::{Desk, MIB, World, get, json, lan_port};

#[test]
fn a_strangers_machine_at_the_same_address_is_not_taken_for_ones_own() {
    let Some(world) = World::new() else { return };
    let carrier = world.network.switch("carrier");
    let gate = world.network.host("carrier-gate");
    gate.connect(&world.internet, &["203.0.113.1/24"]);
    gate.connect(&carrier, &["100.64.0.1/24"]);
    gate.hide_behind("eth0");
    let out = Some("100.64.0.1");
    let away = world.home_behind(&carrier, "100.64.0.2/24", out, "ann", 77);
    let here = world.home_behind(&carrier, "100.64.0.3/24", out, "bob", 77);
    let (laptop, _) = here.computer("laptop", 20);
    let ann = world.ann(&Cli::on(&laptop));
    let desk = Desk::join(&ann, away.computer("desk", 10));
    desk.put("film", 4 * MIB);

    let bob = invite(&ann, "bob", Cli::on(&laptop));
    let other = Desk::join_without_waiting(&bob, "desk", here.computer("desk", 10));
    let port = other.wait_for_port(bob.cli());
    assert_eq!(
        lan_port(ann.cli(), "desk"),
        Some(port),
        "the same address and the same port"
    );
    let seen = |account: &Account| json(account.cli(), &["device", "show", "desk"])["address"].clone();
    assert_eq!((seen(&ann), seen(&bob)), ("203.0.113.1".into(), "203.0.113.1".into()));

    let before = other.cable.bytes().received;
    let (passed, ()) = world.bytes_during(|| get(ann.cli(), &desk, "film", &[]));
    assert!(passed > 8 * MIB, "it went by way of the server: {passed}");
    let reached = other.cable.bytes().received - before;
    assert!(
        (1_000..64_000).contains(&reached),
        "{reached} bytes reached the stranger's machine"
    );
}

/// One more account, by an invitation.
#[track_caller]
fn invite(host: &Account, name: &str, cli: Cli) -> Account {
    let invitation = json(host.cli(), &["admin", "invite"]);
    let code = invitation["code"].as_str().expect("a code");
    Account::sign_up_on(cli, host.url(), code, name)
}

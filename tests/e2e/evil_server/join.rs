//! Joining: the code itself proves the account, so that a machine pins no other account's key.

use beckon_shared::{
    api::{Bytes, Packed, join::OfferView},
    certificate::Role,
    join::{JoinCode, JoinOffer, Terms},
};
use beckon_tests::{Cli, Machine};

use super::{
    account::{Account, EPOCH, HOUR, now},
    scene::Scene,
};

fn offer(code: &JoinCode, account: &Account) -> (JoinOffer, [u8; 32]) {
    let terms = Terms {
        role: Role::Source,
        issued: now(),
        not_after: now() + HOUR,
        uses: 1,
        epoch: EPOCH,
    };
    code.offer(account.key(), &terms).unwrap()
}

#[test]
fn a_machine_does_not_join_another_account_than_the_codes() {
    let scene = Scene::new();
    let (ours, theirs) = (JoinCode::new([9; 16]), JoinCode::new([10; 16]));
    let stranger = Account::new(66);
    let (genuine, mac) = offer(&ours, &scene.ann);
    let (foreign, foreign_mac) = offer(&theirs, &stranger);
    let pinned_other = JoinOffer {
        account_key: stranger.public(),
        ..genuine.clone()
    };
    let joined = format!("POST /api/join/{}", ours.lookup());
    let before = count(&scene, &joined);
    for (what, offer, mac) in [
        ("of another code", foreign.clone(), foreign_mac),
        ("of another code with this one's MAC", foreign, mac),
        ("with another account key", pinned_other, mac),
        ("with a MAC of zeros", genuine.clone(), [0; 32]),
    ] {
        let view = OfferView {
            offer: Packed(offer),
            mac: Bytes(mac),
        };
        scene.server.lie(|lies| lies.offer = view);
        let output = Machine::join_with(scene.server.url(), &ours.text(), "lab").redeem(&Cli::new());
        assert!(matches!(output.code(), 1 | 3), "{what}: {output}");
    }
    assert_eq!(count(&scene, &joined), before, "no certificate was sent");
    let view = OfferView {
        offer: Packed(genuine),
        mac: Bytes(mac),
    };
    scene.server.lie(|lies| lies.offer = view);
    Machine::join_with(scene.server.url(), &ours.text(), "lab")
        .redeem(&Cli::new())
        .expect_ok();
    assert_eq!(count(&scene, &joined), before + 1);
}

fn count(scene: &Scene, request: &str) -> usize {
    scene
        .server
        .seen(|seen| seen.http.iter().filter(|told| *told == request).count())
}

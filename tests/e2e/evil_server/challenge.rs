//! What a machine signs when it comes in: never anything that the server chose the meaning of.

use beckon_shared::{
    certificate::{DeviceCertificate, EnrolmentCertificate},
    commit::Commit,
    order::Order,
    signature::{BadSignature, PublicKey, Signable, Signed},
    statement::Statement,
    wire::{self, AuthClaim, FromServer},
};
use beckon_tests::wait_until;

use super::{
    account::Account,
    scene::{SECRET, Scene},
    server::LIMIT,
};

#[test]
fn order_bytes_as_challenge_yield_no_order() {
    let mut scene = Scene::new();
    // An order that a controller would have to sign, cut to what a challenge holds.
    let order = wire::encode(&scene.order(&scene.owner, SECRET));
    let nonce: [u8; 32] = order[..32].try_into().unwrap();
    scene
        .server
        .lie(|lies| lies.challenge = wire::encode(&FromServer::Challenge { nonce }));
    scene.machine.restart();
    let claim = scene.auth().claim;
    let key = scene.keys().sign;
    let said = claim.verify(&key).expect("the machine signs its claim");
    assert_eq!(said.server_nonce, nonce);
    assert_eq!(
        (said.origin.as_str(), said.device),
        (scene.server.url(), scene.desk()),
        "worth nothing elsewhere"
    );
    for bytes in [claim.bytes.clone(), nonce.to_vec(), order] {
        assert_signs_nothing_else(&claim, &bytes, &key);
    }
    scene.assert_untouched();
}

/// Panics if the claim's signature counts for `bytes` as anything but the claim.
fn assert_signs_nothing_else(claim: &Signed<AuthClaim>, bytes: &[u8], key: &PublicKey) {
    assert!(!stands::<Order>(claim, bytes, key), "an order");
    assert!(!stands::<Commit>(claim, bytes, key), "a commit");
    assert!(!stands::<Statement>(claim, bytes, key), "a statement");
    assert!(!stands::<DeviceCertificate>(claim, bytes, key), "a certificate");
    assert!(
        !stands::<EnrolmentCertificate>(claim, bytes, key),
        "an enrolment certificate"
    );
}

fn stands<T: Signable>(claim: &Signed<AuthClaim>, bytes: &[u8], key: &PublicKey) -> bool {
    let mut other: Signed<T> = wire::decode(&wire::encode(claim)).unwrap();
    other.bytes = bytes.to_vec();
    // Malformed would mean that the signature was good.
    !matches!(other.verify(key), Err(BadSignature::Mismatch))
}

#[test]
fn a_challenge_that_holds_a_whole_order_is_not_answered() {
    let mut scene = Scene::new();
    let order = scene.owner.sign(&scene.order(&scene.owner, SECRET));
    let honest = wire::encode(&FromServer::Challenge { nonce: [4; 32] });
    let longer = [honest[..1].to_vec(), order.order.bytes.clone()].concat();
    for first in [longer, wire::encode(&FromServer::Order(Box::new(order))), Vec::new()] {
        let (auths, ended) = scene.server.seen(|seen| (seen.auths.len(), seen.ended));
        scene.server.lie(|lies| lies.challenge = first);
        scene.machine.launch();
        // The one of the agent before, and the one that hung up.
        wait_until("the machine hangs up", LIMIT, || {
            scene.server.seen(|seen| seen.ended >= ended + 2)
        });
        assert_eq!(scene.server.seen(|seen| seen.auths.len()), auths, "nothing is signed");
        scene.server.lie(|lies| lies.challenge.clone_from(&honest));
        scene.machine.restart();
    }
    scene.assert_untouched();
}

#[test]
fn a_server_that_knows_another_account_key_gives_no_orders() {
    let mut scene = Scene::new();
    let order = scene.owner.sign(&scene.order(&scene.owner, SECRET));
    let foreign = Account::new(66).public();
    let honest = scene.ann.public();
    let ended = scene.server.seen(|seen| seen.ended);
    scene.server.lie(|lies| {
        lies.account_key = foreign;
        lies.orders = vec![order];
    });
    scene.machine.launch();
    wait_until("the machine hangs up", LIMIT, || {
        scene.server.seen(|seen| seen.ended >= ended + 2)
    });
    let online = |line: &String| line.starts_with("online as");
    assert!(
        !scene.machine.process().lines().iter().any(online),
        "the machine does not take it for its server"
    );
    scene.server.lie(|lies| {
        lies.account_key = honest;
        lies.orders.clear();
    });
    scene.machine.restart();
    scene.assert_untouched();
}

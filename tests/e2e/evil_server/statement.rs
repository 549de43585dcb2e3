//! Statements: the account's own count, and only forward.

use beckon_shared::{
    id::DeviceId,
    signature::Signed,
    statement::{Revocation, Statement},
    wire::FromServer,
};

use super::{
    account::{Account, Device, now},
    scene::{SECRET, Scene},
    session::{Session, assert_refused, first_message},
};

fn push(scene: &Scene, statement: &Signed<Statement>) {
    scene.server.push(&FromServer::Statement(Box::new(statement.clone())));
}

#[track_caller]
fn assert_revoked(scene: &Scene, thief: &Device) {
    scene.refuse(&[("of a revoked controller", thief.sign(&scene.order(thief, SECRET)))]);
    assert_refused(scene, first_message(scene, thief));
    scene.assert_untouched();
}

#[test]
fn an_older_statement_does_not_take_a_revocation_back() {
    let mut scene = Scene::new();
    let (thief, lost) = (scene.ann.controller(33), scene.ann.controller(34));
    let first = scene.ann.revocation(1, &[lost.id()]);
    let second = scene.ann.revocation(2, &[lost.id(), thief.id()]);
    push(&scene, &first);
    scene.obey(&thief.sign(&scene.order(&thief, "witness.txt")));
    push(&scene, &second);
    assert_revoked(&scene, &thief);
    push(&scene, &first);
    assert_revoked(&scene, &thief);
    // Nor the other way that statements travel.
    Session::open_knowing(&scene, &scene.owner, Some(first.clone()));
    assert_revoked(&scene, &thief);
    // Nor after a restart, whatever the server says then.
    for statement in [Some(first), None] {
        scene.server.lie(|lies| lies.statement = statement);
        scene.machine.restart();
        assert_revoked(&scene, &thief);
    }
}

#[test]
fn news_of_a_revocation_in_a_session_counts_as_much_as_the_servers() {
    let mut scene = Scene::new();
    let thief = scene.ann.controller(33);
    // The server says nothing of it.
    let statement = scene.ann.revocation(1, &[thief.id()]);
    Session::open_knowing(&scene, &scene.owner, Some(statement));
    assert_revoked(&scene, &thief);
    scene.machine.restart();
    assert_revoked(&scene, &thief);
}

#[test]
fn a_statement_that_the_account_did_not_sign_revokes_nobody() {
    let mut scene = Scene::new();
    let targets: [DeviceId; 2] = [scene.owner.id(), scene.desk()];
    let stranger = Account::new(66);
    let foreign = stranger.revocation(7, &targets);
    let posing = stranger.state(&Statement::Revocation(Revocation {
        account: scene.ann.id(),
        number: 7,
        at: now(),
        revoked: targets.to_vec(),
        lowest_epoch: u32::MAX,
    }));
    let by_controller = Signed::sign(&posing.peek().unwrap(), scene.owner.keys.signing());
    let mut altered = scene.ann.revocation(7, &[scene.ann.controller(33).id()]);
    altered.bytes = scene.ann.revocation(7, &targets).bytes;
    for statement in [&foreign, &posing, &by_controller, &altered] {
        push(&scene, statement);
        scene.assert_untouched();
        Session::mislead(&scene, &scene.owner, statement);
        scene.assert_untouched();
    }
    scene.server.lie(|lies| lies.statement = Some(posing));
    scene.machine.restart();
    scene.assert_untouched();
}

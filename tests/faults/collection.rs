//! A server is killed while it collects what nothing needs any more: nothing that is needed goes, and the rest does.

use std::{fs, os::unix::process::ExitStatusExt};

use beckon_shared::fault;
use beckon_tests::{Account, FakeClock, Machine, Server, sample, wait_until};

use crate::{
    scene::{LONG, MIB, SOON, assert_comes_back, files_below, upload},
    world::assert_sound,
};

/// Longer than what is marked is kept. Hours.
const GRACE: u64 = 25;

#[test]
fn a_server_that_is_killed_while_it_collects_loses_nothing_and_frees_the_room_all_the_same() {
    let clock = FakeClock::new();
    let begun = Server::options().env(fault::CLEAN_EVERY, "200");
    let options = clock.env().into_iter();
    let mut server = options
        .fold(begun, |options, (name, value)| options.env(name, value))
        .start();
    let ann = Account::sign_up(&server, "ann");
    let folder = tempfile::tempdir().unwrap();
    let _desk = Machine::join(&ann, "desk").root("Documents", folder.path()).start();
    // Each in packs of its own, which are small enough to be joined.
    for number in 0..12 {
        let name = format!("kept-{number}");
        sample::random_file(&folder.path().join(&name), 200_000, number);
        upload(ann.cli(), &format!("desk:Documents/{name}"));
    }
    sample::random_file(&folder.path().join("gone/large"), 24 * MIB, 99);
    upload(ann.cli(), "desk:Documents/gone");
    let gone = ["drive", "rm", "--for-good", "desk/Documents/gone"];
    ann.cli().run(gone).expect_ok();
    fs::remove_dir_all(folder.path().join("gone")).unwrap();

    for (day, place) in (1..).zip(fault::COLLECTION) {
        server.kill();
        server.set_env(fault::VARIABLE, place);
        clock.shift(&format!("+{}h", day * GRACE));
        assert!(server.try_restart(), "{}", server.process().log());
        let ended = server.process().wait(SOON);
        assert_eq!(
            ended.signal(),
            Some(9),
            "{place} was not reached: {}",
            server.process().log()
        );
        assert_sound(&server);
    }

    server.set_env(fault::VARIABLE, "");
    clock.shift(&format!("+{}h", 10 * GRACE));
    server.restart();
    let packs = server.data().join("packs");
    let size = || -> u64 {
        let files = files_below(&packs).into_iter();
        files.map(|file| fs::metadata(file).map_or(0, |file| file.len())).sum()
    };
    wait_until("the room is free", LONG, || size() < 8 * MIB);
    assert_comes_back(ann.cli(), folder.path());
    server.stop();
    assert_sound(&server);
}

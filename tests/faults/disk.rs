//! Disks of the server that are full or cannot be written to: it says so, keeps what it has, and goes on afterwards.

use std::process::Command;

use beckon_tests::{Account, Machine, ReadOnly, Server, SmallDisk, sample, wait_until};

use crate::{
    scene::{Desk, LONG, MIB, assert_comes_back, get, json, order, run, text, transfer, upload},
    world::assert_sound,
};

/// Files of 1 MiB each in a root, on a server whose data lies on a disk.
fn desk_on(disk: &SmallDisk, files: u64) -> Desk {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..files {
        sample::random_file(&folder.path().join(format!("file-{number}")), MIB, number);
    }
    let options = Server::options().args(["--reserve", "4MiB"]);
    let server = options.data(disk.path("data")).start();
    let ann = Account::sign_up(&server, "ann");
    let machine = Machine::join(&ann, "desk").root("Documents", folder.path()).start();
    Desk::of(machine, ann, server, folder)
}

#[test]
fn an_upload_that_fills_the_disk_waits_survives_kills_and_goes_on_when_the_disk_grows() {
    let Some(disk) = SmallDisk::mount(64) else { return };
    let mut desk = desk_on(&disk, 80);
    let id = order(desk.cli(), "desk:Documents");
    let waits = |desk: &Desk| {
        wait_until("the transfer waits for room", LONG, || {
            transfer(desk.cli(), &id)["hold"] == "no-room"
        });
    };
    waits(&desk);
    desk.server.kill();
    assert_sound(&desk.server);
    desk.server.restart();
    desk.machine.kill();
    desk.machine.restart();
    waits(&desk);
    disk.resize(256);
    let ended = json(&desk.cli().with_limit(LONG), &["wait", &id]);
    assert_eq!(text(&ended, "state"), "done", "{ended}");
    assert_comes_back(desk.cli(), desk.root());
    desk.server.stop();
    assert_sound(&desk.server);
}

#[test]
fn a_server_whose_data_folder_cannot_be_written_to_does_not_start_and_says_why() {
    let mut desk = Desk::with(sample::small_tree);
    desk.upload();
    desk.server.stop();
    let Some(read_only) = ReadOnly::make(&desk.server.data()) else {
        return;
    };
    let output = Command::new("timeout")
        .arg("30")
        .arg(beckon_tests::binary::path("beckon-server"))
        .args(["--listen", "127.0.0.1:0", "--data"])
        .arg(desk.server.data())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("cannot be written to") && said.contains("Read-only"),
        "{said}"
    );
    drop(read_only);
    desk.server.restart();
    assert_comes_back(desk.cli(), desk.root());
}

#[test]
fn an_upload_to_a_disk_that_has_become_read_only_fails_with_the_reason_and_is_retried() {
    let mut desk = Desk::with(sample::small_tree);
    desk.upload();
    let Some(read_only) = ReadOnly::make(&desk.server.data().join("packs")) else {
        return;
    };
    sample::random_file(&desk.path("new"), MIB, 99);
    let id = order(desk.cli(), "desk:Documents");
    let failed = run(&desk.cli().with_limit(2 * LONG), &["wait", &id]).json();
    assert_eq!(text(&failed, "state"), "failed", "{failed}");
    assert!(text(&failed, "error").contains("read-only"), "{failed}");
    let back = tempfile::tempdir().unwrap();
    get(desk.cli(), "desk/Documents/video.bin", &back.path().join("video.bin"));
    drop(read_only);
    json(desk.cli(), &["retry", &id]);
    let ended = json(&desk.cli().with_limit(LONG), &["wait", &id]);
    assert_eq!(text(&ended, "state"), "done", "{ended}");
    upload(desk.cli(), "desk:Documents");
    assert_comes_back(desk.cli(), desk.root());
    desk.server.stop();
    assert_sound(&desk.server);
}

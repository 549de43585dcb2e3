//! A download goes on where it broke, and never joins parts that do not belong together.

use std::{fs, path::Path};

use beckon_tests::{Cli, Proxy, Way, sample, tree::assert_same_tree, wait_until};

use crate::scene::{Back, Desk, LONG, MIB, SOON, hash, unzipped};

/// A desk with one large file in the drive, and a terminal that reaches the server through a proxy.
fn far_away(size: u64) -> (Desk, Proxy, Cli) {
    let desk = Desk::with(|folder| sample::random_file(&folder.join("big"), size, 8));
    desk.upload();
    let proxy = Proxy::to(desk.server.address());
    let cli = Cli::new();
    let password = desk.ann.password_file().display().to_string();
    cli.run(["login", &proxy.url(), "--name", "ann", "--password-file", &password])
        .expect_ok();
    (desk, proxy, cli)
}

#[test]
fn a_download_that_was_killed_goes_on_where_it_was() {
    let (desk, proxy, cli) = far_away(64 * MIB);
    let back = Back::new();
    let to = back.path("big");
    let words = ["get", "desk/Documents/big", "-o", &to.display().to_string()].map(str::to_owned);
    proxy.allow(Way::Down, 40 * MIB);
    let mut download = cli.start(&words);
    proxy.wait_held_up(Way::Down, SOON);
    // What is in the client's own hands by now differs; most of what came through must be on its disk.
    let on_disk = || {
        fs::read_dir(back.folder())
            .unwrap()
            .map(|entry| entry.unwrap().metadata().unwrap().len())
            .sum::<u64>()
    };
    wait_until("the bytes that came are written", SOON, || on_disk() >= 30 * MIB);
    assert!(!to.exists(), "half a file stands under the name of the whole");
    download.kill();
    proxy.cut();
    proxy.open();
    let before = proxy.passed(Way::Down);
    cli.run(&words).expect_ok();
    let sent = proxy.passed(Way::Down) - before;
    assert!(
        (24 * MIB..36 * MIB).contains(&sent),
        "{sent} bytes came after the break"
    );
    assert_eq!(hash(&to), hash(&desk.path("big")));
    assert_eq!(
        fs::read_dir(back.folder()).unwrap().count(),
        1,
        "a temporary file stays behind"
    );
}

#[test]
fn a_zip_whose_download_was_killed_goes_on_where_it_was() {
    let (desk, proxy, cli) = far_away(48 * MIB);
    let back = Back::new();
    let to = back.path("all.zip").display().to_string();
    let words = ["get", "desk/Documents", "--zip", &to].map(str::to_owned);
    proxy.allow(Way::Down, 36 * MIB);
    let mut download = cli.start(&words);
    proxy.wait_held_up(Way::Down, SOON);
    let on_disk = || {
        fs::read_dir(back.folder())
            .unwrap()
            .map(|entry| entry.unwrap().metadata().unwrap().len())
            .sum::<u64>()
    };
    wait_until("the bytes that came are written", SOON, || on_disk() >= 28 * MIB);
    assert!(
        !Path::new(&to).exists(),
        "half a ZIP stands under the name of the whole"
    );
    download.kill();
    proxy.cut();
    proxy.open();
    let before = proxy.passed(Way::Down);
    cli.run(&words).expect_ok();
    let sent = proxy.passed(Way::Down) - before;
    assert!(sent < 24 * MIB, "{sent} bytes came after the break");
    assert_same_tree(desk.root(), &unzipped(&back, &to));
}

#[test]
fn a_download_whose_connection_breaks_ends_whole_or_with_an_error_and_goes_on() {
    let (desk, proxy, cli) = far_away(32 * MIB);
    let back = Back::new();
    let to = back.path("big");
    let words = ["get", "desk/Documents/big", "-o", &to.display().to_string()].map(str::to_owned);
    proxy.allow(Way::Down, 20 * MIB);
    let mut download = cli.start(&words);
    proxy.wait_held_up(Way::Down, SOON);
    proxy.open();
    proxy.cut();
    if !download.wait(LONG).success() {
        assert!(!to.exists(), "half a file stands under the name of the whole");
        cli.run(&words).expect_ok();
    }
    assert_eq!(hash(&to), hash(&desk.path("big")));
    assert!(proxy.passed(Way::Down) < 42 * MIB, "all of it came twice");
}

#[test]
fn a_part_of_another_version_is_never_joined_to_this_one() {
    let (desk, proxy, cli) = far_away(16 * MIB);
    let back = Back::new();
    let to = back.path("big");
    let words = ["get", "desk/Documents/big", "-o", &to.display().to_string()].map(str::to_owned);
    proxy.allow(Way::Down, 10 * MIB);
    let mut download = cli.start(&words);
    proxy.wait_held_up(Way::Down, SOON);
    download.kill();
    proxy.cut();
    proxy.open();
    sample::random_file(&desk.path("big"), 16 * MIB, 99);
    desk.upload();
    cli.run(&words).expect_ok();
    assert_eq!(hash(&to), hash(&desk.path("big")));
}

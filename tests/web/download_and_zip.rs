//! The browser downloads a file as it was, and a folder as a ZIP.

use std::{fs, process::Command};

use beckon_tests::{
    Account, Server,
    page::{button, role},
    sample,
    tree::assert_same_tree,
};

use crate::scene;

#[test]
fn a_download_equals_its_source_and_a_zip_holds_the_folder() {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let source = tempfile::tempdir().unwrap();
    let album = source.path().join("album");
    fs::create_dir(&album).unwrap();
    sample::many_files(&album, 60, 5);
    let film = source.path().join("film.bin");
    sample::random_file(&film, 20 << 20, 9);
    for path in [&album, &film] {
        ann.cli().run(["put", path.to_str().unwrap()]).expect_ok();
    }
    let page = scene::sign_in(&server, "ann");
    page.go("/drive/Files");
    page.click(role("row", "film.bin"));
    page.click(button("Download"));
    let got = page.downloaded("film.bin");
    assert!(
        fs::read(&film).unwrap() == fs::read(got).unwrap(),
        "the download is not the source"
    );
    page.right_click(role("row", "album"));
    page.click(role("menuitem", "Download as ZIP"));
    let zip = page.downloaded("album.zip");
    let into = tempfile::tempdir().unwrap();
    let unzip = Command::new("python3")
        .args(["-m", "zipfile", "-e"])
        .arg(&zip)
        .arg(into.path())
        .status()
        .unwrap();
    assert!(unzip.success());
    let inside = into.path().join("album");
    let inside = if inside.exists() {
        inside
    } else {
        into.path().to_owned()
    };
    assert_same_tree(&album, &inside);
}

//! Search finds machines, devices, and what is in the drive.

use std::fs;

use beckon_tests::{
    Account, Machine, Server,
    page::{css, field, heading, link, role, text},
};
use thirtyfour::Key;

use crate::scene;

#[test]
fn a_part_of_a_name_is_enough() {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("Plan of the office.txt");
    fs::write(&file, "walls").unwrap();
    ann.cli().run(["put", file.to_str().unwrap()]).expect_ok();
    let _machine = Machine::join(&ann, "office-pc")
        .root("Documents", folder.path())
        .start();
    let page = scene::sign_in(&server, "ann");
    page.press("/");
    page.see_path("/search");
    page.see(text("What are you looking for?"));
    page.fill(field("Search machines, devices and the drive"), "OFFICE");
    page.see(heading("Machines"));
    page.see(link("office-pc"));
    page.see(link("Plan of the office.txt"));
    page.screenshot("search");
    page.expect_accessible();
    page.press(Key::Down + Key::Down);
    assert!(page.focus().contains("Plan of the office.txt"), "{}", page.focus());
    page.press(Key::Enter);
    page.see_path("/drive/Files");
    page.see(css(".file[aria-selected=true]"));
    page.see(role("row", "Plan of the office.txt"));
    page.back();
    assert_eq!(page.value(field("Search machines, devices and the drive")), "OFFICE");
    page.fill(field("Search machines, devices and the drive"), "nothing is called so");
    page.see(text("Nothing has this in its name"));
    page.expect_accessible();
}

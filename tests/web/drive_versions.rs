//! A file has versions: an older one can be fetched, and made the current one again.

use std::fs;

use beckon_tests::{
    Account, Server,
    page::{button, css, role, text},
};

use crate::scene;

#[test]
fn an_older_version_comes_back_as_it_was() {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let source = tempfile::tempdir().unwrap();
    let file = source.path().join("fees.txt");
    for words in ["first", "second", "third"] {
        fs::write(&file, words).unwrap();
        ann.cli().run(["put", file.to_str().unwrap()]).expect_ok();
    }
    let page = scene::sign_in(&server, "ann");
    page.go("/drive/Files");
    page.click(role("row", "fees.txt"));
    page.see(text("3 versions"));
    page.see_count(css(".version"), 3);
    page.screenshot("drive-versions");
    page.expect_accessible();
    page.hover(css(".version:nth-child(3)"));
    page.click(css(".version:nth-child(3) .acts .button:first-child"));
    assert_eq!(fs::read_to_string(page.downloaded("fees.txt")).unwrap(), "first");
    page.hover(css(".version:nth-child(3)"));
    page.click(css(".version:nth-child(3) .acts .button:last-child"));
    page.see(text("4 versions"));
    page.see(button("Download"));
    let back = tempfile::tempdir().unwrap();
    let to = back.path().join("fees.txt");
    ann.cli()
        .run(["get", "Files/fees.txt", "-o", to.to_str().unwrap()])
        .expect_ok();
    assert_eq!(fs::read_to_string(to).unwrap(), "first");
}

//! Ann on her phone: five tabs, nothing wider than the screen, and all that the wide page can.

use beckon_tests::{
    Account, Machine, Server,
    page::{Options, Page, button, css, heading, link, role, text},
    sample,
};

use crate::scene;

/// Fails if something makes the page wider than the phone.
#[track_caller]
fn expect_fits(page: &Page) {
    let wide = page.script("return document.documentElement.scrollWidth - innerWidth", &[]);
    assert!(wide.as_i64().unwrap() <= 0, "{} is {wide} pixels too wide", page.path());
}

#[test]
fn the_tabs_lead_everywhere_and_nothing_is_wider_than_the_screen() {
    let folder = tempfile::tempdir().unwrap();
    sample::text(
        &folder
            .path()
            .join("a long name of a file that nobody can read at once on a small screen.txt"),
        "one",
    );
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let _machine = Machine::join(&ann, "desk").root("Documents", folder.path()).start();
    let page = scene::sign_in_with(Options::default().phone(), &server, "ann");
    page.see(link("desk"));
    expect_fits(&page);
    page.expect_accessible();
    for (tab, title) in [("Drive", "Drive"), ("Transfers", "Transfers"), ("Search", "Search")] {
        page.click(link(tab));
        page.see(heading(title));
        expect_fits(&page);
        page.expect_accessible();
    }
    page.click(button("More"));
    page.expect_accessible();
    page.click(role("menuitem", "Settings"));
    page.see(heading("Settings"));
    expect_fits(&page);
    page.click(link("Machines"));
    page.click(link("desk"));
    page.see(text("Documents"));
    expect_fits(&page);
    page.click(css("[role=row] .label"));
    page.see(css("[role=row]"));
    expect_fits(&page);
    page.expect_accessible();
}

//! Mei's server has no certificate: on her own network she reaches it by its address, over plain http.

use std::net::UdpSocket;

use beckon_tests::{
    Server,
    page::{Page, button, field, heading, role, text},
};

use crate::{scene, wire::Wire};

#[test]
fn all_works_over_plain_http_and_the_way_in_says_that_it_is_not_private() {
    let Some(ip) = own_address() else {
        eprintln!("this machine has no address but loopback: nothing to look at");
        return;
    };
    let server = Server::start();
    let wire = Wire::to(&ip, server.address());
    let page = Page::open(&format!("{}/setup#{}", wire.url(), server.set_up_code()));
    page.see(heading("Set up Beckon"));
    assert_eq!(page.script("return isSecureContext", &[]), false);
    page.see(text("This connection is not private"));
    scene::make_account(&page, "mei");
    page.click(button("Skip for now"));
    page.see_path("/machines");
    page.reload();
    page.see(button("Account: mei"));
    page.click(button("Account: mei"));
    page.click(role("menuitem", "Sign out"));
    page.see(text("This connection is not private"));
    page.screenshot("sign-in-plain-http");
    page.expect_accessible();
    page.fill(field("Password"), &scene::password_of("mei"));
    page.click(button("Sign in"));
    page.see_path("/machines");
}

/// This machine's address in its network. Nothing is sent: a datagram socket only asks for the way.
pub(crate) fn own_address() -> Option<String> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_loopback() && !ip.is_unspecified()).then(|| ip.to_string())
}

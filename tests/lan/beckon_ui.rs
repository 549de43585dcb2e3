//! Ann's server speaks TLS on the Internet, and she does not want to be asked: `beckon ui` on her laptop gives the browser a page
//! that may reach her machine directly.

use std::time::Duration;

use beckon_tests::page::{Options, button, css};

use crate::{
    browser::{LARGE, Secure, direct, download, open},
    scene::{Desk, LITTLE},
};

const START_LIMIT: Duration = Duration::from_secs(20);

#[test]
fn the_app_on_loopback_reaches_a_machine_directly_without_a_question() {
    let Some(secure) = Secure::new() else { return };
    let world = &secure.world;
    let home = world.home("home", 77, 77);
    let (laptop, _) = home.computer("laptop", 20);
    let ann = secure.ann(&laptop);
    let desk = Desk::join(&ann, home.computer("desk", 10));
    let film = desk.put("film.mp4", LARGE);
    let ui = ann.cli().start(["ui", "--no-open"]);
    let url = ui.wait_for_line("open ", START_LIMIT);
    assert_eq!(url, "http://127.0.0.1:8442");
    let page = open(Options::default(), &laptop, &url, &desk, None);
    page.see(direct());
    let (passed, ()) = world.bytes_during(|| download(&page, &film));
    assert!(passed < LITTLE, "{passed} bytes passed the server");
    page.click(button("How is desk reached?"));
    page.see(css("dialog .reasons"));
    let reasons = page.read(css("dialog .reasons"));
    assert!(
        reasons.contains("192.168.77.10") && reasons.contains("proved"),
        "{reasons}"
    );
    page.screenshot("beckon-ui-direct");
}

//! Pictures of every page, on a wide screen and a phone, light and dark, to be held beside the mock.

use std::time::Duration;

use beckon_tests::{
    Account, Machine, Proxy, Server, Way,
    page::{Options, Page, css},
    sample,
};
use thirtyfour::Key;

use crate::scene;

const MIB: u64 = 1024 * 1024;

/// What a page shows when it is there.
const DRAWN: &str = ".main h1, .door h1";

fn pages(machine: &Machine, away: &Machine) -> Vec<(&'static str, String)> {
    vec![
        ("machines", "/machines".to_owned()),
        ("machines-add", "/machines#add".to_owned()),
        ("machine", format!("/machine/{}", machine.id())),
        ("machine-away", format!("/machine/{}", away.id())),
        ("device", format!("/device/{}", machine.id())),
        ("drive", "/drive".to_owned()),
        ("drive-folder", "/drive/desk/Documents".to_owned()),
        ("transfers", "/transfers".to_owned()),
        ("search", "/search".to_owned()),
        ("settings", "/settings".to_owned()),
        ("admin", "/admin".to_owned()),
    ]
}

fn take(page: &mut Page, pages: &[(&str, String)]) {
    for is_dark in [false, true] {
        page.set_dark(is_dark);
        for (name, place) in pages {
            page.go(place);
            page.see(css(DRAWN));
            if place.ends_with("#add") {
                // The page was opened anew, so the account key is gone.
                page.fill(css("dialog[open] input[type=password]"), &scene::password_of("ann"));
                page.press(Key::Enter);
                page.see(css(".command"));
            }
            page.see_gone(css(".main [aria-busy=true]"));
            page.screenshot(name);
        }
    }
}

#[test]
fn every_page_is_drawn_wide_and_narrow_light_and_dark() {
    let (folder, archive) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    sample::small_tree(folder.path());
    for number in 0..12 {
        let name = format!("Kestrel/survey-{number:02}.tif");
        sample::random_file(&folder.path().join(&name), 2 * MIB, number);
        // Other bytes, so that they have to travel.
        sample::random_file(&archive.path().join(&name), 2 * MIB, 100 + number);
    }
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let desk = Machine::join(&ann, "desk").root("Documents", folder.path()).start();
    let proxy = Proxy::to(server.address());
    let far = Machine::join_with(&proxy.url(), &ann.join_code(&[]), "studio-nas").root("Archive", archive.path()).start();
    let mut away = Machine::join(&ann, "mei-laptop").root("Thesis", folder.path()).start();
    away.stop();
    ann.cli().run(["upload", "desk:Documents"]);
    ann.cli().run(["upload", "mei-laptop:Thesis"]);
    proxy.allow(Way::Up, 9 * MIB);
    ann.cli().run(["upload", "studio-nas:Archive"]).expect_ok();
    proxy.wait_held_up(Way::Up, Duration::from_secs(60));
    let pages = pages(&desk, &away);
    take(&mut scene::sign_in(&server, "ann"), &pages);
    take(&mut scene::sign_in_with(Options::default().phone(), &server, "ann"), &pages);
    drop(far);
}

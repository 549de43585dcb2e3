//! Pictures of every page, on a wide screen and a phone, light and dark, to be held beside the mock.

use std::time::Duration;

use beckon_tests::{
    Account, Machine, Proxy, Server, Way,
    page::{Options, Page, css},
    sample, wait_until,
};
use thirtyfour::Key;

use crate::scene;

const MIB: u64 = 1024 * 1024;

/// A picture's name, its page, and what is seen when that is there.
type Shot = (&'static str, String, &'static str);

fn pages(machine: &Machine, away: &Machine, transfers: [String; 3]) -> Vec<Shot> {
    let [done, waiting, running] = transfers.map(|id| format!("/transfers/{id}"));
    vec![
        ("machines", "/machines".to_owned(), ".device .dot.on"),
        ("machines-add", "/machines#add".to_owned(), ".device .dot.on"),
        ("machine", format!("/machine/{}", machine.id()), ".file .stored.safe"),
        ("machine-away", format!("/machine/{}", away.id()), ".file .label"),
        ("device", format!("/device/{}", machine.id()), ".visits tbody tr"),
        ("device-away", format!("/device/{}", away.id()), ".banner .button"),
        ("drive", "/drive".to_owned(), ".file .label"),
        ("drive-folder", "/drive/desk/Documents".to_owned(), ".file .label"),
        ("transfers", "/transfers".to_owned(), ".main .transfer"),
        ("transfer-done", done, ".story tbody tr"),
        ("transfer-away", waiting, ".story tbody tr"),
        ("transfer", running, ".story tbody tr"),
        ("search", "/search".to_owned(), ".main .empty"),
        ("settings", "/settings".to_owned(), ".main .card li"),
        ("admin", "/admin".to_owned(), ".main .table tbody tr"),
    ]
}

fn take(page: &mut Page, pages: &[Shot]) {
    for is_dark in [false, true] {
        page.set_dark(is_dark);
        for (name, place, there) in pages {
            page.go(place);
            page.see(css(*there));
            if place.ends_with("#add") {
                // The page was opened anew, so the account key is gone.
                page.fill(css("dialog[open] input[type=password]"), &scene::password_of("ann"));
                page.press(Key::Enter);
                page.see(css(".command"));
            }
            page.see_gone(css(".main [aria-busy=true], .main .bone"));
            page.screenshot(name);
        }
    }
}

#[test]
fn what_is_kept_current_is_drawn_wide_and_narrow_light_and_dark() {
    let (folder, backup) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    sample::small_tree(folder.path());
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let desk = Machine::join(&ann, "desk").root("Documents", folder.path()).start();
    let nas = Machine::join(&ann, "nas")
        .writable_root("Backup", backup.path())
        .start();
    let ordered = |args: &[&str]| {
        let placed = ann.cli().run([&["--json"], args].concat()).json();
        placed["id"].as_str().expect("an id").to_owned()
    };
    let watch = ordered(&["watch", "desk:Documents"]);
    let follow = ordered(&["follow", "desk:Documents", "--on", "nas:Backup/Documents"]);
    let copied = backup.path().join("Documents/empty.txt");
    let limit = Duration::from_secs(60);
    wait_until("the copy stands", limit, || {
        let shown = ann.cli().run(["--json", "transfers", "show", &follow]).json();
        shown["hold"] == "current" && copied.exists()
    });
    sample::text(&copied, "changed on nas");
    sample::text(&folder.path().join("empty.txt"), "changed on desk");
    let root = |page: &Page, machine: &Machine, name: &str| {
        page.go(&format!("/machine/{}", machine.id()));
        page.click(css(format!(".file .label[title='{name}']")));
        page.see(css(".switch"));
        page.path()
    };
    for options in [Options::default(), Options::default().phone()] {
        let mut page = scene::sign_in_with(options, &server, "ann");
        page.set_limit(limit);
        page.see(css(".device .dot.on"));
        let (watched, written) = (root(&page, &desk, "Documents"), root(&page, &nas, "Backup"));
        let pages = [
            ("kept-machine", watched, ".relations li"),
            ("kept-copy", written, ".relations .badge"),
            ("kept-transfers", "/transfers".to_owned(), ".main .transfer .why"),
            ("kept-watch", format!("/transfers/{watch}"), ".story tbody tr"),
            ("kept-follow", format!("/transfers/{follow}"), ".conflict"),
        ];
        take(&mut page, &pages);
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
    let far = Machine::join_with(&proxy.url(), &ann.join_code(&[]), "studio-nas")
        .root("Archive", archive.path())
        .start();
    let mut away = Machine::join(&ann, "mei-laptop").root("Thesis", folder.path()).start();
    away.stop();
    let upload = |what: &str| {
        let placed = ann.cli().run(["--json", "upload", what]).json();
        placed["id"].as_str().expect("an id").to_owned()
    };
    let (done, waiting) = (upload("desk:Documents"), upload("mei-laptop:Thesis"));
    proxy.allow(Way::Up, 9 * MIB);
    let running = upload("studio-nas:Archive");
    proxy.wait_held_up(Way::Up, Duration::from_secs(60));
    let pages = pages(&desk, &away, [done, waiting, running]);
    take(&mut scene::sign_in(&server, "ann"), &pages);
    take(
        &mut scene::sign_in_with(Options::default().phone(), &server, "ann"),
        &pages,
    );
    drop(far);
}

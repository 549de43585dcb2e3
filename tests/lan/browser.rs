//! Ann's browser reaches her machine directly where it may, says by which way it goes, and never asks her on its own.

use std::{path::Path, time::Duration};

use beckon_tests::{
    Account, Cli, Server,
    net::Host,
    page::{LanAnswer, Options, Page, Target, button, css, field, text},
};

use crate::{
    authority::Authority,
    scene::{Desk, LITTLE, MIB, SOON, World, assert_same},
};

/// What is fetched: so much that nothing else in a story weighs as much.
pub(crate) const LARGE: u64 = 32 * MIB;

/// The badge of a machine that is reached directly.
pub(crate) fn direct() -> Target {
    css(".reach .badge.ok")
}

/// The button beside the badge of a machine that is reached by way of the server.
fn why() -> Target {
    button("Why does desk go by relay?")
}

/// Ann signs in and opens a folder of her machine. `answer`: what she answered before when asked for the LAN.
#[track_caller]
pub(crate) fn open(options: Options, laptop: &Host, url: &str, desk: &Desk, answer: Option<LanAnswer>) -> Page {
    let page = Page::open_with(options.on(laptop), &format!("{url}/sign-in"));
    if let Some(answer) = answer {
        page.answer_lan_question(answer);
    }
    page.fill(field("Name"), "ann");
    page.fill(field("Password"), "correct horse of ann");
    page.click(button("Sign in"));
    page.see_path("/machines");
    page.go(&format!("/machine/{}", desk.machine.id()));
    page.click(row("Documents"));
    page.see(row("film.mp4"));
    // A direct way that was not found in time is looked for again after a minute.
    page.set_limit(Duration::from_secs(150));
    page
}

fn row(name: &str) -> Target {
    css(format!(".file .label[title=\"{name}\"]"))
}

/// Downloads the film and compares it.
#[track_caller]
pub(crate) fn download(page: &Page, film: &Path) {
    page.click(css(".file:has([title='film.mp4']) .meta"));
    page.press("d");
    assert_same(film, &page.downloaded("film.mp4"));
}

/// What the page says of why it goes by relay.
#[track_caller]
fn reasons(page: &Page) -> String {
    page.click(why());
    page.see(css("dialog .reasons"));
    page.read(css("dialog .reasons"))
}

#[track_caller]
fn permission(page: &Page) -> String {
    let ask = "const done = arguments[0];
        navigator.permissions.query({ name: 'local-network' }).then((status) => done(status.state));";
    page.script_async(ask, &[]).as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_page_from_a_server_at_home_reaches_a_machine_directly_without_a_question() {
    let world = World::with(|host, lan| {
        let uplink = host.connect(lan, &["192.168.77.5/24"]);
        (Server::options().on(host, "192.168.77.5:80").start(), uplink)
    });
    let Some(world) = world else { return };
    let computer = |name: &str, number: u8| {
        let host = world.network.host(name);
        let cable = host.connect(&world.internet, &[&format!("192.168.77.{number}/24")]);
        (host, cable)
    };
    let (laptop, _) = computer("laptop", 20);
    let ann = world.ann(&Cli::on(&laptop));
    let desk = Desk::join(&ann, computer("desk", 10));
    let film = desk.put("film.mp4", LARGE);
    let page = open(Options::default(), &laptop, world.server.url(), &desk, None);
    // What Chromium says of every download that comes without TLS.
    page.expect_error("loaded over an insecure connection");
    page.see(direct());
    assert!(page.read(direct()).contains("LAN"), "{}", page.read(direct()));
    let (passed, ()) = world.bytes_during(|| download(&page, &film));
    assert!(passed < LITTLE, "{passed} bytes passed the server");
    page.click(button("How is desk reached?"));
    page.see(css("dialog .reasons"));
    let reasons = page.read(css("dialog .reasons"));
    assert!(
        reasons.contains("192.168.77.10") && reasons.contains("proved"),
        "{reasons}"
    );
}

/// A home, and a server on the Internet that speaks TLS.
pub(crate) struct Secure {
    authority: Authority,
    pub(crate) world: World,
}

impl Secure {
    #[track_caller]
    pub(crate) fn new() -> Option<Self> {
        let authority = Authority::for_address("203.0.113.10");
        let world = World::with(|host, internet| {
            let uplink = host.connect(internet, &["203.0.113.10/24"]);
            let options = authority.certify(Server::options()).on(host, "203.0.113.10:443");
            (options.start(), uplink)
        })?;
        Some(Self { authority, world })
    }

    #[track_caller]
    pub(crate) fn ann(&self, laptop: &Host) -> Account {
        self.world.ann(&Cli::on(laptop).with_ca(self.authority.file()))
    }

    fn browser(&self) -> Options {
        self.authority.trusted_by(Options::default())
    }
}

/// Tells of Ann, who answered so before she opens her machine; `look` is what she sees, with the film.
#[track_caller]
fn tell(answer: Option<LanAnswer>, look: impl FnOnce(&Page, &World, &Path)) {
    let Some(secure) = Secure::new() else { return };
    let home = secure.world.home("home", 77, 77);
    let (laptop, _) = home.computer("laptop", 20);
    let ann = secure.ann(&laptop);
    let desk = Desk::join(&ann, home.computer("desk", 10));
    let film = desk.put("film.mp4", LARGE);
    let page = open(secure.browser(), &laptop, secure.world.server.url(), &desk, answer);
    look(&page, &secure.world, &film);
}

#[test]
fn a_page_from_the_internet_reaches_a_machine_directly_once_it_may() {
    tell(Some(LanAnswer::Granted), |page, world, film| {
        page.see(direct());
        let (passed, ()) = world.bytes_during(|| download(page, film));
        assert!(passed < LITTLE, "{passed} bytes passed the server");
    });
}

#[test]
fn a_page_that_may_not_goes_by_relay_and_says_what_to_do() {
    tell(Some(LanAnswer::Denied), |page, world, film| {
        let reasons = reasons(page);
        assert!(reasons.contains("site settings"), "{reasons}");
        page.press(thirtyfour::Key::Escape);
        let (passed, ()) = world.bytes_during(|| download(page, film));
        assert!(passed > 2 * LARGE, "{passed}");
        assert!(!page.has(direct()));
    });
}

#[test]
fn nobody_is_asked_before_a_click() {
    tell(None, |page, world, film| {
        page.see(text("desk is on your network."));
        let (passed, ()) = world.bytes_during(|| download(page, film));
        assert!(passed > 2 * LARGE, "{passed}");
        page.reload();
        page.see(text("desk is on your network."));
        // A browser without a window takes its own question for a no: so none was asked.
        assert_eq!(permission(page), "prompt");
        // The browser's own word on the socket that it then refuses.
        page.expect_error("ERR_BLOCKED_BY_LOCAL_NETWORK_ACCESS_CHECKS");
        page.click(button("Turn on LAN speed"));
        beckon_tests::wait_until("it was asked", SOON, || permission(page) == "denied");
        page.see(why());
        page.see_gone(text("desk is on your network."));
    });
}

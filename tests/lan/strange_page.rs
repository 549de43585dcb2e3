//! A page of somebody else, in a browser in the LAN of a machine, gets nothing from its endpoint.

use beckon_shared::wire::SESSION_PROTOCOL;
use beckon_tests::{
    Cli,
    net::Knock,
    page::{Options, Page},
};
use serde_json::{Value, json};

use crate::{
    scene::{Desk, SOON, World, see_knock},
    stranger::Stranger,
};

/// Opens a socket as the app does, and tells what happens to it until it is closed, or has been open for a second.
const OPEN: &str = "const [url, protocol, done] = arguments; const seen = [];
    const socket = new WebSocket(url, [protocol]);
    socket.onopen = () => { seen.push('open'); setTimeout(() => socket.close(), 1000); };
    socket.onmessage = () => seen.push('message');
    socket.onclose = (event) => done([...seen, event.code === 1006 ? 'cut' : 'closed']);";

/// Asks for it by HTTP, and tells whether anything came.
const FETCH: &str = "const [url, done] = arguments;
    fetch(url, { mode: 'no-cors' }).then(() => done('an answer'), () => done('nothing'));";

#[test]
fn a_page_of_somebody_else_gets_nothing_from_a_machine_unless_its_owner_says_so() {
    let Some(world) = World::new() else { return };
    let home = world.home("home", 77, 77);
    let (laptop, _) = home.computer("laptop", 20);
    let ann = world.ann(&Cli::on(&laptop));
    let desk = Desk::join(&ann, home.computer("desk", 10));
    let at = format!("{}:{}", home.address(10), desk.wait_for_port(ann.cli()));
    see_knock(&laptop, at.parse().unwrap(), Knock::Open);
    let (shop, _) = home.computer("shop", 30);
    let _shop = Stranger::start(&shop, 80, "page");

    let page = Page::open_with(Options::default().on(&laptop), "http://192.168.77.30/");
    // What the browser says of sockets and answers that do not come.
    page.expect_error(&at);
    let open = |url: &str| page.script_async(OPEN, &[json!(url), json!(SESSION_PROTOCOL)]);
    let (lan, other) = (format!("ws://{at}/lan"), format!("ws://{at}/"));
    assert_eq!([open(&lan), open(&other)], [json!(["cut"]), json!(["cut"])]);
    for path in ["/", "/lan", "/api/session"] {
        let answer = page.script_async(FETCH, &[json!(format!("http://{at}{path}"))]);
        assert_eq!(answer, Value::from("nothing"), "{path}");
    }

    desk.lan(&["origin", "add", "http://192.168.77.30"]);
    beckon_tests::wait_until("the owner's word counts", SOON, || open(&lan)[0] == "open");
    assert_eq!(open(&other), json!(["cut"]), "nothing but sessions is spoken");
}

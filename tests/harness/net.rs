//! Networks for tests: computers, cables, switches and routers, each computer a network namespace of its own.
//!
//! ```no_run
//! use beckon_tests::net::Network;
//!
//! let Some(network) = Network::new() else { return };
//! let internet = network.switch("internet");
//! let home = network.switch("home");
//! let router = network.host("router");
//! router.connect(&internet, &["203.0.113.77/24"]);
//! router.connect(&home, &["192.168.77.1/24"]);
//! router.hide_behind("eth0");
//! let desk = network.host("desk");
//! let cable = desk.connect(&home, &["192.168.77.10/24"]);
//! desk.route("default", "192.168.77.1");
//! cable.pull();
//! ```
//!
//! Programs are started in a computer by [`Cli::on`](crate::Cli::on) and its like. Dropping the network ends what still runs
//! in it. Switches live in a namespace without any address, so that no packet of a test is seen by the computer it runs on.

mod command;
mod host;
mod sweep;

use std::{
    cell::{Cell, RefCell},
    env,
    rc::Rc,
    sync::atomic::{AtomicU32, Ordering},
};

pub use self::host::{Bytes, Cable, Host, Knock};
use self::{
    command::{ip, try_run},
    sweep::sweep,
};

/// What the names of all namespaces of tests begin with; the id of the test's process and a number follow.
const PREFIX: &str = "beckon";

/// Some computers and what connects them. Dropping it ends all programs in it, and removes it.
pub struct Network {
    inner: Rc<Inner>,
}

/// What the parts of a network share.
struct Inner {
    /// What the names of its namespaces begin with.
    name: String,
    namespaces: RefCell<Vec<String>>,
    ports: Cell<u32>,
}

/// A switch, or a radio cell: who is connected to it is in one LAN.
pub struct Switch {
    /// Its name in the namespace of the switches.
    bridge: String,
}

impl Network {
    /// An empty one; nothing where this user cannot make networks, which is said loudly. Under `CI` that is a failure.
    pub fn new() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        sweep();
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let network = Self {
            inner: Rc::new(Inner {
                name: format!("{PREFIX}-{}-{number}", std::process::id()),
                namespaces: RefCell::default(),
                ports: Cell::new(0),
            }),
        };
        match network.inner.try_make(SWITCHES) {
            Ok(_) => Some(network),
            Err(error) => {
                assert!(env::var_os("CI").is_none(), "cannot make networks for tests: {error}");
                eprintln!("SKIPPED: a story of networks was NOT told, because this user cannot make any: {error}");
                None
            }
        }
    }

    /// A switch of this name, of at most 15 letters.
    #[track_caller]
    pub fn switch(&self, name: &str) -> Switch {
        let switches = self.inner.switches();
        // Whoever asks to hear a group of addresses hears it at once: nobody here plays the one who asks around.
        let bridge = ["type", "bridge", "mcast_snooping", "0", "forward_delay", "0"];
        ip(&switches, &[&["link", "add", "name", name, "up"][..], &bridge].concat());
        Switch {
            bridge: name.to_owned(),
        }
    }

    /// A computer without any cable.
    #[track_caller]
    pub fn host(&self, name: &str) -> Host {
        let made = self.inner.try_make(name);
        let namespace = made.unwrap_or_else(|error| panic!("no computer {name}: {error}"));
        Host::start(Rc::clone(&self.inner), namespace)
    }
}

/// The name of the namespace that the switches live in.
const SWITCHES: &str = "switches";

impl Inner {
    /// The namespace of the switches.
    fn switches(&self) -> String {
        self.namespace(SWITCHES)
    }

    fn namespace(&self, name: &str) -> String {
        format!("{}-{name}", self.name)
    }

    fn try_make(&self, name: &str) -> Result<String, String> {
        let namespace = self.namespace(name);
        try_run(&["ip", "netns", "add", &namespace])?;
        self.namespaces.borrow_mut().push(namespace.clone());
        Ok(namespace)
    }

    /// A name for one more end of a cable at a switch.
    fn port(&self) -> String {
        let number = self.ports.get() + 1;
        self.ports.set(number);
        format!("port{number}")
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        for namespace in self.namespaces.take() {
            sweep::remove(&namespace);
        }
    }
}

#[cfg(test)]
mod tests;

//! A computer in a network for tests, and the cables in it.

use std::{cell::Cell, ffi::OsString, net::SocketAddr, rc::Rc};

use super::{
    Inner, Switch,
    command::{ip, run, try_run, try_run_with_input},
};

/// A computer: programs in it see its interfaces `eth0`, `eth1` and no others.
pub struct Host {
    network: Rc<Inner>,
    namespace: String,
    cables: Cell<u32>,
}

impl Host {
    #[track_caller]
    pub(super) fn start(network: Rc<Inner>, namespace: String) -> Self {
        let host = Self {
            network,
            namespace,
            cables: Cell::new(0),
        };
        ip(&host.namespace, &["link", "set", "lo", "up"]);
        // Nobody else has an address of a test: to ask around first would cost a second each.
        host.set("net.ipv6.conf.default.accept_dad", "0");
        host
    }

    /// Connects it to a switch by its next interface (`eth0`, `eth1`), with addresses like `192.168.1.2/24`.
    #[track_caller]
    pub fn connect(&self, switch: &Switch, addresses: &[&str]) -> Cable {
        let number = self.cables.get();
        self.cables.set(number + 1);
        self.connect_as(&format!("eth{number}"), switch, addresses)
    }

    /// Connects it by an interface of this name: `wg0` looks like a VPN's.
    #[track_caller]
    pub fn connect_as(&self, interface: &str, switch: &Switch, addresses: &[&str]) -> Cable {
        let (switches, port) = (self.network.switches(), self.network.port());
        let ends = ["type", "veth", "peer", "name", interface, "netns", &self.namespace];
        ip(&switches, &[&["link", "add", "name", &port][..], &ends].concat());
        ip(&switches, &["link", "set", &port, "master", &switch.bridge, "up"]);
        let cable = Cable {
            switches,
            port,
            namespace: self.namespace.clone(),
            interface: interface.to_owned(),
        };
        ip(&self.namespace, &["link", "set", interface, "up"]);
        for address in addresses {
            cable.add_address(address);
        }
        cable
    }

    /// Sends what goes to `to` (`default`, `10.0.0.0/8`) by way of a router's address.
    #[track_caller]
    pub fn route(&self, to: &str, via: &str) {
        ip(&self.namespace, &["route", "add", to, "via", via]);
    }

    /// Makes it a router, IPv6 included, that changes no address.
    #[track_caller]
    pub fn forward(&self) {
        self.set("net.ipv4.ip_forward", "1");
        self.set("net.ipv6.conf.all.forwarding", "1");
    }

    /// Makes it a router that has all IPv4 addresses appear as its own on `outside`, and lets nothing in by itself.
    #[track_caller]
    pub fn hide_behind(&self, outside: &str) {
        self.forward();
        // Each closing brace stands on its own line: nft 1.0 wants it so.
        self.filter(&format!(
            "table ip hide {{\n\
             chain out {{\ntype nat hook postrouting priority 100;\noifname \"{outside}\" masquerade\n}}\n\
             chain through {{\ntype filter hook forward priority 0;\n\
             iifname \"{outside}\" ct state new drop\n}}\n\
             }}\n"
        ));
    }

    /// Has the router lose what comes from an IPv4 address, without a word, until [`Host::lose_nothing`].
    #[track_caller]
    pub fn lose_from(&self, address: &str) {
        self.filter(&format!(
            "table ip lose {{\nchain through {{\ntype filter hook forward priority -10;\nip saddr {address} drop\n}}\n}}\n"
        ));
    }

    /// Undoes [`Host::lose_from`].
    #[track_caller]
    pub fn lose_nothing(&self) {
        self.filter("delete table ip lose\n");
    }

    /// Asks for a connection, by a program that is not ours.
    pub fn knock(&self, at: SocketAddr) -> Knock {
        let connect = format!("exec 3<>/dev/tcp/{}/{}", at.ip(), at.port());
        let shell = ["timeout", KNOCK_SECONDS, "bash", "-c", &connect];
        match try_run(&[&self.words()[..], &shell].concat()) {
            Ok(_) => Knock::Open,
            Err(error) if error.contains("refused") => Knock::Refused,
            Err(_) => Knock::Silent,
        }
    }

    /// The words that a command begins with which is to run in it.
    pub fn through(&self) -> Vec<OsString> {
        self.words().iter().map(OsString::from).collect()
    }

    /// Runs a program in it, which must end well; what it printed.
    #[track_caller]
    pub fn run(&self, words: &[&str]) -> String {
        run(&[&self.words()[..], words].concat())
    }

    /// The name of its namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    fn words(&self) -> [&str; 4] {
        ["ip", "netns", "exec", &self.namespace]
    }

    #[track_caller]
    fn filter(&self, rules: &str) {
        let nft = [&self.words()[..], &["nft", "-f", "-"]].concat();
        try_run_with_input(&nft, rules).unwrap_or_else(|error| panic!("the rules are not taken: {error}"));
    }

    #[track_caller]
    fn set(&self, name: &str, value: &str) {
        self.run(&["sysctl", "-qw", &format!("{name}={value}")]);
    }
}

/// How long [`Host::knock`] waits.
const KNOCK_SECONDS: &str = "1";

/// What came of asking for a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Knock {
    /// Somebody listens.
    Open,
    /// The computer is there, and nobody listens.
    Refused,
    /// Nothing came back in time, or there is no way.
    Silent,
}

/// A cable from a computer to a switch.
pub struct Cable {
    switches: String,
    port: String,
    namespace: String,
    interface: String,
}

/// What has gone over a cable so far, headers included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytes {
    /// To the computer.
    pub received: u64,
    /// From it.
    pub sent: u64,
}

impl Bytes {
    /// In both directions.
    pub fn sum(self) -> u64 {
        self.received + self.sent
    }
}

impl Cable {
    /// Pulls it out of the switch: the computer sees that, keeps its address, and gets no error.
    #[track_caller]
    pub fn pull(&self) {
        ip(&self.switches, &["link", "set", &self.port, "down"]);
    }

    /// Plugs it in again.
    #[track_caller]
    pub fn plug(&self) {
        ip(&self.switches, &["link", "set", &self.port, "up"]);
    }

    /// Has the switch pass nothing between this cable and others of which the same was asked, as radio cells for guests do.
    /// The computers do not see it.
    #[track_caller]
    pub fn isolate(&self) {
        self.set_isolated("on");
    }

    /// Undoes [`Cable::isolate`].
    #[track_caller]
    pub fn join(&self) {
        self.set_isolated("off");
    }

    /// Passes at most so many MB a second, each way.
    #[track_caller]
    pub fn limit(&self, rate: u32) {
        for (namespace, interface) in [(&self.switches, &self.port), (&self.namespace, &self.interface)] {
            let rate = format!("{rate}mbps");
            let bucket = ["tbf", "rate", &rate, "burst", "256kb", "latency", "100ms"];
            let words = ["tc", "-n", namespace, "qdisc", "replace", "dev", interface, "root"];
            run(&[&words[..], &bucket].concat());
        }
    }

    /// Gives the computer one more address on this cable.
    #[track_caller]
    pub fn add_address(&self, address: &str) {
        let mut words = vec!["address", "add", address, "dev", &self.interface];
        // Of IPv4 one is asked to name it; without it nothing is sent to all in the network.
        if !address.contains(':') {
            words.extend(["broadcast", "+"]);
        }
        ip(&self.namespace, &words);
    }

    /// Takes an address from the computer, and the routes that go by it.
    #[track_caller]
    pub fn remove_address(&self, address: &str) {
        ip(&self.namespace, &["address", "del", address, "dev", &self.interface]);
    }

    /// What has gone over it so far.
    #[track_caller]
    pub fn bytes(&self) -> Bytes {
        let text = ip(
            &self.namespace,
            &["-json", "-statistics", "link", "show", "dev", &self.interface],
        );
        let links: serde_json::Value = serde_json::from_str(&text).expect("ip prints JSON");
        let count = |way: &str| links[0]["stats64"][way]["bytes"].as_u64().expect("a counter");
        Bytes {
            received: count("rx"),
            sent: count("tx"),
        }
    }

    /// The name of the interface in the computer.
    pub fn interface(&self) -> &str {
        &self.interface
    }

    #[track_caller]
    fn set_isolated(&self, word: &str) {
        let slave = ["type", "bridge_slave", "isolated", word];
        ip(&self.switches, &[&["link", "set", &self.port][..], &slave].concat());
    }
}

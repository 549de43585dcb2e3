//! Where these stories begin: the Internet with a server on it, homes behind routers, and who is in them.

use std::{
    fs::File,
    net::{IpAddr, SocketAddr},
    path::Path,
    time::Duration,
};

use beckon_tests::{
    Account, Cli, Machine, Server,
    net::{Cable, Host, Knock, Network, Switch},
    sample, wait_for, wait_until,
};
use serde_json::Value;
use tempfile::TempDir;

/// What another process does at once when the machine is not busy.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// What may take its time on a busy machine.
pub(crate) const LONG: Duration = Duration::from_secs(120);

pub(crate) const MIB: u64 = 1 << 20;

/// What may pass the server while something large goes directly: greetings, lists, a spare line.
pub(crate) const LITTLE: u64 = MIB;

/// The Internet: a server, and room for homes.
pub(crate) struct World {
    pub(crate) server: Server,
    /// The server's way to everybody.
    pub(crate) uplink: Cable,
    pub(crate) internet: Switch,
    pub(crate) network: Network,
}

impl World {
    /// Nothing where no networks can be made, which was said then.
    #[track_caller]
    pub(crate) fn new() -> Option<Self> {
        Self::with(|host, internet| {
            let uplink = host.connect(internet, &["203.0.113.10/24"]);
            (Server::options().on(host, "203.0.113.10:80").start(), uplink)
        })
    }

    /// With a server that is connected and started on its computer in a way of its own.
    #[track_caller]
    pub(crate) fn with(start: impl FnOnce(&Host, &Switch) -> (Server, Cable)) -> Option<Self> {
        let network = Network::new()?;
        let (internet, host) = (network.switch("internet"), network.host("server"));
        let (server, uplink) = start(&host, &internet);
        Some(Self {
            server,
            uplink,
            internet,
            network,
        })
    }

    /// A home whose router appears at 203.0.113.`public` and hides 192.168.`lan`.0/24.
    #[track_caller]
    pub(crate) fn home(&self, name: &'static str, public: u8, lan: u8) -> Home<'_> {
        let outside = format!("203.0.113.{public}/24");
        self.home_behind(&self.internet, &outside, None, name, lan)
    }

    /// A home whose router stands in another network, for instance a carrier's, with an address and a way out of it.
    #[track_caller]
    pub(crate) fn home_behind(
        &self,
        outside: &Switch,
        address: &str,
        gateway: Option<&str>,
        name: &'static str,
        lan: u8,
    ) -> Home<'_> {
        let switch = self.network.switch(name);
        let router = self.network.host(&format!("{name}-router"));
        router.connect(outside, &[address]);
        router.connect(&switch, &[&format!("192.168.{lan}.1/24")]);
        router.hide_behind("eth0");
        if let Some(gateway) = gateway {
            router.route("default", gateway);
        }
        Home {
            world: self,
            name,
            lan,
            router,
            switch,
        }
    }

    /// Ann signs up on a terminal.
    #[track_caller]
    pub(crate) fn ann(&self, cli: &Cli) -> Account {
        Account::sign_up_on(cli.clone(), self.server.url(), &self.server.set_up_code(), "ann")
    }

    /// The bytes that pass the server's cable while something is done.
    pub(crate) fn bytes_during<T>(&self, act: impl FnOnce() -> T) -> (u64, T) {
        let before = self.uplink.bytes().sum();
        let done = act();
        (self.uplink.bytes().sum() - before, done)
    }
}

/// A LAN behind a router.
pub(crate) struct Home<'a> {
    world: &'a World,
    name: &'static str,
    lan: u8,
    pub(crate) router: Host,
    pub(crate) switch: Switch,
}

impl Home<'_> {
    /// The address of whoever has this number.
    pub(crate) fn address(&self, number: u8) -> IpAddr {
        IpAddr::from([192, 168, self.lan, number])
    }

    /// A computer of this name and number, whose way into the Internet is the router.
    #[track_caller]
    pub(crate) fn computer(&self, name: &str, number: u8) -> (Host, Cable) {
        let host = self.world.network.host(&format!("{}-{name}", self.name));
        let cable = host.connect(&self.switch, &[&self.with_range(number)]);
        host.route("default", &self.address(1).to_string());
        (host, cable)
    }

    /// The address of this number with its range, as [`Cable::add_address`] takes it.
    pub(crate) fn with_range(&self, number: u8) -> String {
        format!("{}/24", self.address(number))
    }
}

/// A machine on a computer of a network, with one root `Documents`.
pub(crate) struct Desk {
    pub(crate) machine: Machine,
    pub(crate) host: Host,
    pub(crate) cable: Cable,
    pub(crate) documents: TempDir,
}

impl Desk {
    /// Joins as `desk` and waits until it is known to listen in its LAN.
    #[track_caller]
    pub(crate) fn join(account: &Account, at: (Host, Cable)) -> Self {
        let desk = Self::join_without_waiting(account, "desk", at);
        desk.wait_for_port(account.cli());
        desk
    }

    /// Joins, whether it listens or not.
    #[track_caller]
    pub(crate) fn join_without_waiting(account: &Account, name: &str, (host, cable): (Host, Cable)) -> Self {
        let documents = tempfile::tempdir().unwrap();
        let joining = Machine::join(account, name).root("Documents", documents.path());
        Self {
            machine: joining.on(&host).start(),
            host,
            cable,
            documents,
        }
    }

    /// The port that the server knows it to listen at, once it does.
    #[track_caller]
    pub(crate) fn wait_for_port(&self, cli: &Cli) -> u16 {
        wait_for("the machine listens in its LAN", SOON, || {
            lan_port(cli, self.machine.name())
        })
    }

    /// Puts a file of random bytes into the root; its path.
    pub(crate) fn put(&self, name: &str, size: u64) -> std::path::PathBuf {
        let path = self.documents.path().join(name);
        sample::random_file(&path, size, size);
        path
    }

    /// Has the machine's own command line do something with its endpoint: `["allow", "here"]`.
    #[track_caller]
    pub(crate) fn lan(&self, args: &[&str]) -> String {
        let args = ["lan"].iter().chain(args);
        self.machine.cli().run(args).expect_ok().stdout()
    }
}

/// The port that a machine is known to listen at.
#[track_caller]
pub(crate) fn lan_port(cli: &Cli, machine: &str) -> Option<u16> {
    let shown = json(cli, &["device", "show", machine]);
    u16::try_from(shown["lan_port"].as_u64()?).ok()
}

/// Waits until somebody who asks for a connection from there is answered so.
#[track_caller]
pub(crate) fn see_knock(from: &Host, at: SocketAddr, expected: Knock) {
    wait_until(&format!("{at} is {expected:?}"), SOON, || from.knock(at) == expected);
}

/// Runs a command with `--json`, which must end well, and reads what it prints.
#[track_caller]
pub(crate) fn json(cli: &Cli, args: &[&str]) -> Value {
    cli.run(["--json"].iter().chain(args)).expect_ok().json()
}

/// Fetches a file of `desk` and compares it with what lies there.
#[track_caller]
pub(crate) fn get(cli: &Cli, desk: &Desk, name: &str, options: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("copy");
    let (place, file) = (format!("desk:Documents/{name}"), to.display().to_string());
    let mut args = options.to_vec();
    args.extend(["get", &place, "-o", &file]);
    cli.with_limit(LONG).run(args).expect_ok();
    assert_same(&desk.documents.path().join(name), &to);
}

/// The names in a folder of a machine.
#[track_caller]
pub(crate) fn names(cli: &Cli, place: &str) -> Vec<String> {
    let list = json(cli, &["ls", place]);
    let entries = list.as_array().expect("a list");
    entries
        .iter()
        .map(|entry| entry["name"].as_str().expect("a name").to_owned())
        .collect()
}

/// Panics unless two files hold the same.
#[track_caller]
pub(crate) fn assert_same(one: &Path, other: &Path) {
    assert_eq!(hash(one), hash(other), "{} differs", other.display());
}

#[track_caller]
fn hash(path: &Path) -> blake3::Hash {
    let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(file).unwrap();
    hasher.finalize()
}

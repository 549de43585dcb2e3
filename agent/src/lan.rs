//! The machine's own endpoint: controllers in the same network reach it directly, where its owner allows it.

mod endpoint;
mod gate;
mod greeting;
mod listen;
pub(crate) mod mdns;
mod network;
mod policy;
pub(crate) mod status;

use std::{convert::Infallible, net::IpAddr, sync::Arc, time::Duration};

use beckon_shared::device::{InterfaceKind, NetAddress};
use ipnet::IpNet;
use tokio::{
    sync::{Semaphore, watch},
    time::Instant,
};

pub(crate) use policy::{Network, Policy};

use crate::{agent::Agent, hello, host::Changes, origin::Origin};
use endpoint::Door;
use greeting::Guests;
use listen::Listeners;
use network::{Link, Looker};
use policy::Reach;
use status::{Row, Seen};

/// Where a machine listens, unless its owner chose another port or this one is taken.
pub(crate) const PORT: u16 = 47_820;
/// So many direct sessions at once; each may hold large listings.
const SESSIONS_MAX: usize = 32;
/// How often the system is asked whether anything changed, and in which networks the machine is now.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// The networks are looked at so often although it told of no change.
const LOOK_ANYWAY: Duration = Duration::from_secs(30);
/// What the owner allows is carried out within this time.
const SETTLED_WITHIN: Duration = Duration::from_secs(3);

/// What the rest of the agent knows of its endpoint.
#[derive(Debug)]
pub(crate) struct Lan {
    /// One permit for each direct session. Those over the relay have their own, so that a server can take none of these.
    pub(crate) sessions: Arc<Semaphore>,
    policy: watch::Sender<Policy>,
    view: watch::Sender<View>,
}

/// The endpoint as it is now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct View {
    /// Its port; nothing while the machine listens nowhere.
    pub(crate) port: Option<u16>,
    /// Where it listens.
    pub(crate) listening: Vec<IpAddr>,
    /// Whether the owner lets it say in its networks that it is there.
    pub(crate) mdns: bool,
    /// Each address of the machine, and why it listens there or not.
    pub(crate) rows: Vec<Row>,
    /// All that the system told.
    addresses: Vec<NetAddress>,
    /// What the owner allowed when it became so.
    policy: Policy,
}

impl Lan {
    /// Nothing is open yet.
    pub(crate) fn new(policy: Policy) -> Self {
        Self {
            sessions: Arc::new(Semaphore::new(SESSIONS_MAX)),
            policy: watch::Sender::new(policy),
            view: watch::Sender::default(),
        }
    }

    /// The endpoint as it is now; the receiver hears of changes, those of the machine's addresses included.
    pub(crate) fn watch(&self) -> watch::Receiver<View> {
        self.view.subscribe()
    }

    /// Its port; nothing while the machine listens nowhere.
    pub(crate) fn port(&self) -> Option<u16> {
        self.view.borrow().port
    }

    /// How it stands, for the machine's owner.
    pub(crate) fn seen(&self) -> Seen {
        let view = self.view.borrow();
        Seen {
            port: view.port,
            rows: view.rows.clone(),
        }
    }

    /// Takes over what the owner allows from now on.
    pub(crate) fn allow(&self, policy: Policy) {
        replace(&self.policy, policy);
    }

    /// Waits until the endpoint is as the owner allows it.
    pub(crate) async fn settled(&self) {
        let mut view = self.watch();
        let is_settled = |view: &View| view.policy == *self.policy.borrow();
        // An endpoint that is not there any more, or stuck, is nothing to wait for.
        let _ = tokio::time::timeout(SETTLED_WITHIN, view.wait_for(is_settled)).await;
    }
}

/// Keeps the endpoint open where the owner allows it, as networks come and go.
pub(crate) struct Endpoint {
    agent: Arc<Agent>,
    changes: Changes,
    told: hello::Told,
    looker: Looker,
    listeners: Listeners,
    /// When the networks were looked at last.
    looked: Instant,
    /// A change was told since.
    is_told: bool,
    /// Nothing is waited for but changes.
    is_settled: bool,
}

impl Endpoint {
    /// Opens it where it may be open now.
    pub(crate) async fn open(agent: &Arc<Agent>) -> Self {
        let mut endpoint = Self::new(agent, Changes::listen());
        endpoint.adapt().await;
        endpoint
    }

    fn new(agent: &Arc<Agent>, changes: Changes) -> Self {
        Self {
            agent: Arc::clone(agent),
            changes,
            told: hello::Told::default(),
            looker: Looker::default(),
            listeners: Listeners::default(),
            looked: Instant::now(),
            is_told: false,
            is_settled: false,
        }
    }

    /// Follows networks and the owner's word until the agent stops.
    pub(crate) async fn follow(mut self) {
        let stop = self.agent.stop.clone();
        let mut policy = self.agent.lan.policy.subscribe();
        let following = async {
            loop {
                let is_due = tokio::select! {
                    _ = policy.changed() => true,
                    () = tokio::time::sleep(LOOK_EVERY) => self.is_due(),
                };
                if is_due {
                    self.adapt().await;
                }
            }
        };
        let _: Option<Infallible> = stop.run_until_cancelled(following).await;
    }

    /// Whether a look may find something else than the last one.
    fn is_due(&mut self) -> bool {
        self.is_told |= self.changes.any();
        self.is_told || !self.is_settled || self.looked.elapsed() >= LOOK_ANYWAY
    }

    async fn adapt(&mut self) {
        self.looked = Instant::now();
        let mut policy = self.agent.lan.policy.borrow().clone();
        let addresses = self.told.now();
        let links = self.looker.look(&addresses);
        let doors = doors(&policy, &links, &self.agent.server.origin);
        let failed = self.listeners.keep(&self.agent, &policy, doors).await;
        // The system may tell of a change before it is done with it: they are looked at once more then.
        let was_told = std::mem::take(&mut self.is_told);
        self.is_settled = failed.is_empty() && !self.looker.is_calling && !was_told;
        let port = self.listeners.port();
        if let Some(port) = port {
            self.remember(&mut policy, port);
        }
        let listening = self.listeners.addresses();
        let view = View {
            port,
            mdns: policy.mdns,
            rows: status::rows(&policy, &links, &listening, &failed),
            listening,
            addresses,
            policy,
        };
        replace(&self.agent.lan.view, view);
    }

    /// A port that was free once is taken again next time, so that controllers find it where it was. The usual one is tried
    /// anyway.
    fn remember(&self, policy: &mut Policy, port: u16) {
        let found = (port != PORT).then_some(port);
        if policy.port.is_some() || policy.found_port == found {
            return;
        }
        policy.found_port = found;
        self.agent.keep_lan_port(found);
        self.agent.lan.policy.send_if_modified(|policy| {
            policy.found_port = found;
            false
        });
    }
}

/// The networks around this machine at one moment.
#[derive(Debug, Default)]
pub(crate) struct Around(Vec<Link>);

impl Around {
    /// Looks once; waits a moment for routers.
    pub(crate) async fn look() -> Self {
        Self(network::look_once().await)
    }

    /// What the interface of this name is made of, if there is one.
    pub(crate) fn kind(&self, name: &str) -> Option<InterfaceKind> {
        let link = self.0.iter().find(|link| link.interface == name)?;
        Some(link.kind)
    }

    /// An interface alone, for tests.
    #[cfg(test)]
    pub(crate) fn only(interface: &str, kind: InterfaceKind, address: IpNet) -> Self {
        Self(vec![Link {
            interface: interface.to_owned(),
            kind,
            addresses: vec![address],
            router: network::Router::None,
        }])
    }

    /// Allows this network, or all, of those that the machine is in and that can be recognised again; which ones.
    pub(crate) fn allow(&self, policy: &mut Policy, network: Option<IpNet>) -> Vec<Network> {
        self.0.iter().flat_map(|link| policy.allow_in(link, network)).collect()
    }

    /// Takes back that this network, or all that the machine is in, are allowed; which ones.
    pub(crate) fn deny(&self, policy: &mut Policy, network: Option<IpNet>) -> Vec<Network> {
        policy.deny(&self.0, network)
    }
}

/// Tells only news.
fn replace<T: PartialEq>(known: &watch::Sender<T>, now: T) {
    known.send_if_modified(|known| {
        let is_news = *known != now;
        *known = now;
        is_news
    });
}

/// The addresses that may be reached.
fn doors(policy: &Policy, links: &[Link], server: &Origin) -> Vec<Door> {
    let mut origins = vec![server.clone()];
    origins.extend(policy.origins.iter().cloned());
    let guests = Guests {
        origins,
        hosts: policy.hosts.clone(),
    };
    let doors = links.iter().flat_map(|link| {
        let open = link
            .addresses
            .iter()
            .filter_map(|at| Some((*at, policy.judge(link, *at).ok()?)));
        let open: Vec<_> = open.collect();
        let mut networks: Vec<IpNet> = open.iter().map(|(at, _)| at.trunc()).collect();
        networks.sort();
        networks.dedup();
        let door = |(at, reach): (IpNet, Reach)| Door {
            address: at.addr(),
            interface: link.interface.clone(),
            networks: networks.clone(),
            only_here: reach == Reach::Vpn || is_elsewhere_too(policy, link, at, links),
            reach,
            guests: guests.clone(),
        };
        open.into_iter().map(door).collect::<Vec<_>>()
    });
    doors.collect()
}

/// Whether another interface is in a network with the same addresses, in which nobody may come.
fn is_elsewhere_too(policy: &Policy, link: &Link, at: IpNet, links: &[Link]) -> bool {
    let others = links.iter().filter(|other| other.interface != link.interface);
    let others = others.flat_map(|other| other.addresses.iter().map(move |at| (other, *at)));
    let mut closed = others.filter(|(other, at)| policy.judge(other, *at).is_err());
    closed.any(|(_, other)| other.contains(&at.network()) || at.contains(&other.network()))
}

#[cfg(test)]
mod tests;

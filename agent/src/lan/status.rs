//! How the endpoint stands at each address, for the machine's owner.

use std::net::IpAddr;

use beckon_shared::device::InterfaceKind;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{
    listen::Failed,
    network::{self, Link, Router},
    policy::Policy,
};

/// An address of the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Row {
    /// Its interface.
    pub(crate) interface: String,
    /// What that is made of.
    pub(crate) kind: InterfaceKind,
    /// The address.
    pub(crate) address: IpAddr,
    /// The network that it is in.
    pub(crate) network: IpNet,
    /// Who leads out of that, if somebody does and is known.
    pub(crate) router: Option<String>,
    /// Whether the owner allows direct sessions there.
    pub(crate) allowed: bool,
    /// Whether the machine listens there.
    pub(crate) listening: bool,
    /// Why not, and what to do about it.
    pub(crate) why: Option<String>,
}

/// How the endpoint stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seen {
    /// Its port; nothing while the machine listens nowhere.
    pub(crate) port: Option<u16>,
    /// Each address of the machine.
    pub(crate) rows: Vec<Row>,
}

/// How the endpoint would stand, where no agent runs.
pub(crate) async fn foresee(policy: &Policy) -> Seen {
    let links = network::look_once().await;
    Seen {
        port: None,
        rows: rows(policy, &links, &[], &[]),
    }
}

/// Each address of the machine.
pub(super) fn rows(policy: &Policy, links: &[Link], listening: &[IpAddr], failed: &[Failed]) -> Vec<Row> {
    let addresses = links
        .iter()
        .flat_map(|link| link.addresses.iter().map(move |at| (link, *at)));
    let row = |(link, at): (&Link, IpNet)| {
        let judged = policy.judge(link, at);
        let failed = failed.iter().find(|failed| failed.address == at.addr());
        Row {
            interface: link.interface.clone(),
            kind: link.kind,
            address: at.addr(),
            network: at.trunc(),
            router: match &link.router {
                Router::Known(name) => Some(name.clone()),
                Router::None | Router::Silent => None,
            },
            allowed: judged.is_ok(),
            listening: listening.contains(&at.addr()),
            why: match judged {
                Ok(_) => failed.map(|failed| failed.advice.clone()),
                Err(closed) => Some(closed.advice(link)),
            },
        }
    };
    addresses.map(row).collect()
}

//! `beckon lan`: where this machine may be reached directly, past the server.

use std::fmt;

use beckon_shared::{
    error::{ErrorCode, Refusal},
    neighbour::is_card,
};
use ipnet::IpNet;
use serde::Serialize;

use super::{Here, root_list, run};
use crate::{
    lan::{
        self, Network, PORT, Policy,
        status::{self, Seen},
    },
    local,
    origin::Origin,
    output::{Exit, Failure, Table, visible_text},
};

/// So many origins, names or networks are enough.
const LIST_MAX: usize = 64;

/// What `lan` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Let the machine be reached directly where that is allowed
    On,
    /// Do not let it be reached directly anywhere
    Off,
    /// Allow the networks that the machine is in now, one of them, or an interface whatever it leads to
    Allow {
        /// here, a network such as 192.168.1.0/24, or an interface such as wg0
        #[arg(default_value = HERE, value_name = "here|NETWORK|INTERFACE")]
        what: String,
    },
    /// Do not allow the networks that the machine is in now, one network, or an interface
    Deny {
        /// here, a network such as 192.168.1.0/24, or an interface such as wg0
        #[arg(default_value = HERE, value_name = "here|NETWORK|INTERFACE")]
        what: String,
    },
    /// Choose the port at which the machine listens
    Port {
        /// 1024 or above; default for 47820, or a free one if that is taken
        #[arg(value_name = "N|default")]
        port: PortArg,
    },
    /// Say in the networks that this machine is there, in a way that only your own devices understand, or do not
    Mdns {
        /// on or off
        switch: Switch,
    },
    /// Allow the web app at another address than the one that this machine joined at
    #[command(subcommand)]
    Origin(Change<Origin>),
    /// Allow a name by which this machine may be dialled, besides its addresses
    #[command(subcommand)]
    Host(Change<HostName>),
}

/// What stands for the networks that the machine is in.
const HERE: &str = "here";

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Switch {
    On,
    Off,
}

#[derive(Debug, clap::Subcommand)]
enum Change<T: Clone + Send + Sync + std::str::FromStr<Err: std::error::Error + Send + Sync + 'static> + 'static> {
    /// Allow it
    Add {
        /// What to allow
        value: T,
    },
    /// Do not allow it any more
    Remove {
        /// What not to allow
        value: T,
    },
}

/// A port, or the choice to have none chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct PortArg(Option<u16>);

/// The name of a host, in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
struct HostName(String);

/// How the endpoint stands, for programs.
#[derive(Debug, Serialize)]
struct Standing {
    on: bool,
    running: bool,
    port: Option<u16>,
    chosen_port: Option<u16>,
    mdns: bool,
    addresses: Vec<status::Row>,
    networks: Vec<Network>,
    interfaces: Vec<String>,
    closed_interfaces: Vec<String>,
    origins: Vec<Origin>,
    hosts: Vec<String>,
}

/// Says where the machine is reached directly, or changes it. An agent that runs is told.
pub(crate) async fn run(here: &Here, args: Args) -> Result<Exit, Failure> {
    let Some(command) = args.command else {
        let standing = standing(here).await?;
        here.out.one(&standing, || text(&standing))?;
        return Ok(Exit::Done);
    };
    let change = Decision::of(command).await;
    let mut done = String::new();
    here.state.update_machine(|machine| {
        done = change.carry_out(&mut machine.lan)?;
        Ok(())
    })?;
    let told = run::reload(here).await;
    let standing = standing(here).await?;
    here.out.one(&standing, || outcome(&done, told, &standing))?;
    Ok(Exit::Done)
}

/// A change, with what has to be known for it.
struct Decision {
    command: Command,
    around: lan::Around,
}

impl Decision {
    async fn of(command: Command) -> Self {
        let around = match command {
            Command::Allow { .. } | Command::Deny { .. } => lan::Around::look().await,
            _ => lan::Around::default(),
        };
        Self { command, around }
    }

    /// Changes what the owner allows; what was done.
    fn carry_out(&self, policy: &mut Policy) -> Result<String, Refusal> {
        match &self.command {
            Command::On => {
                policy.on = true;
                Ok("direct sessions are on".to_owned())
            }
            Command::Off => {
                policy.on = false;
                Ok("direct sessions are off".to_owned())
            }
            Command::Allow { what } => self.allow(policy, what),
            Command::Deny { what } => self.deny(policy, what),
            Command::Port { port: PortArg(port) } => {
                (policy.port, policy.found_port) = (*port, None);
                Ok(format!("the port is {}", port.unwrap_or(PORT)))
            }
            Command::Mdns { switch } => {
                policy.mdns = *switch == Switch::On;
                let says = if policy.mdns { "says" } else { "does not say" };
                Ok(format!("the machine {says} in its networks that it is there"))
            }
            Command::Origin(Change::Add { value }) => add(&mut policy.origins, value.clone()),
            Command::Origin(Change::Remove { value }) => remove(&mut policy.origins, value),
            Command::Host(Change::Add { value }) => add(&mut policy.hosts, value.0.clone()),
            Command::Host(Change::Remove { value }) => remove(&mut policy.hosts, &value.0),
        }
    }

    fn allow(&self, policy: &mut Policy, what: &str) -> Result<String, Refusal> {
        if let Some(kind) = self.around.kind(what) {
            let was_closed = policy.closed.contains(&what.to_owned());
            policy.closed.retain(|name| name != what);
            if was_closed && is_card(kind) {
                return Ok(format!("{what} is open again in networks that are allowed"));
            }
            if !policy.interfaces.iter().any(|name| name == what) {
                policy.interfaces.push(what.to_owned());
            }
            return Ok(format!("allowed by {what}, whatever network it leads to"));
        }
        let allowed = self.around.allow(policy, network_of(what)?);
        match (allowed.is_empty(), what) {
            (false, _) => Ok(format!("allowed in {}", named(&allowed))),
            (true, HERE) => Err(not_found(
                "this machine is in no network that can be recognised again; see: beckon lan",
            )),
            (true, _) => Err(not_found(&format!(
                "this machine is not in {what} now, and a network is recognised by its router too; allow it when it is there: beckon lan allow here"
            ))),
        }
    }

    fn deny(&self, policy: &mut Policy, what: &str) -> Result<String, Refusal> {
        if self.around.kind(what).is_some() || policy.interfaces.iter().any(|name| name == what) {
            policy.interfaces.retain(|name| name != what);
            if !policy.closed.iter().any(|name| name == what) {
                policy.closed.push(what.to_owned());
            }
            return Ok(format!("closed {what}, whatever network it leads to"));
        }
        let denied = self.around.deny(policy, network_of(what)?);
        if denied.is_empty() {
            return Err(not_found(&format!("{what} was not allowed; see: beckon lan")));
        }
        Ok(format!("not allowed any more: {}", named(&denied)))
    }
}

/// The network that is meant; nothing for those that the machine is in.
fn network_of(what: &str) -> Result<Option<IpNet>, Refusal> {
    if what == HERE {
        return Ok(None);
    }
    what.parse().map(|network: IpNet| Some(network.trunc())).map_err(|_| {
        let advice = format!("{what} is neither here nor a network such as 192.168.1.0/24 nor an interface of this machine; see: beckon lan");
        Refusal::new(ErrorCode::BadRequest, advice)
    })
}

fn named(networks: &[Network]) -> String {
    let mut prefixes: Vec<String> = networks.iter().map(|network| network.prefix.to_string()).collect();
    prefixes.dedup();
    prefixes.join(" and ")
}

fn add<T: PartialEq + fmt::Display>(list: &mut Vec<T>, value: T) -> Result<String, Refusal> {
    if list.len() >= LIST_MAX {
        let advice = format!("{LIST_MAX} are allowed already; remove one first, see: beckon lan");
        return Err(Refusal::new(ErrorCode::TooMany, advice));
    }
    let done = format!("allowed {value}");
    if !list.contains(&value) {
        list.push(value);
    }
    Ok(done)
}

fn remove<T: PartialEq + fmt::Display>(list: &mut Vec<T>, value: &T) -> Result<String, Refusal> {
    let at = list.iter().position(|known| known == value);
    let gone = || not_found(&format!("{value} was not allowed; see: beckon lan"));
    list.remove(at.ok_or_else(gone)?);
    Ok(format!("not allowed any more: {value}"))
}

fn not_found(advice: &str) -> Refusal {
    Refusal::new(ErrorCode::NotFound, advice)
}

async fn standing(here: &Here) -> Result<Standing, Failure> {
    let policy = here.state.machine()?.ok_or_else(root_list::not_joined)?.lan;
    let running = local::lan(&here.state).await?;
    let (is_running, seen) = match running {
        Some(seen) => (true, seen),
        None => (false, status::foresee(&policy).await),
    };
    let Seen { port, rows } = seen;
    Ok(Standing {
        on: policy.on,
        running: is_running,
        port,
        chosen_port: policy.port,
        mdns: policy.mdns,
        addresses: rows,
        networks: policy.networks,
        interfaces: policy.interfaces,
        closed_interfaces: policy.closed,
        origins: policy.origins,
        hosts: policy.hosts,
    })
}

/// What was done, and what keeps it from having an effect.
fn outcome(done: &str, told: bool, standing: &Standing) -> String {
    let when = if told {
        ""
    } else {
        "; it counts from the next beckon run on"
    };
    let failed = standing.addresses.iter().filter(|row| row.allowed);
    let failed = failed.filter_map(|row| Some(format!("\n{}: {}", row.address, row.why.as_deref()?)));
    let failed: String = failed.collect();
    visible_text(&format!("{done}{when}{failed}"))
}

fn text(standing: &Standing) -> String {
    let state = match (standing.on, standing.running, standing.port) {
        (false, ..) => "direct sessions are off; beckon lan on".to_owned(),
        (true, false, _) => "agent not running; beckon run".to_owned(),
        (true, true, Some(port)) => format!("listening for direct sessions on port {port}"),
        (true, true, None) => "listening nowhere".to_owned(),
    };
    let mut table = Table::new(&["ADDRESS", "NETWORK", "INTERFACE", "ROUTER", "DIRECT"], &[]);
    for row in &standing.addresses {
        let direct = match (&row.why, row.listening) {
            (Some(why), _) => visible_text(why),
            (None, true) => "yes".to_owned(),
            (None, false) => "allowed".to_owned(),
        };
        table.row([
            row.address.to_string(),
            row.network.to_string(),
            visible_text(&row.interface),
            row.router.clone().unwrap_or_default(),
            direct,
        ]);
    }
    let mut text = format!("{state}\n{table}");
    let mut line = |title: &str, values: Vec<String>| {
        if !values.is_empty() {
            text.push_str(&format!("{title}: {}\n", visible_text(&values.join(", "))));
        }
    };
    line(
        "networks allowed",
        standing.networks.iter().map(Network::to_string).collect(),
    );
    line("interfaces allowed", standing.interfaces.clone());
    line("interfaces closed", standing.closed_interfaces.clone());
    line(
        "web apps allowed",
        standing.origins.iter().map(Origin::to_string).collect(),
    );
    line("names allowed", standing.hosts.clone());
    text.trim_end().to_owned()
}

impl std::str::FromStr for PortArg {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "default" {
            return Ok(Self(None));
        }
        // Below, systems ask for rights that an agent does not have, and browsers leave 80 away.
        let port = text.parse().ok().filter(|port| *port >= 1024);
        let advice = || format!("choose a port from 1024 to 65535, or default for {PORT}");
        port.map(|port| Self(Some(port))).ok_or_else(advice)
    }
}

/// The text is not the name of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write the name alone, without a port, such as studio.lan")]
struct BadHostName;

impl std::str::FromStr for HostName {
    type Err = BadHostName;
    fn from_str(text: &str) -> Result<Self, BadHostName> {
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let is_name = !text.is_empty() && text.len() <= 253 && text.bytes().all(is_letter);
        is_name.then(|| Self(text.to_ascii_lowercase())).ok_or(BadHostName)
    }
}

#[cfg(test)]
mod tests;

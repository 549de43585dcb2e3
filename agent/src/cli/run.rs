//! `beckon run`, `beckon stop` and `beckon status`: the agent of this state folder.

use serde::Serialize;

use super::{Here, root_list, size};
use crate::{
    local::{self, Status},
    output::{Exit, Failure, count, visible},
    run::{self, Options},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Let all uploads together send at most so much a second, such as 500KiB or 2MiB, whatever the account allows
    #[arg(long, value_name = "SIZE", value_parser = size::rate, env = "BECKON_LIMIT")]
    limit: Option<u64>,
}

/// Serves this machine's roots until stopped. Says when the server has accepted it.
pub(crate) async fn run(here: &Here, args: Args) -> Result<Exit, Failure> {
    let out = here.out;
    let options = Options {
        state: here.state.clone(),
        ca: here.ca.clone(),
        limit: args.limit,
    };
    run::run(options, |name, id| {
        // Whoever closed the output does not want to hear it; the agent goes on.
        let _ = out.one(
            &serde_json::json!({ "event": "online", "name": name, "id": id }),
            || format!("online as {name} {id}"),
        );
    })
    .await?;
    Ok(Exit::Done)
}

/// Stops the agent, and waits until it has ended.
pub(crate) async fn stop(here: &Here) -> Result<Exit, Failure> {
    let was_running = local::stop(&here.state).await?;
    let result = serde_json::json!({ "was_running": was_running });
    here.out.one(&result, || {
        if was_running {
            "stopped".to_owned()
        } else {
            "no agent was running".to_owned()
        }
    })?;
    Ok(Exit::Done)
}

/// Tells a running agent that the roots changed; whether there was one.
pub(crate) async fn reload(here: &Here) -> bool {
    local::reload(&here.state).await.unwrap_or(false)
}

/// What this device is, for programs.
#[derive(Debug, Serialize)]
struct StatusJson {
    controller: Option<ControllerJson>,
    machine: Option<MachineJson>,
    agent: Option<Status>,
}

#[derive(Debug, Serialize)]
struct ControllerJson {
    server: String,
    account: String,
    account_name: String,
    device: String,
    device_name: String,
    signed_in: bool,
}

#[derive(Debug, Serialize)]
struct MachineJson {
    server: String,
    id: String,
    name: String,
    roots: u64,
}

/// Says what this device is, and whether its agent runs.
pub(crate) async fn status(here: &Here) -> Result<Exit, Failure> {
    let controller = here.state.controller()?.map(|controller| ControllerJson {
        server: controller.server.to_string(),
        account: controller.account().to_string(),
        account_name: controller.account_name.clone(),
        device: controller.keys.id().to_string(),
        device_name: controller.device_name.clone(),
        signed_in: controller.sign_in.is_some(),
    });
    let machine = here.state.machine()?.map(|machine| MachineJson {
        server: machine.server.to_string(),
        id: machine.keys.id().to_string(),
        name: machine.name.to_string(),
        roots: machine.roots.len() as u64,
    });
    let status = StatusJson {
        controller,
        machine,
        agent: local::status(&here.state).await?,
    };
    here.out.one(&status, || text(&status))?;
    Ok(Exit::Done)
}

fn text(status: &StatusJson) -> String {
    let controller = match &status.controller {
        Some(known) if known.signed_in => format!(
            "signed in as {} at {}",
            visible(known.account_name.as_bytes()),
            known.server
        ),
        _ => "nobody is signed in here; beckon login URL --name NAME".to_owned(),
    };
    let machine = match &status.machine {
        Some(machine) => format!(
            "machine {} of {}, {}",
            machine.name,
            machine.server,
            count(machine.roots, "root")
        ),
        None => root_list::not_joined().message,
    };
    let agent = match &status.agent {
        Some(agent) if agent.online => {
            format!(
                "agent running (process {}), online, {} under way",
                agent.pid,
                count(agent.orders as u64, "order")
            )
        }
        Some(agent) => format!("agent running (process {}), not connected", agent.pid),
        None => "agent not running; beckon run".to_owned(),
    };
    let lan = match &status.agent {
        Some(Status {
            lan_port: Some(port), ..
        }) => format!("\nreached directly on port {port}; see: beckon lan"),
        Some(_) => "\nnot reached directly here; see: beckon lan".to_owned(),
        None => String::new(),
    };
    let notes = status.agent.iter().flat_map(|agent| &agent.notes);
    let notes: String = notes.map(|note| format!("\n{note}")).collect();
    format!("{controller}\n{machine}\n{agent}{lan}{notes}")
}

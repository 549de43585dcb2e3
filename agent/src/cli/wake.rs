//! `beckon wake`: has machines that are awake call a sleeping one in the same network.

use std::time::Duration;

use beckon_shared::{
    browse::Ask,
    device::DeviceView,
    error::{ErrorCode, Refusal},
    neighbour,
    path::Label,
};
use serde::Serialize;
use tokio::time::Instant;

use super::{Here, control::Control};
use crate::output::{Exit, Failure, remark, visible};

/// How long the machine may take to be here, unless `--timeout` says otherwise: some need a minute to start.
const PATIENCE: Duration = Duration::from_secs(120);
/// So many machines are asked to call: more hardly reach another network.
const WAKERS_MAX: usize = 3;

/// What `wake` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name of the machine
    machine: Label,
}

/// For programs: the machine, and who called it.
#[derive(Debug, Serialize)]
struct WokenJson<'a> {
    id: String,
    name: &'a str,
    online: bool,
    through: &'a [String],
}

/// Wakes a machine, and waits until it is here.
pub(crate) async fn run(here: &Here, args: Args) -> Result<Exit, Failure> {
    let end = Instant::now() + here.timeout.unwrap_or(PATIENCE);
    let controller = here.controller()?;
    let open = Control::open(here, &controller);
    let mut control = tokio::time::timeout_at(end, open)
        .await
        .map_err(|_| Failure::timeout())??;
    let machine = control.machine(&args.machine)?.clone();
    if machine.online {
        control.close().await;
        return report(here, &machine, &[]);
    }
    let through = tokio::time::timeout_at(end, call(here, &control, &machine))
        .await
        .map_err(|_| Failure::timeout())??;
    remark(
        here.out,
        &format!(
            "called {} through {}; waiting until it is here",
            machine.name,
            through.join(", ")
        ),
    );
    let came = tokio::time::timeout_at(end, until_online(&mut control, &machine)).await;
    control.close().await;
    match came {
        Ok(came) => came?,
        Err(_) => return Err(asleep(&machine, &through)),
    }
    report(here, &machine, &through)
}

/// Asks the likeliest neighbours to call the machine, at once; the names of those that did.
async fn call(here: &Here, control: &Control<'_>, machine: &DeviceView) -> Result<Vec<String>, Failure> {
    let macs = neighbour::hardware_addresses(machine);
    if macs.is_empty() {
        return Err(refuse(format!(
            "{} has told no hardware address of a network card; start it by hand",
            machine.name
        )));
    }
    let mut wakers = neighbour::wakers(control.devices(), machine);
    wakers.truncate(WAKERS_MAX);
    let (mut through, mut failed) = (Vec::new(), None);
    for waker in wakers {
        let asked = match control.reach(waker).await {
            Ok(reach) => reach.ask(Ask::Wake(macs.clone())).await.map_err(Failure::from),
            Err(failure) => Err(failure),
        };
        match asked {
            Ok(_) => through.push(visible(waker.name.as_str().as_bytes())),
            Err(failure) => {
                remark(here.out, &format!("{} did not call: {}", waker.name, failure.message));
                failed = Some(failure);
            }
        }
    }
    match (through.is_empty(), failed) {
        (false, _) => Ok(through),
        (true, Some(failure)) => Err(failure),
        (true, None) => Err(refuse(format!(
            "no machine that is online seems to be in the network of {}; start it by hand, or any machine beside it first",
            machine.name
        ))),
    }
}

async fn until_online(control: &mut Control<'_>, machine: &DeviceView) -> Result<(), Failure> {
    while !control.machine_of(machine.id)?.online {
        control.next().await?;
    }
    Ok(())
}

fn refuse(message: String) -> Failure {
    Refusal::new(ErrorCode::Away, message).into()
}

fn asleep(machine: &DeviceView, through: &[String]) -> Failure {
    refuse(format!(
        "{} was called through {} and is not here yet; it may need longer (--timeout S), or Wake-on-LAN is off in its firmware or system",
        machine.name,
        through.join(", ")
    ))
}

fn report(here: &Here, machine: &DeviceView, through: &[String]) -> Result<Exit, Failure> {
    let woken = WokenJson {
        id: machine.id.to_string(),
        name: machine.name.as_str(),
        online: true,
        through,
    };
    here.out.one(&woken, || match through {
        [] => format!("{} is online already", machine.name),
        _ => format!("{} is online, called through {}", machine.name, through.join(", ")),
    })?;
    Ok(Exit::Done)
}

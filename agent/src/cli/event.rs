//! `beckon events`: what changes, as it happens.

use beckon_shared::{device::DeviceView, transfer::TransferView};
use serde::Serialize;
use tokio::time::Instant;

use super::{
    Here,
    control::{Control, News},
    device::DeviceJson,
    transfer::{self, TransferJson},
};
use crate::{
    clock,
    output::{Exit, Failure, time, visible},
};

/// A change for programs: one object in a line.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Event<'a> {
    Device(DeviceJson<'a>),
    Transfer(TransferJson<'a>),
    Drive { space: String, revision: u64 },
}

/// Prints all devices and transfers as they are, then each change, until it is stopped or its time is over.
pub(crate) async fn run(here: &Here) -> Result<Exit, Failure> {
    let controller = here.controller()?;
    let end = here.timeout.map(|timeout| Instant::now() + timeout);
    let mut control = Control::open(here, &controller).await?;
    snapshot(here, &control)?;
    loop {
        let news = match end {
            Some(end) => match tokio::time::timeout_at(end, control.next()).await {
                Ok(news) => news?,
                Err(_) => break,
            },
            None => control.next().await?,
        };
        match news {
            News::Again => snapshot(here, &control)?,
            News::Devices(devices) => devices.iter().try_for_each(|row| device(here, row))?,
            News::Transfers(transfers) => transfers.iter().try_for_each(|row| moved(here, row))?,
            News::Drive { space, revision } => {
                let event = Event::Drive {
                    space: space.to_string(),
                    revision,
                };
                here.out
                    .one(&event, || format!("{}  drive changed (revision {revision})", now()))?;
            }
        }
    }
    control.close().await;
    Ok(Exit::Done)
}

fn snapshot(here: &Here, control: &Control<'_>) -> Result<(), Failure> {
    control.devices().into_iter().try_for_each(|row| device(here, row))?;
    control
        .transfers()
        .into_iter()
        .rev()
        .try_for_each(|row| moved(here, row))
}

fn device(here: &Here, row: &DeviceView) -> Result<(), Failure> {
    here.out.one(&Event::Device(row.into()), || {
        let presence = if row.online { "online" } else { "away" };
        format!("{}  {} is {presence}", now(), visible(row.name.as_str().as_bytes()))
    })
}

fn moved(here: &Here, row: &TransferView) -> Result<(), Failure> {
    here.out.one(&Event::Transfer(row.into()), || {
        let (progress, task) = (&row.progress, transfer::task(row.task));
        format!(
            "{}  {task} {} of {}: {}, {}/{} files",
            now(),
            row.id,
            transfer::subject(row),
            transfer::state(row),
            progress.files_done,
            progress.files_total
        )
    })
}

fn now() -> String {
    time(clock::now())
}

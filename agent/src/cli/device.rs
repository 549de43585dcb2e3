//! `beckon machines`, `beckon devices` and `beckon device ...`: the control list.

mod limit;

use std::path::PathBuf;

use beckon_shared::{
    api::{
        Packed,
        device::{NewStatement, Rename, VisitView},
    },
    device::{DeviceKind, DeviceView, NetAddress, Platform, RootView},
    limits::Limits,
    path::Label,
    signature::Signed,
    statement::Statement,
    time::Timestamp,
};
use reqwest::Method;
use serde::Serialize;

use super::{
    Here, account,
    control::{Control, keep_statement},
};
use crate::{
    clock,
    output::{Exit, Failure, Table, time, visible, visible_text},
    password_prompt::{self, Source},
};

/// What `device` is told.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Everything known of a device
    Show {
        /// Name or id
        name: String,
    },
    /// When and from where it visited
    Visits {
        /// Name or id
        name: String,
    },
    /// Give it another name
    Rename {
        /// Name or id
        name: String,
        /// Its new name
        new_name: Label,
    },
    /// Say that a machine which joined by a code is yours
    Confirm {
        /// Name or id
        name: String,
    },
    /// Set how fast a machine may send, or show it
    Limit(limit::Args),
    /// Lock it out for good, everywhere, within seconds
    Revoke {
        /// Name or id
        name: String,
        /// File with the password; - for standard input; a terminal is asked otherwise
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
}

/// A device for programs.
#[derive(Debug, Serialize)]
pub(crate) struct DeviceJson<'a> {
    id: String,
    name: &'a str,
    kind: DeviceKind,
    online: bool,
    os: &'a str,
    version: &'a str,
    platform: Platform,
    address: &'a str,
    port: u16,
    addresses: &'a [NetAddress],
    lan_port: Option<u16>,
    roots: &'a [RootView],
    first_seen: Timestamp,
    last_seen: Timestamp,
    revoked: bool,
    joined_by_code: bool,
    limits: Limits,
}

impl<'a> From<&'a DeviceView> for DeviceJson<'a> {
    fn from(device: &'a DeviceView) -> Self {
        Self {
            id: device.id.to_string(),
            name: device.name.as_str(),
            kind: device.kind,
            online: device.online,
            os: &device.os,
            version: &device.version,
            platform: device.platform,
            address: &device.address,
            port: device.port,
            addresses: &device.addresses,
            lan_port: device.lan_port,
            roots: &device.roots,
            first_seen: device.first_seen,
            last_seen: device.last_seen,
            revoked: device.revoked,
            joined_by_code: device.joined_by_code,
            limits: device.limits,
        }
    }
}

/// Which rows of the control list are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    /// Those whose files can be reached.
    Machines,
    /// All that ever visited.
    All,
}

/// Lists the control list.
pub(crate) async fn list(here: &Here, which: Which) -> Result<Exit, Failure> {
    let controller = here.controller()?;
    let control = Control::open(here, &controller).await?;
    let wanted = |device: &&DeviceView| which == Which::All || (device.kind == DeviceKind::Agent && !device.revoked);
    let devices: Vec<&DeviceView> = control.devices().into_iter().filter(wanted).collect();
    let rows: Vec<DeviceJson<'_>> = devices.iter().map(|device| DeviceJson::from(*device)).collect();
    here.out.list(&rows, || table(&devices, which))?;
    control.close().await;
    Ok(Exit::Done)
}

fn table(devices: &[&DeviceView], which: Which) -> Table {
    let mut table = match which {
        Which::Machines => Table::new(&["NAME", "STATE", "LAST SEEN", "ADDRESS", "ROOTS"], &[]),
        Which::All => Table::new(&["NAME", "STATE", "LAST SEEN", "ADDRESS", "KIND", "SYSTEM"], &[]),
    };
    for device in devices {
        let mut cells = vec![
            visible(device.name.as_str().as_bytes()),
            presence(device).to_owned(),
            time(device.last_seen),
            address(device),
        ];
        match which {
            Which::Machines => cells.push(root_names(device)),
            Which::All => cells.extend([kind(device.kind).to_owned(), visible_text(&device.os)]),
        }
        table.row(cells);
    }
    table
}

fn presence(device: &DeviceView) -> &'static str {
    match (device.revoked, device.online) {
        (true, _) => "revoked",
        (false, true) => "online",
        (false, false) => "away",
    }
}

fn kind(kind: DeviceKind) -> &'static str {
    match kind {
        DeviceKind::Agent => "machine",
        DeviceKind::Browser => "browser",
        DeviceKind::Cli => "command line",
    }
}

fn address(device: &DeviceView) -> String {
    socket_address(&device.address, device.port)
}

fn socket_address(address: &str, port: u16) -> String {
    let address = visible_text(address);
    if address.contains(':') {
        format!("[{address}]:{port}")
    } else {
        format!("{address}:{port}")
    }
}

fn root_names(device: &DeviceView) -> String {
    let names: Vec<String> = device
        .roots
        .iter()
        .map(|root| visible(root.name.as_str().as_bytes()))
        .collect();
    names.join(", ")
}

/// Looks at one device, or changes it.
pub(crate) async fn run(here: &Here, command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Show { name } => show(here, &name).await,
        Command::Visits { name } => visits(here, &name).await,
        Command::Rename { name, new_name } => rename(here, &name, new_name).await,
        Command::Confirm { name } => confirm(here, &name).await,
        Command::Limit(args) => limit::run(here, args).await,
        Command::Revoke { name, password_file } => revoke(here, &name, password_file.as_ref()).await,
    }
}

async fn show(here: &Here, name: &str) -> Result<Exit, Failure> {
    let device = find(here, name).await?;
    here.out.one(&DeviceJson::from(&device), || description(&device))?;
    Ok(Exit::Done)
}

async fn find(here: &Here, name: &str) -> Result<DeviceView, Failure> {
    let controller = here.controller()?;
    let control = Control::open(here, &controller).await?;
    let device = control.device(name).cloned();
    control.close().await;
    device
}

fn description(device: &DeviceView) -> String {
    let confirmed = if device.joined_by_code {
        ", joined by code and not confirmed"
    } else {
        ""
    };
    let mut lines = vec![
        format!(
            "{}: {}, {}{confirmed}",
            visible(device.name.as_str().as_bytes()),
            kind(device.kind),
            presence(device)
        ),
        format!("  id          {}", device.id),
        format!(
            "  system      {}, beckon {}",
            visible_text(&device.os),
            visible_text(&device.version)
        ),
        format!("  address     {}", address(device)),
        format!("  first seen  {}", time(device.first_seen)),
        format!("  last seen   {}", time(device.last_seen)),
    ];
    if device.limits != Limits::default() {
        lines.push(format!("  sends       {}", limit::shown(&device.limits)));
    }
    for at in &device.addresses {
        let mac = at
            .mac
            .as_deref()
            .map(|mac| format!("  {}", visible_text(mac)))
            .unwrap_or_default();
        lines.push(format!(
            "  interface   {}/{}  {}{mac}",
            visible_text(&at.address),
            at.prefix,
            visible_text(&at.interface)
        ));
    }
    for root in &device.roots {
        let writable = if root.writable { "  writable" } else { "" };
        lines.push(format!(
            "  root        {}{writable}",
            visible(root.name.as_str().as_bytes())
        ));
    }
    lines.join("\n")
}

async fn visits(here: &Here, name: &str) -> Result<Exit, Failure> {
    let device = find(here, name).await?;
    let api = here.api(&here.controller()?)?;
    let visits: Vec<VisitView> = api.get(&format!("/api/devices/{}/visits", device.id)).await?;
    here.out.list(&visits, || {
        let mut table = Table::new(&["BEGAN", "ENDED", "ADDRESS", "VERSION"], &[]);
        for visit in &visits {
            let ended = visit.ended.map_or_else(|| "still here".to_owned(), time);
            table.row([
                time(visit.started),
                ended,
                socket_address(&visit.address, visit.port),
                visible_text(&visit.version),
            ]);
        }
        table
    })?;
    Ok(Exit::Done)
}

async fn rename(here: &Here, name: &str, new_name: Label) -> Result<Exit, Failure> {
    let device = find(here, name).await?;
    let api = here.api(&here.controller()?)?;
    api.tell(
        Method::PATCH,
        &format!("/api/devices/{}", device.id),
        &Rename { name: new_name.clone() },
    )
    .await?;
    let result = serde_json::json!({ "id": device.id, "name": new_name });
    here.out
        .one(&result, || format!("{} is called {new_name} now", device.name))?;
    Ok(Exit::Done)
}

async fn confirm(here: &Here, name: &str) -> Result<Exit, Failure> {
    let device = find(here, name).await?;
    let api = here.api(&here.controller()?)?;
    let path = format!("/api/devices/{}/confirm", device.id);
    api.tell(Method::POST, &path, &serde_json::json!({})).await?;
    let confirmed = DeviceView {
        joined_by_code: false,
        ..device
    };
    here.out.one(&DeviceJson::from(&confirmed), || {
        format!("{} is confirmed", confirmed.name)
    })?;
    Ok(Exit::Done)
}

/// Signs the next revocation with the account key, for which the password is needed again.
async fn revoke(here: &Here, name: &str, password_file: Option<&PathBuf>) -> Result<Exit, Failure> {
    let device = find(here, name).await?;
    let controller = here.controller()?;
    let api = here.api(&controller)?;
    let password = password_prompt::read(&Source::from(password_file), "Password: ", "--password-file")?;
    let pinned = Some((&controller.account_key, &controller.standing));
    let opened = account::open(&api, &controller.account_name, password, pinned).await?;
    let revocation = opened
        .standing
        .revoke(&controller.account_key, &[device.id], clock::now());
    let revocation = revocation.map_err(|cause| Failure::local("too-many", cause.to_string()))?;
    let number = revocation.number;
    let statement = Signed::sign(&Statement::Revocation(revocation), opened.key.signing());
    api.tell(
        Method::POST,
        "/api/statements",
        &NewStatement {
            statement: Packed(statement.clone()),
        },
    )
    .await?;
    keep_statement(&here.state, &controller.account_key, &statement)?;
    let result = serde_json::json!({ "id": device.id, "name": device.name, "revoked": true, "statement": number });
    here.out.one(&result, || {
        format!(
            "{} is revoked: its connections are closed, and it gets no new ones",
            device.name
        )
    })?;
    Ok(Exit::Done)
}

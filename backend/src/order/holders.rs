//! Machines that hold the same: who may be asked for what a machine copies, and whether a copy is still wanted.

use beckon_shared::{
    device::DeviceKind,
    id::{AccountId, DeviceId, TransferId},
    transfer::TransferState,
    wire::{HOLDERS_MAX, Holder, Reply},
};

use crate::{
    access::Origin,
    app::App,
    error::not_found,
    store::{
        Error,
        meta::{
            self,
            device::Device,
            transfer::{Transfer, must_be_open},
        },
    },
};

/// Who may hold what a machine copies: the origin, then others that copy the same, as far as they are here.
pub(crate) async fn holders(
    app: &App,
    account: &AccountId,
    device: &DeviceId,
    id: &TransferId,
) -> Result<Reply, Error> {
    let reader = app.meta().read();
    let transfer = meta::transfer::find_of(reader, account, device, id).await?;
    must_be_open(&transfer.view)?;
    let origin = transfer.origin.ok_or_else(not_found)?;
    let own = meta::device::find(reader, account, device).await?;
    let fellows = meta::transfer::copies_of(reader, account, &origin.device, Some(&origin.root)).await?;
    let fellows = fellows.iter().filter(|fellow| is_under_way(fellow));
    let mut candidates = vec![origin.device];
    for fellow in fellows.map(|fellow| fellow.view.device) {
        if !candidates.contains(&fellow) {
            candidates.push(fellow);
        }
    }
    candidates.retain(|candidate| candidate != device && app.hub.is_online(account, candidate));
    let mut holders = Vec::new();
    for candidate in candidates {
        if holders.len() == HOLDERS_MAX {
            break;
        }
        let candidate = meta::device::find(reader, account, &candidate).await?;
        if candidate.kind == DeviceKind::Agent && !candidate.revoked {
            holders.push(holder(candidate));
        }
    }
    Ok(Reply::Holders {
        holders,
        own_address: own.view(true).address,
    })
}

fn is_under_way(copy: &Transfer) -> bool {
    copy.view.state == TransferState::Running
}

fn holder(device: Device) -> Holder {
    let view = device.view(true);
    Holder {
        address: view.address,
        addresses: view.addresses,
        lan_port: view.lan_port,
        certificate: view.certificate,
    }
}

/// A machine that was shown a copy of another one asks whether that is still wanted: of the machine that it is copied from,
/// and of those that copy the same.
pub(crate) async fn is_open(app: &App, account: &AccountId, device: &DeviceId, id: &TransferId) -> Result<(), Error> {
    let reader = app.meta().read();
    let transfer = meta::transfer::find(reader, account, id).await?;
    let origin = transfer.origin.ok_or_else(not_found)?;
    if !may_know(app, account, device, &origin).await? {
        return Err(not_found().into());
    }
    Ok(must_be_open(&transfer.view)?)
}

async fn may_know(app: &App, account: &AccountId, device: &DeviceId, origin: &Origin) -> Result<bool, Error> {
    if origin.device == *device {
        return Ok(true);
    }
    let fellows = meta::transfer::copiers_of(app.meta().read(), account, origin).await?;
    Ok(fellows.iter().any(|(fellow, _)| fellow == device))
}

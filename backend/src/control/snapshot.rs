//! What a controller gets when it is let in: the whole control list and the recent transfers.

use beckon_shared::{
    id::AccountId,
    transfer::TransferView,
    wire::{FromServer, snapshot_parts},
};

use crate::{
    app::App,
    store::{Error, meta},
};

/// The frames of both snapshots.
pub(super) async fn frames(app: &App, account: &AccountId) -> Result<Vec<FromServer>, Error> {
    let devices = meta::device::list(app.meta().read(), account).await?;
    let online = app.hub.online(account);
    let devices = devices
        .into_iter()
        .map(|device| {
            let is_online = online.contains(&device.id);
            device.view(is_online)
        })
        .collect();
    let transfers = transfers(app, account).await?;
    let devices = snapshot_parts(devices).into_iter().map(FromServer::Devices);
    let transfers = snapshot_parts(transfers).into_iter().map(FromServer::Transfers);
    Ok(devices.chain(transfers).collect())
}

/// The recent transfers, as far as they are at this moment.
pub(crate) async fn transfers(app: &App, account: &AccountId) -> Result<Vec<TransferView>, Error> {
    let stored = meta::transfer::recent(app.meta().read(), account).await?;
    Ok(stored
        .into_iter()
        .map(|transfer| app.live.newest(transfer.view))
        .collect())
}

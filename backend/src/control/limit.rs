//! How fast a machine may send: set by a person on any terminal, told to the machine and to all terminals.

use beckon_shared::{
    device::DeviceKind,
    error::{ErrorCode, Refusal},
    id::{AccountId, DeviceId},
    limits::{Limits, is_rate},
    wire::FromServer,
};

use super::publish_device;
use crate::{
    app::App,
    error::refusal_of,
    store::{
        Error,
        meta::{self, device::Device},
    },
};

/// Records the limits of a machine, then tells them. A machine that is away hears them at its next contact.
pub(crate) async fn limit_device(
    app: &App,
    account: AccountId,
    device: &DeviceId,
    limits: Limits,
) -> Result<(), Error> {
    let txn = app.meta().write().await?;
    check(&meta::device::find(&txn, &account, device).await?, &limits)?;
    meta::device::set_limits(&txn, &account, device, &limits).await?;
    txn.commit().await?;
    if let Err(error) = push(app, &account, device).await {
        refusal_of(&error);
    }
    publish_device(app, account, device).await;
    Ok(())
}

fn check(device: &Device, limits: &Limits) -> Result<(), Refusal> {
    let refuse = |code, message: &str| Err(Refusal::new(code, message));
    match () {
        () if device.kind != DeviceKind::Agent => refuse(
            ErrorCode::BadRequest,
            "this device is no machine, and only machines have limits; choose a machine",
        ),
        () if device.revoked => refuse(ErrorCode::Revoked, "this machine was revoked; join it again"),
        () if !limits.rate.is_none_or(is_rate) => refuse(
            ErrorCode::BadRequest,
            "so slow a rate gets nowhere; give at least 1024 bytes a second, 0 to send nothing, or none",
        ),
        () if !limits.is_valid() => refuse(
            ErrorCode::BadRequest,
            "these hours are not within a day; give minutes since midnight from 0 to 1439",
        ),
        () => Ok(()),
    }
}

/// Tells a machine its limits as they are stored by now, so that the last told are the last set.
async fn push(app: &App, account: &AccountId, device: &DeviceId) -> Result<(), Error> {
    let turn = app.hub.publishing(*account);
    let _turn = turn.lock().await;
    let row = meta::device::find(app.meta().read(), account, device).await?;
    app.hub.to_device(account, device, &FromServer::Limits(row.limits));
    Ok(())
}

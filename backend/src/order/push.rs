//! What a machine is told of a transfer: always how it stands now, so the last frame is right whatever came before.

use beckon_shared::{
    api::transfer::Act,
    id::{AccountId, TransferId},
    transfer::{Hold, TransferState, TransferView},
    wire::FromServer,
};

use crate::{
    app::App,
    store::{
        Error,
        meta::{self, transfer::Transfer},
    },
};

/// Tells a transfer's machine how it stands; false if the machine is away.
pub(super) async fn push(app: &App, account: &AccountId, id: &TransferId) -> Result<bool, Error> {
    let turn = app.hub.publishing(*account);
    let _turn = turn.lock().await;
    let transfer = meta::transfer::find(app.meta().read(), account, id).await?;
    let device = transfer.view.device;
    let mut is_here = app.hub.is_online(account, &device);
    let view = app.live.newest(transfer.view.clone());
    for frame in frames(transfer, &view) {
        is_here &= app.hub.to_device(account, &device, &frame);
    }
    Ok(is_here)
}

/// The frames that bring a machine to where a transfer stands, whatever the machine did so far.
pub(super) fn frames(transfer: Transfer, view: &TransferView) -> Vec<FromServer> {
    let id = transfer.id();
    let steer = |act| FromServer::Steer { transfer: id, act };
    let order = || FromServer::Order(Box::new(transfer.order.clone()));
    // Before the order, so that it begins in its place.
    let priority = FromServer::Priority {
        transfer: id,
        priority: view.priority,
    };
    match (view.state, view.hold) {
        (TransferState::Cancelled, _) => vec![steer(Act::Cancel)],
        (state, _) if state.is_over() => Vec::new(),
        (_, Hold::User) => vec![steer(Act::Pause)],
        // Whoever ordered it of itself has the order.
        _ if transfer.is_own_work() => Vec::new(),
        // What failed stays so in the machine's journal until it is told otherwise.
        (TransferState::Queued, _) if transfer.unheard => vec![steer(Act::Retry), priority, order()],
        _ => vec![priority, order()],
    }
}

//! A machine carries out an order: begins or goes on, reports what it could not store, ends.

use beckon_shared::{
    bulk::UploadGrant,
    error::{ErrorCode, Refusal},
    id::{AccountId, DeviceId, TransferId},
    order::CLOCK_GRACE,
    transfer::{Hold, Problem, Progress, TransferState, TransferView},
};

use super::{conclude, presence::lapsed, record};
use crate::{
    access::TransferAccess,
    app::App,
    clock::random,
    store::{
        Error, UploadStart,
        meta::{self, transfer::problem},
    },
};

/// How a transfer ended, as its machine says.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Over.
    pub(crate) state: TransferState,
    /// The final counts.
    pub(crate) progress: Progress,
    /// What went wrong with the whole of it.
    pub(crate) error: Option<Refusal>,
}

/// A machine begins an order or goes on with it; also renews its ticket.
pub(crate) async fn begin(
    app: &App,
    account: &AccountId,
    device: &DeviceId,
    id: &TransferId,
) -> Result<UploadGrant, Error> {
    let transfer = meta::transfer::find_of(app.meta().read(), account, device, id).await?;
    meta::transfer::must_be_open(&transfer.view)?;
    let now = app.clock.now();
    if transfer.view.state == TransferState::Queued && now > transfer.view.expires + CLOCK_GRACE {
        return Err(lapsed());
    }
    let machine = meta::device::find(app.meta().read(), account, device).await?;
    let root_name = machine.root_name(&transfer.root)?;
    let root = root_name.to_string();
    let access = TransferAccess {
        account: *account,
        device: *device,
        transfer: *id,
        space: transfer.space,
        root: transfer.root,
    };
    let start = UploadStart {
        space: access.granted(),
        device: *device,
        machine: machine.name,
        root: transfer.root,
        root_name,
    };
    let begun = app.store.begin_upload(start).await?;
    let ticket = random(&*app.clock);
    let txn = app.meta().write().await?;
    meta::ticket::add_bulk(&txn, &ticket, &access, now).await?;
    txn.commit().await?;
    let view = app.live.newest(transfer.view);
    // A renewed ticket changes nothing that people see.
    if view.state != TransferState::Running || view.hold == Hold::Away || view.root != root {
        record(
            app,
            account,
            TransferView {
                state: TransferState::Running,
                hold: Hold::None,
                root,
                ..view
            },
        )
        .await?;
    } else {
        app.live.adopt(account, view);
    }
    Ok(UploadGrant {
        ticket,
        space: transfer.space,
        chunk_key: begun.chunk_key,
        head: begun.head,
        epoch: begun.epoch,
    })
}

/// A machine lists entries that it could not store.
pub(crate) async fn report(
    app: &App,
    account: &AccountId,
    device: &DeviceId,
    id: &TransferId,
    offset: u64,
    problems: &[Problem],
) -> Result<(), Error> {
    let transfer = meta::transfer::find_of(app.meta().read(), account, device, id).await?;
    meta::transfer::must_be_open(&transfer.view)?;
    let txn = app.meta().write().await?;
    problem::add(&txn, id, offset, problems).await?;
    Ok(txn.commit().await?)
}

/// A machine has ended a transfer; recorded when this returns. Saying so twice is the same as once.
pub(crate) async fn end(
    app: &App,
    account: &AccountId,
    device: &DeviceId,
    id: &TransferId,
    outcome: Outcome,
) -> Result<(), Error> {
    if !outcome.state.is_over() {
        return Err(Error::refused(
            ErrorCode::BadRequest,
            "a transfer ends as done, partly, failed or cancelled",
        ));
    }
    let transfer = meta::transfer::find_of(app.meta().read(), account, device, id).await?;
    if transfer.view.state.is_over() {
        return Ok(());
    }
    let view = TransferView {
        state: outcome.state,
        hold: Hold::None,
        progress: outcome.progress,
        error: outcome.error.map(|error| error.message.chars().take(300).collect()),
        ended: Some(app.clock.now()),
        ..app.live.newest(transfer.view.clone())
    };
    conclude(app, &transfer, view).await
}

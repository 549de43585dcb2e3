//! A machine carries out an order: begins or goes on, reports what it could not store, ends.

use beckon_shared::{
    bulk::UploadGrant,
    error::{ErrorCode, Refusal},
    id::{AccountId, DeviceId, TransferId},
    order::CLOCK_GRACE,
    transfer::{Hold, Problem, Progress, TransferState, TransferView},
};

use super::{conclude, presence::lapsed, push::push, record};
use crate::{
    access::TransferAccess,
    app::App,
    clock::random,
    fault,
    store::{
        Error, UploadStart,
        meta::{
            self,
            transfer::{Transfer, problem},
        },
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
    fault::point("transfer-begun");
    let view = record(app, account, id, |view| running(view, &root)).await?;
    // Cancelled in between?
    meta::transfer::must_be_open(&view)?;
    if view.hold == Hold::User {
        // It was shown the order by somebody else, or has not heard of the pause.
        push(app, account, id).await?;
    }
    Ok(UploadGrant {
        ticket,
        space: transfer.space,
        chunk_key: begun.chunk_key,
        head: begun.head,
        epoch: begun.epoch,
    })
}

/// How a transfer stands that its machine works on. A renewed ticket changes nothing that people see.
fn running(view: &TransferView, root: &str) -> Option<TransferView> {
    let hold = match view.hold {
        Hold::User => Hold::User,
        // What a device was to read was chosen in it again.
        Hold::Away | Hold::Question => Hold::None,
        _ if view.state == TransferState::Queued => Hold::None,
        other => other,
    };
    let next = TransferView {
        state: TransferState::Running,
        hold,
        root: root.to_owned(),
        ..view.clone()
    };
    (next != *view).then_some(next)
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
        return heard(app, &transfer).await;
    }
    if is_of_an_earlier_run(&transfer.view, &outcome.progress) {
        return Ok(());
    }
    if transfer.view.state == TransferState::Queued && transfer.unheard {
        return ask_again(app, &transfer).await;
    }
    let error: Option<String> = outcome.error.map(|error| error.message.chars().take(300).collect());
    let ended = Some(app.clock.now());
    conclude(app, &transfer, |view| {
        Some(TransferView {
            state: outcome.state,
            hold: Hold::None,
            progress: outcome.progress,
            error: error.clone(),
            ended,
            ..view.clone()
        })
    })
    .await
}

/// A machine that speaks of the end knows that the transfer was cancelled, or is to run again.
async fn heard(app: &App, transfer: &Transfer) -> Result<(), Error> {
    if transfer.unheard {
        let txn = app.meta().write().await?;
        meta::transfer::set_unheard(&txn, &transfer.id(), false).await?;
        txn.commit().await?;
    }
    Ok(())
}

/// A run that failed at once looks like the one before the retry, told again. So it is shown the retry once more: whoever
/// runs by then goes on, and the next word of an end counts.
async fn ask_again(app: &App, transfer: &Transfer) -> Result<(), Error> {
    push(app, &transfer.account, &transfer.id()).await?;
    heard(app, transfer).await
}

/// Whether a machine tells again how the run before a retry ended, because it heard no answer: a run that has not begun has
/// found no files.
fn is_of_an_earlier_run(view: &TransferView, progress: &Progress) -> bool {
    view.state == TransferState::Queued && (progress.walked || progress.files_total > 0)
}

//! A person pauses, resumes, cancels or retries a transfer, from any terminal. It is recorded first, so that it holds also
//! for a machine that is away.

use beckon_shared::{
    api::transfer::Act,
    error::{ErrorCode, Refusal},
    id::{AccountId, TransferId},
    order::CLOCK_GRACE,
    time::Timestamp,
    transfer::{Hold, Progress, Task, TransferState, TransferView},
    wire::FromServer,
};

use super::{let_go, next_revision, push::push, tell, with_hold};
use crate::{
    app::App,
    error::refusal_of,
    store::{
        Error,
        meta::{
            self, Txn,
            transfer::{Transfer, selection},
        },
    },
};

/// Does what a person wants of a transfer. The same again changes nothing; what does not fit how it stands is refused.
pub(crate) async fn steer(app: &App, account: &AccountId, id: &TransferId, act: Act) -> Result<(), Error> {
    let Some((before, transfer)) = change(app, account, id, act).await? else {
        return Ok(());
    };
    if act == Act::Cancel {
        let_go(app, &transfer).await?;
    }
    if act == Act::Resume && before == Hold::Question {
        say_yes(app, &transfer);
    }
    hand_on(app, &transfer, act).await
}

/// Records the change; the transfer with its hold before, if there was something to change.
async fn change(app: &App, account: &AccountId, id: &TransferId, act: Act) -> Result<Option<(Hold, Transfer)>, Error> {
    let live = app.live.change(*id).await;
    loop {
        let txn = app.meta().write().await?;
        let transfer = meta::transfer::find(&txn, account, id).await?;
        let newest = app.live.newest(transfer.view.clone());
        let now = app.clock.now();
        let rest = resting(app, &transfer, &newest);
        let Some(changed) = next(&newest, act, rest, now)? else {
            return Ok(None);
        };
        let view = TransferView {
            revision: next_revision(newest.revision.max(transfer.view.revision), now),
            ..changed
        };
        if write(&txn, &transfer, act, &view, now).await? {
            txn.commit().await?;
            live.replace(account, &view);
            tell(app, account, view.clone());
            return Ok(Some((newest.hold, Transfer { view, ..transfer })));
        }
    }
}

/// What it waits for once nobody holds it: nothing, if its machine is here.
fn resting(app: &App, transfer: &Transfer, view: &TransferView) -> Hold {
    let is_here = app.hub.is_online(&transfer.account, &view.device);
    match (is_here, transfer.is_own_work()) {
        // What a browser was to read must be chosen in it again, whatever is said elsewhere.
        (_, true) if view.hold == Hold::Question => Hold::Question,
        (true, _) => Hold::None,
        (false, true) => Hold::Question,
        (false, false) => Hold::Away,
    }
}

/// How a transfer stands after an act; nothing if that is how it stands already.
fn next(view: &TransferView, act: Act, rest: Hold, now: Timestamp) -> Result<Option<TransferView>, Refusal> {
    let (paused, asks) = (view.hold == Hold::User, view.hold == Hold::Question);
    // What goes on until somebody ends it does not lapse once it was begun.
    let has_begun = view.task.is_standing() && view.state == TransferState::Running;
    let lapsed = now > view.expires + CLOCK_GRACE && !has_begun;
    match (act, view.state) {
        (Act::Cancel, TransferState::Cancelled) => Ok(None),
        (Act::Cancel, state) if state.is_over() => Err(conflict(
            "this transfer is over, so nothing is left to cancel; what it stored can be deleted in the drive",
        )),
        (Act::Cancel, _) => Ok(Some(cancelled(view, now))),
        (Act::Pause | Act::Resume, state) if state.is_over() => Err(conflict(
            "this transfer is over, so it can be neither paused nor resumed; retry it if it failed, else give the order again",
        )),
        (Act::Pause, _) if paused => Ok(None),
        (Act::Pause, _) => Ok(Some(with_hold(view, Hold::User))),
        (Act::Resume, _) if !(paused || asks) || view.hold == rest => Ok(None),
        (Act::Resume | Act::Retry, _) if lapsed => Err(conflict("the order has expired; give it again")),
        (Act::Resume, _) => Ok(Some(with_hold(view, rest))),
        (Act::Retry, TransferState::Failed | TransferState::Partly) => Ok(Some(queued_again(view, rest))),
        (Act::Retry, TransferState::Queued | TransferState::Running) => Ok(None),
        (Act::Retry, _) => Err(conflict(
            "only what failed can be retried; give the order again to look for what changed since",
        )),
    }
}

fn cancelled(view: &TransferView, now: Timestamp) -> TransferView {
    TransferView {
        state: TransferState::Cancelled,
        hold: Hold::None,
        ended: Some(now),
        ..view.clone()
    }
}

fn queued_again(view: &TransferView, rest: Hold) -> TransferView {
    TransferView {
        state: TransferState::Queued,
        hold: rest,
        // All that was ever put on the wire for it.
        progress: Progress {
            bytes_sent: view.progress.bytes_sent,
            ..Progress::default()
        },
        error: None,
        ended: None,
        ..view.clone()
    }
}

fn conflict(message: &str) -> Refusal {
    Refusal::new(ErrorCode::Conflict, message)
}

async fn write(txn: &Txn, transfer: &Transfer, act: Act, view: &TransferView, now: Timestamp) -> Result<bool, Error> {
    if act == Act::Retry {
        can_run(txn, transfer).await?;
    }
    let written = match act {
        Act::Retry => meta::transfer::reopen(txn, view, now).await?,
        _ => meta::transfer::update(txn, view, now).await?,
    };
    if written && matches!(act, Act::Cancel | Act::Retry) && !transfer.is_own_work() {
        meta::transfer::set_unheard(txn, &view.id, true).await?;
    }
    Ok(written)
}

/// Whether everything that the order needs is still there, and room for one more that is open.
async fn can_run(txn: &Txn, transfer: &Transfer) -> Result<(), Error> {
    meta::transfer::check_room(txn, &transfer.account).await?;
    if meta::device::find(txn, &transfer.account, &transfer.view.device)
        .await?
        .revoked
    {
        return Err(Refusal::new(
            ErrorCode::Revoked,
            "this machine was revoked; join it again and give the order again",
        )
        .into());
    }
    if let Some(origin) = &transfer.origin
        && transfer.trusts_origin()
        && meta::device::find(txn, &transfer.account, &origin.device)
            .await?
            .revoked
    {
        let message = "the device that this is copied from was revoked; restore what it stored from the drive instead";
        return Err(Refusal::new(ErrorCode::Revoked, message).into());
    }
    if transfer.view.task == Task::Watch && !meta::transfer::watches_of(txn, transfer).await?.is_empty() {
        return Err(conflict("another order to watch this folder took its place").into());
    }
    match &transfer.selection {
        Some(hash) if !selection::exists(txn, &transfer.account, hash).await? => {
            Err(conflict("what was selected is not known any more; select it again and give the order again").into())
        }
        _ => Ok(()),
    }
}

/// Answers the question of a machine that is here. One that is away asks again when it comes, as things stand by then.
fn say_yes(app: &App, transfer: &Transfer) {
    let frame = FromServer::Steer {
        transfer: transfer.id(),
        act: Act::Resume,
    };
    app.hub.to_device(&transfer.account, &transfer.view.device, &frame);
}

/// Tells whoever does the work. What cannot be told now, the next contact tells.
async fn hand_on(app: &App, transfer: &Transfer, act: Act) -> Result<(), Error> {
    let (account, device) = (&transfer.account, &transfer.view.device);
    if transfer.is_own_work() {
        let frame = FromServer::Steer {
            transfer: transfer.id(),
            act,
        };
        app.hub.to_all_of_device(account, device, &frame);
        return Ok(());
    }
    if let Err(error) = push(app, account, &transfer.id()).await {
        refusal_of(&error);
    }
    Ok(())
}

#[cfg(test)]
mod tests;

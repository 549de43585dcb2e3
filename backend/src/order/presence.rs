//! Orders wait while their machine is away, are pushed again when it comes, and lapse in the end.

use std::{cmp::Reverse, collections::HashSet, time::Duration};

use beckon_shared::{
    api::transfer::Act,
    error::ErrorCode,
    id::{AccountId, DeviceId, TransferId},
    order::CLOCK_GRACE,
    time::Timestamp,
    transfer::{Hold, TransferState, TransferView},
    wire::FromServer,
};

use super::{conclude, push::frames, record, with_hold};
use crate::{
    app::App,
    error::refusal_of,
    store::{
        Error,
        meta::{self, transfer::Transfer},
    },
};

/// A transfer that has begun ends when its order lapsed and its machine was gone for so long: the machine was wiped or lost,
/// and what was uploaded so far is held as long as the transfer is open.
const LOST_AFTER: Duration = Duration::from_secs(14 * 24 * 3600);

/// A machine is here again: its orders go on. The frames to push to it.
pub(crate) async fn machine_came(app: &App, account: &AccountId, device: &DeviceId) -> Result<Vec<FromServer>, Error> {
    let reader = app.meta().read();
    let cancelled = meta::transfer::cancelled_unheard_of(reader, account, device).await?;
    let mut pushed: Vec<FromServer> = Vec::new();
    for transfer in cancelled {
        let view = transfer.view.clone();
        pushed.extend(frames(transfer, &view));
    }
    let mut open = meta::transfer::open_of(reader, account, device).await?;
    // A machine begins with those that it hears of first.
    open.sort_by_key(|transfer| Reverse(transfer.view.priority));
    for transfer in open {
        let back = |view: &TransferView| (view.hold == Hold::Away).then(|| with_hold(view, Hold::None));
        let mut view = app.live.newest(transfer.view.clone());
        // Most wait for nothing: no transaction for those.
        if back(&view).is_some() {
            view = record(app, account, &transfer.id(), back).await?;
        }
        pushed.extend(frames(transfer, &view));
    }
    Ok(pushed)
}

/// A control socket of a machine is gone, over which these transfers were begun: its orders wait, unless another one is open.
/// Of what a browser uploads, those wait too whose tab is gone: another tab, or the same one after a reload, lacks the files
/// until it begins them itself.
pub(crate) async fn machine_went(app: &App, account: &AccountId, device: &DeviceId, begun: &HashSet<TransferId>) {
    if let Err(error) = hold_away(app, account, device, begun).await {
        refusal_of(&error);
    }
}

async fn hold_away(
    app: &App,
    account: &AccountId,
    device: &DeviceId,
    begun: &HashSet<TransferId>,
) -> Result<(), Error> {
    let open = meta::transfer::open_of(app.meta().read(), account, device).await?;
    for transfer in open {
        let (id, left) = (transfer.id(), transfer.is_own_work() && begun.contains(&transfer.id()));
        // It may have come back, or another tab have begun it, meanwhile.
        let stands_still = || !app.hub.is_online(account, device) || left && !app.hub.is_begun(account, device, &id);
        if stands_still() {
            wait(app, transfer, stands_still).await?;
        }
    }
    Ok(())
}

/// A page lacks the files of its upload: it waits for somebody to choose them again, unless another tab of the browser has them.
pub(crate) async fn files_are_gone(app: &App, account: &AccountId, device: &DeviceId, id: &TransferId) {
    let held = async {
        let transfer = meta::transfer::find_of(app.meta().read(), account, device, id).await?;
        match transfer.is_own_work() && !transfer.view.state.is_over() {
            true => wait(app, transfer, || !app.hub.is_begun(account, device, id)).await,
            false => Ok(()),
        }
    };
    if let Err(error) = held.await {
        refusal_of(&error);
    }
}

/// When the server starts, no machine is here yet.
pub(crate) async fn machines_are_away(app: &App) -> Result<(), Error> {
    for transfer in meta::transfer::all_open(app.meta().read()).await? {
        wait(app, transfer, || true).await?;
    }
    Ok(())
}

async fn wait(app: &App, transfer: Transfer, stands_still: impl Fn() -> bool) -> Result<(), Error> {
    // What a browser read must be chosen in it again: no machine comes back and goes on by itself.
    let hold = if transfer.is_own_work() {
        Hold::Question
    } else {
        Hold::Away
    };
    // What waits for a person goes on waiting for that person.
    let waits = |view: &TransferView| {
        let goes_on = matches!(view.hold, Hold::None | Hold::NoRoom | Hold::Schedule | Hold::Current);
        let waits = goes_on && stands_still();
        waits.then(|| with_hold(view, hold))
    };
    if waits(&app.live.newest(transfer.view.clone())).is_some() {
        record(app, &transfer.account, &transfer.id(), waits).await?;
    }
    Ok(())
}

/// Ends the transfers whose orders have lapsed.
pub(crate) async fn expire(app: &App) -> Result<(), Error> {
    let now = app.clock.now();
    for transfer in meta::transfer::open_beyond(app.meta().read(), now.before(CLOCK_GRACE)).await? {
        let has_begun = transfer.view.state == TransferState::Running;
        if transfer.view.task.is_standing() && has_begun {
            // It goes on until somebody ends it; what was stored for it and not committed is sent again if its machine returns.
            if is_lost(app, &transfer, now).await? {
                app.store.end_transfer(transfer.id()).await?;
            }
            continue;
        }
        // What waits for files to be chosen again waits for a person too.
        if !has_begun || matches!(transfer.view.hold, Hold::User | Hold::Question) {
            let why = why_lapsed(transfer.view.hold);
            fail(app, transfer, why).await?;
        } else if is_lost(app, &transfer, now).await? {
            fail(
                app,
                transfer,
                "the machine did not come back; give the order again when it is here",
            )
            .await?;
        }
    }
    Ok(())
}

/// What kept an order from being carried out in its time.
fn why_lapsed(hold: Hold) -> &'static str {
    match hold {
        Hold::Away => "the order has expired while its machine was away; give it again when the machine is here",
        Hold::User => "the order has expired while it was paused; give it again",
        Hold::Question => "the order has expired while it waited for an answer; give it again",
        Hold::None | Hold::NoRoom | Hold::Schedule | Hold::Current => "the order has expired; give it again",
    }
}

/// Whether nobody goes on with a transfer that has begun. Else it is let run: the machine began it in time.
async fn is_lost(app: &App, transfer: &Transfer, now: Timestamp) -> Result<bool, Error> {
    let (account, device) = (&transfer.account, &transfer.view.device);
    if now <= transfer.view.expires + LOST_AFTER || app.hub.is_online(account, device) {
        return Ok(false);
    }
    let machine = meta::device::find(app.meta().read(), account, device).await?;
    Ok(now > machine.view(false).last_seen + LOST_AFTER)
}

/// Ends the transfers of a machine that was revoked, and the copies that go by its word: nobody believes its commits any more.
pub(crate) async fn withdraw_of_device(app: &App, account: &AccountId, device: &DeviceId) -> Result<(), Error> {
    for transfer in meta::transfer::open_of(app.meta().read(), account, device).await? {
        fail(
            app,
            transfer,
            "the machine was revoked; join it again and give the order again",
        )
        .await?;
    }
    let copies = meta::transfer::copies_of(app.meta().read(), account, device, None).await?;
    for copy in copies.into_iter().filter(Transfer::trusts_origin) {
        let (id, machine) = (copy.id(), copy.view.device);
        let why = "the device that this is copied from was revoked; what was written stays";
        fail(app, copy, why).await?;
        // A machine that is away hears it when it asks for its next ticket.
        let stop = FromServer::Steer {
            transfer: id,
            act: Act::Cancel,
        };
        app.hub.to_device(account, &machine, &stop);
    }
    Ok(())
}

async fn fail(app: &App, transfer: Transfer, why: &str) -> Result<(), Error> {
    let ended = Some(app.clock.now());
    conclude(app, &transfer, |view| {
        Some(TransferView {
            state: TransferState::Failed,
            hold: Hold::None,
            error: Some(why.to_owned()),
            ended,
            ..view.clone()
        })
    })
    .await
}

/// What a machine that asks for such a transfer is told.
pub(super) fn lapsed() -> Error {
    Error::refused(ErrorCode::BadOrder, "the order has expired; give it again")
}

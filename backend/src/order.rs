//! Orders and the transfers that they start: placed by controllers, carried out by machines, steered and seen by every terminal.

mod detail;
mod holders;
mod live;
mod news;
mod origin;
mod place;
mod presence;
mod priority;
mod push;
mod show;
mod steer;
mod supersede;
mod work;

pub(crate) use detail::detail;
pub(crate) use holders::{holders, is_open};
pub(crate) use live::{Live, run as tell_progress};
pub(crate) use news::{News, arrived, committed};
pub(crate) use place::{Signer, place};
pub(crate) use presence::{expire, files_are_gone, machine_came, machine_went, machines_are_away, withdraw_of_device};
pub(crate) use priority::prioritise;
pub(crate) use show::show;
pub(crate) use steer::steer;
pub(crate) use work::{Outcome, begin, end, report};

use beckon_shared::{
    id::{AccountId, TransferId},
    time::Timestamp,
    transfer::{Hold, TransferView},
    wire::{FromServer, Part, Place},
};

use crate::{
    app::App,
    fault,
    store::{
        Error,
        meta::{
            self,
            transfer::{Transfer, selection},
        },
    },
};

/// The next revision of a transfer. It follows the clock, so that it grows also after a server was killed that had
/// told more than it had stored.
fn next_revision(last: u64, now: Timestamp) -> u64 {
    (last + 1).max(u64::try_from(now.0).unwrap_or(0))
}

/// Changes a transfer as it stands at this moment, durably, then tells it. `change` may be asked more than once; one that
/// is over meanwhile stays as it ended. The transfer as it stands after.
pub(crate) async fn record(
    app: &App,
    account: &AccountId,
    id: &TransferId,
    change: impl Fn(&TransferView) -> Option<TransferView>,
) -> Result<TransferView, Error> {
    let live = app.live.change(*id).await;
    loop {
        let txn = app.meta().write().await?;
        let stored = meta::transfer::find(&txn, account, id).await?.view;
        if stored.state.is_over() {
            live.replace(account, &stored);
            return Ok(stored);
        }
        let newest = app.live.newest(stored.clone());
        let Some(changed) = change(&newest) else {
            live.adopt(account, &newest);
            return Ok(newest);
        };
        let now = app.clock.now();
        let view = TransferView {
            revision: next_revision(newest.revision.max(stored.revision), now),
            ..changed
        };
        // Refused where two writers meet (PostgreSQL) and the other one was told of more progress.
        if meta::transfer::update(&txn, &view, now).await? {
            txn.commit().await?;
            live.replace(account, &view);
            tell(app, account, view.clone());
            return Ok(view);
        }
    }
}

/// Records that a transfer is over, and lets go of what was kept for it.
async fn conclude(
    app: &App,
    transfer: &Transfer,
    over: impl Fn(&TransferView) -> Option<TransferView>,
) -> Result<(), Error> {
    record(app, &transfer.account, &transfer.id(), over).await?;
    fault::point("end-recorded");
    let_go(app, transfer).await
}

/// Lets go of what was kept for a transfer that is over.
async fn let_go(app: &App, transfer: &Transfer) -> Result<(), Error> {
    if let Some(hash) = &transfer.selection {
        let txn = app.meta().write().await?;
        selection::release(&txn, &transfer.account, hash, app.clock.now()).await?;
        txn.commit().await?;
    }
    app.store.end_transfer(transfer.id()).await
}

fn with_hold(view: &TransferView, hold: Hold) -> TransferView {
    TransferView { hold, ..view.clone() }
}

/// Tells every controller of the account how a transfer stands.
fn tell(app: &App, account: &AccountId, view: TransferView) {
    app.hub.to_controllers(
        account,
        &FromServer::Transfers(Part {
            place: Place::Change,
            rows: vec![view],
        }),
    );
}

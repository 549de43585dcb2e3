//! Orders and the transfers that they start: placed by controllers, carried out by machines, seen by every terminal.

mod live;
mod place;
mod presence;
mod work;

pub(crate) use live::{Live, run as tell_progress};
pub(crate) use place::{Signer, place};
pub(crate) use presence::{expire, machine_came, machine_went, machines_are_away, withdraw_of_device};
pub(crate) use work::{Outcome, begin, end, report};

use beckon_shared::{
    id::AccountId,
    time::Timestamp,
    transfer::TransferView,
    wire::{FromServer, Part, Place},
};

use crate::{
    app::App,
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

/// Records a change of a transfer's life durably, then tells it. One that was over meanwhile stays as it ended.
pub(crate) async fn record(app: &App, account: &AccountId, mut view: TransferView) -> Result<TransferView, Error> {
    loop {
        let txn = app.meta().write().await?;
        let stored = meta::transfer::find(&txn, account, &view.id).await?.view;
        if stored.state.is_over() {
            app.live.replace(account, &stored);
            return Ok(stored);
        }
        let last = app.live.newest(view.clone()).revision.max(stored.revision);
        view.revision = next_revision(last, app.clock.now());
        // Refused where two writers meet (PostgreSQL) and the other one was told of more progress.
        if meta::transfer::update(&txn, &view).await? {
            txn.commit().await?;
            app.live.replace(account, &view);
            tell(app, account, view.clone());
            return Ok(view);
        }
    }
}

/// Records that a transfer is over, and lets go of what was kept for it.
async fn conclude(app: &App, transfer: &Transfer, over: TransferView) -> Result<(), Error> {
    record(app, &transfer.account, over).await?;
    if let Some(hash) = &transfer.selection {
        let txn = app.meta().write().await?;
        selection::release(&txn, &transfer.account, hash).await?;
        txn.commit().await?;
    }
    app.store.end_transfer(transfer.id()).await
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

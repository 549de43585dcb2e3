//! A machine watches a root once: of several orders to do so, the one that was signed last counts.

use beckon_shared::{
    id::TransferId,
    time::Timestamp,
    transfer::{Hold, Task, TransferState, TransferView},
};

use super::{conclude, push::push};
use crate::{
    app::App,
    error::refusal_of,
    store::{
        Error,
        meta::{self, transfer::Transfer},
    },
};

/// Ends the watches that another one takes the place of, after `transfer` was recorded.
pub(super) async fn supersede(app: &App, transfer: &Transfer) -> Result<(), Error> {
    if transfer.view.task != Task::Watch {
        return Ok(());
    }
    let watches = meta::transfer::watches_of(app.meta().read(), transfer).await?;
    let newest = watches.iter().map(signed).max();
    for watch in watches.iter().filter(|watch| Some(signed(watch)) != newest) {
        end(app, watch).await?;
    }
    Ok(())
}

/// When it was signed; of those of one moment, which one counts is the same wherever it is asked.
fn signed(watch: &Transfer) -> (Timestamp, TransferId) {
    let issued = watch.order.order.peek().map(|order| order.issued);
    (issued.unwrap_or(Timestamp(0)), watch.id())
}

async fn end(app: &App, watch: &Transfer) -> Result<(), Error> {
    let ended = Some(app.clock.now());
    conclude(app, watch, |view| {
        Some(TransferView {
            state: TransferState::Cancelled,
            hold: Hold::None,
            error: Some("another order to watch this folder took its place".to_owned()),
            ended,
            ..view.clone()
        })
    })
    .await?;
    let txn = app.meta().write().await?;
    meta::transfer::set_unheard(&txn, &watch.id(), true).await?;
    txn.commit().await?;
    // What cannot be told now, the next contact tells.
    if let Err(error) = push(app, &watch.account, &watch.id()).await {
        refusal_of(&error);
    }
    Ok(())
}

//! How transfers came to stand as they do: a row for each change of state or hold.

use beckon_shared::{
    api::transfer::TransferEvent,
    id::TransferId,
    time::Timestamp,
    transfer::{Hold, TransferState, TransferView},
};
use sea_orm::{ConnectionTrait, QueryResult};

use crate::store::{
    Error,
    meta::{
        Txn, sql,
        word::{column, from_word, number, word},
    },
};

/// So many are kept of a transfer, the newest.
const KEPT: i64 = 200;

/// Records how a transfer stands from now on, unless that is how it stood before.
///
/// One that waits for something to change goes on all the while, as far as its story goes: else that would have no end.
pub(super) async fn note(txn: &Txn, view: &TransferView, now: Timestamp) -> Result<(), Error> {
    let hold = match view.hold {
        Hold::Current => Hold::None,
        hold => hold,
    };
    let id = || view.id.as_bytes().to_vec().into();
    let text = "SELECT number, state, hold FROM transfer_event WHERE transfer = $1 ORDER BY number DESC LIMIT 1";
    let newest = txn.query_one_raw(sql(text, txn, [id()])).await?;
    let last: i64 = match &newest {
        Some(row) if stands(row)? == (view.state, hold) => return Ok(()),
        Some(row) => row.try_get("", "number")?,
        None => 0,
    };
    let text = "INSERT INTO transfer_event (transfer, number, at, state, hold, bytes_done, bytes_sent) VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let values = [
        id(),
        (last + 1).into(),
        now.0.into(),
        word(view.state).into(),
        word(hold).into(),
        column(view.progress.bytes_done).into(),
        column(view.progress.bytes_sent).into(),
    ];
    txn.execute_raw(sql(text, txn, values)).await?;
    let text = "DELETE FROM transfer_event WHERE transfer = $1 AND number <= $2";
    txn.execute_raw(sql(text, txn, [id(), (last + 1 - KEPT).into()]))
        .await?;
    Ok(())
}

/// The events of a transfer, oldest first.
pub(crate) async fn list(on: &impl ConnectionTrait, transfer: &TransferId) -> Result<Vec<TransferEvent>, Error> {
    let text = "SELECT at, state, hold, bytes_done, bytes_sent FROM transfer_event WHERE transfer = $1 ORDER BY number";
    on.query_all_raw(sql(text, on, [transfer.as_bytes().to_vec().into()]))
        .await?
        .iter()
        .map(parse)
        .collect()
}

fn stands(row: &QueryResult) -> Result<(TransferState, Hold), Error> {
    Ok((
        from_word(row.try_get("", "state")?)?,
        from_word(row.try_get("", "hold")?)?,
    ))
}

fn parse(row: &QueryResult) -> Result<TransferEvent, Error> {
    let (state, hold) = stands(row)?;
    Ok(TransferEvent {
        at: Timestamp(row.try_get("", "at")?),
        state,
        hold,
        bytes_done: number(row.try_get::<i64>("", "bytes_done")?)?,
        bytes_sent: number(row.try_get::<i64>("", "bytes_sent")?)?,
    })
}

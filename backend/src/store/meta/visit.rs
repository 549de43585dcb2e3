//! Visits: each control socket from its start to its end.

use std::net::SocketAddr;

use beckon_shared::{
    api::device::VisitView,
    id::{AccountId, DeviceId, VisitId},
    time::Timestamp,
};
use sea_orm::{ConnectionTrait, QueryResult};

use super::{Txn, sql, word::number};
use crate::store::Error;

/// So many visits of a device are told, and kept.
const TOLD: i64 = 500;

/// Records that a visit began.
pub(crate) async fn begin(
    txn: &Txn,
    account: &AccountId,
    device: &DeviceId,
    visit: VisitId,
    from: SocketAddr,
    version: &str,
    now: Timestamp,
) -> Result<(), Error> {
    let text =
        "INSERT INTO visit (id, account, device, address, port, version, started) VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let values = [
        visit.as_bytes().to_vec().into(),
        account.as_bytes().to_vec().into(),
        device.as_bytes().to_vec().into(),
        from.ip().to_string().into(),
        i64::from(from.port()).into(),
        version.into(),
        now.0.into(),
    ];
    txn.execute_raw(sql(text, txn, values)).await?;
    Ok(())
}

/// Records that a visit ended.
pub(crate) async fn end(txn: &Txn, visit: VisitId, now: Timestamp) -> Result<(), Error> {
    let text = "UPDATE visit SET ended = $2 WHERE id = $1 AND ended IS NULL";
    txn.execute_raw(sql(text, txn, [visit.as_bytes().to_vec().into(), now.0.into()]))
        .await?;
    Ok(())
}

/// Ends the visits that a server left open when it was killed, at the last sign of life of their devices.
pub(crate) async fn end_left_open(txn: &Txn) -> Result<(), Error> {
    let text =
        "UPDATE visit SET ended = (SELECT CASE WHEN d.last_seen > visit.started THEN d.last_seen ELSE visit.started END
        FROM device d WHERE d.account = visit.account AND d.id = visit.device) WHERE ended IS NULL";
    txn.execute_raw(sql(text, txn, [])).await?;
    Ok(())
}

/// Removes the visits that are not told any more.
pub(crate) async fn sweep(txn: &Txn) -> Result<(), Error> {
    let text = "DELETE FROM visit WHERE ended IS NOT NULL AND id IN (SELECT id FROM (
        SELECT id, ROW_NUMBER() OVER (PARTITION BY account, device ORDER BY started DESC, id DESC) AS place FROM visit) placed
        WHERE place > $1)";
    txn.execute_raw(sql(text, txn, [TOLD.into()])).await?;
    Ok(())
}

/// The newest visits of a device, newest first.
pub(crate) async fn list(
    on: &impl ConnectionTrait,
    account: &AccountId,
    device: &DeviceId,
) -> Result<Vec<VisitView>, Error> {
    let text = "SELECT id, address, port, version, started, ended FROM visit
        WHERE account = $1 AND device = $2 ORDER BY started DESC, id DESC LIMIT $3";
    let values = [
        account.as_bytes().to_vec().into(),
        device.as_bytes().to_vec().into(),
        TOLD.into(),
    ];
    on.query_all_raw(sql(text, on, values))
        .await?
        .iter()
        .map(view)
        .collect()
}

fn view(row: &QueryResult) -> Result<VisitView, Error> {
    Ok(VisitView {
        id: VisitId::from_slice(&row.try_get::<Vec<u8>>("", "id")?).map_err(|_| Error::bad_row("visit id"))?,
        address: row.try_get("", "address")?,
        port: number(row.try_get("", "port")?)?,
        version: row.try_get("", "version")?,
        started: Timestamp(row.try_get("", "started")?),
        ended: row.try_get::<Option<i64>>("", "ended")?.map(Timestamp),
    })
}

//! Entries that a transfer could not store, as its machine reported them.

use beckon_shared::{id::TransferId, path::RootPath, time::Timestamp, transfer::Problem};
use sea_orm::{ConnectionTrait, QueryResult};

use crate::store::{
    Error,
    meta::{
        Txn, sql,
        word::{column, from_word, number, word},
    },
};

/// So many are told at once.
const TOLD: i64 = 1000;

/// So many are kept of a transfer; beyond that the count in its progress says enough.
const KEPT: u64 = 100_000;

/// Records problems, the first of them being number `offset` of this run; 0 forgets those of an earlier run.
pub(crate) async fn add(txn: &Txn, transfer: &TransferId, offset: u64, problems: &[Problem]) -> Result<(), Error> {
    let id = transfer.as_bytes().to_vec();
    // Also what a lost answer made the machine send twice.
    let text = "DELETE FROM problem WHERE transfer = $1 AND seq >= $2";
    txn.execute_raw(sql(text, txn, [id.clone().into(), column(offset).into()]))
        .await?;
    let text = "INSERT INTO problem (transfer, seq, path, code, message) VALUES ($1, $2, $3, $4, $5)";
    for (seq, problem) in (offset..KEPT).zip(problems) {
        let values = [
            id.clone().into(),
            column(seq).into(),
            problem.path.as_bytes().to_vec().into(),
            word(problem.code).into(),
            problem.message.chars().take(300).collect::<String>().into(),
        ];
        txn.execute_raw(sql(text, txn, values)).await?;
    }
    Ok(())
}

/// Removes the problems of the transfers that ended before this moment.
pub(crate) async fn sweep(txn: &Txn, ended_before: Timestamp) -> Result<(), Error> {
    let text = "DELETE FROM problem WHERE transfer IN (SELECT id FROM transfer WHERE ended < $1)";
    txn.execute_raw(sql(text, txn, [ended_before.0.into()])).await?;
    Ok(())
}

/// The problems after the first `after`.
pub(crate) async fn list(on: &impl ConnectionTrait, transfer: &TransferId, after: u64) -> Result<Vec<Problem>, Error> {
    let text = "SELECT path, code, message FROM problem WHERE transfer = $1 AND seq >= $2 ORDER BY seq LIMIT $3";
    let values = [transfer.as_bytes().to_vec().into(), column(after).into(), TOLD.into()];
    on.query_all_raw(sql(text, on, values))
        .await?
        .iter()
        .map(parse)
        .collect()
}

/// How many there are.
pub(crate) async fn count(on: &impl ConnectionTrait, transfer: &TransferId) -> Result<u64, Error> {
    let text = "SELECT COUNT(*) AS total FROM problem WHERE transfer = $1";
    let row = on
        .query_one_raw(sql(text, on, [transfer.as_bytes().to_vec().into()]))
        .await?;
    number(row.ok_or_else(|| Error::bad_row("count"))?.try_get("", "total")?)
}

fn parse(row: &QueryResult) -> Result<Problem, Error> {
    let path: Vec<u8> = row.try_get("", "path")?;
    Ok(Problem {
        path: RootPath::new(path).map_err(|_| Error::bad_row("path"))?,
        code: from_word(row.try_get("", "code")?)?,
        message: row.try_get("", "message")?,
    })
}

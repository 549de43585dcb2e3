//! Selections that are too long to travel inside their order.

use beckon_shared::{
    error::{ErrorCode, Refusal},
    id::{AccountId, Hash},
    time::Timestamp,
};
use sea_orm::ConnectionTrait;

use crate::store::{
    Error,
    meta::{Txn, sql},
};

/// So many selections of an account may wait or be in use.
const KEPT: i64 = 32;

/// Keeps a selection until the transfers that need it are over. The same one again changes nothing.
pub(crate) async fn put(
    txn: &Txn,
    account: &AccountId,
    hash: &Hash,
    bytes: Vec<u8>,
    now: Timestamp,
) -> Result<(), Error> {
    if exists(txn, account, hash).await? {
        return Ok(());
    }
    if count(txn, account).await? >= KEPT {
        drop_oldest_spent(txn, account).await?;
    }
    if count(txn, account).await? >= KEPT {
        let message = "too many large selections wait already; let some transfers end, or order whole folders instead of many files";
        return Err(Refusal::new(ErrorCode::TooMany, message).into());
    }
    let text = "INSERT INTO selection (account, hash, bytes, created) VALUES ($1, $2, $3, $4) ON CONFLICT (account, hash) DO NOTHING";
    let values = [
        account.as_bytes().to_vec().into(),
        hash.as_bytes().to_vec().into(),
        bytes.into(),
        now.0.into(),
    ];
    txn.execute_raw(sql(text, txn, values)).await?;
    Ok(())
}

async fn count(txn: &Txn, account: &AccountId) -> Result<i64, Error> {
    let text = "SELECT COUNT(*) AS total FROM selection WHERE account = $1";
    let row = txn
        .query_one_raw(sql(text, txn, [account.as_bytes().to_vec().into()]))
        .await?;
    Ok(row.ok_or_else(|| Error::bad_row("count"))?.try_get("", "total")?)
}

/// A selection's bytes.
pub(crate) async fn get(on: &impl ConnectionTrait, account: &AccountId, hash: &Hash) -> Result<Option<Vec<u8>>, Error> {
    let text = "SELECT bytes FROM selection WHERE account = $1 AND hash = $2";
    let values = [account.as_bytes().to_vec().into(), hash.as_bytes().to_vec().into()];
    let row = on.query_one_raw(sql(text, on, values)).await?;
    Ok(row.map(|row| row.try_get("", "bytes")).transpose()?)
}

/// The first so many of a selection's bytes.
pub(crate) async fn beginning(
    on: &impl ConnectionTrait,
    account: &AccountId,
    hash: &Hash,
    most: usize,
) -> Result<Option<Vec<u8>>, Error> {
    let text = format!("SELECT substr(bytes, 1, {most}) AS beginning FROM selection WHERE account = $1 AND hash = $2");
    let values = [account.as_bytes().to_vec().into(), hash.as_bytes().to_vec().into()];
    let row = on.query_one_raw(sql(&text, on, values)).await?;
    Ok(row.map(|row| row.try_get("", "beginning")).transpose()?)
}

/// Whether it is there.
pub(crate) async fn exists(on: &impl ConnectionTrait, account: &AccountId, hash: &Hash) -> Result<bool, Error> {
    let text = "SELECT 1 AS one FROM selection WHERE account = $1 AND hash = $2";
    let values = [account.as_bytes().to_vec().into(), hash.as_bytes().to_vec().into()];
    Ok(on.query_one_raw(sql(text, on, values)).await?.is_some())
}

/// Which selections some transfer needs: one that is open, or one that failed and can still be tried again. `$1` is now.
const IS_NEEDED: &str = "EXISTS (
    SELECT 1 FROM transfer t WHERE t.account = selection.account AND t.selection = selection.hash
    AND (t.ended IS NULL OR (t.state IN ('failed', 'partly') AND t.expires > $1)))";

/// Removes a selection unless another transfer needs it.
pub(crate) async fn release(txn: &Txn, account: &AccountId, hash: &Hash, now: Timestamp) -> Result<(), Error> {
    let text = format!("DELETE FROM selection WHERE NOT {IS_NEEDED} AND account = $2 AND hash = $3");
    let values = [
        now.0.into(),
        account.as_bytes().to_vec().into(),
        hash.as_bytes().to_vec().into(),
    ];
    txn.execute_raw(sql(&text, txn, values)).await?;
    Ok(())
}

/// Removes the selections that no transfer needs and that came before this moment.
pub(crate) async fn sweep(txn: &Txn, came_before: Timestamp, now: Timestamp) -> Result<(), Error> {
    let text = format!("DELETE FROM selection WHERE NOT {IS_NEEDED} AND created < $2");
    txn.execute_raw(sql(&text, txn, [now.0.into(), came_before.0.into()]))
        .await?;
    Ok(())
}

/// Makes room for a new one: of those that are kept only for another try, the oldest goes.
async fn drop_oldest_spent(txn: &Txn, account: &AccountId) -> Result<(), Error> {
    let text = "DELETE FROM selection WHERE account = $1 AND hash IN (
        SELECT s.hash FROM selection s JOIN transfer t ON t.account = s.account AND t.selection = s.hash
        WHERE s.account = $1 GROUP BY s.hash, s.created HAVING COUNT(*) = COUNT(t.ended) ORDER BY s.created LIMIT 1)";
    txn.execute_raw(sql(text, txn, [account.as_bytes().to_vec().into()]))
        .await?;
    Ok(())
}

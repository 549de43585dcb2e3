//! Join codes: what the server keeps of each, and how often it can still be used.

use beckon_shared::{
    api::join::{JoinCodeView, NewJoinCode},
    certificate::{EnrolmentCertificate, Role},
    id::{AccountId, Hash},
    join::JoinOffer,
    time::Timestamp,
    wire,
};
use sea_orm::{ConnectionTrait, QueryResult};

use super::{
    Txn, sql,
    word::{array, from_word, number, word},
};
use crate::{error::not_found, store::Error};

/// A code as the server knows it.
#[derive(Debug, Clone)]
pub(crate) struct Code {
    /// The account that made it.
    pub(crate) account: AccountId,
    /// Handed to whoever knows the lookup id.
    pub(crate) offer: JoinOffer,
    /// Over the offer.
    pub(crate) mac: [u8; 32],
}

/// Records a code; the certificate is the offer's own, verified. The same lookup id again changes nothing.
pub(crate) async fn insert(
    txn: &Txn,
    account: &AccountId,
    new: &NewJoinCode,
    certificate: &EnrolmentCertificate,
) -> Result<(), Error> {
    let text = "INSERT INTO join_code (lookup, account, offer, mac, role, uses_left, expires)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (lookup) DO NOTHING";
    let values = [
        new.lookup.as_bytes().to_vec().into(),
        account.as_bytes().to_vec().into(),
        wire::encode(&new.offer.0).into(),
        new.mac.0.to_vec().into(),
        word(certificate.role).into(),
        i64::from(certificate.uses).into(),
        certificate.not_after.0.into(),
    ];
    txn.execute_raw(sql(text, txn, values)).await?;
    Ok(())
}

/// The codes of an account that can still be used.
pub(crate) async fn list(
    on: &impl ConnectionTrait,
    account: &AccountId,
    now: Timestamp,
) -> Result<Vec<JoinCodeView>, Error> {
    let text = "SELECT lookup, role, uses_left, expires FROM join_code
        WHERE account = $1 AND uses_left > 0 AND expires > $2 ORDER BY expires";
    let rows = on
        .query_all_raw(sql(text, on, [account.as_bytes().to_vec().into(), now.0.into()]))
        .await?;
    rows.iter().map(view).collect()
}

fn view(row: &QueryResult) -> Result<JoinCodeView, Error> {
    Ok(JoinCodeView {
        lookup: Hash(array(row.try_get("", "lookup")?)?),
        role: from_word::<Role>(row.try_get("", "role")?)?,
        uses_left: number(row.try_get("", "uses_left")?)?,
        expires: Timestamp(row.try_get("", "expires")?),
    })
}

/// The code under this lookup id, also one that is used up.
pub(crate) async fn get(on: &impl ConnectionTrait, lookup: &Hash) -> Result<Option<Code>, Error> {
    let text = "SELECT account, offer, mac FROM join_code WHERE lookup = $1";
    let Some(row) = on
        .query_one_raw(sql(text, on, [lookup.as_bytes().to_vec().into()]))
        .await?
    else {
        return Ok(None);
    };
    let offer: Vec<u8> = row.try_get("", "offer")?;
    Ok(Some(Code {
        account: AccountId(array(row.try_get("", "account")?)?),
        offer: wire::decode(&offer).map_err(|_| Error::bad_row("join offer"))?,
        mac: array(row.try_get("", "mac")?)?,
    }))
}

/// Uses the code up by one; false if it has lapsed or nothing is left of it. However many ask at once, no use is given twice.
pub(crate) async fn redeem(txn: &Txn, lookup: &Hash, now: Timestamp) -> Result<bool, Error> {
    let text = "UPDATE join_code SET uses_left = uses_left - 1 WHERE lookup = $1 AND uses_left > 0 AND expires > $2";
    let done = txn
        .execute_raw(sql(text, txn, [lookup.as_bytes().to_vec().into(), now.0.into()]))
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Withdraws a code of the account.
pub(crate) async fn withdraw(txn: &Txn, account: &AccountId, lookup: &Hash) -> Result<(), Error> {
    let text = "DELETE FROM join_code WHERE account = $1 AND lookup = $2";
    let values = [account.as_bytes().to_vec().into(), lookup.as_bytes().to_vec().into()];
    let done = txn.execute_raw(sql(text, txn, values)).await?;
    if done.rows_affected() == 1 {
        Ok(())
    } else {
        Err(not_found().into())
    }
}

/// Removes the codes that lapsed before this moment.
pub(crate) async fn sweep(txn: &Txn, lapsed_before: Timestamp) -> Result<(), Error> {
    txn.execute_raw(sql(
        "DELETE FROM join_code WHERE expires < $1",
        txn,
        [lapsed_before.0.into()],
    ))
    .await?;
    Ok(())
}

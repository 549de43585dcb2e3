//! Invitations: each lets one person make an account. Kept without their codes.

use beckon_shared::{
    api::admin::InvitationView,
    id::{AccountId, Hash, InvitationId},
    time::Timestamp,
};
use sea_orm::{ConnectionTrait, QueryResult};

use super::{Txn, sql, word::column};
use crate::{error::not_found, store::Error};

/// What the account that it makes may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Terms {
    /// Whether it administers the server.
    pub(crate) admin: bool,
    /// The most bytes that its drive may hold.
    pub(crate) quota: Option<u64>,
}

/// Records an invitation whose code has this hash, made by an administrator.
pub(crate) async fn insert(txn: &Txn, new: &InvitationView, hash: &Hash, by: &AccountId) -> Result<(), Error> {
    let text = "INSERT INTO invitation (id, hash, created, expires, admin, quota, made_by) VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let values = [
        new.id.as_bytes().to_vec().into(),
        hash.as_bytes().to_vec().into(),
        new.created.0.into(),
        new.expires.0.into(),
        new.admin.into(),
        new.quota.map(column).into(),
        by.as_bytes().to_vec().into(),
    ];
    txn.execute_raw(sql(text, txn, values)).await?;
    Ok(())
}

/// Those that can still be used, the oldest first.
pub(crate) async fn list(on: &impl ConnectionTrait, now: Timestamp) -> Result<Vec<InvitationView>, Error> {
    let text = "SELECT id, created, expires, admin, quota FROM invitation WHERE expires > $1 ORDER BY created, id";
    let rows = on.query_all_raw(sql(text, on, [now.0.into()])).await?;
    rows.iter().map(view).collect()
}

fn view(row: &QueryResult) -> Result<InvitationView, Error> {
    let id: Vec<u8> = row.try_get("", "id")?;
    let Terms { admin, quota } = terms(row)?;
    Ok(InvitationView {
        id: InvitationId::from_slice(&id).map_err(|_| Error::bad_row("invitation id"))?,
        created: Timestamp(row.try_get("", "created")?),
        expires: Timestamp(row.try_get("", "expires")?),
        admin,
        quota,
    })
}

fn terms(row: &QueryResult) -> Result<Terms, Error> {
    Ok(Terms {
        admin: row.try_get("", "admin")?,
        quota: row.try_get::<Option<i64>>("", "quota")?.map(i64::cast_unsigned),
    })
}

/// Whether the code of this hash can be used.
pub(crate) async fn is_open(on: &impl ConnectionTrait, hash: &Hash, now: Timestamp) -> Result<bool, Error> {
    let text = "SELECT id FROM invitation WHERE hash = $1 AND expires > $2";
    let row = on
        .query_one_raw(sql(text, on, [hash.as_bytes().to_vec().into(), now.0.into()]))
        .await?;
    Ok(row.is_some())
}

/// Uses an invitation up: what it allows, or nothing if it was used, withdrawn or has lapsed. However many ask at once,
/// one gets it.
pub(crate) async fn take(txn: &Txn, hash: &Hash, now: Timestamp) -> Result<Option<Terms>, Error> {
    let text = "DELETE FROM invitation WHERE hash = $1 AND expires > $2 RETURNING admin, quota";
    let row = txn
        .query_one_raw(sql(text, txn, [hash.as_bytes().to_vec().into(), now.0.into()]))
        .await?;
    row.map(|row| terms(&row)).transpose()
}

/// Withdraws an invitation, which must be there.
pub(crate) async fn withdraw(txn: &Txn, id: &InvitationId) -> Result<(), Error> {
    let text = "DELETE FROM invitation WHERE id = $1";
    let done = txn.execute_raw(sql(text, txn, [id.as_bytes().to_vec().into()])).await?;
    if done.rows_affected() == 1 {
        Ok(())
    } else {
        Err(not_found().into())
    }
}

/// Withdraws all that an administrator made, and those of which nobody knows any more who made them.
pub(crate) async fn withdraw_of(txn: &Txn, by: &AccountId) -> Result<(), Error> {
    let text = "DELETE FROM invitation WHERE made_by = $1 OR made_by IS NULL";
    txn.execute_raw(sql(text, txn, [by.as_bytes().to_vec().into()])).await?;
    Ok(())
}

/// Removes those that have lapsed.
pub(crate) async fn sweep(txn: &Txn, now: Timestamp) -> Result<(), Error> {
    txn.execute_raw(sql("DELETE FROM invitation WHERE expires <= $1", txn, [now.0.into()]))
        .await?;
    Ok(())
}

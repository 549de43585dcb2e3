//! Signed-in HTTP sessions. Each belongs to a device; a device has one at the most.

use beckon_shared::{
    api::account::SignInView,
    id::{AccountId, DeviceId, Hash, SignInId, SpaceId},
    time::Timestamp,
};
use sea_orm::{ConnectionTrait, QueryResult};

use super::{Txn, sql, word::array};
use crate::{
    access::{Access, Right},
    store::Error,
};

/// A session to be opened.
#[derive(Debug, Clone)]
pub(crate) struct NewSession {
    /// Its id.
    pub(crate) id: SignInId,
    /// The account.
    pub(crate) account: AccountId,
    /// The device that it belongs to.
    pub(crate) device: DeviceId,
    /// Hash of what the cookie holds.
    pub(crate) token_hash: Hash,
    /// Where the request came from.
    pub(crate) address: String,
    /// When it is opened.
    pub(crate) created: Timestamp,
    /// When it ends by itself.
    pub(crate) expires: Timestamp,
}

/// A session that a cookie opened.
#[derive(Debug, Clone)]
pub(crate) struct OpenSession {
    /// Its id.
    pub(crate) id: SignInId,
    /// What its account may do.
    pub(crate) access: Access,
    /// Its device.
    pub(crate) device: DeviceId,
    /// When it was last used, to a minute.
    pub(crate) used: Timestamp,
    /// When it ends by itself.
    pub(crate) expires: Timestamp,
}

/// Opens a session in place of any earlier one of the same device.
pub(crate) async fn open(txn: &Txn, new: &NewSession) -> Result<(), Error> {
    end_of_device(txn, &new.account, &new.device).await?;
    let text = "INSERT INTO session (id, account, device, token_hash, address, created, used, expires)
        VALUES ($1, $2, $3, $4, $5, $6, $6, $7)";
    let values = [
        new.id.as_bytes().to_vec().into(),
        new.account.as_bytes().to_vec().into(),
        new.device.as_bytes().to_vec().into(),
        new.token_hash.as_bytes().to_vec().into(),
        new.address.clone().into(),
        new.created.0.into(),
        new.expires.0.into(),
    ];
    txn.execute_raw(sql(text, txn, values)).await?;
    Ok(())
}

/// The session whose cookie has this hash, unless it or its device has ended.
pub(crate) async fn by_token(
    on: &impl ConnectionTrait,
    hash: &Hash,
    now: Timestamp,
) -> Result<Option<OpenSession>, Error> {
    let text = "SELECT s.id, s.account, s.device, s.used, s.expires, a.admin, a.space
        FROM session s
        JOIN account a ON a.id = s.account
        JOIN device d ON d.account = s.account AND d.id = s.device
        WHERE s.token_hash = $1 AND s.expires > $2 AND d.revoked_at IS NULL AND a.disabled_at IS NULL";
    let row = on
        .query_one_raw(sql(text, on, [hash.as_bytes().to_vec().into(), now.0.into()]))
        .await?;
    row.map(|row| parse(&row)).transpose()
}

fn parse(row: &QueryResult) -> Result<OpenSession, Error> {
    let space = SpaceId::from_slice(&row.try_get::<Vec<u8>>("", "space")?).map_err(|_| Error::bad_row("space id"))?;
    let account = AccountId(array(row.try_get("", "account")?)?);
    Ok(OpenSession {
        id: session_id(row)?,
        access: Access {
            account,
            admin: row.try_get("", "admin")?,
            spaces: vec![(space, Right::Write)],
        },
        device: DeviceId(array(row.try_get("", "device")?)?),
        used: Timestamp(row.try_get("", "used")?),
        expires: Timestamp(row.try_get("", "expires")?),
    })
}

fn session_id(row: &QueryResult) -> Result<SignInId, Error> {
    SignInId::from_slice(&row.try_get::<Vec<u8>>("", "id")?).map_err(|_| Error::bad_row("session id"))
}

/// Notes a request.
pub(crate) async fn touch(txn: &Txn, id: &SignInId, address: &str, now: Timestamp) -> Result<(), Error> {
    let text = "UPDATE session SET used = $2, address = $3 WHERE id = $1";
    txn.execute_raw(sql(
        text,
        txn,
        [id.as_bytes().to_vec().into(), now.0.into(), address.into()],
    ))
    .await?;
    Ok(())
}

/// When the device's session ends, if it has one.
pub(crate) async fn end_of(
    on: &impl ConnectionTrait,
    account: &AccountId,
    device: &DeviceId,
    now: Timestamp,
) -> Result<Option<Timestamp>, Error> {
    let text = "SELECT expires FROM session WHERE account = $1 AND device = $2 AND expires > $3";
    let values = [
        account.as_bytes().to_vec().into(),
        device.as_bytes().to_vec().into(),
        now.0.into(),
    ];
    let row = on.query_one_raw(sql(text, on, values)).await?;
    Ok(row.map(|row| row.try_get("", "expires").map(Timestamp)).transpose()?)
}

/// The account's sessions, newest first.
pub(crate) async fn list(
    on: &impl ConnectionTrait,
    account: &AccountId,
    current: &SignInId,
    now: Timestamp,
) -> Result<Vec<SignInView>, Error> {
    let text = "SELECT s.id, s.device, d.name, s.address, s.created, s.used, s.expires
        FROM session s JOIN device d ON d.account = s.account AND d.id = s.device
        WHERE s.account = $1 AND s.expires > $2 ORDER BY s.created DESC";
    let rows = on
        .query_all_raw(sql(text, on, [account.as_bytes().to_vec().into(), now.0.into()]))
        .await?;
    rows.iter().map(|row| view(row, current)).collect()
}

fn view(row: &QueryResult, current: &SignInId) -> Result<SignInView, Error> {
    let id = session_id(row)?;
    Ok(SignInView {
        id,
        device: DeviceId(array(row.try_get("", "device")?)?),
        device_name: row.try_get("", "name")?,
        address: row.try_get("", "address")?,
        created: Timestamp(row.try_get("", "created")?),
        used: Timestamp(row.try_get("", "used")?),
        expires: Timestamp(row.try_get("", "expires")?),
        current: id == *current,
    })
}

/// Ends one session of the account; its device, if there was one.
pub(crate) async fn end(txn: &Txn, account: &AccountId, id: &SignInId) -> Result<Option<DeviceId>, Error> {
    let text = "DELETE FROM session WHERE account = $1 AND id = $2 RETURNING device";
    let row = txn
        .query_one_raw(sql(
            text,
            txn,
            [account.as_bytes().to_vec().into(), id.as_bytes().to_vec().into()],
        ))
        .await?;
    row.map(|row| Ok(DeviceId(array(row.try_get("", "device")?)?)))
        .transpose()
}

/// Ends all sessions of the account but one; their devices.
pub(crate) async fn end_others(
    txn: &Txn,
    account: &AccountId,
    kept: Option<&SignInId>,
) -> Result<Vec<DeviceId>, Error> {
    let text = "DELETE FROM session WHERE account = $1 AND id <> $2 RETURNING device";
    // No session has the empty id, so nothing is kept where none is named.
    let kept = kept.map(|id| id.as_bytes().to_vec()).unwrap_or_default();
    let rows = txn
        .query_all_raw(sql(text, txn, [account.as_bytes().to_vec().into(), kept.into()]))
        .await?;
    rows.iter()
        .map(|row| Ok(DeviceId(array(row.try_get("", "device")?)?)))
        .collect()
}

/// Ends the sessions of a device.
pub(crate) async fn end_of_device(txn: &Txn, account: &AccountId, device: &DeviceId) -> Result<(), Error> {
    let text = "DELETE FROM session WHERE account = $1 AND device = $2";
    txn.execute_raw(sql(
        text,
        txn,
        [account.as_bytes().to_vec().into(), device.as_bytes().to_vec().into()],
    ))
    .await?;
    Ok(())
}

/// Removes the sessions that have ended by themselves.
pub(crate) async fn sweep(txn: &Txn, now: Timestamp) -> Result<(), Error> {
    txn.execute_raw(sql("DELETE FROM session WHERE expires <= $1", txn, [now.0.into()]))
        .await?;
    Ok(())
}

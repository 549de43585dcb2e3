//! Tickets: short-lived permissions for one purpose, stored as their hashes.

use std::time::Duration;

use beckon_shared::{
    id::{AccountId, DeviceId, Hash, RootId, SpaceId, TransferId},
    time::Timestamp,
};
use sea_orm::{ConnectionTrait, QueryResult};

use super::{
    Txn, sql,
    word::{array, from_word, word},
};
use crate::{
    access::{Opens, Origin, TransferAccess},
    store::Error,
};

/// How long the proof of a password counts.
pub(crate) const PROOF_LIFE: Duration = Duration::from_secs(5 * 60);
/// How long a device may send bulk requests before it asks for the next ticket.
const BULK_LIFE: Duration = Duration::from_secs(10 * 60);

/// What was proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Proven {
    /// The password.
    Password,
    /// The recovery words.
    Recovery,
}

/// What a bulk ticket is for, as it is stored.
#[derive(Debug, Clone, Copy, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Purpose {
    #[serde(rename = "bulk")]
    Upload,
    Watch,
    Send,
    Copy,
    Receive,
}

/// Lets whoever proved something go on, once.
pub(crate) async fn add_proof(
    txn: &Txn,
    ticket: &[u8; 32],
    account: &AccountId,
    proven: Proven,
    now: Timestamp,
) -> Result<(), Error> {
    let text = "INSERT INTO ticket (hash, purpose, account, expires) VALUES ($1, $2, $3, $4)";
    let expires = now + PROOF_LIFE;
    let values = [
        hash(ticket).into(),
        word(proven).into(),
        account.as_bytes().to_vec().into(),
        expires.0.into(),
    ];
    txn.execute_raw(sql(text, txn, values)).await?;
    Ok(())
}

/// Uses a proof up: whose it was, and of what.
pub(crate) async fn take_proof(
    txn: &Txn,
    ticket: &[u8; 32],
    now: Timestamp,
) -> Result<Option<(AccountId, Proven)>, Error> {
    let text = "DELETE FROM ticket WHERE hash = $1 AND expires > $2 AND transfer IS NULL RETURNING account, purpose";
    let Some(row) = txn
        .query_one_raw(sql(text, txn, [hash(ticket).into(), now.0.into()]))
        .await?
    else {
        return Ok(None);
    };
    let account = AccountId(array(row.try_get("", "account")?)?);
    Ok(Some((account, from_word(row.try_get("", "purpose")?)?)))
}

/// Ends what an account's password or recovery words were proved for and that was not done yet.
pub(crate) async fn end_proofs(txn: &Txn, account: &AccountId) -> Result<(), Error> {
    let text = "DELETE FROM ticket WHERE account = $1 AND transfer IS NULL";
    txn.execute_raw(sql(text, txn, [account.as_bytes().to_vec().into()]))
        .await?;
    Ok(())
}

/// Lets a device send the bulk requests of a transfer, as far as it may.
pub(crate) async fn add_bulk(
    txn: &Txn,
    ticket: &[u8; 32],
    access: &TransferAccess,
    now: Timestamp,
) -> Result<(), Error> {
    let text = "INSERT INTO ticket (hash, purpose, account, device, transfer, expires, origin_device, origin_root) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let (purpose, origin) = match access.opens {
        Opens::Upload => (Purpose::Upload, None),
        Opens::Watch => (Purpose::Watch, None),
        Opens::Send => (Purpose::Send, None),
        Opens::Copy(origin) => (Purpose::Copy, Some(origin)),
        Opens::Receive => (Purpose::Receive, None),
    };
    let values = [
        hash(ticket).into(),
        word(purpose).into(),
        access.account.as_bytes().to_vec().into(),
        access.device.as_bytes().to_vec().into(),
        access.transfer.as_bytes().to_vec().into(),
        (now + BULK_LIFE).0.into(),
        origin.map(|origin| origin.device.as_bytes().to_vec()).into(),
        origin.map(|origin| origin.root.as_bytes().to_vec()).into(),
    ];
    txn.execute_raw(sql(text, txn, values)).await?;
    Ok(())
}

/// What a bulk ticket opens, unless it, its transfer or its device has ended; that of a browser also with its sign-in.
pub(crate) async fn bulk(
    on: &impl ConnectionTrait,
    ticket: &[u8; 32],
    now: Timestamp,
) -> Result<Option<TransferAccess>, Error> {
    let text = "SELECT t.account, t.device, t.transfer, t.purpose, t.origin_device, t.origin_root, f.space, f.root
        FROM ticket t
        JOIN transfer f ON f.id = t.transfer
        JOIN device d ON d.account = t.account AND d.id = t.device
        JOIN account a ON a.id = t.account
        WHERE t.hash = $1 AND t.expires > $2 AND f.ended IS NULL AND d.revoked_at IS NULL AND a.disabled_at IS NULL
        AND (d.kind = 'agent' OR EXISTS (
            SELECT 1 FROM session s WHERE s.account = t.account AND s.device = t.device AND s.expires > $2))";
    let Some(row) = on
        .query_one_raw(sql(text, on, [hash(ticket).into(), now.0.into()]))
        .await?
    else {
        return Ok(None);
    };
    let uuid = |column: &str| -> Result<Vec<u8>, Error> { Ok(row.try_get("", column)?) };
    Ok(Some(TransferAccess {
        account: AccountId(array(row.try_get("", "account")?)?),
        device: DeviceId(array(row.try_get("", "device")?)?),
        transfer: TransferId::from_slice(&uuid("transfer")?).map_err(|_| Error::bad_row("transfer id"))?,
        space: SpaceId::from_slice(&uuid("space")?).map_err(|_| Error::bad_row("space id"))?,
        root: RootId(array(row.try_get("", "root")?)?),
        opens: opens(&row)?,
    }))
}

fn opens(row: &QueryResult) -> Result<Opens, Error> {
    let part = |column: &str| -> Result<Vec<u8>, Error> {
        let bytes: Option<Vec<u8>> = row.try_get("", column)?;
        bytes.ok_or_else(|| Error::bad_row("ticket"))
    };
    Ok(match from_word(row.try_get("", "purpose")?)? {
        Purpose::Upload => Opens::Upload,
        Purpose::Watch => Opens::Watch,
        Purpose::Send => Opens::Send,
        Purpose::Receive => Opens::Receive,
        Purpose::Copy => Opens::Copy(Origin {
            device: DeviceId(array(part("origin_device")?)?),
            root: RootId(array(part("origin_root")?)?),
        }),
    })
}

/// Ends all tickets of an account.
pub(crate) async fn end_of_account(txn: &Txn, account: &AccountId) -> Result<(), Error> {
    let text = "DELETE FROM ticket WHERE account = $1";
    txn.execute_raw(sql(text, txn, [account.as_bytes().to_vec().into()]))
        .await?;
    Ok(())
}

/// Ends the bulk tickets of a device.
pub(crate) async fn end_of_device(txn: &Txn, account: &AccountId, device: &DeviceId) -> Result<(), Error> {
    let text = "DELETE FROM ticket WHERE account = $1 AND device = $2";
    txn.execute_raw(sql(
        text,
        txn,
        [account.as_bytes().to_vec().into(), device.as_bytes().to_vec().into()],
    ))
    .await?;
    Ok(())
}

/// Removes the tickets that have ended by themselves.
pub(crate) async fn sweep(txn: &Txn, now: Timestamp) -> Result<(), Error> {
    txn.execute_raw(sql("DELETE FROM ticket WHERE expires <= $1", txn, [now.0.into()]))
        .await?;
    Ok(())
}

fn hash(ticket: &[u8; 32]) -> Vec<u8> {
    Hash::of(ticket).as_bytes().to_vec()
}

//! What administrators change of accounts: shutting one out, its quota.

use beckon_shared::{
    api::admin::{AccountRow, ChangeAccount},
    error::{ErrorCode, Refusal},
    id::AccountId,
};

use crate::{
    app::App,
    error::Failure,
    store::{
        Error,
        meta::{self, Txn, account::Account},
    },
};

/// Every account, by name.
pub(crate) async fn list(app: &App) -> Result<Vec<AccountRow>, Error> {
    let mut rows = meta::stat::accounts(app.meta().read()).await?;
    for row in &mut rows {
        // An account has no more devices than fit.
        row.online = app.hub.online(&row.id).len() as u32;
    }
    Ok(rows)
}

/// Changes what is given of an account, on behalf of the administrator `by`. Nothing of one that is to be disabled goes on
/// when this returns.
pub(crate) async fn change(app: &App, by: &AccountId, id: &AccountId, wanted: &ChangeAccount) -> Result<(), Failure> {
    let now = app.clock.now();
    let txn = begin(app, by).await?;
    let account = meta::account::by_id(&txn, id).await?.ok_or_else(Failure::not_found)?;
    let disable = wanted.disabled == Some(true);
    if disable && id == by {
        return Err(Failure::new(
            ErrorCode::NotAllowed,
            "nobody can disable their own account; let another administrator do it",
        ));
    }
    if let Some(quota) = wanted.quota {
        if quota.is_some_and(|quota| i64::try_from(quota).is_err()) {
            return Err(too_large().into());
        }
        meta::space::set_quota(&txn, account.space, quota).await?;
    }
    if let Some(disabled) = wanted.disabled.filter(|disabled| *disabled != account.disabled) {
        meta::account::set_disabled(&txn, id, disabled.then_some(now)).await?;
    }
    if disable {
        end_all(&txn, &account).await?;
    }
    txn.commit().await.map_err(Error::from)?;
    if disable {
        app.hub.cut_account(id);
    }
    tracing::info!(disabled = ?wanted.disabled, quota = ?wanted.quota, "an administrator changed an account");
    Ok(())
}

/// A transaction of an administrator who still is one.
pub(crate) async fn begin(app: &App, by: &AccountId) -> Result<Txn, Failure> {
    let txn = app.meta().write().await?;
    // So that two administrators who disable each other do it one after the other, on PostgreSQL too.
    meta::numbers(&txn, 0).await?;
    check_still_admin(&txn, by).await?;
    Ok(txn)
}

/// The administrator may have been disabled by another one since the request came. As long as nobody can disable themselves,
/// this keeps one administrator in.
async fn check_still_admin(txn: &Txn, by: &AccountId) -> Result<(), Failure> {
    let stands = meta::account::by_id(txn, by)
        .await?
        .is_some_and(|account| account.admin && !account.disabled);
    if stands {
        Ok(())
    } else {
        Err(meta::account::shut_out().into())
    }
}

/// Ends what the database holds of an account's doings: who is signed in, what was proved or begun, and whom it invited.
async fn end_all(txn: &Txn, account: &Account) -> Result<(), Error> {
    meta::session::end_others(txn, &account.id, None).await?;
    meta::invitation::withdraw_of(txn, &account.id).await?;
    meta::ticket::end_of_account(txn, &account.id).await
}

/// The quota is no size that a disk can have.
pub(crate) fn too_large() -> Refusal {
    Refusal::new(
        ErrorCode::BadRequest,
        "a quota has less than 8 EiB; leave it out where there is to be none",
    )
}

//! A new password, which only the account itself can set.

use std::time::Duration;

use actix_web::{HttpResponse, web};
use beckon_shared::{
    api::account::{ChangePassword, NewPassword},
    error::{ErrorCode, Refusal},
    id::SignInId,
    order::CLOCK_GRACE,
    password::{AuthSecret, WrappedKey},
    statement::Statement,
    time::Timestamp,
};

use super::super::guard::SignedIn;
use crate::{
    app::{App, to_the_end},
    error::{Answer, Failure},
    store::{
        Error,
        meta::{
            self, Txn,
            account::{Account, Password, Proof},
            ticket::Proven,
        },
    },
};

/// A new password for the session's own account.
#[utoipa::path(post, path = "/api/password", request_body = ChangePassword, responses((status = 204)))]
pub(in crate::http) async fn change_password(
    app: web::Data<App>,
    by: SignedIn,
    body: web::Json<ChangePassword>,
) -> Answer {
    to_the_end(async move {
        let txn = app.meta().write().await?;
        let account = proven(&app, &txn, &body, Proven::Password).await?;
        if account.id != by.access.account {
            return Err(lapsed().into());
        }
        set(&app, txn, &account, &body, Some(&by.session)).await
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// A new password for whoever proved the recovery words.
#[utoipa::path(post, path = "/api/recover/finish", request_body = ChangePassword, responses((status = 204)))]
pub(in crate::http) async fn recover_finish(app: web::Data<App>, body: web::Json<ChangePassword>) -> Answer {
    to_the_end(async move {
        let txn = app.meta().write().await?;
        let account = proven(&app, &txn, &body, Proven::Recovery).await?;
        set(&app, txn, &account, &body, None).await
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn proven(app: &App, txn: &Txn, body: &ChangePassword, wanted: Proven) -> Result<Account, Error> {
    let found = meta::ticket::take_proof(txn, &body.ticket.0, app.clock.now()).await?;
    let (id, _) = found.filter(|(_, proven)| *proven == wanted).ok_or_else(lapsed)?;
    let account = meta::account::by_id(txn, &id).await?.ok_or_else(lapsed)?;
    if account.disabled {
        return Err(meta::account::shut_out().into());
    }
    Ok(account)
}

/// Sets the password, and ends all sessions but the one that asked and whatever the old password was proved for.
async fn set(
    app: &App,
    txn: Txn,
    account: &Account,
    body: &ChangePassword,
    kept: Option<&SignInId>,
) -> Result<(), Failure> {
    let at = check_statement(account, body, app.clock.now())?;
    let password = checked(&body.password, at)?;
    meta::account::set_password(&txn, &account.id, &password).await?;
    meta::ticket::end_proofs(&txn, &account.id).await?;
    let ended = meta::session::end_others(&txn, &account.id, kept).await?;
    txn.commit().await.map_err(Error::from)?;
    for device in &ended {
        app.hub.cut(&account.id, device);
    }
    tracing::info!(ended = ended.len(), "a password was changed");
    Ok(())
}

/// The account must have signed exactly these values, after the last time it did so.
fn check_statement(account: &Account, body: &ChangePassword, now: Timestamp) -> Result<Timestamp, Failure> {
    let refuse = |message: &str| Failure::new(ErrorCode::NotAllowed, message);
    let statement = Statement::verify(&body.statement.0, &account.key).map_err(|bad| refuse(&bad.to_string()))?;
    let Statement::NewPassword(said) = statement else {
        return Err(refuse("this statement is not about a password; try again"));
    };
    let password = &body.password;
    let same = said.auth_hash == AuthSecret::from_bytes(password.auth.0).hash()
        && said.salt == password.salt.0
        && said.params == password.params
        && said.wrap_hash == password.wrapped.0.hash();
    if !same {
        return Err(refuse("the account signed another password than this; try again"));
    }
    if said.at > now + CLOCK_GRACE {
        return Err(Failure::new(
            ErrorCode::BadClock,
            "this device's clock is ahead; set it right and try again",
        ));
    }
    if said.at <= account.password.at {
        return Err(Failure::new(
            ErrorCode::BadClock,
            "the password was changed after this; set this device's clock right and try again",
        ));
    }
    Ok(said.at)
}

/// What the server keeps of a password that somebody chose.
pub(super) fn checked(new: &NewPassword, at: Timestamp) -> Result<Password, Failure> {
    new.params.check().map_err(|_| {
        Failure::new(
            ErrorCode::BadRequest,
            "the costs of the key derivation are outside 64-256 MiB and 3-10 passes; update the program",
        )
    })?;
    let proof = Proof {
        hash: AuthSecret::from_bytes(new.auth.0).hash(),
        wrapped: checked_wrap(&new.wrapped.0)?,
    };
    Ok(Password {
        salt: new.salt.0,
        params: new.params,
        proof,
        at,
    })
}

/// The wrapped key, if it has the form of one.
pub(super) fn checked_wrap(wrapped: &WrappedKey) -> Result<WrappedKey, Failure> {
    let checked = WrappedKey::from_bytes(wrapped.as_bytes().to_vec());
    checked.map_err(|_| {
        Failure::new(
            ErrorCode::BadRequest,
            "the wrapped account key is malformed; update the program",
        )
    })
}

/// The proof was used or is too old.
pub(super) fn lapsed() -> Refusal {
    let minutes = PROOF_LIFE.as_secs() / 60;
    Refusal::new(
        ErrorCode::NotSignedIn,
        format!("this took longer than {minutes} minutes or was done already; give the password again"),
    )
}

/// As long as [`meta::ticket`] lets a proof count.
const PROOF_LIFE: Duration = meta::ticket::PROOF_LIFE;

//! `/api/sign-up`, `/api/sign-in`, `/api/recover`, `/api/password`: how people come in.

mod admit;
mod password;
mod session;
mod sign_up;
mod usage;

use actix_web::{HttpRequest, web};
use beckon_shared::{
    api::{
        Packed,
        account::{Prove, Proved, SignInFinish, SignInName, SignInStart, SignedIn},
    },
    error::{ErrorCode, Refusal},
    password::{AuthSecret, KdfParams, fake_salt},
    path::Label,
};

use super::{
    guard::client,
    limit::{address_key, name_key},
};
use crate::{
    app::{App, small_json},
    clock::random,
    error::{Answer, Failure},
    store::{
        Error,
        meta::{self, account::Account, ticket::Proven},
    },
};

pub(super) use admit::{check_device, check_texts};
pub(super) use password::{__path_change_password, __path_recover_finish};
pub(super) use session::{__path_current, __path_end, __path_list, __path_sign_out};
pub(super) use sign_up::__path_sign_up;
pub(super) use usage::__path_usage;

/// The paths of this file.
pub(crate) fn routes(cfg: &mut web::ServiceConfig) {
    for (path, answer) in [
        ("/api/sign-up", web::post().to(sign_up::sign_up)),
        ("/api/sign-in/start", web::post().to(start)),
        ("/api/sign-in", web::post().to(sign_in)),
        ("/api/sign-in/finish", web::post().to(finish)),
        ("/api/recover", web::post().to(recover)),
        ("/api/recover/finish", web::post().to(password::recover_finish)),
    ] {
        cfg.service(web::resource(path).app_data(small_json()).route(answer));
    }
    cfg.route("/api/sign-out", web::post().to(session::sign_out))
        .route("/api/password", web::post().to(password::change_password))
        .route("/api/sessions", web::get().to(session::list))
        .route("/api/sessions/current", web::get().to(session::current))
        .route("/api/sessions/{id}", web::delete().to(session::end))
        .route("/api/usage", web::get().to(usage::usage));
}

/// Counts an attempt of an address.
fn limit(app: &App, request: &HttpRequest) -> Result<(), Failure> {
    app.limits.sign_in.count(&address_key(client(request).ip()))
}

/// How to derive keys from the password; unknown names get a fake that stays the same.
#[utoipa::path(post, path = "/api/sign-in/start", request_body = SignInName, responses((status = 200, body = SignInStart)))]
pub(super) async fn start(
    app: web::Data<App>,
    request: HttpRequest,
    body: web::Json<SignInName>,
) -> Answer<web::Json<SignInStart>> {
    limit(&app, &request)?;
    let known = meta::account::by_name(app.meta().read(), &body.name).await?;
    let (salt, params) = match known {
        Some(account) => (account.password.salt, account.password.params),
        None => (fake_salt(&app.secret, &body.name.to_lowercase()), KdfParams::STANDARD),
    };
    Ok(web::Json(SignInStart {
        salt: beckon_shared::api::Bytes(salt),
        params,
    }))
}

/// Proves the password.
#[utoipa::path(post, path = "/api/sign-in", request_body = Prove, responses((status = 200, body = Proved)))]
pub(super) async fn sign_in(
    app: web::Data<App>,
    request: HttpRequest,
    body: web::Json<Prove>,
) -> Answer<web::Json<Proved>> {
    prove(&app, &request, &body, Proven::Password).await
}

/// Proves the recovery words.
#[utoipa::path(post, path = "/api/recover", request_body = Prove, responses((status = 200, body = Proved)))]
pub(super) async fn recover(
    app: web::Data<App>,
    request: HttpRequest,
    body: web::Json<Prove>,
) -> Answer<web::Json<Proved>> {
    prove(&app, &request, &body, Proven::Recovery).await
}

async fn prove(app: &App, request: &HttpRequest, body: &Prove, what: Proven) -> Answer<web::Json<Proved>> {
    limit(app, request)?;
    // No account has such a name.
    Label::new(body.name.as_str()).map_err(|_| wrong(what))?;
    let secret = AuthSecret::from_bytes(body.auth.0);
    let known = meta::account::by_name(app.meta().read(), &body.name).await?;
    if what == Proven::Password {
        limit_guesses(app, request, &body.name, known.as_ref()).await?;
    }
    let right = known.map(|account| {
        let proof = match what {
            Proven::Password => account.password.proof.clone(),
            Proven::Recovery => account.recovery.clone(),
        };
        (account, proof)
    });
    let (account, proof) = right
        .filter(|(_, proof)| secret.matches(&proof.hash))
        .ok_or_else(|| wrong(what))?;
    // Only to who proved to be its owner.
    if account.disabled {
        return Err(meta::account::shut_out().into());
    }
    let ticket = random(&*app.clock);
    let txn = app.meta().write().await?;
    meta::ticket::add_proof(&txn, &ticket, &account.id, what, app.clock.now()).await?;
    txn.commit().await.map_err(Error::from)?;
    Ok(web::Json(Proved {
        account: account.id,
        account_key: Packed(account.key),
        wrapped: Packed(proof.wrapped),
        statement: account.standing.newest().cloned().map(Packed),
        epoch: account.standing.lowest_epoch(),
        ticket: beckon_shared::api::Bytes(ticket),
    }))
}

/// Counts a guess of a password. Nobody guesses recovery words, which are random: they need no limit of their own, so
/// that an owner gets in by them whatever strangers do.
async fn limit_guesses(app: &App, request: &HttpRequest, name: &str, known: Option<&Account>) -> Result<(), Failure> {
    let (name, address) = (name_key(name), address_key(client(request).ip()));
    app.limits.guess.count(&(name, address))?;
    let homes = match known {
        Some(account) => meta::device::addresses(app.meta().read(), &account.id).await?,
        None => Vec::new(),
    };
    let is_at_home = homes.into_iter().any(|home| address_key(home) == address);
    if is_at_home {
        Ok(())
    } else {
        app.limits.strangers.count(&name)
    }
}

/// One answer for a wrong name and a wrong secret.
fn wrong(what: Proven) -> Refusal {
    let message = match what {
        Proven::Password => "the name or the password is wrong; check both and try again",
        Proven::Recovery => "the name or the recovery words are wrong; check both and try again",
    };
    Refusal::new(ErrorCode::WrongPassword, message)
}

/// Signs a device in.
#[utoipa::path(post, path = "/api/sign-in/finish", request_body = SignInFinish, responses((status = 200, body = SignedIn)))]
pub(super) async fn finish(app: web::Data<App>, request: HttpRequest, body: web::Json<SignInFinish>) -> Answer {
    limit(&app, &request)?;
    let txn = app.meta().write().await?;
    let proven = meta::ticket::take_proof(&txn, &body.ticket.0, app.clock.now()).await?;
    let (id, _) = proven.ok_or_else(password::lapsed)?;
    let account = meta::account::by_id(&txn, &id).await?.ok_or_else(password::lapsed)?;
    if account.disabled {
        return Err(meta::account::shut_out().into());
    }
    let certificate = check_device(&app, &body.device, &account.key, &account.standing)?;
    admit::admit(&app, &request, txn, &account, &body.device, &certificate).await
}

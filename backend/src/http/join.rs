//! `/api/join-codes` (for controllers) and `/api/join/{lookup}` (for who holds a code).

use actix_web::{HttpRequest, HttpResponse, web};
use beckon_shared::{
    api::{
        Bytes, Packed,
        join::{Join, JoinCodeView, Joined, NewJoinCode, OfferView},
    },
    certificate::{BadCertificate, DeviceCertificate, EnrolmentCertificate, Role, SUITE},
    device::DeviceKind,
    error::ErrorCode,
    id::Hash,
};

use super::{account::check_texts, guard::SignedIn, guard::client, limit::address_key};
use crate::{
    app::{App, small_json},
    control::publish_device,
    error::{Answer, Failure},
    store::{
        Error,
        meta::{
            self, Txn,
            account::Account,
            device::{Arrival, Device},
            join::Code,
        },
    },
};

/// A code may be used so often at the most.
const USES_MAX: u32 = 1000;

/// The paths of this file.
pub(crate) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.route("/api/join-codes", web::post().to(make))
        .route("/api/join-codes", web::get().to(list))
        .route("/api/join-codes/{lookup}", web::delete().to(withdraw))
        .service(
            web::resource("/api/join/{lookup}")
                .app_data(small_json())
                .get(offer)
                .post(join),
        );
}

/// Keeps a code that a controller made.
#[utoipa::path(post, path = "/api/join-codes", request_body = NewJoinCode, responses((status = 204)))]
pub(super) async fn make(app: web::Data<App>, by: SignedIn, body: web::Json<NewJoinCode>) -> Answer {
    let txn = app.meta().write().await?;
    let account = meta::account::by_id(&txn, &by.access.account)
        .await?
        .ok_or_else(Failure::not_found)?;
    let certificate = check_offer(&app, &account, &body)?;
    meta::join::insert(&txn, &account.id, &body, &certificate).await?;
    txn.commit().await.map_err(Error::from)?;
    Ok(HttpResponse::NoContent().finish())
}

fn check_offer(app: &App, account: &Account, body: &NewJoinCode) -> Result<EnrolmentCertificate, Failure> {
    let refuse = |message| Failure::new(ErrorCode::BadRequest, message);
    let offer = &body.offer.0;
    if offer.account_key != account.key {
        return Err(refuse(
            "the join code is of another account; sign in with the right one",
        ));
    }
    let certificate = offer
        .enrolment
        .verify(&account.key)
        .map_err(|_| refuse("the join code is not genuine; make it again"))?;
    let now = app.clock.now();
    let fits = certificate.suite == SUITE
        && certificate.account == account.id
        && certificate.role != Role::Controller
        && (1..=USES_MAX).contains(&certificate.uses)
        && certificate.epoch >= account.standing.lowest_epoch()
        && certificate.not_after > now;
    if !fits {
        return Err(refuse(
            "the join code asks for too much or has lapsed; make it again with other settings, and compare the clocks",
        ));
    }
    Ok(certificate)
}

/// The codes that can still be used.
#[utoipa::path(get, path = "/api/join-codes", responses((status = 200, body = Vec<JoinCodeView>)))]
pub(super) async fn list(app: web::Data<App>, by: SignedIn) -> Answer<web::Json<Vec<JoinCodeView>>> {
    Ok(web::Json(
        meta::join::list(app.meta().read(), &by.access.account, app.clock.now()).await?,
    ))
}

/// Withdraws a code.
#[utoipa::path(delete, path = "/api/join-codes/{lookup}", params(("lookup" = String, Path)), responses((status = 204)))]
pub(super) async fn withdraw(app: web::Data<App>, by: SignedIn, lookup: web::Path<Hash>) -> Answer {
    let txn = app.meta().write().await?;
    meta::join::withdraw(&txn, &by.access.account, &lookup).await?;
    txn.commit().await.map_err(Error::from)?;
    Ok(HttpResponse::NoContent().finish())
}

/// What a code proves. Told also when it is used up: a machine that lost the answer to its joining asks again.
#[utoipa::path(get, path = "/api/join/{lookup}", params(("lookup" = String, Path)), responses((status = 200, body = OfferView)))]
pub(super) async fn offer(
    app: web::Data<App>,
    request: HttpRequest,
    lookup: web::Path<Hash>,
) -> Answer<web::Json<OfferView>> {
    app.limits.join.count(&address_key(client(&request).ip()))?;
    let code = meta::join::get(app.meta().read(), &lookup).await?.ok_or_else(spent)?;
    if meta::account::is_disabled(app.meta().read(), &code.account).await? {
        return Err(spent());
    }
    Ok(web::Json(OfferView {
        offer: Packed(code.offer),
        mac: Bytes(code.mac),
    }))
}

/// Makes a device a machine of the account, and uses the code up by one.
#[utoipa::path(post, path = "/api/join/{lookup}", params(("lookup" = String, Path)), request_body = Join, responses((status = 200, body = Joined)))]
pub(super) async fn join(
    app: web::Data<App>,
    request: HttpRequest,
    lookup: web::Path<Hash>,
    body: web::Json<Join>,
) -> Answer<web::Json<Joined>> {
    let from = client(&request);
    app.limits.join.count(&address_key(from.ip()))?;
    let txn = app.meta().write().await?;
    let code = meta::join::get(&txn, &lookup).await?.ok_or_else(spent)?;
    let account = meta::account::by_id(&txn, &code.account).await?.ok_or_else(spent)?;
    if account.disabled {
        return Err(meta::account::shut_out().into());
    }
    let certificate = check_machine(&app, &account, &code, &body)?;
    let device = certificate.keys.id();
    let known = meta::device::get(&txn, &account.id, &device).await?;
    if !known.is_some_and(|known| came_by(&known, &code)) && !meta::join::redeem(&txn, &lookup, app.clock.now()).await?
    {
        return Err(spent());
    }
    let name = arrive(
        &txn,
        &account,
        &Arrival {
            device: &body.device,
            certificate: &certificate,
            from,
            now: app.clock.now(),
        },
    )
    .await?;
    txn.commit().await.map_err(Error::from)?;
    publish_device(&app, account.id, &device).await;
    tracing::info!("a machine joined");
    Ok(web::Json(Joined {
        account: account.id,
        space: account.space,
        device,
        name,
    }))
}

async fn arrive(txn: &Txn, account: &Account, arrival: &Arrival<'_>) -> Result<String, Error> {
    meta::device::arrive(txn, &account.id, arrival).await
}

/// Whether a machine has used this very code already.
fn came_by(device: &Device, code: &Code) -> bool {
    !device.revoked && device.certificate.enrolment.as_ref() == Some(&code.offer.enrolment)
}

/// A machine that hears that its keys were revoked can come with new ones.
fn refusal_of(bad: &BadCertificate) -> ErrorCode {
    match bad {
        BadCertificate::Revoked => ErrorCode::Revoked,
        _ => ErrorCode::NotAllowed,
    }
}

/// The machine's certificate, if this code made it.
fn check_machine(app: &App, account: &Account, code: &Code, body: &Join) -> Result<DeviceCertificate, Failure> {
    let chain = &body.device.certificate.0;
    if chain.enrolment.as_ref() != Some(&code.offer.enrolment) {
        return Err(Failure::new(
            ErrorCode::NotAllowed,
            "the machine's certificate was not made with this code; join again",
        ));
    }
    let certificate = chain.verify(&account.key, None, app.clock.now(), &account.standing);
    let certificate = certificate.map_err(|bad| Failure::new(refusal_of(&bad), bad.to_string()))?;
    if certificate.kind != DeviceKind::Agent || certificate.role == Role::Controller {
        return Err(Failure::new(
            ErrorCode::NotAllowed,
            "a join code makes machines only; sign in instead",
        ));
    }
    check_texts(&body.device, &certificate)?;
    Ok(certificate)
}

fn spent() -> Failure {
    Failure::new(
        ErrorCode::CodeSpent,
        "this join code was used up, has expired or never was; make a new one with `beckon join-code`",
    )
}

//! `/api/admin/...`: for administrators alone. Nothing of what others store is told here.

use std::time::Duration;

use actix_web::{HttpResponse, web};
use beckon_shared::{
    api::admin::{AccountRow, ChangeAccount, Invitation, InvitationView, NewInvitation, Sample, Span, Stats},
    error::ErrorCode,
    id::{AccountId, InvitationId},
    join::SetupCode,
};

use super::guard::Admin;
use crate::{
    admin,
    app::{App, to_the_end},
    clock::random,
    error::{Answer, Failure},
    store::{Error, meta},
};

/// Invitations count so many hours at the most.
const HOURS_MAX: u32 = 720;

const HOUR: Duration = Duration::from_secs(3600);

/// The paths of this file.
pub(crate) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.route("/api/admin/accounts", web::get().to(accounts))
        .route("/api/admin/accounts/{id}", web::put().to(change_account))
        .route("/api/admin/invitations", web::post().to(invite))
        .route("/api/admin/invitations", web::get().to(invitations))
        .route("/api/admin/invitations/{id}", web::delete().to(withdraw))
        .route("/api/admin/stats", web::get().to(stats))
        .route("/api/admin/history", web::get().to(history));
}

/// Every account, by name.
#[utoipa::path(get, path = "/api/admin/accounts", responses((status = 200, body = Vec<AccountRow>)))]
pub(super) async fn accounts(app: web::Data<App>, _: Admin) -> Answer<web::Json<Vec<AccountRow>>> {
    Ok(web::Json(admin::account::list(&app).await?))
}

/// Shuts an account out or lets it in again, sets its quota, or both; what is left out stays. Answered when everything of a
/// disabled one is closed.
#[utoipa::path(put, path = "/api/admin/accounts/{id}", params(("id" = String, Path)), request_body = ChangeAccount, responses((status = 204)))]
pub(super) async fn change_account(
    app: web::Data<App>,
    by: Admin,
    id: web::Path<AccountId>,
    body: web::Json<ChangeAccount>,
) -> Answer {
    to_the_end(async move { admin::account::change(&app, &by.0.access.account, &id, &body).await }).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Lets one person make an account. The code is told only now.
#[utoipa::path(post, path = "/api/admin/invitations", request_body = NewInvitation, responses((status = 200, body = Invitation)))]
pub(super) async fn invite(
    app: web::Data<App>,
    by: Admin,
    body: web::Json<NewInvitation>,
) -> Answer<web::Json<Invitation>> {
    if !(1..=HOURS_MAX).contains(&body.hours) {
        return Err(Failure::new(
            ErrorCode::BadRequest,
            format!("an invitation counts 1 to {HOURS_MAX} hours; choose another time"),
        ));
    }
    if body.quota.is_some_and(|quota| i64::try_from(quota).is_err()) {
        return Err(admin::account::too_large().into());
    }
    let now = app.clock.now();
    let code = SetupCode::new(random(&*app.clock));
    let view = InvitationView {
        id: InvitationId::new(now, random(&*app.clock)),
        created: now,
        expires: now + HOUR * body.hours,
        admin: body.admin,
        quota: body.quota,
    };
    let by = by.0.access.account;
    let txn = admin::account::begin(&app, &by).await?;
    meta::invitation::insert(&txn, &view, &code.hash(), &by).await?;
    txn.commit().await.map_err(Error::from)?;
    tracing::info!(admin = view.admin, "an invitation was made");
    Ok(web::Json(Invitation {
        id: view.id,
        code: code.text().to_string(),
        expires: view.expires,
    }))
}

/// The invitations that can still be used.
#[utoipa::path(get, path = "/api/admin/invitations", responses((status = 200, body = Vec<InvitationView>)))]
pub(super) async fn invitations(app: web::Data<App>, _: Admin) -> Answer<web::Json<Vec<InvitationView>>> {
    let now = app.clock.now();
    Ok(web::Json(meta::invitation::list(app.meta().read(), now).await?))
}

/// Withdraws an invitation.
#[utoipa::path(delete, path = "/api/admin/invitations/{id}", params(("id" = String, Path)), responses((status = 204)))]
pub(super) async fn withdraw(app: web::Data<App>, by: Admin, id: web::Path<InvitationId>) -> Answer {
    let txn = admin::account::begin(&app, &by.0.access.account).await?;
    meta::invitation::withdraw(&txn, &id).await?;
    txn.commit().await.map_err(Error::from)?;
    Ok(HttpResponse::NoContent().finish())
}

/// The server as it is now.
#[utoipa::path(get, path = "/api/admin/stats", responses((status = 200, body = Stats)))]
pub(super) async fn stats(app: web::Data<App>, _: Admin) -> Answer<web::Json<Stats>> {
    Ok(web::Json(admin::stats(&app).await?))
}

/// Which history is wanted.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    span: Span,
}

/// Samples of a span that ends now, oldest first.
#[utoipa::path(get, path = "/api/admin/history", params(("span" = inline(Span), Query)), responses((status = 200, body = Vec<Sample>)))]
pub(super) async fn history(
    app: web::Data<App>,
    _: Admin,
    wanted: web::Query<Wanted>,
) -> Answer<web::Json<Vec<Sample>>> {
    let samples = meta::stat::history(app.meta().read(), wanted.span, app.clock.now()).await?;
    Ok(web::Json(samples))
}

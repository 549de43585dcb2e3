//! `/api/sessions`: who is signed in, and ending it.

use actix_web::{HttpResponse, web};
use beckon_shared::{
    api::account::{SignInView, SignedIn as SignedInView},
    id::{AccountId, SignInId},
};

use super::{super::guard::SignedIn, admit::cookie};
use crate::{
    app::{App, to_the_end},
    error::{Answer, Failure},
    store::{Error, meta},
};

/// The account's sessions, newest first.
#[utoipa::path(get, path = "/api/sessions", responses((status = 200, body = Vec<SignInView>)))]
pub(in crate::http) async fn list(app: web::Data<App>, by: SignedIn) -> Answer<web::Json<Vec<SignInView>>> {
    Ok(web::Json(
        meta::session::list(app.meta().read(), &by.access.account, &by.session, app.clock.now()).await?,
    ))
}

/// Who is signed in by this cookie.
#[utoipa::path(get, path = "/api/sessions/current", responses((status = 200, body = SignedInView)))]
pub(in crate::http) async fn current(app: web::Data<App>, by: SignedIn) -> Answer<web::Json<SignedInView>> {
    let reader = app.meta().read();
    let account = meta::account::by_id(reader, &by.access.account)
        .await?
        .ok_or_else(Failure::not_found)?;
    let device = meta::device::find(reader, &account.id, &by.device).await?;
    Ok(web::Json(SignedInView {
        account: account.id,
        account_name: account.name,
        admin: account.admin,
        space: account.space,
        device: by.device,
        device_name: device.name.to_string(),
        session: by.session,
        expires: by.expires,
    }))
}

/// Ends a session, and the sockets of its device.
#[utoipa::path(delete, path = "/api/sessions/{id}", params(("id" = String, Path)), responses((status = 204)))]
pub(in crate::http) async fn end(app: web::Data<App>, by: SignedIn, id: web::Path<SignInId>) -> Answer {
    let is_there = to_the_end(async move { end_one(&app, by.access.account, *id).await }).await?;
    if !is_there {
        return Err(Failure::not_found());
    }
    Ok(HttpResponse::NoContent().finish())
}

/// Ends the session that asks, and takes its cookie back.
#[utoipa::path(post, path = "/api/sign-out", responses((status = 204)))]
pub(in crate::http) async fn sign_out(app: web::Data<App>, by: SignedIn) -> Answer {
    let now = app.clock.now();
    let taken_back = cookie(&app, "", now, now);
    to_the_end(async move { end_one(&app, by.access.account, by.session).await }).await?;
    Ok(HttpResponse::NoContent().insert_header(taken_back).finish())
}

/// Ends a session and cuts off its device; false if it is not there.
async fn end_one(app: &App, account: AccountId, id: SignInId) -> Result<bool, Failure> {
    let txn = app.meta().write().await?;
    let Some(device) = meta::session::end(&txn, &account, &id).await? else {
        return Ok(false);
    };
    txn.commit().await.map_err(Error::from)?;
    app.hub.cut(&account, &device);
    Ok(true)
}

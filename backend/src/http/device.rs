//! `/api/devices`, `/api/statements`: the control list, visits, names, revocation.

use actix_web::{HttpResponse, web};
use beckon_shared::{
    api::device::{NewStatement, Rename, SetLimits, VisitView},
    device::DeviceView,
    error::ErrorCode,
    id::{AccountId, DeviceId},
    order::CLOCK_GRACE,
    statement::{Revocation, Statement},
    wire::FromServer,
};

use super::guard::SignedIn;
use crate::{
    app::{App, to_the_end},
    control::{limit_device, publish_device},
    error::{Answer, Failure},
    order,
    store::{
        Error,
        meta::{self, Txn, account::Account, device::Device},
    },
};

/// The paths of this file.
pub(crate) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.route("/api/devices", web::get().to(list))
        .route("/api/devices/{id}", web::patch().to(rename))
        .route("/api/devices/{id}/confirm", web::post().to(confirm))
        .route("/api/devices/{id}/limits", web::put().to(limit))
        .route("/api/devices/{id}/visits", web::get().to(visits))
        .route("/api/statements", web::post().to(say));
}

/// The control list: every device that ever visited.
#[utoipa::path(get, path = "/api/devices", responses((status = 200, body = Vec<Object>)))]
pub(super) async fn list(app: web::Data<App>, by: SignedIn) -> Answer<web::Json<Vec<DeviceView>>> {
    let account = &by.access.account;
    let online = app.hub.online(account);
    let devices = meta::device::list(app.meta().read(), account).await?;
    let views = devices.into_iter().map(|device| {
        let is_online = online.contains(&device.id);
        device.view(is_online)
    });
    Ok(web::Json(views.collect()))
}

/// The newest visits of a device, newest first.
#[utoipa::path(get, path = "/api/devices/{id}/visits", params(("id" = String, Path)), responses((status = 200, body = Vec<VisitView>)))]
pub(super) async fn visits(
    app: web::Data<App>,
    by: SignedIn,
    id: web::Path<DeviceId>,
) -> Answer<web::Json<Vec<VisitView>>> {
    let reader = app.meta().read();
    meta::device::find(reader, &by.access.account, &id).await?;
    Ok(web::Json(meta::visit::list(reader, &by.access.account, &id).await?))
}

/// Gives a device another name.
#[utoipa::path(patch, path = "/api/devices/{id}", params(("id" = String, Path)), request_body = Rename, responses((status = 204)))]
pub(super) async fn rename(
    app: web::Data<App>,
    by: SignedIn,
    id: web::Path<DeviceId>,
    body: web::Json<Rename>,
) -> Answer {
    let txn = app.meta().write().await?;
    meta::device::rename(&txn, &by.access.account, &id, &body.name).await?;
    txn.commit().await.map_err(Error::from)?;
    publish_device(&app, by.access.account, &id).await;
    Ok(HttpResponse::NoContent().finish())
}

/// Says of a device that joined by a code that it belongs here.
#[utoipa::path(post, path = "/api/devices/{id}/confirm", params(("id" = String, Path)), responses((status = 204)))]
pub(super) async fn confirm(app: web::Data<App>, by: SignedIn, id: web::Path<DeviceId>) -> Answer {
    let txn = app.meta().write().await?;
    meta::device::confirm(&txn, &by.access.account, &id).await?;
    txn.commit().await.map_err(Error::from)?;
    publish_device(&app, by.access.account, &id).await;
    Ok(HttpResponse::NoContent().finish())
}

/// Says how fast a machine may send, and when.
#[utoipa::path(put, path = "/api/devices/{id}/limits", params(("id" = String, Path)), request_body = SetLimits, responses((status = 204)))]
pub(super) async fn limit(
    app: web::Data<App>,
    by: SignedIn,
    id: web::Path<DeviceId>,
    body: web::Json<SetLimits>,
) -> Answer {
    let account = by.access.account;
    to_the_end(async move { Ok(limit_device(&app, account, &id, *body).await?) }).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Revokes devices. Answered when everything of theirs is cut off.
#[utoipa::path(post, path = "/api/statements", request_body = NewStatement, responses((status = 204)))]
pub(super) async fn say(app: web::Data<App>, by: SignedIn, body: web::Json<NewStatement>) -> Answer {
    to_the_end(async move { revoke(&app, by.access.account, &body).await }).await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn revoke(app: &App, account_id: AccountId, body: &NewStatement) -> Result<(), Failure> {
    let txn = app.meta().write().await?;
    let account = meta::account::by_id(&txn, &account_id)
        .await?
        .ok_or_else(Failure::not_found)?;
    let revocation = check(app, &account, body)?;
    meta::account::set_statement(&txn, &account_id, &body.statement.0).await?;
    let ended = end_devices(app, &txn, &account, &revocation).await?;
    txn.commit().await.map_err(Error::from)?;
    // Everyone hears it, the revoked too, before their sockets go.
    app.hub
        .to_all(&account_id, &FromServer::Statement(Box::new(body.statement.0.clone())));
    for device in &ended {
        app.hub.cut(&account_id, device);
    }
    for device in &ended {
        publish_device(app, account_id, device).await;
        // A transfer that is left open here opens nothing: its tickets are gone. It ends as one whose machine never returns.
        if let Err(error) = order::withdraw_of_device(app, &account_id, device).await {
            tracing::error!(cause = %error, "the transfers of a revoked device were not ended");
        }
    }
    tracing::info!(ended = ended.len(), number = revocation.number, "devices were revoked");
    Ok(())
}

/// The revocation, if it is the account's next one.
fn check(app: &App, account: &Account, body: &NewStatement) -> Result<Revocation, Failure> {
    let statement = Statement::verify(&body.statement.0, &account.key);
    let statement = statement.map_err(|bad| Failure::new(ErrorCode::NotAllowed, bad.to_string()))?;
    let Statement::Revocation(revocation) = statement else {
        return Err(Failure::new(
            ErrorCode::BadRequest,
            "this statement is not about devices; send it to /api/password",
        ));
    };
    let standing = &account.standing;
    // The newest revocation names all, unless it raises the epoch.
    let keeps_all = standing.revoked().all(|device| revocation.revoked.contains(device));
    let raises = revocation.lowest_epoch > standing.lowest_epoch();
    if revocation.number != standing.number() + 1
        || revocation.lowest_epoch < standing.lowest_epoch()
        || !(keeps_all || raises)
    {
        return Err(Failure::new(
            ErrorCode::Conflict,
            "a device was revoked elsewhere meanwhile; read the list again, then repeat",
        ));
    }
    if revocation.at > app.clock.now() + CLOCK_GRACE {
        return Err(Failure::new(
            ErrorCode::BadClock,
            "this device's clock is ahead; set it right and try again",
        ));
    }
    Ok(revocation)
}

/// Ends what the database holds of the devices that no longer count; those devices.
async fn end_devices(app: &App, txn: &Txn, account: &Account, revocation: &Revocation) -> Result<Vec<DeviceId>, Error> {
    let now = app.clock.now();
    let mut ended = Vec::new();
    for device in meta::device::list(txn, &account.id).await? {
        let named = revocation.revoked.contains(&device.id);
        let newly = named && meta::device::revoke(txn, &account.id, &device.id, now).await?;
        if newly || (!named && is_past(&device, revocation.lowest_epoch)) {
            meta::session::end_of_device(txn, &account.id, &device.id).await?;
            meta::ticket::end_of_device(txn, &account.id, &device.id).await?;
            ended.push(device.id);
        }
    }
    Ok(ended)
}

/// Whether the device's certificate is of an epoch that has ended; it may come back with a new one.
fn is_past(device: &Device, lowest_epoch: u32) -> bool {
    !device.revoked
        && device
            .certificate
            .device
            .peek()
            .is_ok_and(|certificate| certificate.epoch < lowest_epoch)
}

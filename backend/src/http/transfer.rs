//! `/api/transfers`, `/api/selections`: what the machines were ordered to do.

use actix_web::{HttpResponse, web};
use beckon_shared::{
    api::transfer::{Prioritise, Problems, Steer, TransferDetail},
    error::ErrorCode,
    id::{Hash, TransferId},
    order::SELECTION_MAX,
    transfer::TransferView,
};
use serde::Deserialize;

use super::guard::{Bulk, SignedIn};
use crate::{
    app::{App, to_the_end},
    control::transfers,
    error::{Answer, Failure},
    order,
    store::{
        Error,
        meta::{
            self,
            transfer::{problem, selection},
        },
    },
};

/// The paths of this file.
pub(crate) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.route("/api/transfers", web::get().to(list))
        .route("/api/transfers/{id}", web::get().to(show))
        .route("/api/transfers/{id}/problems", web::get().to(problems))
        .route("/api/transfers/{id}/steer", web::post().to(steer))
        .route("/api/transfers/{id}/priority", web::post().to(prioritise))
        .service(
            web::resource("/api/selections/{hash}")
                .app_data(web::PayloadConfig::new(SELECTION_MAX))
                .route(web::put().to(put_selection)),
        )
        .route("/bulk/{transfer}/selection", web::get().to(get_selection));
}

/// The newest 500 transfers, newest first.
#[utoipa::path(get, path = "/api/transfers", responses((status = 200, body = Vec<TransferView>)))]
pub(super) async fn list(app: web::Data<App>, by: SignedIn) -> Answer<web::Json<Vec<TransferView>>> {
    Ok(web::Json(transfers(&app, &by.access.account).await?))
}

/// A transfer's whole story.
#[utoipa::path(get, path = "/api/transfers/{id}", params(("id" = String, Path)), responses((status = 200, body = TransferDetail)))]
pub(super) async fn show(
    app: web::Data<App>,
    by: SignedIn,
    id: web::Path<TransferId>,
) -> Answer<web::Json<TransferDetail>> {
    Ok(web::Json(order::detail(&app, &by.access, &id).await?))
}

/// Which problems are asked for.
#[derive(Debug, Deserialize)]
pub(super) struct After {
    /// Those behind the first so many.
    #[serde(default)]
    after: u64,
}

/// What a transfer could not store.
#[utoipa::path(get, path = "/api/transfers/{id}/problems", params(("id" = String, Path), ("after" = u64, Query)), responses((status = 200, body = Problems)))]
pub(super) async fn problems(
    app: web::Data<App>,
    by: SignedIn,
    id: web::Path<TransferId>,
    query: web::Query<After>,
) -> Answer<web::Json<Problems>> {
    let reader = app.meta().read();
    meta::transfer::find(reader, &by.access.account, &id).await?;
    let problems = problem::list(reader, &id, query.after).await?;
    Ok(web::Json(Problems {
        problems,
        total: problem::count(reader, &id).await?,
    }))
}

/// Pauses, resumes, cancels or retries a transfer.
#[utoipa::path(post, path = "/api/transfers/{id}/steer", params(("id" = String, Path)), request_body = Steer, responses((status = 204)))]
pub(super) async fn steer(
    app: web::Data<App>,
    by: SignedIn,
    id: web::Path<TransferId>,
    body: web::Json<Steer>,
) -> Answer {
    let account = by.access.account;
    to_the_end(async move { Ok(order::steer(&app, &account, &id, body.act).await?) }).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Says whether a transfer goes before or after the others of its machine.
#[utoipa::path(post, path = "/api/transfers/{id}/priority", params(("id" = String, Path)), request_body = Prioritise, responses((status = 204)))]
pub(super) async fn prioritise(
    app: web::Data<App>,
    by: SignedIn,
    id: web::Path<TransferId>,
    body: web::Json<Prioritise>,
) -> Answer {
    let account = by.access.account;
    to_the_end(async move { Ok(order::prioritise(&app, &account, &id, body.priority).await?) }).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Takes a selection that is too long for its order.
#[utoipa::path(put, path = "/api/selections/{hash}", params(("hash" = String, Path)), request_body = Vec<u8>, responses((status = 204)))]
pub(super) async fn put_selection(
    app: web::Data<App>,
    by: SignedIn,
    hash: web::Path<Hash>,
    body: web::Bytes,
) -> Answer {
    if Hash::of(&body) != *hash {
        return Err(Failure::new(
            ErrorCode::BadRequest,
            "the selection is not the one that its address names; send it again",
        ));
    }
    let txn = app.meta().write().await?;
    selection::put(&txn, &by.access.account, &hash, body.to_vec(), app.clock.now()).await?;
    txn.commit().await.map_err(Error::from)?;
    Ok(HttpResponse::NoContent().finish())
}

/// Hands a machine the selection of its order.
#[utoipa::path(get, path = "/bulk/{transfer}/selection", params(("transfer" = String, Path)), responses((status = 200, body = Vec<u8>)))]
pub(super) async fn get_selection(app: web::Data<App>, bulk: Bulk) -> Answer {
    let (reader, access) = (app.meta().read(), bulk.0);
    let transfer = meta::transfer::find_of(reader, &access.account, &access.device, &access.transfer).await?;
    let hash = transfer.selection.ok_or_else(Failure::not_found)?;
    let bytes = selection::get(reader, &access.account, &hash)
        .await?
        .ok_or_else(Failure::not_found)?;
    Ok(HttpResponse::Ok().content_type("application/octet-stream").body(bytes))
}

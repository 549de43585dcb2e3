//! `/api/status`, `/healthz`: what anyone may know.

use actix_web::{HttpResponse, http::header::ContentType, web};
use beckon_shared::{api::server::Status, wire::CONTROL_PROTOCOLS};

use crate::{app::App, error::Answer, store::meta};

/// The paths of this file.
pub(crate) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.route("/api/status", web::get().to(status))
        .route("/healthz", web::get().to(health));
}

/// What anyone may know of this server.
#[utoipa::path(get, path = "/api/status", responses((status = 200, body = Status)))]
pub(super) async fn status(app: web::Data<App>) -> Answer<web::Json<Status>> {
    Ok(web::Json(Status {
        name: "beckon".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        set_up: meta::account::count(app.meta().read()).await? > 0,
        protocols: CONTROL_PROTOCOLS.map(|(name, _)| name.to_owned()).to_vec(),
        now: app.clock.now(),
    }))
}

/// Whether the server can do its work: the database answers and the disk does what it is told.
async fn health(app: web::Data<App>) -> HttpResponse {
    let reads = meta::account::count(app.meta().read()).await.is_ok();
    if reads && app.store.is_healthy() {
        return HttpResponse::Ok().content_type(ContentType::plaintext()).body("ok\n");
    }
    HttpResponse::ServiceUnavailable()
        .content_type(ContentType::plaintext())
        .body("not healthy; see the server's log\n")
}

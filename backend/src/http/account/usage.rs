//! `/api/usage`: how full one's own drive is.

use actix_web::web;
use beckon_shared::api::account::Usage;

use super::super::guard::SignedIn;
use crate::{access::Right, app::App, error::Answer};

/// How full the account's drive is.
#[utoipa::path(get, path = "/api/usage", responses((status = 200, body = Usage)))]
pub(in crate::http) async fn usage(app: web::Data<App>, by: SignedIn) -> Answer<web::Json<Usage>> {
    let fill = app.store.fill(&by.access.own_space(Right::Read)?).await?;
    Ok(web::Json(Usage {
        used: fill.used(),
        quota: fill.quota,
    }))
}

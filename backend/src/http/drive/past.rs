//! `/api/drive/origin` and `/api/drive/rewind`: where something came from, and putting back what it held.

use actix_web::{HttpRequest, HttpResponse, web};
use beckon_shared::{
    api::drive::{OriginView, Rewind, Rewound},
    error::Refusal,
    path::RootPath,
};

use super::query::Query;
use crate::{
    access::Right,
    app::{App, to_the_end},
    error::Answer,
    http::guard::SignedIn,
    store::meta::drive::{Place, origin, rewind},
};

/// Which root something in the drive came from, and after which of its commits it was so.
#[utoipa::path(
    get, path = "/api/drive/origin", tag = "drive",
    params(
        ("node" = Option<String>, Query, description = "The node; else `path` counts"),
        ("path" = Option<String>, Query, description = "Names from the top, joined by `/`, any bytes percent-encoded"),
        ("at" = Option<String>, Query, description = "As it stood at this time (RFC 3339)"),
    ),
    responses(
        (status = 200, body = OriginView), (status = 404, body = Refusal),
        (status = 409, body = Refusal, description = "it came from no single place of one root"),
    ),
)]
pub(crate) async fn origin(signed_in: SignedIn, app: web::Data<App>, request: HttpRequest) -> Answer {
    let query = Query::of(&request);
    let space = signed_in.access.own_space(Right::Read)?;
    let (when, on) = (query.when()?, app.meta().read());
    let row = when.find(on, &space, &query.place()?).await?;
    let view = origin::origin(on, &row, when).await?;
    Ok(HttpResponse::Ok().json(view))
}

/// Puts back what a file or folder held at a time. Nothing that is there now is lost.
#[utoipa::path(
    post, path = "/api/drive/rewind", tag = "drive", request_body = Rewind,
    responses((status = 200, body = Rewound), (status = 404, body = Refusal), (status = 409, body = Refusal)),
)]
pub(crate) async fn rewind(signed_in: SignedIn, app: web::Data<App>, asked: web::Json<Rewind>) -> Answer {
    let space = signed_in.access.own_space(Right::Write)?;
    app.store.check_room().await?;
    let place = match asked.node {
        Some(node) => Place::Node(node),
        None => Place::Path(asked.path.iter().flat_map(RootPath::names).collect()),
    };
    // What was begun is brought to its end also for a browser that has left: half of a folder helps nobody.
    let told: Rewound = to_the_end(async move {
        let (told, revision) = rewind::rewind(app.meta(), &*app.clock, &space, &place, asked.at).await?;
        if let Some(revision) = revision {
            app.store.changed(&space, revision);
        }
        Ok(told)
    })
    .await?;
    Ok(HttpResponse::Ok().json(told))
}

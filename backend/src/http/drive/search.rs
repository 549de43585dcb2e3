//! `/api/drive/search` and `/api/drive/recent`: finding what is stored without knowing where.

use actix_web::{HttpRequest, HttpResponse, web};
use beckon_shared::{
    api::drive::{Found, Recent, TreeRow},
    error::{ErrorCode, Refusal},
};

use super::{cut, query::Query, root_path, turn};
use crate::{
    access::Right,
    app::App,
    drive::view::node_view,
    error::{Answer, Failure},
    http::guard::SignedIn,
    store::meta::drive::{
        path::Placed,
        search::{self, Cursor},
    },
};

/// Characters: a longer text would only cost time.
const TEXT_MAX: usize = 100;
/// Files that are listed as stored last.
const RECENT_MAX: u64 = 200;

/// The nodes whose names hold a text, without regard to case.
#[utoipa::path(
    get, path = "/api/drive/search", tag = "drive",
    params(
        ("q" = String, Query, description = "A part of the name, 1 to 100 characters, no control characters"),
        ("after" = Option<String>, Query, description = "`next` of the page before"),
        ("limit" = Option<u64>, Query, description = "At most so many rows; 500, and never more than 1,000"),
    ),
    responses((status = 200, body = Found), (status = 400, body = Refusal)),
)]
pub(crate) async fn find(signed_in: SignedIn, app: web::Data<App>, request: HttpRequest) -> Answer {
    let query = Query::of(&request);
    let space = signed_in.access.own_space(Right::Read)?;
    let text: String = query.required("q")?;
    if text.trim().is_empty() || text.chars().count() > TEXT_MAX || text.contains(char::is_control) {
        return Err(Failure::new(
            ErrorCode::BadRequest,
            format!("search for 1 to {TEXT_MAX} characters of a name"),
        ));
    }
    let limit = query.limit()?;
    let _turn = turn::take(signed_in.access.account).await?;
    let on = app.meta().read();
    let mut found = search::search(on, &space, text.trim(), query.get::<Cursor>("after")?, limit + 1).await?;
    let more = cut(&mut found, limit);
    let next = more.then(|| found.last().map(|last| Cursor::behind(&last.row).to_string()));
    Ok(HttpResponse::Ok().json(Found {
        rows: rows(found)?,
        next: next.flatten(),
    }))
}

/// The files that were stored last.
#[utoipa::path(
    get, path = "/api/drive/recent", tag = "drive",
    params(("limit" = Option<u64>, Query, description = "At most so many rows, and never more than 200")),
    responses((status = 200, body = Recent)),
)]
pub(crate) async fn recent(signed_in: SignedIn, app: web::Data<App>, request: HttpRequest) -> Answer {
    let space = signed_in.access.own_space(Right::Read)?;
    let limit = Query::of(&request).limit()?.min(RECENT_MAX);
    let rows = rows(search::recent(app.meta().read(), &space, limit).await?)?;
    Ok(HttpResponse::Ok().json(Recent { rows }))
}

/// As the API shows them.
pub(super) fn rows(placed: Vec<Placed>) -> Answer<Vec<TreeRow>> {
    let row = |placed: Placed| {
        Ok(TreeRow {
            node: node_view(&placed.row)?,
            path: root_path(placed.path)?,
        })
    };
    placed.into_iter().map(row).collect()
}

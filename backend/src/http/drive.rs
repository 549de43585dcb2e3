//! `/api/drive/...`: listings and changes of what is stored. Downloads are in `drive/download.rs`.

pub(crate) mod download;
pub(crate) mod past;
pub(super) mod query;
pub(crate) mod retention;
pub(crate) mod search;
#[cfg(test)]
mod test;
mod turn;

use actix_web::{HttpRequest, HttpResponse, web};
use beckon_shared::{
    api::drive::{
        Deleted, Heads, HeadsOf, Listing, MakeCurrent, Move, NewFolder, NodeView, Nodes, Outdated, OutdatedOf, Tree,
        TreeRow, VersionView,
    },
    error::{ErrorCode, Refusal},
    path::{Name, RootPath},
};

use self::query::Query;
use super::guard::SignedIn;
use crate::{
    access::{GrantedSpace, Right},
    app::{App, to_the_end},
    drive::view::{head_view, node_view, version_view},
    error::{Answer, Failure},
    store::meta::drive::{
        Row,
        change::{delete, move_node, restore},
        current,
        deleted::{self, deleted},
        folder,
        head::{Origin, heads, heads_of},
        outdated::outdated,
        versions,
        walk::Walk,
    },
};

/// Names that may be looked up at once.
const NAMES_MAX: usize = 1000;

/// Adds the paths.
pub(crate) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.route("/api/drive/list", web::get().to(list_folder))
        .route("/api/drive/tree", web::get().to(list_tree))
        .route("/api/drive/heads", web::get().to(list_heads))
        .route("/api/drive/heads", web::post().to(look_up_heads))
        .route("/api/drive/outdated", web::post().to(find_outdated))
        .route("/api/drive/contents", web::post().to(download::contents))
        .route("/api/drive/versions", web::get().to(list_versions))
        .route("/api/drive/deleted", web::get().to(list_deleted))
        .route("/api/drive/move", web::post().to(move_one))
        .route("/api/drive/delete", web::post().to(delete_nodes))
        .route("/api/drive/restore", web::post().to(restore_nodes))
        .route("/api/drive/purge", web::post().to(purge_nodes))
        .route("/api/drive/empty", web::post().to(empty_deleted))
        .route("/api/drive/search", web::get().to(search::find))
        .route("/api/drive/recent", web::get().to(search::recent))
        .route("/api/drive/folders", web::post().to(make_folder))
        .route("/api/drive/origin", web::get().to(past::origin))
        .route("/api/drive/rewind", web::post().to(past::rewind))
        .route("/api/drive/retention", web::get().to(retention::show))
        .route("/api/drive/retention", web::put().to(retention::set))
        .route("/api/drive/retention/plan", web::get().to(retention::plan))
        .route("/api/drive/current", web::post().to(make_current));
    // A HEAD is answered by the handler of GET, which leaves the body out.
    cfg.service(
        web::resource("/api/drive/file")
            .route(web::get().to(download::file_by_path))
            .route(web::head().to(download::file_by_path)),
    )
    .service(
        web::resource("/api/drive/file/{node}")
            .route(web::get().to(download::file))
            .route(web::head().to(download::file)),
    )
    .service(
        web::resource("/api/drive/zip")
            .route(web::get().to(download::zip_by_path))
            .route(web::head().to(download::zip_by_path)),
    )
    .service(
        web::resource("/api/drive/zip/{node}")
            .route(web::get().to(download::zip))
            .route(web::head().to(download::zip)),
    );
}

/// A folder and a page of what is in it.
#[utoipa::path(
    get, path = "/api/drive/list", tag = "drive",
    params(
        ("node" = Option<String>, Query, description = "The node; else `path` counts"),
        ("path" = Option<String>, Query, description = "Names from the top, joined by `/`, any bytes percent-encoded; absent means the top"),
        ("after" = Option<String>, Query, description = "`next` of the page before"),
        ("at" = Option<String>, Query, description = "As it stood at this time (RFC 3339)"),
        ("limit" = Option<u64>, Query, description = "At most so many rows; 500, and never more than 1,000"),
    ),
    responses((status = 200, body = Listing), (status = 404, body = Refusal)),
)]
pub(crate) async fn list_folder(signed_in: SignedIn, app: web::Data<App>, request: HttpRequest) -> Answer {
    let query = Query::of(&request);
    let (folder, limit, when) = (found(&signed_in, &app, &query).await?.1, query.limit()?, query.when()?);
    let mut rows = Vec::new();
    if folder.is_folder() {
        let after = query.after()?;
        let after = after.as_ref().map(Name::as_bytes);
        rows = when.children(app.meta().read(), &folder, after, limit + 1).await?;
    }
    let more = cut(&mut rows, limit);
    let children = rows.iter().map(node_view).collect::<Result<Vec<_>, _>>()?;
    let next = more
        .then(|| rows.last().and_then(|row| Name::new(row.node.name.clone()).ok()))
        .flatten();
    let node = if folder.is_top() {
        None
    } else {
        Some(node_view(&folder)?)
    };
    Ok(HttpResponse::Ok().json(Listing { node, children, next }))
}

/// A page of all that lies below a folder, each folder before what is in it.
#[utoipa::path(
    get, path = "/api/drive/tree", tag = "drive",
    params(
        ("node" = Option<String>, Query, description = "The folder; else `path` counts"),
        ("path" = Option<String>, Query, description = "Names from the top, joined by `/`, any bytes percent-encoded; absent means the top"),
        ("after" = Option<String>, Query, description = "`next` of the page before"),
        ("at" = Option<String>, Query, description = "As it stood at this time (RFC 3339)"),
        ("limit" = Option<u64>, Query, description = "At most so many rows; 500, and never more than 1,000"),
    ),
    responses((status = 200, body = Tree), (status = 404, body = Refusal)),
)]
pub(crate) async fn list_tree(signed_in: SignedIn, app: web::Data<App>, request: HttpRequest) -> Answer {
    let query = Query::of(&request);
    let (folder, limit, when) = (found(&signed_in, &app, &query).await?.1, query.limit()?, query.when()?);
    let on = app.meta().read();
    let mut walk = match query.root_path("after")? {
        Some(after) => Walk::resume(on, folder, when, &after).await?,
        None => Walk::below(folder, when),
    };
    let mut rows = Vec::new();
    while (rows.len() as u64) < limit
        && let Some(step) = walk.next(on).await?
    {
        rows.push(TreeRow {
            path: root_path(step.path)?,
            node: node_view(&step.row)?,
        });
    }
    let more = walk.next(on).await?.is_some();
    let next = more.then(|| rows.last().map(|row| row.path.clone())).flatten();
    Ok(HttpResponse::Ok().json(Tree { rows, next }))
}

/// What the drive holds of a folder of a machine, wherever it was moved since.
#[utoipa::path(
    get, path = "/api/drive/heads", tag = "drive",
    params(
        ("device" = String, Query, description = "The machine"),
        ("root" = String, Query, description = "The root"),
        ("path" = Option<String>, Query, description = "The folder below the root, in base64 as in JSON; absent means the root itself"),
        ("after" = Option<String>, Query, description = "`next` of the page before"),
        ("limit" = Option<u64>, Query, description = "At most so many rows; 500, and never more than 1,000"),
    ),
    responses((status = 200, body = Heads), (status = 400, body = Refusal)),
)]
pub(crate) async fn list_heads(signed_in: SignedIn, app: web::Data<App>, request: HttpRequest) -> Answer {
    let query = Query::of(&request);
    let space = signed_in.access.own_space(Right::Read)?;
    let (path, after, limit) = (
        query.root_path("path")?.unwrap_or_default(),
        query.after()?,
        query.limit()?,
    );
    let origin = Origin {
        device: query.required("device")?,
        root: query.required("root")?,
        path: &path,
    };
    let mut rows = heads(app.meta().read(), &space, &origin, after.as_ref(), limit + 1).await?;
    let more = cut(&mut rows, limit);
    let heads = rows.iter().map(head_view).collect::<Result<Vec<_>, _>>()?;
    let next = more.then(|| heads.last().map(|head| head.name.clone())).flatten();
    Ok(HttpResponse::Ok().json(Heads { heads, next }))
}

/// What the drive holds of some entries of a folder of a machine.
#[utoipa::path(
    post, path = "/api/drive/heads", tag = "drive", request_body = HeadsOf,
    responses((status = 200, body = Heads), (status = 413, body = Refusal)),
)]
pub(crate) async fn look_up_heads(signed_in: SignedIn, app: web::Data<App>, asked: web::Json<HeadsOf>) -> Answer {
    let space = signed_in.access.own_space(Right::Read)?;
    if asked.names.len() > NAMES_MAX {
        return Err(Failure::new(
            ErrorCode::TooLarge,
            format!("at most {NAMES_MAX} names at once; ask in several requests"),
        ));
    }
    let origin = Origin {
        device: asked.device,
        root: asked.root,
        path: &asked.path,
    };
    let rows = heads_of(app.meta().read(), &space, &origin, &asked.names).await?;
    let heads = rows.iter().map(head_view).collect::<Result<Vec<_>, _>>()?;
    Ok(HttpResponse::Ok().json(Heads { heads, next: None }))
}

/// What at, above and below a folder of a machine the drive holds no more as the machine brought it.
#[utoipa::path(
    post, path = "/api/drive/outdated", tag = "drive", request_body = OutdatedOf,
    responses((status = 200, body = Outdated)),
)]
pub(crate) async fn find_outdated(signed_in: SignedIn, app: web::Data<App>, asked: web::Json<OutdatedOf>) -> Answer {
    let space = signed_in.access.own_space(Right::Read)?;
    let origin = Origin {
        device: asked.device,
        root: asked.root,
        path: &asked.path,
    };
    let told = outdated(app.meta().read(), &space, &origin).await?;
    Ok(HttpResponse::Ok().json(told))
}

/// The versions of a node, newest first.
#[utoipa::path(
    get, path = "/api/drive/versions", tag = "drive",
    params(
        ("node" = Option<String>, Query, description = "The node; else `path` counts"),
        ("path" = Option<String>, Query, description = "Names from the top, joined by `/`, any bytes percent-encoded"),
    ),
    responses((status = 200, body = Vec<VersionView>), (status = 404, body = Refusal)),
)]
pub(crate) async fn list_versions(signed_in: SignedIn, app: web::Data<App>, request: HttpRequest) -> Answer {
    let row = found(&signed_in, &app, &Query::of(&request)).await?.1;
    let versions = versions(app.meta().read(), &row).await?;
    let views = versions
        .iter()
        .map(|version| version_view(version, row.node.head))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(HttpResponse::Ok().json(views))
}

/// What was deleted and can be restored.
#[utoipa::path(
    get, path = "/api/drive/deleted", tag = "drive",
    params(
        ("after" = Option<String>, Query, description = "`next` of the page before"),
        ("limit" = Option<u64>, Query, description = "At most so many rows; 500, and never more than 1,000"),
    ),
    responses((status = 200, body = Deleted)),
)]
pub(crate) async fn list_deleted(signed_in: SignedIn, app: web::Data<App>, request: HttpRequest) -> Answer {
    let query = Query::of(&request);
    let space = signed_in.access.own_space(Right::Read)?;
    let limit = query.limit()?;
    let mut gone = deleted(app.meta().read(), &space, query.get("after")?, limit + 1).await?;
    let more = cut(&mut gone, limit);
    let rows = search::rows(gone)?;
    let next = more.then(|| rows.last().map(|row| row.node.id)).flatten();
    Ok(HttpResponse::Ok().json(Deleted { rows, next }))
}

/// Gives a node another name, folder or both.
#[utoipa::path(
    post, path = "/api/drive/move", tag = "drive", request_body = Move,
    responses((status = 204), (status = 404, body = Refusal), (status = 409, body = Refusal)),
)]
pub(crate) async fn move_one(signed_in: SignedIn, app: web::Data<App>, asked: web::Json<Move>) -> Answer {
    let space = signed_in.access.own_space(Right::Write)?;
    let revision = move_node(app.meta(), &space, &asked, app.clock.now()).await?;
    changed(&app, &space, revision)
}

/// Puts nodes and all that lies below them to Deleted, for 30 days.
#[utoipa::path(
    post, path = "/api/drive/delete", tag = "drive", request_body = Nodes,
    responses((status = 204), (status = 404, body = Refusal)),
)]
pub(crate) async fn delete_nodes(signed_in: SignedIn, app: web::Data<App>, asked: web::Json<Nodes>) -> Answer {
    let space = signed_in.access.own_space(Right::Write)?;
    let revision = delete(app.meta(), &space, &asked.nodes, app.clock.now()).await?;
    changed(&app, &space, revision)
}

/// Brings back what was deleted.
#[utoipa::path(
    post, path = "/api/drive/restore", tag = "drive", request_body = Nodes,
    responses((status = 204), (status = 404, body = Refusal), (status = 409, body = Refusal)),
)]
pub(crate) async fn restore_nodes(signed_in: SignedIn, app: web::Data<App>, asked: web::Json<Nodes>) -> Answer {
    let space = signed_in.access.own_space(Right::Write)?;
    let revision = restore(app.meta(), &space, &asked.nodes, app.clock.now()).await?;
    changed(&app, &space, revision)
}

/// Removes for good what is in Deleted: it cannot be restored, and its room is free.
#[utoipa::path(
    post, path = "/api/drive/purge", tag = "drive", request_body = Nodes,
    responses((status = 204), (status = 404, body = Refusal), (status = 409, body = Refusal)),
)]
pub(crate) async fn purge_nodes(signed_in: SignedIn, app: web::Data<App>, asked: web::Json<Nodes>) -> Answer {
    let space = signed_in.access.own_space(Right::Write)?;
    to_the_end(async move {
        let revision = deleted::remove(app.meta(), &*app.clock, &space, &asked.nodes).await?;
        app.store.changed(&space, revision);
        Ok(())
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Removes for good all that is in Deleted at this moment.
#[utoipa::path(post, path = "/api/drive/empty", tag = "drive", responses((status = 204)))]
pub(crate) async fn empty_deleted(signed_in: SignedIn, app: web::Data<App>) -> Answer {
    let space = signed_in.access.own_space(Right::Write)?;
    to_the_end(async move {
        let revision = deleted::remove_all(app.meta(), &*app.clock, &space).await?;
        app.store.changed(&space, revision);
        Ok(())
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Makes a folder below `Files`; the same name twice is one folder.
#[utoipa::path(
    post, path = "/api/drive/folders", tag = "drive", request_body = NewFolder,
    responses((status = 200, body = NodeView), (status = 404, body = Refusal), (status = 409, body = Refusal)),
)]
pub(crate) async fn make_folder(signed_in: SignedIn, app: web::Data<App>, asked: web::Json<NewFolder>) -> Answer {
    let space = signed_in.access.own_space(Right::Write)?;
    app.store.check_room().await?;
    let (folder, revision) = folder::make(app.meta(), &*app.clock, &space, &asked).await?;
    if let Some(revision) = revision {
        app.store.changed(&space, revision);
    }
    Ok(HttpResponse::Ok().json(node_view(&folder)?))
}

/// Makes an older version of a file the newest again, as a version of its own.
#[utoipa::path(
    post, path = "/api/drive/current", tag = "drive", request_body = MakeCurrent,
    responses((status = 204), (status = 404, body = Refusal), (status = 409, body = Refusal)),
)]
pub(crate) async fn make_current(signed_in: SignedIn, app: web::Data<App>, asked: web::Json<MakeCurrent>) -> Answer {
    let space = signed_in.access.own_space(Right::Write)?;
    app.store.check_room().await?;
    if let Some(revision) = current::make_current(app.meta(), &*app.clock, &space, &asked).await? {
        app.store.changed(&space, revision);
    }
    Ok(HttpResponse::NoContent().finish())
}

fn changed(app: &App, space: &GrantedSpace, revision: u64) -> Answer {
    app.store.changed(space, revision);
    Ok(HttpResponse::NoContent().finish())
}

/// The node that a query names, in the space of whoever asks.
async fn found(signed_in: &SignedIn, app: &App, query: &Query) -> Answer<(GrantedSpace, Row)> {
    let space = signed_in.access.own_space(Right::Read)?;
    let row = query.when()?.find(app.meta().read(), &space, &query.place()?).await?;
    Ok((space, row))
}

/// Shortens to `limit` rows; true if there were more.
fn cut<T>(rows: &mut Vec<T>, limit: u64) -> bool {
    let more = rows.len() as u64 > limit;
    rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    more
}

fn root_path(path: Vec<u8>) -> Answer<RootPath> {
    RootPath::new(path).map_err(|_| {
        Failure::new(
            ErrorCode::TooLarge,
            "the paths below this folder are too long; ask for a folder further down",
        )
    })
}

//! `/api/openapi.json`: the HTTP interface, described by its own code.

use actix_web::{HttpResponse, web};
use utoipa::OpenApi;

use super::{account, admin, content, device, drive, join, status, transfer};

/// The paths of this file.
pub(crate) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.route("/api/openapi.json", web::get().to(show));
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Beckon",
        description = "What the Beckon server answers over HTTP. Errors are `Refusal` objects. Requests that change something carry the header `x-beckon`."
    ),
    paths(
        status::status,
        account::sign_up,
        account::start,
        account::sign_in,
        account::finish,
        account::recover,
        account::recover_finish,
        account::change_password,
        account::sign_out,
        account::list,
        account::current,
        account::end,
        account::usage,
        admin::accounts,
        admin::change_account,
        admin::invite,
        admin::invitations,
        admin::withdraw,
        admin::stats,
        admin::history,
        device::list,
        device::visits,
        device::rename,
        device::confirm,
        device::limit,
        device::say,
        join::make,
        join::list,
        join::withdraw,
        join::offer,
        join::join,
        transfer::list,
        transfer::show,
        transfer::problems,
        transfer::steer,
        transfer::prioritise,
        content::content,
        transfer::put_selection,
        transfer::get_selection,
        drive::list_folder,
        drive::list_tree,
        drive::list_heads,
        drive::look_up_heads,
        drive::find_outdated,
        drive::list_versions,
        drive::list_deleted,
        drive::move_one,
        drive::delete_nodes,
        drive::restore_nodes,
        drive::purge_nodes,
        drive::empty_deleted,
        drive::make_folder,
        drive::make_current,
        drive::past::origin,
        drive::past::rewind,
        drive::retention::show,
        drive::retention::plan,
        drive::retention::set,
        drive::search::find,
        drive::search::recent,
        drive::download::contents,
        drive::download::file,
        drive::download::file_by_path,
        drive::download::zip,
        drive::download::zip_by_path,
    ),
    components(schemas(beckon_shared::error::Refusal))
)]
struct Document;

/// The description as JSON.
pub fn document() -> String {
    // The document is plain data, which always has a JSON form.
    Document::openapi().to_pretty_json().unwrap_or_default()
}

async fn show() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(document())
}

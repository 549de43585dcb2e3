//! `/api/drive/retention`: how long older versions are kept. A rule is set by who has seen what it deletes.

use actix_web::{HttpRequest, HttpResponse, web};
use beckon_shared::{
    api::drive::{PlannedVersion, RetentionPlan, RetentionView, RootRetention, SetRetention},
    error::{ErrorCode, Refusal},
    id::{DeviceId, RootId},
    retention::Retention,
};

use super::{query::Query, root_path, turn};
use crate::{
    access::{GrantedSpace, Right},
    app::App,
    error::{Answer, Failure},
    http::guard::SignedIn,
    retention::{self, Proposal},
    store::meta::{
        drive::named::{source_folders, versions_named},
        retention::{DEFAULT, rules},
        source,
    },
};

/// How long older versions are kept, of each root and of all else.
#[utoipa::path(get, path = "/api/drive/retention", tag = "drive", responses((status = 200, body = RetentionView)))]
pub(crate) async fn show(signed_in: SignedIn, app: web::Data<App>) -> Answer {
    let space = signed_in.access.own_space(Right::Read)?;
    let on = app.meta().read();
    let rules = rules(on, &space.column()).await?;
    let mut roots = Vec::new();
    for (source, placed) in source_folders(on, &space).await? {
        roots.push(RootRetention {
            device: source.0,
            root: source.1,
            node: placed.row.id()?,
            path: root_path(placed.path)?,
            rule: rules.own(source.2),
        });
    }
    roots.sort_by(|one, other| one.path.cmp(&other.path));
    let default = rules.of(None);
    Ok(HttpResponse::Ok().json(RetentionView { default, roots }))
}

/// What a rule would delete if it was set.
#[utoipa::path(
    get, path = "/api/drive/retention/plan", tag = "drive",
    params(
        ("device" = Option<String>, Query, description = "The device; without it and `root`, the rule for all that has none of its own"),
        ("root" = Option<String>, Query, description = "Its root"),
        ("keep_all_days" = Option<u32>, Query, description = "Up to this age every version stays"),
        ("daily_days" = Option<u32>, Query, description = "Up to this age one for each day"),
        ("weekly_days" = Option<u32>, Query, description = "Up to this age one for each week"),
        ("monthly_days" = Option<u32>, Query, description = "Up to this age one for each month"),
        ("forever" = Option<bool>, Query, description = "The last of these has no end"),
        ("inherit" = Option<bool>, Query, description = "No rule: the root's own is taken away"),
    ),
    responses((status = 200, body = RetentionPlan), (status = 400, body = Refusal), (status = 404, body = Refusal)),
)]
pub(crate) async fn plan(signed_in: SignedIn, app: web::Data<App>, request: HttpRequest) -> Answer {
    let query = Query::of(&request);
    let space = signed_in.access.own_space(Right::Read)?;
    let rule = match query.get("inherit")?.unwrap_or(false) {
        true => None,
        false => Some(Retention {
            keep_all_days: query.get("keep_all_days")?.unwrap_or(0),
            daily_days: query.get("daily_days")?.unwrap_or(0),
            weekly_days: query.get("weekly_days")?.unwrap_or(0),
            monthly_days: query.get("monthly_days")?.unwrap_or(0),
            forever: query.get("forever")?.unwrap_or(false),
        }),
    };
    let (device, root) = (query.get("device")?, query.get("root")?);
    let proposal = proposal(&app, &space, device.zip(root), rule).await?;
    let _turn = turn::take(signed_in.access.account).await?;
    let plan = retention::plan(app.meta(), &space, &proposal, app.clock.now()).await?;
    let mut first = Vec::new();
    for (version, placed) in versions_named(app.meta().read(), &plan.first).await? {
        first.push(PlannedVersion {
            path: root_path(placed.path)?,
            node: placed.row.id()?,
            version: version.id,
            committed: version.committed,
            size: version.size,
        });
    }
    first.sort_by(|one, other| (&one.path, one.committed).cmp(&(&other.path, other.committed)));
    Ok(HttpResponse::Ok().json(RetentionPlan {
        versions: plan.versions,
        files: plan.files,
        bytes: plan.bytes,
        at_least: plan.at_least,
        first,
        token: plan.token,
    }))
}

/// Sets a rule whose plan was looked at. What it deletes goes a day later, unless a rule is set meanwhile, and is collected a
/// day after that.
#[utoipa::path(
    put, path = "/api/drive/retention", tag = "drive", request_body = SetRetention,
    responses((status = 204), (status = 404, body = Refusal), (status = 409, body = Refusal)),
)]
pub(crate) async fn set(signed_in: SignedIn, app: web::Data<App>, asked: web::Json<SetRetention>) -> Answer {
    let space = signed_in.access.own_space(Right::Write)?;
    let proposal = proposal(&app, &space, asked.device.zip(asked.root), asked.rule).await?;
    let _turn = turn::take(signed_in.access.account).await?;
    retention::adopt(app.meta(), &*app.clock, &space, &proposal, &asked.token).await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn proposal(
    app: &App,
    space: &GrantedSpace,
    of: Option<(DeviceId, RootId)>,
    rule: Option<Retention>,
) -> Answer<Proposal> {
    if rule.is_some_and(|rule| !rule.is_sound()) {
        let advice = "name each span longer than the one before it, and none above 36,500 days: all versions for so long, then one a day, a week, a month";
        return Err(Failure::new(ErrorCode::BadRequest, advice));
    }
    let source = match of {
        None => DEFAULT,
        Some((device, root)) => {
            let found = source::find(app.meta().read(), space, device, root).await?;
            found.ok_or_else(Failure::not_found)?.no
        }
    };
    Ok(Proposal { source, rule })
}

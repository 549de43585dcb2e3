//! `GET /bulk/TRANSFER/commits?after=N`: the commits of the root that is followed.

use actix_web::{HttpRequest, web};
use beckon_shared::{bulk::COMMITS_BODY_MAX, wire};

use super::{
    super::guard::Bulk,
    binary, malformed,
    read::{followed, root_of},
    stream::Turn,
};
use crate::{app::App, error::Answer, store::meta};

/// Those after a number, each behind its length, until the body is long enough.
pub(super) async fn commits(bulk: Bulk, request: HttpRequest, app: web::Data<App>) -> Answer {
    let Bulk(access, cut) = bulk;
    let origin = followed(&access)?;
    let after: u64 = request
        .query_string()
        .strip_prefix("after=")
        .and_then(|number| number.parse().ok())
        .ok_or_else(malformed)?;
    let turn = Turn::wait(&cut).await?;
    let Some(source) = root_of(&app, &access, origin).await? else {
        return Ok(binary(Vec::new()));
    };
    let records = meta::copy::commits(app.meta().read(), source, after, COMMITS_BODY_MAX).await?;
    let mut body = Vec::new();
    for record in records {
        let record = wire::encode(&record);
        // A commit has at most 80 MiB with all that it names.
        body.extend_from_slice(&(record.len() as u32).to_le_bytes());
        body.extend_from_slice(&record);
    }
    Ok(turn.bytes(body, cut))
}

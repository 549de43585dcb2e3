//! `POST /bulk/TRANSFER/manifests`: manifests that commits of the followed root named.

use actix_web::web;
use beckon_shared::{bulk::ManifestsRequest, commit::CHANGES_MAX, wire};

use super::{
    super::guard::Bulk,
    HAVE_BODIES, WHOLE,
    body::{Body, Whole},
    malformed,
    read::{followed, root_of},
    stream::Turn,
};
use crate::{app::App, error::Answer, store::meta};

/// A request of the most hashes, with room for what is around them. Bytes.
const REQUEST_MAX: usize = CHANGES_MAX * 32 + 16;

/// A body ends behind the manifest that reaches so many bytes.
const BODY_MAX: usize = 4 << 20;

/// Those that are kept, in the order asked, each behind its length; 0 for the others.
pub(super) async fn manifests(bulk: Bulk, payload: web::Payload, app: web::Data<App>) -> Answer {
    let Bulk(access, cut) = bulk;
    let origin = followed(&access)?;
    let Whole { bytes, share: _share } = Body::new(payload, cut.clone(), REQUEST_MAX)
        .whole(WHOLE, &HAVE_BODIES)
        .await?;
    let request: ManifestsRequest = wire::decode(&bytes).map_err(|_| malformed())?;
    if request.manifests.len() > CHANGES_MAX {
        return Err(malformed());
    }
    let turn = Turn::wait(&cut).await?;
    let found = match root_of(&app, &access, origin).await? {
        Some(source) => meta::copy::manifests(app.meta().read(), source, &request.manifests, BODY_MAX).await?,
        None => vec![None; request.manifests.len()],
    };
    let mut body = Vec::new();
    for manifest in found {
        let manifest = manifest.unwrap_or_default();
        // No manifest has more than 80 MiB.
        body.extend_from_slice(&(manifest.len() as u32).to_le_bytes());
        body.extend_from_slice(&manifest);
    }
    Ok(turn.bytes(body, cut))
}

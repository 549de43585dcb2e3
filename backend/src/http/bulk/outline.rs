//! `POST /bulk/TRANSFER/outline` and `parts`: what is stored of an earlier state of a file, for recipes.

use actix_web::web;
use beckon_shared::{
    bulk::{OUTLINE_CHUNKS_MAX, Outline, OutlineRequest, PartsRequest, READ_CHUNKS_MAX},
    chunk::{CHUNK_MAX, ChunkRef},
    id::ChunkId,
    manifest::Content,
    path::{PATH_MAX, RootPath},
    wire,
};
use tokio_util::sync::CancellationToken;

use super::{
    super::guard::Bulk,
    HAVE_BODIES, WHOLE,
    body::{Body, Whole},
    malformed,
    recipe::own_root,
    stream::Turn,
};
use crate::{
    access::TransferAccess,
    app::App,
    drive::view::version_id,
    error::{Answer, Failure},
    store::{
        Error,
        meta::{
            self,
            copy::Within,
            drive::head::{Origin, heads_of},
        },
    },
};

/// A larger file has more chunks than an outline tells of, so that its manifest need not be read. Bytes.
const SIZE_MAX: i64 = (OUTLINE_CHUNKS_MAX * CHUNK_MAX) as i64;

/// A path and the most places of chunks, with room for what is around them. Bytes.
const REQUEST_MAX: usize = PATH_MAX + READ_CHUNKS_MAX * 5 + 16;

/// The chunks of the newest stored version of a file.
pub(super) async fn outline(bulk: Bulk, payload: web::Payload, app: web::Data<App>) -> Answer {
    let Bulk(access, cut) = bulk;
    access.may_commit()?;
    let OutlineRequest { path } = whole(payload, &cut).await?;
    let turn = Turn::wait(&cut).await?;
    let hint = |chunk: &ChunkRef| {
        let mut hint = [0; 8];
        hint.copy_from_slice(&chunk.id.as_bytes()[..8]);
        (hint, chunk.len)
    };
    let chunks = chunks_of(&app, &access, &path).await?;
    let chunks = chunks.iter().map(hint).collect();
    Ok(turn.bytes(wire::encode(&Outline { chunks }), cut))
}

/// The parts of some of them.
pub(super) async fn parts(bulk: Bulk, payload: web::Payload, app: web::Data<App>) -> Answer {
    let Bulk(access, cut) = bulk;
    access.may_commit()?;
    let PartsRequest { path, chunks: asked } = whole(payload, &cut).await?;
    if asked.len() > READ_CHUNKS_MAX {
        return Err(malformed());
    }
    let turn = Turn::wait(&cut).await?;
    let chunks = chunks_of(&app, &access, &path).await?;
    let ids: Vec<ChunkId> = asked
        .iter()
        .filter_map(|at| Some(chunks.get(*at as usize)?.id))
        .collect();
    let places = match own_root(&app, &access).await? {
        Some(source) => meta::copy::readable(app.meta().read(), access.space, Within::Root(source), &ids).await?,
        None => Default::default(),
    };
    let key = app.store.chunk_key(&access.granted()).await?;
    let mut found = app
        .store
        .parts(access.space, &key, places.into_values().collect())
        .await?;
    let place = |id: &ChunkId| ids.iter().position(|asked| asked == id);
    found.sort_by_cached_key(|parts| place(&parts.id));
    Ok(turn.bytes(wire::encode(&found), cut))
}

async fn whole<T: serde::de::DeserializeOwned>(payload: web::Payload, cut: &CancellationToken) -> Result<T, Failure> {
    let Whole { bytes, share: _share } = Body::new(payload, cut.clone(), REQUEST_MAX)
        .whole(WHOLE, &HAVE_BODIES)
        .await?;
    wire::decode(&bytes).map_err(|_| malformed())
}

/// The chunks of the newest stored version of a file below the transfer's root; none where there is no such file, or where
/// it has too many.
async fn chunks_of(app: &App, access: &TransferAccess, path: &RootPath) -> Result<Vec<ChunkRef>, Error> {
    let Some((folder, name)) = path.split_last() else {
        return Ok(Vec::new());
    };
    let origin = Origin {
        device: access.device,
        root: access.root,
        path: &folder,
    };
    let found = heads_of(app.meta().read(), &access.granted(), &origin, &[name]).await?;
    let head = found.into_iter().find_map(|(_, head)| head);
    let Some(head) = head.filter(|head| head.size <= SIZE_MAX) else {
        return Ok(Vec::new());
    };
    let content = app.store.open_version(&access.granted(), version_id(&head)?).await?;
    Ok(match &content.manifest.content {
        Content::File(file) if file.chunks.len() <= OUTLINE_CHUNKS_MAX => file.chunks.clone(),
        _ => Vec::new(),
    })
}

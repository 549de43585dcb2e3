//! `/bulk/TRANSFER/...`: what a machine uploads with (`have`, `chunks`, `commit`, `selection`, `outline`, `parts`) and what it
//! copies with (`commits`, `manifests`, `read`), by the bearer ticket of its transfer.

mod body;
mod commits;
mod manifests;
mod outline;
mod read;
mod recipe;
mod stream;

use std::{io, sync::Arc, time::Duration};

use actix_web::{HttpResponse, web};
use beckon_shared::{
    browse::BESIDE_MAX,
    bulk::{CHUNKS_BODY_MAX, COMMIT_BODY_MAX, CommitReply, CommitUpload, Encoding, HAVE_MAX, HaveRequest},
    chunk::ChunkKey,
    error::ErrorCode,
    id::Hash,
    wire,
};
use tokio::{
    sync::Semaphore,
    task::{JoinHandle, spawn_blocking},
};

use self::{
    body::{Body, Frame, Whole},
    recipe::{Bases, Shelf},
};
use super::guard::Bulk;
use crate::{
    app::App,
    error::{Answer, Failure},
    fault, order,
    store::{
        Error,
        meta::{
            device,
            transfer::{self, selection},
        },
        writer::{Batch, VerifiedChunk},
    },
};

/// A have-query of [`HAVE_MAX`] ids, with room for what is around them. Bytes.
const HAVE_BODY_MAX: usize = HAVE_MAX * 32 + 16;

/// Bytes of have-queries that may be in memory at once, of all machines together.
const HAVE_ROOM: usize = 16 << 20;

/// Bytes of commits that may be in memory at once, of all machines together. What is made of a commit takes about three
/// times as much.
const COMMIT_ROOM: usize = 96 << 20;

/// Bytes of selections that may be in memory at once, of all machines together.
const SELECTION_ROOM: usize = 8 << 20;

static HAVE_BODIES: Semaphore = Semaphore::const_new(HAVE_ROOM);
static COMMIT_BODIES: Semaphore = Semaphore::const_new(COMMIT_ROOM);
static SELECTION_BODIES: Semaphore = Semaphore::const_new(SELECTION_ROOM);

/// A have-query or commit must be here in so long: an agent sends at most a few MiB, or one manifest.
const WHOLE: Duration = Duration::from_secs(180);

/// Chunks are verified in groups of about so many bytes of content: less would spend its time on changing threads.
const GROUP: usize = 1 << 20;

/// A body that stands still for so long is given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// The paths of this file.
pub(crate) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.route("/bulk/{transfer}/have", web::post().to(have))
        .route("/bulk/{transfer}/chunks", web::post().to(chunks))
        .route("/bulk/{transfer}/commit", web::post().to(commit))
        .route("/bulk/{transfer}/selection", web::put().to(keep_selection))
        .route("/bulk/{transfer}/outline", web::post().to(outline::outline))
        .route("/bulk/{transfer}/parts", web::post().to(outline::parts))
        .route("/bulk/{transfer}/commits", web::get().to(commits::commits))
        .route("/bulk/{transfer}/manifests", web::post().to(manifests::manifests))
        .route("/bulk/{transfer}/read", web::post().to(read::read));
}

/// Which chunks are missing; the others are pinned.
async fn have(bulk: Bulk, payload: web::Payload, app: web::Data<App>) -> Answer {
    let Bulk(access, cut) = bulk;
    access.may_store()?;
    let Whole { bytes, share: _share } = Body::new(payload, cut, HAVE_BODY_MAX)
        .whole(WHOLE, &HAVE_BODIES)
        .await?;
    let request: HaveRequest = wire::decode(&bytes).map_err(|_| malformed())?;
    if request.chunks.len() > HAVE_MAX {
        return Err(malformed());
    }
    let missing = app.store.have(&access, &request.chunks).await?;
    order::arrived(&app, &access);
    Ok(binary(wire::encode(&missing)))
}

/// Takes chunks; answers once all of them are durable.
async fn chunks(bulk: Bulk, payload: web::Payload, app: web::Data<App>) -> Answer {
    let Bulk(access, cut) = bulk;
    access.may_store()?;
    let mut body = Body::new(payload, cut.clone(), CHUNKS_BODY_MAX);
    let taken = async {
        let key = app.store.chunk_key(&access.granted()).await?;
        let batch = app.store.batch(&access).await?;
        take(&mut body, &key, Bases::new(&app, &access), &batch).await?;
        Ok::<Batch, Failure>(batch)
    };
    match taken.await {
        Ok(batch) => cut
            .run_until_cancelled(batch.durable())
            .await
            .ok_or_else(body::cut_off)??,
        Err(failure) => {
            // Who is still sending would otherwise find the connection closed and never read why.
            body.drain().await;
            return Err(failure);
        }
    }
    order::arrived(&app, &access);
    fault::point("chunks-durable");
    Ok(HttpResponse::Ok().finish())
}

/// While a group is verified the next one comes.
async fn take(body: &mut Body, key: &ChunkKey, mut bases: Bases<'_>, batch: &Batch) -> Result<(), Failure> {
    let mut verifying = None;
    loop {
        let group = body.frames(GROUP).await?;
        let shelf = bases.of(&group).await?;
        let next = (!group.is_empty()).then(|| verify(key.clone(), shelf, group));
        let is_end = next.is_none();
        if let Some(before) = std::mem::replace(&mut verifying, next) {
            let verified = before.await.map_err(|error| Error::from(io::Error::other(error)));
            for chunk in verified?? {
                batch.push(chunk).await?;
            }
        }
        if is_end {
            return Ok(());
        }
    }
}

fn verify(key: ChunkKey, shelf: Arc<Shelf>, group: Vec<Frame>) -> JoinHandle<Result<Vec<VerifiedChunk>, Failure>> {
    spawn_blocking(move || group.into_iter().map(|frame| verify_one(&key, &shelf, frame)).collect())
}

fn verify_one(key: &ChunkKey, shelf: &Shelf, frame: Frame) -> Result<VerifiedChunk, Failure> {
    let Frame { header, stored } = frame;
    if header.encoding == Encoding::Recipe {
        return shelf.assemble(key, &header, &stored);
    }
    VerifiedChunk::verify(key, header, stored)
        .ok_or_else(|| Failure::new(ErrorCode::BadRequest, "a chunk is not what its id says; send it again"))
}

/// Takes a commit.
async fn commit(bulk: Bulk, payload: web::Payload, app: web::Data<App>) -> Answer {
    let Bulk(access, cut) = bulk;
    access.may_commit()?;
    let Whole { bytes, share: _share } = Body::new(payload, cut, COMMIT_BODY_MAX)
        .whole(WHOLE, &COMMIT_BODIES)
        .await?;
    let upload: CommitUpload = wire::decode(&bytes).map_err(|_| malformed())?;
    drop(bytes);
    let device = device::find(app.store.meta.read(), &access.account, &access.device).await?;
    let reply = app.store.commit(&access, &device.signing_key()?, upload).await?;
    if matches!(reply, CommitReply::Committed(_)) {
        order::committed(&app, &access);
    }
    Ok(binary(wire::encode(&reply)))
}

/// Keeps the selection of an order that its machine was given directly, so that people see what was selected and can have
/// it tried again. None but the one that was signed is taken.
async fn keep_selection(bulk: Bulk, payload: web::Payload, app: web::Data<App>) -> Answer {
    let Bulk(access, cut) = bulk;
    let Whole { bytes, share: _share } = Body::new(payload, cut, BESIDE_MAX)
        .whole(WHOLE, &SELECTION_BODIES)
        .await?;
    let hash = Hash::of(&bytes);
    let txn = app.meta().write().await?;
    let transfer = transfer::find_of(&txn, &access.account, &access.device, &access.transfer).await?;
    transfer::must_be_open(&transfer.view)?;
    if transfer.selection != Some(hash) {
        return Err(Failure::new(
            ErrorCode::BadRequest,
            "this is not the selection that was signed; send that of the order",
        ));
    }
    selection::put(&txn, &access.account, &hash, bytes.to_vec(), app.clock.now()).await?;
    txn.commit().await.map_err(Error::from)?;
    Ok(HttpResponse::NoContent().finish())
}

fn binary(bytes: Vec<u8>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/octet-stream").body(bytes)
}

fn malformed() -> Failure {
    Failure::new(ErrorCode::BadRequest, "the request is malformed; update the agent")
}

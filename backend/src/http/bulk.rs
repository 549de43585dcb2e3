//! `/bulk/TRANSFER/have`, `chunks`, `commit`: what a machine uploads with, by the bearer ticket of its transfer.

mod body;

use std::{io, time::Duration};

use actix_web::{HttpResponse, web};
use beckon_shared::{
    bulk::{CHUNKS_BODY_MAX, COMMIT_BODY_MAX, CommitUpload, HAVE_MAX, HaveRequest},
    chunk::ChunkKey,
    error::ErrorCode,
    wire,
};
use tokio::{
    sync::Semaphore,
    task::{JoinHandle, spawn_blocking},
};

use self::body::{Body, Frame, Whole};
use super::guard::Bulk;
use crate::{
    app::App,
    error::{Answer, Failure},
    fault,
    store::{
        Error,
        meta::device,
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

static HAVE_BODIES: Semaphore = Semaphore::const_new(HAVE_ROOM);
static COMMIT_BODIES: Semaphore = Semaphore::const_new(COMMIT_ROOM);

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
        .route("/bulk/{transfer}/commit", web::post().to(commit));
}

/// Which chunks are missing; the others are pinned.
async fn have(bulk: Bulk, payload: web::Payload, app: web::Data<App>) -> Answer {
    let Bulk(access, cut) = bulk;
    let Whole { bytes, share: _share } = Body::new(payload, cut, HAVE_BODY_MAX)
        .whole(WHOLE, &HAVE_BODIES)
        .await?;
    let request: HaveRequest = wire::decode(&bytes).map_err(|_| malformed())?;
    if request.chunks.len() > HAVE_MAX {
        return Err(malformed());
    }
    let missing = app.store.have(&access, &request.chunks).await?;
    Ok(binary(wire::encode(&missing)))
}

/// Takes chunks; answers once all of them are durable.
async fn chunks(bulk: Bulk, payload: web::Payload, app: web::Data<App>) -> Answer {
    let Bulk(access, cut) = bulk;
    let mut body = Body::new(payload, cut.clone(), CHUNKS_BODY_MAX);
    let taken = async {
        let key = app.store.chunk_key(&access.granted()).await?;
        let batch = app.store.batch(&access).await?;
        take(&mut body, &key, &batch).await?;
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
    fault::point("chunks-durable");
    Ok(HttpResponse::Ok().finish())
}

/// While a group is verified the next one comes.
async fn take(body: &mut Body, key: &ChunkKey, batch: &Batch) -> Result<(), Failure> {
    let mut verifying = None;
    loop {
        let group = body.frames(GROUP).await?;
        let next = (!group.is_empty()).then(|| verify(key.clone(), group));
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

fn verify(key: ChunkKey, group: Vec<Frame>) -> JoinHandle<Result<Vec<VerifiedChunk>, Failure>> {
    spawn_blocking(move || group.into_iter().map(|frame| verify_one(&key, frame)).collect())
}

fn verify_one(key: &ChunkKey, frame: Frame) -> Result<VerifiedChunk, Failure> {
    let Frame { header, stored } = frame;
    VerifiedChunk::verify(key, header, stored)
        .ok_or_else(|| Failure::new(ErrorCode::BadRequest, "a chunk is not what its id says; send it again"))
}

/// Takes a commit.
async fn commit(bulk: Bulk, payload: web::Payload, app: web::Data<App>) -> Answer {
    let Bulk(access, cut) = bulk;
    let Whole { bytes, share: _share } = Body::new(payload, cut, COMMIT_BODY_MAX)
        .whole(WHOLE, &COMMIT_BODIES)
        .await?;
    let upload: CommitUpload = wire::decode(&bytes).map_err(|_| malformed())?;
    drop(bytes);
    let device = device::find(app.store.meta.read(), &access.account, &access.device).await?;
    let reply = app.store.commit(&access, &device.signing_key()?, upload).await?;
    Ok(binary(wire::encode(&reply)))
}

fn binary(bytes: Vec<u8>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/octet-stream").body(bytes)
}

fn malformed() -> Failure {
    Failure::new(ErrorCode::BadRequest, "the request is malformed; update the agent")
}

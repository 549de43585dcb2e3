//! `POST /bulk/TRANSFER/read`: chunks as they are stored, or as recipes out of what the reader has.

use std::{collections::HashMap, io, sync::Arc};

use actix_web::web;
use beckon_shared::{
    bulk::{READ_CHUNKS_MAX, ReadRequest},
    chunk::ChunkKey,
    delta::{Known, parts},
    error::Refusal,
    id::ChunkId,
    wire,
};
use bytes::Bytes;
use futures_util::{TryStreamExt, future::Either};
use tokio::{sync::Semaphore, task::spawn_blocking};

use super::{
    super::guard::Bulk,
    HAVE_BODIES, WHOLE,
    body::{Body, Whole},
    malformed,
    stream::Turn,
};
use crate::{
    access::{Origin, Reads, TransferAccess},
    app::App,
    error::{Answer, Failure},
    store::{
        Error,
        meta::{self, chunk::Place, copy::Within},
        read::{Stored, as_recipe},
    },
};

/// A request of the most ids, with room for what is around them. Bytes.
const REQUEST_MAX: usize = 2 * READ_CHUNKS_MAX * 32 + 16;

/// Content of bases that is looked at for one request. What follows in the list is left out. Bytes.
const BASES_MAX: u64 = 64 << 20;

/// So many answers cut chunks into parts at once.
static CUTTING: Semaphore = Semaphore::const_new(2);

/// Those that may be read and are there.
pub(super) async fn read(bulk: Bulk, payload: web::Payload, app: web::Data<App>) -> Answer {
    let Bulk(access, cut) = bulk;
    let within = within(&app, &access).await?;
    let Whole { bytes, share: _share } = Body::new(payload, cut.clone(), REQUEST_MAX)
        .whole(WHOLE, &HAVE_BODIES)
        .await?;
    let request: ReadRequest = wire::decode(&bytes).map_err(|_| malformed())?;
    if request.chunks.len() > READ_CHUNKS_MAX || request.bases.len() > READ_CHUNKS_MAX {
        return Err(malformed());
    }
    let turn = Turn::wait(&cut).await?;
    let Some(within) = within else {
        return Ok(turn.bytes(Vec::new(), cut));
    };
    let places = meta::copy::readable(app.meta().read(), access.space, within, &request.chunks).await?;
    let chunks = app.store.stored(access.space, places.into_values().collect());
    let frames = match telling(&app, &access, within, &request.bases).await? {
        Some(telling) => Either::Left(chunks.and_then(move |run| telling.clone().tell(run))),
        None => Either::Right(chunks.map_ok(|run| run.into_iter().map(|stored| stored.frame).collect())),
    };
    Ok(turn.stream(frames, cut))
}

/// The root that a transfer follows; who follows none finds nothing here.
pub(super) fn followed(access: &TransferAccess) -> Result<Origin, Refusal> {
    match access.may_read()? {
        Reads::Root(origin) => Ok(origin),
        Reads::Sent => Err(crate::error::not_found()),
    }
}

/// The row number of a root, if anything of it was ever uploaded.
pub(super) async fn root_of(app: &App, access: &TransferAccess, origin: Origin) -> Result<Option<i64>, Error> {
    let found = meta::source::find(app.meta().read(), &access.granted(), origin.device, origin.root).await?;
    Ok(found.map(|source| source.no))
}

/// What a transfer may read; nothing where there is nothing yet.
async fn within(app: &App, access: &TransferAccess) -> Result<Option<Within>, Failure> {
    Ok(match access.may_read()? {
        Reads::Root(origin) => root_of(app, access, origin).await?.map(Within::Root),
        Reads::Sent => Some(Within::Transfer(access.transfer)),
    })
}

/// What chunks are told with as recipes.
#[derive(Clone)]
struct Telling {
    key: ChunkKey,
    known: Arc<Known>,
}

impl Telling {
    async fn tell(self, run: Vec<Stored>) -> Result<Vec<Bytes>, Error> {
        let told = move || {
            let tell = |stored: Stored| as_recipe(&self.key, &self.known, &stored).unwrap_or(stored.frame);
            run.into_iter().map(tell).collect()
        };
        cutting(told).await
    }
}

/// Looks at the bases that the reader has, as far as it may read them.
async fn telling(
    app: &App,
    access: &TransferAccess,
    within: Within,
    bases: &[ChunkId],
) -> Result<Option<Telling>, Failure> {
    if bases.is_empty() {
        return Ok(None);
    }
    let found = meta::copy::readable(app.meta().read(), access.space, within, bases).await?;
    let key = app.store.chunk_key(&access.granted()).await?;
    let mut known = Known::default();
    let mut runs = std::pin::pin!(app.store.stored(access.space, first_of(bases, &found)));
    while let Some(run) = runs.try_next().await? {
        let key = key.clone();
        known = cutting(move || {
            for stored in run {
                if let Ok(content) = stored.content() {
                    known.add(stored.header.id, &parts(&key, &content));
                }
            }
            known
        })
        .await?;
    }
    let known = Arc::new(known);
    Ok((!known.is_empty()).then_some(Telling { key, known }))
}

/// The places of the first bases, each once, up to what one request may have looked at.
fn first_of(bases: &[ChunkId], found: &HashMap<ChunkId, Place>) -> Vec<Place> {
    let mut left = found.clone();
    let mut len = 0;
    bases
        .iter()
        .filter_map(|id| left.remove(id))
        .take_while(|place| {
            len += u64::from(place.header.len);
            len <= BASES_MAX
        })
        .collect()
}

/// Does work of the processor beside everything else, when there is a turn for it.
pub(super) async fn cutting<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    let closed = |_| Error::Io(io::Error::other("closed"));
    let _turn = CUTTING.acquire().await.map_err(closed)?;
    spawn_blocking(work)
        .await
        .map_err(|error| io::Error::other(error).into())
}

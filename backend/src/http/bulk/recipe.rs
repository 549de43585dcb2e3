//! Chunks that come as recipes: out of chunks that versions of the sender's own root use, since by others it could find out
//! what others store.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use beckon_shared::{
    bulk::{CHUNKS_CONTENT_MAX, ChunkHeader, Encoding, READ_CHUNKS_MAX},
    chunk::ChunkKey,
    delta::Recipe,
    error::ErrorCode,
    id::ChunkId,
};
use bytes::Bytes;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::body::Frame;
use crate::{
    access::{Origin, TransferAccess},
    app::App,
    error::Failure,
    store::{
        Error,
        meta::{self, chunk::Place, copy::Within},
        read::assemble,
        writer::VerifiedChunk,
    },
};

/// Bytes of bases that may be in memory at once, of all machines together.
const BASES_ROOM: u32 = 128 << 20;

static BASES: Semaphore = Semaphore::const_new(BASES_ROOM as usize);

/// What the recipes of one body are made out of.
pub(super) struct Bases<'a> {
    app: &'a App,
    access: &'a TransferAccess,
    /// Bytes of bases that may still be read for it.
    left: usize,
}

/// The bases of a group of chunks.
#[derive(Default)]
pub(super) struct Shelf {
    contents: HashMap<ChunkId, (Bytes, Encoding)>,
    _room: Option<SemaphorePermit<'static>>,
}

/// The row number of the root that a transfer uploads.
pub(super) async fn own_root(app: &App, access: &TransferAccess) -> Result<Option<i64>, Error> {
    let origin = Origin {
        device: access.device,
        root: access.root,
    };
    super::read::root_of(app, access, origin).await
}

impl<'a> Bases<'a> {
    /// Nothing was read yet.
    pub(super) fn new(app: &'a App, access: &'a TransferAccess) -> Self {
        Self {
            app,
            access,
            left: CHUNKS_CONTENT_MAX,
        }
    }

    /// The bases that these chunks name. What cannot be had is left out: its recipes are refused.
    pub(super) async fn of(&mut self, group: &[Frame]) -> Result<Arc<Shelf>, Failure> {
        let recipes = group.iter().filter(|frame| frame.header.encoding == Encoding::Recipe);
        let named: HashSet<ChunkId> = recipes
            .filter_map(|frame| Recipe::parse(&frame.stored))
            .flat_map(|recipe| recipe.bases)
            .collect();
        if named.is_empty() {
            return Ok(Arc::default());
        }
        if named.len() > READ_CHUNKS_MAX {
            return Err(refused());
        }
        self.access.may_commit()?;
        let Some(source) = own_root(self.app, self.access).await? else {
            return Err(refused());
        };
        let named: Vec<ChunkId> = named.into_iter().collect();
        let on = self.app.meta().read();
        let places = meta::copy::readable(on, self.access.space, Within::Root(source), &named).await?;
        self.read(places.into_values().collect()).await
    }

    async fn read(&mut self, places: Vec<Place>) -> Result<Arc<Shelf>, Failure> {
        let len = places.iter().map(|place| place.header.len as usize).sum();
        self.left = self.left.checked_sub(len).ok_or_else(refused)?;
        // A body has less than that left.
        let room = BASES.acquire_many(len as u32).await.map_err(|_| refused())?;
        let encodings: HashMap<ChunkId, Encoding> = places
            .iter()
            .map(|place| (place.header.id, place.header.encoding))
            .collect();
        let contents = self.app.store.contents(self.access.space, places).await?;
        let with_encoding = |(id, content)| Some((id, (content, *encodings.get(&id)?)));
        Ok(Arc::new(Shelf {
            contents: contents.into_iter().filter_map(with_encoding).collect(),
            _room: Some(room),
        }))
    }
}

impl Shelf {
    /// The chunk that a recipe makes, stored as its first base is.
    pub(super) fn assemble(
        &self,
        key: &ChunkKey,
        header: &ChunkHeader,
        recipe: &[u8],
    ) -> Result<VerifiedChunk, Failure> {
        let recipe = Recipe::parse(recipe).ok_or_else(refused)?;
        let encoding = recipe.bases.first().and_then(|id| Some(self.contents.get(id)?.1));
        let base = |id: &ChunkId| Some(&self.contents.get(id)?.0);
        assemble(key, header, &recipe, encoding.unwrap_or(Encoding::Plain), base).ok_or_else(refused)
    }
}

fn refused() -> Failure {
    Failure::new(
        ErrorCode::Conflict,
        "a recipe does not make the chunk that it names, or is made of what is not there; send the chunk itself",
    )
}

//! Delivers what another machine is to write: chunks of files that were read before, of which the server gets those that it
//! misses. Nothing is committed.

use std::{
    collections::HashSet,
    io::{self, Read, Seek, SeekFrom},
    sync::Arc,
};

use beckon_shared::{
    chunk::{ChunkKey, ChunkRef},
    entry::SourceStamp,
    error::{ErrorCode, Refusal},
    id::{ChunkId, TransferId},
    path::RootPath,
};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::task::spawn_blocking;

use super::{
    Shared, Tools, begin, broken,
    pause::Pause,
    remote::{Failure, Remote},
    store::send_part,
};
use crate::root::Root;

/// Content that is asked about and sent together. Bytes.
const PART: u64 = 2 << 20;
/// Chunks that are asked about together.
const PART_CHUNKS: usize = 1000;
/// Parts under way at the same time.
const PARALLEL: usize = 4;

/// A file whose chunks are known.
#[derive(Debug, Clone)]
pub(crate) struct Parcel {
    /// Where to read it again.
    pub(crate) root: Arc<Root>,
    /// Its path below that root.
    pub(crate) path: RootPath,
    /// How it stood when its chunks were cut.
    pub(crate) stamp: SourceStamp,
    /// Its chunks, in order.
    pub(crate) chunks: Vec<ChunkRef>,
}

/// A chunk, and where it stands.
#[derive(Debug, Clone, Copy)]
struct Piece {
    parcel: usize,
    offset: u64,
    chunk: ChunkRef,
}

/// What all parts share.
pub(super) struct Delivery<R> {
    pub(super) shared: Arc<Shared<R>>,
    pub(super) parcels: Arc<[Parcel]>,
    pub(super) key: ChunkKey,
}

/// Delivers all chunks for a transfer. `told` hears of the content bytes that the server has, as they become more.
///
/// # Errors
///
/// A file that changed since it was cut ends it, as does a server that wants nothing of this transfer any more.
pub(crate) async fn deliver(
    transfer: TransferId,
    tools: &Tools,
    key: ChunkKey,
    parcels: Vec<Parcel>,
    told: impl Fn(u64),
) -> Result<u64, Refusal> {
    let shared = Arc::new(Shared::new(tools, transfer, RootPath::root()));
    begin(&shared).await?;
    let delivery = Delivery {
        shared: Arc::clone(&shared),
        parcels: parcels.into(),
        key,
    };
    delivery.all(told).await?;
    Ok(shared.counters.sent.sum())
}

impl<R: Remote> Delivery<R> {
    /// Delivers all chunks, each once.
    pub(super) async fn all(&self, told: impl Fn(u64)) -> Result<(), Refusal> {
        let told = &told;
        stream::iter(parts(&self.parcels))
            .map(|part| async move {
                let len = len_of(&part);
                self.part(part).await?;
                told(len);
                Ok(())
            })
            .buffer_unordered(PARALLEL)
            .try_collect()
            .await
    }

    /// Delivers one part, however often that must be tried.
    async fn part(&self, part: Vec<Piece>) -> Result<(), Refusal> {
        let mut pause = Pause::new(&self.shared.remote, &self.shared.counters, self.shared.pace);
        while let Err(failure) = self.try_part(&part).await {
            pause.after(failure).await?;
        }
        Ok(())
    }

    async fn try_part(&self, part: &[Piece]) -> Result<(), Failure> {
        let missing = self
            .shared
            .remote
            .have(part.iter().map(|piece| piece.chunk.id).collect())
            .await?;
        if !missing.answers(part.len()) {
            return Err(Failure::Refused(broken()));
        }
        let is_missing = |(at, piece): (usize, &Piece)| missing.get(at).then_some(*piece);
        let wanted: Vec<Piece> = part.iter().enumerate().filter_map(is_missing).collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let (parcels, key) = (Arc::clone(&self.parcels), self.key.clone());
        let read = spawn_blocking(move || read(&parcels, &key, &wanted)).await;
        let chunks = read.map_err(|_| Failure::Refused(broken()))?.map_err(own)?;
        send_part(&self.shared, chunks).await
    }
}

/// A file of this device that cannot be read as it was: asking the server again would change nothing.
fn own(refusal: Refusal) -> Failure {
    Failure::Refused(Refusal {
        retry: false,
        ..refusal
    })
}

/// Each chunk once, in parts.
fn parts(parcels: &[Parcel]) -> Vec<Vec<Piece>> {
    let mut known = HashSet::new();
    let mut parts: Vec<Vec<Piece>> = Vec::new();
    let mut room = 0;
    for (parcel, file) in parcels.iter().enumerate() {
        let mut offset = 0;
        for &chunk in &file.chunks {
            let piece = Piece { parcel, offset, chunk };
            let len = u64::from(chunk.len);
            offset += len;
            if !known.insert(chunk.id) {
                continue;
            }
            match parts.last_mut() {
                Some(part) if len <= room && part.len() < PART_CHUNKS => part.push(piece),
                _ => {
                    parts.push(vec![piece]);
                    room = PART;
                }
            }
            room = room.saturating_sub(len);
        }
    }
    parts
}

fn len_of(part: &[Piece]) -> u64 {
    part.iter().map(|piece| u64::from(piece.chunk.len)).sum()
}

/// Reads chunks again; they must be the ones that were cut.
fn read(parcels: &[Parcel], key: &ChunkKey, pieces: &[Piece]) -> Result<Vec<(ChunkId, Bytes)>, Refusal> {
    let mut chunks = Vec::with_capacity(pieces.len());
    for of_one in pieces.chunk_by(|one, next| one.parcel == next.parcel) {
        let Some(parcel) = of_one.first().and_then(|piece| parcels.get(piece.parcel)) else {
            continue;
        };
        let (folder, name) = parcel.root.parent(&parcel.path)?;
        let mut opened = folder.open_file(&name)?;
        if opened.meta.stamp != parcel.stamp {
            return Err(changed(&parcel.path));
        }
        for piece in of_one {
            let bytes = read_at(&mut opened.file, piece).map_err(|_| changed(&parcel.path))?;
            if key.id(&bytes) != piece.chunk.id {
                return Err(changed(&parcel.path));
            }
            chunks.push((piece.chunk.id, bytes.into()));
        }
    }
    Ok(chunks)
}

fn read_at(file: &mut (impl Read + Seek), piece: &Piece) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; piece.chunk.len as usize];
    file.seek(SeekFrom::Start(piece.offset))?;
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn changed(path: &RootPath) -> Refusal {
    let advice = format!(
        "{} changed while it was sent; close what writes to it, then send it again",
        path.display()
    );
    Refusal::new(ErrorCode::Changing, advice)
}

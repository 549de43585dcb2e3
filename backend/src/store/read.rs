//! Reading stored content: the chunks of a version in order, each checked by its id before a byte of it leaves.

mod known;
mod piece;
mod stored;

pub(crate) use self::{
    known::{as_recipe, assemble},
    piece::Piece,
    stored::Stored,
};

use std::{
    collections::{HashMap, VecDeque},
    io,
    ops::Range,
    sync::Arc,
};

use beckon_shared::{
    bulk::Encoding,
    chunk::{CHUNK_MAX, ChunkKey, ChunkRef},
    id::{ChunkId, NodeId, VersionId},
    manifest::{Content, Manifest},
};
use bytes::Bytes;
use futures_util::{Stream, future::Either, stream};
use tokio::{sync::mpsc, task::spawn_blocking};
use tokio_stream::wrappers::ReceiverStream;

use super::{
    Error, Store,
    blob::Blobs,
    meta::{self, DatabaseConnection, chunk::Place},
};
use crate::access::GrantedSpace;

/// Chunks that are looked up at once.
const LOOKUP: usize = 256;

/// Stored bytes that are read at once, where chunks lie side by side in a pack.
const READ_MAX: u64 = 2 << 20;

/// Content that is unpacked at once: what compresses well is far longer than what is read for it.
const CONTENT_MAX: u64 = 4 << 20;

/// Content that waits for a slow reader: this many chunks, at most 1 MiB each.
const AHEAD: usize = 3;

/// A version with what it holds.
#[derive(Debug, Clone)]
pub(crate) struct VersionContent {
    /// Its node.
    pub(crate) node: NodeId,
    /// What it holds.
    pub(crate) manifest: Arc<Manifest>,
    space: GrantedSpace,
    key: ChunkKey,
}

impl VersionContent {
    /// Bytes of its content; 0 for what is no file.
    pub(crate) fn size(&self) -> u64 {
        match &self.manifest.content {
            Content::File(file) => file.size(),
            _ => 0,
        }
    }

    fn chunks(&self) -> &[ChunkRef] {
        match &self.manifest.content {
            Content::File(file) => &file.chunks,
            _ => &[],
        }
    }

    /// The parts of chunks that a range of it is made of.
    fn wanted(&self, range: &Range<u64>) -> VecDeque<Wanted> {
        wanted(self.node, self.chunks(), range)
    }
}

/// Opens versions, in the order of their ids, if none has more than `largest` bytes.
pub(super) async fn open(
    on: &DatabaseConnection,
    space: &GrantedSpace,
    versions: &[VersionId],
    largest: u64,
) -> Result<Vec<VersionContent>, Error> {
    let manifests = meta::version::manifests_of(on, space, versions, largest).await?;
    let key = meta::space::chunk_key(on, space).await?;
    let opened = manifests.into_iter().map(|(node, bytes)| {
        let manifest = Manifest::parse(&bytes).map_err(|_| Error::bad_row("manifest"))?;
        Ok(VersionContent {
            node,
            manifest: Arc::new(manifest),
            space: *space,
            key: key.clone(),
        })
    });
    opened.collect()
}

impl Store {
    /// The bytes of a version in `range`, in pieces of at most 1 MiB. Dropping the stream stops the reading.
    pub(crate) fn read_chunks(
        &self,
        content: &VersionContent,
        range: Range<u64>,
    ) -> impl Stream<Item = Result<Bytes, Error>> + Send + Unpin + use<> {
        self.read_wanted(content, content.wanted(&range))
    }

    /// The bytes of several versions of one space, one after the other, in pieces of at most 1 MiB.
    pub(crate) fn read_all(
        &self,
        contents: &[VersionContent],
    ) -> impl Stream<Item = Result<Bytes, Error>> + Send + Unpin + use<> {
        let wanted = contents
            .iter()
            .flat_map(|content| content.wanted(&(0..content.size())))
            .collect();
        match contents.first() {
            Some(first) => Either::Left(self.read_wanted(first, wanted)),
            None => Either::Right(stream::empty()),
        }
    }

    /// Reads what is wanted of the space of `content`.
    fn read_wanted(
        &self,
        content: &VersionContent,
        wanted: VecDeque<Wanted>,
    ) -> impl Stream<Item = Result<Bytes, Error>> + Send + Unpin + use<> {
        let (pieces, read) = mpsc::channel(AHEAD);
        let reading = Reading {
            store: self.clone(),
            space: content.space,
            key: content.key.clone(),
            pieces,
        };
        tokio::spawn(reading.run(wanted));
        ReceiverStream::new(read)
    }
}

/// A piece of a chunk that is wanted.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    /// The file that it is part of.
    node: NodeId,
    id: ChunkId,
    from: usize,
    to: usize,
}

impl Wanted {
    fn damaged(&self) -> Error {
        Error::Damaged {
            node: self.node,
            chunk: self.id,
        }
    }
}

/// The parts of chunks that a range of a file is made of.
fn wanted(node: NodeId, chunks: &[ChunkRef], range: &Range<u64>) -> VecDeque<Wanted> {
    let mut start = 0u64;
    let mut wanted = VecDeque::new();
    for chunk in chunks {
        let end = start + u64::from(chunk.len);
        let (from, to) = (
            range.start.clamp(start, end) - start,
            range.end.clamp(start, end) - start,
        );
        if from < to {
            wanted.push_back(Wanted {
                node,
                id: chunk.id,
                from: from as usize,
                to: to as usize,
            });
        }
        start = end;
        if start >= range.end {
            break;
        }
    }
    wanted
}

/// A read that is going on.
struct Reading {
    store: Store,
    space: GrantedSpace,
    key: ChunkKey,
    pieces: mpsc::Sender<Result<Bytes, Error>>,
}

impl Reading {
    async fn run(self, mut left: VecDeque<Wanted>) {
        while !left.is_empty() {
            let batch: Vec<Wanted> = left.drain(..left.len().min(LOOKUP)).collect();
            if let Err(error) = self.read(batch).await {
                // Whoever read may be gone.
                let _ = self.pieces.send(Err(error)).await;
                return;
            }
            if self.pieces.is_closed() {
                return;
            }
        }
    }

    async fn read(&self, batch: Vec<Wanted>) -> Result<(), Error> {
        let places = self.places(&batch).await?;
        let mut left: VecDeque<(Wanted, Place)> = VecDeque::new();
        for wanted in batch {
            left.push_back((wanted, *places.get(&wanted.id).ok_or_else(|| wanted.damaged())?));
        }
        while let Some(run) = next_run(&mut left) {
            for piece in self.read_run(run).await? {
                if self.pieces.send(Ok(piece)).await.is_err() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    async fn places(&self, batch: &[Wanted]) -> Result<HashMap<ChunkId, Place>, Error> {
        let ids: Vec<ChunkId> = batch.iter().map(|wanted| wanted.id).collect();
        meta::chunk::find(self.store.meta.read(), self.space.id(), &ids).await
    }

    /// Reads neighbours at once. What fails is tried again alone and looked up anew: collection may have moved it.
    async fn read_run(&self, run: Vec<(Wanted, Place)>) -> Result<Vec<Bytes>, Error> {
        if let Ok(pieces) = self.load(run.clone()).await? {
            return Ok(pieces);
        }
        let mut pieces = Vec::new();
        for (wanted, _) in run {
            let places = self.places(&[wanted]).await?;
            let place = *places.get(&wanted.id).ok_or_else(|| wanted.damaged())?;
            match self.load(vec![(wanted, place)]).await? {
                Ok(loaded) => pieces.extend(loaded),
                Err(_) => return Err(self.note_damage(wanted, place).await),
            }
        }
        Ok(pieces)
    }

    /// The inner result says whether the bytes are good.
    async fn load(&self, run: Vec<(Wanted, Place)>) -> Result<Result<Vec<Bytes>, BadBytes>, Error> {
        let (blobs, key) = (self.store.blobs.clone(), self.key.clone());
        spawn_blocking(move || load(&*blobs, &key, &run))
            .await
            .map_err(io::Error::other)?
    }

    async fn note_damage(&self, wanted: Wanted, place: Place) -> Error {
        tracing::error!(node = %wanted.node, chunk = %place.header.id, pack = %place.pack, "a stored chunk is damaged");
        if let Err(error) = meta::chunk::mark_damaged(&self.store.meta, &*self.store.clock, &place).await {
            tracing::error!(%error, "the damage could not be recorded");
        }
        wanted.damaged()
    }
}

/// The next chunks that lie side by side in one pack.
fn next_run(left: &mut VecDeque<(Wanted, Place)>) -> Option<Vec<(Wanted, Place)>> {
    let first = left.pop_front()?;
    let mut run = vec![first];
    let mut end = first.1.start + u64::from(first.1.header.stored_len);
    let mut content = u64::from(first.1.header.len);
    while let Some((_, next)) = left.front() {
        let gap = next.start.checked_sub(end);
        let len = next.start + u64::from(next.header.stored_len) - first.1.start.min(next.start);
        let beside = next.pack == first.1.pack && gap.is_some_and(|gap| gap <= super::pack::RECORD_LEN as u64);
        content += u64::from(next.header.len);
        if !beside || len > READ_MAX || content > CONTENT_MAX {
            break;
        }
        end = next.start + u64::from(next.header.stored_len);
        run.extend(left.pop_front());
    }
    Some(run)
}

/// What was read is not what was stored, or is not there.
#[derive(Debug)]
pub(crate) struct BadBytes;

/// Whether an error says that stored bytes are gone. All others may pass: too many open files, a disk that is away.
pub(crate) fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof)
}

fn load(blobs: &dyn Blobs, key: &ChunkKey, run: &[(Wanted, Place)]) -> Result<Result<Vec<Bytes>, BadBytes>, Error> {
    let (Some((_, first)), Some((_, last))) = (run.first(), run.last()) else {
        return Ok(Ok(Vec::new()));
    };
    let end = last.start + u64::from(last.header.stored_len);
    match blobs.read(first.pack, first.start..end) {
        Ok(stored) => Ok(unpack(&stored.into(), key, run, first.start)),
        Err(error) => {
            tracing::warn!(%error, pack = %first.pack, "a pack could not be read");
            if is_gone(&error) {
                Ok(Err(BadBytes))
            } else {
                Err(error.into())
            }
        }
    }
}

/// The wanted pieces out of what is stored from `first` on.
fn unpack(stored: &Bytes, key: &ChunkKey, run: &[(Wanted, Place)], first: u64) -> Result<Vec<Bytes>, BadBytes> {
    run.iter()
        .map(|(wanted, place)| {
            let at = (place.start - first) as usize;
            let content = content(
                stored.slice(at..at + place.header.stored_len as usize),
                place.header.encoding,
                place.header.len,
            )?;
            let sound = key.id(&content) == wanted.id && wanted.to <= content.len();
            sound.then(|| content.slice(wanted.from..wanted.to)).ok_or(BadBytes)
        })
        .collect()
}

/// The content of stored bytes; never more than a chunk may have.
pub(crate) fn content(stored: Bytes, encoding: Encoding, len: u32) -> Result<Bytes, BadBytes> {
    let len = len as usize;
    let content = match encoding {
        Encoding::Plain => stored,
        Encoding::Zstd if len <= CHUNK_MAX => Bytes::from(zstd::bulk::decompress(&stored, len).map_err(|_| BadBytes)?),
        Encoding::Zstd | Encoding::Recipe => return Err(BadBytes),
    };
    if content.len() == len {
        Ok(content)
    } else {
        Err(BadBytes)
    }
}

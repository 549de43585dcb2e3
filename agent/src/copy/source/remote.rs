//! Chunks from the server, a few requests at once.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use beckon_shared::{
    bulk::{ChunkHeader, Encoding, READ_CHUNKS_MAX, ReadRequest},
    chunk::CHUNK_MIN,
    delta::Recipe,
    error::Refusal,
    id::ChunkId,
};
use bytes::Bytes;
use futures_util::{TryStreamExt, stream};
use tokio::sync::mpsc;

use super::{Own, Sources, broken};
use crate::copy::{
    Got, Want, Whence,
    server::{Remote, asked},
};

/// Content bytes that one request asks for. More would wait behind one another; less would be many requests.
const REQUEST: u64 = 8 << 20;
/// Requests at once.
const REQUESTS: usize = 3;
/// Chunks between the line and whoever decodes them.
const DECODING: usize = 8;

/// What one request still wants: chunks and their lengths.
type Open = Mutex<HashMap<ChunkId, u32>>;

/// Sends what the server has.
pub(super) async fn fetch<R: Remote, L: Sync>(
    sources: &Sources<R, L>,
    wants: Vec<Want>,
    bases: &[ChunkId],
    out: &mpsc::Sender<Got>,
) -> Result<(), Refusal> {
    let requests = requests(wants);
    stream::iter(requests.into_iter().map(Ok))
        .try_for_each_concurrent(REQUESTS, |wants| request(sources, wants, bases, out))
        .await
}

fn requests(wants: Vec<Want>) -> Vec<Vec<Want>> {
    let mut requests: Vec<Vec<Want>> = Vec::new();
    let mut bytes = 0;
    for want in wants {
        bytes += u64::from(want.chunk.len);
        match requests.last_mut() {
            Some(request) if bytes <= REQUEST && request.len() < READ_CHUNKS_MAX => request.push(want),
            _ => {
                bytes = want.chunk.len.into();
                requests.push(vec![want]);
            }
        }
    }
    requests
}

async fn request<R: Remote, L: Sync>(
    sources: &Sources<R, L>,
    wants: Vec<Want>,
    bases: &[ChunkId],
    out: &mpsc::Sender<Got>,
) -> Result<(), Refusal> {
    // What is shorter than any chunk of a longer file comes as fast whole.
    let pays = wants.iter().any(|want| want.chunk.len as usize >= CHUNK_MIN);
    let open = Open::new(wants.iter().map(|want| (want.chunk.id, want.chunk.len)).collect());
    let unassembled = Mutex::new(Vec::new());
    let bases = if pays { bases } else { &[] };
    ask(sources, &open, bases, &unassembled, out).await?;
    let again = unassembled.into_inner().unwrap_or_else(PoisonError::into_inner);
    if again.is_empty() {
        return Ok(());
    }
    tracing::debug!(
        chunks = again.len(),
        "recipes that lead nowhere: the chunks themselves are asked for"
    );
    let open = Open::new(again.into_iter().collect());
    ask(sources, &open, &[], &Mutex::default(), out).await
}

async fn ask<R: Remote, L: Sync>(
    sources: &Sources<R, L>,
    open: &Open,
    bases: &[ChunkId],
    unassembled: &Mutex<Vec<(ChunkId, u32)>>,
    out: &mpsc::Sender<Got>,
) -> Result<(), Refusal> {
    asked(&*sources.remote, sources.pace, || async move {
        // After a break only for what has not come.
        let chunks: Vec<_> = lock(open).keys().copied().collect();
        if chunks.is_empty() {
            return Ok(());
        }
        let request = ReadRequest {
            chunks,
            bases: bases.to_vec(),
        };
        let (sender, mut frames) = mpsc::channel(DECODING);
        let read = sources.remote.read(request, sender);
        let decode = async {
            while let Some((header, stored)) = frames.recv().await {
                // What was not asked for is not looked at.
                if lock(open).remove(&header.id) != Some(header.len) {
                    continue;
                }
                match content(sources, header, stored).await {
                    Some(bytes) => {
                        let got = Got {
                            chunk: header.id,
                            bytes,
                            from: Whence::Server,
                        };
                        if out.send(got).await.is_err() {
                            return;
                        }
                    }
                    None if header.encoding == Encoding::Recipe => {
                        let mut unassembled = unassembled.lock().unwrap_or_else(PoisonError::into_inner);
                        unassembled.push((header.id, header.len));
                    }
                    None => tracing::warn!(id = ?header.id, "the server sent something else than a chunk that it was asked for"),
                }
            }
        };
        tokio::join!(read, decode).0
    })
    .await
}

/// The content, if it is what the header says.
async fn content<R, L>(sources: &Sources<R, L>, header: ChunkHeader, stored: Bytes) -> Option<Bytes> {
    let len = header.len as usize;
    let content = match header.encoding {
        Encoding::Plain => stored,
        Encoding::Zstd => zstd::bulk::decompress(&stored, len).ok()?.into(),
        Encoding::Recipe => assembled(sources.own.clone(), stored, len).await?,
    };
    (content.len() == len && sources.key.id(&content) == header.id).then_some(content)
}

async fn assembled(own: Own, recipe: Bytes, len: usize) -> Option<Bytes> {
    let assemble = move || {
        let recipe = Recipe::parse(&recipe)?;
        recipe.assemble(len, |id| own.chunk(id)).map(Bytes::from)
    };
    tokio::task::spawn_blocking(assemble).await.map_err(|_| broken()).ok()?
}

fn lock(open: &Open) -> std::sync::MutexGuard<'_, HashMap<ChunkId, u32>> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

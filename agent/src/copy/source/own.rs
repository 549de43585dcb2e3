//! Chunks out of files that were written here before. They may have changed since: only what has the id counts.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    sync::Arc,
};

use beckon_shared::{
    chunk::{CHUNK_MAX, ChunkKey},
    error::Refusal,
    id::{ChunkId, RootId},
    path::RootPath,
};
use bytes::Bytes;
use tokio::sync::mpsc;

use crate::{
    copy::{Book, Got, OwnChunk, Want, Whence},
    root::Root,
};

/// Opens the root of an id, if its owner still has it open.
pub(crate) type Roots = dyn Fn(&RootId) -> Result<Arc<Root>, Refusal> + Send + Sync;

/// So many chunks are looked up in the book at once.
const LOOK: usize = 1024;

/// The files of this machine. Everything here waits for the disk.
#[derive(Clone)]
pub(crate) struct Own {
    pub(super) book: Book,
    pub(super) key: ChunkKey,
    pub(super) roots: Arc<Roots>,
}

/// The file that was read last: chunks that follow one another mostly stand in one.
type Last = Option<(RootId, RootPath, File)>;

impl Own {
    /// Sends what is here; the rest comes back.
    pub(super) fn read(&self, wants: Vec<Want>, out: &mpsc::Sender<Got>) -> Vec<Want> {
        let mut rest = Vec::new();
        let mut last = None;
        for some in wants.chunks(LOOK) {
            let ids: Vec<_> = some.iter().map(|want| want.chunk.id).collect();
            let places = self.book.own(&ids).unwrap_or_else(|_| vec![None; ids.len()]);
            for (want, place) in some.iter().zip(places) {
                let read = place.and_then(|place| self.read_at(&place, &want.chunk.id, want.chunk.len, &mut last));
                let Some(bytes) = read else {
                    rest.push(want.clone());
                    continue;
                };
                let got = Got {
                    chunk: want.chunk.id,
                    bytes,
                    from: Whence::Own,
                };
                if out.blocking_send(got).is_err() {
                    return Vec::new();
                }
            }
        }
        rest
    }

    /// One chunk whose length nobody told.
    pub(super) fn chunk(&self, id: &ChunkId) -> Option<Bytes> {
        let place = self.book.own(std::slice::from_ref(id)).ok()?.pop()??;
        let mut file = self.open(&place.root, &place.path)?;
        file.seek(SeekFrom::Start(place.offset)).ok()?;
        let mut window = Vec::new();
        file.take(CHUNK_MAX as u64).read_to_end(&mut window).ok()?;
        // It was cut there by its content, so it is cut there again.
        window.truncate(beckon_shared::chunk::cut(&window));
        (self.key.id(&window) == *id).then(|| window.into())
    }

    fn read_at(&self, place: &OwnChunk, id: &ChunkId, len: u32, last: &mut Last) -> Option<Bytes> {
        let is_last = |(root, path, _): &(RootId, RootPath, File)| (root, path) == (&place.root, &place.path);
        if !last.as_ref().is_some_and(is_last) {
            let file = self.open(&place.root, &place.path)?;
            *last = Some((place.root, place.path.clone(), file));
        }
        let (_, _, file) = last.as_mut()?;
        file.seek(SeekFrom::Start(place.offset)).ok()?;
        let mut bytes = Vec::with_capacity(len as usize);
        file.take(len.into()).read_to_end(&mut bytes).ok()?;
        (self.key.id(&bytes) == *id).then(|| bytes.into())
    }

    fn open(&self, root: &RootId, path: &RootPath) -> Option<File> {
        let root = (self.roots)(root).ok()?;
        let (folder, name) = root.parent(path).ok()?;
        folder.open_file(&name).ok().map(|opened| opened.file)
    }
}

//! What is durable so far of the files that are being uploaded, in order from their start.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use beckon_shared::{
    chunk::ChunkRef,
    entry::SourceStamp,
    id::{ChunkId, TransferId},
    path::RootPath,
};

/// Chunks that are remembered of a file: 256 GiB of it, in 40 MiB. What lies behind them is read from the disk.
const CHUNKS_MAX: usize = 1 << 20;

/// The files that uploads of this process are reading.
#[derive(Debug, Default)]
pub(crate) struct DurableFiles(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    files: Vec<Known>,
    /// What transfers selected whose order does not say it itself.
    selections: HashMap<TransferId, Arc<[RootPath]>>,
}

#[derive(Debug)]
struct Known {
    transfer: TransferId,
    path: RootPath,
    /// Kept by the upload, as long as it has to do with the file.
    file: Weak<Durable>,
}

/// The chunks of a file, as far as they are durable.
#[derive(Debug)]
pub(crate) struct Durable {
    /// How the file stood when the upload began with it.
    pub(crate) stamp: SourceStamp,
    /// Each with where it ends in the file.
    chunks: Mutex<Vec<(u64, ChunkId)>>,
}

/// Where a byte of a file is in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// The chunk.
    pub(crate) chunk: ChunkId,
    /// Its length.
    pub(crate) chunk_len: u32,
    /// In the chunk.
    pub(crate) skip: u32,
}

/// Chunks of a file that follow one another.
#[derive(Debug)]
pub(crate) struct Stretch {
    /// The file.
    pub(crate) file: Arc<Durable>,
    /// In order.
    pub(crate) chunks: Vec<ChunkRef>,
}

/// Forgets what a transfer selected when it is dropped.
#[derive(Debug)]
pub(crate) struct Selected {
    files: Arc<DurableFiles>,
    transfer: TransferId,
}

impl DurableFiles {
    /// An upload begins to read a file.
    pub(crate) fn begin(&self, transfer: TransferId, path: &RootPath, stamp: SourceStamp) -> Arc<Durable> {
        let file = Arc::new(Durable {
            stamp,
            chunks: Mutex::default(),
        });
        let mut state = self.lock();
        state
            .files
            .retain(|known| known.file.strong_count() > 0 && !known.is(&transfer, path));
        state.files.push(Known {
            transfer,
            path: path.clone(),
            file: Arc::downgrade(&file),
        });
        file
    }

    /// What is known of a file that is being uploaded.
    pub(crate) fn of(&self, transfer: &TransferId, path: &RootPath) -> Option<Arc<Durable>> {
        let state = self.lock();
        state
            .files
            .iter()
            .find(|known| known.is(transfer, path))?
            .file
            .upgrade()
    }

    /// A transfer whose selection travelled beside its order works on these paths.
    pub(crate) fn select(self: &Arc<Self>, transfer: TransferId, paths: &[RootPath]) -> Selected {
        self.lock().selections.insert(transfer, paths.into());
        Selected {
            files: Arc::clone(self),
            transfer,
        }
    }

    /// What such a transfer selected, while it is worked on.
    pub(crate) fn selection(&self, transfer: &TransferId) -> Option<Arc<[RootPath]>> {
        self.lock().selections.get(transfer).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn is(&self, transfer: &TransferId, path: &RootPath) -> bool {
        self.transfer == *transfer && self.path == *path
    }
}

impl Drop for Selected {
    fn drop(&mut self) {
        self.files.lock().selections.remove(&self.transfer);
    }
}

impl Stretch {
    /// All of it, and what stands before it in the file, is durable now.
    pub(crate) fn settle(self) {
        let mut chunks = self.file.lock();
        let mut end = chunks.last().map_or(0, |(end, _)| *end);
        for chunk in self.chunks.into_iter().take(CHUNKS_MAX - chunks.len()) {
            end += u64::from(chunk.len);
            chunks.push((end, chunk.id));
        }
    }
}

impl Durable {
    /// Where the byte at `offset` is, if it is durable.
    pub(crate) fn at(&self, offset: u64) -> Option<Place> {
        let chunks = self.lock();
        let index = chunks.partition_point(|(end, _)| *end <= offset);
        let (end, chunk) = *chunks.get(index)?;
        let start = index.checked_sub(1).map_or(0, |before| chunks[before].0);
        // Both lie within a chunk, whose length is a `u32`.
        let (chunk_len, skip) = ((end - start) as u32, (offset - start) as u32);
        Some(Place { chunk, chunk_len, skip })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(u64, ChunkId)>> {
        self.chunks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRANSFER: TransferId = TransferId(uuid::Uuid::from_bytes([1; 16]));

    const STAMP: SourceStamp = SourceStamp {
        size: 100,
        mtime_ns: 1,
        ctime_ns: 2,
        file_id: 3,
    };

    fn stretch(file: &Arc<Durable>, lens: &[u32]) -> Stretch {
        let chunks = lens.iter().map(|len| ChunkRef {
            id: ChunkId([*len as u8; 32]),
            len: *len,
        });
        Stretch {
            file: Arc::clone(file),
            chunks: chunks.collect(),
        }
    }

    fn path(text: &str) -> RootPath {
        RootPath::new(text).unwrap()
    }

    #[test]
    fn each_durable_byte_is_found_in_its_chunk_and_no_other_one() {
        let file = DurableFiles::default().begin(TRANSFER, &path("a"), STAMP);
        assert_eq!(file.at(0), None);
        stretch(&file, &[10, 20]).settle();
        stretch(&file, &[5]).settle();
        let found: Vec<_> = [0, 9, 10, 29, 30, 34]
            .map(|at| file.at(at).map(|place| (place.chunk.0[0], place.chunk_len, place.skip)))
            .into_iter()
            .flatten()
            .collect();
        assert_eq!(
            found,
            [
                (10, 10, 0),
                (10, 10, 9),
                (20, 20, 0),
                (20, 20, 19),
                (5, 5, 0),
                (5, 5, 4)
            ]
        );
        assert_eq!(file.at(35), None);
    }

    #[test]
    fn a_file_is_known_while_its_upload_has_to_do_with_it_and_anew_when_it_is_read_again() {
        let files = DurableFiles::default();
        let first = files.begin(TRANSFER, &path("a"), STAMP);
        let held = stretch(&first, &[10]);
        drop(first);
        assert!(files.of(&TRANSFER, &path("a")).is_some());
        assert!(files.of(&TRANSFER, &path("b")).is_none());
        let again = files.begin(TRANSFER, &path("a"), STAMP);
        held.settle();
        assert_eq!(again.at(0), None, "what was read before counts no more");
        drop(again);
        assert!(files.of(&TRANSFER, &path("a")).is_none());
        let _other = files.begin(TRANSFER, &path("b"), STAMP);
        assert_eq!(files.lock().files.len(), 1);
    }

    #[test]
    fn a_selection_is_known_while_the_transfer_is_worked_on() {
        let files = Arc::new(DurableFiles::default());
        let selected = files.select(TRANSFER, &[path("a")]);
        assert_eq!(files.selection(&TRANSFER).as_deref(), Some(&[path("a")][..]));
        drop(selected);
        assert!(files.selection(&TRANSFER).is_none());
    }
}

//! What is read goes into batches: chunks, and the entries whose last chunk is among them.

use std::collections::HashSet;

use beckon_shared::{
    bulk::{ChunkHeader, Encoding},
    chunk::{self, CHUNK_MAX, ChunkKey},
    commit::CHANGES_MAX,
    id::ChunkId,
    manifest::{ContentHasher, ContentSum},
    path::RootPath,
};

/// A batch is full with so much content. Two batches under way, one waiting and one being filled keep to 20 MiB. Bytes.
pub(super) const BATCH_LEN: usize = 4 << 20;

/// A chunk in a batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    pub(super) id: ChunkId,
    at: usize,
    len: u32,
}

/// An entry that can be committed once this batch, and all before it, are durable.
#[derive(Debug, Clone)]
pub(super) struct Finished {
    /// Its place among all entries.
    pub(super) entry: usize,
    pub(super) path: RootPath,
    /// Encoded.
    pub(super) manifest: Vec<u8>,
    /// Bytes of content.
    pub(super) size: u64,
    /// Whether it is a file, which counts.
    pub(super) is_file: bool,
}

/// Chunks on their way to the server.
#[derive(Debug, Default)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    pub(super) pieces: Vec<Piece>,
    pub(super) finished: Vec<Finished>,
}

impl Batch {
    /// Bytes of content in it.
    pub(super) fn content_len(&self) -> u64 {
        self.pieces.iter().map(|piece| u64::from(piece.len)).sum()
    }

    /// The body of chunks that has those that are wanted, each once: its length in bytes, and the parts it is made of.
    pub(super) fn body(&self, wanted: impl Fn(usize) -> bool) -> (usize, Vec<(ChunkHeader, &[u8])>) {
        let mut seen = HashSet::new();
        let pieces = self.pieces.iter().enumerate();
        let parts: Vec<_> = pieces
            .filter(|(at, piece)| wanted(*at) && seen.insert(piece.id))
            .map(|(_, piece)| (piece.header(), &self.bytes[piece.at..piece.at + piece.len as usize]))
            .collect();
        let len = parts.iter().map(|(_, content)| ChunkHeader::LEN + content.len()).sum();
        (len, parts)
    }
}

impl Piece {
    fn header(&self) -> ChunkHeader {
        ChunkHeader {
            id: self.id,
            encoding: Encoding::Plain,
            len: self.len,
            stored_len: self.len,
        }
    }
}

/// Fills one batch after the other with files that are read one after the other.
pub(super) struct Filler {
    key: ChunkKey,
    batch: Batch,
    /// Bytes of the batch before this are cut into pieces.
    cut: usize,
    whole: ContentHasher,
}

impl Filler {
    /// An empty one.
    pub(super) fn new(key: ChunkKey) -> Self {
        Self {
            key,
            batch: Batch::default(),
            cut: 0,
            whole: ContentHasher::default(),
        }
    }

    /// The next bytes of the file.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.batch.bytes.extend_from_slice(bytes);
        while self.uncut() >= CHUNK_MAX {
            self.cut();
        }
    }

    /// The file has ended.
    pub(super) fn end(&mut self) -> ContentSum {
        while self.uncut() > 0 {
            self.cut();
        }
        std::mem::take(&mut self.whole).finish()
    }

    /// The file could not be read to its end. Chunks of it that are cut already do no harm.
    pub(super) fn abandon(&mut self) {
        self.batch.bytes.truncate(self.cut);
        self.whole = ContentHasher::default();
    }

    /// Adds an entry whose chunks are all in this batch and those before it.
    pub(super) fn finish(&mut self, finished: Finished) {
        self.batch.finished.push(finished);
    }

    /// Whether it is time to take the batch.
    pub(super) fn is_full(&self) -> bool {
        self.cut >= BATCH_LEN || self.batch.finished.len() >= CHANGES_MAX
    }

    /// What there is; bytes that are not cut open the next batch.
    pub(super) fn take(&mut self) -> Option<Batch> {
        if self.batch.pieces.is_empty() && self.batch.finished.is_empty() {
            return None;
        }
        let tail = self.batch.bytes.split_off(self.cut);
        self.cut = 0;
        let next = Batch {
            bytes: tail,
            ..Batch::default()
        };
        Some(std::mem::replace(&mut self.batch, next))
    }

    fn uncut(&self) -> usize {
        self.batch.bytes.len() - self.cut
    }

    fn cut(&mut self) {
        let end = self.batch.bytes.len().min(self.cut + CHUNK_MAX);
        let window = &self.batch.bytes[self.cut..end];
        let bytes = &window[..chunk::cut(window)];
        let id = self.key.id(bytes);
        // A window has at most `CHUNK_MAX` bytes, which is far below 4 GiB.
        let len = bytes.len() as u32;
        self.whole.add(id, bytes);
        self.batch.pieces.push(Piece { id, at: self.cut, len });
        self.cut += len as usize;
    }
}

#[cfg(test)]
mod tests {
    use beckon_shared::id::Hash;
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    const KEY: [u8; 32] = [7; 32];

    fn noise(len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        blake3::Hasher::new_derive_key("beckon test noise")
            .finalize_xof()
            .fill(&mut bytes);
        bytes
    }

    fn finished() -> Finished {
        Finished {
            entry: 0,
            path: RootPath::root(),
            manifest: Vec::new(),
            size: 0,
            is_file: true,
        }
    }

    #[wasm_bindgen_test]
    fn a_file_is_cut_the_same_whatever_the_slices_it_is_read_in() {
        let bytes = noise(5 << 20);
        let content = |step: usize| {
            let mut filler = Filler::new(ChunkKey(KEY));
            for slice in bytes.chunks(step) {
                filler.push(slice);
            }
            filler.end()
        };
        let whole = content(bytes.len());
        assert_eq!(content(1 << 20), whole);
        assert_eq!(content(70_001), whole);
        assert_eq!((whole.size, whole.hash), (5 << 20, Hash::of(&bytes)));
    }

    #[wasm_bindgen_test]
    fn a_batch_is_taken_in_the_middle_of_a_file_and_nothing_is_lost() {
        let bytes = noise(7 << 20);
        let mut filler = Filler::new(ChunkKey(KEY));
        let mut batches = Vec::new();
        for slice in bytes.chunks(1 << 20) {
            filler.push(slice);
            if filler.is_full() {
                batches.extend(filler.take());
            }
        }
        let content = filler.end();
        filler.finish(finished());
        batches.extend(filler.take());
        assert_eq!(batches.len(), 2);
        assert_eq!(filler.take().map(|batch| batch.pieces.len()), None);
        let total: u64 = batches.iter().map(Batch::content_len).sum();
        assert_eq!((total, content.size), (7 << 20, 7 << 20));
        let parts = batches.iter().flat_map(|batch| batch.body(|_| true).1);
        assert_eq!(
            parts.flat_map(|(_, content)| content.to_vec()).collect::<Vec<_>>(),
            bytes
        );
    }

    #[wasm_bindgen_test]
    fn a_body_has_each_wanted_chunk_once_behind_its_header() {
        let mut filler = Filler::new(ChunkKey(KEY));
        for content in [&b"one"[..], b"two", b"one"] {
            filler.push(content);
            filler.end();
            filler.finish(finished());
        }
        let batch = filler.take().unwrap();
        let (len, parts) = batch.body(|_| true);
        assert_eq!((len, parts.len()), (2 * (ChunkHeader::LEN + 3), 2));
        let (header, content) = parts[0];
        assert_eq!((header.id, content), (ChunkKey(KEY).id(b"one"), &b"one"[..]));
        assert_eq!(ChunkHeader::parse(&header.to_bytes()), Some(header));
        assert_eq!(batch.body(|at| at == 1).1.len(), 1);
    }

    #[wasm_bindgen_test]
    fn an_empty_file_has_no_chunks_and_a_broken_one_leaves_no_trace_in_the_next() {
        let mut filler = Filler::new(ChunkKey(KEY));
        filler.push(b"half of");
        filler.abandon();
        assert_eq!(filler.end().chunks, []);
        filler.push(b"whole");
        assert_eq!(filler.end().hash, Hash::of(b"whole"));
    }
}

//! What is read goes into batches: one buffer of chunks, and the entries whose last chunk is among them.

use std::{io, ops::Range, sync::Arc};

use beckon_shared::{
    chunk::{self, CHUNK_MAX, ChunkKey, ChunkRef},
    id::ChunkId,
    manifest::{ContentHasher, ContentSum},
    path::RootPath,
};
use bytes::Bytes;
use tokio::sync::mpsc;

use super::{
    buffer::{BUFFER_LEN, Buffer, Buffers},
    recipe::{Earlier, Span},
};
use crate::{
    index::Row,
    live::{Durable, Stretch},
    root::{FileMeta, meta_of},
};

/// As many entries end in one batch at the most, so that they fit a commit.
const FINISHED_MAX: usize = beckon_shared::commit::CHANGES_MAX;
/// So much is read at once: little enough to be still in the cache when it is hashed. Bytes.
const READ_LEN: usize = 1 << 20;

/// A chunk in a batch's buffer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    pub(super) id: ChunkId,
    at: usize,
    pub(super) len: u32,
}

/// An entry that can be committed once this batch, and all before it, are durable.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) path: RootPath,
    /// Encoded.
    pub(super) manifest: Vec<u8>,
    /// Bytes of content, as they are counted.
    pub(super) size: u64,
    /// What the index is told after the commit.
    pub(super) row: Row,
    /// It changed in every attempt to read it.
    pub(super) torn: bool,
    /// The server holds just this already: only the index is to learn how it looks now.
    pub(super) silent: bool,
    /// Bytes of a file that is counted as stored and that this takes the place of.
    pub(super) replaces: Option<u64>,
}

/// Chunks on their way to the server.
#[derive(Debug)]
pub(super) struct Batch {
    bytes: Bytes,
    filled: u64,
    pub(super) pieces: Vec<Piece>,
    pub(super) finished: Vec<Finished>,
    /// Of large files, which can be read while they are uploaded.
    stretches: Vec<Stretch>,
    /// Of large files that were stored before.
    pub(super) spans: Vec<Span>,
}

/// What was made durable with a batch.
#[derive(Debug)]
pub(super) struct Stored {
    finished: Vec<Finished>,
    stretches: Vec<Stretch>,
}

impl Stored {
    /// Notes that all before it is durable too; what can be committed then.
    pub(super) fn in_turn(self) -> Vec<Finished> {
        self.stretches.into_iter().for_each(Stretch::settle);
        self.finished
    }
}

impl Batch {
    /// Bytes of content in it, whether or not the same chunks came before.
    pub(super) fn content_len(&self) -> u64 {
        self.filled
    }

    /// What is left of it once its chunks are durable.
    pub(super) fn stored(self) -> Stored {
        Stored {
            finished: self.finished,
            stretches: self.stretches,
        }
    }

    /// A chunk's content, without copying it.
    pub(super) fn content(&self, piece: &Piece) -> Bytes {
        self.bytes.slice(piece.range())
    }
}

impl Piece {
    fn range(&self) -> Range<usize> {
        self.at..self.at + self.len as usize
    }
}

/// A file being read.
pub(super) trait Source {
    /// As [`io::Read::read`].
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize>;
    /// What the file system says of it now.
    fn meta(&self) -> io::Result<FileMeta>;
}

impl Source for std::fs::File {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        io::Read::read(self, into)
    }

    fn meta(&self) -> io::Result<FileMeta> {
        meta_of(self)
    }
}

/// Why a file was not read to its end.
#[derive(Debug)]
pub(super) enum Interrupted {
    /// The file system failed.
    Io(io::Error),
    /// Nobody takes batches any more.
    Stopped,
}

/// The batches that one thread fills, one after the other.
pub(super) struct Batches {
    key: ChunkKey,
    buffers: Arc<Buffers>,
    out: mpsc::Sender<Batch>,
    sent: u64,
    buffer: Option<Buffer>,
    /// Bytes of the buffer that are filled.
    end: usize,
    pieces: Vec<Piece>,
    finished: Vec<Finished>,
    /// The file that is read, if it is large.
    file: Option<Arc<Durable>>,
    stretches: Vec<Stretch>,
    /// The file that is read, if it is large and was stored before, and how much of it was cut.
    earlier: Option<(Arc<Earlier>, u64)>,
    spans: Vec<Span>,
}

/// A place to come back to when what follows is not wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    batch: u64,
    end: usize,
    pieces: usize,
}

impl Batches {
    /// Hands full batches to `out`.
    pub(super) fn new(key: ChunkKey, buffers: Arc<Buffers>, out: mpsc::Sender<Batch>) -> Self {
        Self {
            key,
            buffers,
            out,
            sent: 0,
            buffer: None,
            end: 0,
            pieces: Vec::new(),
            finished: Vec::new(),
            file: None,
            stretches: Vec::new(),
            earlier: None,
            spans: Vec::new(),
        }
    }

    /// The file that is read next is told which of its chunks are durable, if it is large.
    pub(super) fn follow(&mut self, file: Option<Arc<Durable>>) {
        self.file = file;
    }

    /// The file that is read next has an earlier version at this path, if it is large.
    pub(super) fn change(&mut self, path: Option<RootPath>) {
        self.earlier = path.map(|path| (Earlier::new(path, self.key.clone()), 0));
    }

    /// Where the batch is now.
    pub(super) fn mark(&self) -> Mark {
        Mark {
            batch: self.sent,
            end: self.end,
            pieces: self.pieces.len(),
        }
    }

    /// Drops what was read since `mark`, unless it is on its way already.
    pub(super) fn rewind(&mut self, mark: Mark) {
        if mark.batch == self.sent {
            self.end = mark.end;
            self.pieces.truncate(mark.pieces);
        }
        if let Some(file) = self.file.take() {
            self.stretches.retain(|stretch| !Arc::ptr_eq(&stretch.file, &file));
        }
        if let Some((file, _)) = self.earlier.take() {
            self.spans.retain(|span| !Arc::ptr_eq(&span.file, &file));
        }
    }

    /// Reads a file to its end in one pass: cuts it, hashes chunks and whole.
    pub(super) fn read(&mut self, source: &mut impl Source) -> Result<ContentSum, Interrupted> {
        let mut whole = ContentHasher::default();
        let mut cut = self.end;
        let mut at_end = false;
        loop {
            while !at_end && self.end - cut < CHUNK_MAX {
                if self.end == BUFFER_LEN {
                    self.roll_over(cut)?;
                    cut = 0;
                }
                let read = self.fill(source).map_err(Interrupted::Io)?;
                at_end = read == 0;
            }
            if self.end == cut {
                return Ok(whole.finish());
            }
            cut += self.cut(cut, &mut whole);
        }
    }

    /// Adds an entry whose chunks are all in this batch and those before it.
    pub(super) fn finish(&mut self, finished: Finished) -> Result<(), Interrupted> {
        self.finished.push(finished);
        if self.finished.len() >= FINISHED_MAX || self.end == BUFFER_LEN {
            self.flush()?;
        }
        Ok(())
    }

    /// Hands over what there is.
    pub(super) fn flush(&mut self) -> Result<(), Interrupted> {
        if self.pieces.is_empty() && self.finished.is_empty() {
            return Ok(());
        }
        let bytes = self.buffer.take().map(Buffer::freeze).unwrap_or_default();
        let filled = self.pieces.iter().map(|piece| u64::from(piece.len)).sum();
        let batch = Batch {
            bytes,
            filled,
            pieces: std::mem::take(&mut self.pieces),
            finished: std::mem::take(&mut self.finished),
            stretches: std::mem::take(&mut self.stretches),
            spans: std::mem::take(&mut self.spans),
        };
        self.end = 0;
        self.sent += 1;
        self.out.blocking_send(batch).map_err(|_| Interrupted::Stopped)
    }

    /// Hands over what is cut; the bytes from `cut` on open the next buffer.
    fn roll_over(&mut self, cut: usize) -> Result<(), Interrupted> {
        let tail = self
            .buffer
            .as_ref()
            .map(|buffer| buffer.bytes()[cut..self.end].to_vec())
            .unwrap_or_default();
        self.flush()?;
        self.end = tail.len();
        self.open()[..tail.len()].copy_from_slice(&tail);
        Ok(())
    }

    fn open(&mut self) -> &mut [u8] {
        self.buffer.get_or_insert_with(|| self.buffers.take()).bytes_mut()
    }

    fn fill(&mut self, source: &mut impl Source) -> io::Result<usize> {
        let from = self.end;
        let room = &mut self.open()[from..];
        let len = room.len().min(READ_LEN);
        let read = loop {
            match source.read(&mut room[..len]) {
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        self.end += read;
        Ok(read)
    }

    fn cut(&mut self, from: usize, whole: &mut ContentHasher) -> usize {
        let Some(buffer) = &self.buffer else { return 0 };
        let window = &buffer.bytes()[from..self.end.min(from + CHUNK_MAX)];
        let bytes = &window[..chunk::cut(window)];
        let id = self.key.id(bytes);
        // A window has at most `CHUNK_MAX` bytes, which is far below 4 GiB.
        let len = bytes.len() as u32;
        whole.add(id, bytes);
        self.pieces.push(Piece { id, at: from, len });
        self.note(ChunkRef { id, len });
        self.note_change(ChunkRef { id, len });
        len as usize
    }

    fn note_change(&mut self, chunk: ChunkRef) {
        let Some((file, at)) = &mut self.earlier else { return };
        match self.spans.last_mut() {
            Some(span) if Arc::ptr_eq(&span.file, file) => span.chunks.push(chunk),
            _ => self.spans.push(Span {
                file: Arc::clone(file),
                at: *at,
                chunks: vec![chunk],
            }),
        }
        *at += u64::from(chunk.len);
    }

    fn note(&mut self, chunk: ChunkRef) {
        let Some(file) = &self.file else { return };
        match self.stretches.last_mut() {
            Some(stretch) if Arc::ptr_eq(&stretch.file, file) => stretch.chunks.push(chunk),
            _ => self.stretches.push(Stretch {
                file: Arc::clone(file),
                chunks: vec![chunk],
            }),
        }
    }
}

#[cfg(test)]
mod tests;

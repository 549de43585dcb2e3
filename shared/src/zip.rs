//! A folder as one ZIP file (PKWARE APPNOTE 6.3.10), method *stored*. Where the content is known, all is laid out before its
//! first byte is sent ([`Layout`]), so that its length is known and any range of it can be asked for; where it is not,
//! headers are made as the content comes ([`Stream`]). No I/O: content is named, not read.

mod name;
mod record;
mod stream;

use core::ops::Range;

use self::record::{End, Record};
pub use self::stream::Stream;
use crate::id::Hash;

/// Bytes of headers are handed out in pieces of about this size, however small the files are.
const PIECE: usize = 32 << 10;

/// Longest path that an archive takes: its shown form, at most seven times as long, must fit in 16 bits.
pub const PATH_MAX: usize = 9000;

/// Something that is to stand in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Names joined by `/`; none is empty, `.` or `..`.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// Permission bits, 0 where its platform had none.
    pub mode: u32,
    /// Modification time in seconds since 1970.
    pub mtime: i64,
}

/// What an entry is, and holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Folder,
    /// A file, whose content the reader of the segments provides.
    File {
        /// Bytes of its content.
        size: u64,
        /// CRC-32 of its content.
        crc32: u32,
        /// Plain BLAKE3 of its content.
        hash: Hash,
    },
    /// A symbolic link, with what it points to.
    Symlink(Vec<u8>),
}

/// An entry's path is longer than a ZIP file can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a path in this folder is too long for a ZIP file; download a folder further down")]
pub struct PathTooLong;

/// Where everything stands in an archive.
#[derive(Debug)]
pub struct Layout {
    placed: Vec<Placed>,
    end: End,
    total_len: u64,
    hash: Hash,
}

#[derive(Debug)]
struct Placed {
    record: Record,
    /// Where its content begins, just after its local header.
    content: u64,
    /// Where it stands in the central directory.
    central: u64,
}

/// A stretch of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    /// These bytes.
    Bytes(Vec<u8>),
    /// A part of a file's content.
    Content {
        /// Index among the entries that the layout was made from.
        entry: usize,
        /// Which bytes of it; never empty.
        range: Range<u64>,
    },
}

impl Layout {
    /// Lays the entries out one after the other, the central directory behind them.
    pub fn new(entries: impl IntoIterator<Item = Entry>) -> Result<Self, PathTooLong> {
        let mut hasher = blake3::Hasher::new();
        let mut placed = Vec::new();
        let mut at = 0;
        for entry in entries {
            if entry.path.len() > PATH_MAX {
                return Err(PathTooLong);
            }
            if let Kind::File { hash, .. } = &entry.kind {
                hasher.update(hash.as_bytes());
            }
            let record = Record::new(entry, at);
            let content = at + len(&record.local_header());
            at = content + record.size;
            placed.push(Placed {
                record,
                content,
                central: 0,
            });
        }
        let central_offset = at;
        for one in &mut placed {
            let header = one.record.central_header();
            hasher.update(&header);
            one.central = at;
            at += len(&header);
        }
        let end = End {
            count: placed.len() as u64,
            central_offset,
            central_len: at - central_offset,
        };
        let total_len = at + len(&end.bytes());
        Ok(Self {
            placed,
            end,
            total_len,
            hash: Hash(*hasher.finalize().as_bytes()),
        })
    }

    /// Bytes of the whole archive.
    pub fn total_len(&self) -> u64 {
        self.total_len
    }

    /// Differs whenever a byte of the archive does: a BLAKE3 over all headers and content hashes.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// The stretches that make up the bytes in `range`, in order. What lies beyond the end is left out.
    pub fn segments(&self, range: Range<u64>) -> Segments<'_> {
        Segments {
            layout: self,
            at: range.start,
            end: range.end.min(self.total_len),
        }
    }

    /// The piece of the archive that holds the byte at `at`, which lies before the end.
    fn piece(&self, at: u64) -> Piece {
        if at >= self.end.central_offset + self.end.central_len {
            return Piece::Bytes {
                start: self.end.central_offset + self.end.central_len,
                bytes: self.end.bytes(),
            };
        }
        if at >= self.end.central_offset {
            let one = &self.placed[self.placed.partition_point(|one| one.central <= at) - 1];
            return Piece::Bytes {
                start: one.central,
                bytes: one.record.central_header(),
            };
        }
        let index = self.placed.partition_point(|one| one.record.offset <= at) - 1;
        let Placed { record, content, .. } = &self.placed[index];
        if at < *content {
            return Piece::Bytes {
                start: record.offset,
                bytes: record.local_header(),
            };
        }
        match &record.target {
            Some(target) => Piece::Bytes {
                start: *content,
                bytes: target.clone(),
            },
            None => Piece::Content {
                start: *content,
                entry: index,
                len: record.size,
            },
        }
    }
}

enum Piece {
    Bytes { start: u64, bytes: Vec<u8> },
    Content { start: u64, entry: usize, len: u64 },
}

/// Walks over a range of an archive; made by [`Layout::segments`].
#[derive(Debug)]
pub struct Segments<'a> {
    layout: &'a Layout,
    at: u64,
    end: u64,
}

impl Segments<'_> {
    /// Where the next segment begins. A walk that was given up goes on by `segments(position..)`.
    pub fn position(&self) -> u64 {
        self.at
    }
}

impl Iterator for Segments<'_> {
    type Item = Segment;

    fn next(&mut self) -> Option<Segment> {
        let mut gathered = Vec::new();
        while self.at < self.end && gathered.len() < PIECE {
            match self.layout.piece(self.at) {
                Piece::Bytes { start, bytes } => {
                    let from = (self.at - start) as usize;
                    let to = bytes.len().min((self.end - start) as usize);
                    gathered.extend_from_slice(&bytes[from..to]);
                    self.at = start + to as u64;
                }
                Piece::Content { .. } if !gathered.is_empty() => break,
                Piece::Content { start, entry, len } => {
                    let range = self.at - start..len.min(self.end - start);
                    self.at = start + range.end;
                    return Some(Segment::Content { entry, range });
                }
            }
        }
        (!gathered.is_empty()).then_some(Segment::Bytes(gathered))
    }
}

fn len(bytes: &[u8]) -> u64 {
    bytes.len() as u64
}

//! Packs: many chunks in one stored object that describes itself, so that the index can be rebuilt from packs alone.
//!
//! All integers are little-endian; a *check* is the first 16 bytes of a BLAKE3.
//!
//! - header, 32 bytes: `BKPACK01` | suite u8 | 7 zeros | pack id 16
//! - records: `BKCHUNK1` | space 16 | chunk id 32 | encoding u8 (0 plain, 1 zstd) | 3 zeros | content length u32 |
//!   stored length u32 | check 16 of the 68 bytes before it and the stored bytes | stored bytes
//! - footer, 28 bytes: `BKPAKEND` | count of records u32 | check 16 of the 12 bytes before it
//!
//! A pack without a footer was cut off; its whole records are still good.

pub(crate) mod salvage;

use std::fmt;

use beckon_shared::{
    bulk::{ChunkHeader, Encoding},
    chunk::CHUNK_MAX,
    id::{ChunkId, SpaceId},
};
use uuid::Uuid;

const MAGIC: &[u8; 8] = b"BKPACK01";
const RECORD: &[u8; 8] = b"BKCHUNK1";
const END: &[u8; 8] = b"BKPAKEND";

/// A pack is full when it is about this long, in bytes.
pub(crate) const TARGET: usize = 16 << 20;

/// Length of the header in bytes.
pub(crate) const HEADER_LEN: usize = 32;
/// Length of what stands before each chunk's stored bytes.
pub(crate) const RECORD_LEN: usize = CHECKED_LEN + CHECK_LEN;
/// Length of the footer in bytes.
pub(crate) const FOOTER_LEN: usize = 28;

const CHECKED_LEN: usize = 68;
const CHECK_LEN: usize = 16;

/// Names a pack: a UUID of version 7.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct PackId(pub(crate) Uuid);

impl PackId {
    /// A new one.
    pub(crate) fn new(clock: &dyn crate::clock::Clock) -> Self {
        let millis = u64::try_from(clock.now().0).unwrap_or(0);
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &crate::clock::random(clock)).into_uuid())
    }

    /// From a database column.
    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Self> {
        Uuid::from_slice(bytes).ok().map(Self)
    }

    /// As a database column holds it.
    pub(crate) fn column(self) -> Vec<u8> {
        self.0.as_bytes().to_vec()
    }
}

impl fmt::Display for PackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for PackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PackId({})", self.0)
    }
}

/// What opens a pack.
pub(crate) fn header(id: PackId) -> [u8; HEADER_LEN] {
    let mut bytes = [0; HEADER_LEN];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[16..].copy_from_slice(id.0.as_bytes());
    bytes
}

/// What stands before a chunk's stored bytes.
pub(crate) fn record(space: SpaceId, chunk: &ChunkHeader, stored: &[u8]) -> [u8; RECORD_LEN] {
    let mut bytes = [0; RECORD_LEN];
    bytes[..8].copy_from_slice(RECORD);
    bytes[8..24].copy_from_slice(space.as_bytes());
    bytes[24..56].copy_from_slice(chunk.id.as_bytes());
    bytes[56] = u8::from(chunk.encoding == Encoding::Zstd);
    bytes[60..64].copy_from_slice(&chunk.len.to_le_bytes());
    bytes[64..68].copy_from_slice(&chunk.stored_len.to_le_bytes());
    let check = check(&[&bytes[..CHECKED_LEN], stored]);
    bytes[CHECKED_LEN..].copy_from_slice(&check);
    bytes
}

/// What ends a pack.
pub(crate) fn footer(count: u32) -> [u8; FOOTER_LEN] {
    let mut bytes = [0; FOOTER_LEN];
    bytes[..8].copy_from_slice(END);
    bytes[8..12].copy_from_slice(&count.to_le_bytes());
    let check = check(&[&bytes[..12]]);
    bytes[12..].copy_from_slice(&check);
    bytes
}

fn check(parts: &[&[u8]]) -> [u8; CHECK_LEN] {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    let mut check = [0; CHECK_LEN];
    check.copy_from_slice(&hasher.finalize().as_bytes()[..CHECK_LEN]);
    check
}

/// A chunk as a pack holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record {
    /// Whose it is.
    pub(crate) space: SpaceId,
    /// What it is.
    pub(crate) chunk: ChunkHeader,
    /// Where its stored bytes begin in the pack.
    pub(crate) start: usize,
    /// Whether the check fits.
    pub(crate) intact: bool,
}

impl Record {
    fn end(&self) -> usize {
        self.start + self.chunk.stored_len as usize
    }

    /// Its stored bytes.
    #[cfg(test)]
    pub(crate) fn stored<'a>(&self, pack: &'a [u8]) -> &'a [u8] {
        pack.get(self.start..self.end()).unwrap_or_default()
    }
}

/// What a pack holds, as far as it can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Contents {
    /// The id that it says it has; none where its header is damaged or of a format that this program does not know.
    pub(crate) id: Option<PackId>,
    /// The records that were found, damaged ones too where their lengths are still believable.
    pub(crate) records: Vec<Record>,
    /// Whether it ends with a footer that counts just these records.
    pub(crate) complete: bool,
}

/// Reads a pack. After damage, that of its header too, it goes on at the next record that can be found.
pub(crate) fn parse(bytes: &[u8]) -> Contents {
    let id = id_in(bytes);
    let mut contents = Contents {
        id,
        records: Vec::new(),
        complete: false,
    };
    let mut at = if id.is_some() { HEADER_LEN } else { 0 };
    while at < bytes.len() {
        if let Some(record) = record_at(bytes, at) {
            at = record.end();
            contents.records.push(record);
        } else if let Some(count) = footer_at(bytes, at) {
            contents.complete = at + FOOTER_LEN == bytes.len() && count as usize == contents.records.len();
            break;
        } else {
            at = next_marker(bytes, at + 1);
        }
    }
    contents
}

fn id_in(bytes: &[u8]) -> Option<PackId> {
    let header = bytes.get(..HEADER_LEN)?;
    if header[..8] != *MAGIC || header[8] != 0 {
        return None;
    }
    PackId::from_slice(&header[16..])
}

/// The record at an offset, if one with believable lengths stands there.
///
/// One that is damaged counts only if what follows it is where it says: else its length itself is what was damaged.
fn record_at(bytes: &[u8], at: usize) -> Option<Record> {
    let head = bytes.get(at..at + RECORD_LEN)?;
    if head[..8] != *RECORD {
        return None;
    }
    let space = SpaceId::from_slice(&head[8..24]).ok()?;
    let chunk = chunk_header(head)?;
    let start = at + RECORD_LEN;
    let stored = bytes.get(start..start + chunk.stored_len as usize)?;
    let intact = check(&[&head[..CHECKED_LEN], stored]) == head[CHECKED_LEN..];
    let record = Record {
        space,
        chunk,
        start,
        intact,
    };
    (intact || is_marker(bytes, record.end())).then_some(record)
}

fn chunk_header(head: &[u8]) -> Option<ChunkHeader> {
    let word = |at: usize| Some(u32::from_le_bytes(head.get(at..at + 4)?.try_into().ok()?));
    let encoding = match head[56..60] {
        [0, 0, 0, 0] => Encoding::Plain,
        [1, 0, 0, 0] => Encoding::Zstd,
        _ => return None,
    };
    let header = ChunkHeader {
        id: ChunkId::from_slice(&head[24..56]).ok()?,
        encoding,
        len: word(60)?,
        stored_len: word(64)?,
    };
    let bounded = (1..=CHUNK_MAX).contains(&(header.len as usize)) && (1..=header.len).contains(&header.stored_len);
    bounded.then_some(header)
}

fn footer_at(bytes: &[u8], at: usize) -> Option<u32> {
    let foot = bytes.get(at..at + FOOTER_LEN)?;
    let sound = foot[..8] == *END && check(&[&foot[..12]]) == foot[12..];
    sound.then(|| Some(u32::from_le_bytes(foot.get(8..12)?.try_into().ok()?)))?
}

fn is_marker(bytes: &[u8], at: usize) -> bool {
    let here = bytes.get(at..at + 8);
    at == bytes.len() || here == Some(RECORD) || here == Some(END)
}

/// Where the next record or footer may begin; the end if nowhere.
fn next_marker(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    let found = rest.windows(8).position(|window| window == RECORD || window == END);
    found.map_or(bytes.len(), |at| from + at)
}

#[cfg(test)]
mod tests;

//! A further stream of a session, one way, under a key of its own that was sent inside the session.

use std::fmt;

use chacha20poly1305::{AeadInOut, ChaCha20Poly1305, KeyInit};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The largest piece, in bytes; its record is [`OVERHEAD`] longer.
pub const STREAM_PIECE_MAX: usize = 64 * 1024;

/// A tag of one byte and the MAC.
const OVERHEAD: usize = 1 + 16;

/// The last byte of a record's plaintext.
const MORE: u8 = 0;
const LAST: u8 = 1;

/// The key of one stream in one direction: 32 fresh random bytes, never used twice.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct StreamKey([u8; 32]);

impl StreamKey {
    /// Makes a key of 32 random bytes.
    pub fn new(random: [u8; 32]) -> Self {
        Self(random)
    }

    fn cipher(&self) -> ChaCha20Poly1305 {
        ChaCha20Poly1305::new(&self.0.into())
    }
}

impl fmt::Debug for StreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StreamKey(..)")
    }
}

/// Why a stream does not go on; an opener that said so once says it for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadStream {
    /// A record was altered, left out, played again, comes after the last one or is of another stream.
    #[error("the stream was damaged on the way; start it again")]
    Damaged,
    /// A piece has over [`STREAM_PIECE_MAX`] bytes.
    #[error("a piece of a stream is larger than 64 KiB; send smaller ones")]
    TooLarge,
    /// The line ended before the last record.
    #[error("the stream was cut short; start it again where it ended")]
    Truncated,
}

/// Seals the pieces of a stream.
pub struct StreamSealer {
    cipher: ChaCha20Poly1305,
    count: u64,
}

impl StreamSealer {
    /// Begins a stream. The same key must never begin a second one.
    pub fn new(key: &StreamKey) -> Self {
        Self { cipher: key.cipher(), count: 0 }
    }

    /// The record of a piece that others follow.
    pub fn seal(&mut self, piece: Vec<u8>) -> Result<Vec<u8>, BadStream> {
        self.seal_tagged(piece, MORE)
    }

    /// The record of the last piece, which may be empty.
    pub fn seal_last(mut self, piece: Vec<u8>) -> Result<Vec<u8>, BadStream> {
        self.seal_tagged(piece, LAST)
    }

    fn seal_tagged(&mut self, mut piece: Vec<u8>, tag: u8) -> Result<Vec<u8>, BadStream> {
        if piece.len() > STREAM_PIECE_MAX {
            return Err(BadStream::TooLarge);
        }
        piece.reserve_exact(OVERHEAD);
        piece.push(tag);
        let nonce = nonce(self.count);
        self.count += 1;
        self.cipher.encrypt_in_place(&nonce.into(), &[], &mut piece).map_err(|_| BadStream::Damaged)?;
        Ok(piece)
    }
}

/// A piece that was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Others follow.
    More(Vec<u8>),
    /// The stream is whole.
    Last(Vec<u8>),
}

/// Opens the records of a stream, in order.
pub struct StreamOpener {
    /// Gone after the last record, and once anything failed.
    cipher: Option<ChaCha20Poly1305>,
    count: u64,
    is_whole: bool,
}

impl StreamOpener {
    /// Begins a stream.
    pub fn new(key: &StreamKey) -> Self {
        Self { cipher: Some(key.cipher()), count: 0, is_whole: false }
    }

    /// Opens the next record.
    pub fn open(&mut self, mut record: Vec<u8>) -> Result<Piece, BadStream> {
        // Taken out, and put back only if all was well and more is to come.
        let cipher = self.cipher.take().filter(|_| record.len() <= STREAM_PIECE_MAX + OVERHEAD).ok_or(BadStream::Damaged)?;
        cipher.decrypt_in_place(&nonce(self.count).into(), &[], &mut record).map_err(|_| BadStream::Damaged)?;
        self.count += 1;
        match record.pop() {
            Some(MORE) => {
                self.cipher = Some(cipher);
                Ok(Piece::More(record))
            }
            Some(LAST) => {
                self.is_whole = true;
                Ok(Piece::Last(record))
            }
            _ => Err(BadStream::Damaged),
        }
    }

    /// Call when the line has ended: says whether the last record came.
    pub fn finish(self) -> Result<(), BadStream> {
        if self.is_whole { Ok(()) } else { Err(BadStream::Truncated) }
    }
}

/// A counter makes each nonce of a stream another one, and a record out of its place worthless.
fn nonce(count: u64) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&count.to_le_bytes());
    nonce
}

//! A further stream of a session, one way, under a key of its own that was sent inside the session.

use std::fmt;

use chacha20poly1305::{AeadInOut, ChaCha20Poly1305, KeyInit};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The largest piece, in bytes; its record is 17 bytes longer.
pub const STREAM_PIECE_MAX: usize = 64 * 1024;

/// A tag of one byte and the MAC.
const OVERHEAD: usize = 1 + 16;

/// The last byte of a record's plaintext.
const MORE: u8 = 0;
const LAST: u8 = 1;

/// The key of one stream in one direction: 32 fresh random bytes, never used twice.
#[derive(Clone, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct StreamKey([u8; 32]);

impl PartialEq for StreamKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

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
        Self {
            cipher: key.cipher(),
            count: 0,
        }
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
        self.cipher
            .encrypt_in_place(&nonce.into(), &[], &mut piece)
            .map_err(|_| BadStream::Damaged)?;
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
        Self {
            cipher: Some(key.cipher()),
            count: 0,
            is_whole: false,
        }
    }

    /// Opens the next record.
    pub fn open(&mut self, mut record: Vec<u8>) -> Result<Piece, BadStream> {
        // Taken out, and put back only if all was well and more is to come.
        let cipher = self
            .cipher
            .take()
            .filter(|_| record.len() <= STREAM_PIECE_MAX + OVERHEAD)
            .ok_or(BadStream::Damaged)?;
        cipher
            .decrypt_in_place(&nonce(self.count).into(), &[], &mut record)
            .map_err(|_| BadStream::Damaged)?;
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
        if self.is_whole {
            Ok(())
        } else {
            Err(BadStream::Truncated)
        }
    }
}

/// A counter makes each nonce of a stream another one, and a record out of its place worthless.
fn nonce(count: u64) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&count.to_le_bytes());
    nonce
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> StreamKey {
        StreamKey::new([5; 32])
    }

    /// The records of `abc`, `def` and an empty last piece.
    fn records() -> [Vec<u8>; 3] {
        let mut sealer = StreamSealer::new(&key());
        let (first, second) = (
            sealer.seal(b"abc".to_vec()).unwrap(),
            sealer.seal(b"def".to_vec()).unwrap(),
        );
        [first, second, sealer.seal_last(Vec::new()).unwrap()]
    }

    #[test]
    fn the_bytes_of_a_stream_never_change() {
        let [first, _, last] = records();
        assert_eq!(hex::encode(first), "b054fd25098a6cc764024063856599523f3feec0");
        assert_eq!(hex::encode(last), "693042e8f7b5222d6464a0209762a46be7");
    }

    #[test]
    fn a_stream_arrives_whole() {
        let [first, second, last] = records();
        let mut opener = StreamOpener::new(&key());
        assert_eq!(opener.open(first), Ok(Piece::More(b"abc".to_vec())));
        assert_eq!(opener.open(second), Ok(Piece::More(b"def".to_vec())));
        assert_eq!(opener.open(last), Ok(Piece::Last(Vec::new())));
        assert_eq!(opener.finish(), Ok(()));
    }

    #[test]
    fn a_stream_that_is_cut_short_is_noticed() {
        let [first, ..] = records();
        let mut opener = StreamOpener::new(&key());
        opener.open(first).unwrap();
        assert_eq!(opener.finish(), Err(BadStream::Truncated));
        assert_eq!(StreamOpener::new(&key()).finish(), Err(BadStream::Truncated));
    }

    #[test]
    fn lost_repeated_and_swapped_records_end_the_stream() {
        for order in [&[1][..], &[0, 0], &[0, 2], &[0, 1, 2, 2], &[0, 1, 2, 0]] {
            let mut opener = StreamOpener::new(&key());
            let last = order.iter().map(|at| opener.open(records()[*at].clone())).last();
            assert_eq!(last, Some(Err(BadStream::Damaged)), "{order:?}");
        }
    }

    #[test]
    fn a_stream_does_not_go_on_after_a_failure() {
        let [first, ..] = records();
        let mut opener = StreamOpener::new(&key());
        assert_eq!(opener.open(vec![0; 17]), Err(BadStream::Damaged));
        assert_eq!(opener.open(first), Err(BadStream::Damaged));
        assert_eq!(opener.finish(), Err(BadStream::Truncated));
    }

    #[test]
    fn another_key_opens_nothing() {
        let [first, ..] = records();
        assert_eq!(
            StreamOpener::new(&StreamKey::new([6; 32])).open(first),
            Err(BadStream::Damaged)
        );
    }

    #[test]
    fn a_piece_has_at_most_64_kibibytes() {
        let mut sealer = StreamSealer::new(&key());
        assert_eq!(sealer.seal(vec![0; STREAM_PIECE_MAX + 1]), Err(BadStream::TooLarge));
        let record = sealer.seal(vec![9; STREAM_PIECE_MAX]).unwrap();
        assert_eq!(record.len(), STREAM_PIECE_MAX + OVERHEAD);
        assert!(StreamOpener::new(&key()).open(record) == Ok(Piece::More(vec![9; STREAM_PIECE_MAX])));
        assert_eq!(
            StreamOpener::new(&key()).open(vec![0; STREAM_PIECE_MAX + OVERHEAD + 1]),
            Err(BadStream::Damaged)
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn a_changed_bit_never_opens(at in any::<prop::sample::Index>(), bit in 0..8_u8) {
            let [mut record, ..] = records();
            let at = at.index(record.len());
            record[at] ^= 1 << bit;
            prop_assert_eq!(StreamOpener::new(&key()).open(record), Err(BadStream::Damaged));
        }

        #[test]
        fn any_bytes_are_safe_to_open(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            prop_assert_eq!(StreamOpener::new(&key()).open(bytes), Err(BadStream::Damaged));
        }
    }
}

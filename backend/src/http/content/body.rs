//! What a machine says of a file as the bytes that a client gets: exactly those that were asked for, in order, or an error.

use std::ops::Range;

use beckon_shared::{
    bulk::Segment,
    chunk::ChunkKey,
    error::{ErrorCode, Refusal},
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};

use super::{answer::malformed, reads::Asked};
use crate::{
    access::GrantedSpace,
    drive::body::Body,
    store::{Error, Store, read::Piece},
};

/// A refusal of a machine is told in so many characters.
const MESSAGE_MAX: usize = 300;

/// Where chunks come from that are stored already.
pub(super) struct Source {
    /// The store.
    pub(super) store: Store,
    /// Where the transfer's content goes.
    pub(super) space: GrantedSpace,
    /// Of that space.
    pub(super) key: ChunkKey,
}

/// A read that goes on.
struct Reading {
    source: Source,
    asked: Asked,
    range: Range<u64>,
    /// The next byte.
    at: u64,
}

/// The bytes of `range`; an error where the machine says anything else.
pub(super) fn bytes(source: Source, asked: Asked, range: Range<u64>) -> Body {
    let reading = Reading {
        source,
        asked,
        at: range.start,
        range,
    };
    stream::try_unfold(reading, async |mut reading| {
        Ok(reading.next().await?.map(|bytes| (bytes, reading)))
    })
    .boxed()
}

impl Reading {
    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        if self.at == self.range.end {
            return Ok(None);
        }
        let bytes = match self.asked.segments.recv().await {
            Some(Ok(Segment::Bytes(bytes))) => {
                self.check(bytes.len() as u64)?;
                bytes.into()
            }
            Some(Ok(Segment::Stored {
                chunk,
                chunk_len,
                skip,
                len,
            })) => {
                let piece = Piece {
                    chunk,
                    chunk_len,
                    skip,
                    len,
                };
                self.check_stored(&piece)?;
                self.source
                    .store
                    .read_piece(&self.source.space, &self.source.key, piece)
                    .await?
            }
            Some(Ok(Segment::Refused(refusal))) => return Err(told(refusal).into()),
            Some(Ok(Segment::File { .. } | Segment::End)) => return Err(malformed().into()),
            Some(Err(refusal)) => return Err(refusal.into()),
            None => {
                return Err(Error::refused(
                    ErrorCode::Away,
                    "the machine went away in the middle of the file; check its connection, then read the file again",
                ));
            }
        };
        self.at += bytes.len() as u64;
        Ok(Some(bytes))
    }

    /// Nothing is empty, and nothing goes beyond what was asked for.
    fn check(&self, len: u64) -> Result<(), Refusal> {
        match len {
            0 => Err(malformed()),
            len if len > self.range.end - self.at => Err(malformed()),
            _ => Ok(()),
        }
    }

    /// A chunk is cut only where the range begins or ends: else each byte of it could cost reading the whole.
    fn check_stored(&self, piece: &Piece) -> Result<(), Refusal> {
        self.check(piece.len.into())?;
        let end = piece.skip.checked_add(piece.len).ok_or_else(malformed)?;
        let begins = piece.skip == 0 || self.at == self.range.start;
        let ends = end == piece.chunk_len || self.at + u64::from(piece.len) == self.range.end;
        match end <= piece.chunk_len && begins && ends {
            true => Ok(()),
            false => Err(malformed()),
        }
    }
}

/// What a machine refuses with, as far as it is for it to say: nothing that would sign somebody out.
pub(super) fn told(refusal: Refusal) -> Refusal {
    let code = match refusal.code {
        code @ (ErrorCode::NotFound
        | ErrorCode::NotReadable
        | ErrorCode::NotAFile
        | ErrorCode::Changing
        | ErrorCode::TooMany
        | ErrorCode::Internal) => code,
        _ => ErrorCode::Conflict,
    };
    let shown = refusal.message.chars().filter(|letter| !letter.is_control());
    Refusal::new(code, shown.take(MESSAGE_MAX).collect::<String>())
}

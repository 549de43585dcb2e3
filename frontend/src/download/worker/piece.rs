//! The unit that is verified: at most 512 KiB of a file in one of its states.

use beckon_shared::{
    browse::{Answer, Ask, READ_MAX},
    entry::SourceStamp,
    error::{ErrorCode, Refusal},
    id::Hash,
};
use futures_util::{Stream, StreamExt, stream};

use super::{
    changing,
    source::{Machine, Source},
    window::{Room, Window},
};
use crate::{download::message::Place, session, text::download as words};

/// Pieces that are asked for at once, however small: with files of 4 kB, 1,280 of them in a second at a round trip of 50 ms.
pub(super) const AT_ONCE: usize = 64;
/// So often is a piece read again that does not match its checksum.
const TRIES: usize = 3;

/// Verified bytes, and the room that they take.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) bytes: Vec<u8>,
    _room: Room,
}

/// Which bytes of a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub(super) offset: u64,
    pub(super) len: u32,
}

/// A file of `size` bytes in parts; an empty one has none.
pub(super) fn parts(size: u64) -> impl Iterator<Item = Part> {
    let piece = u64::from(READ_MAX);
    (0..size.div_ceil(piece)).map(move |index| {
        let offset = index * piece;
        Part {
            offset,
            len: (size - offset).min(piece) as u32,
        }
    })
}

/// A file in the state of a stamp, in order; many pieces are asked for at once.
pub(super) fn pieces<'a, M: Machine>(
    source: &'a Source<M>,
    window: &'a Window,
    place: &'a Place,
    stamp: SourceStamp,
) -> impl Stream<Item = Result<Piece, Refusal>> + 'a {
    stream::iter(parts(stamp.size))
        .map(move |part| fetch(source, window, place, stamp, part))
        .buffered(AT_ONCE)
}

/// Reads a part of a file, and makes sure of it.
pub(super) async fn fetch<M: Machine>(
    source: &Source<M>,
    window: &Window,
    place: &Place,
    stamp: SourceStamp,
    part: Part,
) -> Result<Piece, Refusal> {
    let room = window.enter(part.len as usize).await;
    let ask = Ask::Fetch {
        root: place.root,
        path: place.path.clone(),
        stamp,
        offset: part.offset,
        len: part.len,
    };
    for _ in 0..TRIES {
        let Answer::Fetched { bytes, hash } = source.ask(&ask).await? else {
            return Err(session::misunderstood());
        };
        if bytes.len() != part.len as usize {
            return Err(changing());
        }
        if Hash::of(&bytes) == hash {
            return Ok(Piece { bytes, _room: room });
        }
    }
    Err(Refusal::new(ErrorCode::Damaged, words::damaged()))
}

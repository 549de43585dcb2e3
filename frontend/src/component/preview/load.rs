//! Reading for a preview: no more than is shown, and nothing any more when nobody looks.

use std::rc::Rc;

use beckon_shared::{browse::READ_MAX, error::Refusal};
use futures_util::{StreamExt, future::LocalBoxFuture, stream};

use super::sniff::{self, Kind};

/// A text is shown up to this many bytes.
pub(super) const TEXT_MAX: u64 = 256 * 1024;
/// Nothing larger is loaded, in bytes.
pub(super) const LOAD_MAX: u64 = 64 << 20;
/// Reads under way at once.
const WINDOW: usize = 4;

/// Reads bytes from an offset on: fewer than asked for only at the end.
pub(crate) type Read = Rc<dyn Fn(u64, u32) -> LocalBoxFuture<'static, Result<Vec<u8>, Refusal>>>;

/// A file to look into.
#[derive(Clone)]
pub(crate) struct Source {
    /// Its name.
    pub(crate) name: String,
    /// Its size in bytes.
    pub(crate) size: u64,
    /// Up to this size it is loaded without being asked for, in bytes.
    pub(crate) by_itself: u64,
    /// Where its bytes come from.
    pub(crate) read: Read,
}

/// What came of looking.
#[derive(Debug, Clone)]
pub(super) enum Looked {
    /// It holds nothing.
    Empty,
    /// It is of no kind that can be shown.
    Unknown,
    /// It is too large to be shown.
    TooLarge,
    /// It is large: somebody must ask for it.
    Large,
    /// Words; whether they are only the first of it.
    Text(String, bool),
    /// Bytes of a kind.
    Media(Kind, Vec<Vec<u8>>),
}

/// Looks into a file. `wanted` says that somebody asked for it, `is_there` that somebody still looks.
pub(super) async fn look(source: &Source, wanted: bool, is_there: impl Fn() -> bool) -> Result<Looked, Refusal> {
    if source.size == 0 {
        return Ok(Looked::Empty);
    }
    let head = (source.read)(0, sniff::HEAD).await?;
    let end = match sniff::sniff(&head, &source.name) {
        None => return Ok(Looked::Unknown),
        Some(Kind::Text) => source.size.min(TEXT_MAX),
        Some(_) if source.size > LOAD_MAX => return Ok(Looked::TooLarge),
        Some(_) if source.size > source.by_itself && !wanted => return Ok(Looked::Large),
        Some(_) => source.size,
    };
    let kind = sniff::sniff(&head, &source.name);
    let mut pieces = vec![head];
    pieces.extend(read(source, u64::from(sniff::HEAD), end, is_there).await?);
    Ok(match kind {
        Some(Kind::Text) | None => Looked::Text(sniff::decode(&pieces.concat()), end < source.size),
        Some(kind) => Looked::Media(kind, pieces),
    })
}

async fn read(source: &Source, from: u64, end: u64, is_there: impl Fn() -> bool) -> Result<Vec<Vec<u8>>, Refusal> {
    let piece = u64::from(READ_MAX);
    let offsets = (0..)
        .map(|index| from + index * piece)
        .take_while(|offset| *offset < end);
    let asks = offsets.map(|offset| (source.read)(offset, (end - offset).min(piece) as u32));
    let mut answers = stream::iter(asks).buffered(WINDOW);
    let mut pieces = Vec::new();
    while let Some(bytes) = answers.next().await {
        let bytes = bytes?;
        if bytes.is_empty() || !is_there() {
            break;
        }
        pieces.push(bytes);
    }
    Ok(pieces)
}

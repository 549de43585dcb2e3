//! A file, as it is.

use beckon_shared::{
    entry::{Entry, EntryKind},
    error::{ErrorCode, Refusal},
};
use futures_util::StreamExt;

use super::{
    Stop, changing,
    piece::pieces,
    sink::Sink,
    source::{Machine, Source},
};
use crate::{download::message::Place, text::download as words};

/// A file that changes before anything of it was handed on is begun anew so often.
pub(super) const ANEW: usize = 5;

/// Hands all bytes of one state of the file on. Until the first of them is verified nothing is promised of its length, so a
/// file that has just changed is begun anew without anybody noticing.
pub(super) async fn download<M: Machine>(source: &Source<M>, place: &Place, sink: &mut Sink) -> Result<(), Stop> {
    let mut tries = 0;
    loop {
        let stamp = file(source.stat(place).await?)?.stamp;
        source
            .tally
            .count(|figures| (figures.total, figures.is_all) = (stamp.size, true));
        let mut pieces = std::pin::pin!(pieces(source, &source.window, place, stamp));
        let mut next = pieces.next().await;
        tries += 1;
        if matches!(&next, Some(Err(refusal)) if refusal.code == ErrorCode::Changing) && tries < ANEW {
            continue;
        }
        let first = next.take().transpose().map_err(in_words)?;
        sink.open(Some(stamp.size)).await?;
        next = first.map(Ok);
        while let Some(piece) = next {
            let piece = piece.map_err(in_words)?;
            sink.write(&piece.bytes).await?;
            source.tally.count(|figures| figures.done += piece.bytes.len() as u64);
            next = pieces.next().await;
        }
        return Ok(());
    }
}

/// The machine tells a program what to do; a person is told otherwise.
fn in_words(refusal: Refusal) -> Refusal {
    match refusal.code {
        ErrorCode::Changing => changing(),
        _ => refusal,
    }
}

/// Only files are read.
pub(super) fn file(entry: Entry) -> Result<Entry, Refusal> {
    match entry.kind {
        EntryKind::File => Ok(entry),
        _ => Err(Refusal::new(ErrorCode::NotAFile, words::no_file())),
    }
}

//! Bodies of downloads as streams: read only as fast as the client takes them, cut off when the right to read ends.

use std::{io, ops::Range, pin::pin, sync::Arc};

use beckon_shared::{
    error::ErrorCode,
    zip::{Layout, Segment},
};
use bytes::Bytes;
use futures_util::{
    Stream, StreamExt, TryStreamExt,
    future::Either,
    stream::{self, BoxStream},
};
use tokio_util::sync::CancellationToken;

use crate::store::Error;

/// Files of an archive that are opened ahead of the one being sent: small ones would else each wait for the database.
const OPEN_AHEAD: usize = 4;

/// Content on its way. After an error nothing follows.
pub(crate) type Body = BoxStream<'static, Result<Bytes, Error>>;

/// Waits for the first bytes, so that what goes wrong with them is known before the answer's head is sent.
pub(crate) async fn begun(mut body: Body) -> Result<Body, Error> {
    Ok(match body.try_next().await? {
        Some(first) => stream::once(async { Ok(first) }).chain(body).boxed(),
        None => body,
    })
}

/// Ends the body with an error as soon as `cut` fires: who receives it cannot take it for the whole.
pub(crate) fn until_cut(body: Body, cut: CancellationToken) -> Body {
    stream::try_unfold((body, cut), async |(mut body, cut)| {
        let next = {
            let cancelled = pin!(cut.cancelled());
            match futures_util::future::select(cancelled, body.next()).await {
                Either::Left(_) => Err(Error::refused(
                    ErrorCode::NotSignedIn,
                    "this device was signed out; sign in again",
                )),
                Either::Right((next, _)) => next.transpose(),
            }
        };
        Ok(next?.map(|bytes| (bytes, (body, cut))))
    })
    .boxed()
}

/// Ends with an error where there are not exactly `len` bytes: else what follows would stand in a wrong place.
pub(crate) fn exactly(body: Body, len: u64) -> Body {
    stream::try_unfold((body, len), async |(mut body, left)| match body.try_next().await? {
        Some(bytes) if bytes.len() as u64 <= left => {
            let left = left - bytes.len() as u64;
            Ok(Some((bytes, (body, left))))
        }
        None if left == 0 => Ok(None),
        _ => Err(Error::Io(io::Error::other(
            "stored content is not as long as its version says",
        ))),
    })
    .boxed()
}

/// The bytes of an archive in `range`. `open` gives the bytes of an entry's content in a range.
pub(crate) fn of_archive<F>(
    layout: Arc<Layout>,
    range: Range<u64>,
    open: impl Fn(usize, Range<u64>) -> F + Send + 'static,
) -> Body
where
    F: Future<Output = Result<Body, Error>> + Send + 'static,
{
    segments(layout, range)
        .map(move |segment| match segment {
            Segment::Bytes(bytes) => Either::Left(async { Ok(once(bytes)) }),
            Segment::Content { entry, range } => Either::Right(open(entry, range)),
        })
        .buffered(OPEN_AHEAD)
        .try_flatten()
        .boxed()
}

fn segments(layout: Arc<Layout>, range: Range<u64>) -> impl Stream<Item = Segment> {
    stream::iter(std::iter::from_fn({
        let mut at = range.start;
        move || {
            let mut segments = layout.segments(at..range.end);
            let segment = segments.next();
            at = segments.position();
            segment
        }
    }))
}

fn once(bytes: Vec<u8>) -> Body {
    stream::once(async { Ok(Bytes::from(bytes)) }).boxed()
}

#[cfg(test)]
mod tests {
    use beckon_shared::{
        id::{ChunkId, Hash, NodeId},
        zip::{Entry, Kind},
    };
    use futures_util::FutureExt;

    use super::*;

    fn pieces(pieces: Vec<Result<&'static str, Error>>) -> Body {
        stream::iter(pieces)
            .map_ok(|piece| Bytes::from_static(piece.as_bytes()))
            .boxed()
    }

    fn damaged() -> Error {
        Error::Damaged {
            node: NodeId::new(Default::default(), [0; 10]),
            chunk: ChunkId([0; 32]),
        }
    }

    async fn whole(body: Body) -> Result<Vec<u8>, Error> {
        body.try_fold(Vec::new(), async |mut all, piece| {
            all.extend_from_slice(&piece);
            Ok(all)
        })
        .await
    }

    #[tokio::test]
    async fn damage_at_the_start_is_known_before_the_body() {
        assert!(begun(pieces(vec![Err(damaged())])).await.is_err());
        let body = begun(pieces(vec![Ok("a"), Err(damaged())])).await.unwrap();
        assert!(whole(body).await.is_err());
        assert_eq!(
            whole(begun(pieces(vec![Ok("a"), Ok("b")])).await.unwrap())
                .await
                .unwrap(),
            b"ab"
        );
        assert_eq!(whole(begun(pieces(vec![])).await.unwrap()).await.unwrap(), b"");
    }

    #[tokio::test]
    async fn a_body_ends_with_an_error_when_the_device_is_cut_off() {
        let cut = CancellationToken::new();
        let mut body = until_cut(pieces(vec![Ok("a")]).chain(stream::pending()).boxed(), cut.clone());
        assert_eq!(body.next().await.unwrap().unwrap(), "a");
        assert!(body.next().now_or_never().is_none());
        cut.cancel();
        assert!(body.next().await.unwrap().is_err());
        assert!(body.next().await.is_none());
    }

    #[tokio::test]
    async fn content_of_another_length_is_an_error() {
        assert_eq!(
            whole(exactly(pieces(vec![Ok("ab"), Ok("c")]), 3)).await.unwrap(),
            b"abc"
        );
        assert!(whole(exactly(pieces(vec![Ok("ab")]), 3)).await.is_err());
        assert!(whole(exactly(pieces(vec![Ok("ab"), Ok("cd")]), 3)).await.is_err());
    }

    #[tokio::test]
    async fn an_archive_is_sent_in_order_and_its_ranges_are_those_of_the_whole() {
        let contents: Vec<Vec<u8>> = (0..9u8).map(|index| vec![index; usize::from(index) * 70]).collect();
        let entries = contents.iter().enumerate().map(|(index, content)| {
            let kind = Kind::File {
                size: content.len() as u64,
                crc32: crc32fast::hash(content),
                hash: Hash::of(content),
            };
            Entry {
                path: format!("{index}").into(),
                kind,
                mode: 0,
                mtime: 0,
            }
        });
        let layout = Arc::new(Layout::new(entries).unwrap());
        let body = |range| {
            let contents = contents.clone();
            of_archive(layout.clone(), range, move |entry, range: Range<u64>| {
                let bytes = contents[entry][range.start as usize..range.end as usize].to_vec();
                // Later ones are ready earlier.
                async move {
                    for _ in entry..9 {
                        tokio::task::yield_now().await;
                    }
                    Ok(once(bytes))
                }
            })
        };
        let all = whole(body(0..layout.total_len())).await.unwrap();
        assert_eq!(all.len() as u64, layout.total_len());
        assert_eq!(whole(body(100..700)).await.unwrap(), all[100..700]);
        assert_eq!(whole(body(700..layout.total_len())).await.unwrap(), all[700..]);
    }
}

//! Request bodies of bulk requests: bounded, cut off when the device is revoked, and given up when they stand still.

use std::{collections::HashSet, time::Duration};

use actix_web::error::PayloadError;
use beckon_shared::{
    bulk::{CHUNKS_CONTENT_MAX, ChunkHeader},
    error::{ErrorCode, Refusal},
    id::ChunkId,
};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream::LocalBoxStream};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{PATIENCE, malformed};
use crate::error::Failure;

/// A body that is being read.
pub(super) struct Body {
    payload: LocalBoxStream<'static, Result<Bytes, PayloadError>>,
    cut: CancellationToken,
    left: usize,
    buffer: BytesMut,
    /// The chunks that were taken.
    seen: HashSet<ChunkId>,
    /// Bytes of content that chunks may still have.
    content_left: usize,
}

/// A whole body, with its share of the memory for such bodies.
pub(super) struct Whole {
    /// Its bytes.
    pub(super) bytes: Bytes,
    /// Hold it as long as the bytes, or what was made of them, are there.
    pub(super) share: SemaphorePermit<'static>,
}

/// A chunk as it stands in a body.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    /// What stands before it.
    pub(super) header: ChunkHeader,
    /// Its bytes.
    pub(super) stored: Bytes,
}

impl Body {
    /// A body of at most `limit` bytes.
    pub(super) fn new(
        payload: impl Stream<Item = Result<Bytes, PayloadError>> + 'static,
        cut: CancellationToken,
        limit: usize,
    ) -> Self {
        let payload = payload.boxed_local();
        Self {
            payload,
            cut,
            left: limit,
            buffer: BytesMut::new(),
            seen: HashSet::new(),
            content_left: CHUNKS_CONTENT_MAX,
        }
    }

    /// All of it, within a time and out of `room`: one permit for each byte. Who finds no room is to come again, since
    /// waiting with a part of the body would keep others from ending theirs.
    pub(super) async fn whole(self, within: Duration, room: &'static Semaphore) -> Result<Whole, Failure> {
        let late = |_| {
            Failure::new(
                ErrorCode::BadRequest,
                "the body took too long; send it again over a faster connection",
            )
        };
        timeout(within, self.collect(room)).await.map_err(late)?
    }

    async fn collect(mut self, room: &'static Semaphore) -> Result<Whole, Failure> {
        let mut share = take_room(room, 0)?;
        while let Some(piece) = self.next().await? {
            share.merge(take_room(room, piece.len())?);
            self.buffer.extend_from_slice(&piece);
        }
        Ok(Whole {
            bytes: self.buffer.freeze(),
            share,
        })
    }

    /// The next chunks, until their contents are `bytes` long or the body ends; none at its end.
    ///
    /// A chunk that was there before is left out, so that nobody makes the server unpack a few bytes without end.
    pub(super) async fn frames(&mut self, bytes: usize) -> Result<Vec<Frame>, Failure> {
        let mut frames = Vec::new();
        let mut len = 0;
        while len < bytes {
            if let Some(frame) = take_frame(&mut self.buffer)? {
                if self.seen.insert(frame.header.id) {
                    len += self.charge(&frame.header)?;
                    frames.push(frame);
                }
                continue;
            }
            match self.next().await? {
                Some(piece) => self.buffer.extend_from_slice(&piece),
                None if self.buffer.is_empty() => break,
                None => return Err(malformed()),
            }
        }
        Ok(frames)
    }

    fn charge(&mut self, header: &ChunkHeader) -> Result<usize, Failure> {
        let len = header.len as usize;
        let too_large = || {
            Failure::new(
                ErrorCode::TooLarge,
                "the chunks of a body hold too much; send fewer at once",
            )
        };
        self.content_left = self.content_left.checked_sub(len).ok_or_else(too_large)?;
        Ok(len)
    }

    /// Reads what is left and forgets it, for a while.
    pub(super) async fn drain(&mut self) {
        self.buffer.clear();
        let rest = async { while let Ok(Some(_)) = self.next().await {} };
        // Who is still sending then will find the connection closed.
        let _ = timeout(PATIENCE, rest).await;
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        let read = self
            .cut
            .run_until_cancelled(timeout(PATIENCE, self.payload.next()))
            .await
            .ok_or_else(cut_off)?;
        let piece = match read {
            Ok(None) => return Ok(None),
            Ok(Some(Ok(piece))) => piece,
            Ok(Some(Err(_))) | Err(_) => {
                return Err(Failure::new(
                    ErrorCode::BadRequest,
                    "the body ended early or stood still; send it again",
                ));
            }
        };
        self.left = self
            .left
            .checked_sub(piece.len())
            .ok_or_else(|| Failure::new(ErrorCode::TooLarge, "the body is too large; send less at once"))?;
        Ok(Some(piece))
    }
}

/// The device was revoked, or its ticket ended otherwise.
pub(super) fn cut_off() -> Failure {
    Refusal::new(
        ErrorCode::Revoked,
        "this device may not do this any more; join the machine again",
    )
    .into()
}

fn take_room(room: &'static Semaphore, bytes: usize) -> Result<SemaphorePermit<'static>, Failure> {
    let full = || {
        Failure::new(
            ErrorCode::TooMany,
            "the server is taking as many commits as it can; send this one again in a moment",
        )
    };
    let bytes = u32::try_from(bytes).map_err(|_| full())?;
    room.try_acquire_many(bytes).map_err(|_| full())
}

fn take_frame(buffer: &mut BytesMut) -> Result<Option<Frame>, Failure> {
    let Some(head) = buffer.first_chunk::<{ ChunkHeader::LEN }>() else {
        return Ok(None);
    };
    let header = ChunkHeader::parse(head).ok_or_else(malformed)?;
    let len = ChunkHeader::LEN + header.stored_len as usize;
    if buffer.len() < len {
        buffer.reserve(len - buffer.len());
        return Ok(None);
    }
    let mut frame = buffer.split_to(len).freeze();
    let stored = frame.split_off(ChunkHeader::LEN);
    Ok(Some(Frame { header, stored }))
}

#[cfg(test)]
mod tests {
    use actix_web::ResponseError;
    use beckon_shared::{bulk::Encoding, chunk::CHUNK_MAX};
    use futures_util::stream;

    use super::*;

    fn framed(stored: &[u8]) -> Vec<u8> {
        let len = stored.len() as u32;
        let header = ChunkHeader {
            id: ChunkId([3; 32]),
            encoding: Encoding::Plain,
            len,
            stored_len: len,
        };
        [&header.to_bytes(), stored].concat()
    }

    /// A chunk of one stored byte that says to be a MiB of content.
    fn packed(id: u8) -> Vec<u8> {
        let header = ChunkHeader {
            id: ChunkId([id; 32]),
            encoding: Encoding::Zstd,
            len: CHUNK_MAX as u32,
            stored_len: 1,
        };
        [&header.to_bytes()[..], b"z"].concat()
    }

    fn body(pieces: Vec<Vec<u8>>) -> Body {
        let pieces = pieces.into_iter().map(|piece| Ok(Bytes::from(piece)));
        Body::new(
            stream::iter(pieces.collect::<Vec<_>>()),
            CancellationToken::new(),
            1_000_000,
        )
    }

    fn status<T>(result: Result<T, Failure>) -> u16 {
        result.map_or_else(|failure| failure.status_code().as_u16(), |_| 200)
    }

    #[tokio::test]
    async fn chunks_are_grouped_by_what_they_unpack_to() {
        let mut body = body((0..5).map(packed).collect());
        let mut groups = Vec::new();
        loop {
            match body.frames(2 * CHUNK_MAX).await.unwrap().len() {
                0 => break,
                frames => groups.push(frames),
            }
        }
        assert_eq!(groups, [2, 2, 1]);
    }

    #[tokio::test]
    async fn a_chunk_counts_once_in_a_body_and_all_of_them_are_bounded() {
        let most = (CHUNKS_CONTENT_MAX / CHUNK_MAX) as u8;
        let twice: Vec<Vec<u8>> = (0..most).chain(0..most).map(packed).collect();
        assert_eq!(body(twice).frames(usize::MAX).await.unwrap().len(), usize::from(most));
        assert_eq!(
            status(body((0..=most).map(packed).collect()).frames(usize::MAX).await),
            413
        );
    }

    #[tokio::test]
    async fn whole_bodies_share_their_memory() {
        static ROOM: Semaphore = Semaphore::const_new(1000);
        let of = |len: usize| body(vec![vec![0; len / 2]; 2]).whole(PATIENCE, &ROOM);
        let first = of(600).await.unwrap();
        assert_eq!(first.bytes.len(), 600);
        assert_eq!(status(of(600).await), 429);
        assert_eq!(ROOM.available_permits(), 400, "who was refused holds nothing");
        drop(first);
        assert_eq!(status(of(600).await), 200);
    }

    #[tokio::test]
    async fn a_whole_body_has_its_time() {
        static ROOM: Semaphore = Semaphore::const_new(1000);
        let drip = stream::iter([Ok(Bytes::from_static(b"x"))]).chain(stream::pending());
        let body = Body::new(drip, CancellationToken::new(), 1000);
        let read = timeout(PATIENCE / 4, body.whole(Duration::from_millis(1), &ROOM)).await;
        assert_eq!(
            status(read.expect("an end before the body counts as standing still")),
            400
        );
        assert_eq!(ROOM.available_permits(), 1000);
    }

    #[test]
    fn chunks_are_taken_only_when_they_are_whole() {
        let whole = [framed(b"first"), framed(b"second")].concat();
        for cut in 0..whole.len() {
            let mut buffer = BytesMut::from(&whole[..cut]);
            let mut taken = Vec::new();
            while let Ok(Some(frame)) = take_frame(&mut buffer) {
                taken.push(frame.stored);
            }
            buffer.extend_from_slice(&whole[cut..]);
            while let Ok(Some(frame)) = take_frame(&mut buffer) {
                taken.push(frame.stored);
            }
            assert_eq!(taken, [&b"first"[..], b"second"]);
            assert!(buffer.is_empty());
        }
    }

    #[test]
    fn a_header_out_of_its_limits_is_refused() {
        let mut bytes = framed(b"x");
        bytes[37] = 2;
        assert!(take_frame(&mut BytesMut::from(&bytes[..])).is_err());
    }
}

//! Request bodies of bulk requests: bounded, cut off when the device is revoked, and given up when they stand still.

use actix_web::web;
use beckon_shared::{
    bulk::ChunkHeader,
    error::{ErrorCode, Refusal},
};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{PATIENCE, malformed};
use crate::error::Failure;

/// A body that is being read.
pub(super) struct Body {
    payload: web::Payload,
    cut: CancellationToken,
    left: usize,
    buffer: BytesMut,
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
    pub(super) fn new(payload: web::Payload, cut: CancellationToken, limit: usize) -> Self {
        Self { payload, cut, left: limit, buffer: BytesMut::new() }
    }

    /// All of it.
    pub(super) async fn whole(mut self) -> Result<Bytes, Failure> {
        while let Some(piece) = self.next().await? {
            self.buffer.extend_from_slice(&piece);
        }
        Ok(self.buffer.freeze())
    }

    /// The next chunks, until they are `bytes` long or the body ends; none at its end.
    pub(super) async fn frames(&mut self, bytes: usize) -> Result<Vec<Frame>, Failure> {
        let mut frames = Vec::new();
        let mut len = 0;
        while len < bytes {
            if let Some(frame) = take_frame(&mut self.buffer)? {
                len += frame.stored.len();
                frames.push(frame);
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

    /// Reads what is left and forgets it.
    pub(super) async fn drain(&mut self) {
        self.buffer.clear();
        while let Ok(Some(_)) = self.next().await {}
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        let read = self.cut.run_until_cancelled(timeout(PATIENCE, self.payload.next())).await.ok_or_else(cut_off)?;
        let piece = match read {
            Ok(None) => return Ok(None),
            Ok(Some(Ok(piece))) => piece,
            Ok(Some(Err(_))) | Err(_) => return Err(Failure::new(ErrorCode::BadRequest, "the body ended early or stood still; send it again")),
        };
        self.left = self.left.checked_sub(piece.len()).ok_or_else(|| Failure::new(ErrorCode::TooLarge, "the body is too large; send less at once"))?;
        Ok(Some(piece))
    }
}

/// The device was revoked, or its ticket ended otherwise.
pub(super) fn cut_off() -> Failure {
    Refusal::new(ErrorCode::Revoked, "this device may not do this any more; join the machine again").into()
}

fn take_frame(buffer: &mut BytesMut) -> Result<Option<Frame>, Failure> {
    let Some(head) = buffer.first_chunk::<{ ChunkHeader::LEN }>() else { return Ok(None) };
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
    use beckon_shared::{bulk::Encoding, id::ChunkId};

    use super::*;

    fn framed(stored: &[u8]) -> Vec<u8> {
        let len = stored.len() as u32;
        let header = ChunkHeader { id: ChunkId([3; 32]), encoding: Encoding::Plain, len, stored_len: len };
        [&header.to_bytes(), stored].concat()
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

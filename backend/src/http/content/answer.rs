//! `POST /bulk/live/{ticket}`: a machine's answer, taken apart and passed on as fast as it is read.

use std::time::Duration;

use actix_web::{HttpResponse, error::PayloadError, web};
use beckon_shared::{
    bulk::{SEGMENT_MAX, Segment},
    error::{ErrorCode, Refusal},
    wire,
};
use bytes::{Buf, Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use tokio::{sync::mpsc, time::timeout};

use super::reads::{Said, Waiting};
use crate::{
    app::App,
    error::{Answer, Failure},
};

/// A machine that says nothing for so long, though it is listened to, is taken for gone.
const SILENCE: Duration = Duration::from_secs(15);

/// What stands before each frame: its length. Bytes.
const PREFIX: usize = 4;

/// Takes a machine's answer; ends early when nobody reads it any more.
pub(super) async fn take(app: web::Data<App>, ticket: web::Path<String>, payload: web::Payload) -> Answer {
    let mut bytes = [0; 32];
    hex::decode_to_slice(ticket.as_bytes(), &mut bytes).map_err(|_| lapsed())?;
    let Waiting { segments, cut } = app.reads.take(&bytes).ok_or_else(lapsed)?;
    let taken = tokio::select! {
        biased;
        () = cut.cancelled() => Err(lapsed()),
        () = segments.closed() => Err(lapsed()),
        () = app.hub.stopping().cancelled() => Err(lapsed()),
        taken = pass_on(payload, &segments, SILENCE) => taken.map_err(Failure::from),
    };
    taken.map(|()| HttpResponse::Ok().finish())
}

/// Passes segments on until the last one.
async fn pass_on(
    payload: impl Stream<Item = Result<Bytes, PayloadError>> + Unpin,
    segments: &mpsc::Sender<Said>,
    silence: Duration,
) -> Result<(), Refusal> {
    let mut frames = Frames {
        payload,
        silence,
        buffer: BytesMut::new(),
    };
    loop {
        let said = frames.next().await;
        let is_last = !matches!(
            said,
            Ok(Segment::File { .. } | Segment::Stored { .. } | Segment::Bytes(_))
        );
        let failed = said.as_ref().err().cloned();
        if segments.send(said).await.is_err() || is_last {
            return failed.map_or(Ok(()), Err);
        }
    }
}

/// The segments of a body.
struct Frames<S> {
    payload: S,
    silence: Duration,
    buffer: BytesMut,
}

impl<S: Stream<Item = Result<Bytes, PayloadError>> + Unpin> Frames<S> {
    async fn next(&mut self) -> Said {
        loop {
            if let Some(segment) = frame(&mut self.buffer)? {
                return Ok(segment);
            }
            match timeout(self.silence, self.payload.next()).await {
                Ok(Some(Ok(piece))) => self.buffer.extend_from_slice(&piece),
                Ok(Some(Err(_)) | None) => return Err(broken("went away in the middle of the file")),
                Err(_) => return Err(broken("says nothing any more")),
            }
        }
    }
}

/// The first frame of what has come, if it is whole.
fn frame(buffer: &mut BytesMut) -> Result<Option<Segment>, Refusal> {
    let Some(prefix) = buffer.first_chunk::<PREFIX>() else {
        return Ok(None);
    };
    let len = u32::from_le_bytes(*prefix) as usize;
    if len > SEGMENT_MAX {
        return Err(malformed());
    }
    if buffer.len() < PREFIX + len {
        buffer.reserve(PREFIX + len - buffer.len());
        return Ok(None);
    }
    buffer.advance(PREFIX);
    wire::decode(&buffer.split_to(len)).map(Some).map_err(|_| malformed())
}

fn broken(what: &str) -> Refusal {
    Refusal::new(
        ErrorCode::Away,
        format!("the machine {what}; check its connection, then read the file again"),
    )
}

/// The answer is none.
pub(super) fn malformed() -> Refusal {
    Refusal::new(
        ErrorCode::BadVersion,
        "the machine's answer cannot be understood; update the older of the two programs",
    )
}

fn lapsed() -> Failure {
    Failure::new(
        ErrorCode::NotFound,
        "nobody waits for this answer (any more); there is nothing to do",
    )
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    fn framed(segment: &Segment) -> Vec<u8> {
        let bytes = wire::encode(segment);
        [&(bytes.len() as u32).to_le_bytes()[..], &bytes].concat()
    }

    fn body(pieces: Vec<Vec<u8>>) -> impl Stream<Item = Result<Bytes, PayloadError>> + Unpin {
        stream::iter(pieces.into_iter().map(|piece| Ok(Bytes::from(piece))))
    }

    async fn all_of(payload: impl Stream<Item = Result<Bytes, PayloadError>> + Unpin) -> Vec<Said> {
        let (sender, mut receiver) = mpsc::channel(16);
        let _ = pass_on(payload, &sender, SILENCE).await;
        drop(sender);
        let mut all = Vec::new();
        while let Some(said) = receiver.recv().await {
            all.push(said);
        }
        all
    }

    #[tokio::test]
    async fn segments_come_out_however_the_body_is_cut() {
        let sent = [Segment::Bytes(vec![7; 300]), Segment::Bytes(vec![8]), Segment::End];
        let whole: Vec<u8> = sent.iter().flat_map(framed).collect();
        for cut in 1..whole.len() {
            let pieces = whole.chunks(cut).map(<[u8]>::to_vec).collect();
            let got: Vec<_> = all_of(body(pieces)).await.into_iter().map(Result::unwrap).collect();
            assert_eq!(got, sent);
        }
    }

    #[tokio::test]
    async fn what_follows_the_end_is_not_looked_at() {
        let pieces = vec![framed(&Segment::End), framed(&Segment::Bytes(vec![1]))];
        assert_eq!(all_of(body(pieces)).await, [Ok(Segment::End)]);
    }

    #[tokio::test]
    async fn a_body_that_ends_early_or_is_no_frame_is_told() {
        let mut cut = framed(&Segment::Bytes(vec![1; 9]));
        cut.pop();
        let last = |all: Vec<Said>| all.last().cloned().unwrap().unwrap_err().code;
        assert_eq!(last(all_of(body(vec![cut])).await), ErrorCode::Away);
        let long = (SEGMENT_MAX as u32 + 1).to_le_bytes().to_vec();
        assert_eq!(last(all_of(body(vec![long])).await), ErrorCode::BadVersion);
        let none = [&3u32.to_le_bytes()[..], &[0xff; 3]].concat();
        assert_eq!(last(all_of(body(vec![none])).await), ErrorCode::BadVersion);
        assert_eq!(last(all_of(body(vec![vec![0; 4]])).await), ErrorCode::BadVersion);
    }

    #[tokio::test]
    async fn a_silent_machine_is_given_up_and_a_slow_reader_is_not() {
        let short = Duration::from_millis(20);
        let silent = body(vec![framed(&Segment::Bytes(vec![1]))]).chain(stream::pending());
        let (sender, mut receiver) = mpsc::channel(1);
        let passing = tokio::spawn(async move { pass_on(silent, &sender, short).await });
        assert!(receiver.recv().await.unwrap().is_ok());
        assert_eq!(receiver.recv().await.unwrap().unwrap_err().code, ErrorCode::Away);
        assert_eq!(passing.await.unwrap().unwrap_err().code, ErrorCode::Away);
        let (sender, mut receiver) = mpsc::channel(1);
        let mut sent = vec![framed(&Segment::Bytes(vec![1])); 3];
        sent.push(framed(&Segment::End));
        let passing = tokio::spawn(async move { pass_on(body(sent), &sender, short).await });
        // Longer than silence may last: who does not read is not silence of the machine.
        tokio::time::sleep(short * 3).await;
        while let Some(said) = receiver.recv().await {
            assert!(said.is_ok());
        }
        passing.await.unwrap().unwrap();
    }
}

//! The one place that knows actix-ws: a pump between a WebSocket and two bounded queues of bytes.

use std::time::{Duration, Instant};

use actix_web::{HttpRequest, HttpResponse, web};
use actix_ws::{AggregatedMessage, AggregatedMessageStream, CloseReason, ProtocolError};
use bytes::Bytes;
use futures_util::FutureExt;
use tokio::sync::mpsc;

/// How often a socket is pinged, so that proxies keep it and a dead end is noticed.
const PING_EVERY: Duration = Duration::from_secs(20);

/// Frames that wait in either direction; each may be as large as [`Shape::frame_max`].
const QUEUE: usize = 8;

/// How long what is queued may still flow once nobody listens any more.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// How a socket of some kind behaves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// The sub-protocol to answer with (RFC 6455, 1.9).
    pub(crate) protocol: &'static str,
    /// A larger frame ends the socket. Bytes.
    pub(crate) frame_max: usize,
    /// After so long without any sign of life the socket is dead.
    pub(crate) dead_after: Duration,
}

/// Why a socket ends (RFC 6455, 7.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Close {
    /// Both are done.
    Normal,
    /// The server stops, or the other end is gone.
    Away,
    /// A frame was not what the protocol says.
    Malformed,
    /// The other end may not do this.
    Policy,
    /// A frame was too large.
    TooLarge,
}

impl Close {
    fn reason(self) -> CloseReason {
        use actix_ws::CloseCode;
        let code = match self {
            Self::Normal => CloseCode::Normal,
            Self::Away => CloseCode::Away,
            Self::Malformed => CloseCode::Protocol,
            Self::Policy => CloseCode::Policy,
            Self::TooLarge => CloseCode::Size,
        };
        code.into()
    }
}

/// What came in.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// A binary frame.
    Frame(Bytes),
    /// The other end broke the protocol; nothing more comes.
    Broken(Close),
}

/// What goes out.
#[derive(Debug)]
pub(crate) enum Outgoing {
    /// A binary frame.
    Frame(Bytes),
    /// The end.
    Close(Close),
}

/// One end of an open WebSocket. Dropping `outgoing` closes it; `incoming` ends when the other end is gone.
#[derive(Debug)]
pub(crate) struct Socket {
    /// Frames from the other end.
    pub(crate) incoming: mpsc::Receiver<Incoming>,
    /// Frames to the other end.
    pub(crate) outgoing: mpsc::Sender<Outgoing>,
}

/// Accepts a WebSocket: the answer to send, and this end of it.
pub(crate) fn accept(
    request: &HttpRequest,
    body: web::Payload,
    shape: Shape,
) -> Result<(HttpResponse, Socket), actix_web::Error> {
    let (response, session, stream) = actix_ws::handle_with_protocols(request, body, &[shape.protocol])?;
    let stream = stream
        .max_frame_size(shape.frame_max)
        .aggregate_continuations()
        .max_continuation_size(shape.frame_max);
    let (to_reader, incoming) = mpsc::channel(QUEUE);
    let (outgoing, from_writer) = mpsc::channel(QUEUE);
    // Both are on their own, so that a slow reader at the other end does not keep us from reading.
    let mut writer = actix_web::rt::spawn(write(session.clone(), from_writer));
    actix_web::rt::spawn(async move {
        read(session, stream, &to_reader, shape.dead_after).await;
        drop(to_reader);
        // Whoever holds the socket sees `incoming` end and drops `outgoing`; then the writer ends too, unless the
        // other end takes nothing any more.
        if tokio::time::timeout(LAST_WORDS, &mut writer).await.is_err() {
            writer.abort();
        }
    });
    Ok((response, Socket { incoming, outgoing }))
}

async fn read(
    mut session: actix_ws::Session,
    mut stream: AggregatedMessageStream,
    to: &mpsc::Sender<Incoming>,
    dead_after: Duration,
) {
    let mut ping = tokio::time::interval_at((Instant::now() + PING_EVERY).into(), PING_EVERY);
    ping.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut alive = Instant::now();
    loop {
        let message = tokio::select! {
            // What has come already is a sign of life, however late it is looked at.
            biased;
            message = stream.recv() => message,
            () = to.closed() => return,
            () = tokio::time::sleep_until((alive + dead_after).into()) => return,
            _ = ping.tick() => {
                // A full queue needs no ping, and waiting for it would keep us from reading.
                if matches!(session.ping(b"").now_or_never(), Some(Err(_))) {
                    return;
                }
                continue;
            }
        };
        let Some(next) = message.and_then(|message| sort(message, &mut alive)) else {
            return;
        };
        let carried_on = match next {
            Next::Pong(bytes) => !matches!(session.pong(&bytes).now_or_never(), Some(Err(_))),
            Next::Nothing => true,
            Next::Pass(Incoming::Frame(bytes)) => {
                let passed = to.send(Incoming::Frame(bytes)).await.is_ok();
                // While the queue was full nothing was read: silence in that time proves nothing.
                alive = Instant::now();
                passed
            }
            Next::Pass(broken) => {
                let _ = to.send(broken).await;
                false
            }
        };
        if !carried_on {
            return;
        }
    }
}

enum Next {
    Pass(Incoming),
    Pong(Bytes),
    Nothing,
}

fn sort(message: Result<AggregatedMessage, ProtocolError>, alive: &mut Instant) -> Option<Next> {
    *alive = Instant::now();
    Some(match message {
        Ok(AggregatedMessage::Binary(bytes)) => Next::Pass(Incoming::Frame(bytes)),
        Ok(AggregatedMessage::Text(_)) => Next::Pass(Incoming::Broken(Close::Malformed)),
        Ok(AggregatedMessage::Ping(bytes)) => Next::Pong(bytes),
        Ok(AggregatedMessage::Pong(_)) => Next::Nothing,
        Ok(AggregatedMessage::Close(_)) => return None,
        Err(ProtocolError::Overflow) => Next::Pass(Incoming::Broken(Close::TooLarge)),
        Err(ProtocolError::Io(_)) => return None,
        Err(_) => Next::Pass(Incoming::Broken(Close::Malformed)),
    })
}

async fn write(mut session: actix_ws::Session, mut from: mpsc::Receiver<Outgoing>) {
    let mut close = Close::Normal;
    while let Some(outgoing) = from.recv().await {
        match outgoing {
            Outgoing::Frame(bytes) => {
                if session.binary(bytes).await.is_err() {
                    return;
                }
            }
            Outgoing::Close(reason) => {
                close = reason;
                break;
            }
        }
    }
    let _ = session.close(Some(close.reason())).await;
}

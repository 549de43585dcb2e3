//! The two tasks of a connection: one writes, one reads.

use std::{sync::Arc, time::Duration};

use beckon_shared::wire::{self, FromServer};
use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;

use super::{RequestError, Waiting};
use crate::server::Socket;

/// A sign of life goes out this often, so that middleboxes keep the line.
const PING_EVERY: Duration = Duration::from_secs(10);
/// A line on which nothing came for so long is dead: two pings and some were not answered.
pub(crate) const DEAD_AFTER: Duration = Duration::from_secs(25);

/// Sends what is queued until the end, then what is left and a good-bye.
pub(super) async fn write(
    mut sink: SplitSink<Socket, Message>,
    mut queue: mpsc::Receiver<Message>,
    end: CancellationToken,
    flushed: CancellationToken,
) {
    let _over = end.clone().drop_guard();
    let _flushed = flushed.drop_guard();
    let mut ping = tokio::time::interval_at(tokio::time::Instant::now() + PING_EVERY, PING_EVERY);
    loop {
        let message = tokio::select! {
            biased;
            () = end.cancelled() => break,
            message = queue.recv() => match message {
                Some(message) => message,
                None => break,
            },
            _ = ping.tick() => Message::Ping(Default::default()),
        };
        if !matches!(tokio::time::timeout(DEAD_AFTER, sink.send(message)).await, Ok(Ok(()))) {
            return;
        }
    }
    while let Ok(message) = queue.try_recv() {
        let _ = sink.feed(message).await;
    }
    let _ = tokio::time::timeout(Duration::from_secs(1), sink.close()).await;
}

/// Takes frames in until the end; replies to those who asked, everything else to `events`.
pub(super) async fn read(
    mut stream: SplitStream<Socket>,
    events: mpsc::Sender<FromServer>,
    waiting: Arc<Waiting>,
    end: CancellationToken,
) {
    let _over = end.clone().drop_guard();
    while let Some(frame) = next_frame(&mut stream, &end).await {
        match frame {
            FromServer::Reply { id, result } => {
                waiting.answer(id, result.map(|reply| *reply).map_err(RequestError::Refused))
            }
            // A receiver that was dropped wants no events; one that is stuck must not keep a dead line open.
            event => {
                if let Err(mpsc::error::SendTimeoutError::Timeout(_)) = events.send_timeout(event, DEAD_AFTER).await {
                    tracing::warn!("frames of the server were not looked at; connecting anew");
                    break;
                }
            }
        }
    }
    end.cancel();
    waiting.forget_all();
}

async fn next_frame(stream: &mut SplitStream<Socket>, end: &CancellationToken) -> Option<FromServer> {
    loop {
        let message = tokio::select! {
            () = end.cancelled() => return None,
            message = tokio::time::timeout(DEAD_AFTER, stream.next()) => message,
        };
        match message {
            Ok(Some(Ok(Message::Binary(bytes)))) => match wire::decode(&bytes) {
                Ok(frame) => return Some(frame),
                Err(_) => {
                    tracing::warn!(
                        len = bytes.len(),
                        "a frame of the server is malformed; update the older program"
                    );
                    return None;
                }
            },
            Ok(Some(Ok(Message::Ping(_) | Message::Pong(_)))) => {}
            Ok(Some(Ok(_)) | None) => return None,
            Ok(Some(Err(cause))) => {
                tracing::debug!(%cause, "the connection broke");
                return None;
            }
            Err(_) => {
                tracing::debug!("the server is silent; connecting anew");
                return None;
            }
        }
    }
}

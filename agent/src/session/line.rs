//! The two directions of an established session: whole messages in and out.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use beckon_shared::session::{Channel, Opened};
use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;

use super::{HANDSHAKE_TIMEOUT, Wire, cut};
use beckon_shared::error::Refusal;

/// A sign of life goes out this often, so that middleboxes keep the line.
const PING_EVERY: Duration = Duration::from_secs(20);
/// A record that nobody takes for so long means that nobody is there.
const SEND_TIMEOUT: Duration = Duration::from_secs(60);
/// Messages that wait to be sealed.
const OUTGOING: usize = 8;

/// What goes out, in order.
#[derive(Debug, Clone)]
pub(super) struct Outgoing {
    messages: mpsc::Sender<Vec<u8>>,
}

/// What comes in, in order.
pub(super) struct Incoming<W> {
    stream: SplitStream<W>,
    channel: Arc<Mutex<Channel>>,
}

/// Starts both directions; either end of the line cancels `end`, and cancelling it ends the line.
pub(super) fn start<W: Wire>(socket: W, channel: Channel, end: &CancellationToken) -> (Outgoing, Incoming<W>) {
    let (sink, stream) = socket.split();
    let channel = Arc::new(Mutex::new(channel));
    let (messages, queue) = mpsc::channel(OUTGOING);
    tokio::spawn(write(sink, queue, Arc::clone(&channel), end.clone()));
    (Outgoing { messages }, Incoming { stream, channel })
}

impl Outgoing {
    /// Queues a message; false once the line has ended.
    pub(super) async fn send(&self, message: Vec<u8>) -> bool {
        self.messages.send(message).await.is_ok()
    }
}

impl<W: Wire> Incoming<W> {
    /// The next whole message; nothing once the line has ended, was cut or was tampered with.
    pub(super) async fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            let record = binary(&mut self.stream).await?;
            let opened = lock(&self.channel).open(&record);
            match opened {
                Ok(Opened::Message(message)) => return Some(message),
                Ok(Opened::Partial) => {}
                Ok(Opened::Closed) => return None,
                Err(cause) => {
                    tracing::warn!(%cause, "a session ends");
                    return None;
                }
            }
        }
    }
}

/// The next message of the handshake.
pub(super) async fn handshake_message<W: Wire>(socket: &mut W) -> Result<bytes::Bytes, Refusal> {
    match tokio::time::timeout(HANDSHAKE_TIMEOUT, binary(socket)).await {
        Ok(Some(message)) => Ok(message),
        _ => Err(cut()),
    }
}

async fn binary<S>(stream: &mut S) -> Option<bytes::Bytes>
where
    S: futures_util::Stream<Item = Result<Message, tokio_tungstenite::tungstenite::Error>> + Unpin,
{
    loop {
        match stream.next().await? {
            Ok(Message::Binary(bytes)) => return Some(bytes),
            Ok(Message::Ping(_) | Message::Pong(_)) => {}
            _ => return None,
        }
    }
}

/// Seals and sends until the end or until nobody can queue any more, then says that the end was meant.
async fn write<W: Wire>(
    mut sink: SplitSink<W, Message>,
    mut queue: mpsc::Receiver<Vec<u8>>,
    channel: Arc<Mutex<Channel>>,
    end: CancellationToken,
) {
    let _over = end.clone().drop_guard();
    let mut ping = tokio::time::interval_at(tokio::time::Instant::now() + PING_EVERY, PING_EVERY);
    loop {
        let message = tokio::select! {
            () = end.cancelled() => break,
            message = queue.recv() => message,
            _ = ping.tick() => {
                if !send(&mut sink, Message::Ping(Default::default())).await {
                    return;
                }
                continue;
            }
        };
        let Some(message) = message else { break };
        let Ok(records) = lock(&channel).seal(&message) else {
            break;
        };
        for record in records {
            if !send(&mut sink, Message::Binary(record.into())).await {
                return;
            }
        }
    }
    let last = lock(&channel).close();
    if let Ok(record) = last {
        let _ = tokio::time::timeout(Duration::from_secs(1), sink.send(Message::Binary(record.into()))).await;
    }
    let _ = tokio::time::timeout(Duration::from_secs(1), sink.close()).await;
}

async fn send<W: Wire>(sink: &mut SplitSink<W, Message>, message: Message) -> bool {
    matches!(tokio::time::timeout(SEND_TIMEOUT, sink.send(message)).await, Ok(Ok(())))
}

fn lock(channel: &Mutex<Channel>) -> std::sync::MutexGuard<'_, Channel> {
    channel.lock().unwrap_or_else(PoisonError::into_inner)
}

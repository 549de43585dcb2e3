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
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
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
/// Bytes of files that wait for the line, so that one who asks for much and reads nothing takes no more memory. Enough to
/// read ahead while a piece is sent; what is under way on a long line is with the system.
const ROOM: u32 = 2 << 20;

/// What goes out, in order.
#[derive(Debug, Clone)]
pub(super) struct Outgoing {
    messages: mpsc::Sender<Queued>,
    room: Arc<Semaphore>,
}

/// A message that waits, and the room that it takes until it is gone.
#[derive(Debug)]
struct Queued {
    message: Vec<u8>,
    _room: Room,
}

/// Room for bytes that are to go out.
#[derive(Debug, Default)]
pub(super) struct Room {
    _permit: Option<OwnedSemaphorePermit>,
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
    let room = Arc::new(Semaphore::new(ROOM as usize));
    (Outgoing { messages, room }, Incoming { stream, channel })
}

impl Outgoing {
    /// Queues a message; false once the line has ended.
    pub(super) async fn send(&self, message: Vec<u8>) -> bool {
        self.send_from(Room::default(), message).await
    }

    /// Waits until so many bytes may be made ready to go out.
    pub(super) async fn room(&self, bytes: u32) -> Room {
        // Never closed.
        let permit = Arc::clone(&self.room).acquire_many_owned(bytes.min(ROOM)).await.ok();
        Room { _permit: permit }
    }

    /// Queues a message that was made in this room.
    pub(super) async fn send_from(&self, room: Room, message: Vec<u8>) -> bool {
        let queued = Queued { message, _room: room };
        self.messages.send(queued).await.is_ok()
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

/// Seals and sends until the end or until nobody can queue any more, then says that the end was meant. A message that is cut
/// by the end says so by itself.
async fn write<W: Wire>(
    mut sink: SplitSink<W, Message>,
    mut queue: mpsc::Receiver<Queued>,
    channel: Arc<Mutex<Channel>>,
    end: CancellationToken,
) {
    let _over = end.clone().drop_guard();
    let mut ping = tokio::time::interval_at(tokio::time::Instant::now() + PING_EVERY, PING_EVERY);
    loop {
        let queued = tokio::select! {
            biased;
            () = end.cancelled() => break,
            _ = ping.tick() => None,
            queued = queue.recv() => match queued {
                Some(queued) => Some(queued),
                None => break,
            },
        };
        let messages = match &queued {
            None => vec![Message::Ping(Default::default())],
            Some(queued) => {
                let Ok(records) = lock(&channel).seal(&queued.message) else {
                    break;
                };
                records
                    .into_iter()
                    .map(|record| Message::Binary(record.into()))
                    .collect()
            }
        };
        if end.run_until_cancelled(send_all(&mut sink, messages)).await != Some(true) {
            return;
        }
    }
    let last = lock(&channel).close();
    if let Ok(record) = last {
        let _ = tokio::time::timeout(Duration::from_secs(1), sink.send(Message::Binary(record.into()))).await;
    }
    let _ = tokio::time::timeout(Duration::from_secs(1), sink.close()).await;
}

async fn send_all<W: Wire>(sink: &mut SplitSink<W, Message>, messages: Vec<Message>) -> bool {
    for message in messages {
        if !send(sink, message).await {
            return false;
        }
    }
    true
}

async fn send<W: Wire>(sink: &mut SplitSink<W, Message>, message: Message) -> bool {
    matches!(tokio::time::timeout(SEND_TIMEOUT, sink.send(message)).await, Ok(Ok(())))
}

fn lock(channel: &Mutex<Channel>) -> std::sync::MutexGuard<'_, Channel> {
    channel.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn bytes_that_wait_for_the_line_are_bounded_and_small_answers_pass() {
        const PIECE: u32 = 512 << 10;
        let (messages, mut queue) = mpsc::channel(OUTGOING);
        let room = Arc::new(Semaphore::new(ROOM as usize));
        let outgoing = Outgoing { messages, room };
        for _ in 0..ROOM / PIECE {
            let room = outgoing.room(PIECE).await;
            assert!(outgoing.send_from(room, Vec::new()).await);
        }
        assert!(outgoing.room(1).now_or_never().is_none());
        assert!(outgoing.room(0).now_or_never().is_some());
        drop(queue.recv().await);
        assert!(outgoing.room(PIECE).now_or_never().is_some());
        assert!(outgoing.room(u32::MAX).now_or_never().is_none());
        queue.close();
        while queue.recv().await.is_some() {}
        assert!(outgoing.room(u32::MAX).now_or_never().is_some());
    }
}

//! Message channels that may end in a WebSocket, in another of them, or in the hands of the test.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::{
    net::TcpStream,
    runtime::Handle,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};
use tokio_tungstenite::{WebSocketStream, tungstenite::Message};

/// How long an answer or the end of a line may take.
const LIMIT: Duration = Duration::from_secs(30);

/// One end of a channel of binary messages. Dropping it closes the channel.
pub(super) struct Plug {
    to: UnboundedSender<Vec<u8>>,
    from: UnboundedReceiver<Vec<u8>>,
}

/// Both ends of a channel.
pub(super) fn channel() -> (Plug, Plug) {
    let (there, from_here) = unbounded_channel();
    let (here, from_there) = unbounded_channel();
    let plug = |to, from| Plug { to, from };
    (plug(there, from_there), plug(here, from_here))
}

/// Carries messages between a WebSocket and a plug until either is closed.
pub(super) async fn pump(mut socket: WebSocketStream<TcpStream>, mut plug: Plug) {
    loop {
        tokio::select! {
            message = plug.from.recv() => match message {
                Some(bytes) => {
                    if socket.send(Message::Binary(bytes.into())).await.is_err() {
                        return;
                    }
                }
                None => {
                    let _ = socket.close(None).await;
                    return;
                }
            },
            message = socket.next() => match message {
                Some(Ok(Message::Binary(bytes))) => {
                    if plug.to.send(bytes.to_vec()).is_err() {
                        return;
                    }
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                _ => return,
            },
        }
    }
}

/// A plug in the hands of the test.
pub(super) struct Line {
    plug: Plug,
    runtime: Handle,
}

impl Line {
    pub(super) fn new(plug: Plug, runtime: Handle) -> Self {
        Self { plug, runtime }
    }

    pub(super) fn send(&self, message: impl Into<Vec<u8>>) {
        // The other end may have hung up, which `receive` tells.
        let _ = self.plug.to.send(message.into());
    }

    /// The next message; nothing once the other end has hung up.
    #[track_caller]
    pub(super) fn receive(&mut self) -> Option<Vec<u8>> {
        let next = async { tokio::time::timeout(LIMIT, self.plug.from.recv()).await };
        let message = self.runtime.block_on(next);
        message.expect("the other end neither speaks nor hangs up")
    }

    /// Panics unless the other end hangs up without another word.
    #[track_caller]
    pub(super) fn assert_mute(&mut self) {
        if let Some(message) = self.receive() {
            panic!("{} bytes were answered", message.len());
        }
    }
}

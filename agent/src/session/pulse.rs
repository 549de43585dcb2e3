//! When something last came in on a line, whatever it was: a machine that works on a long answer is told from one that is gone.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use futures_util::{Sink, Stream};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::Wire;

/// When something last came in.
#[derive(Debug)]
pub(super) struct Pulse(Mutex<Beat>);

#[derive(Debug)]
struct Beat {
    last: Instant,
    /// A sign of life was asked for since.
    is_probed: bool,
}

impl Pulse {
    pub(super) fn new() -> Arc<Self> {
        let last = Instant::now();
        Arc::new(Self(Mutex::new(Beat { last, is_probed: false })))
    }

    /// When something last came in.
    pub(super) fn last(&self) -> Instant {
        self.lock().last
    }

    /// Whether a sign of life is to be asked for now: once in each silence.
    pub(super) fn wants_probe(&self) -> bool {
        !std::mem::replace(&mut self.lock().is_probed, true)
    }

    fn beat(&self) {
        let last = Instant::now();
        *self.lock() = Beat { last, is_probed: false };
    }

    fn lock(&self) -> MutexGuard<'_, Beat> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A socket whose every incoming message is noted.
pub(super) struct Heard<W> {
    socket: W,
    pulse: Arc<Pulse>,
}

impl<W: Wire> Heard<W> {
    pub(super) fn new(socket: W, pulse: Arc<Pulse>) -> Self {
        Self { socket, pulse }
    }
}

impl<W: Wire> Stream for Heard<W> {
    type Item = Result<Message, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = Pin::new(&mut self.socket).poll_next(context);
        if matches!(polled, Poll::Ready(Some(Ok(_)))) {
            self.pulse.beat();
        }
        polled
    }
}

impl<W: Wire> Sink<Message> for Heard<W> {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.socket).poll_ready(context)
    }

    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        Pin::new(&mut self.socket).start_send(message)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.socket).poll_close(context)
    }
}

//! The connection that stands at the moment, whichever it is: what works for hours must outlive each single one.

use beckon_shared::{
    error::{ErrorCode, Refusal},
    id::TransferId,
    transfer::{Hold, Progress},
    wire::{Reply, Request},
};
use tokio::sync::watch;

use super::{Connection, RequestError};

/// Reaches the server over the connection that stands at the moment.
#[derive(Debug, Clone)]
pub(crate) struct Link(watch::Receiver<Option<Connection>>);

/// Where the owner of the connections puts each new one; when it is dropped, nobody waits for a connection any more.
#[derive(Debug)]
pub(crate) struct LinkEnd(watch::Sender<Option<Connection>>);

impl LinkEnd {
    /// Both ends, with no connection yet.
    pub(crate) fn new() -> (Self, Link) {
        let (sender, receiver) = watch::channel(None);
        (Self(sender), Link(receiver))
    }

    /// Puts a connection in place of the one before.
    pub(crate) fn set(&self, connection: Option<Connection>) {
        self.0.send_replace(connection);
    }

    /// Ends the connection that stands at the moment.
    pub(crate) async fn close(&self) {
        let last = self.0.send_replace(None);
        if let Some(connection) = last {
            connection.close().await;
        }
    }
}

impl Link {
    /// Asks the server for something, again on each next connection until there is an answer. Only for requests that may be
    /// carried out twice; all those of a machine are of this kind.
    pub(crate) async fn request(&self, request: Request) -> Result<Reply, Refusal> {
        loop {
            match self.current().await?.request(request.clone()).await {
                Ok(reply) => return Ok(reply),
                Err(RequestError::Lost) => {}
                Err(RequestError::Refused(refusal)) => return Err(refusal),
            }
        }
    }

    /// Tells how far a transfer is, if there is a connection.
    pub(crate) fn send_progress(&self, transfer: TransferId, hold: Hold, progress: Progress) {
        if let Some(connection) = self.0.borrow().as_ref() {
            connection.send_progress(transfer, hold, progress);
        }
    }

    /// Whether there is a connection now.
    pub(crate) fn is_up(&self) -> bool {
        self.0.borrow().as_ref().is_some_and(|connection| !connection.is_over())
    }

    async fn current(&self) -> Result<Connection, Refusal> {
        let ending = || {
            Refusal::new(
                ErrorCode::GoingAway,
                "the agent is stopping; it goes on when it runs again",
            )
        };
        let mut receiver = self.0.clone();
        let stands = |connection: &Option<Connection>| connection.as_ref().is_some_and(|one| !one.is_over());
        let current = receiver.wait_for(stands).await.map_err(|_| ending())?;
        current.clone().ok_or_else(ending)
    }
}

//! The control socket: this tab's one connection to the server, for small frames only. It reconnects by itself.

use beckon_shared::{
    error::Refusal,
    wire::{Reply, Request},
};

use crate::{api, store::Stores};

/// Connects as the identity in use, keeps connected, and puts what comes into the stores. Again after a new sign-in.
pub(crate) fn start(_stores: Stores) {}

/// Ends the connection for good, as at signing out.
pub(crate) fn stop() {}

/// Tries again at once where the connection is lost.
pub(crate) fn try_now() {}

/// Asks the server for something.
pub(crate) async fn request(_body: Request) -> Result<Reply, Refusal> {
    Err(api::offline())
}

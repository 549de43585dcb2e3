//! Makes batches durable, two at once: what is missing is asked, and only that is sent.

use beckon_shared::error::Refusal;
use futures_channel::mpsc;
use futures_util::{SinkExt, StreamExt};

use super::{
    batch::{Batch, Finished},
    pause::until_answered,
    remote::Remote,
};

/// Batches on their way at the same time. A browser opens six connections to a server, and the page needs some.
const IN_FLIGHT: usize = 2;

/// Stores all batches, and hands on what is finished with them in the order in which they came.
pub(super) async fn store_all(
    remote: &Remote,
    batches: mpsc::Receiver<Batch>,
    mut durable: mpsc::Sender<Vec<Finished>>,
) -> Result<(), Refusal> {
    let mut stored = batches.map(|batch| store(remote, batch)).buffered(IN_FLIGHT);
    while let Some(finished) = stored.next().await {
        if durable.send(finished?).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// Stores one batch, however often that must be tried. What a broken try made durable is not sent again.
async fn store(remote: &Remote, batch: Batch) -> Result<Vec<Finished>, Refusal> {
    if !batch.pieces.is_empty() {
        until_answered(remote, async || {
            let missing = remote.have(batch.pieces.iter().map(|piece| piece.id).collect()).await?;
            remote.send(&batch, &missing).await
        })
        .await?;
    }
    remote.counters.durable(batch.content_len());
    Ok(batch.finished)
}

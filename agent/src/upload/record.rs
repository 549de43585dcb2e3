//! Keeps the index, on a thread of its own so that its disk does not slow the network.

use tokio::sync::mpsc;

use crate::index::{Committed, Index, Source};

/// Rows in one transaction.
const ROWS_MAX: usize = 20_000;

/// Records what comes until no more can; blocks the thread.
pub(super) fn record_all(index: &Index, source: Source, mut committed: mpsc::Receiver<Committed>) {
    while let Some(mut all) = committed.blocking_recv() {
        while all.rows.len() < ROWS_MAX
            && let Ok(more) = committed.try_recv()
        {
            all.rows.extend(more.rows);
            all.head = more.head;
        }
        if let Err(refusal) = index.record(source, &all) {
            tracing::warn!(%refusal, rows = all.rows.len(), "what was committed is not in the index: the server will be asked about it again");
        }
    }
}

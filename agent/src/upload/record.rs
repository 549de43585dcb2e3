//! Keeps the index, on a thread of its own so that its disk does not slow the network.

use beckon_shared::path::RootPath;
use tokio::sync::mpsc;

use crate::index::{Index, Row, Source};

/// Rows in one transaction.
const ROWS_MAX: usize = 20_000;

/// Records what comes until no more can; blocks the thread.
pub(super) fn record_all(index: &Index, source: Source, mut committed: mpsc::Receiver<Vec<(RootPath, Row)>>) {
    while let Some(mut rows) = committed.blocking_recv() {
        while rows.len() < ROWS_MAX && let Ok(more) = committed.try_recv() {
            rows.extend(more);
        }
        if let Err(refusal) = index.record(source, &rows) {
            tracing::warn!(%refusal, rows = rows.len(), "what was committed is not in the index: the server will be asked about it again");
        }
    }
}

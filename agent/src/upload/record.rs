//! Keeps the index, on a thread of its own so that its disk does not slow the network.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use beckon_shared::{id::TransferId, path::RootPath};
use tokio::{runtime::Handle, sync::mpsc, time::timeout};

use super::progress::Counters;
use crate::index::{Index, Row, Source};

/// Until the count of sent bytes is written though nothing was committed.
const QUIET: Duration = Duration::from_secs(1);
/// Rows in one transaction.
const ROWS_MAX: usize = 20_000;

/// Records what comes until no more can; blocks the thread.
pub(super) fn record_all(
    index: &Index,
    source: Source,
    transfer: TransferId,
    counters: &Counters,
    mut committed: mpsc::Receiver<Vec<(RootPath, Row)>>,
) {
    let mut recorded = counters.bytes_sent.load(Relaxed);
    loop {
        let next = Handle::current().block_on(async { timeout(QUIET, committed.recv()).await });
        let mut rows = match next {
            Ok(Some(rows)) => rows,
            Ok(None) => return,
            Err(_) => Vec::new(),
        };
        while rows.len() < ROWS_MAX && let Ok(more) = committed.try_recv() {
            rows.extend(more);
        }
        let sent = counters.bytes_sent.load(Relaxed);
        if rows.is_empty() && sent == recorded {
            continue;
        }
        recorded = sent;
        if let Err(refusal) = index.record(source, &rows, transfer, sent) {
            tracing::warn!(%refusal, rows = rows.len(), "what was committed is not in the index: the server will be asked about it again");
        }
    }
}

//! Ending what has expired: deleted nodes after 30 days, tickets, sessions, join codes, invitations, old visits and problems, pins of transfers that are over.

use std::time::Duration;

use crate::store::{Error, Store, meta};

/// How long deleted nodes can be restored.
pub(crate) const DELETED_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// How long spent join codes and selections without an order are kept: whoever comes late is told why it does not count.
const SPENT_KEPT: Duration = Duration::from_secs(24 * 3600);

/// How long after its end it is told what a transfer could not store; the count stays.
const PROBLEMS_KEPT: Duration = Duration::from_secs(90 * 24 * 3600);

/// Subtrees that are removed in one round.
const ROUND: u32 = 1000;

/// Ends what has expired; in a few words, what that was.
pub(crate) async fn run(store: &Store) -> Result<String, Error> {
    let now = store.clock.now();
    let txn = store.meta.write().await?;
    meta::ticket::sweep(&txn, now).await?;
    meta::session::sweep(&txn, now).await?;
    meta::invitation::sweep(&txn, now).await?;
    meta::join::sweep(&txn, now.before(SPENT_KEPT)).await?;
    meta::transfer::selection::sweep(&txn, now.before(SPENT_KEPT), now).await?;
    meta::transfer::problem::sweep(&txn, now.before(PROBLEMS_KEPT)).await?;
    meta::visit::sweep(&txn).await?;
    txn.commit().await?;
    meta::collect::release_stale_pins(&store.meta).await?;
    let before = now.before(DELETED_KEPT).0;
    let mut removed = 0;
    for node in meta::purge::deleted_before(store.meta.read(), before, ROUND).await? {
        removed += meta::purge::purge(&store.meta, &*store.clock, node, before).await?;
    }
    if removed == 0 {
        return Ok("nothing to remove".to_owned());
    }
    tracing::info!(nodes = removed, "removed what was deleted 30 days ago");
    Ok(format!(
        "removed {removed} files and folders that were deleted 30 days ago"
    ))
}

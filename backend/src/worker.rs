//! What the server does by itself: collecting what nothing needs, and ending what has expired.

pub(crate) mod collect;
pub(crate) mod expiry;

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::store::{Error, Store};

/// How often the workers look.
const EVERY: Duration = Duration::from_secs(3600);

/// Works once an hour until told to stop.
pub(crate) async fn run(store: Store, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
        if let Some(Err(error)) = stop.run_until_cancelled(round(&store)).await {
            tracing::error!(%error, "the hourly work failed; it is tried again in an hour");
        }
    }
}

/// One round: what expires first may leave something to collect.
pub(crate) async fn round(store: &Store) -> Result<(), Error> {
    expiry::run(store).await?;
    let plan = collect::plan(store).await?;
    if !plan.is_empty() {
        tracing::info!(%plan, "collecting");
        collect::execute(store, &plan).await?;
    }
    Ok(())
}

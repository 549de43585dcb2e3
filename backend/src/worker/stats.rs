//! Samples for the charts of administrators: what is stored, what went in and out, who is online.

use std::time::Duration;

use beckon_shared::api::admin::Sample;

use crate::{
    app::App,
    store::{Error, meta},
};

/// How often a sample is taken.
pub(super) const EVERY: Duration = Duration::from_secs(300);

/// What the sample before has counted.
#[derive(Debug, Default)]
pub(super) struct Counted {
    received: u64,
    sent: u64,
}

/// Takes a sample, and removes those that nobody is shown any more.
pub(super) async fn run(app: &App, counted: &mut Counted) -> Result<String, Error> {
    let (received, sent) = app.watch.traffic.totals();
    let sample = Sample {
        at: app.clock.now(),
        stored: app.watch.stored(&app.store).await?,
        received: received - counted.received,
        sent: sent - counted.sent,
        online: app.hub.count().0,
    };
    let txn = app.meta().write().await?;
    meta::stat::record(&txn, &sample).await?;
    meta::stat::sweep(&txn, sample.at).await?;
    txn.commit().await?;
    // Only now: what is not recorded belongs to the next sample.
    *counted = Counted { received, sent };
    Ok("took a sample".to_owned())
}

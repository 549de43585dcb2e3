//! What the server does by itself: collecting what nothing needs, ending what has expired, following the rules for older versions, and taking samples.

pub(crate) mod collect;
pub(crate) mod expiry;
pub(crate) mod retention;
mod stats;

use std::time::Duration;

use actix_web::web;
use tokio::time::{MissedTickBehavior, interval};

use crate::{
    app::App,
    fault,
    store::{Error, Store},
};

/// How often what is of no use any more is looked for.
const EVERY: Duration = Duration::from_secs(3600);

/// Works until told to stop.
pub(crate) async fn run(app: web::Data<App>) {
    let stop = app.hub.stopping().clone();
    let _ = tokio::join!(
        stop.run_until_cancelled(clean(&app)),
        stop.run_until_cancelled(sample(&app))
    );
}

/// What expires first may leave something to collect. A server that has just started has better things to do.
async fn clean(app: &App) {
    let (board, clock, store) = (&app.watch.workers, &*app.clock, &app.store);
    for name in ["expiry", "retention", "collect"] {
        board.expect(name, clock.now() + EVERY);
    }
    let followed = retention::Followed::default();
    loop {
        tokio::time::sleep(fault::clean_every(EVERY)).await;
        board.round(clock, "expiry", EVERY, expiry::run(store)).await;
        board.round(clock, "retention", EVERY, followed.run(store)).await;
        board.round(clock, "collect", EVERY, collect_all(store)).await;
    }
}

/// One round of all that cleans.
#[cfg(test)]
pub(crate) async fn round(store: &Store) -> Result<(), Error> {
    expiry::run(store).await?;
    retention::Followed::default().run(store).await?;
    collect_all(store).await.map(drop)
}

async fn collect_all(store: &Store) -> Result<String, Error> {
    let plan = collect::plan(store).await?;
    if plan.is_empty() {
        return Ok("nothing to collect".to_owned());
    }
    tracing::info!(%plan, "collecting");
    collect::execute(store, &plan).await?;
    Ok(plan.to_string())
}

/// The first sample is taken at once, so that there is something to show.
async fn sample(app: &App) {
    app.watch.workers.expect("stats", app.clock.now());
    let mut tick = interval(stats::EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut counted = stats::Counted::default();
    loop {
        tick.tick().await;
        let work = stats::run(app, &mut counted);
        app.watch.workers.round(&*app.clock, "stats", stats::EVERY, work).await;
    }
}

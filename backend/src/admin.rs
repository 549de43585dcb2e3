//! Administration: what the server knows of itself, and what its administrators may change of accounts.

pub(crate) mod account;
pub(crate) mod board;
mod health;
pub(crate) mod traffic;

use std::{
    collections::HashMap,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use beckon_shared::{
    api::admin::{RunningTransfer, Stats, Stored},
    id::AccountId,
    time::Timestamp,
};
use tokio::task::spawn_blocking;

use self::{board::Board, traffic::Traffic};
use crate::{
    app::App,
    store::{Error, Store, meta},
};

/// How long what is stored is not added up again: it reads an index of all versions.
const STORED_KEPT: Duration = Duration::from_secs(5);

/// What the server keeps in mind of itself while it runs.
#[derive(Debug)]
pub(crate) struct Watch {
    /// When it started.
    pub(crate) started: Timestamp,
    /// What went in and out since.
    pub(crate) traffic: Arc<Traffic>,
    /// What works in the background.
    pub(crate) workers: Board,
    stored: tokio::sync::Mutex<Option<(Instant, Stored)>>,
}

impl Watch {
    /// Begins now.
    pub(crate) fn new(now: Timestamp) -> Self {
        Self {
            started: now,
            traffic: Arc::default(),
            workers: Board::default(),
            stored: tokio::sync::Mutex::default(),
        }
    }

    /// How much is stored, as it was a few seconds ago at the most.
    pub(crate) async fn stored(&self, store: &Store) -> Result<Stored, Error> {
        // Held while it is added up: who comes meanwhile waits for the same sum.
        let mut kept = self.stored.lock().await;
        if let Some((at, stored)) = *kept
            && at.elapsed() < STORED_KEPT
        {
            return Ok(stored);
        }
        let stored = meta::stat::stored(store.meta.read()).await?;
        *kept = Some((Instant::now(), stored));
        Ok(stored)
    }
}

/// Room where packs lie, in bytes; nothing where it has no end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Disk {
    free: Option<u64>,
    total: Option<u64>,
}

/// The server as it is now.
pub(crate) async fn stats(app: &App) -> Result<Stats, Error> {
    let now = app.clock.now();
    let counts = meta::stat::counts(app.meta().read(), now.before(health::LOOK_BACK)).await?;
    let (online, machines_online) = app.hub.count();
    let disk = disk(&app.store).await?;
    let (received, sent) = app.watch.traffic.totals();
    Ok(Stats {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started: app.watch.started,
        now,
        memory: memory().await,
        accounts: counts.accounts,
        devices: counts.devices,
        machines: counts.machines,
        online,
        machines_online,
        stored: app.watch.stored(&app.store).await?,
        disk_free: disk.free,
        disk_total: disk.total,
        received,
        sent,
        transfers_total: meta::transfer::count_open(app.meta().read()).await?,
        transfers: running(app).await?,
        workers: app.watch.workers.views(),
        health: health::findings(app, &counts, &disk).await,
    })
}

async fn disk(store: &Store) -> Result<Disk, Error> {
    let blobs = store.blobs.clone();
    let looked = spawn_blocking(move || {
        Ok::<_, io::Error>(Disk {
            free: blobs.room()?,
            total: blobs.total()?,
        })
    });
    Ok(looked.await.map_err(io::Error::other)??)
}

/// Resident memory of this process, in bytes; known on Linux (proc(5), `VmRSS`).
async fn memory() -> Option<u64> {
    let status = tokio::fs::read_to_string("/proc/self/status").await.ok()?;
    resident(&status)
}

fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// The newest transfers that are not over, without what they are of.
async fn running(app: &App) -> Result<Vec<RunningTransfer>, Error> {
    let reader = app.meta().read();
    let accounts = meta::stat::accounts(reader).await?;
    let names: HashMap<AccountId, String> = accounts.into_iter().map(|row| (row.id, row.name)).collect();
    let open = meta::transfer::newest_open(reader).await?;
    let view = |transfer: meta::transfer::Transfer| {
        let account = names.get(&transfer.account).cloned().unwrap_or_default();
        let view = app.live.newest(transfer.view);
        RunningTransfer {
            id: view.id,
            account,
            machine: view.machine,
            state: view.state,
            progress: view.progress,
        }
    };
    Ok(open.into_iter().map(view).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_read_as_the_kernel_writes_it() {
        assert_eq!(
            resident("Name:\tx\nVmRSS:\t   12345 kB\nRssAnon:\t 1 kB\n"),
            Some(12345 << 10)
        );
        assert_eq!(resident("Name:\tx\n"), None);
    }
}

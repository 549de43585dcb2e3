//! Starting the server again on what a crash left: it reads, cleans up, passes its own check, and takes what comes next.

use std::{path::Path, sync::Arc};

use beckon_shared::time::Timestamp;
use futures_util::TryStreamExt;

use super::{
    chance::Chance,
    disk::SimDisk,
    judge::{Point, lay_down, platter_at, wal_at},
    record::{fast_folder, parts, url},
    trace::Trace,
    workload::{ACCOUNT, Uploader, World},
};
use crate::{
    access::{Access, Right},
    check::{CheckOptions, Subject, examine},
    clock::fake::FakeClock,
    store::{
        Store,
        meta::{self, Meta},
        writer::Parts,
    },
};

/// The restarted server's chance is not that of the run.
const DRAWN: u64 = 1 << 40;

/// Goes through all of it; what went wrong, if anything.
pub(super) async fn recover(trace: &Trace, point: Point) -> Result<(), String> {
    let folder = fast_folder();
    let database = lay_down(trace, wal_at(trace, point.event), folder.path());
    let disk = SimDisk::new(platter_at(trace, point.event).crashed(point.luck));
    let clock = Arc::new(FakeClock::at(Timestamp(trace.ended), DRAWN));
    let meta = Meta::open(&url(&database)).await.map_err(text)?;
    let parts = parts(&disk, meta.clone(), clock.clone());
    parts.blobs.sweep().map_err(text)?;
    let store = Store::over(parts.clone()).map_err(text)?;
    let world = world(trace, &store, disk, clock);
    read_all(trace, &world).await?;
    passes_check(&parts, folder.path(), Rebuild::No).await?;
    world.days_pass().await;
    passes_check(&parts, folder.path(), Rebuild::No).await?;
    passes_check(&parts, folder.path(), Rebuild::Yes).await?;
    read_all(trace, &world).await?;
    // Whoever was cut off comes back.
    let mut uploader = Uploader::new(&world, 1, Chance::new(point.event as u64));
    uploader.begin_anew(&world).await;
    uploader.upload(&world).await;
    read_all(trace, &world).await?;
    store.close().await.map_err(text)?;
    world.complaints().first().cloned().map_or(Ok(()), Err)
}

fn world(trace: &Trace, store: &Store, disk: SimDisk, clock: Arc<FakeClock>) -> World {
    let spaces = trace.ledger.space.map(|space| (space, Right::Write));
    let access = Access {
        account: ACCOUNT,
        admin: false,
        spaces: spaces.into_iter().collect(),
    };
    let world = World::new(store.clone(), disk, clock, access, trace.ledger.chunk_key());
    *world.ledger() = trace.ledger.clone();
    world
}

/// Reads every file that can be seen, as a download does.
async fn read_all(trace: &Trace, world: &World) -> Result<(), String> {
    let space = world.access.own_space(Right::Read).map_err(text)?;
    for root in meta::replay::present(&world.store.meta).await.roots {
        for (path, manifest) in &root.files {
            let path = beckon_shared::path::RootPath::new(path.as_str()).map_err(text)?;
            let source = (root.device, root.root);
            let head = meta::check::head_of(world.store.meta.read(), &space, source, &path).await;
            let (_, version) = head.map_err(text)?.ok_or("a file that can be seen has no version")?;
            let opened = world.store.open_version(&space, version).await.map_err(text)?;
            let pieces: Vec<bytes::Bytes> = world
                .store
                .read_chunks(&opened, 0..opened.size())
                .try_collect()
                .await
                .map_err(text)?;
            let ledger = world.ledger();
            let had = ledger.manifests.get(manifest).ok_or("nobody committed this")?;
            let had: Vec<&[u8]> = had
                .iter()
                .map(|id| {
                    trace
                        .ledger
                        .chunks
                        .get(id)
                        .or(ledger.chunks.get(id))
                        .map_or(&[][..], Vec::as_slice)
                })
                .collect();
            if pieces.concat() != had.concat() {
                return Err("a file is not what the machine had".to_owned());
            }
        }
    }
    Ok(())
}

/// Whether the index is made anew first.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rebuild {
    No,
    Yes,
}

async fn passes_check(parts: &Parts, folder: &Path, rebuild: Rebuild) -> Result<(), String> {
    let subject = Subject {
        meta: parts.meta.clone(),
        blobs: parts.blobs.clone(),
        clock: parts.clock.clone(),
    };
    let options = CheckOptions {
        data: folder.to_owned(),
        database: String::new(),
        read_data: true,
        rebuild_index: rebuild == Rebuild::Yes,
    };
    let mut said = Vec::new();
    match examine(subject, &options, &mut said).await.map_err(text)? {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&said).into_owned()),
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

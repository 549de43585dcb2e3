//! Starting the server again on what a crash left, or after a kill on all that it had written: it reads, cleans up, passes
//! its own check, and takes what comes next. What is safe then stays safe where the power goes once more.

use std::{path::Path, sync::Arc};

use beckon_shared::{path::RootPath, time::Timestamp};

use super::{
    chance::{Chance, mix},
    disk::{Doing, Fault, SimDisk},
    judge::{all_readable, blobs_on, lay_down, platter_at},
    luck::Luck,
    record::{Surroundings, fast_folder, parts},
    trace::Trace,
    workload::{ACCOUNT, Uploader, World},
};
use crate::{
    access::{Access, Right},
    check::{CheckOptions, Subject, examine},
    clock::fake::FakeClock,
    store::{
        Error,
        meta::{self, replay},
        writer::Parts,
    },
};

/// The restarted server's chance is not that of the run.
const DRAWN: u64 = 1 << 40;

/// How the server ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct End {
    /// So many events came before it.
    pub(super) event: usize,
    /// What the lost power left; nothing where it was a kill.
    pub(super) luck: Option<Luck>,
    /// Decides where in a commit that was going on the log was cut off.
    pub(super) drawn: u64,
}

/// Goes through all of it; what went wrong, if anything.
pub(super) async fn recover(trace: &Trace, end: End) -> Result<(), String> {
    let folder = fast_folder();
    let (from, to) = trace.log_at(end.event);
    let database = lay_down(trace, from + end.drawn % (to - from + 1), folder.path());
    let platter = platter_at(trace, end.event);
    let platter = end.luck.map_or(platter.clone(), |luck| platter.crashed(luck));
    let clock = Arc::new(FakeClock::at(Timestamp(trace.ended), DRAWN));
    let at = Surroundings::new(&database, SimDisk::new(platter), clock).await;
    let mut world = begin(trace, at).await;
    let parts = parts(&world.at.disk, world.store.meta.clone(), world.at.clock.clone()).map_err(text)?;
    read_all(&world).await?;
    read_while_the_disk_fails(&world, Chance::new(end.drawn)).await?;
    stays_safe(&world, end.drawn).await?;
    passes_check(&parts, folder.path(), Rebuild::No).await?;
    world.days_pass().await;
    stays_safe(&world, mix(end.drawn)).await?;
    passes_check(&parts, folder.path(), Rebuild::No).await?;
    passes_check(&parts, folder.path(), Rebuild::Yes).await?;
    stays_safe(&world, mix(end.drawn + 1)).await?;
    read_all(&world).await?;
    // Whoever was cut off comes back.
    world.start_again().await;
    let mut uploader = Uploader::new(&world, 1, Chance::new(end.event as u64));
    uploader.begin_anew(&world).await;
    uploader.upload(&world).await;
    stays_safe(&world, mix(end.drawn + 2)).await?;
    read_all(&world).await?;
    world.store.close().await.map_err(text)?;
    world.complaints().first().cloned().map_or(Ok(()), Err)
}

async fn begin(trace: &Trace, at: Surroundings) -> World {
    let spaces = trace.ledger.space.map(|space| (space, Right::Write));
    let access = Access {
        account: ACCOUNT,
        admin: false,
        spaces: spaces.into_iter().collect(),
    };
    let world = World::new(at, access, trace.ledger.chunk_key()).await;
    *world.ledger() = trace.ledger.clone();
    world
}

/// Reads every file that can be seen, as a download does.
async fn read_all(world: &World) -> Result<(), String> {
    for read in read_each(world).await? {
        read.map_err(text)??;
    }
    Ok(())
}

/// What fails then is an error, and neither wrong bytes nor damage.
async fn read_while_the_disk_fails(world: &World, mut chance: Chance) -> Result<(), String> {
    let fails = move |doing| (doing == Doing::Read && chance.once_in(3)).then_some(Fault::Broken);
    world.at.disk.set_faults(Some(Box::new(fails)));
    let read = read_each(world).await;
    world.at.disk.set_faults(None);
    for read in read? {
        match read {
            Ok(compared) => compared?,
            Err(error @ Error::Damaged { .. }) => return Err(text(error)),
            Err(_) => {}
        }
    }
    Ok(())
}

/// How the reading of each file went, and whether it is what the machine had.
async fn read_each(world: &World) -> Result<Vec<Result<Result<(), String>, Error>>, String> {
    let space = world.access.own_space(Right::Read).map_err(text)?;
    let mut read = Vec::new();
    for root in replay::present(&world.store.meta).await.roots {
        for path in root.files.keys() {
            let path = RootPath::new(path.as_str()).map_err(text)?;
            let source = (root.device, root.root);
            let head = meta::check::head_of(world.store.meta.read(), &space, source, &path).await;
            let (_, version) = head.map_err(text)?.ok_or("a file that can be seen has no version")?;
            read.push(world.read(version).await);
        }
    }
    Ok(read)
}

/// What rows name now is there after the power has gone once more.
async fn stays_safe(world: &World, drawn: u64) -> Result<(), String> {
    let chunks = replay::present(&world.store.meta).await.chunks;
    let platter = world.at.disk.platter();
    for luck in [Luck::None, Luck::Some(drawn)] {
        let left = blobs_on(platter.crashed(luck));
        all_readable(&world.ledger(), &chunks, &left)
            .map_err(|what| format!("after another crash, {luck:?}: {what}"))?;
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

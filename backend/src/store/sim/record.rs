//! A run of the real store on a simulated disk and the real SQLite, recorded.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use beckon_shared::chunk::ChunkKey;
use futures_util::future::join_all;

use super::{
    chance::Chance,
    disk::{Doing, SimDisk},
    platter::Platter,
    trace::Trace,
    workload::{ACCOUNT, Uploader, World},
};
use crate::{
    access::{Access, Right},
    clock::{Clock, fake::FakeClock},
    store::{
        Store,
        blob::disk::DiskBlobs,
        meta::{self, Meta, replay},
        writer::Parts,
    },
};

/// Where the data folder is on the simulated disk.
pub(super) const DATA: &str = "/";

/// Bytes go to the simulated disk in pieces of this size: small, so that there is much to tear.
pub(super) const PIECE: usize = 2 << 10;

/// Packs are sealed at this length: short, so that batches span several.
const PACK_LEN: usize = 48 << 10;

/// What a run is made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    /// Decides all that chance decides.
    pub(super) seed: u64,
    /// How often every machine does something.
    pub(super) rounds: usize,
    /// What the disk is like.
    pub(super) disk: Disk,
}

impl Plan {
    /// The plan of a seed; every other one is on a disk that fails.
    pub(super) fn of(seed: u64) -> Self {
        Self {
            seed,
            rounds: 24,
            disk: if seed.is_multiple_of(2) {
                Disk::Sound
            } else {
                Disk::Fails
            },
        }
    }
}

/// Whether the disk fails now and then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Disk {
    /// It does what it is told, until the power goes.
    Sound,
    /// It fails, and goes on.
    Fails,
}

/// Carries a plan out; what went otherwise than promised while it ran stands beside the trace.
pub(super) async fn record(plan: Plan) -> (Trace, Vec<String>) {
    let folder = fast_folder();
    let database = folder.path().join("meta.db");
    let (disk, clock) = (SimDisk::new(Platter::default()), Arc::new(FakeClock::new()));
    let (access, key) = prepare(&database, &clock).await;
    let base = std::fs::read(&database).unwrap();
    let meta = Meta::open(&url(&database)).await.unwrap();
    let (recorder, wal) = (disk.clone(), wal_of(&database));
    replay::watch_commits(&meta, move || recorder.committing(|| len(&wal))).await;
    let store = Store::over(parts(&disk, meta, clock.clone())).unwrap();
    let mut world = World::new(store.clone(), disk.clone(), clock.clone(), access, key);
    run(&mut world, plan).await;
    store.writer.close().await;
    let trace = Trace {
        seed: plan.seed,
        events: disk.events(),
        ledger: world.ledger().clone(),
        wal: std::fs::read(wal_of(&database)).unwrap(),
        ended: clock.now().0,
        database: base,
    };
    let untouched = std::fs::read(&database).unwrap() == trace.database;
    assert!(
        untouched,
        "a checkpoint got in the way; the log does not hold all that happened"
    );
    store.meta.close().await.unwrap();
    (trace, world.complaints())
}

async fn run(world: &mut World, plan: Plan) {
    let mut chance = Chance::new(plan.seed);
    // The first two are terminals that upload the same root of the same machine.
    let mut uploaders: Vec<Uploader> = [1, 1, 2]
        .map(|machine| Uploader::new(world, machine, Chance::new(chance.next())))
        .into();
    if plan.disk == Disk::Fails {
        world.is_faulty = true;
        let mut chance = Chance::new(chance.next());
        // There are many more writes than all else, and a pack has to survive them to be synced.
        let fails = move |doing| chance.once_in(if doing == Doing::Write { 300 } else { 20 });
        world.disk.set_faults(Some(Box::new(fails)));
    }
    for _ in 0..plan.rounds {
        let clean = chance.once_in(4);
        let (world, steps) = (&*world, uploaders.iter_mut());
        let cleaning = async {
            if clean {
                world.clean().await;
            }
        };
        tokio::join!(join_all(steps.map(|uploader| uploader.step(world))), cleaning);
    }
    // The disk is well again: all goes on by itself. The first sync may have to be proved by a probe.
    world.disk.set_faults(None);
    world.is_faulty = false;
    for uploader in &mut uploaders {
        uploader.begin_anew(world).await;
        uploader.upload(world).await;
    }
}

/// Makes a database with an account and its space, and folds its log.
pub(super) async fn prepare(database: &Path, clock: &FakeClock) -> (Access, ChunkKey) {
    let meta = Meta::open(&url(database)).await.unwrap();
    let txn = meta.write().await.unwrap();
    let space = meta::space::create(&txn, clock, ACCOUNT).await.unwrap();
    txn.commit().await.unwrap();
    let access = Access {
        account: ACCOUNT,
        admin: false,
        spaces: vec![(space, Right::Write)],
    };
    let space = access.own_space(Right::Write).unwrap();
    let key = meta::space::chunk_key(meta.read(), &space).await.unwrap();
    meta.close().await.unwrap();
    (access, key)
}

/// The parts of a store on a simulated disk.
pub(super) fn parts(disk: &SimDisk, meta: Meta, clock: Arc<FakeClock>) -> Parts {
    Parts {
        blobs: Arc::new(DiskBlobs::on(Arc::new(disk.clone()), Path::new(DATA), PIECE).unwrap()),
        meta,
        clock,
        reserve: 0,
        pack_len: PACK_LEN,
    }
}

/// A folder in memory where the system has one: SQLite's syncs are not what is tried here.
pub(super) fn fast_folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    match memory.is_dir() {
        true => tempfile::tempdir_in(memory).unwrap(),
        false => tempfile::tempdir().unwrap(),
    }
}

/// URL of a database.
pub(super) fn url(database: &Path) -> String {
    format!("sqlite:{}", database.display())
}

/// Where SQLite keeps the write-ahead log of a database.
pub(super) fn wal_of(database: &Path) -> PathBuf {
    database.with_extension("db-wal")
}

fn len(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |found| found.len())
}

//! A run of the real store on a simulated disk and the real SQLite, recorded.

use std::{
    any::Any,
    io,
    panic::AssertUnwindSafe,
    path::{Path, PathBuf},
    sync::Arc,
};

use beckon_shared::{chunk::ChunkKey, time::Timestamp};
use futures_util::{FutureExt, future::join_all};

use super::{
    chance::Chance,
    disk::{Doing, Ending, Fault, Faults, SimDisk},
    luck::Luck,
    platter::Platter,
    trace::{Trace, with_ends_of_commits},
    workload::{ACCOUNT, Uploader, World},
};
use crate::{
    access::{Access, Right},
    clock::{Clock, fake::FakeClock},
    store::{
        Error, Store,
        blob::disk::DiskBlobs,
        meta::{self, Meta, replay},
        writer::Parts,
    },
};

/// Where the data folder is on the simulated disk.
pub(super) const DATA: &str = "/";

/// Bytes go to the simulated disk in pieces of this size: small, so that there is much to tear.
pub(super) const PIECE: usize = 2 << 10;

/// Bytes of the disk that stay free.
const RESERVE: u64 = 1 << 20;

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
            rounds: 12,
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

/// Carries a plan out. What went otherwise than promised while it ran, a panic too, stands in the trace.
pub(super) async fn record(plan: Plan) -> Trace {
    let folder = fast_folder();
    let database = folder.path().join("meta.db");
    let clock = Arc::new(FakeClock::new());
    let (access, key) = prepare(&database, &clock).await;
    let base = std::fs::read(&database).unwrap();
    let wal = wal_of(&database);
    let disk = SimDisk::beside(Platter::default(), move || len(&wal));
    let mut world = World::new(Surroundings::new(&database, disk, clock).await, access, key).await;
    let ran = AssertUnwindSafe(run(&mut world, plan)).catch_unwind().await;
    if let Err(panic) = ran {
        world.complain(format!("it panicked: {}", said(&*panic)));
    }
    if std::fs::read(&database).unwrap() != base {
        world.complain("a checkpoint got in the way: the log does not hold all that happened");
    }
    let wal = std::fs::read(wal_of(&database)).unwrap();
    let trace = Trace {
        seed: plan.seed,
        events: with_ends_of_commits(world.at.disk.events(), wal.len() as u64),
        ledger: world.ledger().clone(),
        wal,
        ended: world.at.clock.now().0,
        database: base,
        complaints: world.complaints(),
    };
    // Whoever was cut off by a panic may not end well.
    let _ = world.store.close().await;
    trace
}

/// What a panic said.
pub(super) fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_default()
}

async fn run(world: &mut World, plan: Plan) {
    let mut chance = Chance::new(plan.seed);
    // The first two are terminals that upload the same root of the same machine.
    let mut uploaders: Vec<Uploader> = [1, 1, 2]
        .map(|machine| Uploader::new(world, machine, Chance::new(chance.next())))
        .into();
    if plan.disk == Disk::Fails {
        world.is_faulty = true;
        world.at.disk.set_faults(Some(faults(Chance::new(chance.next()))));
    }
    for _ in 0..plan.rounds {
        if chance.once_in(6) {
            let ending = match chance.below(3) {
                0 => Ending::Killed,
                1 => Ending::PowerCut(Luck::None),
                _ => Ending::PowerCut(Luck::Some(chance.next())),
            };
            world.at.disk.set_ending(Some((chance.below(150), ending)));
        }
        play_a_round(world, &mut uploaders, chance.once_in(4)).await;
        if !world.at.disk.is_alive() {
            world.start_again().await;
        }
    }
    // The disk is well again: all goes on by itself. The first sync may have to be proved by a probe.
    world.at.disk.set_ending(None);
    world.at.disk.set_faults(None);
    world.is_faulty = false;
    for uploader in &mut uploaders {
        uploader.begin_anew(world).await;
        uploader.upload(world).await;
    }
}

async fn play_a_round(world: &World, uploaders: &mut [Uploader], cleans: bool) {
    let cleaning = async {
        if cleans {
            world.clean().await;
        }
    };
    let steps = uploaders.iter_mut().map(|uploader| uploader.step(world));
    tokio::join!(join_all(steps), cleaning);
}

/// A disk that fails now and then.
fn faults(mut chance: Chance) -> Faults {
    Box::new(move |doing| {
        // There are many more writes than all else, and a pack has to survive them to be synced.
        let fails = chance.once_in(if doing == Doing::Write { 100 } else { 20 });
        let is_full = chance.once_in(2) && doing != Doing::Read;
        fails.then_some(if is_full { Fault::Full } else { Fault::Broken })
    })
}

/// What a store is in, and what stays when it ends.
pub(super) struct Surroundings {
    pub(super) database: PathBuf,
    pub(super) disk: SimDisk,
    pub(super) clock: Arc<FakeClock>,
    /// A way to the database that no end of a program cuts: what others than the store write goes by it, and while it is
    /// open the log is not folded.
    pub(super) harness: Meta,
}

impl Surroundings {
    pub(super) async fn new(database: &Path, disk: SimDisk, clock: Arc<FakeClock>) -> Self {
        let always = disk.of_harness();
        let harness = replay::open_watched(&url(database), move || always.may_commit()).await;
        Self {
            database: database.to_owned(),
            disk,
            clock,
            harness: harness.unwrap(),
        }
    }

    /// Starts a server; where the disk fails it may have to be tried again.
    pub(super) async fn start(&mut self) -> Store {
        for _ in 0..100 {
            self.disk = self.disk.revived();
            if let Ok(store) = self.try_start().await {
                return store;
            }
        }
        panic!("the server does not start")
    }

    async fn try_start(&self) -> Result<Store, Error> {
        let disk = self.disk.clone();
        let meta = replay::open_watched(&url(&self.database), move || disk.may_commit()).await?;
        let started = parts(&self.disk, meta.clone(), self.clock.clone()).map_err(Error::from);
        let started = started.and_then(|parts| {
            parts.blobs.sweep()?;
            Store::over(parts)
        });
        if started.is_err() {
            meta.close().await?;
        }
        started
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
pub(super) fn parts(disk: &SimDisk, meta: Meta, clock: Arc<FakeClock>) -> io::Result<Parts> {
    Ok(Parts {
        blobs: Arc::new(DiskBlobs::on(Arc::new(disk.clone()), Path::new(DATA), PIECE)?),
        meta,
        clock: Arc::new(FewFolders(clock)),
        reserve: RESERVE,
        pack_len: PACK_LEN,
    })
}

/// Draws ids of packs that lie in few folders, so that some lie in the same.
struct FewFolders(Arc<FakeClock>);

impl Clock for FewFolders {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn fill(&self, bytes: &mut [u8]) {
        self.0.fill(bytes);
        if let [.., last] = bytes {
            *last &= 7;
        }
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

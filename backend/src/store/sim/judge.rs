//! Losing power at each moment of a recorded run, in several ways, and judging what is left.
//!
//! What must hold wherever it stops: each chunk that a row names can be read and is what the machine had; what somebody was
//! told is so; a root shows exactly what its newest commit says; and no version is there that nobody committed.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use beckon_shared::id::{ChunkId, TransferId};

use super::{
    chance::mix,
    disk::SimDisk,
    luck::Luck,
    platter::{Edition, Entry, Platter},
    record::{self, DATA, PIECE},
    trace::{Event, Ledger, Source, Told, Trace},
};
use crate::store::{
    blob::{Blobs, disk::DiskBlobs},
    meta::{check::Indexed, replay},
    pack::PackId,
    read::content,
};

/// A moment of a run and what a crash left then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Point {
    /// So many events came before it.
    pub(super) event: usize,
    /// What was left.
    pub(super) luck: Luck,
}

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    /// Where.
    pub(super) point: Point,
    /// What.
    pub(super) what: String,
}

/// What was judged.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    /// In so many crashes.
    pub(super) points: usize,
    /// The first thing that is wrong.
    pub(super) finding: Option<Finding>,
}

/// Judges each moment of a run with `ways` crashes by chance, besides the two extremes; ends at the first finding.
pub(super) fn judge(trace: &Trace, states: &States, ways: u64) -> Verdict {
    let mut judge = Judge::new(trace, states);
    let mut points = 0;
    for event in 0..=trace.events.len() {
        let lucks = (0..ways).map(|way| Luck::Some(mix(trace.seed ^ mix(event as u64) ^ mix(way + 1))));
        let lucks = [Luck::None, Luck::All].into_iter().chain(lucks);
        let lucks = lucks.take(if judge.platter.is_settled() { 1 } else { usize::MAX });
        for luck in lucks {
            points += 1;
            if let Err(what) = judge.look(luck) {
                let point = Point { event, luck };
                let finding = Some(Finding { point, what });
                return Verdict { points, finding };
            }
        }
        if let Some(happened) = trace.events.get(event)
            && let Err(what) = judge.go_on(happened)
        {
            let luck = Luck::None;
            let point = Point { event: event + 1, luck };
            let finding = Some(Finding { point, what });
            return Verdict { points, finding };
        }
    }
    Verdict { points, finding: None }
}

/// What the database held after each commit of a run.
pub(super) struct States(Vec<Arc<Held>>);

/// What a database held, put as it is asked.
struct Held {
    state: replay::State,
    packs: Vec<Named>,
    by_id: HashMap<ChunkId, Indexed>,
}

/// A pack with what rows say is in it.
struct Named {
    path: PathBuf,
    pack: PackId,
    chunks: Vec<Indexed>,
    /// Tells these rows from others.
    rows: u64,
}

impl States {
    /// Has SQLite recover the database as it was after each commit.
    pub(super) async fn of(trace: &Trace) -> Self {
        let folder = record::fast_folder();
        let lens = trace.events.iter().filter_map(|event| match event {
            Event::Commit { wal } => Some(*wal),
            _ => None,
        });
        let mut states: Vec<Arc<Held>> = Vec::new();
        let mut last = None;
        for len in lens.chain([trace.wal.len() as u64]) {
            // A transaction that changed nothing leaves nothing in the log.
            if last != Some(len) {
                let database = lay_down(trace, len, folder.path());
                states.push(Arc::new(Held::new(replay::state(&database).await)));
            } else if let Some(same) = states.last().cloned() {
                states.push(same);
            }
            last = Some(len);
        }
        Self(states)
    }
}

/// Lays down the database as it was when its log was so long.
pub(super) fn lay_down(trace: &Trace, wal: u64, folder: &Path) -> PathBuf {
    let database = folder.join("meta.db");
    for rest in ["db-wal", "db-shm"] {
        let _ = std::fs::remove_file(database.with_extension(rest));
    }
    std::fs::write(&database, &trace.database).unwrap();
    std::fs::write(record::wal_of(&database), trace.wal_until(wal)).unwrap();
    database
}

impl Held {
    fn new(state: replay::State) -> Self {
        let blobs = blobs_on(Platter::default());
        let mut packs: BTreeMap<PackId, Vec<Indexed>> = BTreeMap::new();
        for chunk in &state.chunks {
            packs.entry(chunk.place.pack).or_default().push(*chunk);
        }
        let packs = packs.into_iter().map(|(pack, chunks)| Named {
            path: blobs.path(pack),
            pack,
            rows: rows(&chunks),
            chunks,
        });
        Self {
            packs: packs.collect(),
            by_id: state
                .chunks
                .iter()
                .map(|chunk| (chunk.place.header.id, *chunk))
                .collect(),
            state,
        }
    }
}

fn rows(chunks: &[Indexed]) -> u64 {
    chunks.iter().fold(0, |all, chunk| {
        mix(all ^ mix(chunk.place.no.cast_unsigned()) ^ chunk.place.start)
    })
}

fn blobs_on(platter: Platter) -> DiskBlobs {
    DiskBlobs::on(Arc::new(SimDisk::new(platter)), Path::new(DATA), PIECE).unwrap()
}

/// Goes through a run, event by event.
struct Judge<'a> {
    ledger: &'a Ledger,
    states: &'a States,
    platter: Platter,
    /// Commits that came so far: the state is that before the next one.
    commits: usize,
    told: HashMap<TransferId, BTreeSet<ChunkId>>,
    committed: HashMap<Source, u64>,
    /// Packs that were read and found good, with this content, for these rows.
    good: HashSet<(PackId, u64, Edition)>,
}

impl<'a> Judge<'a> {
    fn new(trace: &'a Trace, states: &'a States) -> Self {
        Self {
            ledger: &trace.ledger,
            states,
            platter: Platter::default(),
            commits: 0,
            told: HashMap::new(),
            committed: HashMap::new(),
            good: HashSet::new(),
        }
    }

    fn held(&self) -> Arc<Held> {
        self.states.0[self.commits].clone()
    }

    /// The next event happens. What was told is compared with what the database holds.
    fn go_on(&mut self, event: &Event) -> Result<(), String> {
        match event {
            Event::Deed(deed) => return self.platter.apply(deed).map_err(|error| format!("{deed:?}: {error}")),
            Event::Commit { .. } => self.commits += 1,
            Event::Told(Told::Stored(transfer, chunks)) => self.told.entry(*transfer).or_default().extend(chunks),
            Event::Told(Told::Committed(source, head)) => _ = self.committed.insert(*source, head.number),
            Event::Told(Told::Ended(transfer)) => _ = self.told.remove(transfer),
        }
        let held = self.held();
        self.is_as_told(&held)?;
        self.is_as_committed(&held)
    }

    /// What is said to be stored is named, until the transfer ends.
    fn is_as_told(&self, held: &Held) -> Result<(), String> {
        for (transfer, chunks) in &self.told {
            for id in chunks {
                match held.by_id.get(id) {
                    None => {
                        return Err(format!(
                            "chunk {id} was said to be stored for {transfer}, and no row names it"
                        ));
                    }
                    Some(chunk) if chunk.is_damaged => return Err(format!("chunk {id} is called damaged")),
                    Some(_) => {}
                }
            }
        }
        Ok(())
    }

    /// What can be seen of each root is what its newest commit says, and that is not older than what somebody was told.
    fn is_as_committed(&self, held: &Held) -> Result<(), String> {
        for root in &held.state.roots {
            let told = self.committed.get(&(root.device, root.root));
            if told.is_some_and(|told| *told > root.head.number) {
                return Err(format!(
                    "commit {told:?} was said to be in, and the head is {}",
                    root.head.number
                ));
            }
            let said = match root.head.number {
                0 => Some(Default::default()),
                _ => self.ledger.commits.get(&root.head.hash).cloned(),
            };
            if said.as_ref() != Some(&root.files) {
                return Err(format!(
                    "commit {} shows {:?} and says {said:?}",
                    root.head.number, root.files
                ));
            }
        }
        for manifest in &held.state.manifests {
            let chunks = self
                .ledger
                .manifests
                .get(manifest)
                .ok_or("a version is there that nobody committed")?;
            if let Some(id) = chunks.iter().find(|id| !held.by_id.contains_key(id)) {
                return Err(format!("chunk {id} of a version is not named"));
            }
        }
        Ok(())
    }

    /// Loses power, and reads all that rows name on what is left of the disk.
    fn look(&mut self, luck: Luck) -> Result<(), String> {
        let held = self.held();
        for named in &held.packs {
            let edition = match self.platter.left(&named.path, luck) {
                Ok(Entry::File(file)) => self.platter.edition(file, luck),
                found => return Err(format!("pack {} is lost: {found:?}", named.pack)),
            };
            let seen = (named.pack, named.rows, edition);
            if !self.good.contains(&seen) {
                self.read(named, &blobs_on(self.platter.crashed(luck)))?;
                self.good.insert(seen);
            }
        }
        Ok(())
    }

    fn read(&self, named: &Named, blobs: &DiskBlobs) -> Result<(), String> {
        for chunk in named.chunks.iter().filter(|chunk| !chunk.is_damaged) {
            let place = &chunk.place;
            let (id, end) = (place.header.id, place.start + u64::from(place.header.stored_len));
            let stored = blobs
                .read(place.pack, place.start..end)
                .map_err(|error| format!("chunk {id} cannot be read: {error}"))?;
            let content = content(stored.into(), place.header.encoding, place.header.len)
                .map_err(|_| format!("chunk {id} cannot be unpacked"))?;
            if self.ledger.chunk_key().id(&content) != id {
                return Err(format!("chunk {id} is not what its id says"));
            }
            if self.ledger.chunks.get(&id).is_none_or(|had| **had != *content) {
                return Err(format!("chunk {id} is not what the machine had"));
            }
        }
        Ok(())
    }
}

/// The disk as it is before the event with this number.
pub(super) fn platter_at(trace: &Trace, event: usize) -> Platter {
    let mut platter = Platter::default();
    for event in &trace.events[..event] {
        if let Event::Deed(deed) = event {
            platter.apply(deed).unwrap();
        }
    }
    platter
}

/// How long the log of the database is before the event with this number.
pub(super) fn wal_at(trace: &Trace, event: usize) -> u64 {
    let next = trace.events[event..].iter().find_map(|event| match event {
        Event::Commit { wal } => Some(*wal),
        _ => None,
    });
    next.unwrap_or(trace.wal.len() as u64)
}

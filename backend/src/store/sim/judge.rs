//! Losing power at each moment of a recorded run, in several ways, and judging what is left.
//!
//! What must hold wherever it stops: each chunk that a row names can be read and is what the machine had; what somebody was
//! told is so; a root shows exactly what its newest commit says; and no version is there that nobody committed. While the
//! database commits it may be found with the transaction or without it, so that both are judged.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
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
    /// So many crashes that left what no other left.
    pub(super) points: usize,
    /// So many crashes in all.
    pub(super) crashes: usize,
    /// The first thing that is wrong.
    pub(super) finding: Option<Finding>,
}

/// Judges each moment of a run with `ways` crashes by chance, besides the two extremes; ends at the first finding.
pub(super) fn judge(trace: &Trace, states: &States, ways: u64) -> Verdict {
    let mut judge = Judge::new(trace, states);
    let mut verdict = Verdict::default();
    for event in 0..=trace.events.len() {
        let lucks = (0..ways).map(|way| Luck::Some(mix(trace.seed ^ mix(event as u64) ^ mix(way + 1))));
        let lucks = [Luck::None, Luck::All].into_iter().chain(lucks);
        let lucks = lucks.take(if judge.platter.is_settled() { 1 } else { usize::MAX });
        for luck in lucks {
            verdict.crashes += 1;
            match judge.crash(luck) {
                Ok(points) => verdict.points += points,
                Err(what) => return verdict.with(Point { event, luck }, what),
            }
        }
        if let Some(happened) = trace.events.get(event)
            && let Err(what) = judge.go_on(happened)
        {
            let luck = Luck::None;
            return verdict.with(Point { event: event + 1, luck }, what);
        }
    }
    verdict
}

impl Verdict {
    fn with(self, point: Point, what: String) -> Self {
        Self {
            finding: Some(Finding { point, what }),
            ..self
        }
    }
}

/// What the database held after each commit of a run.
pub(super) struct States(Vec<Arc<Held>>);

/// What a database held, put as it is asked.
struct Held {
    /// Tells it from other contents.
    number: usize,
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
        let lens = trace.events.iter().filter_map(Event::commits_at);
        let mut states: Vec<Arc<Held>> = Vec::new();
        let mut last = None;
        for len in lens.chain([trace.wal.len() as u64]) {
            // A transaction that changed nothing leaves nothing in the log.
            if last != Some(len) {
                let database = lay_down(trace, len, folder.path());
                let state = replay::state(&database).await;
                states.push(Arc::new(Held::new(states.len(), state)));
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
    fn new(number: usize, state: replay::State) -> Self {
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
            number,
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

pub(super) fn blobs_on(platter: Platter) -> DiskBlobs {
    DiskBlobs::on(Arc::new(SimDisk::new(platter)), Path::new(DATA), PIECE).unwrap()
}

/// Goes through a run, event by event.
struct Judge<'a> {
    ledger: &'a Ledger,
    states: &'a States,
    platter: Platter,
    /// Commits that began so far: the state is that before the next one.
    commits: usize,
    /// Whether the last of them may still be lost.
    is_committing: bool,
    told: HashMap<TransferId, BTreeMap<ChunkId, Word>>,
    committed: HashMap<Source, u64>,
    /// Packs that were read and found good, with this content, for these rows.
    good: HashSet<(PackId, u64, Edition)>,
    /// What crashes left, and states of the database beside it.
    seen: HashSet<(u64, usize)>,
}

/// What was said of a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Present,
    Durable,
}

impl Word {
    fn text(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::Durable => "durable",
        }
    }
}

impl<'a> Judge<'a> {
    fn new(trace: &'a Trace, states: &'a States) -> Self {
        Self {
            ledger: &trace.ledger,
            states,
            platter: Platter::default(),
            commits: 0,
            is_committing: false,
            told: HashMap::new(),
            committed: HashMap::new(),
            good: HashSet::new(),
            seen: HashSet::new(),
        }
    }

    /// What the database may hold now.
    fn held(&self) -> Vec<Arc<Held>> {
        let oldest = self.commits - usize::from(self.is_committing);
        self.states.0[oldest..=self.commits].to_vec()
    }

    /// The next event happens. What was told is compared with what the database holds.
    fn go_on(&mut self, event: &Event) -> Result<(), String> {
        match event {
            Event::Deed(deed) => return self.platter.apply(deed).map_err(|error| format!("{deed:?}: {error}")),
            Event::Failed(..) | Event::Killed => return Ok(()),
            Event::Commit { .. } => {
                self.commits += 1;
                self.is_committing = true;
            }
            Event::Committed => self.is_committing = false,
            Event::Told(Told::Present(transfer, chunks)) => self.hear(*transfer, chunks, Word::Present)?,
            Event::Told(Told::Durable(transfer, chunks)) => self.hear(*transfer, chunks, Word::Durable)?,
            Event::Told(Told::Committed(source, head)) => _ = self.committed.insert(*source, head.number),
            Event::Told(Told::Ended(transfer)) => _ = self.told.remove(transfer),
        }
        for held in self.held() {
            self.is_as_told(&held)?;
            self.is_as_committed(&held)?;
        }
        Ok(())
    }

    /// Chunks are named when they are said to be there.
    fn hear(&mut self, transfer: TransferId, chunks: &[ChunkId], word: Word) -> Result<(), String> {
        for held in self.held() {
            if let Some(id) = chunks.iter().find(|id| !held.by_id.contains_key(id)) {
                return Err(format!("chunk {id} is said to be {}, and no row names it", word.text()));
            }
        }
        let told = self.told.entry(transfer).or_default();
        told.extend(chunks.iter().map(|id| (*id, word)));
        Ok(())
    }

    /// What was said to be stored stays so until the transfer ends.
    fn is_as_told(&self, held: &Held) -> Result<(), String> {
        for (transfer, chunks) in &self.told {
            for (id, word) in chunks {
                match held.by_id.get(id) {
                    None => {
                        let was = word.text();
                        return Err(format!("chunk {id} was said to be {was} for {transfer}, and is gone"));
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
        for (source, told) in &self.committed {
            let root = held.state.roots.iter().find(|root| (root.device, root.root) == *source);
            let head = root.map(|root| root.head.number);
            if head.is_none_or(|head| head < *told) {
                return Err(format!("commit {told} was said to be in, and the head is {head:?}"));
            }
        }
        for root in &held.state.roots {
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

    /// Loses power; how many things are left that no other crash left.
    fn crash(&mut self, luck: Luck) -> Result<usize, String> {
        let remains = self.platter.remains(luck);
        let mut new = 0;
        for held in self.held() {
            if self.seen.insert((remains, held.number)) {
                new += 1;
                self.look(&held, luck)?;
            }
        }
        Ok(new)
    }

    /// Reads all that rows name on what is left of the disk.
    fn look(&mut self, held: &Held, luck: Luck) -> Result<(), String> {
        for named in &held.packs {
            let edition = match self.platter.left(&named.path, luck) {
                Ok(Entry::File(file)) => self.platter.edition(file, luck),
                found => return Err(format!("pack {} is lost: {found:?}", named.pack)),
            };
            let seen = (named.pack, named.rows, edition);
            if !self.good.contains(&seen) {
                all_readable(self.ledger, &named.chunks, &blobs_on(self.platter.crashed(luck)))?;
                self.good.insert(seen);
            }
        }
        Ok(())
    }
}

/// Reads what is called sound, and compares it with what the machines had.
pub(super) fn all_readable(ledger: &Ledger, chunks: &[Indexed], blobs: &DiskBlobs) -> Result<(), String> {
    for chunk in chunks.iter().filter(|chunk| !chunk.is_damaged) {
        let place = &chunk.place;
        let (id, end) = (place.header.id, place.start + u64::from(place.header.stored_len));
        let stored = blobs
            .read(place.pack, place.start..end)
            .map_err(|error| format!("chunk {id} cannot be read: {error}"))?;
        let content = content(stored.into(), place.header.encoding, place.header.len)
            .map_err(|_| format!("chunk {id} cannot be unpacked"))?;
        if ledger.chunk_key().id(&content) != id {
            return Err(format!("chunk {id} is not what its id says"));
        }
        if ledger.chunks.get(&id).is_none_or(|had| **had != *content) {
            return Err(format!("chunk {id} is not what the machine had"));
        }
    }
    Ok(())
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

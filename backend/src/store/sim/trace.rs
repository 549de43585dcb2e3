//! What happened in a run, in one order: deeds on the disk, commits of the database, and what was told to those who upload.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use beckon_shared::{
    chunk::ChunkKey,
    commit::ChainHead,
    id::{ChunkId, DeviceId, Hash, RootId, SpaceId, TransferId},
};
use serde::{Deserialize, Serialize};

use super::{
    disk::{Doing, Fault},
    platter::{Deed, Success},
};

/// Something that happened.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Event {
    /// The disk was changed.
    Deed(Deed),
    /// The database begins to commit: until now its write-ahead log was so long.
    Commit {
        /// Length of the log in bytes.
        wal: u64,
    },
    /// The commit before is written: the database has answered, or is about to.
    Committed,
    /// Something failed, which may have changed nothing.
    Failed(Doing, Fault),
    /// The program was killed.
    Killed,
    /// Somebody was told something, or is about to say something.
    Told(Told),
}

impl Event {
    /// The length of the log where it is a commit that begins.
    pub(super) fn commits_at(&self) -> Option<u64> {
        match self {
            Self::Commit { wal } => Some(*wal),
            _ => None,
        }
    }

    /// What it is, in a word or two.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Commit { .. } => "commit of the database",
            Self::Committed => "commit that is done",
            Self::Failed(Doing::Write, Fault::Broken) => "failed write",
            Self::Failed(Doing::Write, Fault::Full) => "write to a full disk",
            Self::Failed(Doing::Read, _) => "failed read",
            Self::Failed(Doing::Name, Fault::Broken) => "failed change of a name",
            Self::Failed(Doing::Name, Fault::Full) => "name on a full disk",
            Self::Failed(Doing::Sync, _) => "fault of a sync",
            Self::Failed(Doing::Look, Fault::Broken) => "failed look",
            Self::Failed(Doing::Look, Fault::Full) => "full disk that says so",
            Self::Failed(Doing::Commit, _) => "failed commit of the database",
            Self::Killed => "kill",
            Self::Told(Told::Present(..)) => "present",
            Self::Told(Told::Durable(..)) => "durable",
            Self::Told(Told::Committed(..)) => "committed",
            Self::Told(Told::Ended(_)) => "ended",
            Self::Deed(Deed::PowerCut(_)) => "power cut",
            Self::Deed(Deed::Create(_)) => "file",
            Self::Deed(Deed::Append(..)) => "write",
            Self::Deed(Deed::Sync(_, Success::Good)) => "sync",
            Self::Deed(Deed::Sync(_, Success::Bad)) => "failed sync",
            Self::Deed(Deed::MakeFolder(_)) => "folder",
            Self::Deed(Deed::Rename(..)) => "rename",
            Self::Deed(Deed::Remove(_)) => "removal",
            Self::Deed(Deed::SyncFolder(_, Success::Good)) => "folder sync",
            Self::Deed(Deed::SyncFolder(_, Success::Bad)) => "failed folder sync",
        }
    }
}

/// The events as they happened, with each commit's end before the first one at which the log held all of it; at its end it
/// was `wal` long.
pub(super) fn with_ends_of_commits(happened: Vec<(u64, Event)>, wal: u64) -> Vec<Event> {
    let mut ends: Vec<u64> = happened
        .iter()
        .filter_map(|(_, event)| event.commits_at())
        .skip(1)
        .collect();
    ends.push(wal);
    let mut ends = ends.into_iter();
    let mut going_on: Option<u64> = None;
    let mut events = Vec::with_capacity(happened.len() * 2);
    for (log_len, event) in happened {
        if going_on.is_some_and(|end| log_len >= end) {
            events.push(Event::Committed);
            going_on = None;
        }
        if event.commits_at().is_some() {
            going_on = ends.next();
        }
        events.push(event);
    }
    events.extend(going_on.map(|_| Event::Committed));
    events
}

/// What is said between the store and those who upload.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Told {
    /// These chunks are there already, and stay while the transfer is open.
    Present(TransferId, Vec<ChunkId>),
    /// These chunks were sent and are durable, and stay while the transfer is open.
    Durable(TransferId, Vec<ChunkId>),
    /// A commit is in.
    Committed(Source, ChainHead),
    /// The transfer is about to end: what it needed is not needed for it any more.
    Ended(TransferId),
}

/// A root of a machine.
pub(super) type Source = (DeviceId, RootId);

/// What a commit makes of a root: the hash of the manifest of each path.
pub(super) type Files = BTreeMap<String, Hash>;

/// What the machines had: what they upload is measured by it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Ledger {
    /// The space of all of it.
    pub(super) space: Option<SpaceId>,
    /// Its key.
    pub(super) key: [u8; 32],
    /// Content by its id.
    pub(super) chunks: BTreeMap<ChunkId, Vec<u8>>,
    /// The chunks of each manifest that was sent, by its hash.
    pub(super) manifests: BTreeMap<Hash, Vec<ChunkId>>,
    /// Commits that were sent, with all that their root holds once they are in.
    pub(super) commits: BTreeMap<Hash, Files>,
}

impl Ledger {
    /// The key of the chunks.
    pub(super) fn chunk_key(&self) -> ChunkKey {
        ChunkKey(self.key)
    }

    /// Takes down a piece of content.
    pub(super) fn note(&mut self, content: &[u8]) -> ChunkId {
        let id = self.chunk_key().id(content);
        self.chunks.entry(id).or_insert_with(|| content.to_vec());
        id
    }
}

/// A whole run: enough to judge each moment of it again.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Trace {
    /// Of the workload.
    pub(super) seed: u64,
    /// In order.
    pub(super) events: Vec<Event>,
    /// What was uploaded.
    pub(super) ledger: Ledger,
    /// The database's file, which no checkpoint has touched since the run began.
    pub(super) database: Vec<u8>,
    /// Its write-ahead log at the end.
    pub(super) wal: Vec<u8>,
    /// Milliseconds on the run's clock at its end.
    pub(super) ended: i64,
    /// What went otherwise than promised while it ran.
    pub(super) complaints: Vec<String>,
}

impl Trace {
    /// Where failures are kept.
    fn folder() -> PathBuf {
        let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
        std::env::var_os("CARGO_TARGET_DIR")
            .map_or(target, PathBuf::from)
            .join("sim")
    }

    /// Keeps the run, so that it can be judged again.
    pub(super) fn save(&self) -> PathBuf {
        let path = Self::folder().join(format!("{}.trace", self.seed));
        fs::create_dir_all(Self::folder()).unwrap();
        self.save_as(&path);
        path
    }

    pub(super) fn save_as(&self, path: &Path) {
        fs::write(path, postcard::to_stdvec(self).unwrap()).unwrap();
    }

    /// A run that was kept.
    pub(super) fn load(path: &Path) -> Self {
        postcard::from_bytes(&fs::read(path).unwrap()).unwrap()
    }

    /// Where the log ends as the database is before the event with this number: anywhere between the two, if a commit is going on.
    pub(super) fn log_at(&self, event: usize) -> (u64, u64) {
        let later = self.events[event..].iter().find_map(Event::commits_at);
        let end = later.unwrap_or(self.wal.len() as u64);
        let earlier = self.events[..event].iter().rev();
        let going_on = earlier
            .take_while(|event| !matches!(event, Event::Committed))
            .find_map(Event::commits_at);
        (going_on.unwrap_or(end), end)
    }

    /// What the write-ahead log held so many bytes long.
    pub(super) fn wal_until(&self, len: u64) -> &[u8] {
        &self.wal[..self.wal.len().min(len as usize)]
    }
}

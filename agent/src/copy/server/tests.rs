//! A server in memory that hands over what an author committed, and lies where a test wants it to.

use std::{
    collections::HashMap,
    sync::{MutexGuard, atomic::AtomicUsize, atomic::Ordering::SeqCst},
};

use beckon_shared::{
    bulk::Encoding,
    chunk::{ChunkKey, ChunkRef, cut},
    commit::Change,
    entry::SourceStamp,
    id::ChunkId,
    manifest::{Content, ContentHasher, FileContent, Manifest},
    path::RootPath,
};
use tokio::sync::watch;

use super::*;
use crate::copy::chain::tests::Author;

pub(crate) const KEY: ChunkKey = ChunkKey([5; 32]);

/// What the server holds, and how it answers.
pub(crate) struct Store {
    pub(crate) author: Author,
    pub(crate) commits: Vec<CommitRecord>,
    pub(crate) manifests: HashMap<Hash, Bytes>,
    pub(crate) chunks: HashMap<ChunkId, Bytes>,
    pub(crate) beside: Vec<u8>,
    pub(crate) problems: Vec<Problem>,
    /// Which chunks were read.
    pub(crate) read: Vec<ChunkId>,
    /// The next so many questions break.
    pub(crate) breaks: usize,
    /// Bends each body of commits.
    pub(crate) bend: fn(&mut Vec<CommitRecord>),
}

/// One server; clones are the same.
#[derive(Clone)]
pub(crate) struct Fake {
    store: Arc<Mutex<Store>>,
    pub(crate) told: watch::Sender<(Hold, Progress)>,
    pub(crate) questions: Arc<AtomicUsize>,
}

impl Fake {
    pub(crate) fn new(author: Author) -> Self {
        Self {
            store: Arc::new(Mutex::new(Store {
                author,
                commits: Vec::new(),
                manifests: HashMap::new(),
                chunks: HashMap::new(),
                beside: Vec::new(),
                problems: Vec::new(),
                read: Vec::new(),
                breaks: 0,
                bend: |_| {},
            })),
            told: watch::Sender::new((Hold::None, Progress::default())),
            questions: Arc::default(),
        }
    }

    pub(crate) fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap()
    }

    /// Waits until a copy says that it is as it should be; how far it is then.
    pub(crate) async fn current(&self) -> Progress {
        let mut told = self.told.subscribe();
        let current = told.wait_for(|(hold, _)| *hold == Hold::Current).await;
        current.unwrap().1
    }

    fn question(&self) -> Result<MutexGuard<'_, Store>, Failure> {
        self.questions.fetch_add(1, SeqCst);
        let mut store = self.store();
        if store.breaks > 0 {
            store.breaks -= 1;
            return Err(Failure::Break);
        }
        Ok(store)
    }
}

impl Store {
    /// Stores what a file holds; its manifest.
    pub(crate) fn file(&mut self, content: &[u8]) -> Manifest {
        let mut hasher = ContentHasher::default();
        let mut rest = content;
        while !rest.is_empty() {
            let (chunk, behind) = rest.split_at(cut(rest));
            let id = KEY.id(chunk);
            self.chunks.insert(id, Bytes::copy_from_slice(chunk));
            hasher.add(id, chunk);
            rest = behind;
        }
        let sum = hasher.finish();
        Manifest {
            suite: 0,
            mode: 0o644,
            mtime_ns: 1_700_000_000_000_000_000,
            content: Content::File(FileContent {
                stamp: SourceStamp {
                    size: sum.size,
                    mtime_ns: 1_700_000_000_000_000_000,
                    ctime_ns: 1,
                    file_id: 1,
                },
                read_ns: 1_800_000_000_000_000_000,
                hash: sum.hash,
                crc32: sum.crc32,
                torn: false,
                sparse: false,
                chunks: sum.chunks,
            }),
        }
    }

    /// Stores a manifest; the change that puts it.
    pub(crate) fn put(&mut self, path: &str, manifest: &Manifest) -> Change {
        let encoded = wire::encode(manifest);
        let hash = Hash::of(&encoded);
        self.manifests.insert(hash, encoded.into());
        Change::Put {
            path: RootPath::new(path).unwrap(),
            manifest: hash,
        }
    }

    pub(crate) fn put_file(&mut self, path: &str, content: &[u8]) -> Change {
        let manifest = self.file(content);
        self.put(path, &manifest)
    }

    pub(crate) fn put_folder(&mut self, path: &str) -> Change {
        let folder = Manifest {
            suite: 0,
            mode: 0o755,
            mtime_ns: 1_700_000_000_000_000_000,
            content: Content::Folder,
        };
        self.put(path, &folder)
    }

    pub(crate) fn commit(&mut self, changes: &[Change]) {
        let record = self.author.commit(changes);
        self.commits.push(record);
    }
}

/// The chunks of a file.
pub(crate) fn chunks(manifest: &Manifest) -> Vec<ChunkRef> {
    match &manifest.content {
        Content::File(file) => file.chunks.clone(),
        _ => Vec::new(),
    }
}

impl Remote for Fake {
    async fn begin(&self) -> Result<CopyGrant, Failure> {
        let store = self.question()?;
        Ok(CopyGrant {
            ticket: [0; 32],
            chunk_key: KEY,
            origin: Some(store.author.certificate()),
        })
    }

    async fn commits(&self, after: u64) -> Result<Vec<CommitRecord>, Failure> {
        let store = self.question()?;
        let behind = store.commits.iter().skip(usize::try_from(after).unwrap());
        let mut some: Vec<_> = behind.take(3).cloned().collect();
        (store.bend)(&mut some);
        Ok(some)
    }

    async fn manifests(&self, wanted: Vec<Hash>) -> Result<Vec<Option<Bytes>>, Failure> {
        let store = self.question()?;
        let some = wanted.iter().take(2);
        Ok(some.map(|hash| store.manifests.get(hash).cloned()).collect())
    }

    async fn beside(&self) -> Result<Vec<u8>, Failure> {
        Ok(self.question()?.beside.clone())
    }

    async fn read(&self, request: ReadRequest, out: mpsc::Sender<(ChunkHeader, Bytes)>) -> Result<(), Failure> {
        let found: Vec<_> = {
            let mut store = self.question()?;
            store.read.extend(&request.chunks);
            let held = |id: &ChunkId| Some((*id, store.chunks.get(id)?.clone()));
            request.chunks.iter().filter_map(held).collect()
        };
        for (id, bytes) in found {
            let len = u32::try_from(bytes.len()).unwrap();
            let header = ChunkHeader {
                id,
                encoding: Encoding::Plain,
                len,
                stored_len: len,
            };
            if out.send((header, bytes)).await.is_err() {
                break;
            }
        }
        Ok(())
    }

    async fn report(&self, offset: u64, problems: Vec<Problem>) -> Result<(), Failure> {
        let mut store = self.question()?;
        store.problems.truncate(usize::try_from(offset).unwrap());
        store.problems.extend(problems);
        Ok(())
    }

    fn progress(&self, hold: Hold, progress: Progress) {
        self.told.send_replace((hold, progress));
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_breaks_is_asked_again_and_one_that_says_no_is_not() {
    let fake = Fake::new(Author::new(1));
    fake.store().breaks = 5;
    assert!(asked(&fake, Pace::NORMAL, || fake.begin()).await.is_ok());
    assert_eq!(fake.questions.load(SeqCst), 6);
    let gone = || async { Err::<(), _>(Failure::Refused(Refusal::new(ErrorCode::NotFound, "no such transfer"))) };
    assert_eq!(
        asked(&fake, Pace::NORMAL, gone).await.map_err(|refusal| refusal.code),
        Err(ErrorCode::NotFound)
    );
    let lapsed = || async { Err::<(), _>(Failure::Ticket) };
    assert_eq!(
        asked(&fake, Pace::NORMAL, lapsed).await.map_err(|refusal| refusal.code),
        Err(ErrorCode::NotAllowed)
    );
}

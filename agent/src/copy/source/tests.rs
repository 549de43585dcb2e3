//! Sources that are played: one that lies, one that is silent, one that dies in the middle.

use std::{
    collections::HashMap,
    future::pending,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
};

use beckon_shared::{chunk::ChunkRef, entry::SourceStamp, id::Hash, path::RootPath};
use bytes::Bytes;

use super::*;
use crate::{
    copy::{
        Whence,
        chain::tests::Author,
        server::tests::{Fake, KEY},
    },
    session::Unanswered,
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    Honest,
    Lies,
    Silent,
    /// After so many answers.
    Dies(usize),
    Knows(usize),
}

struct Played {
    manner: Manner,
    chunks: HashMap<ChunkId, Bytes>,
    asked: AtomicUsize,
    is_left: AtomicBool,
}

impl Line for Played {
    async fn chunk(&self, want: &Want) -> Result<Bytes, Unanswered> {
        let asked = self.asked.fetch_add(1, SeqCst);
        let held = self.chunks[&want.chunk.id].clone();
        match self.manner {
            Manner::Silent => pending().await,
            Manner::Lies => Ok(Bytes::from(vec![0xff; held.len()])),
            Manner::Dies(after) if asked >= after => Err(Unanswered::Lost),
            Manner::Knows(some) if asked >= some => Err(Unanswered::Refused(broken())),
            Manner::Honest | Manner::Dies(_) | Manner::Knows(_) => Ok(held),
        }
    }

    fn leave(&self) {
        self.is_left.store(true, SeqCst);
    }
}

struct Holders(Mutex<Vec<Arc<Played>>>);

impl Lines for Holders {
    type Line = Played;

    async fn open(&self) -> Vec<Arc<Played>> {
        let all = self.0.lock().unwrap();
        all.iter().filter(|one| !one.is_left.load(SeqCst)).cloned().collect()
    }
}

struct Scene {
    fake: Fake,
    sources: Sources<Fake, Holders>,
    wants: Vec<Want>,
}

impl Scene {
    /// Fifty chunks that the server has, and machines with these manners.
    fn new(manners: &[Manner]) -> Self {
        let fake = Fake::new(Author::new(1));
        let contents: Vec<_> = (0..50u8)
            .map(|seed| Bytes::from(vec![seed; 1000 + usize::from(seed)]))
            .collect();
        let chunks: HashMap<_, _> = contents.iter().map(|bytes| (KEY.id(bytes), bytes.clone())).collect();
        fake.store().chunks.clone_from(&chunks);
        let played = manners.iter().map(|manner| {
            Arc::new(Played {
                manner: *manner,
                chunks: chunks.clone(),
                asked: AtomicUsize::new(0),
                is_left: AtomicBool::new(false),
            })
        });
        let book = Book::in_memory().unwrap();
        let sources = Sources {
            remote: Arc::new(fake.clone()),
            lines: Holders(Mutex::new(played.collect())),
            own: Own::new(book, KEY, Arc::new(|_| Err(broken()))),
            key: KEY,
            pace: Pace::NORMAL,
        };
        let wants = contents.iter().map(|bytes| Want {
            chunk: ChunkRef {
                id: KEY.id(bytes),
                len: u32::try_from(bytes.len()).unwrap(),
            },
            offset: 0,
            origin: RootPath::new("file").unwrap(),
            manifest: Hash([1; 32]),
            stamp: SourceStamp {
                size: 1,
                mtime_ns: 1,
                ctime_ns: 1,
                file_id: 1,
            },
        });
        Self {
            fake,
            wants: wants.collect(),
            sources,
        }
    }

    /// How many chunks came from machines, and how many from the server. All are what they should be, and came once.
    async fn fetch(&self) -> (usize, usize) {
        let (out, mut got) = mpsc::channel(4);
        let fetching = self.sources.fetch(self.wants.clone(), Vec::new(), out);
        let taking = async {
            let mut all = Vec::new();
            while let Some(one) = got.recv().await {
                assert_eq!(KEY.id(&one.bytes), one.chunk);
                all.push((one.chunk, one.from));
            }
            all
        };
        let (fetched, all) = tokio::join!(fetching, taking);
        fetched.unwrap();
        let once: HashSet<_> = all.iter().map(|(id, _)| *id).collect();
        assert_eq!(once.len(), all.len(), "each comes once");
        let from = |whence| all.iter().filter(|(_, from)| *from == whence).count();
        (from(Whence::Direct), from(Whence::Server))
    }

    fn is_left(&self, at: usize) -> bool {
        self.sources.lines.0.lock().unwrap()[at].is_left.load(SeqCst)
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_machine_near_by_has_does_not_come_from_the_server() {
    let scene = Scene::new(&[Manner::Honest]);
    assert_eq!(scene.fetch().await, (50, 0));
    assert!(scene.fake.store().read.is_empty());
}

#[tokio::test(start_paused = true)]
async fn without_any_machine_all_comes_from_the_server_and_each_once() {
    let mut scene = Scene::new(&[]);
    scene.wants.extend(scene.wants.clone());
    assert_eq!(scene.fetch().await, (0, 50));
    assert_eq!(scene.fake.store().read.len(), 50);
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_lies_or_is_silent_or_dies_is_left_and_the_others_give_the_rest() {
    let scene = Scene::new(&[Manner::Lies, Manner::Silent, Manner::Dies(3), Manner::Honest]);
    assert_eq!(scene.fetch().await, (50, 0));
    assert_eq!([0, 1, 2, 3].map(|at| scene.is_left(at)), [true, true, true, false]);
    assert_eq!(scene.fetch().await, (50, 0), "and so it is the next time");
}

#[tokio::test(start_paused = true)]
async fn if_all_machines_fail_the_server_gives_the_rest() {
    let scene = Scene::new(&[Manner::Lies, Manner::Dies(10)]);
    assert_eq!(scene.fetch().await, (10, 40));
    let scene = Scene::new(&[Manner::Knows(7)]);
    assert_eq!(scene.fetch().await, (7, 43));
    assert!(!scene.is_left(0), "that it has not all is no fault");
}

#[tokio::test(start_paused = true)]
async fn after_a_break_only_what_has_not_come_is_asked_again_and_a_swapped_chunk_never_comes() {
    let scene = Scene::new(&[]);
    scene.fake.store().breaks = 3;
    assert_eq!(scene.fetch().await, (0, 50));
    let victim = scene.wants[7].chunk.id;
    let other = scene.fake.store().chunks[&scene.wants[8].chunk.id].clone();
    scene.fake.store().chunks.insert(victim, other.slice(..1007));
    assert_eq!(scene.fetch().await, (0, 49));
}

//! Whole uploads in virtual time through bad weather: answers come late, out of order or never, questions arrive twice or
//! long after they were given up, the line is cut for a while, and the server forgets what it had not confirmed.
//!
//! What goes wrong follows from a seed. Threads that read files run in real time beside it, so a seed repeats the weather and
//! not each interleaving. `BECKON_WEATHER=SEED` plays one seed alone.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hasher},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use beckon_shared::{
    bulk::{Bitmap, CommitReply, CommitUpload},
    id::ChunkId,
};
use tokio::time::Instant;

use super::*;
use crate::upload::{encode::Body, window::WINDOW_MAX};

/// Seeds of the default run.
const SEEDS: u64 = 40;
/// As long as the agent waits for an answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// Progress resumes so soon after the end of a fault.
const RESUMES: Duration = Duration::from_secs(30);
/// The server needs so long to make chunks durable.
const SYNC: Duration = Duration::from_millis(100);
/// Virtual time moves by so much at a time.
const TICK: Duration = Duration::from_millis(50);

/// What goes wrong when.
#[derive(Clone)]
struct Weather {
    server: Fake,
    seed: u64,
    begun: Instant,
    /// When the line is cut, and for how long.
    cuts: Vec<(Duration, Duration)>,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    questions: AtomicU64,
    on_its_way: AtomicU64,
    /// The most that was on its way at once.
    most: AtomicU64,
    acknowledged: Mutex<HashSet<ChunkId>>,
    /// Acknowledged, and sent all the same.
    repeated: AtomicU64,
    /// When answers came that were heard.
    heard: Mutex<Vec<Duration>>,
    restarts: AtomicU64,
}

/// What becomes of one question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Answered,
    Twice,
    /// It never arrives.
    Lost,
    /// It arrives, and its answer does not.
    Unheard,
    /// It arrives when it was given up long ago.
    Late,
    /// The server is started again: it knows tickets no more, nor what was not durable.
    Restarted,
}

impl Weather {
    fn new(server: Fake, seed: u64) -> Self {
        let begun = Instant::now();
        let random = |what: &str, below: u64| number((seed, what), below);
        let cuts = (0..random("cuts", 3)).map(|at| {
            let from = Duration::from_millis(number((seed, "cut", at), 20_000));
            (from, Duration::from_millis(200 + number((seed, "length", at), 40_000)))
        });
        Self {
            server,
            seed,
            begun,
            cuts: cuts.collect(),
            seen: Arc::default(),
        }
    }

    fn is_cut(&self) -> bool {
        let now = self.begun.elapsed();
        self.cuts
            .iter()
            .any(|(from, length)| (*from..*from + *length).contains(&now))
    }

    /// Nothing goes wrong for a while after a cut, so that it can be seen how soon progress resumes.
    fn is_calm(&self) -> bool {
        let now = self.begun.elapsed();
        let calm = |(from, length): &(Duration, Duration)| (*from + *length..*from + *length + RESUMES).contains(&now);
        self.cuts.iter().any(calm)
    }

    /// The number of a question, and what becomes of it.
    fn fate(&self) -> (u64, Fate) {
        let at = self.seen.questions.fetch_add(1, Relaxed);
        let badness = number((self.seed, "badness"), 30);
        let fate = match number((self.seed, "fate", at), 100) {
            _ if self.is_cut() => Fate::Lost,
            luck if luck >= badness || self.is_calm() => Fate::Answered,
            luck => match luck % 5 {
                0 => Fate::Twice,
                1 => Fate::Lost,
                2 => Fate::Unheard,
                3 => Fate::Late,
                _ => Fate::Restarted,
            },
        };
        (at, fate)
    }

    async fn travel(&self, at: u64, what: &str) {
        let slowness = 1 + number((self.seed, "slowness"), 400);
        tokio::time::sleep(Duration::from_millis(number((self.seed, what, at), slowness))).await;
    }

    /// Asks `question` as fate will have it.
    async fn ask<T, F>(&self, question: impl Fn() -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>> + Send + 'static,
        T: Send + 'static,
    {
        let (at, fate) = self.fate();
        self.travel(at, "there").await;
        match fate {
            Fate::Lost => return self.given_up().await,
            Fate::Restarted => {
                self.seen.restarts.fetch_add(1, Relaxed);
                return Err(Failure::Ticket);
            }
            Fate::Late => {
                let late = question();
                tokio::spawn(async move {
                    tokio::time::sleep(PATIENCE * 2).await;
                    let _ = late.await;
                });
                return self.given_up().await;
            }
            Fate::Twice => _ = question().await,
            Fate::Answered | Fate::Unheard => {}
        }
        let answer = question().await;
        self.travel(at, "back").await;
        if fate == Fate::Unheard || self.is_cut() {
            return self.given_up().await;
        }
        self.seen.heard.lock().unwrap().push(self.begun.elapsed());
        answer
    }

    async fn given_up<T>(&self) -> Result<T, Failure> {
        tokio::time::sleep(PATIENCE).await;
        Err(Failure::Break)
    }

    fn acknowledge(&self, ids: impl IntoIterator<Item = ChunkId>) {
        self.seen.acknowledged.lock().unwrap().extend(ids);
    }
}

/// On its way until it is dropped.
struct OnItsWay(Arc<Seen>, u64);

impl Drop for OnItsWay {
    fn drop(&mut self) {
        self.0.on_its_way.fetch_sub(self.1, Relaxed);
    }
}

impl Remote for Weather {
    async fn begin(&self) -> Result<UploadGrant, Failure> {
        let server = self.server.clone();
        self.ask(move || {
            let server = server.clone();
            async move { server.begin().await }
        })
        .await
    }

    async fn selection(&self) -> Result<Vec<u8>, Failure> {
        self.server.selection().await
    }

    async fn have(&self, chunks: Vec<ChunkId>) -> Result<Bitmap, Failure> {
        let (server, asked) = (self.server.clone(), chunks.clone());
        let missing = self
            .ask(move || {
                let (server, asked) = (server.clone(), asked.clone());
                async move { server.have(asked).await }
            })
            .await?;
        let present = chunks.iter().enumerate().filter(|(at, _)| !missing.get(*at));
        self.acknowledge(present.map(|(_, id)| *id));
        Ok(missing)
    }

    async fn send(&self, body: Body) -> Result<(), Failure> {
        let chunks: Vec<_> = body.into_encoded().collect();
        let ids: Vec<ChunkId> = chunks.iter().map(|chunk| chunk.header.id).collect();
        let content: u64 = chunks.iter().map(|chunk| u64::from(chunk.header.len)).sum();
        let before = self.seen.on_its_way.fetch_add(content, Relaxed);
        let _on_its_way = OnItsWay(Arc::clone(&self.seen), content);
        self.seen.most.fetch_max(before + content, Relaxed);
        {
            let acknowledged = self.seen.acknowledged.lock().unwrap();
            let repeated = ids.iter().filter(|id| acknowledged.contains(id)).count();
            self.seen.repeated.fetch_add(repeated as u64, Relaxed);
        }
        let arrives = {
            let (server, seen) = (self.server.clone(), Arc::clone(&self.seen));
            let chunks = Arc::new(chunks);
            move || {
                let (server, seen, chunks) = (server.clone(), Arc::clone(&seen), Arc::clone(&chunks));
                async move {
                    // What is received is durable some time later, unless the server ends in between.
                    let life = seen.restarts.load(Relaxed);
                    tokio::time::sleep(SYNC).await;
                    if seen.restarts.load(Relaxed) != life {
                        return Err(Failure::Break);
                    }
                    server.with(|store| chunks.iter().for_each(|chunk| store.take_one(chunk)));
                    Ok(())
                }
            }
        };
        self.ask(arrives).await?;
        self.acknowledge(ids);
        Ok(())
    }

    async fn commit(&self, upload: &CommitUpload) -> Result<CommitReply, Failure> {
        let (server, upload) = (self.server.clone(), upload.clone());
        self.ask(move || {
            let (server, upload) = (server.clone(), upload.clone());
            async move { server.commit(&upload).await }
        })
        .await
    }

    async fn report(&self, offset: u64, problems: &[Problem]) -> Result<(), Failure> {
        // The control socket keeps the order of what it carries.
        self.server.report(offset, problems).await
    }

    fn progress(&self, hold: Hold, progress: Progress) {
        self.server.progress(hold, progress);
    }
}

/// A number below `below` that follows from `what`.
fn number(what: impl std::hash::Hash, below: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish() % below.max(1)
}

/// Lets virtual time pass while others work in real time.
async fn clock() -> std::convert::Infallible {
    loop {
        spawn_blocking(|| std::thread::sleep(Duration::from_micros(50)))
            .await
            .unwrap();
        tokio::time::advance(TICK).await;
    }
}

fn tree(seed: u64) -> Vec<(String, Vec<u8>)> {
    let count = 1 + number((seed, "files"), 40);
    let file = |at: u64| {
        let len = match number((seed, "kind", at), 10) {
            0 => number((seed, "len", at), 9 << 20),
            1..4 => number((seed, "len", at), 400_000),
            _ => number((seed, "len", at), 3000),
        };
        let content = noise(len as usize, number((seed, "content", at), 200) as u8);
        (format!("folder {}/file {at}", at % 3), content)
    };
    (0..count).map(file).collect()
}

async fn weathered(seed: u64) -> Arc<Seen> {
    let bench = Bench::new();
    let files = tree(seed);
    for (path, content) in &files {
        bench.write(path, content);
    }
    let weather = Weather::new(bench.server.clone(), seed);
    let shared = bench.shared(weather.clone(), Pace::NORMAL);
    let upload = upload(bench.job(&[""]), shared, bench.index.clone(), Arc::default());
    let outcome = tokio::select! {
        outcome = upload => outcome,
        () = tokio::time::sleep(Duration::from_secs(3600)) => panic!("seed {seed}: it does not come to its end"),
        never = clock() => match never {},
    };
    let (seen, over) = (Arc::clone(&weather.seen), weather.begun.elapsed());
    let Outcome::Ended { state, progress, error } = outcome else {
        panic!("seed {seed}: {outcome:?}")
    };
    assert_eq!((state, error), (TransferState::Done, None), "seed {seed}");
    assert_eq!(progress.files_done, files.len() as u64, "seed {seed}");
    bench.server.with(|store| {
        for (path, content) in &files {
            assert!(store.content(&below(path)) == *content, "seed {seed}: {path} differs");
        }
    });
    for (path, content) in &files {
        assert!(
            fs::read(bench.path(path)).unwrap() == *content,
            "seed {seed}: {path} was changed"
        );
    }
    assert_eq!(
        seen.repeated.load(Relaxed),
        0,
        "seed {seed}: sent again although acknowledged"
    );
    let most = seen.most.load(Relaxed);
    assert!(most <= WINDOW_MAX, "seed {seed}: {most} bytes were on their way");
    for (from, length) in &weather.cuts {
        let end = *from + *length;
        let apart = |(other, other_length): &(Duration, Duration)| {
            other == from || *other + *other_length < *from || *other > end + RESUMES
        };
        let calm = weather.cuts.iter().all(apart);
        let heard = seen.heard.lock().unwrap();
        let resumed = heard.iter().any(|at| (end..=end + RESUMES).contains(at));
        assert!(
            !calm || over <= end + RESUMES || resumed,
            "seed {seed}: cut until {end:?}, heard {heard:?}"
        );
    }
    seen
}

#[tokio::test(start_paused = true)]
async fn whatever_the_weather_all_arrives_once() {
    let seeds = match std::env::var("BECKON_WEATHER").ok().and_then(|seed| seed.parse().ok()) {
        Some(seed) => seed..seed + 1,
        None => 0..SEEDS,
    };
    let (mut questions, mut restarts) = (0, 0);
    for seed in seeds.clone() {
        let seen = weathered(seed).await;
        questions += seen.questions.load(Relaxed);
        restarts += seen.restarts.load(Relaxed);
    }
    if seeds.end - seeds.start == SEEDS {
        assert!(
            questions > 1000 && restarts > 10,
            "{questions} questions, {restarts} restarts"
        );
    }
}

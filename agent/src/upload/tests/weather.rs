//! Whole uploads in virtual time through bad weather: answers come late, out of order or never, questions arrive twice or
//! long after they were given up, the line is cut for a while, the server forgets what it had not confirmed, and the agent is
//! ended and started again. Questions are given up when the program gives them up.
//!
//! What goes wrong follows from a seed. Threads that read files run in real time beside it, so a seed repeats the weather and
//! not each interleaving; time passes only while an answer is waited for, so a slow disk does not look like a slow line.
//! `BECKON_WEATHER=SEED` plays one seed alone.

use std::{
    collections::{HashMap, HashSet},
    future::pending,
    hash::{DefaultHasher, Hasher},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use beckon_shared::{
    bulk::{Bitmap, ChunkParts, CommitReply, CommitUpload, Outline},
    id::ChunkId,
};
use tokio::{sync::Notify, time::Instant};

use super::*;
use crate::{
    connection::DEAD_AFTER,
    upload::{
        encode::Body,
        patience::{Patience, STALL, soon},
        window::WINDOW_MAX,
    },
};

/// Seeds of the default run.
const SEEDS: u64 = 40;
/// Progress resumes so soon after the end of a fault.
const RESUMES: Duration = Duration::from_secs(30);
/// The server needs so long to make chunks durable.
const SYNC: Duration = Duration::from_millis(100);
/// Virtual time moves by so much at a time.
const TICK: Duration = Duration::from_millis(50);
/// After a question that broke, it may be so long until the next one, at the pace of [`Pace::NORMAL`].
const PAUSES: Duration = Duration::from_secs(9);
/// Where nobody asks anything for so long in real time, time passes all the same: something stands still.
const STUCK: std::time::Duration = Duration::from_secs(20);

/// What goes wrong when.
#[derive(Clone)]
struct Weather {
    server: Fake,
    seed: u64,
    begun: Instant,
    /// When the line is cut, and for how long.
    cuts: Vec<(Duration, Duration)>,
    /// The agent is ended when it asks the questions of these numbers.
    ends: Vec<u64>,
    /// Of the agent that runs.
    patience: Arc<Patience>,
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
    /// Questions that have no answer yet.
    pending: AtomicU64,
    /// When the last question broke.
    broke: Mutex<Duration>,
    /// The agent is to end.
    ended: Notify,
    /// All content that was put on the way, and the lengths of the chunks in it.
    sent: AtomicU64,
    chunks: Mutex<HashMap<ChunkId, u64>>,
    breaks: Mutex<Breaks>,
}

/// How often what was on its way was lost, whatever that was.
#[derive(Default)]
struct Breaks {
    count: u64,
    last: Duration,
}

impl Breaks {
    /// Something is lost that was sent at `begun`. All that was on its way together is one break.
    fn lost(&mut self, begun: Duration, now: Duration) {
        if self.count == 0 || begun >= self.last {
            self.count += 1;
            self.last = now;
        }
    }
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
            ends: (0..random("ends", 3))
                .map(|at| number((seed, "end", at), 120))
                .collect(),
            patience: Arc::default(),
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

    /// Asks `question` as fate will have it. Where it has no answer this never ends.
    async fn ask<T, F>(&self, question: impl Fn() -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>> + Send + 'static,
        T: Send + 'static,
    {
        let (at, fate) = self.fate();
        if self.ends.contains(&at) {
            self.seen.ended.notify_one();
            return pending().await;
        }
        self.travel(at, "there").await;
        match fate {
            Fate::Lost => return pending().await,
            Fate::Restarted => {
                self.seen.restarts.fetch_add(1, Relaxed);
                return Err(Failure::Ticket);
            }
            Fate::Late => {
                let late = question();
                tokio::spawn(async move {
                    tokio::time::sleep(STALL * 2).await;
                    let _ = late.await;
                });
                return pending().await;
            }
            Fate::Twice => _ = question().await,
            Fate::Answered | Fate::Unheard => {}
        }
        let answer = question().await;
        self.travel(at, "back").await;
        if fate == Fate::Unheard || self.is_cut() {
            return pending().await;
        }
        self.seen.heard.lock().unwrap().push(self.begun.elapsed());
        answer
    }

    /// Lets time pass until this is answered or given up.
    async fn waited<T>(&self, answer: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let _waits = Waits::new(&self.seen);
        let answer = answer.await;
        if answer.is_err() {
            *self.seen.broke.lock().unwrap() = self.begun.elapsed();
        }
        answer
    }

    async fn asked_have(&self, chunks: Vec<ChunkId>) -> Result<Bitmap, Failure> {
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

    /// As [`Http`] asks what is large.
    async fn flow<T>(&self, question: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let small = async { self.asked_have(Vec::new()).await.map(drop) };
        // What the system takes, it takes at once.
        let moved = AtomicU64::new(0);
        self.waited(self.patience.flow(&moved, small, question)).await
    }

    fn lost(&self, begun: Duration) {
        self.seen.breaks.lock().unwrap().lost(begun, self.begun.elapsed());
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

/// Waits for an answer until it is dropped.
struct Waits<'a>(&'a Seen);

impl<'a> Waits<'a> {
    fn new(seen: &'a Seen) -> Self {
        seen.pending.fetch_add(1, Relaxed);
        Self(seen)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.pending.fetch_sub(1, Relaxed);
    }
}

impl Remote for Weather {
    async fn begin(&self) -> Result<UploadGrant, Failure> {
        let server = self.server.clone();
        let question = self.ask(move || {
            let server = server.clone();
            async move { server.begin().await }
        });
        // A control socket that died is noticed, and the next one asked.
        let question = tokio::time::timeout(DEAD_AFTER, question);
        self.waited(async { question.await.unwrap_or(Err(Failure::Break)) })
            .await
    }

    async fn selection(&self) -> Result<Vec<u8>, Failure> {
        self.server.selection().await
    }

    async fn keep_selection(&self, selection: &[u8]) -> Result<(), Failure> {
        self.server.keep_selection(selection).await
    }

    async fn have(&self, chunks: Vec<ChunkId>) -> Result<Bitmap, Failure> {
        self.waited(soon(self.asked_have(chunks))).await
    }

    async fn outline(&self, path: RootPath) -> Result<Outline, Failure> {
        self.server.outline(path).await
    }

    async fn parts(&self, path: RootPath, chunks: Vec<u32>) -> Result<Vec<ChunkParts>, Failure> {
        self.server.parts(path, chunks).await
    }

    async fn send(&self, body: Body) -> Result<(), Failure> {
        let chunks: Vec<_> = body.into_encoded().collect();
        let ids: Vec<ChunkId> = chunks.iter().map(|chunk| chunk.header.id).collect();
        let lens = chunks
            .iter()
            .map(|chunk| (chunk.header.id, u64::from(chunk.header.len)));
        let content: u64 = lens.clone().map(|(_, len)| len).sum();
        self.seen.sent.fetch_add(content, Relaxed);
        self.seen.chunks.lock().unwrap().extend(lens);
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
        let begun = self.begun.elapsed();
        self.flow(self.ask(arrives)).await.inspect_err(|_| self.lost(begun))?;
        self.acknowledge(ids);
        Ok(())
    }

    async fn commit(&self, upload: &CommitUpload) -> Result<CommitReply, Failure> {
        let (server, upload) = (self.server.clone(), upload.clone());
        let question = self.ask(move || {
            let (server, upload) = (server.clone(), upload.clone());
            async move { server.commit(&upload).await }
        });
        self.flow(question).await
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

/// Lets virtual time pass while somebody waits for the server, or pauses after a break. Meanwhile others work in real time.
async fn clock(weather: &Weather) -> std::convert::Infallible {
    let mut asked = std::time::Instant::now();
    loop {
        spawn_blocking(|| std::thread::sleep(Duration::from_micros(50)))
            .await
            .unwrap();
        let pauses = weather.begun.elapsed() <= *weather.seen.broke.lock().unwrap() + PAUSES;
        let waits = weather.seen.pending.load(Relaxed) > 0 || pauses;
        if waits {
            asked = std::time::Instant::now();
        }
        if waits || asked.elapsed() > STUCK {
            tokio::time::advance(TICK).await;
        }
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

/// Runs until it is over; each time that the agent is ended it is started again, with what it kept on its disk.
async fn run(bench: &mut Bench, weather: &mut Weather) -> Outcome {
    loop {
        weather.patience = Arc::default();
        let shared = bench.shared(weather.clone(), Pace::NORMAL);
        let upload = upload(bench.job(&[""]), shared, bench.index.clone(), Arc::default());
        let outcome = tokio::select! {
            outcome = upload => return outcome,
            () = weather.seen.ended.notified() => None::<Outcome>,
            () = tokio::time::sleep(Duration::from_secs(3600)) => panic!("it does not come to its end"),
            never = clock(weather) => match never {},
        };
        assert_eq!(outcome, None);
        weather.lost(weather.begun.elapsed());
        reopen(bench).await;
    }
}

/// Opens the index anew, once the threads of the agent before have let go of it.
async fn reopen(bench: &mut Bench) {
    let state = StateDir::open(&bench.folder.path().join("state")).unwrap();
    bench.index = Index::in_memory(&state).unwrap();
    bench.index = loop {
        match Index::open(&state) {
            Ok(index) => break index,
            Err(refusal) => assert_eq!(refusal.code, ErrorCode::Conflict),
        }
        spawn_blocking(|| std::thread::sleep(Duration::from_micros(50)))
            .await
            .unwrap();
    };
    assert_eq!(bench.index.note(), None);
}

async fn weathered(seed: u64) -> Arc<Seen> {
    let mut bench = Bench::new();
    let files = tree(seed);
    for (path, content) in &files {
        bench.write(path, content);
    }
    let mut weather = Weather::new(bench.server.clone(), seed);
    let outcome = run(&mut bench, &mut weather).await;
    let (seen, over) = (Arc::clone(&weather.seen), weather.begun.elapsed());
    let Outcome::Ended { state, progress, error } = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!((state, error), (TransferState::Done, None));
    assert_eq!(progress.files_done, files.len() as u64);
    bench.server.with(|store| {
        for (path, content) in &files {
            assert!(store.content(&below(path)) == *content, "{path} differs");
        }
    });
    for (path, content) in &files {
        assert!(fs::read(bench.path(path)).unwrap() == *content, "{path} was changed");
    }
    assert_eq!(seen.repeated.load(Relaxed), 0, "sent again although acknowledged");
    let unique: u64 = seen.chunks.lock().unwrap().values().sum();
    let (again, breaks) = (seen.sent.load(Relaxed) - unique, seen.breaks.lock().unwrap().count);
    assert!(
        again <= breaks * WINDOW_MAX,
        "{again} bytes were sent again after {breaks} breaks"
    );
    let most = seen.most.load(Relaxed);
    assert!(most <= WINDOW_MAX, "{most} bytes were on their way");
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
            "cut until {end:?}, heard {heard:?}"
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
    let (mut questions, mut restarts, mut breaks) = (0, 0, 0);
    for seed in seeds.clone() {
        // A panic anywhere below says how to see it again.
        let _named = Named(seed);
        let seen = weathered(seed).await;
        questions += seen.questions.load(Relaxed);
        restarts += seen.restarts.load(Relaxed);
        breaks += seen.breaks.lock().unwrap().count;
    }
    if seeds.end - seeds.start == SEEDS {
        assert!(
            questions > 1000 && restarts > 10 && breaks > 50,
            "{questions} questions, {restarts} restarts, {breaks} breaks"
        );
    }
}

/// Says in a panic which weather it was.
struct Named(u64);

impl Drop for Named {
    #[allow(clippy::print_stderr, reason = "where a failed test tells of itself")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the same weather again: BECKON_WEATHER={}", self.0);
        }
    }
}

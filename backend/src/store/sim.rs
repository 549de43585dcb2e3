//! The store against lost power: runs of the real writer, index, commits and collection on a simulated disk, recorded, and
//! then judged at each moment and in many ways in which the power can go.
//!
//! A run is `sim/record.rs` carrying out `sim/workload.rs`; `sim/platter.rs` is the disk and what a crash leaves of it, `sim/disk.rs`
//! what fails meanwhile; `sim/judge.rs` says what must hold. `sim/model.rs` compares single steps with a naive reference,
//! `sim/sabotage.rs` proves that all of this would notice a fault.
//!
//! A seed repeats the plan of a run and not the run: the store's threads go on in real time. What repeats it is its trace, which
//! is kept where something is found: `BECKON_SIM_TRACE=FILE cargo test -p beckon-server --lib sim::a_kept_run` judges it again.

mod chance;
mod disk;
mod fault;
mod judge;
mod luck;
mod model;
mod platter;
mod record;
mod recover;
mod sabotage;
mod trace;
mod workload;

use std::{
    collections::BTreeMap,
    ops::AddAssign,
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use futures_util::FutureExt;

use self::{
    chance::mix,
    judge::{States, judge},
    luck::Luck,
    record::{Plan, record, said},
    recover::{End, recover},
    trace::Trace,
};
use crate::store::sabotage::VARIABLE;

/// Points at which the power goes, in all runs together, each of which leaves what no other leaves.
const POINTS: usize = 100_000;

/// How long each of the two threads may be busy with them, so that all of it takes less than two minutes: SQLite's own
/// threads need about three times as long. What else the machine does meanwhile does not count.
const LONGEST: Duration = Duration::from_secs(30);

/// Ways in which it goes at each moment, besides losing all and losing nothing of what was not synced.
const WAYS: u64 = 4;

/// Ends of each run after which the server is started again.
const RECOVERIES: u64 = 4;

/// What was tried.
#[derive(Debug, Default)]
struct Tried {
    runs: usize,
    crashes: usize,
    points: usize,
    /// Of the thread that took longest.
    busy: Duration,
    kinds: BTreeMap<&'static str, usize>,
}

impl AddAssign for Tried {
    fn add_assign(&mut self, other: Self) {
        self.runs += other.runs;
        self.crashes += other.crashes;
        self.points += other.points;
        self.busy = self.busy.max(other.busy);
        for (kind, count) in other.kinds {
            *self.kinds.entry(kind).or_default() += count;
        }
    }
}

/// Runs until there were so many points.
fn lose_power(seeds: impl Iterator<Item = u64>, wanted: usize) -> Result<Tried, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut tried = Tried::default();
    for seed in seeds {
        let trace = runtime.block_on(record(Plan::of(seed)));
        tried += runtime.block_on(look_at(&trace))?;
        if tried.points >= wanted {
            break;
        }
    }
    tried.busy = busy();
    Ok(tried)
}

/// How long this thread was busy, where the system tells.
fn busy() -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = told.split(' ').next().and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.unwrap_or_default())
}

/// Judges a run; a failure, a panic too, says how to judge it again.
async fn look_at(trace: &Trace) -> Result<Tried, String> {
    let found = match AssertUnwindSafe(find(trace)).catch_unwind().await {
        Ok(found) => found,
        Err(panic) => Err(format!("it panicked: {}", said(&*panic))),
    };
    found.map_err(|what| match std::env::var_os(VARIABLE) {
        // A fault that was planted is to be found, not looked into.
        Some(_) => format!("run {}: {what}", trace.seed),
        None => format!(
            "run {}: {what}\njudge it again: BECKON_SIM_TRACE={} cargo test -p beckon-server --lib sim::a_kept_run",
            trace.seed,
            trace.save().display()
        ),
    })
}

/// What the run promised and did not keep says more than what failed while it ran, and comes first.
async fn find(trace: &Trace) -> Result<Tried, String> {
    let verdict = judge(trace, &States::of(trace).await, WAYS);
    if let Some(finding) = verdict.finding {
        return Err(format!("{:?}: {}", finding.point, finding.what));
    }
    if let Some(complaint) = trace.complaints.first() {
        return Err(complaint.clone());
    }
    for number in 0..RECOVERIES {
        let drawn = mix(trace.seed ^ mix(number));
        let luck = match number % 4 {
            0 => None,
            1 => Some(Luck::None),
            _ => Some(Luck::Some(drawn)),
        };
        let event = drawn as usize % (trace.events.len() + 1);
        let end = End { event, luck, drawn };
        recover(trace, end)
            .await
            .map_err(|what| format!("after {end:?}: {what}"))?;
    }
    let mut kinds = BTreeMap::new();
    for event in &trace.events {
        *kinds.entry(event.kind()).or_default() += 1;
    }
    Ok(Tried {
        runs: 1,
        crashes: verdict.crashes,
        points: verdict.points,
        busy: Duration::ZERO,
        kinds,
    })
}

/// Seeds of the runs: the same each time, or those after `BECKON_SIM_SEED`.
fn seeds() -> u64 {
    std::env::var("BECKON_SIM_SEED").map_or(1, |seed| seed.parse().unwrap())
}

fn on_two_threads(wanted: usize) -> Result<Tried, String> {
    let first = seeds();
    let lose = |offset: u64| lose_power((first..).skip(offset as usize * 1000), wanted / 2);
    std::thread::scope(|scope| {
        let other = scope.spawn(|| lose(1));
        let mut tried = lose(0)?;
        tried += other.join().unwrap()?;
        Ok(tried)
    })
}

/// All that must have happened, else it was not tried.
const KINDS: [&str; 20] = [
    "failed sync",
    "failed folder sync",
    "failed write",
    "write to a full disk",
    "failed read",
    "failed change of a name",
    "name on a full disk",
    "failed look",
    "full disk that says so",
    "failed commit of the database",
    "commit of the database",
    "commit that is done",
    "kill",
    "power cut",
    "rename",
    "removal",
    "present",
    "durable",
    "committed",
    "ended",
];

#[test]
#[expect(
    clippy::print_stdout,
    reason = "how much was tried, and how fast, is told with --nocapture"
)]
fn nothing_that_was_promised_is_lost_with_the_power() {
    let began = Instant::now();
    let tried = on_two_threads(POINTS).unwrap_or_else(|failure| panic!("{failure}"));
    println!("{tried:?} in {:?}", began.elapsed());
    assert!(tried.points >= POINTS, "only {} points", tried.points);
    for kind in KINDS {
        assert!(
            tried.kinds.contains_key(kind),
            "{kind} was not tried: {:?}",
            tried.kinds
        );
    }
    assert!(tried.busy < LONGEST, "it took {:?}", tried.busy);
}

#[tokio::test]
async fn a_kept_run_is_judged_as_it_was() {
    let Some(kept) = std::env::var_os("BECKON_SIM_TRACE") else {
        return;
    };
    let trace = Trace::load(kept.as_ref());
    if let Err(failure) = look_at(&trace).await {
        panic!("{failure}");
    }
}

#[tokio::test]
async fn a_run_is_judged_the_same_after_it_was_kept() {
    let plan = Plan {
        rounds: 4,
        ..Plan::of(7)
    };
    let mut trace = record(plan).await;
    trace
        .complaints
        .push("something was otherwise than promised".to_owned());
    let folder = record::fast_folder();
    let path = folder.path().join("kept");
    trace.save_as(&path);
    let loaded = Trace::load(&path);
    let (one, two) = (States::of(&trace).await, States::of(&loaded).await);
    let (one, two) = (judge(&trace, &one, WAYS), judge(&loaded, &two, WAYS));
    assert_eq!((one.points, one.finding), (two.points, two.finding));
    let found = find(&loaded).await.unwrap_err();
    assert!(found.contains("otherwise than promised"), "{found}");
}

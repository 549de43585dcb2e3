//! The store against lost power: runs of the real writer, index, commits and collection on a simulated disk, recorded, and
//! then judged at each moment and in many ways in which the power can go.
//!
//! A run is `sim/record.rs` carrying out `sim/workload.rs`; `sim/platter.rs` is the disk and what a crash leaves of it;
//! `sim/judge.rs` says what must hold. `sim/model.rs` compares single steps with a naive reference, `sim/sabotage.rs` proves
//! that all of this would notice a fault.
//!
//! A failure prints how it is judged again: `BECKON_SIM_TRACE=FILE cargo test -p beckon-server --lib sim::a_kept_run`.

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

use self::{
    chance::mix,
    judge::{Point, States, judge},
    luck::Luck,
    record::{Plan, record},
    recover::recover,
    trace::Trace,
};
use crate::store::sabotage::VARIABLE;

/// Points at which the power goes, in all runs together.
const POINTS: usize = 100_000;

/// Ways in which it goes at each moment, besides losing all and losing nothing of what was not synced.
const WAYS: u64 = 8;

/// Crashes of each run after which the server is started again.
const RECOVERIES: usize = 12;

/// Runs until there were so many points.
fn lose_power(seeds: impl Iterator<Item = u64>, wanted: usize) -> Result<usize, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut points = 0;
    for seed in seeds {
        let (trace, complaints) = runtime.block_on(record(Plan::of(seed)));
        points += runtime.block_on(look_at(&trace, &complaints))?;
        if points >= wanted {
            break;
        }
    }
    Ok(points)
}

/// Judges a run; a failure says how to judge it again.
async fn look_at(trace: &Trace, complaints: &[String]) -> Result<usize, String> {
    let again = |what: &str| match std::env::var_os(VARIABLE) {
        // A fault that was planted is to be found, not looked into.
        Some(_) => format!("run {}: {what}", trace.seed),
        None => format!(
            "run {}: {what}\njudge it again: BECKON_SIM_TRACE={} cargo test -p beckon-server --lib sim::a_kept_run",
            trace.seed,
            trace.save().display()
        ),
    };
    if let Some(complaint) = complaints.first() {
        return Err(again(complaint));
    }
    let verdict = judge(trace, &States::of(trace).await, WAYS);
    if let Some(finding) = verdict.finding {
        return Err(again(&format!("{:?}: {}", finding.point, finding.what)));
    }
    for number in 0..RECOVERIES as u64 {
        let drawn = mix(trace.seed ^ mix(number));
        let point = Point {
            event: drawn as usize % (trace.events.len() + 1),
            luck: if number % 4 == 0 { Luck::None } else { Luck::Some(drawn) },
        };
        if let Err(what) = recover(trace, point).await {
            return Err(again(&format!("recovered at {point:?}: {what}")));
        }
    }
    Ok(verdict.points)
}

/// Seeds of the runs: the same each time, or those after `BECKON_SIM_SEED`.
fn seeds() -> u64 {
    std::env::var("BECKON_SIM_SEED").map_or(1, |seed| seed.parse().unwrap())
}

fn on_two_threads(wanted: usize) -> Result<usize, String> {
    let first = seeds();
    let lose = |offset: u64| lose_power((first..).skip(offset as usize * 1000), wanted / 2);
    std::thread::scope(|scope| {
        let other = scope.spawn(|| lose(1));
        Ok(lose(0)? + other.join().unwrap()?)
    })
}

#[test]
#[expect(clippy::print_stdout, reason = "how much was tried, and how fast, is told with --nocapture")]
fn nothing_that_was_promised_is_lost_with_the_power() {
    let began = std::time::Instant::now();
    let points = on_two_threads(POINTS).unwrap_or_else(|failure| panic!("{failure}"));
    println!("{points} crashes in {:?}", began.elapsed());
    assert!(points >= POINTS, "only {points} crashes");
}

#[tokio::test]
async fn a_kept_run_is_judged_as_it_was() {
    let Some(kept) = std::env::var_os("BECKON_SIM_TRACE") else {
        return;
    };
    let trace = Trace::load(kept.as_ref());
    if let Err(failure) = look_at(&trace, &[]).await {
        panic!("{failure}");
    }
}

#[tokio::test]
async fn a_run_is_judged_the_same_after_it_was_kept() {
    let plan = Plan {
        rounds: 4,
        ..Plan::of(7)
    };
    let (trace, complaints) = record(plan).await;
    assert!(complaints.is_empty(), "{complaints:?}");
    let folder = record::fast_folder();
    let path = folder.path().join("kept");
    trace.save_as(&path);
    let loaded = Trace::load(&path);
    let (one, two) = (States::of(&trace).await, States::of(&loaded).await);
    assert_eq!(judge(&trace, &one, WAYS).points, judge(&loaded, &two, WAYS).points);
}

#[tokio::test]
async fn a_run_holds_all_that_can_go_wrong() {
    let mut seen = std::collections::BTreeMap::<&str, usize>::new();
    for seed in 0..6 {
        for event in record(Plan::of(seed)).await.0.events {
            *seen.entry(event.kind()).or_default() += 1;
        }
    }
    for kind in ["failed sync", "failed folder sync", "removal", "ended", "committed", "present or durable"] {
        assert!(seen.get(kind).is_some_and(|count| *count > 0), "{kind}: {seen:?}");
    }
}

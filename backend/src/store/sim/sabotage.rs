//! A harness that passes a store which loses data proves nothing: each fault that can be planted is planted, and found for
//! what it is.

use std::{path::PathBuf, process::Command};

use crate::store::sabotage::{Sabotage, VARIABLE};

/// Runs enough to find each of the faults; far fewer than are judged without them.
const POINTS: usize = 8_000;

/// Whether this is what the fault itself does, and not some other thing that came of it.
fn is_own(what: Sabotage, found: &str) -> bool {
    let says = |words: &[&str]| words.iter().all(|words| found.contains(words));
    match what {
        Sabotage::NoSync => says(&["cannot be read: unexpected end of file"]),
        Sabotage::NoFolderSync => says(&["pack ", " is lost: "]),
        Sabotage::AnswerEarly => says(&["is said to be durable, and no row names it"]),
        Sabotage::NoCompare => {
            says(&["commit ", " shows ", " and says "]) || says(&["answer is Committed", "should be Behind"])
        }
        // A run finds that it is gone, or is missed by a commit; a game that nothing keeps it.
        Sabotage::NoPin | Sabotage::CollectAlways => {
            says(&["was said to be ", "and is gone"])
                || says(&["are missing that were said to be stored"])
                || says(&["pins: [] too much, ["])
        }
        Sabotage::NoVerify => says(&["is not what its id says"]),
    }
}

/// Simulates in this process, where the environment may name a fault.
fn simulate() -> Result<(), String> {
    super::lose_power(super::seeds().., POINTS)?;
    super::model::play_all(super::seeds())
}

/// Run by the test below in a process of its own, because a fault is planted in a whole process.
#[test]
fn what_the_environment_names_is_planted() {
    if std::env::var_os(VARIABLE).is_some() {
        simulate().unwrap_or_else(|failure| panic!("found: {failure}"));
    }
}

/// Simulates with a fault; what was found, if anything was.
fn found_with(name: &str) -> Option<String> {
    // By this name Linux finds the program even where it was built anew meanwhile.
    let same = PathBuf::from("/proc/self/exe");
    let program = if same.exists() {
        same
    } else {
        std::env::current_exe().unwrap()
    };
    let test = "store::sim::sabotage::what_the_environment_names_is_planted";
    let ran = Command::new(program)
        .args(["--exact", test, "--nocapture"])
        .env(VARIABLE, name)
        .env("RUST_BACKTRACE", "0")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    let found = said
        .split_once("found: ")
        .map(|(_, found)| found.lines().next().unwrap_or_default().to_owned());
    assert_eq!(ran.status.success(), found.is_none(), "{name}: {said}");
    found
}

/// What is wrong with how a fault was found.
fn is_missed(what: Sabotage, name: &str) -> Option<String> {
    let Some(found) = found_with(name) else {
        return Some(format!("{name}: not found"));
    };
    (!is_own(what, &found)).then(|| format!("{name}: found as {found}"))
}

#[test]
fn every_fault_that_is_planted_is_found_for_what_it_is() {
    let missed = std::thread::scope(|scope| {
        let (early, late) = Sabotage::NAMES.split_at(Sabotage::NAMES.len() / 2);
        let halves = [early, late].map(|half| {
            scope.spawn(|| {
                let missed = half.iter().filter_map(|(what, name)| is_missed(*what, name));
                missed.collect::<Vec<_>>()
            })
        });
        halves.map(|half| half.join().unwrap()).concat()
    });
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn without_a_fault_the_same_run_finds_nothing() {
    if std::env::var_os(VARIABLE).is_none() {
        assert_eq!(found_with("nothing"), None);
    }
}

//! An order runs once, whatever happens in between.

use std::time::Duration;

use super::*;
use crate::orders::tests::Family;

fn ended() -> Ended {
    let progress = Progress {
        files_done: 3,
        walked: true,
        ..Progress::default()
    };
    Ended {
        state: TransferState::Done,
        progress,
        error: None,
    }
}

fn order(family: &Family) -> (Order, SignedOrder) {
    let order = family.order(clock::now());
    let signed = family.sign(&order);
    (order, signed)
}

#[test]
fn an_order_is_taken_on_once_and_continued_after() {
    let folder = tempfile::tempdir().unwrap();
    let state = StateDir::open(folder.path()).unwrap();
    let journal = Journal::open(&state, false).unwrap();
    let (order, signed) = order(&Family::new(1));
    assert_eq!(journal.admit(&order, &signed).unwrap(), Admission::New);
    assert_eq!(journal.admit(&order, &signed).unwrap(), Admission::Continue);
    drop(journal);
    let journal = Journal::open(&state, true).unwrap();
    assert_eq!(journal.admit(&order, &signed).unwrap(), Admission::Continue);
}

#[test]
fn an_ended_order_never_runs_again_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let state = StateDir::open(folder.path()).unwrap();
    let journal = Journal::open(&state, false).unwrap();
    let (order, signed) = order(&Family::new(1));
    journal.admit(&order, &signed).unwrap();
    journal.end(order.id, &ended()).unwrap();
    drop(journal);
    let journal = Journal::open(&state, true).unwrap();
    assert_eq!(journal.admit(&order, &signed).unwrap(), Admission::Ended(ended()));
}

#[test]
fn other_bytes_under_a_known_id_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(&StateDir::open(folder.path()).unwrap(), false).unwrap();
    let family = Family::new(1);
    let (mut order, signed) = order(&family);
    journal.admit(&order, &signed).unwrap();
    order.expires = order.expires.before(Duration::from_secs(1));
    let other = family.sign(&order);
    assert_eq!(journal.admit(&order, &other).unwrap_err().code, ErrorCode::BadOrder);
    assert_eq!(journal.admit(&order, &signed).unwrap(), Admission::Continue);
}

#[test]
fn a_lost_journal_lets_no_earlier_order_run_again() {
    let folder = tempfile::tempdir().unwrap();
    let state = StateDir::open(folder.path()).unwrap();
    let family = Family::new(1);
    let (before, signed_before) = order(&family);
    drop(Journal::open(&state, false).unwrap());
    state.remove(FILE).unwrap();
    let journal = Journal::open(&state, true).unwrap();
    let refused = journal.admit(&before, &signed_before).unwrap_err();
    assert_eq!(refused.code, ErrorCode::BadOrder);
    assert!(refused.message.contains("give the order again"));
    let later = family.order(clock::now() + CLOCK_GRACE + Duration::from_secs(1));
    assert_eq!(journal.admit(&later, &family.sign(&later)).unwrap(), Admission::New);
    // The refusal outlives the next start.
    drop(journal);
    assert!(
        Journal::open(&state, true)
            .unwrap()
            .admit(&before, &signed_before)
            .is_err()
    );
}

#[test]
fn a_damaged_journal_is_moved_aside_and_counts_as_lost() {
    let folder = tempfile::tempdir().unwrap();
    let state = StateDir::open(folder.path()).unwrap();
    let (order, signed) = order(&Family::new(1));
    let journal = Journal::open(&state, false).unwrap();
    journal.admit(&order, &signed).unwrap();
    journal.end(order.id, &ended()).unwrap();
    drop(journal);
    state.write_bytes(FILE, &[0x5a; 4096]).unwrap();
    let journal = Journal::open(&state, true).unwrap();
    assert_eq!(journal.admit(&order, &signed).unwrap_err().code, ErrorCode::BadOrder);
}

#[test]
fn only_orders_that_lapsed_long_ago_are_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(&StateDir::open(folder.path()).unwrap(), false).unwrap();
    let (order, signed) = order(&Family::new(1));
    journal.admit(&order, &signed).unwrap();
    journal.prune(order.expires + REMEMBER).unwrap();
    assert_eq!(journal.admit(&order, &signed).unwrap(), Admission::Continue);
    journal
        .prune(order.expires + REMEMBER + Duration::from_millis(1))
        .unwrap();
    assert_eq!(journal.admit(&order, &signed).unwrap(), Admission::New);
}

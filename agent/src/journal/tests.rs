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

#[test]
fn an_order_that_goes_on_until_somebody_ends_it_is_remembered_until_then() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(&StateDir::open(folder.path()).unwrap(), false).unwrap();
    let family = Family::new(1);
    let mut order = family.order(clock::now());
    order.body = beckon_shared::order::OrderBody::Watch(beckon_shared::order::WatchOrder {
        root: order.body.root(),
        root_name: order.body.root_name().clone(),
        space: order.body.space(),
    });
    let signed = family.sign(&order);
    assert!(!journal.is_under_way(&signed).unwrap());
    journal.admit(&order, &signed).unwrap();
    let years_later = order.expires + REMEMBER * 24;
    journal.prune(years_later).unwrap();
    assert!(journal.is_under_way(&signed).unwrap());
    let mut other = order.clone();
    other.expires = other.expires.before(Duration::from_secs(1));
    assert!(
        !journal.is_under_way(&family.sign(&other)).unwrap(),
        "another order of that id"
    );
    journal.end(order.id, &ended()).unwrap();
    assert!(!journal.is_under_way(&signed).unwrap());
    journal.prune(years_later).unwrap();
    assert_eq!(
        journal.admit(&order, &signed).unwrap(),
        Admission::New,
        "it is forgotten"
    );
}

fn ended_as(state: TransferState) -> Ended {
    Ended { state, ..ended() }
}

#[test]
fn what_failed_may_be_tried_again_and_what_is_done_or_cancelled_never() {
    let folder = tempfile::tempdir().unwrap();
    let state = StateDir::open(folder.path()).unwrap();
    let journal = Journal::open(&state, false).unwrap();
    let (order, signed) = order(&Family::new(1));
    assert_eq!(journal.reopen(order.id).unwrap(), None, "it is not known");
    journal.admit(&order, &signed).unwrap();
    for failed in [TransferState::Failed, TransferState::Partly].map(ended_as) {
        journal.end(order.id, &failed).unwrap();
        assert_eq!(journal.reopen(order.id).unwrap(), Some(failed));
        assert_eq!(journal.admit(&order, &signed).unwrap(), Admission::Continue);
        assert_eq!(journal.reopen(order.id).unwrap(), None, "it is open already");
    }
    for over in [TransferState::Done, TransferState::Cancelled].map(ended_as) {
        journal.end(order.id, &over).unwrap();
        assert_eq!(journal.reopen(order.id).unwrap(), None);
        assert_eq!(journal.admit(&order, &signed).unwrap(), Admission::Ended(over));
    }
}

#[test]
fn an_order_that_is_not_over_is_cancelled_for_good_and_one_that_is_stays_as_it_ended() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(&StateDir::open(folder.path()).unwrap(), false).unwrap();
    let family = Family::new(1);
    let (done, signed_done) = order(&family);
    journal.admit(&done, &signed_done).unwrap();
    journal.end(done.id, &ended()).unwrap();
    assert_eq!(journal.cancel(done.id).unwrap(), ended());
    let open = family.order(done.issued + Duration::from_millis(1));
    let signed_open = family.sign(&open);
    journal.admit(&open, &signed_open).unwrap();
    let cancelled = Ended::cancelled();
    assert_eq!(journal.cancel(open.id).unwrap(), cancelled);
    assert_eq!(journal.admit(&open, &signed_open).unwrap(), Admission::Ended(cancelled));
}

#[test]
fn an_order_that_was_cancelled_before_it_was_shown_never_runs_and_few_of_these_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(&StateDir::open(folder.path()).unwrap(), false).unwrap();
    let (order, signed) = order(&Family::new(1));
    for _ in 0..2 {
        assert_eq!(journal.cancel(order.id).unwrap(), Ended::cancelled());
    }
    let admission = journal.admit(&order, &signed).unwrap();
    assert_eq!(admission, Admission::Ended(Ended::cancelled()));
    assert_eq!(journal.reopen(order.id).unwrap(), None);
    journal.prune(order.expires + REMEMBER).unwrap();
    let kept = |journal: &Journal| {
        let read = journal.db.begin_read().unwrap();
        read.open_table(UNSEEN).unwrap().len().unwrap()
    };
    assert_eq!(kept(&journal), 1);
    journal
        .prune(order.expires + CLOCK_GRACE + REMEMBER + Duration::from_secs(60))
        .unwrap();
    assert_eq!(kept(&journal), 0);
    let write = journal.db.begin_write().unwrap();
    for id in 0..UNSEEN_MAX {
        write
            .open_table(UNSEEN)
            .unwrap()
            .insert(id.to_be_bytes().as_slice(), 0)
            .unwrap();
    }
    write.commit().unwrap();
    journal.cancel(order.id).unwrap();
    assert_eq!(kept(&journal), UNSEEN_MAX);
}

#[test]
fn a_persons_answer_holds_until_the_order_is_over_and_only_for_one_that_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let state = StateDir::open(folder.path()).unwrap();
    let journal = Journal::open(&state, false).unwrap();
    let (order, signed) = order(&Family::new(1));
    journal.answer(order.id).unwrap();
    assert!(!journal.is_answered(order.id).unwrap(), "it is not known");
    journal.admit(&order, &signed).unwrap();
    journal.answer(order.id).unwrap();
    drop(journal);
    let journal = Journal::open(&state, true).unwrap();
    assert!(journal.is_answered(order.id).unwrap());
    journal.end(order.id, &ended_as(TransferState::Failed)).unwrap();
    assert!(!journal.is_answered(order.id).unwrap());
    journal.answer(order.id).unwrap();
    assert!(!journal.is_answered(order.id).unwrap(), "it is over");
    journal.reopen(order.id).unwrap();
    journal.answer(order.id).unwrap();
    journal
        .prune(order.expires + REMEMBER + Duration::from_millis(1))
        .unwrap();
    assert!(!journal.is_answered(order.id).unwrap(), "it is forgotten");
}

/// What a power cut leaves of an open journal: the file as it is at some moment.
#[test]
fn a_journal_that_was_cut_off_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let state = StateDir::open(&folder.path().join("one")).unwrap();
    let (order, signed) = order(&Family::new(1));
    let journal = Journal::open(&state, false).unwrap();
    journal.admit(&order, &signed).unwrap();
    let after_the_cut = StateDir::open(&folder.path().join("other")).unwrap();
    let bytes = state.read_bytes(FILE, 64 << 20).unwrap().unwrap();
    after_the_cut.write_bytes(FILE, &bytes).unwrap();
    let journal = Journal::open(&after_the_cut, true).unwrap();
    assert_eq!(journal.admit(&order, &signed).unwrap(), Admission::Continue);
    assert_eq!(journal.note(clock::now()), None);
}

#[test]
fn damage_anywhere_in_the_journal_lets_nothing_run_twice_and_its_owner_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let state = StateDir::open(folder.path()).unwrap();
    let family = Family::new(1);
    let (done, signed) = order(&family);
    let journal = Journal::open(&state, false).unwrap();
    journal.admit(&done, &signed).unwrap();
    journal.end(done.id, &ended()).unwrap();
    drop(journal);
    let whole = state.read_bytes(FILE, 64 << 20).unwrap().unwrap();
    let row = whole
        .windows(16)
        .position(|window| window == done.id.as_bytes())
        .unwrap();
    let mut told = 0;
    for at in (0..whole.len()).step_by(whole.len() / 40).chain([row, row + 30]) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x55;
        state.write_bytes(FILE, &damaged).unwrap();
        let journal = Journal::open(&state, true).unwrap();
        let outcome = journal.admit(&done, &signed);
        match journal.note(clock::now()) {
            Some(_) => {
                told += 1;
                assert_eq!(outcome.unwrap_err().code, ErrorCode::BadOrder, "byte {at}");
            }
            None => assert_eq!(outcome, Ok(Admission::Ended(ended())), "byte {at}"),
        }
    }
    assert!(told >= 2, "the row itself");
    assert_eq!(
        Journal::open(&state, true)
            .unwrap()
            .note(clock::now() + CLOCK_GRACE + 2 * LONGEST_WAIT),
        None,
        "by then such orders have lapsed"
    );
}

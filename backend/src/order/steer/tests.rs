//! What fits how a transfer stands.

use beckon_shared::id::{DeviceId, RootId};

use super::*;

const NOW: Timestamp = Timestamp(1_000_000_000);

fn view(state: TransferState, hold: Hold) -> TransferView {
    TransferView {
        id: TransferId::new(NOW, [0; 10]),
        device: DeviceId([2; 32]),
        machine: "laptop".into(),
        root: "home".into(),
        what: "docs".into(),
        state,
        hold,
        progress: Progress {
            files_total: 3,
            failed: 1,
            bytes_sent: 70,
            walked: true,
            ..Progress::default()
        },
        error: None,
        created: NOW,
        expires: Timestamp(NOW.0 + 1000),
        ended: state.is_over().then_some(NOW),
        revision: 1,
        priority: beckon_shared::transfer::Priority::default(),
        task: Task::Upload,
        from: None,
        root_id: RootId([3; 16]),
        origin: None,
    }
}

/// The state and hold after an act, nothing where nothing changes.
fn after(state: TransferState, hold: Hold, act: Act) -> Result<Option<(TransferState, Hold)>, ErrorCode> {
    next(&view(state, hold), act, Hold::Away, NOW)
        .map(|changed| changed.map(|view| (view.state, view.hold)))
        .map_err(|refusal| refusal.code)
}

#[test]
fn what_is_not_over_is_paused_once_and_resumed_once() {
    use TransferState::{Queued, Running};
    for state in [Queued, Running] {
        assert_eq!(after(state, Hold::Away, Act::Pause), Ok(Some((state, Hold::User))));
        assert_eq!(after(state, Hold::User, Act::Pause), Ok(None));
        assert_eq!(after(state, Hold::User, Act::Resume), Ok(Some((state, Hold::Away))));
        assert_eq!(after(state, Hold::NoRoom, Act::Resume), Ok(None));
        assert_eq!(after(state, Hold::None, Act::Retry), Ok(None), "it runs already");
    }
}

#[test]
fn to_resume_what_has_a_question_answers_it_unless_only_files_that_are_chosen_again_would() {
    assert_eq!(
        after(TransferState::Running, Hold::Question, Act::Resume),
        Ok(Some((TransferState::Running, Hold::Away)))
    );
    let of_a_page = view(TransferState::Running, Hold::Question);
    assert_eq!(next(&of_a_page, Act::Resume, Hold::Question, NOW), Ok(None));
}

#[test]
fn what_is_over_is_neither_paused_nor_resumed_and_only_what_failed_is_retried() {
    use TransferState::{Cancelled, Done, Failed, Partly, Queued};
    for state in [Done, Partly, Failed, Cancelled] {
        for act in [Act::Pause, Act::Resume] {
            assert_eq!(
                after(state, Hold::None, act),
                Err(ErrorCode::Conflict),
                "{state:?} {act:?}"
            );
        }
    }
    for state in [Done, Cancelled] {
        assert_eq!(after(state, Hold::None, Act::Retry), Err(ErrorCode::Conflict));
    }
    for state in [Failed, Partly] {
        assert_eq!(after(state, Hold::None, Act::Retry), Ok(Some((Queued, Hold::Away))));
        assert_eq!(after(state, Hold::None, Act::Cancel), Err(ErrorCode::Conflict));
    }
}

#[test]
fn cancelling_ends_what_is_not_over_and_twice_is_once() {
    use TransferState::{Cancelled, Done, Queued};
    assert_eq!(
        after(Queued, Hold::User, Act::Cancel),
        Ok(Some((Cancelled, Hold::None)))
    );
    assert_eq!(after(Cancelled, Hold::None, Act::Cancel), Ok(None));
    assert_eq!(after(Done, Hold::None, Act::Cancel), Err(ErrorCode::Conflict));
}

#[test]
fn a_retry_forgets_the_run_before_it_but_not_what_was_sent() {
    let failed = TransferView {
        error: Some("the disk is gone".into()),
        ..view(TransferState::Failed, Hold::None)
    };
    let queued = next(&failed, Act::Retry, Hold::None, NOW).unwrap().unwrap();
    assert_eq!((queued.ended, queued.error), (None, None));
    assert_eq!((queued.progress.bytes_sent, queued.progress.failed), (70, 0));
}

#[test]
fn an_order_that_has_expired_neither_goes_on_nor_runs_again() {
    let late = NOW + CLOCK_GRACE + std::time::Duration::from_secs(2);
    for (state, hold, act) in [
        (TransferState::Failed, Hold::None, Act::Retry),
        (TransferState::Running, Hold::User, Act::Resume),
    ] {
        let refused = next(&view(state, hold), act, Hold::None, late).unwrap_err();
        assert_eq!(refused.code, ErrorCode::Conflict);
        assert!(refused.message.contains("give it again"), "{}", refused.message);
    }
}

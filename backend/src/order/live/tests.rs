//! What a machine may say of a transfer, and when that is told and stored.

use beckon_shared::{id::RootId, transfer::Task, wire};

use super::*;

const ACCOUNT: AccountId = AccountId([1; 32]);
const MACHINE: DeviceId = DeviceId([2; 32]);

fn view() -> TransferView {
    TransferView {
        id: TransferId::new(Timestamp(1), [0; 10]),
        device: MACHINE,
        machine: "laptop".into(),
        root: "home".into(),
        what: "docs".into(),
        state: TransferState::Running,
        hold: Hold::None,
        progress: Progress::default(),
        error: None,
        created: Timestamp(1),
        expires: Timestamp(2),
        ended: None,
        revision: 1,
        priority: beckon_shared::transfer::Priority::default(),
        task: Task::Upload,
        from: None,
        root_id: RootId([3; 16]),
        origin: None,
    }
}

/// Running transfers, of which `view` is one.
async fn live() -> Live {
    let live = Live::default();
    live.change(view().id).await.replace(&ACCOUNT, &view());
    live
}

#[tokio::test]
async fn only_the_machine_of_a_transfer_moves_it() {
    let live = live().await;
    let half = Progress {
        files_done: 5,
        ..Progress::default()
    };
    live.note(&ACCOUNT, &DeviceId([3; 32]), &view().id, Hold::None, half, Timestamp(5));
    live.note(
        &AccountId([9; 32]),
        &MACHINE,
        &view().id,
        Hold::None,
        half,
        Timestamp(5),
    );
    assert_eq!(live.newest(view()), view());
    live.note(&ACCOUNT, &MACHINE, &view().id, Hold::NoRoom, half, Timestamp(5));
    let newest = live.newest(view());
    assert_eq!((newest.progress, newest.hold, newest.revision), (half, Hold::NoRoom, 5));
}

#[tokio::test]
async fn many_reports_are_told_as_one() {
    let live = live().await;
    for files_done in 0..100 {
        live.note(
            &ACCOUNT,
            &MACHINE,
            &view().id,
            Hold::None,
            Progress {
                files_done,
                ..Progress::default()
            },
            Timestamp(5),
        );
    }
    let told = live.untold();
    assert_eq!((told.len(), told[0].progress.files_done), (1, 99));
    assert!(live.untold().is_empty());
}

#[test]
fn however_many_transfers_move_at_once_few_frames_tell_of_them() {
    let views = vec![view(); 1000];
    let frames: Vec<_> = changes(views).collect();
    assert!(frames.len() < 64, "{}", frames.len());
    let mut rows = 0;
    for frame in frames {
        assert!(wire::encode(&frame).len() <= wire::FRAME_MAX);
        let FromServer::Transfers(part) = frame else {
            panic!("{frame:?}")
        };
        assert_eq!(part.place, Place::Change);
        rows += part.rows.len();
    }
    assert_eq!(rows, 1000);
}

impl Live {
    fn say(&self, hold: Hold, files_done: u64) {
        let progress = Progress {
            files_done,
            ..Progress::default()
        };
        self.note(&ACCOUNT, &MACHINE, &view().id, hold, progress, Timestamp(5));
    }

    /// What is to be told now of all accounts.
    fn untold(&self) -> Vec<TransferView> {
        self.take_untold().into_values().flatten().collect()
    }

    fn pass(&self, time: Duration) {
        for moving in self.lock().moving.values_mut() {
            moving.tried = moving.tried.checked_sub(time).unwrap();
        }
    }

    /// Stores what is due; the holds of it.
    fn store_due(&self) -> Vec<Hold> {
        let due = self.due();
        self.note_stored(&due, Ok(()));
        due.iter().map(|view| view.hold).collect()
    }
}

/// Most of the time after which a hold is stored: the rest is the test's own.
const NEARLY: Duration = Duration::from_millis(1500);

#[tokio::test]
async fn what_stands_still_or_goes_on_is_stored_soon_and_what_just_moves_every_few_seconds() {
    let live = live().await;
    live.say(Hold::NoRoom, 1);
    assert_eq!(live.untold()[0].hold, Hold::NoRoom, "it is told at once");
    live.pass(STORE_HOLD_EVERY);
    assert_eq!(live.store_due(), [Hold::NoRoom]);
    live.say(Hold::NoRoom, 2);
    live.pass(STORE_HOLD_EVERY);
    assert_eq!((live.due(), live.is_all_stored()), (Vec::new(), false));
    live.pass(STORE_EVERY - STORE_HOLD_EVERY);
    assert_eq!(live.store_due(), [Hold::NoRoom]);
    assert!(live.is_all_stored());
}

#[tokio::test]
async fn however_often_a_machine_changes_its_mind_a_hold_is_stored_every_two_seconds() {
    let live = live().await;
    for _ in 0..3 {
        for _ in 0..50 {
            live.say(Hold::None, 1);
            live.say(Hold::NoRoom, 1);
            assert_eq!(live.store_due(), []);
        }
        live.pass(NEARLY);
        assert_eq!(live.store_due(), [], "not yet");
        live.pass(STORE_HOLD_EVERY - NEARLY);
        assert_eq!(live.store_due(), [Hold::NoRoom]);
        live.pass(STORE_HOLD_EVERY);
        live.say(Hold::None, 1);
        assert_eq!(live.store_due(), [Hold::None]);
    }
}

#[tokio::test]
async fn what_could_not_be_stored_is_stored_later() {
    let live = live().await;
    live.say(Hold::NoRoom, 1);
    for _ in 0..3 {
        live.pass(NEARLY);
        assert_eq!(live.due(), [], "the database is left alone for a while");
        live.pass(STORE_HOLD_EVERY - NEARLY);
        let due = live.due();
        assert_eq!(due[0].hold, Hold::NoRoom);
        live.note_stored(&due, Err(Error::bad_row("any")));
        assert!(!live.is_all_stored());
    }
    live.pass(STORE_HOLD_EVERY);
    assert_eq!(live.store_due(), [Hold::NoRoom]);
}

#[tokio::test]
async fn what_moves_while_it_is_stored_is_stored_again() {
    let live = live().await;
    live.say(Hold::NoRoom, 1);
    live.pass(STORE_HOLD_EVERY);
    let on_its_way = live.due();
    live.say(Hold::None, 1);
    live.note_stored(&on_its_way, Ok(()));
    assert!(!live.is_all_stored());
    live.pass(STORE_HOLD_EVERY);
    assert_eq!(live.store_due(), [Hold::None]);
    live.note_stored(&on_its_way, Ok(()));
    assert!(live.is_all_stored(), "the older one takes nothing back");
}

fn over() -> TransferView {
    TransferView {
        state: TransferState::Cancelled,
        revision: 2,
        ..view()
    }
}

#[tokio::test]
async fn what_is_over_moves_no_more() {
    let live = live().await;
    live.change(view().id).await.replace(&ACCOUNT, &over());
    let report = Progress::default();
    live.note(&ACCOUNT, &MACHINE, &view().id, Hold::NoRoom, report, Timestamp(5));
    assert!(live.is_all_stored() && live.untold().is_empty());
    assert_eq!(live.newest(over()), over());
}

#[tokio::test]
async fn a_report_that_comes_while_a_transfer_is_changed_is_told_after_the_change_or_never() {
    let half = Progress {
        files_done: 5,
        ..Progress::default()
    };
    let live = live().await;
    let change = live.change(view().id).await;
    live.note(&ACCOUNT, &MACHINE, &view().id, Hold::None, half, Timestamp(5));
    assert!(live.untold().is_empty());
    let paused = TransferView {
        hold: Hold::User,
        revision: 9,
        ..view()
    };
    change.replace(&ACCOUNT, &paused);
    drop(change);
    let told = live.untold().remove(0);
    assert_eq!((told.revision, told.hold, told.progress), (10, Hold::User, half));
    let change = live.change(view().id).await;
    live.note(
        &ACCOUNT,
        &MACHINE,
        &view().id,
        Hold::None,
        Progress::default(),
        Timestamp(50),
    );
    change.replace(&ACCOUNT, &over());
    drop(change);
    assert!(live.untold().is_empty() && live.lock().moving.is_empty());
}

#[test]
fn no_machine_says_that_a_person_paused_it() {
    for hold in [Hold::User, Hold::Away] {
        let no_room = TransferView {
            hold: Hold::NoRoom,
            ..view()
        };
        assert_eq!(moved(&view(), hold, Progress::default()), None);
        assert_eq!(moved(&no_room, hold, Progress::default()).unwrap().hold, Hold::None);
    }
}

#[test]
fn a_late_report_takes_back_no_pause_and_moves_nothing_that_has_yet_to_begin() {
    let half = Progress {
        files_done: 5,
        ..Progress::default()
    };
    let paused = TransferView {
        hold: Hold::User,
        ..view()
    };
    let moved_on = moved(&paused, Hold::None, half).unwrap();
    assert_eq!((moved_on.hold, moved_on.progress), (Hold::User, half));
    let queued = TransferView {
        state: TransferState::Queued,
        ..view()
    };
    assert_eq!(moved(&queued, Hold::None, half), None);
    assert_eq!(moved(&queued, Hold::NoRoom, half).unwrap().hold, Hold::NoRoom);
    assert_eq!(moved(&view(), Hold::None, Progress::default()), None, "nothing new");
}

#[test]
fn a_revision_grows_with_every_change_and_with_the_clock() {
    assert_eq!(next_revision(5, Timestamp(3)), 6);
    assert_eq!(next_revision(5, Timestamp(100)), 100);
}

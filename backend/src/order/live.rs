//! How far running transfers are: in memory, told at most four times a second, stored every five seconds and whenever one
//! begins to stand still or goes on.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use actix_web::web;
use beckon_shared::{
    id::{AccountId, DeviceId, TransferId},
    time::Timestamp,
    transfer::{Hold, Progress, TransferState, TransferView},
};
use tokio::sync::Notify;

use super::{next_revision, tell};
use crate::{
    app::App,
    store::{Error, meta},
};

/// No terminal is told of a transfer more often.
const TELL_EVERY: Duration = Duration::from_millis(250);
/// Progress that is younger than this may be lost with the server.
const STORE_EVERY: Duration = Duration::from_secs(5);

/// Transfers whose machines are at work.
#[derive(Debug, Default)]
pub(crate) struct Live {
    state: Mutex<State>,
    changed: Notify,
    /// Held while a transfer changes otherwise than by moving, from when it is read until it is told.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    moving: HashMap<TransferId, Moving>,
    changing: Option<TransferId>,
}

#[derive(Debug)]
struct Moving {
    account: AccountId,
    view: TransferView,
    told: bool,
    stored: bool,
    stored_at: Instant,
    /// It began to stand still, or goes on, since it was stored: that is part of its story.
    is_turned: bool,
    /// What its machine said last while it is changed otherwise.
    late: Option<Report>,
}

/// What a machine says of a transfer.
#[derive(Debug, Clone, Copy)]
struct Report {
    hold: Hold,
    progress: Progress,
    at: Timestamp,
}

/// Changes one transfer otherwise than by moving. Its machine's reports wait until this is dropped: else terminals could
/// hear of them with a higher revision than the change, which they would take for the older news.
#[derive(Debug)]
pub(super) struct Change<'a> {
    live: &'a Live,
    id: TransferId,
    _turn: tokio::sync::MutexGuard<'a, ()>,
}

impl Live {
    /// Waits until no other transfer is changed, and begins to change this one. Ask before the database's writer is taken.
    pub(super) async fn change(&self, id: TransferId) -> Change<'_> {
        let turn = self.turn.lock().await;
        self.lock().changing = Some(id);
        Change {
            live: self,
            id,
            _turn: turn,
        }
    }

    /// Takes a progress report of a machine, as far as it may say so; of transfers that are over it is ignored.
    pub(crate) fn note(
        &self,
        account: &AccountId,
        device: &DeviceId,
        id: &TransferId,
        hold: Hold,
        progress: Progress,
        now: Timestamp,
    ) {
        let report = Report {
            hold,
            progress,
            at: now,
        };
        let mut state = self.lock();
        let is_changing = state.changing == Some(*id);
        let Some(moving) = state
            .moving
            .get_mut(id)
            .filter(|moving| moving.account == *account && moving.view.device == *device)
        else {
            return;
        };
        if is_changing {
            moving.late = Some(report);
        } else if moving.take(report) {
            self.changed.notify_one();
        }
    }

    /// The newer of what is stored and what is in memory. What is stored as over is over.
    pub(crate) fn newest(&self, stored: TransferView) -> TransferView {
        if stored.state.is_over() {
            return stored;
        }
        let state = self.lock();
        state
            .moving
            .get(&stored.id)
            .map(|moving| &moving.view)
            .filter(|view| view.revision > stored.revision)
            .cloned()
            .unwrap_or(stored)
    }

    /// What has to be told now, and what has to be stored now.
    fn due(&self) -> (Vec<(AccountId, TransferView)>, Vec<TransferView>) {
        let (mut told, mut stored) = (Vec::new(), Vec::new());
        for moving in self.lock().moving.values_mut() {
            if !std::mem::replace(&mut moving.told, true) {
                told.push((moving.account, moving.view.clone()));
            }
            if !moving.stored && (moving.is_turned || moving.stored_at.elapsed() >= STORE_EVERY) {
                moving.stored = true;
                moving.is_turned = false;
                moving.stored_at = Instant::now();
                stored.push(moving.view.clone());
            }
        }
        (told, stored)
    }

    fn is_settled(&self) -> bool {
        self.lock().moving.values().all(|moving| moving.told && moving.stored)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Change<'_> {
    /// Takes over how the transfer stands by now in the database.
    pub(super) fn replace(&self, account: &AccountId, view: &TransferView) {
        let mut state = self.live.lock();
        let late = state.moving.remove(&self.id).and_then(|moving| moving.late);
        if view.state.is_over() {
            return;
        }
        let entry = Moving {
            account: *account,
            view: view.clone(),
            told: true,
            stored: true,
            stored_at: Instant::now(),
            is_turned: false,
            late,
        };
        state.moving.insert(self.id, entry);
    }

    /// Takes over a transfer as it stands, if it is not in memory: it was running before this server started.
    pub(super) fn adopt(&self, account: &AccountId, view: &TransferView) {
        if !self.live.lock().moving.contains_key(&self.id) {
            self.replace(account, view);
        }
    }
}

impl Drop for Change<'_> {
    fn drop(&mut self) {
        let mut state = self.live.lock();
        state.changing = None;
        if let Some(moving) = state.moving.get_mut(&self.id)
            && let Some(late) = moving.late.take()
            && moving.take(late)
        {
            self.live.changed.notify_one();
        }
    }
}

impl Moving {
    /// Moves it on; whether that is news.
    fn take(&mut self, report: Report) -> bool {
        let Some(view) = moved(&self.view, report.hold, report.progress) else {
            return false;
        };
        self.is_turned |= view.hold != self.view.hold;
        self.view = TransferView {
            revision: next_revision(self.view.revision, report.at),
            ..view
        };
        self.told = false;
        self.stored = false;
        true
    }
}

/// What a report of a machine changes. It may be late: what a person paused stays so, and a transfer that has not begun, or
/// is to run again, has made no progress. Only persons pause, and only the server knows who is away. Pages do not come here
/// with their questions.
fn moved(view: &TransferView, hold: Hold, progress: Progress) -> Option<TransferView> {
    let is_running = view.state == TransferState::Running;
    let next = TransferView {
        hold: match (view.hold, hold) {
            (Hold::User, _) => Hold::User,
            (_, Hold::NoRoom | Hold::Schedule | Hold::Question) => hold,
            _ => Hold::None,
        },
        progress: if is_running { progress } else { view.progress },
        ..view.clone()
    };
    (next != *view).then_some(next)
}

/// Tells and stores progress as long as the server runs; sleeps while nothing moves.
pub(crate) async fn run(app: web::Data<App>) {
    loop {
        app.live.changed.notified().await;
        while !app.live.is_settled() {
            let (told, stored) = app.live.due();
            // Before it is told, so that what people saw is in the transfer's story.
            if let Err(error) = store(&app, &stored).await {
                tracing::error!(cause = %error, "progress was not stored");
            }
            for (account, view) in told {
                tell(&app, &account, view);
            }
            tokio::time::sleep(TELL_EVERY).await;
        }
    }
}

async fn store(app: &App, views: &[TransferView]) -> Result<(), Error> {
    if views.is_empty() {
        return Ok(());
    }
    let txn = app.meta().write().await?;
    for view in views {
        meta::transfer::update(&txn, view, app.clock.now()).await?;
    }
    Ok(txn.commit().await?)
}

#[cfg(test)]
mod tests {
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
        let (told, stored) = live.due();
        assert_eq!((told.len(), told[0].1.progress.files_done, stored.len()), (1, 99, 0));
        assert!(live.due().0.is_empty() && !live.is_settled());
    }

    #[tokio::test]
    async fn a_transfer_that_stands_still_or_goes_on_is_stored_at_once() {
        let live = live().await;
        for hold in [Hold::NoRoom, Hold::None] {
            live.note(&ACCOUNT, &MACHINE, &view().id, hold, Progress::default(), Timestamp(5));
            assert_eq!(live.due().1[0].hold, hold);
            assert!(live.due().1.is_empty());
        }
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
        assert!(live.is_settled());
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
        assert!(live.due().0.is_empty());
        let paused = TransferView {
            hold: Hold::User,
            revision: 9,
            ..view()
        };
        change.replace(&ACCOUNT, &paused);
        drop(change);
        let told = live.due().0.remove(0).1;
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
        assert!(live.due().0.is_empty() && live.lock().moving.is_empty());
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
}

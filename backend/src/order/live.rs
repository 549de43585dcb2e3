//! How far running transfers are: in memory, told at most four times a second, stored every five seconds.

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
    moving: Mutex<HashMap<TransferId, Moving>>,
    changed: Notify,
}

#[derive(Debug)]
struct Moving {
    account: AccountId,
    view: TransferView,
    told: bool,
    stored: bool,
    stored_at: Instant,
}

impl Live {
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
        if let Some(moving) = self
            .lock()
            .get_mut(id)
            .filter(|moving| moving.account == *account && moving.view.device == *device)
            && let Some(view) = moved(&moving.view, hold, progress)
        {
            moving.view = TransferView {
                revision: next_revision(moving.view.revision, now),
                ..view
            };
            moving.told = false;
            moving.stored = false;
            self.changed.notify_one();
        }
    }

    /// The newer of what is stored and what is in memory.
    pub(crate) fn newest(&self, stored: TransferView) -> TransferView {
        let moving = self.lock();
        moving
            .get(&stored.id)
            .map(|moving| &moving.view)
            .filter(|view| view.revision > stored.revision)
            .cloned()
            .unwrap_or(stored)
    }

    /// Takes over what was stored: a transfer that begins, changes otherwise than by moving, or is over.
    pub(super) fn replace(&self, account: &AccountId, view: &TransferView) {
        let mut moving = self.lock();
        if view.state.is_over() {
            moving.remove(&view.id);
            return;
        }
        let entry = Moving {
            account: *account,
            view: view.clone(),
            told: true,
            stored: true,
            stored_at: Instant::now(),
        };
        moving.insert(view.id, entry);
    }

    /// Takes over a transfer that was running before this server started.
    pub(super) fn adopt(&self, account: &AccountId, view: TransferView) {
        let entry = Moving {
            account: *account,
            view: view.clone(),
            told: true,
            stored: true,
            stored_at: Instant::now(),
        };
        self.lock().entry(view.id).or_insert(entry);
    }

    /// What has to be told now, and what has to be stored now.
    fn due(&self) -> (Vec<(AccountId, TransferView)>, Vec<TransferView>) {
        let (mut told, mut stored) = (Vec::new(), Vec::new());
        for moving in self.lock().values_mut() {
            if !std::mem::replace(&mut moving.told, true) {
                told.push((moving.account, moving.view.clone()));
            }
            if !moving.stored && moving.stored_at.elapsed() >= STORE_EVERY {
                moving.stored = true;
                moving.stored_at = Instant::now();
                stored.push(moving.view.clone());
            }
        }
        (told, stored)
    }

    fn is_settled(&self) -> bool {
        self.lock().values().all(|moving| moving.told && moving.stored)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TransferId, Moving>> {
        // No code that can panic runs under this lock.
        self.moving.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a report of a machine changes. It may be late: what a person paused stays so, and a transfer that has not begun, or
/// is to run again, has made no progress.
fn moved(view: &TransferView, hold: Hold, progress: Progress) -> Option<TransferView> {
    let is_running = view.state == TransferState::Running;
    let next = TransferView {
        hold: if view.hold == Hold::User { Hold::User } else { hold },
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
            for (account, view) in told {
                tell(&app, &account, view);
            }
            if let Err(error) = store(&app, &stored).await {
                tracing::error!(cause = %error, "progress was not stored");
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
        meta::transfer::update(&txn, view).await?;
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
        }
    }

    #[test]
    fn only_the_machine_of_a_transfer_moves_it() {
        let live = Live::default();
        live.replace(&ACCOUNT, &view());
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

    #[test]
    fn many_reports_are_told_as_one() {
        let live = Live::default();
        live.replace(&ACCOUNT, &view());
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

    #[test]
    fn what_is_over_moves_no_more() {
        let live = Live::default();
        live.replace(&ACCOUNT, &view());
        live.replace(
            &ACCOUNT,
            &TransferView {
                state: TransferState::Done,
                ..view()
            },
        );
        live.note(
            &ACCOUNT,
            &MACHINE,
            &view().id,
            Hold::None,
            Progress::default(),
            Timestamp(5),
        );
        assert!(live.is_settled());
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

//! How far running transfers are: in memory, told at most four times a second, stored every five seconds and soon after one
//! began to stand still or goes on.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use actix_web::web;
use beckon_shared::{
    id::{AccountId, DeviceId, TransferId},
    time::Timestamp,
    transfer::{Hold, Progress, TransferState, TransferView},
    wire::{FromServer, Part, Place, snapshot_parts},
};
use tokio::sync::Notify;

use super::next_revision;
use crate::{
    app::App,
    store::{Error, meta},
};

/// No terminal is told of a transfer more often.
const TELL_EVERY: Duration = Duration::from_millis(250);
/// Progress that is younger than this may be lost with the server.
const STORE_EVERY: Duration = Duration::from_secs(5);
/// No hold that a machine says is stored sooner after what was stored before. However fast it takes them back, the database
/// has little to write, and the newest events of a transfer reach back for minutes.
const STORE_HOLD_EVERY: Duration = Duration::from_secs(2);
/// How often it is looked for what has to be stored, while something has.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Transfers whose machines are at work.
#[derive(Debug, Default)]
pub(crate) struct Live {
    state: Mutex<State>,
    to_tell: Notify,
    to_store: Notify,
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
    /// The revision that is stored.
    stored: u64,
    /// The hold that is stored. Another one is part of the transfer's story.
    stored_hold: Hold,
    /// When it was last stored, or was to be.
    tried: Instant,
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
            self.wake();
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

    /// What terminals have not been told, by account.
    fn take_untold(&self) -> BTreeMap<AccountId, Vec<TransferView>> {
        let mut untold: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for moving in self.lock().moving.values_mut() {
            if !std::mem::replace(&mut moving.told, true) {
                untold.entry(moving.account).or_default().push(moving.view.clone());
            }
        }
        untold
    }

    /// What is to be stored now. It comes again until it was.
    fn due(&self) -> Vec<TransferView> {
        let mut state = self.lock();
        let due = state.moving.values_mut().filter(|moving| moving.is_due());
        due.map(|moving| {
            moving.tried = Instant::now();
            moving.view.clone()
        })
        .collect()
    }

    /// How storing these went. Where it went well, they are stored or older than what is.
    fn note_stored(&self, views: &[TransferView], outcome: Result<(), Error>) {
        if let Err(error) = outcome {
            tracing::error!(cause = %error, "progress was not stored; it is tried again");
            return;
        }
        let mut state = self.lock();
        for view in views {
            if let Some(moving) = state.moving.get_mut(&view.id)
                && moving.stored < view.revision
            {
                (moving.stored, moving.stored_hold) = (view.revision, view.hold);
            }
        }
    }

    fn is_all_stored(&self) -> bool {
        self.lock().moving.values().all(Moving::is_stored)
    }

    fn wake(&self) {
        self.to_tell.notify_one();
        self.to_store.notify_one();
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
            stored: view.revision,
            stored_hold: view.hold,
            tried: Instant::now(),
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
            self.live.wake();
        }
    }
}

impl Moving {
    /// Moves it on; whether that is news.
    fn take(&mut self, report: Report) -> bool {
        let Some(view) = moved(&self.view, report.hold, report.progress) else {
            return false;
        };
        self.view = TransferView {
            revision: next_revision(self.view.revision, report.at),
            ..view
        };
        self.told = false;
        true
    }

    fn is_stored(&self) -> bool {
        self.stored >= self.view.revision
    }

    fn is_due(&self) -> bool {
        let every = match in_story(self.view.hold) == in_story(self.stored_hold) {
            true => STORE_EVERY,
            false => STORE_HOLD_EVERY,
        };
        !self.is_stored() && self.tried.elapsed() >= every
    }
}

/// The hold that is part of a transfer's story: that it waits for something to change is not.
fn in_story(hold: Hold) -> Hold {
    match hold {
        Hold::Current => Hold::None,
        hold => hold,
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
            (_, Hold::Current) if view.task.is_standing() => hold,
            _ => Hold::None,
        },
        progress: if is_running { progress } else { view.progress },
        ..view.clone()
    };
    (next != *view).then_some(next)
}

/// Tells and stores progress as long as the server runs; sleeps while nothing moves. Neither waits for the other: a database
/// that is busy keeps nobody from seeing what moves.
pub(crate) async fn run(app: web::Data<App>) {
    tokio::join!(tell_all(&app), store_all(&app));
}

async fn tell_all(app: &App) {
    loop {
        app.live.to_tell.notified().await;
        for (account, views) in app.live.take_untold() {
            for frame in changes(views) {
                app.hub.to_controllers(&account, &frame);
            }
        }
        tokio::time::sleep(TELL_EVERY).await;
    }
}

/// The frames that tell of changes. They are few however much moves at once, or those who listen would fall behind.
fn changes(views: Vec<TransferView>) -> impl Iterator<Item = FromServer> {
    snapshot_parts(views).into_iter().map(|part| {
        FromServer::Transfers(Part {
            place: Place::Change,
            rows: part.rows,
        })
    })
}

async fn store_all(app: &App) {
    loop {
        app.live.to_store.notified().await;
        while !app.live.is_all_stored() {
            let views = app.live.due();
            let outcome = store(app, &views).await;
            app.live.note_stored(&views, outcome);
            tokio::time::sleep(LOOK_EVERY).await;
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
mod tests;

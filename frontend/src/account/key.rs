//! The account key in clear: in memory only, for 15 minutes after the password was typed.

use std::{cell::RefCell, rc::Rc};

use beckon_shared::{
    error::{ErrorCode, Refusal},
    keys::AccountKey,
};
use futures_channel::oneshot;
use gloo_timers::callback::Timeout;
use leptos::prelude::{ArcRwSignal, RwSignal, Set};

use super::{Problem, act};
use crate::{identity, store::Stores, text};

/// How long the key stays, in milliseconds.
const STAYS: u32 = 15 * 60 * 1000;

/// The key, and the timer that takes it away.
struct Held {
    key: Rc<AccountKey>,
    _end: Timeout,
}

type Waiting = oneshot::Sender<Option<Rc<AccountKey>>>;

thread_local! {
    static HELD: RefCell<Option<Held>> = const { RefCell::new(None) };
    static WAITING: RefCell<Vec<Waiting>> = const { RefCell::new(Vec::new()) };
    static ASKED: ArcRwSignal<bool> = ArcRwSignal::new(false);
}

/// Whether the password is asked for; the dialog sets it to false when it is closed.
pub(crate) fn asked() -> RwSignal<bool> {
    ASKED.with(|asked| RwSignal::from(asked.clone()))
}

/// The account key, for certificates, join codes and revocations: from memory if the password was typed in the last 15
/// minutes, else the person is asked for the password in a dialog. `None` if the person thinks better of it.
pub(crate) async fn unlocked(_stores: Stores) -> Result<Option<Rc<AccountKey>>, Refusal> {
    if let Some(key) = HELD.with_borrow(|held| held.as_ref().map(|held| held.key.clone())) {
        return Ok(Some(key));
    }
    if identity::current().is_none() {
        return Err(Refusal::new(ErrorCode::NotSignedIn, text::account::ended()));
    }
    let (answer, answered) = oneshot::channel();
    WAITING.with_borrow_mut(|waiting| waiting.push(answer));
    ASKED.with(|asked| asked.set(true));
    Ok(answered.await.unwrap_or(None))
}

/// The password was typed into the dialog.
pub(crate) async fn unlock(stores: Stores, password: &str) -> Result<(), Problem> {
    hold(act::reopen(stores, password).await?);
    let key = HELD.with_borrow(|held| held.as_ref().map(|held| held.key.clone()));
    answer(key);
    Ok(())
}

/// The dialog was closed without a password.
pub(crate) fn dismiss() {
    answer(None);
}

fn answer(key: Option<Rc<AccountKey>>) {
    for waiting in WAITING.take() {
        let _ = waiting.send(key.clone());
    }
    ASKED.with(|asked| asked.set(false));
}

/// Keeps the key for a while.
pub(super) fn hold(key: AccountKey) {
    let held = Held {
        key: Rc::new(key),
        _end: Timeout::new(STAYS, || drop(HELD.take())),
    };
    HELD.set(Some(held));
}

/// Nobody is signed in any more.
pub(super) fn forget() {
    HELD.take();
    answer(None);
}

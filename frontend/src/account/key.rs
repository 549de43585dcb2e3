//! The account key in clear: in memory only, for 15 minutes after the password was typed.

use std::{
    cell::{Cell, RefCell},
    ops::Range,
    rc::Rc,
    time::Duration,
};

use beckon_shared::{
    error::{ErrorCode, Refusal},
    keys::AccountKey,
    time::Timestamp,
};
use gloo_timers::callback::Interval;

use super::{Problem, act};
use crate::{dom, identity, store::Stores, text};

/// How long the key stays.
const STAYS: Duration = Duration::from_secs(15 * 60);
/// How often it is looked whether its time is over. Milliseconds.
const LOOK: u32 = 60_000;

/// The key, and when it may be used. The clock is asked and no timer trusted, for timers stand still while a computer sleeps.
struct Held {
    key: Rc<AccountKey>,
    during: Range<Timestamp>,
    _look: Interval,
}

thread_local! {
    static HELD: RefCell<Option<Held>> = const { RefCell::new(None) };
    static RUN: Cell<u64> = const { Cell::new(0) };
}

/// Grows when somebody signs out: who began under an older number keeps no key.
pub(super) fn run() -> u64 {
    RUN.get()
}

/// Whether the account key is in memory, so that nobody need be asked for the password.
pub(crate) fn is_unlocked() -> bool {
    held(dom::now()).is_some()
}

/// The account key, for certificates, join codes and revocations. `None` if it is not in memory: then [`unlock`] comes first.
pub(super) fn unlocked() -> Result<Option<Rc<AccountKey>>, Refusal> {
    if identity::current().is_none() {
        return Err(Refusal::new(ErrorCode::NotSignedIn, text::account::ended()));
    }
    Ok(held(dom::now()))
}

/// Brings the key into memory by the password.
pub(crate) async fn unlock(stores: Stores, password: &str) -> Result<(), Problem> {
    if let Some(key) = act::reopen(stores, password).await? {
        hold(key);
    }
    Ok(())
}

/// Keeps the key for a while.
pub(super) fn hold(key: AccountKey) {
    let now = dom::now();
    let held = Held {
        key: Rc::new(key),
        during: now..now + STAYS,
        _look: Interval::new(LOOK, || drop(self::held(dom::now()))),
    };
    HELD.set(Some(held));
}

/// The key, if it may still be used; one that may not is forgotten. A clock that was set back ends it too.
fn held(now: Timestamp) -> Option<Rc<AccountKey>> {
    let key = HELD.with_borrow(|held| {
        let held = held.as_ref().filter(|held| held.during.contains(&now))?;
        Some(held.key.clone())
    });
    if key.is_none() {
        HELD.take();
    }
    key
}

/// Nobody is signed in any more.
pub(super) fn forget() {
    HELD.take();
    RUN.set(RUN.get() + 1);
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    #[wasm_bindgen_test]
    fn the_key_is_gone_after_its_time_though_no_timer_ran() {
        hold(AccountKey::from_bytes(&[1; AccountKey::LEN]));
        assert!(held(dom::now()).is_some());
        assert!(held(dom::now() + STAYS + Duration::from_secs(1)).is_none());
        assert!(held(dom::now()).is_none(), "it came back");
    }
}

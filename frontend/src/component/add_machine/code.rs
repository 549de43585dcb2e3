//! The join code of the dialog: made with the account key, good for one machine and 15 minutes.

use std::time::Duration;

use beckon_shared::{certificate::Role, id::Hash, time::Timestamp};
use leptos::prelude::*;

use crate::{account, api, component::unlock::Unlocking, dom, text};

/// How long it is good for.
const LIFE: Duration = Duration::from_secs(15 * 60);

/// What is known of a code that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Made {
    text: String,
    lookup: Hash,
    expires: Timestamp,
}

/// The code, and how making it stands.
#[derive(Clone, Copy)]
pub(super) struct Code {
    made: RwSignal<Option<Made>>,
    /// Whether one is being made.
    pub(super) busy: RwSignal<bool>,
    /// The password, where the account's key is not in memory.
    pub(super) unlocking: Unlocking,
    /// Whether a person asked for the one that is being made, and so waits for it.
    pub(super) is_asked_for: StoredValue<bool>,
    /// Why there is none.
    pub(super) problem: RwSignal<Option<String>>,
    /// Moves every second.
    now: RwSignal<Timestamp>,
    /// Counts up with each one that is asked for, so that a late one does not take the place of a newer.
    asked: StoredValue<u32>,
}

impl Code {
    /// None yet; the clock runs as long as the component.
    pub(super) fn new() -> Self {
        let now = RwSignal::new(dom::now());
        if let Ok(tick) = set_interval_with_handle(move || now.set(dom::now()), Duration::from_secs(1)) {
            on_cleanup(move || tick.clear());
        }
        Self {
            made: RwSignal::new(None),
            busy: RwSignal::new(false),
            unlocking: Unlocking::new(),
            is_asked_for: StoredValue::new(false),
            problem: RwSignal::new(None),
            now,
            asked: StoredValue::new(0),
        }
    }

    /// Makes one, in the place of the one before, which nobody has used; or asks for the password.
    pub(super) fn make(self, writable: bool) {
        let is_unlocked = account::is_unlocked();
        self.unlocking.needed.set(!is_unlocked);
        let role = if writable { Role::Copy } else { Role::Source };
        let Some(number) = self.asked.try_update_value(|asked| {
            *asked += 1;
            *asked
        }) else {
            return;
        };
        if let Some(before) = self.made.try_update(Option::take).flatten() {
            withdraw(before.lookup);
        }
        self.problem.set(None);
        self.busy.set(is_unlocked);
        if !is_unlocked {
            return;
        }
        leptos::task::spawn_local(async move {
            let made = account::join_code(role, LIFE, 1).await;
            if self.asked.try_get_value() != Some(number) {
                return;
            }
            let _ = self.busy.try_set(false);
            match made {
                Ok(Some(made)) => {
                    let made = Made {
                        text: made.text.to_string(),
                        lookup: made.lookup,
                        expires: made.expires,
                    };
                    let _ = self.made.try_set(Some(made));
                }
                // The key lapsed just now.
                Ok(None) => {
                    let _ = self.unlocking.needed.try_set(true);
                }
                Err(refusal) => {
                    let _ = self.problem.try_set(Some(text::error::of(&refusal)));
                }
            }
        });
    }

    /// Makes one with the password that was typed.
    pub(super) fn unlock_and_make(self, writable: RwSignal<bool>) {
        if self.busy.get_untracked() {
            return;
        }
        self.busy.set(true);
        self.is_asked_for.set_value(true);
        leptos::task::spawn_local(async move {
            let is_open = self.unlocking.open().await;
            let _ = self.busy.try_set(false);
            if let Some(writable) = writable.try_get_untracked().filter(|_| is_open) {
                self.make(writable);
            }
        });
    }

    /// The code while it can be used.
    pub(super) fn text(self) -> Option<String> {
        self.made.get().filter(|_| !self.is_over()).map(|made| made.text)
    }

    /// Seconds until it lapses.
    pub(super) fn left(self) -> Option<u64> {
        let expires = self.made.with(|made| made.as_ref().map(|made| made.expires))?;
        Some(expires.since(self.now.get()).as_secs())
    }

    /// Whether there was one that has lapsed.
    pub(super) fn is_over(self) -> bool {
        self.left() == Some(0)
    }
}

/// A code that nobody is shown any more should not be good for anything; if this fails it lapses by itself.
fn withdraw(lookup: Hash) {
    leptos::task::spawn_local(async move {
        let _ = api::delete(&format!("/api/join-codes/{lookup}")).await;
    });
}

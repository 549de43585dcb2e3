//! The password as a part of a form, where what the form does needs the account's key and that is not in memory any more.

use leptos::{html, prelude::*};

use super::field::{self, PasswordField};
use crate::{
    account,
    store::{Stores, stores},
    text,
};

/// The password that is typed, and what it opens.
#[derive(Clone, Copy)]
pub(crate) struct Unlocking {
    stores: Stores,
    node: NodeRef<html::Input>,
    problem: RwSignal<Option<String>>,
    /// Whether the password is asked for.
    pub(crate) needed: RwSignal<bool>,
}

impl Unlocking {
    /// Asks only if the key is not in memory.
    pub(crate) fn new() -> Self {
        Self {
            stores: stores(),
            node: NodeRef::new(),
            problem: RwSignal::new(None),
            needed: RwSignal::new(!account::is_unlocked()),
        }
    }

    /// Whether the account's key can be used now; else the field is there and says what is wrong.
    pub(crate) async fn open(self) -> bool {
        if account::is_unlocked() {
            return true;
        }
        if !self.needed.try_get_untracked().unwrap_or(false) {
            // The key lapsed while the form stood there.
            let _ = self.needed.try_set(true);
            request_animation_frame(move || field::focus(self.node));
            return false;
        }
        let password = field::value_of(self.node);
        let unlocked = account::unlock(self.stores, &password).await;
        if let Err(bad) = unlocked {
            let _ = self.problem.try_set(Some(bad.text_inside()));
            field::focus(self.node);
        }
        account::is_unlocked()
    }
}

/// The field; nothing while the password is not needed.
#[component]
pub(crate) fn UnlockField(unlocking: Unlocking) -> impl IntoView {
    let stores = unlocking.stores;
    let name = move || stores.me.with(|me| me.as_ref().map(|me| me.account_name.clone()));
    view! {
        <Show when=move || unlocking.needed.get()>
            // For the browser's own store of passwords.
            <input class="sr" type="text" autocomplete="username" tabindex="-1" aria-hidden="true" readonly prop:value=name/>
            <PasswordField
                label=text::account::password() node=unlocking.node autocomplete="current-password" problem=unlocking.problem
            />
        </Show>
    }
}

//! Asks for the password when the account's key is needed and not in memory any more.

use leptos::{html, prelude::*, task::spawn_local};

use super::{
    dialog::Dialog,
    field::{self, PasswordField, SendButton},
};
use crate::{account, store, text};

/// The dialog; it is there once on every page, and opens by itself.
#[component]
pub(crate) fn PasswordPrompt() -> impl IntoView {
    let open = account::asked();
    Effect::new(move |before: Option<bool>| {
        let is_open = open.get();
        if before == Some(true) && !is_open {
            account::dismiss();
        }
        is_open
    });
    view! {
        <Dialog open title=Signal::derive(|| text::account::prompt_title().to_owned()) class="small">
            <Ask open/>
        </Dialog>
    }
}

#[component]
fn Ask(open: RwSignal<bool>) -> impl IntoView {
    let stores = store::stores();
    let node = NodeRef::<html::Input>::new();
    let (busy, problem) = (RwSignal::new(false), RwSignal::new(None));
    node.on_load(|input| {
        let _ = input.focus();
    });
    let send = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        if busy.get_untracked() {
            return;
        }
        let password = field::value_of(node);
        busy.set(true);
        problem.set(None);
        spawn_local(async move {
            let unlocked = account::unlock(stores, &password).await;
            let _ = busy.try_set(false);
            if let Err(bad) = unlocked {
                let _ = problem.try_set(Some(bad.text()));
                field::focus(node);
            }
        });
    };
    let name = move || stores.me.with(|me| me.as_ref().map(|me| me.account_name.clone()));
    view! {
        <form class="prompt" on:submit=send>
            <div class="body">
                <p class="quiet">{text::account::prompt_text()}</p>
                <input class="sr" type="text" autocomplete="username" tabindex="-1" aria-hidden="true" readonly prop:value=name/>
                <PasswordField label=text::account::password() node autocomplete="current-password" problem/>
            </div>
            <footer>
                <button type="button" class="button" on:click=move |_| open.set(false)>{text::common::cancel()}</button>
                <SendButton busy label=text::account::unlock() working=text::account::signing_in() class="button primary"/>
            </footer>
        </form>
    }
}

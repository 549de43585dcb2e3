//! A new password, by the old one.

use beckon_shared::password;
use leptos::{html, prelude::*, task::spawn_local};

use super::{
    Setting,
    session::{self, SessionList},
};
use crate::{
    account::{self, Problem},
    component::{
        dialog::Dialog,
        field::{self, PasswordField, SendButton},
    },
    store, text,
};

/// The line with its button, and the dialog that this opens.
#[component]
pub(super) fn PasswordSetting(sessions: SessionList) -> impl IntoView {
    let open = RwSignal::new(false);
    view! {
        <Setting title=text::settings::password() says=text::settings::password_sub()>
            <button type="button" class="button" on:click=move |_| open.set(true)>{text::settings::change_password()}</button>
        </Setting>
        <Dialog open title=text::settings::change_password() class="small"><ChangePassword open sessions/></Dialog>
    }
}

#[component]
fn ChangePassword(open: RwSignal<bool>, sessions: SessionList) -> impl IntoView {
    let stores = store::stores();
    let (old_node, new_node) = (NodeRef::<html::Input>::new(), NodeRef::<html::Input>::new());
    let (old_problem, new_problem) = (RwSignal::new(None), RwSignal::new(None));
    let busy = RwSignal::new(false);
    old_node.on_load(|input| {
        let _ = input.focus();
    });
    let send = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let (old, new) = (field::value_of(old_node), field::value_of(new_node));
        old_problem.set(old.is_empty().then(|| text::account::password_missing().to_owned()));
        new_problem.set(bad_new(&old, &new));
        let is_wrong = old_problem.read_untracked().is_some() || new_problem.read_untracked().is_some();
        if is_wrong || busy.get_untracked() {
            return;
        }
        busy.set(true);
        spawn_local(async move {
            let changed = account::change_password(stores, &old, &new).await;
            let _ = busy.try_set(false);
            match changed {
                Ok(()) => {
                    stores.toasts.say(text::settings::changed().to_owned(), None);
                    let _ = open.try_set(false);
                    session::read(sessions);
                }
                Err(bad) => {
                    let _ = old_problem.try_set(Some(bad.text_inside()));
                    field::focus(old_node);
                }
            }
        });
    };
    let name = move || stores.me.with(|me| me.as_ref().map(|me| me.account_name.clone()));
    view! {
        <form on:submit=send>
            <div class="body">
                <input class="sr" type="text" autocomplete="username" tabindex="-1" aria-hidden="true" readonly prop:value=name/>
                <PasswordField
                    label=text::account::old_password() node=old_node autocomplete="current-password" problem=old_problem
                />
                <PasswordField
                    label=text::account::new_password() node=new_node autocomplete="new-password" problem=new_problem
                />
            </div>
            <footer>
                <button type="button" class="button" on:click=move |_| open.set(false)>{text::common::cancel()}</button>
                <SendButton
                    busy label=text::settings::change_password() working=text::settings::changing() class="button primary"
                />
            </footer>
        </form>
    }
}

/// What is wrong with the new password.
fn bad_new(old: &str, new: &str) -> Option<String> {
    match password::check_new(new) {
        Err(bad) => Some(Problem::from(bad).text()),
        Ok(()) if new == old => Some(text::account::password_same().to_owned()),
        Ok(()) => None,
    }
}

//! What is asked before an account is changed: its quota, and whether to disable it.

use beckon_shared::{
    api::admin::{AccountRow, ChangeAccount},
    id::AccountId,
};
use leptos::{prelude::*, task::spawn_local};

use super::{
    size::{Size, SizeField},
    watch::Watch,
};
use crate::{
    component::{
        dialog::{Confirm, Dialog, ProblemLine},
        field::SendButton,
    },
    format,
    store::stores,
    text::{self, admin as words, common},
};

/// What an administrator is asked about an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// Its quota.
    Quota(AccountId),
    /// Whether to disable it.
    Disable(AccountId),
}

/// The dialogs, once on the page; a row opens one by setting `asked`.
#[component]
pub(super) fn AccountDialogs(watch: Watch, asked: RwSignal<Option<Asked>>) -> impl IntoView {
    view! { <QuotaDialog watch asked/><DisableDialog watch asked/> }
}

fn row(watch: Watch, id: AccountId) -> Option<AccountRow> {
    watch
        .accounts
        .with(|rows| rows.iter().flatten().find(|row| row.id == id).cloned())
}

fn name(watch: Watch, id: Option<AccountId>) -> String {
    id.and_then(|id| row(watch, id))
        .map(|row| format::name(&row.name))
        .unwrap_or_default()
}

/// A signal of a dialog that is open while `asked` is of its kind; closing it asks nothing any more.
fn open_for(asked: RwSignal<Option<Asked>>, is_mine: fn(Asked) -> bool) -> RwSignal<bool> {
    let open = RwSignal::new(false);
    Effect::new(move || open.set(asked.get().is_some_and(is_mine)));
    Effect::new(move || {
        if !open.get() && asked.get_untracked().is_some_and(is_mine) {
            asked.set(None);
        }
    });
    open
}

#[component]
fn QuotaDialog(watch: Watch, asked: RwSignal<Option<Asked>>) -> impl IntoView {
    let open = open_for(asked, |asked| matches!(asked, Asked::Quota(_)));
    let id = move || match asked.get() {
        Some(Asked::Quota(id)) => Some(id),
        _ => None,
    };
    let title = Signal::derive(move || words::quota_title(&name(watch, id())));
    view! {
        <Dialog open title class="small">
            {move || id().map(|id| view! { <QuotaForm watch id open/> })}
        </Dialog>
    }
}

#[component]
fn QuotaForm(watch: Watch, id: AccountId, open: RwSignal<bool>) -> impl IntoView {
    let account = untrack(|| row(watch, id));
    let size = Size::new(account.as_ref().and_then(|row| row.quota));
    let used = words::quota_says(&format::bytes(account.map_or(0, |row| row.used)));
    let (busy, problem) = (RwSignal::new(false), RwSignal::new(None));
    let send = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        problem.set(None);
        let Some(quota) = size.read().filter(|_| !busy.get_untracked()) else {
            return;
        };
        let change = ChangeAccount {
            quota: Some(quota),
            ..ChangeAccount::default()
        };
        busy.set(true);
        spawn_local(async move {
            let changed = watch.change(id, change).await;
            let _ = busy.try_set(false);
            match changed {
                Ok(()) => {
                    let _ = open.try_set(false);
                }
                Err(refusal) => {
                    let _ = problem.try_set(Some(text::error::of(&refusal)));
                }
            }
        });
    };
    view! {
        <form on:submit=send>
            <div class="body">
                <p class="quiet">{used}</p>
                <SizeField size autofocus=true/>
                <ProblemLine problem/>
            </div>
            <footer>
                <button type="button" class="button" on:click=move |_| open.set(false)>{common::cancel()}</button>
                <SendButton busy label=common::save() working=common::save() class="button primary"/>
            </footer>
        </form>
    }
}

#[component]
fn DisableDialog(watch: Watch, asked: RwSignal<Option<Asked>>) -> impl IntoView {
    let toasts = stores().toasts;
    let open = open_for(asked, |asked| matches!(asked, Asked::Disable(_)));
    let (busy, problem) = (RwSignal::new(false), RwSignal::new(None));
    let id = move || match asked.get() {
        Some(Asked::Disable(id)) => Some(id),
        _ => None,
    };
    Effect::new(move || {
        asked.track();
        problem.set(None);
    });
    let title = Signal::derive(move || words::disable_title(&name(watch, id())));
    let says = Signal::derive(move || words::disable_says(&name(watch, id())));
    let act = move |()| {
        let Some(row) = untrack(|| id().and_then(|id| row(watch, id))) else {
            return;
        };
        busy.set(true);
        spawn_local(async move {
            let change = ChangeAccount {
                disabled: Some(true),
                ..ChangeAccount::default()
            };
            let changed = watch.change(row.id, change).await;
            let _ = busy.try_set(false);
            match changed {
                Ok(()) => {
                    let _ = open.try_set(false);
                    toasts.say(words::was_disabled(&format::name(&row.name)), None);
                }
                Err(refusal) => {
                    let _ = problem.try_set(Some(text::error::of(&refusal)));
                }
            }
        });
    };
    let (keep, verb) = (words::disable_keep().to_owned(), words::disable().to_owned());
    view! { <Confirm open title says keep verb busy problem act/> }
}

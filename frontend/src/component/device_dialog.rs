//! What is done with a device from several pages: a new name, removal, confirmation.

use beckon_shared::{
    api::device::Rename,
    device::{DeviceKind, DeviceView},
    error::Refusal,
    id::DeviceId,
    path::Label,
};
use leptos::{html, prelude::*};

use super::{
    dialog::{Dialog, ProblemLine, fresh_id},
    unlock::{UnlockField, Unlocking},
};
use crate::{
    account, api, format,
    store::{Stores, stores},
    text::{self, common, device as words},
};

/// What a person is asked about a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Its new name.
    Name(DeviceId),
    /// Whether to remove it.
    Removal(DeviceId),
}

/// The dialogs, once on a page; a row opens one by setting `asked`.
#[component]
pub(crate) fn DeviceDialogs(asked: RwSignal<Option<Asked>>) -> impl IntoView {
    view! { <RenameDialog asked/><RemoveDialog asked/> }
}

#[component]
fn RenameDialog(asked: RwSignal<Option<Asked>>) -> impl IntoView {
    let stores = stores();
    let open = RwSignal::new(false);
    Effect::new(move || open.set(matches!(asked.get(), Some(Asked::Name(_)))));
    let device = move || match asked.get() {
        Some(Asked::Name(device)) => Some(device),
        _ => None,
    };
    let title = Signal::derive(move || words::rename_title(&name_of(stores, device())));
    let done = move || open.set(false);
    view! {
        <Dialog open title class="small">
            {move || device().map(|device| view! { <RenameForm device done/> })}
        </Dialog>
    }
}

fn name_of(stores: Stores, device: Option<DeviceId>) -> String {
    let view = device.and_then(|device| stores.devices.get(device));
    view.map(|view| format::name(view.name.as_str())).unwrap_or_default()
}

/// A field with the name of a device, as the body and foot of a dialog.
#[component]
fn RenameForm(device: DeviceId, done: impl Fn() + Copy + Send + Sync + 'static) -> impl IntoView {
    let stores = stores();
    let (field, hint) = (fresh_id("name"), fresh_id("hint"));
    let node = NodeRef::<html::Input>::new();
    let rename = Renaming::new(stores, device);
    node.on_load(|input| input.select());
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let text = node.get_untracked().map(|input| input.value()).unwrap_or_default();
        rename.submit(&text, done);
    };
    let before = stores.devices.peek(device).map(|view| view.name.to_string());
    let is_bad = move || rename.problem.read().is_some().then_some("true");
    view! {
        <form on:submit=submit>
            <div class="body">
                <div class="field">
                    <label for=field.clone()>{common::name()}</label>
                    <input
                        id=field class="input" node_ref=node autofocus autocomplete="off" spellcheck="false" maxlength="64"
                        prop:value=before aria-invalid=is_bad aria-describedby=hint.clone() on:input=move |_| rename.problem.set(None)
                    />
                    <p class="hint" id=hint>{words::rename_hint()}</p>
                    <ProblemLine problem=rename.problem/>
                </div>
            </div>
            <footer>
                <button type="button" class="button" on:click=move |_| done()>{common::cancel()}</button>
                <button type="submit" class="button primary" aria-busy=move || rename.busy.get().then_some("true")>{common::save()}</button>
            </footer>
        </form>
    }
}

/// A new name on its way: shown at once, taken back if refused.
#[derive(Clone, Copy)]
pub(crate) struct Renaming {
    stores: Stores,
    device: DeviceId,
    /// Whether the server is being asked.
    pub(crate) busy: RwSignal<bool>,
    /// Why the name was not taken.
    pub(crate) problem: RwSignal<Option<String>>,
}

impl Renaming {
    /// Of a device.
    pub(crate) fn new(stores: Stores, device: DeviceId) -> Self {
        Self {
            stores,
            device,
            busy: RwSignal::new(false),
            problem: RwSignal::new(None),
        }
    }

    /// Asks for a name; `done` once it stands, or if it is the one that it has.
    pub(crate) fn submit(self, text: &str, done: impl Fn() + 'static) {
        let Ok(name) = Label::new(text.trim()) else {
            self.problem.set(Some(common::bad_name().to_owned()));
            return;
        };
        if self.busy.get_untracked() {
            return;
        }
        let before = self.stores.devices.peek(self.device);
        if before.is_some_and(|before| before.name == name) {
            return done();
        }
        self.busy.set(true);
        leptos::task::spawn_local(async move {
            let told = rename(self.stores, self.device, name).await;
            let _ = self.busy.try_set(false);
            match told {
                Ok(()) => done(),
                Err(refusal) => {
                    let _ = self.problem.try_set(Some(text::error::of(&refusal)));
                }
            }
        });
    }
}

async fn rename(stores: Stores, device: DeviceId, name: Label) -> Result<(), Refusal> {
    let row = untrack(|| stores.devices.row(device));
    let before = row.map(|row| row.with_untracked(|view| view.name.clone()));
    let show = |name: Label| {
        if let Some(row) = row {
            row.update(|view| view.name = name);
        }
    };
    show(name.clone());
    let told = api::patch(&format!("/api/devices/{device}"), &Rename { name }).await;
    if let (Err(_), Some(before)) = (&told, before) {
        show(before);
    }
    told
}

#[component]
fn RemoveDialog(asked: RwSignal<Option<Asked>>) -> impl IntoView {
    let stores = stores();
    let open = RwSignal::new(false);
    Effect::new(move || open.set(matches!(asked.get(), Some(Asked::Removal(_)))));
    let device = move || match asked.get() {
        Some(Asked::Removal(device)) => Some(device),
        _ => None,
    };
    let title = Signal::derive(move || words::remove_title(&name_of(stores, device())));
    view! {
        <Dialog open title class="small">
            {move || device().map(|device| view! { <RemoveForm device open/> })}
        </Dialog>
    }
}

/// What removing means, and the password where the account's key must be opened for it.
#[component]
fn RemoveForm(device: DeviceId, open: RwSignal<bool>) -> impl IntoView {
    let stores = stores();
    let unlocking = Unlocking::new();
    let (busy, problem) = (RwSignal::new(false), RwSignal::new(None::<String>));
    let view = Memo::new(move |_| stores.devices.get(device));
    let says = move || view.with(|view| view.as_ref().map(|view| remove_says(stores, view)));
    let verb = move || view.with(|view| view.as_ref().map(|view| remove_verb(view.kind)));
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        if busy.get_untracked() {
            return;
        }
        busy.set(true);
        problem.set(None);
        leptos::task::spawn_local(async move {
            let told = if unlocking.open().await {
                account::revoke(stores, device).await
            } else {
                Ok(false)
            };
            let _ = busy.try_set(false);
            match told {
                Ok(true) => {
                    let _ = open.try_set(false);
                    stores.toasts.say(words::removed(&name_of(stores, Some(device))), None);
                }
                // The password was not given: the question stands.
                Ok(false) => {}
                Err(refusal) => {
                    let _ = problem.try_set(Some(text::error::of(&refusal)));
                }
            }
        });
    };
    view! {
        <form on:submit=submit>
            <div class="body">
                <p class="quiet">{says}</p>
                <Show when=move || unlocking.needed.get()><p class="quiet">{words::remove_wants_password()}</p></Show>
                <UnlockField unlocking/>
                <ProblemLine problem/>
            </div>
            <footer>
                <button type="button" class="button" autofocus on:click=move |_| open.set(false)>{words::keep()}</button>
                <button type="submit" class="button danger" aria-busy=move || busy.get().then_some("true")>{verb}</button>
            </footer>
        </form>
    }
}

fn remove_says(stores: Stores, device: &DeviceView) -> String {
    if device.kind != DeviceKind::Agent {
        return words::remove_other_says().to_owned();
    }
    let mut open = 0_u64;
    stores
        .transfers
        .each(|view| open += u64::from(view.device == device.id && !view.state.is_over()));
    let word = text::plural(open, "open transfer is", "open transfers are");
    match open {
        0 => words::remove_says().to_owned(),
        _ => words::remove_waiting(&format::count(open), &word),
    }
}

fn remove_verb(kind: DeviceKind) -> &'static str {
    match kind {
        DeviceKind::Agent => words::remove_machine(),
        DeviceKind::Browser => words::remove_browser(),
        DeviceKind::Cli => words::remove_cli(),
    }
}

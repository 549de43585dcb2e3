//! The dialog that has a machine hold a copy of what another one stored: once, or kept current.

mod place;

use beckon_shared::{
    order::{Extent, Followed},
    path::{Label, RootPath},
    transfer::Task,
};
use leptos::{prelude::*, task::spawn_local};

use self::place::{Place, PlaceFields};
use super::{
    dialog::{Dialog, ProblemLine, fresh_id},
    field::SendButton,
};
use crate::{
    format, order, route,
    store::{Stores, stores},
    text::{self, common, sync as words},
};

/// What a copy is wanted of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    /// What another device stored.
    pub(crate) from: Followed,
    /// What it is called.
    pub(crate) name: String,
    /// Whether it is one file.
    pub(crate) is_file: bool,
    /// Which states of it; a person chooses between the newest and all that follow if absent.
    pub(crate) extent: Option<Extent>,
}

/// The dialog; it is there while `asked` holds something.
#[component]
pub(crate) fn FollowDialog(asked: RwSignal<Option<Asked>>) -> impl IntoView {
    let open = RwSignal::new(false);
    Effect::new(move || open.set(asked.read().is_some()));
    Effect::new(move || {
        if !open.get() && asked.read_untracked().is_some() {
            asked.set(None);
        }
    });
    let title = move || {
        asked.with(|asked| match asked {
            Some(Asked { name, extent, .. }) if extent.is_some() => words::restore_title(name),
            Some(Asked { name, .. }) => words::copy_title(name),
            None => String::new(),
        })
    };
    view! {
        <Dialog open title=Signal::derive(title)>
            {move || asked.get().map(|asked| view! { <Form asked open/> })}
        </Dialog>
    }
}

/// What is being asked.
#[derive(Clone, Copy)]
struct Draft {
    stores: Stores,
    asked: StoredValue<Asked>,
    place: Place,
    /// Whether it is to be kept current, where that may be chosen.
    is_kept: RwSignal<bool>,
    /// Whether its source is to be kept uploaded too, if nothing does so yet.
    watches: RwSignal<bool>,
    /// What the source is called, if nothing keeps it uploaded.
    unwatched: Memo<Option<Label>>,
    /// Whether the copy was ordered, and only to keep its source uploaded was not.
    is_placed: RwSignal<bool>,
    busy: RwSignal<bool>,
    problem: RwSignal<Option<String>>,
    /// Whether the dialog is there.
    open: RwSignal<bool>,
}

impl Draft {
    fn new(stores: Stores, asked: Asked, open: RwSignal<bool>) -> Self {
        let is_kept = RwSignal::new(asked.extent.is_none());
        let from = asked.from.clone();
        Self {
            stores,
            place: Place::new(stores, &asked),
            asked: StoredValue::new(asked),
            is_kept,
            watches: RwSignal::new(true),
            unwatched: Memo::new(move |_| unwatched(stores, &from).filter(|_| is_kept.get())),
            is_placed: RwSignal::new(false),
            busy: RwSignal::new(false),
            problem: RwSignal::new(None),
            open,
        }
    }

    fn is_restore(self) -> bool {
        self.asked.with_value(|asked| asked.extent.is_some())
    }

    fn extent(self) -> Extent {
        let chosen = match self.is_kept.get_untracked() {
            true => Extent::Kept,
            false => Extent::Once,
        };
        self.asked.with_value(|asked| asked.extent).unwrap_or(chosen)
    }

    /// Orders what the fields say.
    fn send(self) {
        if self.busy.get_untracked() {
            return;
        }
        self.problem.set(None);
        let (from, extent) = (self.asked.with_value(|asked| asked.from.clone()), self.extent());
        let Some(to) = self.place.read(&from, extent) else {
            return;
        };
        let watches = self.watches.get_untracked() && self.unwatched.with_untracked(Option::is_some);
        self.busy.set(true);
        spawn_local(async move {
            let told = self.order(&to, from, extent, watches).await;
            let _ = self.busy.try_set(false);
            match told {
                Ok(()) => {
                    let _ = self.open.try_set(false);
                    self.stores.toasts.say(ordered(self.stores, &to), None);
                }
                Err(why) => _ = self.problem.try_set(Some(why)),
            }
        });
    }

    /// The copy is ordered first: a root that is kept uploaded for nobody would be the worse half. It is not ordered again if
    /// the other half failed.
    async fn order(self, to: &order::Target, from: Followed, extent: Extent, watches: bool) -> Result<(), String> {
        let (stores, device, root) = (self.stores, from.device, from.root);
        if self.is_placed.try_get_untracked() != Some(true) {
            let told = order::follow(stores, to, from, extent).await;
            told.map_err(|refusal| text::error::of(&refusal))?;
        }
        if watches && let Err(refusal) = order::watch(stores, device, root).await {
            let _ = self.is_placed.try_set(true);
            return Err(words::copy_not_watched(&text::error::of(&refusal)));
        }
        Ok(())
    }
}

#[component]
fn Form(asked: Asked, open: RwSignal<bool>) -> impl IntoView {
    let draft = Draft::new(stores(), asked, open);
    let send = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        draft.send();
    };
    view! {
        <form on:submit=send novalidate>
            <div class="body">
                <Show when=move || !draft.is_placed.get()><Fields draft/></Show>
                <ProblemLine problem=draft.problem/>
            </div>
            <Foot draft/>
        </form>
    }
}

#[component]
fn Fields(draft: Draft) -> impl IntoView {
    let Draft {
        place,
        is_kept,
        watches,
        unwatched,
        ..
    } = draft;
    view! {
        <PlaceFields place/>
        {(!draft.is_restore()).then(|| view! { <HowLong is_kept/> })}
        {move || unwatched.get().map(|root| view! { <WatchToo root watches/> })}
    }
}

#[component]
fn Foot(draft: Draft) -> impl IntoView {
    let Draft {
        stores,
        is_placed,
        busy,
        open,
        ..
    } = draft;
    let verb = Signal::derive(move || {
        let verb = match () {
            () if is_placed.get() => words::keep_uploaded(),
            () if draft.is_restore() => words::restore_verb(),
            () => words::copy_verb(),
        };
        verb.to_owned()
    });
    let away = move || {
        if is_placed.get() {
            common::close()
        } else {
            common::cancel()
        }
    };
    let has_machine = Memo::new(move |_| !stores.devices.machines().is_empty());
    view! {
        <footer>
            <button type="button" class="button" on:click=move |_| open.set(false)>{away}</button>
            <Show when=move || has_machine.get() fallback=add_machine>
                <SendButton busy label=verb working=verb class="button primary"/>
            </Show>
        </footer>
    }
}

fn add_machine() -> impl IntoView {
    view! { <a class="button primary" href=route::ADD_MACHINE>{text::machines::add()}</a> }
}

fn ordered(stores: Stores, to: &order::Target) -> String {
    match stores.devices.peek(to.machine) {
        Some(view) if !view.online => words::machine_is_away(&format::name(view.name.as_str())),
        _ => words::copy_ordered().to_owned(),
    }
}

/// What the root is called that a copy would be of, if nothing keeps it uploaded and something could. Tracked.
fn unwatched(stores: Stores, from: &Followed) -> Option<Label> {
    let device = stores.devices.get(from.device).filter(|device| !device.revoked)?;
    let root = device.roots.into_iter().find(|root| root.id == from.root)?;
    let mut is_watched = false;
    stores.transfers.each(|view| {
        let is_its = view.device == from.device && view.root_id == root.id;
        is_watched |= view.task == Task::Watch && is_its && !view.state.is_over();
    });
    (!is_watched).then_some(root.name)
}

#[component]
fn HowLong(is_kept: RwSignal<bool>) -> impl IntoView {
    let group = fresh_id("how-long");
    let option = move |kept: bool, label: &'static str, says: &'static str| {
        view! {
            <label class="option">
                <input class="check" type="radio" name=group.clone() prop:checked=move || is_kept.get() == kept on:change=move |_| is_kept.set(kept)/>
                <span>{label}<span class="hint block">{says}</span></span>
            </label>
        }
    };
    view! {
        <fieldset class="field options">
            <legend class="field-label">{words::how_long()}</legend>
            {option(true, words::keep_it(), words::keep_it_says())}
            {option(false, words::only_once(), words::only_once_says())}
        </fieldset>
    }
}

#[component]
fn WatchToo(root: Label, watches: RwSignal<bool>) -> impl IntoView {
    view! {
        <label class="option">
            <input class="check" type="checkbox" prop:checked=move || watches.get() on:change=move |event| watches.set(event_target_checked(&event))/>
            <span>{words::watch_too(&format::name(root.as_str()))}<span class="hint block">{words::watch_too_says()}</span></span>
        </label>
    }
}

/// A folder that is called as what a copy is made of: by its own name, or its root's.
fn called(from: &Followed, name: &str) -> RootPath {
    let own = match from.path.split_last() {
        Some((_, name)) => RootPath::root().join(&name),
        None => RootPath::new(name.rsplit('/').next().unwrap_or(name)),
    };
    own.unwrap_or_else(|_| RootPath::root())
}

/// Whether one of two places holds the other.
fn overlap(one: &RootPath, other: &RootPath) -> bool {
    one.holds(other) || other.holds(one)
}

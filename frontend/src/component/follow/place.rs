//! The fields that ask where to write: a machine, one of its roots, a folder in it.

use beckon_shared::{
    device::{DeviceView, RootView},
    id::{DeviceId, RootId},
    order::{Extent, Followed},
    path::RootPath,
};
use leptos::prelude::*;

use super::{Asked, called, overlap};
use crate::{
    component::dialog::{ProblemLine, fresh_id},
    format,
    order::Target,
    store::Stores,
    text::sync as words,
};

/// What stands in the fields.
#[derive(Clone, Copy)]
pub(super) struct Place {
    stores: Stores,
    machine: RwSignal<Option<DeviceId>>,
    root: RwSignal<Option<RootId>>,
    below: RwSignal<String>,
    /// What stood there at first as people read it, and what it is: a name may not be text.
    suggested: StoredValue<(String, RootPath)>,
    /// Whether one file is written, whose own name the path ends in.
    is_file: bool,
    bad_root: RwSignal<Option<String>>,
    bad_below: RwSignal<Option<String>>,
}

impl Place {
    pub(super) fn new(stores: Stores, asked: &Asked) -> Self {
        let machines = untrack(|| stores.devices.machines());
        let of = |id: &DeviceId| stores.devices.peek(*id);
        let is_other = |id: &&DeviceId| **id != asked.from.device;
        let writes = |id: &&DeviceId| of(id).is_some_and(|view| view.roots.iter().any(|root| root.writable));
        let others = || machines.iter().filter(is_other);
        let first = others()
            .find(writes)
            .or(others().next())
            .or(machines.iter().find(writes));
        let place = Self {
            stores,
            machine: RwSignal::new(None),
            root: RwSignal::new(None),
            below: RwSignal::default(),
            suggested: StoredValue::default(),
            is_file: asked.is_file,
            bad_root: RwSignal::new(None),
            bad_below: RwSignal::new(None),
        };
        place.choose(first.copied());
        place.suggest(called(&asked.from, &asked.name));
        if asked.extent.is_some() {
            place.go_back(&asked.from);
        }
        place
    }

    /// An older state goes back to where it came from, if that may be written.
    fn go_back(self, from: &Followed) {
        let view = self.stores.devices.peek(from.device).filter(|view| !view.revoked);
        let root = view.and_then(|view| view.roots.into_iter().find(|root| root.id == from.root));
        if root.is_some_and(|root| root.writable) {
            self.machine.set(Some(from.device));
            self.root.set(Some(from.root));
            self.suggest(from.path.clone());
        }
    }

    fn suggest(self, path: RootPath) {
        let shown = path.display();
        self.below.set(shown.clone());
        self.suggested.set_value((shown, path));
    }

    /// The folder that stands in the field.
    fn path(self) -> Option<RootPath> {
        let below = self.below.get_untracked();
        let (shown, path) = self.suggested.get_value();
        if below == shown { Some(path) } else { folder(&below) }
    }

    /// Another machine has other roots: the first that may be written is chosen.
    fn choose(self, machine: Option<DeviceId>) {
        let view = machine.and_then(|id| self.stores.devices.peek(id));
        let first = view.and_then(|view| view.roots.into_iter().find(|root| root.writable));
        self.machine.set(machine);
        self.root.set(first.map(|root| root.id));
        self.bad_root.set(None);
    }

    /// The machine as it is now; tracked.
    fn view(self) -> Option<DeviceView> {
        self.stores.devices.get(self.machine.get()?)
    }

    /// Where to write; nothing if the fields say no place, which they then tell. Only what is kept current must not lie in
    /// what it is a copy of: an older state may well go back to where it came from.
    pub(super) fn read(self, from: &Followed, extent: Extent) -> Option<Target> {
        self.bad_root.set(None);
        self.bad_below.set(None);
        let (Some(machine), Some(root)) = (self.machine.get_untracked(), self.root.get_untracked()) else {
            self.bad_root.set(Some(words::choose_root().to_owned()));
            return None;
        };
        let path = match self.path() {
            Some(path) if path.is_root() && self.is_file => Err(words::no_name()),
            Some(path) => Ok(path),
            None => Err(words::bad_below()),
        };
        let path = path.map_err(|says| self.bad_below.set(Some(says.to_owned()))).ok()?;
        let is_inside =
            extent == Extent::Kept && (machine, root) == (from.device, from.root) && overlap(&path, &from.path);
        if is_inside {
            self.bad_below.set(Some(words::overlaps().to_owned()));
            return None;
        }
        Some(Target { machine, root, path })
    }
}

/// A path as a person writes it, slashes at its ends or not.
fn folder(text: &str) -> Option<RootPath> {
    RootPath::new(text.trim().trim_matches('/')).ok()
}

#[component]
pub(super) fn PlaceFields(place: Place) -> impl IntoView {
    let stores = place.stores;
    let field = fresh_id("machine");
    let machines = Memo::new(move |_| {
        let ids = stores.devices.machines().into_iter();
        let named = ids.filter_map(|id| Some((id, format::name(stores.devices.get(id)?.name.as_str()))));
        named.collect::<Vec<_>>()
    });
    let choose = move |event| place.choose(event_target_value(&event).parse().ok());
    let options = move || {
        let option = |(id, name): (DeviceId, String)| {
            let is_chosen = move || place.machine.get() == Some(id);
            view! { <option value=id.to_string() prop:selected=is_chosen>{name}</option> }
        };
        machines.get().into_iter().map(option).collect_view()
    };
    view! {
        <Show when=move || !machines.read().is_empty() fallback=|| view! { <p class="quiet">{words::no_other_machine()}</p> }>
            <div class="field">
                <label for=field.clone()>{words::machine()}</label>
                <select id=field.clone() class="input" autofocus on:change=choose>{options}</select>
            </div>
            <Roots place/>
            <Below place/>
        </Show>
    }
}

#[component]
fn Roots(place: Place) -> impl IntoView {
    let group = StoredValue::new(fresh_id("root"));
    // Other news of the machine draw nothing anew: the keyboard may be in here.
    let machine = Memo::new(move |_| {
        let view = place.view()?;
        Some((format::name(view.name.as_str()), view.roots))
    });
    let rows = move || {
        let Some((name, roots)) = machine.get() else {
            return ().into_any();
        };
        if roots.is_empty() {
            return view! { <p class="quiet">{words::no_writable(&name)}</p> }.into_any();
        }
        let row = |root: RootView| view! { <RootOption place root machine=name.clone() group=group.get_value()/> };
        roots.into_iter().map(row).collect_view().into_any()
    };
    view! {
        <fieldset class="field options">
            <legend class="field-label">{words::folder_to()}</legend>
            {rows}
            <ProblemLine problem=place.bad_root/>
        </fieldset>
    }
}

/// A root that may be chosen, or how it comes to be one.
#[component]
fn RootOption(place: Place, root: RootView, machine: String, group: String) -> impl IntoView {
    let RootView { id, name, writable } = root;
    let name = format::name(name.as_str());
    let how = (!writable).then(|| {
        let says = words::how_writable(&machine, &name);
        view! { <span class="hint block">{says}</span> }
    });
    let badge = (!writable).then(|| view! { " " <span class="badge">{words::not_writable()}</span> });
    view! {
        <label class="option">
            <input
                class="check" type="radio" name=group disabled=!writable
                prop:checked=move || place.root.get() == Some(id) on:change=move |_| place.root.set(Some(id))
            />
            <span><bdi>{name}</bdi>{badge}{how}</span>
        </label>
    }
}

#[component]
fn Below(place: Place) -> impl IntoView {
    let (field, below) = (fresh_id("below"), fresh_id("hint"));
    let typed = move |event| {
        place.below.set(event_target_value(&event));
        place.bad_below.set(None);
    };
    let is_bad = move || place.bad_below.read().is_some().then_some("true");
    let (label, help) = match place.is_file {
        true => (words::below_file(), words::below_file_hint()),
        false => (words::below(), words::below_hint()),
    };
    view! {
        <div class="field">
            <label for=field.clone()>{label}</label>
            <input
                id=field class="input mono" autocomplete="off" autocapitalize="none" spellcheck="false"
                prop:value=move || place.below.get() on:input=typed aria-invalid=is_bad aria-describedby=below.clone()
            />
            <div id=below>
                {move || place.bad_below.read().is_none().then(|| view! { <p class="hint">{help}</p> })}
                <ProblemLine problem=place.bad_below/>
            </div>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    #[wasm_bindgen_test]
    fn a_folder_is_read_as_people_write_it() {
        let path = |text: &str| RootPath::new(text).ok();
        assert_eq!(folder("a/b"), path("a/b"));
        assert_eq!(folder(" /a/b/ "), path("a/b"));
        assert_eq!(folder(""), path(""));
        assert_eq!(folder("a/../b"), None);
    }
}

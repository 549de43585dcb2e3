//! A machine's folders, live.

mod act;
mod bar;
mod details;
mod download;
mod folder;
mod head;
mod ignore;
mod item;
mod kept;
mod list;
mod paste;
mod reader;
mod slots;
mod standings;
mod sync;

use std::cell::RefCell;

use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    hooks::{use_navigate, use_params_map},
};

use self::{
    folder::{Folder, Habits, Spot},
    item::Item,
    list::Ways,
};
use crate::{
    component::{
        drop_zone::DropZone,
        empty_state::EmptyState,
        file_list::MenuAt,
        frame,
        menu::{Menu, Place},
        pane::Pane,
        selection::Key,
    },
    format, keyboard, order, route,
    store::stores,
    text::{keyboard as keys, machine as words},
};

thread_local! {
    /// The list is to have the keyboard when the folder is drawn: it was opened from the list above or below. The row
    /// that it was left from.
    static ARRIVES: RefCell<Option<Option<Key>>> = const { RefCell::new(None) };
}

/// The page.
#[component]
pub(crate) fn Machine() -> impl IntoView {
    let stores = stores();
    let params = use_params_map();
    let spot =
        Memo::new(move |_| params.with(|params| spot(&params.get("device")?, &params.get("rest").unwrap_or_default())));
    let habits = Habits {
        sort: RwSignal::default(),
        pane: Pane::new(),
    };
    let is_listed = Memo::new(move |_| {
        let machine = spot.with(|spot| spot.as_ref().map(|spot| spot.machine));
        !stores.devices.known().get() || machine.is_some_and(|machine| stores.devices.row(machine).is_some())
    });
    // What a root is called and where folders lie is said by the control list, which comes a moment after the page.
    let is_known = Memo::new(move |_| stores.devices.known().get());
    move || match spot.get().filter(|_| is_listed.get()) {
        None => unknown(),
        Some(_) if !is_known.get() => ().into_any(),
        Some(spot) => view! { <FolderPage spot habits/> }.into_any(),
    }
}

fn spot(device: &str, rest: &str) -> Option<Spot> {
    let machine = device.parse().ok()?;
    let (root, path) = rest.split_once('/').unwrap_or((rest, ""));
    if root.is_empty() {
        return Some(Spot { machine, place: None });
    }
    let place = Some((root.parse().ok()?, route::path(path)?));
    Some(Spot { machine, place })
}

fn unknown() -> AnyView {
    frame::title(|| words::unknown_title().to_owned());
    view! {
        <div class="page-body">
            <h1 class="sr" tabindex="-1">{words::unknown_title()}</h1>
            <EmptyState icon="machines" title=words::unknown_title() says=words::unknown()>
                <a class="button primary" href=route::MACHINES>{words::to_machines()}</a>
            </EmptyState>
        </div>
    }
    .into_any()
}

#[component]
fn FolderPage(spot: Spot, habits: Habits) -> impl IntoView {
    let folder = Folder::new(stores(), spot.clone(), habits);
    reader::follow(folder);
    standings::follow(folder);
    folder.list.follow_filter(folder.filter);
    let here = head::here(folder, &spot);
    let label = title(folder, &spot, &here);
    let said = label.clone();
    frame::title(move || said.clone());
    arrive(folder);
    let up = head::above(folder, &spot).pop();
    let open = opener(folder);
    let menu_at = RwSignal::new(None::<Place>);
    let ways = Ways {
        open: Callback::new({
            let open = open.clone();
            move |key: Key| folder.items(&[key]).iter().for_each(|item| open(item))
        }),
        up: Callback::new(upper(&spot, up.as_ref().map(|up| up.href.clone()))),
        menu: Callback::new(move |at: MenuAt| menu_at.set(Some(Place::Point(at.x.into(), at.y.into())))),
    };
    let entries = Callback::new(move |()| folder.menu(open.clone()));
    bind_keys(folder);
    let drag_ended = move |_| order::drag(None);
    let place = place_name(&spot);
    let writable = Memo::new(move |_| folder.may_write());
    let stray = folder.sync.stray;
    Effect::new(move || {
        if stray.get() {
            stray.set(false);
            folder.say_why_not();
        }
    });
    view! {
        <head::Head folder/>
        <div class="page-body flush" on:dragend=drag_ended>
            <sync::Strip folder/>
            <div class="with-pane">
                <DropZone can=writable over=folder.sync.over stray says=here take=move |dropped| folder.send_dropped(dropped)>
                    <bar::Bar folder on_menu=entries/>
                    <bar::Banner folder/>
                    <sync::Preparing folder/>
                    <list::Entries folder ways up place label/>
                    <list::Foot folder/>
                </DropZone>
                <Show when=move || habits.pane.is_open()><details::Details folder/></Show>
            </div>
        </div>
        <sync::Dialogs folder/>
        <Menu open=menu_at label=words::selection() items=move || entries.run(())/>
    }
}

fn title(folder: Folder, spot: &Spot, here: &str) -> String {
    let machine = format::name(&untrack(|| folder.machine_name()));
    match &spot.place {
        None => machine,
        Some(_) => words::title(&here, &machine),
    }
}

fn place_name(spot: &Spot) -> String {
    match &spot.place {
        None => route::machine(spot.machine),
        Some((root, path)) => route::folder(spot.machine, *root, path),
    }
}

/// Whoever opened this folder from a list goes on in its list.
fn arrive(folder: Folder) {
    if let Some(from) = ARRIVES.take() {
        if let Some(from) = from {
            folder.list.reveal(from);
        }
        folder.list.focus();
    }
}

/// Opens a folder, or the details of anything else.
fn opener(folder: Folder) -> impl Fn(&Item) + Clone + Send + Sync + 'static {
    let navigate = StoredValue::new_local(Box::new(use_navigate()) as Box<dyn Fn(&str, NavigateOptions)>);
    move |item: &Item| match folder.href(item) {
        Some(href) => {
            ARRIVES.set(Some(None));
            navigate.with_value(|navigate| navigate(&href, NavigateOptions::default()));
        }
        None => {
            // What is chosen and what the details are of are not to be two files.
            if !folder.list.selection.peek().is_empty() {
                folder.list.selection.only(item.key.clone());
            }
            folder.habits.pane.show(true);
        }
    }
}

/// Goes to the folder above, to the row of this one.
fn upper(spot: &Spot, href: Option<String>) -> impl Fn(()) + Send + Sync + 'static {
    let navigate = StoredValue::new_local(Box::new(use_navigate()) as Box<dyn Fn(&str, NavigateOptions)>);
    let from = spot.place.as_ref().map(|(root, path)| match path.split_last() {
        Some((_, name)) => Key::new(name.as_bytes()),
        None => Key::new(root.as_bytes()),
    });
    move |()| {
        let href = href.clone().unwrap_or_else(|| route::MACHINES.to_owned());
        if from.is_some() {
            ARRIVES.set(Some(from.clone()));
        }
        navigate.with_value(|navigate| navigate(&href, NavigateOptions::default()));
    }
}

fn bind_keys(folder: Folder) {
    keyboard::bind("u", keys::here, words::key_upload, move || {
        folder.upload(&folder.targets())
    });
    keyboard::bind("d", keys::here, words::key_download, move || {
        folder.download(&folder.targets())
    });
    keyboard::bind("r", keys::here, words::key_refresh, move || folder.read_again());
    keyboard::bind("f", keys::here, keys::filter, move || folder.open_filter());
    let pane = folder.habits.pane;
    keyboard::bind("i", keys::here, words::key_details, move || pane.toggle());
    keyboard::on_escape(move || {
        if pane.uncover() {
            folder.list.focus();
            return true;
        }
        let is_selecting = untrack(|| folder.list.selection.len()) > 0;
        if is_selecting {
            folder.list.selection.clear();
        }
        is_selecting
    });
}

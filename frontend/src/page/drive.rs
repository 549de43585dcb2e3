//! The drive: folders, what was stored last, what was deleted; versions, and files that are put in by hand.

mod bar;
mod details;
mod head;
pub(crate) mod item;
mod list;
mod move_to;
mod new_folder;
mod order;
mod put;
pub(crate) mod remote;
mod rename;
mod shelf;
mod verbs;

use std::{collections::HashSet, sync::Arc};

use beckon_shared::{
    id::NodeId,
    path::{Name, RootPath},
};
use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    hooks::{use_location, use_navigate, use_query_map},
};

use crate::{
    component::{drop_zone::DropZone, file_list::List, frame, menu},
    dom, format, keyboard, route,
    store::{Stores, stores},
    text::{drive as words, keyboard as keys},
};
use item::Item;
use shelf::{Place, Shelf};

/// Wider pages show the details from the beginning.
const WIDE: i32 = 1080;

thread_local! {
    /// Whether the details are open; the same in every folder.
    static DETAILS: std::cell::Cell<Option<bool>> = const { std::cell::Cell::new(None) };
}

/// Goes to an address.
type Go = Box<dyn Fn(&str) + Send + Sync>;

/// What the parts of the page share.
#[derive(Clone, Copy)]
struct Page {
    stores: Stores,
    place: StoredValue<Place>,
    shelf: Shelf,
    list: List,
    /// Whether the details are open.
    details: RwSignal<bool>,
    /// Whether the field of the filter is there.
    filtering: RwSignal<bool>,
    /// The row whose name is being written.
    renaming: RwSignal<Option<NodeId>>,
    /// What is being moved, while its dialog is open.
    moving: RwSignal<Vec<Arc<Item>>>,
    naming_folder: RwSignal<bool>,
    menu: RwSignal<Option<menu::Place>>,
    /// Why what was asked for was not done.
    problem: RwSignal<Option<String>>,
    /// Whether files were dropped where none can be put.
    stray: RwSignal<bool>,
    /// How many files are being dragged over the page, and where to.
    over: RwSignal<Option<(u32, String)>>,
    go: StoredValue<Go>,
}

/// The page.
#[component]
pub(crate) fn Drive() -> impl IntoView {
    let (location, query) = (use_location(), use_query_map());
    let place = Memo::new(move |_| {
        let view = query.read().get("view");
        match view.as_deref() {
            Some("recent") => Place::Recent,
            Some("deleted") => Place::Deleted,
            _ => folder_of(&location.pathname.read()),
        }
    });
    move || view! { <Shown place=place.get()/> }
}

fn folder_of(pathname: &str) -> Place {
    let rest = pathname.strip_prefix(route::DRIVE).unwrap_or_default();
    Place::Folder(route::path(rest).unwrap_or_default())
}

#[component]
fn Shown(place: Place) -> impl IntoView {
    let page = Page::new(place);
    let name = page.name();
    frame::title(move || name.clone());
    page.bind_keys();
    view! {
        <head::Head page/>
        <div class="page-body flush">
            <div class="with-pane" class:closed=move || !page.details.get()>
                <DropZone can=page.takes_files() over=page.over says=page.name() stray=page.stray
                    take=move |dropped| page.put_dropped(None, dropped)>
                    <bar::Bar page/>
                    <list::Body page/>
                </DropZone>
                <Show when=move || page.details.get()><details::Details page/></Show>
            </div>
        </div>
        <move_to::MoveTo page/>
        <new_folder::NewFolder page/>
    }
}

impl Page {
    fn new(place: Place) -> Self {
        let stores = stores();
        let navigate = use_navigate();
        let go = move |to: &str| navigate(to, NavigateOptions::default());
        let details = RwSignal::new(DETAILS.get().unwrap_or_else(is_wide));
        let page = Self {
            stores,
            place: StoredValue::new(place.clone()),
            shelf: Shelf::new(stores, place),
            list: List::new(),
            details,
            filtering: RwSignal::new(false),
            renaming: RwSignal::new(None),
            moving: RwSignal::new(Vec::new()),
            naming_folder: RwSignal::new(false),
            menu: RwSignal::new(None),
            problem: RwSignal::new(None),
            stray: RwSignal::new(false),
            over: RwSignal::new(None),
            go: StoredValue::new(Box::new(go)),
        };
        page.look_for_focus();
        page.forget_what_is_gone();
        page
    }

    /// An address can name a node to begin at.
    fn look_for_focus(self) {
        let wanted = use_query_map().read_untracked().get("focus");
        if let Some(node) = wanted.and_then(|wanted| wanted.parse::<NodeId>().ok()) {
            self.list.reveal(item::key(node));
            self.list.selection.only(item::key(node));
            self.list.focus();
        }
    }

    /// What is gone from the folder is not chosen any more.
    fn forget_what_is_gone(self) {
        Effect::new(move || {
            if self.shelf.complete.get() {
                let there = self.shelf.of_keys(&self.list.selection.peek());
                let there: HashSet<_> = there.iter().map(|item| &item.key).collect();
                self.list.selection.retain(&|key| there.contains(key));
            }
        });
    }

    /// Whether it was left, which whoever waited for an answer asks first.
    fn is_gone(self) -> bool {
        self.place.try_get_value().is_none()
    }

    /// What the page is called.
    fn name(self) -> String {
        match self.place.get_value() {
            Place::Folder(path) => match path.split_last() {
                Some((_, name)) => format::name(&name.display()),
                None => words::drive().to_owned(),
            },
            Place::Recent => words::recent().to_owned(),
            Place::Deleted => words::deleted().to_owned(),
        }
    }

    /// The folder of the page.
    fn path(self) -> Option<RootPath> {
        self.place.with_value(|place| place.folder().cloned())
    }

    fn is_deleted(self) -> bool {
        self.place.with_value(|place| *place == Place::Deleted)
    }

    /// Whether files can be put here.
    fn takes_files(self) -> bool {
        self.place.with_value(|place| place.below_files().is_some())
    }

    fn go(self, to: &str) {
        self.go.with_value(|go| go(to));
    }

    /// The folder above.
    fn up(self) {
        if let Some((above, _)) = self.path().and_then(|path| path.split_last()) {
            let here = self.shelf.node.get_untracked().map(|node| node.id);
            self.go(&address(&above, here));
        }
    }

    /// What a command is about.
    fn targets(self) -> Vec<Arc<Item>> {
        let keys = self.list.targets();
        untrack(|| self.shelf.of_keys(&keys))
    }

    fn show_details(self, open: bool) {
        DETAILS.set(Some(open));
        self.details.set(open);
    }

    fn bind_keys(self) {
        let is_folder = self.path().is_some();
        keyboard::bind("i", keys::here, words::key_details, move || {
            self.show_details(!self.details.get_untracked())
        });
        keyboard::bind("f", keys::here, keys::filter, move || self.open_filter());
        keyboard::bind("d", keys::here, words::key_download, move || self.download());
        if is_folder {
            keyboard::bind("F2", keys::here, words::key_rename, move || self.start_renaming());
        }
        if !self.is_deleted() {
            keyboard::bind("Delete", keys::here, words::key_delete, move || self.delete());
        }
        keyboard::on_escape(move || self.escape());
    }

    fn open_filter(self) {
        self.filtering.set(true);
        leptos::task::spawn_local(async {
            leptos::task::tick().await;
            dom::focus(".toolbar input");
        });
    }

    fn escape(self) -> bool {
        if self.filtering.get_untracked() {
            self.close_filter();
            return true;
        }
        let closes = self.details.get_untracked() && !is_wide();
        if closes {
            self.show_details(false);
        }
        closes
    }

    fn close_filter(self) {
        self.shelf.filter.set(String::new());
        self.filtering.set(false);
        self.list.focus();
    }
}

fn is_wide() -> bool {
    let width = dom::window().inner_width().ok().and_then(|width| width.as_f64());
    width.is_none_or(|width| width > f64::from(WIDE))
}

/// The address of a folder of the drive, with one of its nodes to begin at.
pub(crate) fn address(folder: &RootPath, node: Option<NodeId>) -> String {
    let folder = route::drive(folder);
    match node {
        Some(node) => format!("{folder}?focus={node}"),
        None => folder,
    }
}

/// The folder that a path lies in, and its name.
fn above(path: &RootPath) -> (RootPath, Option<Name>) {
    match path.split_last() {
        Some((above, name)) => (above, Some(name)),
        None => (RootPath::root(), None),
    }
}

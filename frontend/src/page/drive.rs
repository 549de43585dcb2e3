//! The drive: folders, what was stored last, what was deleted; versions, and files that are put in by hand.

mod bar;
mod details;
mod head;
pub(crate) mod item;
mod list;
mod move_to;
mod new_folder;
mod order;
mod past;
mod purge;
mod put;
pub(crate) mod remote;
mod rename;
mod shelf;
mod verbs;

use std::{collections::HashSet, sync::Arc};

use beckon_shared::{
    error::ErrorCode,
    id::NodeId,
    path::{Name, RootPath},
    time::Timestamp,
};
use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    hooks::{use_location, use_navigate, use_query_map},
};

use crate::{
    component::{drop_zone::DropZone, file_list::List, frame, menu, pane::Pane},
    dom, format, keyboard, route,
    store::{Stores, stores},
    text::{self, drive as words, keyboard as keys},
};
use item::Item;
use past::Past;
use purge::Purging;
use rename::Renaming;
use shelf::{Place, Reading, Shelf};

/// Goes to an address, in place of the page's own or after it.
type Go = Box<dyn Fn(&str, bool) + Send + Sync>;

/// What the parts of the page share.
#[derive(Clone, Copy)]
struct Page {
    stores: Stores,
    place: StoredValue<Place>,
    shelf: Shelf,
    list: List,
    details: Pane,
    /// Whether the field of the filter is there.
    filtering: RwSignal<bool>,
    /// Whether the keyboard is to be in that field, though rows are chosen.
    typing: RwSignal<bool>,
    /// The row whose name is being written.
    renaming: RwSignal<Option<Renaming>>,
    /// What is being moved, while its dialog is open.
    moving: RwSignal<Vec<Arc<Item>>>,
    naming_folder: RwSignal<bool>,
    /// What is to be deleted for good, while the dialog asks.
    purging: RwSignal<Option<Purging>>,
    past: Past,
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
        let query = query.read();
        let at = query.get("at").and_then(|at| at.parse::<Timestamp>().ok());
        match query.get("view").as_deref() {
            Some("recent") => (Place::Recent, None),
            Some("deleted") => (Place::Deleted, None),
            _ => (folder_of(&location.pathname.read()), at),
        }
    });
    move || {
        let (place, at) = place.get();
        view! { <Shown place at/> }
    }
}

fn folder_of(pathname: &str) -> Place {
    let rest = pathname.strip_prefix(route::DRIVE).unwrap_or_default();
    Place::Folder(route::path(rest).unwrap_or_default())
}

#[component]
fn Shown(place: Place, at: Option<Timestamp>) -> impl IntoView {
    let page = Page::new(place, at);
    let name = page.name();
    frame::title(move || name.clone());
    page.bind_keys();
    view! {
        <head::Head page/>
        <div class="page-body flush">
            <div class="with-pane">
                <DropZone can=page.takes_files() over=page.over says=page.name() stray=page.stray
                    take=move |dropped| page.put_dropped(None, dropped)>
                    <bar::Bar page/>
                    <past::Strip page/>
                    <list::Body page/>
                </DropZone>
                <Show when=move || page.details.is_open()><details::Details page/></Show>
            </div>
        </div>
        <move_to::MoveTo page/>
        <new_folder::NewFolder page/>
        <purge::Purge page/>
    }
}

impl Page {
    fn new(place: Place, at: Option<Timestamp>) -> Self {
        let stores = stores();
        let navigate = use_navigate();
        let go = move |to: &str, replace: bool| {
            let options = NavigateOptions {
                replace,
                ..NavigateOptions::default()
            };
            navigate(to, options);
        };
        let page = Self {
            stores,
            place: StoredValue::new(place.clone()),
            shelf: Shelf::new(stores, place, at),
            list: List::new(),
            details: Pane::new(),
            filtering: RwSignal::new(false),
            typing: RwSignal::new(false),
            renaming: RwSignal::new(None),
            moving: RwSignal::new(Vec::new()),
            naming_folder: RwSignal::new(false),
            purging: RwSignal::new(None),
            past: Past::new(at),
            menu: RwSignal::new(None),
            problem: RwSignal::new(None),
            stray: RwSignal::new(false),
            over: RwSignal::new(None),
            go: StoredValue::new(Box::new(go)),
        };
        page.look_for_focus();
        page.forget_what_is_gone();
        page.list.follow_filter(page.shelf.filter);
        page
    }

    /// An address can name a node to begin at.
    fn look_for_focus(self) {
        let wanted = use_query_map().read_untracked().get("focus");
        let Some(node) = wanted.and_then(|wanted| wanted.parse::<NodeId>().ok()) else {
            return;
        };
        self.list.reveal(item::key(node));
        self.list.selection.only(item::key(node));
        self.list.focus();
        Effect::new(move |done: Option<bool>| {
            let is_read = self.shelf.complete.get() || matches!(*self.shelf.reading.read(), Reading::Failed(_));
            if is_read
                && done != Some(true)
                && !self.is_past()
                && untrack(|| self.shelf.of_keys(&[item::key(node)])).is_empty()
            {
                leptos::task::spawn_local(self.follow(node));
            }
            is_read || done == Some(true)
        });
    }

    /// Goes on to the folder that a node was moved to.
    async fn follow(self, node: NodeId) {
        let found = remote::folder_of(node).await;
        match found {
            _ if self.is_gone() => {}
            Ok(folder) if Some(&folder) == self.path().as_ref() => {}
            Ok(folder) => self.go.with_value(|go| go(&address(&folder, Some(node)), true)),
            Err(refusal) if refusal.code == ErrorCode::NotFound => self.problem.set(Some(words::gone().to_owned())),
            Err(refusal) => self.problem.set(Some(text::error::of(&refusal))),
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
        !self.is_past() && self.place.with_value(|place| place.below_files().is_some())
    }

    fn go(self, to: &str) {
        self.go.with_value(|go| go(to, false));
    }

    /// The keyboard goes on in the list, or where that is empty at the page's name, when what had it is gone.
    fn go_on(self) {
        request_animation_frame(move || match self.shelf.items_left() {
            None => {}
            Some(0) => dom::focus(".main h1"),
            Some(_) => self.list.focus(),
        });
    }

    /// The folder above.
    fn up(self) {
        if let Some((above, _)) = self.path().and_then(|path| path.split_last()) {
            let here = self.shelf.node.get_untracked().map(|node| node.id);
            self.go(&self.address(&above, here));
        }
    }

    /// What a command is about.
    fn targets(self) -> Vec<Arc<Item>> {
        let keys = self.list.targets();
        untrack(|| self.shelf.of_keys(&keys))
    }

    fn show_details(self, open: bool) {
        self.details.show(open);
    }

    fn bind_keys(self) {
        let is_folder = self.path().is_some();
        keyboard::bind("i", keys::here, words::key_details, move || self.details.toggle());
        keyboard::bind("f", keys::here, keys::filter, move || self.open_filter());
        keyboard::bind("d", keys::here, words::key_download, move || self.download());
        if is_folder {
            keyboard::bind("F2", keys::here, words::key_rename, move || self.start_renaming());
        }
        keyboard::bind("Delete", keys::here, words::key_delete, move || {
            match self.is_deleted() {
                true => self.start_purging(),
                false => self.delete(),
            }
        });
        keyboard::on_escape(move || self.escape());
    }

    fn open_filter(self) {
        self.filtering.set(true);
        self.typing.set(true);
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
        let closes = self.details.uncover();
        if closes {
            self.list.focus();
        }
        closes
    }

    fn close_filter(self) {
        self.shelf.filter.set(String::new());
        self.filtering.set(false);
        self.typing.set(false);
        self.list.focus();
    }
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

//! The list itself, and what stands in its place while there is none.

use std::sync::Arc;

use beckon_shared::{entry::EntryKind, error::ErrorCode, order::LONGEST_WAIT, time::Timestamp};
use leptos::prelude::*;
use web_sys::DragEvent;

use super::{
    Page, above,
    bar::Foot,
    head::files,
    item::Item,
    rename::RenameField,
    shelf::{Place, Reading},
};
use crate::{
    component::{
        badge::Badge,
        drop_zone::{ROWS, carries_files},
        empty_state::EmptyState,
        file_list::{Column, Dropping, FileList, FileListSkeleton, MenuAt, Rows, Sorted},
        icon::Icon,
        menu::{self, Menu},
        time::Ago,
    },
    format, route,
    text::{self, common, drive as words, past},
    upload,
};

/// The letters that are keys of this page.
const COMMANDS: &str = "id";

/// The list with its foot.
#[component]
pub(super) fn Body(page: Page) -> impl IntoView {
    let state = Memo::new(move |_| match page.shelf.reading.get() {
        Reading::Here if page.shelf.total() == 0 && page.shelf.complete.get() => State::Empty,
        Reading::Here => State::Rows,
        Reading::First => State::Waiting,
        Reading::Failed(refusal) => State::Failed(text::error::of(&refusal)),
    });
    let body = move || match state.get() {
        State::Waiting => view! { <FileListSkeleton label=page.name()/> }.into_any(),
        State::Empty => view! { <Empty page/> }.into_any(),
        State::Failed(says) => view! { <Failed page says/> }.into_any(),
        State::Rows => view! { <Grid page/> <Foot page/> }.into_any(),
    };
    view! {
        {body}
        <Menu open=page.menu label=words::menu().to_owned() items=move || page.entries()/>
    }
}

#[derive(Debug, Clone, PartialEq)]
enum State {
    Waiting,
    Empty,
    Failed(String),
    Rows,
}

#[component]
fn Grid(page: Page) -> impl IntoView {
    let shelf = page.shelf;
    let rows = Rows {
        count: Signal::derive(move || shelf.count()),
        row: Callback::new(move |index| shelf.at(index).map(|item| item.row())),
        cells: Callback::new(move |index| match untrack(|| shelf.at(index)) {
            Some(item) => cells(page, item),
            None => ().into_any(),
        }),
        complete: shelf.complete.into(),
    };
    let drop = Dropping {
        can: Callback::new(move |index| untrack(|| page.may_drop_on(index))),
        take: Callback::new(move |(index, event)| page.dropped_on_row(index, &event)),
    };
    let place = page.path().map(|path| page.address(&path, None));
    view! {
        <FileList
            list=page.list rows columns=columns(page) label=page.name()
            place=place.unwrap_or_else(|| format!("{}?{}", route::DRIVE, page.is_deleted()))
            sorted=shelf.sorted on_sort=Callback::new(move |column| page.sort(column))
            on_open=Callback::new(move |key| page.open(&key)) on_up=Callback::new(move |()| page.up())
            on_menu=Callback::new(move |at: MenuAt| page.menu.set(Some(menu::Place::Point(at.x.into(), at.y.into()))))
            on_drag=Callback::new(move |event| page.drag(&event)) drop commands=COMMANDS class="drive"
        />
    }
}

fn columns(page: Page) -> Vec<Column> {
    let sort = page.path().is_some();
    let column = |name, class| Column { name, class, sort };
    let stored = if page.is_deleted() {
        words::kept_until()
    } else {
        words::stored()
    };
    vec![
        column(words::name(), ""),
        column(words::from(), ""),
        column(words::versions(), "num"),
        column(stored, ""),
        column(words::size(), "num"),
    ]
}

fn cells(page: Page, item: Arc<Item>) -> AnyView {
    let node = &item.node;
    let stores = page.stores;
    let device = node.device;
    let from = move || {
        let name = device
            .and_then(|device| stores.devices.get(device))
            .map(|view| view.name.to_string());
        name.map(|name| format::name(&name))
    };
    let is_file = node.kind == EntryKind::File;
    let size = is_file.then(|| format::bytes(node.size));
    let versions = (node.versions > 0).then(|| format::count(node.versions.into()));
    let at = node.deleted.or(node.stored);
    let when = move || match item_time(page, at) {
        Some(Shown::Ago(at)) => view! { <Ago at/> }.into_any(),
        Some(Shown::Until(at)) => until(page, at),
        None => ().into_any(),
    };
    let sub = sub(page, at, size.clone());
    view! {
        <div class="name" role="gridcell">
            <Icon name=item.icon() class=if item.is_folder() { "folder" } else { "" }/>
            <div class="grow">{label(page, &item)}<div class="sub">{sub}</div></div>
        </div>
        <span class="meta cut" role="gridcell"><bdi>{from}</bdi></span>
        <span class="meta num" role="gridcell">{versions}</span>
        <span class="meta" role="gridcell">{when()}</span>
        <span class="meta num" role="gridcell">{size}</span>
    }
    .into_any()
}

enum Shown {
    Ago(Timestamp),
    Until(Timestamp),
}

fn item_time(page: Page, at: Option<Timestamp>) -> Option<Shown> {
    match page.is_deleted() {
        true => at.map(|at| Shown::Until(at + LONGEST_WAIT)),
        false => at.map(Shown::Ago),
    }
}

fn until(page: Page, at: Timestamp) -> AnyView {
    let now = page.stores.now;
    view! { <time title=format::exact(at) datetime=at.to_string()>{move || format::date(at, now.get())}</time> }
        .into_any()
}

/// The line below the name, for phones.
fn sub(page: Page, at: Option<Timestamp>, size: Option<String>) -> impl Fn() -> String {
    let now = page.stores.now;
    let shown = item_time(page, at);
    move || {
        let when = shown.as_ref().map(|shown| match shown {
            Shown::Ago(at) => format::ago(*at, now.get()),
            Shown::Until(at) => words::until(&format::date(*at, now.get())),
        });
        [when, size.clone()]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" · ")
    }
}

fn label(page: Page, item: &Arc<Item>) -> AnyView {
    let id = item.node.id;
    let torn = item.node.torn;
    let place = item.path.as_ref().map(|path| format::name(&above(path).0.display()));
    let target = item.node.target.as_ref();
    let target = target.map(|target| format!(" → {}", format::name(&String::from_utf8_lossy(&target.0))));
    let item = item.clone();
    let is_renaming = Memo::new(move |_| {
        page.renaming
            .with(|renaming| renaming.as_ref().is_some_and(|one| one.node == id))
    });
    (move || {
        if is_renaming.get() {
            return view! { <RenameField page item=item.clone()/> }.into_any();
        }
        let place = place
            .clone()
            .map(|place| view! { <span class="faint cut"><bdi>{place}</bdi></span> });
        view! {
            <div class="label row">
                <bdi class="cut">{item.label.clone()}{target.clone()}</bdi>
                {torn.then(|| view! { <Badge text=words::torn() kind="warn"/> })}
                {place}
            </div>
        }
        .into_any()
    })
    .into_any()
}

impl Page {
    fn sort(self, column: usize) {
        self.shelf.sorted.update(|sorted| {
            let again = sorted.is_some_and(|sorted| sorted.column == column);
            let descending = again && sorted.is_some_and(|sorted| !sorted.descending);
            *sorted = Some(Sorted { column, descending });
        });
    }

    fn drag(self, event: &DragEvent) {
        if let Some(data) = event.data_transfer() {
            let _ = data.set_data(ROWS, "");
            data.set_effect_allowed("move");
        }
    }

    /// Folders take rows; those below `Files` take files too.
    fn may_drop_on(self, index: usize) -> bool {
        let folder = self.shelf.at(index).filter(|item| item.is_folder());
        let chosen = self.list.selection.peek();
        folder.is_some_and(|folder| {
            let has_files = self.over.with_untracked(Option::is_some);
            let takes_files = || {
                let path = self
                    .path()
                    .zip(folder.name())
                    .and_then(|(path, name)| path.join(&name).ok());
                path.is_some_and(|path| Place::Folder(path).below_files().is_some())
            };
            self.path().is_some()
                && !self.is_past()
                && if has_files {
                    takes_files()
                } else {
                    !chosen.contains(&folder.key)
                }
        })
    }

    fn dropped_on_row(self, index: usize, event: &DragEvent) {
        self.over.set(None);
        let Some(folder) = untrack(|| self.shelf.at(index)) else {
            return;
        };
        if carries_files(event.data_transfer()) {
            if let Some(data) = event.data_transfer() {
                self.put_dropped(Some(&folder), upload::of_drop(&data));
            }
            return;
        }
        self.move_into(&self.targets(), folder.node.id, &folder.label);
    }
}

/// Nothing is here: the next step.
#[component]
fn Empty(page: Page) -> impl IntoView {
    match page.place.get_value() {
        Place::Recent => {
            view! { <EmptyState icon="clock" title=words::nothing_yet() says=words::nothing_yet_says()/> }.into_any()
        }
        Place::Deleted => {
            view! { <EmptyState icon="trash" title=words::none_deleted() says=words::none_deleted_says()/> }.into_any()
        }
        Place::Folder(_) if page.is_past() => {
            view! { <EmptyState icon="history" title=past::empty() says=past::empty_says()/> }.into_any()
        }
        Place::Folder(path) if path.is_root() => view! {
            <EmptyState icon="drive" title=words::nothing_yet() says=words::nothing_yet_says()>
                <a class="button primary" href=route::MACHINES>{common::machines()}</a>
                <a class="button" href=route::drive(&files())>{words::open_files()}</a>
            </EmptyState>
        }
        .into_any(),
        Place::Folder(_) if page.takes_files() => view! {
            <EmptyState icon="folder" title=words::empty() says=words::empty_says()>
                <button type="button" class="button" on:click=move |_| page.put(false)>{words::choose_files()}</button>
            </EmptyState>
        }
        .into_any(),
        Place::Folder(_) => view! {
            <EmptyState icon="folder" title=words::empty() says=words::empty_machine_says()>
                <button type="button" class="button" on:click=move |_| page.up()>{words::up()}</button>
            </EmptyState>
        }
        .into_any(),
    }
}

#[component]
fn Failed(page: Page, says: String) -> impl IntoView {
    let is_top = page.path().is_some_and(|path| path.is_root());
    let is_absent = page
        .shelf
        .reading
        .with_untracked(|reading| matches!(reading, Reading::Failed(refusal) if refusal.code == ErrorCode::NotFound));
    if page.is_past() && is_absent {
        return view! { <EmptyState icon="history" title=past::not_there() says=past::not_there_says()/> }.into_any();
    }
    view! {
        <EmptyState icon="stop" title=words::not_read() says class="error">
            <button type="button" class="button" on:click=move |_| page.shelf.read_again()>
                <Icon name="retry"/><span class="word">{common::retry()}</span>
            </button>
            {(!is_top).then(|| view! { <a class="button ghost" href=route::DRIVE>{words::to_top()}</a> })}
        </EmptyState>
    }
    .into_any()
}

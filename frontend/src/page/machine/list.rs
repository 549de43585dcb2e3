//! The list of a folder: its columns, what stands in its place when there is nothing to list, and the foot.

use std::{rc::Rc, sync::Arc};

use beckon_shared::{
    entry::{Direction, SortKey},
    error::{ErrorCode, Refusal},
};
use leptos::prelude::*;

use super::{
    folder::{Folder, Phase},
    item::Item,
    slots::Slots,
};
use crate::{
    component::{
        breadcrumb::Crumb,
        empty_state::EmptyState,
        file_list::{Column, FileList, FileListSkeleton, MenuAt, Rows, Sorted},
        icon::Icon,
        selection::Key,
        stored::Stored,
        time::Ago,
        wake::{WakeButton, WakeSaid},
    },
    dom, format, order, route, session,
    text::{self, common, machine as words},
};

/// Letters that are keys of this page.
const COMMANDS: &str = "udri";

/// What the list does for its page.
#[derive(Clone, Copy)]
pub(super) struct Ways {
    pub(super) open: Callback<Key>,
    pub(super) up: Callback<()>,
    pub(super) menu: Callback<MenuAt>,
}

/// The list, or what stands in its place.
#[component]
pub(super) fn Entries(folder: Folder, ways: Ways, up: Option<Crumb>, place: String, label: String) -> impl IntoView {
    let stage = Memo::new(move |_| Stage::of(folder));
    let up = StoredValue::new(up);
    move || match stage.get() {
        Stage::Reading => view! { <FileListSkeleton label=words::waiting_list()/> }.into_any(),
        Stage::Failed(refusal) => failed(folder, &refusal, up.get_value()),
        Stage::Unseen => unseen(folder),
        Stage::Empty => empty(up.get_value()),
        Stage::NoMatch => no_match(folder),
        Stage::List => list(folder, ways, place.clone(), label.clone()),
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    Reading,
    Failed(Refusal),
    Unseen,
    Empty,
    NoMatch,
    List,
}

impl Stage {
    fn of(folder: Folder) -> Self {
        let all = folder.slots.with(Slots::len);
        match folder.phase.get() {
            Phase::Reading => Self::Reading,
            Phase::Failed(refusal) => Self::Failed(refusal),
            Phase::Unseen => Self::Unseen,
            _ if all == 0 => Self::Empty,
            _ if folder.count() == 0 && folder.slots.with(Slots::is_complete) => Self::NoMatch,
            _ => Self::List,
        }
    }
}

fn list(folder: Folder, ways: Ways, place: String, label: String) -> AnyView {
    let rows = Rows {
        count: Signal::derive(move || folder.count()),
        row: Callback::new(move |index| folder.row(index)),
        cells: Callback::new(move |index| match folder.item(index) {
            Some(item) => cells(folder, item),
            None => ().into_any(),
        }),
        complete: Signal::derive(move || folder.slots.with(Slots::is_complete)),
    };
    let on_visible = Callback::new(move |range| folder.visible.set(range));
    let on_sort = Callback::new(move |column| sort_by(folder, column));
    view! {
        <FileList
            list=folder.list rows columns=columns() label=label place=place sorted=Signal::derive(move || sorted(folder))
            on_sort on_open=ways.open on_up=ways.up on_menu=ways.menu on_visible
            on_drag=Callback::new(move |event| drag(folder, &event)) commands=COMMANDS
        />
    }
    .into_any()
}

fn columns() -> Vec<Column> {
    let column = |name, class, sort| Column { name, class, sort };
    vec![
        column(common::name(), "", true),
        column(words::columns_in_drive(), "", false),
        column(words::columns_modified(), "", true),
        column(words::columns_size(), "num", true),
    ]
}

fn sorted(folder: Folder) -> Option<Sorted> {
    let (key, direction) = folder.habits.sort.get();
    let column = match key {
        SortKey::Name => 0,
        SortKey::Time => 2,
        SortKey::Size => 3,
    };
    // At the top there are only roots, in the order that the machine tells them in.
    folder.spot().place.map(|_| Sorted {
        column,
        descending: direction == Direction::Descending,
    })
}

/// The same heading again turns the order round; sizes and times begin with the largest.
fn sort_by(folder: Folder, column: usize) {
    let key = match column {
        0 => SortKey::Name,
        2 => SortKey::Time,
        _ => SortKey::Size,
    };
    folder.habits.sort.update(|(now, direction)| {
        *direction = match (*now == key, *direction) {
            (true, Direction::Ascending) => Direction::Descending,
            (true, Direction::Descending) => Direction::Ascending,
            (false, _) if key == SortKey::Name => Direction::Ascending,
            (false, _) => Direction::Descending,
        };
        *now = key;
    });
}

fn cells(folder: Folder, item: Arc<Item>) -> AnyView {
    let (icon, title, size, modified) = (item.icon(), item.title(), item.size(), item.modified());
    let class = if item.is_folder() { "folder" } else { "" };
    let (hover, now) = (title.clone(), folder.stores.now);
    let sub = {
        let size = size.clone();
        move || match modified {
            Some(at) => format!("{} · {size}", format::ago(at, now.get())),
            None => size.clone(),
        }
    };
    let standing = Signal::derive(move || folder.standing(&item));
    view! {
        <div class="name" role="gridcell">
            <Icon name=icon class=class/>
            <div class="grow"><div class="label cut" title=hover><bdi>{title}</bdi></div><div class="sub">{sub}</div></div>
        </div>
        <span class="cell" role="gridcell"><Stored standing/></span>
        <span class="meta" role="gridcell">{modified.map(|at| view! { <Ago at=at/> })}</span>
        <span class="meta num" role="gridcell">{size}</span>
    }
    .into_any()
}

/// The chosen rows, to be dropped on the drive.
fn drag(folder: Folder, event: &web_sys::DragEvent) {
    if let Some(data) = event.data_transfer() {
        data.set_effect_allowed("copy");
        // Without any data some browsers do not begin to drag.
        let _ = data.set_data("application/x-beckon", "rows");
    }
    let items = folder.targets();
    order::drag(Some(Rc::new(move || folder.upload(&items))));
}

fn up_button(up: Option<Crumb>) -> AnyView {
    let (label, href) = match up {
        Some(up) => (words::up_to(&up.label), up.href),
        None => (words::to_machines().to_owned(), route::MACHINES.to_owned()),
    };
    view! { <a class="button" href=href>{label}</a> }.into_any()
}

fn failed(folder: Folder, refusal: &Refusal, up: Option<Crumb>) -> AnyView {
    let name = format::name(&untrack(|| folder.machine_name()));
    let (title, says) = match refusal.code {
        ErrorCode::NotReadable => (words::not_readable_title(&name), words::not_readable().to_owned()),
        ErrorCode::NotFound => (words::gone_title().to_owned(), words::gone().to_owned()),
        _ => (words::failed_title().to_owned(), text::error::of(refusal)),
    };
    let again = move |_| {
        folder.phase.set(Phase::Reading);
        folder.read_again();
    };
    view! {
        <EmptyState icon="stop" title says class="error">
            <button type="button" class="button primary" on:click=again><Icon name="retry"/>{words::read_again()}</button>
            {up_button(up)}
        </EmptyState>
    }
    .into_any()
}

fn unseen(folder: Folder) -> AnyView {
    let title = words::away_unseen_title(&format::name(&untrack(|| folder.machine_name())));
    let in_drive = folder
        .here_in_drive()
        .map(|place| view! { <a class="button" href=route::drive(&place)>{words::what_drive_holds()}</a> });
    let machine = folder.machine();
    view! {
        <EmptyState icon="wake" title says=words::away_unseen()>
            <p class="wide"><WakeSaid machine/></p>
            <WakeButton machine class="button"/>
            <button type="button" class="button" on:click=move |_| folder.upload_all()>
                <Icon name="upload"/>{words::upload_later()}</button>
            {in_drive}
            {up_button(None)}
        </EmptyState>
    }
    .into_any()
}

fn empty(up: Option<Crumb>) -> AnyView {
    match up {
        None => view! { <EmptyState icon="folder" title=words::no_roots_title() says=words::no_roots()/> }.into_any(),
        up => view! {
            <EmptyState icon="folder" title=words::empty_title() says=words::empty()>{up_button(up)}</EmptyState>
        }
        .into_any(),
    }
}

fn no_match(folder: Folder) -> AnyView {
    let says = Signal::derive(move || words::no_match(&folder.filter.get().trim()));
    let clear = move |_| {
        folder.filter.set(String::new());
        folder.list.focus();
    };
    view! {
        <EmptyState icon="filter" title=words::no_match_title() says>
            <button type="button" class="button" on:click=clear>{words::clear_filter()}</button>
        </EmptyState>
    }
    .into_any()
}

/// The foot: how many entries, how fresh, how large.
#[component]
pub(super) fn Foot(folder: Folder) -> impl IntoView {
    let count = move || {
        let all = folder.slots.with(Slots::len) as u64;
        let told = words::entries(&format::count(all), &text::plural(all, "entry", "entries"));
        match folder.shown.get() {
            Some(shown) => words::shown(&format::count(shown.len() as u64), &told),
            None => told,
        }
    };
    let stores = folder.stores;
    // Who reaches the machine without the server sees it live all the same.
    let is_cut_off = Memo::new(move |_| stores.is_cut_off() && !session::reach::is_direct(folder.machine()));
    let cut_off = Memo::new(move |_| is_cut_off.get().then(dom::now));
    let fresh = move || match (folder.phase.get(), cut_off.get()) {
        (Phase::AsOf(at), _) | (Phase::Live, Some(at)) => words::as_of(&format::moment(at, dom::now())),
        (Phase::Live, None) if folder.slots.with(Slots::is_complete) => words::live().to_owned(),
        _ => words::reading().to_owned(),
    };
    let size = Memo::new(move |_| {
        folder.slots.with(|slots| {
            let files = slots.items().filter(|(_, item)| item.is_file());
            slots
                .is_complete()
                .then(|| files.map(|(_, item)| item.entry.stamp.size).sum::<u64>())
        })
    });
    let size = move || {
        size.get()
            .filter(|size| *size > 0)
            .map(|size| words::in_files(&format::bytes(size)))
    };
    let is_list = move || !matches!(folder.phase.get(), Phase::Reading | Phase::Failed(_) | Phase::Unseen);
    view! {
        <Show when=is_list>
            <div class="list-foot">
                <span>{count}</span><span>"·"</span><span>{fresh}</span>
                <span class="grow"></span><span>{size}</span>
            </div>
        </Show>
    }
}

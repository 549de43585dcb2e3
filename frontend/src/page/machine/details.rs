//! The details of what has the focus: a look into it, how it stands to the drive, facts.

use std::{rc::Rc, sync::Arc};

use beckon_shared::entry::{EntryKind, InDrive};
use leptos::prelude::*;

use super::{download, folder::Folder, item::Item};
use crate::{
    component::{
        icon::Icon,
        preview::{Preview, Source},
        stored::{Standing, Stored},
        time::Ago,
    },
    format,
    page::drive,
    route,
    text::{self, common, machine as words, sync},
};

/// Over the relay a preview loads up to so much without being asked. Bytes.
const BY_ITSELF: u64 = 2 << 20;

/// The pane.
#[component]
pub(super) fn Details(folder: Folder) -> impl IntoView {
    let active = Memo::new(move |_| folder.active());
    let close = move |_| {
        folder.habits.pane.show(false);
        folder.list.focus();
    };
    let body = move || match active.get() {
        Some(item) => one(folder, item),
        None => view! { <section class="first"><p class="quiet">{words::details_none()}</p></section> }.into_any(),
    };
    view! {
        <aside class="pane open" tabindex="-1" aria-label=common::details()>
            <header>
                <h2 class="grow">{common::details()}</h2>
                <button type="button" class="button icon-only ghost sm" aria-label=words::hide_details() title=words::hide_details()
                    on:click=close><Icon name="x"/></button>
            </header>
            {body}
        </aside>
    }
}

fn one(folder: Folder, item: Arc<Item>) -> AnyView {
    let about = RwSignal::new(None::<String>);
    let kind = match item.entry.kind {
        EntryKind::File => None,
        _ => Some(item.size()),
    };
    let says = move || about.get().or_else(|| kind.clone());
    view! {
        <section class="first">
            {preview(folder, &item, about)}
            <h2 class="name"><bdi>{item.label()}</bdi></h2>
            <p class="quiet small">{says}</p>
        </section>
        {in_the_drive(folder, Arc::clone(&item))}
        {facts(folder, &item)}
    }
    .into_any()
}

fn preview(folder: Folder, item: &Item, about: RwSignal<Option<String>>) -> Option<AnyView> {
    if !item.is_file() {
        return None;
    }
    let (root, path) = item.address(folder.spot().place.as_ref())?;
    let read = Rc::new(download::reader(folder.stores, folder.machine(), root, path));
    let (name, size) = (item.entry.name.display(), item.entry.stamp.size);
    let shown = move || match folder.online.get() {
        true => None,
        false => Some(view! { <div class="preview"><p class="faint">{words::preview_away()}</p></div> }),
    };
    if !folder.online.get_untracked() {
        return Some(shown.into_any());
    }
    let source = Source {
        name,
        size,
        by_itself: BY_ITSELF,
        read,
    };
    Some(view! { <Preview source about/> }.into_any())
}

fn in_the_drive(folder: Folder, item: Arc<Item>) -> impl IntoView {
    let standing = {
        let item = Arc::clone(&item);
        Memo::new(move |_| folder.standing(&item))
    };
    let is_folder = item.is_folder();
    let item = StoredValue::new(item);
    let upload = move |_| folder.upload(&[item.get_value()]);
    let word = move || {
        if folder.online.get() {
            words::upload_now()
        } else {
            words::upload_later()
        }
    };
    let can_upload = move || {
        let settled = matches!(
            standing.get(),
            Some(Standing::Settled(InDrive::Safe | InDrive::Never | InDrive::Ignored)) | None
        );
        !settled && !matches!(standing.get(), Some(Standing::Uploading(_) | Standing::Waiting(_)))
    };
    let versions = move || {
        let is_stored = matches!(
            standing.get(),
            Some(Standing::Settled(InDrive::Safe | InDrive::Changed))
        );
        let href = is_stored
            .then(|| item.with_value(|item| drive_place(folder, item)))
            .flatten();
        href.map(|href| {
            view! { <a class="button sm ghost" href=href><Icon name="history"/><span class="word">{words::versions()}</span></a> }
        })
    };
    let says = move || standing.get().map(|standing| explain(standing, is_folder));
    let patterns = move || {
        let root = item.with_value(|item| item.address(folder.spot().place.as_ref()))?.0;
        let is_ignored = standing.get() == Some(Standing::Settled(InDrive::Ignored));
        let open = move |_| folder.sync.ignoring.set(Some(root));
        is_ignored.then(|| {
            view! { <button type="button" class="button sm" on:click=open><Icon name="filter"/><span class="word">{sync::change_patterns()}</span></button> }
        })
    };
    view! {
        <section>
            <h3>{words::in_the_drive()}</h3>
            <Stored standing=Signal::derive(move || standing.get())/>
            <p class="quiet small">{says}</p>
            <div class="row acts">
                <Show when=can_upload>
                    <button type="button" class="button sm" on:click=upload><Icon name="upload"/><span class="word">{word}</span></button>
                </Show>
                {versions}{patterns}
            </div>
        </section>
    }
}

/// The drive's page with this entry chosen, or of this folder. Tracked.
fn drive_place(folder: Folder, item: &Item) -> Option<String> {
    let path = folder.place_in_drive(item)?;
    if item.is_folder() {
        return Some(route::drive(&path));
    }
    let (above, _) = path.split_last()?;
    Some(drive::address(&above, folder.standings.node(item)))
}

fn explain(standing: Standing, is_folder: bool) -> &'static str {
    match standing {
        Standing::Settled(InDrive::Safe) => words::safe_says(),
        Standing::Settled(InDrive::Changed | InDrive::No) if is_folder => words::folder_changed_says(),
        Standing::Settled(InDrive::Changed) => words::changed_says(),
        Standing::Settled(InDrive::No) => words::absent_says(),
        Standing::Settled(InDrive::Unknown) => words::unknown_says(),
        Standing::Settled(InDrive::Never) => words::never_says(),
        Standing::Settled(InDrive::Ignored) => sync::ignored_says(),
        Standing::Settled(InDrive::Uploading) | Standing::Uploading(_) => words::uploading_says(),
        Standing::Waiting(_) => words::waits_says(),
    }
}

fn facts(folder: Folder, item: &Item) -> impl IntoView {
    let name = format::name(&untrack(|| folder.machine_name()));
    let size = item.entry.stamp.size;
    let size = item.is_file().then(|| {
        let exact = words::exact_bytes(&format::count(size), &text::plural(size, "byte", "bytes"));
        view! { <dt>{words::fact_size()}</dt><dd class="tnum">{exact}</dd> }
    });
    let modified = item
        .modified()
        .map(|at| view! { <dt>{words::fact_modified()}</dt><dd><Ago at=at/></dd> });
    let target = item.entry.target.as_ref().map(|target| {
        let target = format::name(&String::from_utf8_lossy(target));
        view! { <dt>{words::fact_target()}</dt><dd class="mono quiet"><bdi>{target}</bdi></dd> }
    });
    let path = folder.path_of(item).map(|path| format::name(&path));
    let path = path
        .map(|path| view! { <dt>{words::fact_path()}</dt><dd class="mono quiet"><bdi>{breakable(&path)}</bdi></dd> });
    view! {
        <section>
            <h3><bdi>{words::on_machine(&name)}</bdi></h3>
            <dl class="facts">{size}{modified}{target}{path}</dl>
        </section>
    }
}

/// A path that may go on in the next line behind each slash.
fn breakable(path: &str) -> Vec<AnyView> {
    let parts = path.split_inclusive('/').map(str::to_owned);
    parts.map(|part| view! { {part}<wbr/> }.into_any()).collect()
}

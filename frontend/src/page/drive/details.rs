//! The details of what has the focus: a look into it, facts, versions.

use std::{rc::Rc, sync::Arc};

use beckon_shared::{entry::EntryKind, error::Refusal, order::LONGEST_WAIT};
use futures_util::FutureExt;
use leptos::prelude::*;

use super::{Page, above, head::close_button, item::Item, remote, verbs::download_label};
use crate::{
    api,
    component::{
        icon::Icon,
        menu::MenuButton,
        preview::{Preview, Source},
        time::Ago,
        version_list::VersionList,
    },
    format,
    text::{common, drive as words},
};

/// Up to so much a preview loads without being asked. Bytes.
const BY_ITSELF: u64 = 8 << 20;

/// The pane.
#[component]
pub(super) fn Details(page: Page) -> impl IntoView {
    // What has the focus; of more than one that are chosen, how many.
    let items = Memo::new(move |_| match page.list.selection.len() {
        0 | 1 => page.shelf.of_keys(page.list.active.get().as_slice()),
        _ => page.shelf.of_keys(&page.list.selection.keys()),
    });
    let body = move || {
        items.with(|items| match items.as_slice() {
            [] => view! { <Nothing page/> }.into_any(),
            [one] => view! { <One page item=one.clone()/> }.into_any(),
            many => several(page, many),
        })
    };
    view! { <aside class="pane open" tabindex="-1" aria-label=words::details()>{body}</aside> }
}

#[component]
fn Nothing(page: Page) -> impl IntoView {
    view! {
        {header(page, page.name())}
        <section class="first"><p class="quiet">{words::choose_one()}</p></section>
    }
}

fn header(page: Page, title: String) -> AnyView {
    let label = title.clone();
    view! {
        <header>
            <h2 class="grow cut" title=label><bdi>{title}</bdi></h2>
            {close_button(move || { page.show_details(false); page.list.focus() })}
        </header>
    }
    .into_any()
}

fn several(page: Page, items: &[Arc<Item>]) -> AnyView {
    let bytes: u64 = items.iter().map(|item| item.node.size).sum();
    view! {
        {header(page, words::selected(&format::count(items.len() as u64)))}
        <section class="first"><p class="quiet tnum">{(bytes > 0).then(|| format::bytes(bytes))}</p></section>
    }
    .into_any()
}

#[component]
fn One(page: Page, item: Arc<Item>) -> impl IntoView {
    let about = RwSignal::new(match item.node.kind {
        EntryKind::Folder => Some(words::folder().to_owned()),
        EntryKind::Symlink => Some(words::link().to_owned()),
        _ => None,
    });
    let is_file = item.node.kind == EntryKind::File;
    let id = item.node.id;
    let preview = (is_file && !page.is_deleted()).then(|| {
        let source = source(page, &item);
        view! { <section><Preview source about/></section> }
    });
    let versions = is_file.then(|| {
        let name = item.label.clone();
        view! { <section><VersionList node=id name may_change=!page.is_deleted() && !page.is_past()/></section> }
    });
    view! {
        {header(page, item.label.clone())}
        <section class="first">
            <div class="row">{buttons(page, &item)}</div>
        </section>
        {versions}
        {preview}
        <section><h3>{words::facts()}</h3>{facts(page, &item, about)}</section>
    }
}

fn buttons(page: Page, item: &Arc<Item>) -> AnyView {
    if page.is_deleted() {
        return view! {
            <button type="button" class="button sm" on:click=move |_| page.restore()>
                <Icon name="history"/><span class="word">{words::restore()}</span>
            </button>
            <MenuButton label=common::more().to_owned() items=move || page.entries()/>
        }
        .into_any();
    }
    let label = download_label(std::slice::from_ref(item));
    view! {
        <button type="button" class="button sm" on:click=move |_| page.download()>
            <Icon name="download"/><span class="word">{label}</span>
        </button>
        <MenuButton label=common::more().to_owned() items=move || page.entries()/>
    }
    .into_any()
}

fn facts(page: Page, item: &Arc<Item>, about: RwSignal<Option<String>>) -> AnyView {
    let node = item.node.clone();
    let stores = page.stores;
    let fact = |name: &'static str, value: AnyView| view! { <dt>{name}</dt><dd>{value}</dd> };
    let kind = move || about.get().map(|about| fact(words::kind(), about.into_any()));
    let is_file = node.kind == EntryKind::File;
    let device = node.device;
    let from = move || {
        let view = device.and_then(|device| stores.devices.get(device));
        view.map(|view| format::name(view.name.as_str()))
    };
    let place = item.path.as_ref().map(|path| format::name(&above(path).0.display()));
    let target = node
        .target
        .as_ref()
        .map(|target| format::name(&String::from_utf8_lossy(&target.0)));
    view! {
        <dl class="facts">
            {kind}
            {is_file.then(|| fact(words::size(), exact_size(node.size).into_any()))}
            {place.map(|place| fact(words::folder(), view! { <bdi>{place}</bdi> }.into_any()))}
            {target.map(|target| fact(words::points_to(), view! { <bdi class="mono">{target}</bdi> }.into_any()))}
            {device.map(|_| fact(words::from(), view! { <bdi>{from}</bdi> }.into_any()))}
            {is_file.then(|| fact(words::changed(), view! { <Ago at=node.mtime/> }.into_any()))}
            {node.stored.map(|at| fact(words::stored(), view! { <Ago at/> }.into_any()))}
            {node.deleted.map(|at| fact(words::deleted_at(), view! { <Ago at/> }.into_any()))}
            {node.deleted.map(|at| fact(words::kept_until(), format::date(at + LONGEST_WAIT, stores.now.get_untracked()).into_any()))}
        </dl>
    }
    .into_any()
}

fn exact_size(bytes: u64) -> String {
    match bytes {
        0..1000 => format::bytes(bytes),
        _ => words::exact_size(&format::bytes(bytes), &format::count(bytes)),
    }
}

fn source(page: Page, item: &Item) -> Source {
    let address = remote::download_at(&item.node, page.past.at);
    Source {
        name: item.node.name.clone(),
        size: item.node.size,
        by_itself: BY_ITSELF,
        read: Rc::new(move |from, len| read(address.clone(), from, len).boxed_local()),
    }
}

async fn read(address: String, from: u64, len: u32) -> Result<Vec<u8>, Refusal> {
    if len == 0 {
        return Ok(Vec::new());
    }
    api::get_range(&address, from, u64::from(len)).await
}

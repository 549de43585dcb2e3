//! The toolbar, the selection bar that takes its place, and the banners below them.

use leptos::prelude::*;

use super::{
    Page,
    head::{close_button, files, icon_button},
    purge::Purging,
    shelf::Place,
    verbs::download_label,
};
use crate::{
    component::{focus, icon::Icon, menu::MenuButton},
    format, route,
    text::{common, drive as words, past, plural},
};

/// The bar over the list.
#[component]
pub(super) fn Bar(page: Page) -> impl IntoView {
    let is_selecting = Memo::new(move |_| page.list.selection.len() > 0 && !page.typing.get());
    let bar = move || {
        if let Some((count, name)) = page.over.get() {
            return view! { <Over count name/> }.into_any();
        }
        match is_selecting.get() {
            true => view! { <Chosen page/> }.into_any(),
            false => view! { <Toolbar page/> }.into_any(),
        }
    };
    view! { {bar} <Stray page/> <Problem page/> }
}

/// Where the files that are over the page would go.
#[component]
fn Over(count: u32, name: String) -> impl IntoView {
    let says = match name.is_empty() {
        true => words::only_in_files().to_owned(),
        false if count == 1 => words::put_one_into(&name),
        false => words::put_into(&count, &name),
    };
    view! { <div class="toolbar"><Icon name="plus"/><span class="cut" role="status">{says}</span></div> }
}

#[component]
fn Toolbar(page: Page) -> impl IntoView {
    let view = |place: Place, label: &'static str, to: String| {
        let is_here = page.place.with_value(|here| match place {
            Place::Folder(_) => here.folder().is_some(),
            _ => *here == place,
        });
        let pressed = if is_here { "true" } else { "false" };
        view! { <button type="button" aria-pressed=pressed on:click=move |_| page.go(&to)>{label}</button> }
    };
    let top = beckon_shared::path::RootPath::root();
    let empty = move || {
        let can_empty = page.is_deleted() && page.shelf.total() > 0;
        can_empty.then(|| {
            word_button("trash", words::empty_deleted(), move || {
                page.purging.set(Some(Purging::All))
            })
        })
    };
    let tail = move || match page.filtering.get() {
        true => view! { <Filter page/> }.into_any(),
        false => icon_button("filter", common::filter(), "", move || page.open_filter()),
    };
    let pressed = move || if page.details.is_open() { "true" } else { "false" };
    view! {
        <div class="toolbar" on:focusout=move |event| if focus::has_left(&event) { page.typing.set(false) }>
            <div class="segmented" role="group" aria-label=words::views()>
                {view(Place::Folder(top.clone()), words::files(), page.address(&top, None))}
                {view(Place::Recent, words::recent(), format!("{}?view=recent", route::DRIVE))}
                {view(Place::Deleted, words::deleted(), format!("{}?view=deleted", route::DRIVE))}
            </div>
            <span class="grow"></span>
            {empty}
            {page.path().is_some().then(|| icon_button("history", past::as_of(), "", move || page.past.choosing.update(|open| *open = !*open)))}
            {page.takes_files().then(|| icon_button("folder", words::new_folder(), "", move || page.naming_folder.set(true)))}
            {tail}
            <button type="button" class="button icon-only ghost sm not-phone" aria-label=words::details() title=words::details()
                aria-pressed=pressed on:click=move |_| page.details.toggle()>
                <Icon name="info"/>
            </button>
        </div>
    }
}

#[component]
fn Filter(page: Page) -> impl IntoView {
    view! {
        <label class="input search">
            <Icon name="filter"/>
            <input placeholder=common::filter() aria-label=words::filter_label()
                prop:value=move || page.shelf.filter.get()
                on:input=move |event| page.shelf.filter.set(event_target_value(&event))
                on:keydown=move |event| match event.key().as_str() {
                    "ArrowDown" | "Enter" if !event.is_composing() => { event.prevent_default(); page.list.focus() }
                    _ => {}
                }/>
        </label>
        {close_button(move || page.close_filter())}
    }
}

/// What is chosen, and what can be done with it.
#[component]
fn Chosen(page: Page) -> impl IntoView {
    let items = Memo::new(move |_| page.shelf.of_keys(&page.list.selection.keys()));
    let said = move || {
        let keys = page.list.selection.keys();
        match page.shelf.hidden(&keys) {
            0 => words::selected(&format::count(keys.len() as u64)),
            hidden => words::selected_hidden(&format::count(keys.len() as u64), &format::count(hidden as u64)),
        }
    };
    let size = move || {
        items.with(|items| {
            let files = items.iter().filter(|item| !item.is_folder());
            let bytes: u64 = files.map(|item| item.node.size).sum();
            (bytes > 0).then(|| format::bytes(bytes))
        })
    };
    let verbs = move || match page.is_deleted() {
        true => view! {
            {word_button("history", words::restore(), move || page.restore())}
            {word_button("trash", words::purge(), move || page.start_purging())}
        }
        .into_any(),
        false => {
            let label = items.with(|items| download_label(items));
            let may = items.with(|items| items.iter().all(|item| page.may_change(item)));
            let changes = move || {
                view! {
                    {word_button("arrow", words::move_to(), move || page.start_moving())}
                    {word_button("trash", words::delete(), move || page.delete())}
                }
            };
            view! { {word_button("download", label, move || page.download())} {may.then(changes)} }.into_any()
        }
    };
    view! {
        <div class="toolbar selection" role="toolbar" aria-label=words::selection()>
            {icon_button("x", words::clear_selection(), "", move || { page.list.selection.clear(); page.list.focus() })}
            <span class="said" role="status">{said}</span>
            <span class="quiet tnum nowrap not-phone">{size}</span>
            <span class="grow"></span>
            {verbs}
            <MenuButton label=common::more().to_owned() items=move || page.entries()/>
        </div>
    }
}

fn word_button(icon: &'static str, label: &'static str, act: impl Fn() + 'static) -> AnyView {
    view! {
        <button type="button" class="button ghost sm fold" title=label on:click=move |_| act()>
            <Icon name=icon/><span class="word">{label}</span>
        </button>
    }
    .into_any()
}

/// Files were dropped where none can be put.
#[component]
fn Stray(page: Page) -> impl IntoView {
    let banner = move || {
        view! {
            <div class="banner" role="status">
                <Icon name="info"/><span class="grow">{words::only_in_files()}</span>
                <a class="button sm" href=route::drive(&files())>{words::open_files()}</a>
                {close_button(move || page.stray.set(false))}
            </div>
        }
    };
    view! { <Show when=move || page.stray.get()>{banner()}</Show> }
}

/// What was asked for was not done.
#[component]
fn Problem(page: Page) -> impl IntoView {
    let banner = move || {
        page.problem.get().map(|text| {
            view! {
                <div class="banner bad">
                    <Icon name="stop"/><span class="grow">{text}</span>
                    {close_button(move || page.problem.set(None))}
                </div>
            }
        })
    };
    view! { <div role="alert">{banner}</div> }
}

/// How many entries there are, and what they hold.
#[component]
pub(super) fn Foot(page: Page) -> impl IntoView {
    let count = move || {
        let (shown, all) = (page.shelf.count() as u64, page.shelf.total() as u64);
        let all_said = match plural(all, "", "s") {
            "" => words::one_entry().to_owned(),
            _ => words::entries(&format::count(all)),
        };
        match shown == all {
            true => all_said,
            false => words::of_entries(&format::count(shown), &all_said),
        }
    };
    let busy = move || (!page.shelf.complete.get()).then(words::still_reading);
    let bytes = move || {
        Some(page.shelf.bytes())
            .filter(|bytes| *bytes > 0)
            .map(|bytes| words::here(&format::bytes(bytes)))
    };
    view! {
        <div class="list-foot">
            <span>{count}</span><span>{busy}</span><span class="grow"></span><span>{bytes}</span>
        </div>
    }
}

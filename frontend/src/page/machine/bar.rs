//! The toolbar, and the selection bar that takes its place; below them what went wrong, or that the machine is away.

use leptos::prelude::*;

use super::{
    folder::{Folder, Phase},
    sync,
};
use crate::{
    component::{
        focus,
        icon::Icon,
        menu::MenuButton,
        reach::LanFound,
        selection::Key,
        wake::{WakeButton, WakeSaid},
    },
    dom, format,
    text::{common, machine as words, sync as words_of_sync},
};

/// The toolbar or the selection bar.
#[component]
pub(super) fn Bar(folder: Folder, on_menu: Callback<(), Vec<crate::component::menu::Entry>>) -> impl IntoView {
    let is_selecting = Memo::new(move |_| folder.list.selection.len() > 0 && !folder.filtering.get());
    // Where nothing can be sent nothing is said of it before it is dropped.
    let dragged = Memo::new(move |_| folder.sync.over.get().filter(|(_, name)| !name.is_empty()));
    move || match (dragged.get(), is_selecting.get()) {
        (Some((count, name)), _) => sending(count, &name).into_any(),
        (None, true) => view! { <SelectionBar folder on_menu/> }.into_any(),
        (None, false) => view! { <Toolbar folder/> }.into_any(),
    }
}

fn sending(count: u32, name: &str) -> impl IntoView {
    let says = match count {
        1 => words_of_sync::send_one_into(&name),
        _ => words_of_sync::send_into(&format::count(u64::from(count)), &name),
    };
    view! { <div class="toolbar selection"><Icon name="send"/><span class="said" role="status">{says}</span></div> }
}

#[component]
fn Toolbar(folder: Folder) -> impl IntoView {
    let pressed = move |event: web_sys::KeyboardEvent| match event.key().as_str() {
        // An input method takes these up itself.
        _ if event.is_composing() => {}
        "Escape" if !folder.filter.get_untracked().is_empty() => {
            event.stop_propagation();
            folder.filter.set(String::new());
        }
        "Escape" | "Enter" | "ArrowDown" => {
            event.prevent_default();
            folder.list.focus();
        }
        _ => {}
    };
    let pane = folder.habits.pane;
    let refresh_says = move || match folder.online.get() {
        true => words::refresh(),
        false => words::refresh_away(),
    };
    view! {
        <div class="toolbar" role="toolbar" aria-label=words::tools()
            on:focusout=move |event| if focus::has_left(&event) { folder.filtering.set(false) }>
            <label class="input search">
                <Icon name="search"/><span class="sr">{words::filter()}</span>
                <input type="search" placeholder=words::filter() prop:value=move || folder.filter.get()
                    on:input=move |event| folder.filter.set(event_target_value(&event)) on:keydown=pressed/>
            </label>
            <span class="grow"></span>
            <sync::SendButton folder/>
            <button type="button" class="button icon-only ghost sm" aria-label=words::refresh() title=refresh_says
                prop:disabled=move || !folder.online.get() on:click=move |_| folder.read_again()><Icon name="retry"/></button>
            <button type="button" class="button icon-only ghost sm" aria-label=common::details() title=common::details()
                aria-pressed=move || pane.is_open().to_string() on:click=move |_| pane.toggle()>
                <Icon name="info"/></button>
        </div>
    }
}

#[component]
fn SelectionBar(folder: Folder, on_menu: Callback<(), Vec<crate::component::menu::Entry>>) -> impl IntoView {
    let facts = Memo::new(move |_| chosen(folder));
    let said = move || {
        let (count, hidden, _, _) = facts.get();
        let selected = words::selected(&format::count(count as u64));
        if hidden == 0 {
            selected
        } else {
            format!("{selected}, {}", words::hidden(&format::count(hidden as u64)))
        }
    };
    let size = move || facts.with(|facts| (facts.2 > 0).then(|| format::bytes(facts.2)));
    let has_files = move || facts.with(|facts| facts.3);
    let upload = move |_| folder.upload(&folder.targets());
    let download = move |_| folder.download(&folder.targets());
    let label = Signal::derive(move || words::more_for(&facts.get().0));
    view! {
        <div class="toolbar selection" role="toolbar" aria-label=words::selection()>
            <button type="button" class="button icon-only ghost sm" aria-label=words::clear() title=words::clear()
                on:click=move |_| { folder.list.selection.clear(); folder.list.focus(); }><Icon name="x"/></button>
            <span class="said" role="status">{said}</span>
            <span class="quiet tnum nowrap not-phone">{size}</span>
            <span class="grow"></span>
            <button type="button" class="button primary sm" on:click=upload>
                <Icon name="upload"/><span class="word">{words::upload()}</span><kbd aria-hidden="true">"U"</kbd></button>
            <Show when=has_files>
                <button type="button" class="button sm fold" aria-label=words::download() on:click=download>
                    <Icon name="download"/><span class="word">{words::download()}</span><kbd aria-hidden="true">"D"</kbd></button>
            </Show>
            <MenuButton label items=move || on_menu.run(())/>
        </div>
    }
}

/// How many rows are chosen, how many of them the filter hides, their size, and whether any of them can be downloaded.
fn chosen(folder: Folder) -> (usize, usize, u64, bool) {
    let keys: std::collections::HashSet<Key> = folder.list.selection.keys().into_iter().collect();
    let shown = folder.shown.get();
    folder.slots.with(|slots| {
        let (mut hidden, mut size, mut files) = (0, 0, false);
        for (index, item) in slots.items().filter(|(_, item)| keys.contains(&item.key)) {
            hidden += usize::from(shown.as_ref().is_some_and(|shown| shown.binary_search(&index).is_err()));
            if item.is_file() {
                size += item.entry.stamp.size;
            }
            files |= folder.can_download(item);
        }
        (keys.len(), hidden, size, files)
    })
}

/// The newest worst thing that there is to say about the page.
#[component]
pub(super) fn Banner(folder: Folder) -> impl IntoView {
    move || match (folder.trouble.get(), folder.phase.get()) {
        (Some(trouble), _) => {
            let help = trouble.help.map(|(words, act)| {
                view! { <button type="button" class="button sm" on:click=move |_| act.run(())>{words}</button> }
            });
            let dismiss = move |_| {
                folder.trouble.set(None);
                folder.list.focus();
            };
            Some(view! {
                <div class="banner warn" role="alert">
                    <Icon name="alert"/>
                    <span class="grow"><b>{trouble.title}</b> " " {trouble.says}</span>
                    {help}
                    <button type="button" class="button icon-only ghost sm" aria-label=words::dismiss() title=words::dismiss()
                        on:click=dismiss><Icon name="x"/></button>
                </div>
            }.into_any())
        }
        (None, Phase::AsOf(_)) if !folder.online.get() => Some(away(folder)),
        _ => Some(view! { <LanFound id=folder.machine()/> }.into_any()),
    }
}

fn away(folder: Folder) -> AnyView {
    let title = move || {
        let seen = folder.view.with(|view| view.as_ref().map(|view| view.last_seen));
        let name = format::name(&folder.machine_name());
        seen.map(|seen| words::went_away(&name, &format::moment(seen, dom::now())))
    };
    let machine = folder.machine();
    view! {
        <div class="banner">
            <Icon name="wake"/>
            <span class="grow"><b>{title}</b> " " {words::away_says()} " " <WakeSaid machine/></span>
            <WakeButton machine/>
        </div>
    }
    .into_any()
}

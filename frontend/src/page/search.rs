//! Search: machines and devices by name, the drive by the names of files and folders.

mod found;

use beckon_shared::{
    api::drive::TreeRow,
    device::{DeviceKind, DeviceView},
    path::RootPath,
};
use leptos::{html, prelude::*};
use leptos_router::hooks::use_query_map;

use crate::{
    component::{empty_state::EmptyState, frame, icon::Icon, skeleton::LineBones, time::Ago},
    dom, format,
    page::drive::{self, item},
    route,
    store::{Stores, stores},
    text::{self, common, search as words},
};
use found::{Found, Search};

/// What is looked for, and what came of it.
#[component]
pub(crate) fn Search() -> impl IntoView {
    let stores = stores();
    let field = NodeRef::<html::Input>::new();
    let begin = use_query_map().read_untracked().get("q").unwrap_or_default();
    let search = Search::new(begin);
    frame::title(|| words::search().to_owned());
    field.on_load(|field| {
        let _ = field.focus();
    });
    let typed = move |event| {
        search.look_for(event_target_value(&event));
        remember(&search.text.get_untracked());
    };
    view! {
        <header class="page-head"><h1 class="grow" tabindex="-1">{words::search()}</h1></header>
        <div class="page-body">
            <div class="search-page" on:keydown=walk>
                <label class="input">
                    <Icon name="search"/>
                    <input node_ref=field aria-label=words::field() placeholder=words::field() maxlength="100"
                        autocomplete="off" prop:value=move || search.text.get() on:input=typed/>
                </label>
                <p class="sr" role="status">{move || said(stores, search)}</p>
                {move || results(stores, search)}
            </div>
        </div>
    }
}

/// Going back comes to the same results.
fn remember(text: &str) {
    let address = match text.is_empty() {
        true => route::SEARCH.to_owned(),
        false => format!("{}?q={}", route::SEARCH, route::percent(text)),
    };
    if let Ok(history) = dom::window().history() {
        let state = history.state().unwrap_or(wasm_bindgen::JsValue::NULL);
        let _ = history.replace_state_with_url(&state, "", Some(&address));
    }
}

/// What a screen reader hears when the results have come.
fn said(stores: Stores, search: Search) -> String {
    let wanted = search.text.get();
    match search.found.get() {
        Some(Ok(found)) if !wanted.trim().is_empty() => {
            let count = devices(stores, &wanted).len() + found.rows.len();
            let more = if found.next.is_some() { "+" } else { "" };
            let word = text::plural(count as u64, "result", "results");
            words::count(&format!("{}{more}", format::count(count as u64)), &word)
        }
        _ => String::new(),
    }
}

fn results(stores: Stores, search: Search) -> AnyView {
    let text = search.text.get();
    if text.trim().is_empty() {
        return view! { <EmptyState icon="search" title=words::begin() says=words::begin_says()/> }.into_any();
    }
    let (machines, others): (Vec<_>, Vec<_>) = devices(stores, &text)
        .into_iter()
        .partition(|view| view.kind == DeviceKind::Agent);
    let none = machines.is_empty() && others.is_empty();
    view! {
        {(!machines.is_empty()).then(|| section(words::machines(), machines.into_iter().map(device_row).collect()))}
        {(!others.is_empty()).then(|| section(words::devices(), others.into_iter().map(device_row).collect()))}
        {move || in_drive(search, none)}
    }
    .into_any()
}

/// Devices whose names hold the text, without regard to case.
fn devices(stores: Stores, text: &str) -> Vec<DeviceView> {
    let text = text.trim().to_lowercase();
    if text.is_empty() {
        return Vec::new();
    }
    let all = stores.devices.ids().into_iter().filter_map(|id| stores.devices.get(id));
    all.filter(|view| !view.revoked && view.name.as_str().to_lowercase().contains(&text))
        .collect()
}

fn in_drive(search: Search, nothing_else: bool) -> AnyView {
    match search.found.get() {
        None => section(words::drive(), vec![view! { <li><LineBones rows=3/></li> }.into_any()]),
        Some(Err(refusal)) => view! {
            <EmptyState icon="stop" title=words::failed() says=text::error::of(&refusal) class="error">
                <button type="button" class="button" on:click=move |_| search.again()>
                    <Icon name="retry"/><span class="word">{common::retry()}</span>
                </button>
            </EmptyState>
        }
        .into_any(),
        Some(Ok(found)) if found.rows.is_empty() && nothing_else => {
            view! { <EmptyState icon="search" title=words::nothing() says=words::nothing_says()/> }.into_any()
        }
        Some(Ok(found)) if found.rows.is_empty() => ().into_any(),
        Some(Ok(found)) => drive_section(search, found),
    }
}

fn drive_section(search: Search, found: Found) -> AnyView {
    let more = found.next.map(|next| more(search, next));
    view! {
        {section(words::drive(), found.rows.into_iter().map(drive_row).collect())}
        {more}
    }
    .into_any()
}

fn more(search: Search, next: String) -> AnyView {
    view! {
        <button type="button" class="button" on:click=move |_| search.more(next.clone())
            aria-busy=move || search.adding.get().then_some("true") prop:disabled=move || search.adding.get()>
            {words::more()}
        </button>
    }
    .into_any()
}

fn section(title: &'static str, rows: Vec<AnyView>) -> AnyView {
    view! { <section><div class="section-head"><h2>{title}</h2></div><ul class="found">{rows}</ul></section> }
        .into_any()
}

fn device_row(view: DeviceView) -> AnyView {
    let (href, icon) = match view.kind {
        DeviceKind::Agent => (route::machine(view.id), "desktop"),
        DeviceKind::Browser => (route::device(view.id), "browser"),
        DeviceKind::Cli => (route::device(view.id), "terminal"),
    };
    let state = if view.online {
        common::online().into_any()
    } else {
        view! { <Ago at=view.last_seen/> }.into_any()
    };
    view! {
        <li><a class="hit" href=href>
            <Icon name=icon/>
            <span class="grow cut"><bdi>{format::name(view.name.as_str())}</bdi></span>
            <span class="faint nowrap">{state}</span>
        </a></li>
    }
    .into_any()
}

fn drive_row(row: TreeRow) -> AnyView {
    let folder = row.path.split_last().map_or_else(RootPath::root, |(folder, _)| folder);
    let href = drive::address(&folder, Some(row.node.id));
    let place = match folder.is_root() {
        true => words::top().to_owned(),
        false => format::name(&folder.display()),
    };
    let is_file = row.node.size > 0;
    let to = href.clone();
    let go = leptos_router::hooks::use_navigate();
    let follow = move |event: web_sys::MouseEvent| {
        // The router would take percent signs in names apart.
        if !(event.ctrl_key() || event.meta_key() || event.shift_key() || event.alt_key()) {
            event.prevent_default();
            go(&to, leptos_router::NavigateOptions::default());
        }
    };
    view! {
        <li><a class="hit" href=href on:click=follow>
            <Icon name=item::icon(&row.node)/>
            <span class="grow">
                <span class="label cut"><bdi>{format::name(&row.node.name)}</bdi></span>
                <span class="where cut"><bdi>{place}</bdi></span>
            </span>
            <span class="faint nowrap tnum">{is_file.then(|| format::bytes(row.node.size))}</span>
        </a></li>
    }
    .into_any()
}

/// Arrow keys go from the field through the results and back.
fn walk(event: web_sys::KeyboardEvent) {
    if event.is_composing() {
        return;
    }
    let step = match event.key().as_str() {
        "ArrowDown" => 1,
        "ArrowUp" => -1,
        _ => return,
    };
    let Ok(stops) = dom::document().query_selector_all(".search-page input, .search-page .hit") else {
        return;
    };
    let focused = dom::focused().map(web_sys::Node::from);
    let at = (0..stops.length()).find(|at| stops.get(*at) == focused);
    let next = at
        .and_then(|at| at.checked_add_signed(step))
        .and_then(|next| stops.get(next));
    if let Some(next) = next.and_then(|next| wasm_bindgen::JsCast::dyn_into::<web_sys::HtmlElement>(next).ok()) {
        event.prevent_default();
        let _ = next.focus();
    }
}

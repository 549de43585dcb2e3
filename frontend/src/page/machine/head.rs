//! The head of the page: where the folder is, how the machine is reached, what concerns all of the folder.

use beckon_shared::{id::DeviceId, path::RootPath};
use leptos::prelude::*;
use leptos_router::{NavigateOptions, hooks::use_navigate};

use super::folder::{Folder, Spot};
use crate::{
    component::{
        breadcrumb::{Breadcrumb, Crumb, UpButton},
        icon::Icon,
        menu::{Entry, MenuButton},
        presence::Dot,
        reach::{self, ReachDialog},
    },
    format, route, session,
    store::stores,
    text::{common, device, machine as words},
    wake,
};

/// The head.
#[component]
pub(super) fn Head(folder: Folder) -> impl IntoView {
    let spot = folder.spot();
    let crumbs = above(folder, &spot);
    let up = crumbs.last().cloned().unwrap_or_else(to_machines);
    let is_top = spot.place.is_none();
    let machine = machine_name(folder);
    let mut under: Vec<String> = if is_top { Vec::new() } else { vec![machine] };
    under.extend(crumbs.iter().skip(1).map(|crumb| crumb.label.clone()));
    let folders: Vec<Crumb> = crumbs.into_iter().skip(1).collect();
    let switcher = view! { <Switcher folder/> }.into_any();
    let (before, tail) = if is_top {
        (None, switcher)
    } else {
        (Some(machine_crumb(folder, switcher)), ().into_any())
    };
    view! {
        <header class="page-head">
            <UpButton up/>
            <Breadcrumb crumbs=folders here=here(folder, &spot) under=under.join(" / ") tail>
                <li class="not-phone"><a class="crumb" href=route::MACHINES>{common::machines()}</a></li>
                {before}
            </Breadcrumb>
            <Reached folder/>
            <MenuButton label=common::more() class="button icon-only ghost" items=menu(folder)/>
        </header>
    }
}

fn machine_name(folder: Folder) -> String {
    format::name(&untrack(|| folder.machine_name()))
}

fn to_machines() -> Crumb {
    Crumb {
        label: common::machines().to_owned(),
        href: route::MACHINES.to_owned(),
    }
}

/// The page's own name.
pub(super) fn here(folder: Folder, spot: &Spot) -> String {
    match &spot.place {
        None => machine_name(folder),
        Some((root, path)) => match path.split_last() {
            Some((_, name)) => format::name(&name.display()),
            None => root_name(folder, root),
        },
    }
}

fn root_name(folder: Folder, root: &beckon_shared::id::RootId) -> String {
    let view = folder.view.get_untracked();
    let roots = view.map(|view| view.roots).unwrap_or_default();
    let root = roots.into_iter().find(|known| known.id == *root);
    root.map(|root| format::name(root.name.as_str())).unwrap_or_default()
}

/// The machine's top and the folders between it and this one; nothing at the top.
pub(super) fn above(folder: Folder, spot: &Spot) -> Vec<Crumb> {
    let Some((root, path)) = &spot.place else {
        return Vec::new();
    };
    let mut crumbs = vec![Crumb {
        label: machine_name(folder),
        href: route::machine(spot.machine),
    }];
    if path.is_root() {
        return crumbs;
    }
    let crumb = |label: String, path: &RootPath| Crumb {
        label,
        href: route::folder(spot.machine, *root, path),
    };
    crumbs.push(crumb(root_name(folder, root), &RootPath::root()));
    let names: Vec<_> = path.names().collect();
    let mut at = RootPath::root();
    for name in &names[..names.len().saturating_sub(1)] {
        let Ok(next) = at.join(name) else { break };
        at = next;
        crumbs.push(crumb(format::name(&name.display()), &at));
    }
    crumbs
}

/// The machine between the list of all and its folders.
fn machine_crumb(folder: Folder, switcher: AnyView) -> AnyView {
    let (online, top) = (folder.online, route::machine(folder.machine()));
    let name = move || format::name(&folder.machine_name());
    view! {
        <li class="not-phone"><a class="crumb" href=top><Dot online/><bdi class="cut">{name}</bdi></a>{switcher}</li>
    }
    .into_any()
}

/// A menu of the other machines.
#[component]
fn Switcher(folder: Folder) -> impl IntoView {
    let navigate = use_navigate();
    let stores = folder.stores;
    let items = move || {
        let machines = untrack(|| stores.devices.machines());
        let entry = |id: DeviceId| {
            let view = stores.devices.peek(id)?;
            let (navigate, href) = (navigate.clone(), route::machine(id));
            let go = move || navigate(&href, NavigateOptions::default());
            Some(Entry::new("desktop", format::name(view.name.as_str()), go))
        };
        machines.into_iter().filter_map(entry).collect()
    };
    let name = move || format::name(&folder.machine_name());
    let label = Signal::derive(move || format!("{}: {}", name(), words::switch()));
    view! { <MenuButton label class="crumb switch" items=items><Icon name="down"/></MenuButton> }
}

/// How the machine is reached, and how fast while it is read; or since when it is away.
#[component]
fn Reached(folder: Folder) -> impl IntoView {
    let (id, now) = (folder.machine(), stores().now);
    let why = RwSignal::new(None);
    let name = Signal::derive(move || format::name(&folder.machine_name()));
    // Nothing is said of a way that is not gone yet.
    let is_reached = Memo::new(move |_| session::reach::of(id).get().is_some());
    let badge = move || match (folder.online.get(), is_reached.get()) {
        (false, false) => {
            let seen = folder.view.with(|view| view.as_ref().map(|view| view.last_seen));
            let secs = seen.map(|seen| now.get().since(seen).as_secs());
            let span = secs.filter(|secs| *secs >= 60).map(format::left);
            let says = span.map_or_else(|| words::away().to_owned(), |span| words::away_since(&span));
            Some(view! { <span class="badge">{says}</span> }.into_any())
        }
        (_, true) => Some(view! { <reach::ReachBadge id name why/> }.into_any()),
        (true, false) => None,
    };
    view! {
        {badge}
        <ReachDialog why/>
    }
}

fn menu(folder: Folder) -> impl Fn() -> Vec<Entry> + 'static {
    let navigate = use_navigate();
    move || {
        let (navigate, href) = (navigate.clone(), route::device(folder.machine()));
        let mut entries = vec![Entry::new("upload", words::upload_folder(), move || {
            folder.upload_all()
        })];
        if folder.online.get_untracked() {
            entries.push(Entry::new("retry", words::refresh(), move || folder.read_again()).key("R"));
        }
        if untrack(|| wake::can(folder.stores, folder.machine())) {
            let call = move || wake::begin(folder.stores, folder.machine());
            entries.push(Entry::new("wake", device::wake(), call));
        }
        entries.extend(folder.here_entries());
        entries.extend([
            Entry::new("info", common::details(), move || folder.habits.pane.toggle()).key("I"),
            Entry::new("machines", words::to_device(), move || {
                navigate(&href, NavigateOptions::default())
            })
            .apart(),
        ]);
        entries
    }
}

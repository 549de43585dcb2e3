//! The head of the page: the path, the way to search, the button that puts files in.

use beckon_shared::{id::NodeId, path::RootPath};
use leptos::prelude::*;
use web_sys::DragEvent;

use super::{Page, remote, shelf::Place};
use crate::{
    component::{
        breadcrumb::{Breadcrumb, Crumb, UpButton},
        icon::Icon,
        menu::{Entry, MenuButton},
    },
    format, route,
    text::{common, drive as words},
    upload,
};

/// The head.
#[component]
pub(super) fn Head(page: Page) -> impl IntoView {
    let folders = folders_above(page);
    let crumbs: Vec<_> = folders.iter().map(|path| crumb(page, path)).collect();
    let back = crumbs.last().cloned().map(|up| view! { <UpButton up/> });
    let under = crumbs
        .iter()
        .map(|crumb| crumb.label.as_str())
        .collect::<Vec<_>>()
        .join(" / ");
    let folders = StoredValue::new(folders);
    let on_drop = Callback::new(move |(index, event): (usize, DragEvent)| {
        let folder = folders.with_value(|folders| folders.get(index).cloned());
        if let Some(folder) = folder {
            page.dropped_on_crumb(&event, folder);
        }
    });
    view! {
        <header class="page-head">
            {back}
            <Breadcrumb crumbs here=page.name() under on_drop/>
            <a class="input search not-phone" href=route::SEARCH>
                <Icon name="search"/><span class="grow faint">{words::search()}</span><kbd aria-hidden="true">"/"</kbd>
            </a>
            <a class="button icon-only ghost only-phone" href=route::SEARCH aria-label=words::search() title=words::search()>
                <Icon name="search"/>
            </a>
            <PutButton page/>
        </header>
    }
}

/// The folders above, from the top. A list of many places lies below the top.
fn folders_above(page: Page) -> Vec<RootPath> {
    let Some(path) = page.path() else {
        return vec![RootPath::root()];
    };
    let mut all = Vec::new();
    let mut at = path;
    while let Some((above, _)) = at.split_last() {
        all.push(above.clone());
        at = above;
    }
    all.reverse();
    all
}

fn crumb(page: Page, path: &RootPath) -> Crumb {
    Crumb {
        label: title(path),
        href: page.address(path, None),
    }
}

fn title(path: &RootPath) -> String {
    match path.split_last() {
        Some((_, name)) => format::name(&name.display()),
        None => words::drive().to_owned(),
    }
}

impl Page {
    fn dropped_on_crumb(self, event: &DragEvent, path: RootPath) {
        let Some(data) = event.data_transfer().filter(|_| !self.is_past()) else {
            return;
        };
        if upload::has_files(&data) {
            let Some(folder) = Place::Folder(path).below_files() else {
                self.stray.set(true);
                return;
            };
            let dropped = upload::of_drop(&data);
            self.put_into(folder, dropped);
            return;
        }
        let title = title(&path);
        let items = self.targets();
        leptos::task::spawn_local(async move {
            match remote::list(&path, None, None).await.map(|listing| listing.node) {
                Ok(Some(node)) => self.move_into(&items, node.id, &title),
                Ok(None) => self.move_into(&items, NodeId::TOP, &title),
                Err(refusal) => self.refused(|| (), &refusal),
            }
        });
    }
}

/// Opens the browser's dialogs; where nothing can be put in, it says so and leads to where that can be done.
#[component]
fn PutButton(page: Page) -> impl IntoView {
    if page.is_past() {
        return ().into_any();
    }
    if !page.takes_files() {
        let files = route::drive(&files());
        return view! {
            <button class="button primary not-phone" disabled title=words::only_in_files()>
                <Icon name="plus"/><span class="word">{words::put_here()}</span>
            </button>
            <a class="button" href=files><span class="word">{words::open_files()}</span></a>
        }
        .into_any();
    }
    let items = move || {
        vec![
            Entry::new("file", words::choose_files(), move || page.put(false)),
            Entry::new("folder", words::choose_folder(), move || page.put(true)),
        ]
    };
    view! {
        <span class="not-phone">
            <MenuButton label=words::put_here().to_owned() class="button primary" items>
                <Icon name="plus"/><span class="word">{words::put_here()}</span>
            </MenuButton>
        </span>
        <button class="button icon-only primary only-phone" aria-label=words::put_here() title=words::put_here()
            on:click=move |_| page.put(false)>
            <Icon name="plus"/>
        </button>
    }
    .into_any()
}

/// The folder that files are put into.
pub(super) fn files() -> RootPath {
    RootPath::new(remote::FILES).unwrap_or_default()
}

/// A button with an icon and a name for those who do not see it.
pub(super) fn icon_button(
    icon: &'static str,
    label: &'static str,
    class: &'static str,
    act: impl Fn() + 'static,
) -> AnyView {
    let class = format!("button icon-only ghost sm {class}");
    view! {
        <button type="button" class=class aria-label=label title=label on:click=move |_| act()><Icon name=icon/></button>
    }
    .into_any()
}

/// What closes.
pub(super) fn close_button(act: impl Fn() + 'static) -> AnyView {
    icon_button("x", common::close(), "", act)
}

//! The dialog that asks for the folder to move rows to.

use beckon_shared::{api::drive::NodeView, entry::EntryKind, error::Refusal, id::NodeId, path::RootPath};
use leptos::prelude::*;

use super::{Page, item, remote};
use crate::{
    component::{
        dialog::{Dialog, ProblemLine},
        icon::Icon,
        skeleton::LineBones,
    },
    format,
    text::{self, common, drive as words},
};

/// The dialog.
#[component]
pub(super) fn MoveTo(page: Page) -> impl IntoView {
    let open = RwSignal::new(false);
    Effect::new(move || open.set(!page.moving.read().is_empty()));
    Effect::new(move || {
        if !open.get() && !page.moving.read_untracked().is_empty() {
            page.moving.set(Vec::new());
        }
    });
    let title = move || {
        page.moving.with(|items| match items.as_slice() {
            [one] => words::move_one(&one.label),
            many => words::move_many(&many.len()),
        })
    };
    view! {
        <Dialog open title=Signal::derive(title)>
            <Chooser page/>
        </Dialog>
    }
}

/// A folder that can be chosen.
#[derive(Debug, Clone, PartialEq)]
struct Target {
    id: NodeId,
    path: RootPath,
    name: String,
}

#[component]
fn Chooser(page: Page) -> impl IntoView {
    let (chosen, problem) = (RwSignal::new(None::<Target>), RwSignal::new(None::<String>));
    let act = move |_| {
        let Some(target) = chosen.get_untracked() else { return };
        let items = page.moving.get_untracked();
        page.moving.set(Vec::new());
        page.move_into(&items, target.id, &target.name);
    };
    let verb = move || match chosen.get() {
        Some(target) => words::move_into(&target.name),
        None => words::move_here().to_owned(),
    };
    view! {
        <div class="body">
            <div class="folder-tree" role="group" aria-label=words::folders() on:keydown=walk>
                <Children page at=RootPath::root() chosen problem/>
            </div>
            <ProblemLine problem/>
        </div>
        <footer>
            <button type="button" class="button" on:click=move |_| page.moving.set(Vec::new())>{common::cancel()}</button>
            <button type="button" class="button primary" prop:disabled=move || chosen.read().is_none() on:click=act>
                <span class="word cut">{verb}</span>
            </button>
        </footer>
    }
}

/// The folders of a folder, read when they are first seen.
#[component]
fn Children(
    page: Page,
    at: RootPath,
    chosen: RwSignal<Option<Target>>,
    problem: RwSignal<Option<String>>,
) -> impl IntoView {
    let folders = RwSignal::new(None::<Vec<NodeView>>);
    let path = at.clone();
    leptos::task::spawn_local(async move {
        match read(&path).await {
            Ok(found) => {
                folders.try_set(Some(found));
                leptos::task::tick().await;
                begin_here();
            }
            Err(refusal) => _ = problem.try_set(Some(text::error::of(&refusal))),
        }
    });
    let rows = move || {
        folders.get().map(|folders| {
            let rows: Vec<_> = folders
                .into_iter()
                .filter_map(|node| row(page, node, &at, chosen, problem))
                .collect();
            match rows.is_empty() {
                true => view! { <p class="hint">{words::no_folders()}</p> }.into_any(),
                false => view! { <ul>{rows}</ul> }.into_any(),
            }
        })
    };
    move || match folders.read().is_none() {
        true => view! { <LineBones rows=2/> }.into_any(),
        false => rows().into_any(),
    }
}

async fn read(path: &RootPath) -> Result<Vec<NodeView>, Refusal> {
    let (mut folders, mut after) = (Vec::new(), None);
    loop {
        let page = remote::list(path, None, after.as_ref()).await?;
        folders.extend(page.children.into_iter().filter(|node| node.kind == EntryKind::Folder));
        after = page.next;
        if after.is_none() {
            return Ok(folders);
        }
    }
}

fn row(
    page: Page,
    node: NodeView,
    at: &RootPath,
    chosen: RwSignal<Option<Target>>,
    problem: RwSignal<Option<String>>,
) -> Option<AnyView> {
    // Nothing moves into itself.
    if page
        .moving
        .with_untracked(|items| items.iter().any(|item| item.node.id == node.id))
    {
        return None;
    }
    let path = at.join(&item::name(&node)?).ok()?;
    let name = format::name(&node.name);
    let target = Target {
        id: node.id,
        path: path.clone(),
        name: name.clone(),
    };
    let here = page.path();
    let is_here = here.as_ref() == Some(&path);
    let open = RwSignal::new(here.is_some_and(|here| !is_here && path.holds(&here)));
    let mine = target.clone();
    let is_chosen = Memo::new(move |_| chosen.with(|chosen| chosen.as_ref() == Some(&mine)));
    let choose = move || {
        chosen.set(Some(target.clone()));
        open.update(|open| *open = !*open);
    };
    let inside = move || {
        let path = path.clone();
        open.get().then(|| view! { <Children page at=path chosen problem/> })
    };
    Some(view! {
        <li>
            <button type="button" class="twig" aria-current=is_here.then_some("location") aria-expanded=move || truth(open.get()) aria-pressed=move || truth(is_chosen.get())
                on:click=move |_| choose()>
                <Icon name="folder" class="folder"/><bdi class="cut">{name}</bdi>
            </button>
            {inside}
        </li>
    }
    .into_any())
}

/// The keyboard begins at the folder that the rows are in, until then at the first one.
fn begin_here() {
    let focused = crate::dom::focused();
    let is_elsewhere = focused.is_some_and(|focused| focused.closest(".dialog > footer").ok().flatten().is_some());
    let is_there = crate::dom::document().query_selector(".folder-tree .twig[aria-current]");
    if !is_elsewhere {
        let is_there = is_there.ok().flatten().is_some();
        crate::dom::focus(if is_there {
            ".folder-tree .twig[aria-current]"
        } else {
            ".folder-tree .twig"
        });
    }
}

fn truth(is: bool) -> &'static str {
    if is { "true" } else { "false" }
}

/// Arrow keys go from folder to folder; Enter and Space choose and open, as on any button.
fn walk(event: web_sys::KeyboardEvent) {
    let step = match event.key().as_str() {
        "ArrowDown" => 1,
        "ArrowUp" => -1,
        _ => return,
    };
    event.prevent_default();
    let Ok(twigs) = crate::dom::document().query_selector_all(".folder-tree .twig") else {
        return;
    };
    let focused = crate::dom::focused().map(web_sys::Node::from);
    let at = (0..twigs.length()).find(|at| twigs.get(*at) == focused);
    let next = at.and_then(|at| at.checked_add_signed(step)).unwrap_or(0);
    if let Some(twig) = twigs
        .get(next)
        .and_then(|twig| wasm_bindgen::JsCast::dyn_into::<web_sys::HtmlElement>(twig).ok())
    {
        let _ = twig.focus();
    }
}

//! Where a page is: the folders above it, each a link, and its own name as the heading. The middle folds into "…".

use leptos::prelude::*;
use leptos_router::{NavigateOptions, hooks::use_navigate};

use super::{
    drop_zone::is_ours,
    icon::Icon,
    menu::{Entry, MenuButton},
};
use crate::text::common as words;

/// So many folders between the first and the last are shown.
const MIDDLE: usize = 2;

/// A folder above.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Crumb {
    /// Its name.
    pub(crate) label: String,
    /// Its address.
    pub(crate) href: String,
}

/// The path of a page. `children` are further `<li>`s that stand before the folders.
#[component]
pub(crate) fn Breadcrumb(
    /// The folders above, from the top.
    crumbs: Vec<Crumb>,
    /// The page's own name.
    here: String,
    /// Where it is, in one line for a phone.
    under: String,
    /// Something was dropped on a folder, by its index.
    #[prop(optional)]
    on_drop: Option<Callback<(usize, web_sys::DragEvent)>>,
    /// What stands behind the page's own name.
    #[prop(optional)]
    tail: Option<AnyView>,
    #[prop(optional)] children: Option<Children>,
) -> impl IntoView {
    let fold = crumbs.len() > MIDDLE + 1;
    let last = crumbs.len().saturating_sub(MIDDLE - 1);
    let folded = if fold { crumbs[1..last].to_vec() } else { Vec::new() };
    let mut parts: Vec<AnyView> = Vec::new();
    for (index, crumb) in crumbs.into_iter().enumerate() {
        if fold && index == 1 {
            parts.push(middle(folded.clone()));
        }
        if !fold || index == 0 || index >= last {
            parts.push(part(index, crumb, on_drop));
        }
    }
    view! {
        <ol class="crumbs grow" aria-label=words::path()>
            {children.map(|children| children())}
            {parts}
            <li class="keep"><div class="cut">
                <h1 class="crumb" aria-current="page" tabindex="-1"><bdi class="cut">{here}</bdi></h1>
                <span class="under only-phone cut"><bdi>{under}</bdi></span>
            </div>{tail}</li>
        </ol>
    }
}

fn part(index: usize, crumb: Crumb, on_drop: Option<Callback<(usize, web_sys::DragEvent)>>) -> AnyView {
    let over = RwSignal::new(false);
    let drag_over = move |event: web_sys::DragEvent| {
        if on_drop.is_some() && is_ours(&event) {
            event.prevent_default();
            over.set(true);
        }
    };
    let dropped = move |event: web_sys::DragEvent| {
        over.set(false);
        if let Some(on_drop) = on_drop.filter(|_| is_ours(&event)) {
            event.prevent_default();
            on_drop.run((index, event));
        }
    };
    let title = crumb.label.clone();
    view! {
        <li class="not-phone">
            <a class="crumb" class:drop=move || over.get() href=crumb.href title=title on:dragover=drag_over
                on:dragleave=move |_| over.set(false) on:drop=dropped><bdi class="cut">{crumb.label}</bdi></a>
        </li>
    }
    .into_any()
}

fn middle(folded: Vec<Crumb>) -> AnyView {
    let navigate = use_navigate();
    let items = move || {
        let entry = |crumb: &Crumb| {
            let (navigate, href) = (navigate.clone(), crumb.href.clone());
            Entry::new("folder", crumb.label.clone(), move || {
                navigate(&href, NavigateOptions::default())
            })
        };
        folded.iter().map(entry).collect()
    };
    view! {
        <li class="not-phone"><MenuButton label=words::folded() class="crumb" items=items>"…"</MenuButton></li>
    }
    .into_any()
}

/// On a phone: to the folder above.
#[component]
pub(crate) fn UpButton(
    /// The folder above.
    up: Crumb,
) -> impl IntoView {
    let label = words::up_to(&up.label);
    view! {
        <a class="button ghost icon-only only-phone back" href=up.href aria-label=label.clone() title=label><Icon name="right" class="flip"/></a>
    }
}

//! The versions of a file in the drive, newest first.

use beckon_shared::{api::drive::VersionView, error::Refusal, id::NodeId};
use leptos::prelude::*;
use wasm_bindgen::JsCast;

use super::{badge::Badge, dialog::ProblemLine, skeleton::LineBones};
use crate::{
    dom, format,
    page::drive::remote,
    store::stores,
    text::{self, drive as words},
};

/// All versions of a file; an older one can be downloaded and made current again.
#[component]
pub(crate) fn VersionList(
    /// The file.
    node: NodeId,
    /// Its name, for downloads.
    name: String,
    /// Whether versions can be fetched and made current; not of what was deleted.
    may_change: bool,
) -> impl IntoView {
    let stores = stores();
    let versions = RwSignal::new(None::<Result<Vec<VersionView>, Refusal>>);
    let problem = RwSignal::new(None::<String>);
    Effect::new(move || {
        stores.drive.track();
        leptos::task::spawn_local(async move {
            let read = remote::versions(node).await;
            // What is on the screen stays when the connection is lost.
            let is_first = versions.try_with_untracked(Option::is_none) == Some(true);
            if let Some(before) = versions.try_get_untracked()
                && (is_first || read.is_ok())
                && before.as_ref() != Some(&read)
            {
                versions.set(Some(read));
            }
        });
    });
    let title = move || match versions.get() {
        Some(Ok(versions)) if versions.len() == 1 => words::one_version().to_owned(),
        Some(Ok(versions)) => words::count_versions(&format::count(versions.len() as u64)),
        _ => words::versions().to_owned(),
    };
    let name = StoredValue::new(name);
    let rows = move || match versions.get() {
        None => view! { <LineBones rows=2/> }.into_any(),
        Some(Err(refusal)) => view! { <p class="faint">{text::error::of(&refusal)}</p> }.into_any(),
        Some(Ok(versions)) => {
            let row = |version| row(node, name.get_value(), version, may_change, problem);
            view! { <ol class="versions">{versions.into_iter().map(row).collect::<Vec<_>>()}</ol> }.into_any()
        }
    };
    view! { <h3>{title}</h3> {rows} <ProblemLine problem/> }
}

fn row(
    node: NodeId,
    name: String,
    version: VersionView,
    may_change: bool,
    problem: RwSignal<Option<String>>,
) -> AnyView {
    let stores = stores();
    let now = stores.now;
    let (at, device, id) = (version.committed, version.device, version.id);
    let class = match (version.head, version.torn) {
        (true, false) => "version current",
        (_, true) => "version torn",
        _ => "version",
    };
    let by = move || {
        let view = device.and_then(|device| stores.devices.get(device));
        let from = view.map(|view| words::from_device(&format::name(view.name.as_str())));
        match (from, version.torn) {
            (Some(from), true) => words::torn_says(&from),
            (None, true) => words::torn_alone().to_owned(),
            (from, false) => from.unwrap_or_default(),
        }
    };
    let when = move || words::at_time(&format::date(at, now.get()), &format::clock(at));
    let download = move |_| dom::download(&remote::download_version(node, id), &name);
    let make_current = move |event: web_sys::MouseEvent| {
        problem.set(None);
        // The button goes when the version is current.
        let pane = pane_of(&event);
        leptos::task::spawn_local(async move {
            match remote::make_current(node, id).await {
                Ok(()) => {
                    if let Some(pane) = pane {
                        let _ = pane.focus();
                    }
                    stores.drive.update(|revision| *revision += 1);
                }
                Err(refusal) => _ = problem.try_set(Some(text::error::of(&refusal))),
            }
        });
    };
    let current = (!version.head).then(|| {
        view! { <button type="button" class="button sm" on:click=make_current>{words::make_current()}</button> }
    });
    let acts = may_change.then(|| {
        view! {
            <span class="acts">
                <button type="button" class="button sm" on:click=download>{words::download()}</button>
                {current}
            </span>
        }
    });
    view! {
        <li class=class>
            <span>
                <b><time title=format::exact(at) datetime=at.to_string()>{when}</time></b>
                {version.head.then(|| view! { <Badge text=words::current() kind="accent"/> })}
                {version.torn.then(|| view! { <Badge text=words::torn() kind="warn"/> })}
            </span>
            <span class="quiet tnum">{format::bytes(version.size)}</span>
            <span class="by">{by}</span>
            {acts}
        </li>
    }
    .into_any()
}

/// The pane that something happened in, which stays when what stands in it is drawn anew.
fn pane_of(event: &web_sys::MouseEvent) -> Option<web_sys::HtmlElement> {
    let target: web_sys::Element = event.target()?.dyn_into().ok()?;
    target.closest(".pane").ok()??.dyn_into().ok()
}

//! A part of a page that takes files from the desktop.

use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{DataTransfer, DragEvent, Element, Node};

use crate::upload::{self, Dropped};

/// What stands in it takes files that are dropped; its rows may take them before it does.
#[component]
pub(crate) fn DropZone(
    /// Whether anything may be dropped here.
    #[prop(into)]
    can: Signal<bool>,
    /// How many files are over it, and the name of where they would go.
    over: RwSignal<Option<(u32, String)>>,
    /// Set where files were dropped though none can be.
    stray: RwSignal<bool>,
    /// What the place is called.
    says: String,
    /// Takes what was dropped.
    take: impl Fn(Dropped) + 'static,
    children: Children,
) -> impl IntoView {
    let drag_over = move |event: DragEvent| {
        let Some(data) = event.data_transfer().filter(upload::has_files) else {
            return;
        };
        // Else the browser would open the files in place of the page.
        event.prevent_default();
        // Where nothing can be put the drop is taken too, to say where it can.
        data.set_drop_effect("copy");
        let name = row_name(&event).unwrap_or_else(|| says.clone());
        let now = Some((
            data.items().length(),
            if can.get_untracked() { name } else { String::new() },
        ));
        if over.with_untracked(|before| *before != now) {
            over.set(now);
        }
    };
    let dropped = move |event: DragEvent| {
        over.set(None);
        let is_taken = event.default_prevented();
        event.prevent_default();
        let Some(data) = event
            .data_transfer()
            .filter(|data| !is_taken && upload::has_files(data))
        else {
            return;
        };
        match can.get_untracked() {
            true => take(upload::of_drop(&data)),
            false => stray.set(true),
        }
    };
    view! {
        <div class="drop-zone" class:drop=move || can.get() && over.read().is_some()
            on:dragover=drag_over on:drop=dropped
            on:dragleave=move |event| if has_left(&event) { over.set(None) }>
            {children()}
        </div>
    }
}

/// The name of the row under the pointer that takes what is dropped.
fn row_name(event: &DragEvent) -> Option<String> {
    let element: Element = event.target()?.dyn_into().ok()?;
    let row = element.closest(".file.drop").ok()??;
    row.query_selector(".label").ok()??.text_content()
}

fn has_left(event: &DragEvent) -> bool {
    let zone: Option<Node> = event.current_target().and_then(|zone| zone.dyn_into().ok());
    let to: Option<Node> = event.related_target().and_then(|to| to.dyn_into().ok());
    !zone.is_some_and(|zone| zone.contains(to.as_ref()))
}

/// The type under which rows of the drive are dragged.
pub(crate) const ROWS: &str = "application/x-beckon-rows";

/// Whether files or rows of the drive are dragged, rather than text, a link, or what another page knows.
pub(crate) fn is_ours(event: &DragEvent) -> bool {
    carries_files(event.data_transfer()) || carries_rows(event.data_transfer())
}

fn carries_rows(data: Option<DataTransfer>) -> bool {
    data.is_some_and(|data| data.types().includes(&ROWS.into(), 0))
}

/// Whether an event carries files.
pub(crate) fn carries_files(data: Option<DataTransfer>) -> bool {
    data.as_ref().is_some_and(upload::has_files)
}

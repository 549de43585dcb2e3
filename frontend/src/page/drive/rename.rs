//! A name is written in its row.

use std::sync::Arc;

use beckon_shared::path::Name;
use leptos::{html, prelude::*};

use super::{Page, bar::PROBLEM, item::Item};
use crate::text::{common, drive as words};

/// The field in the place of the name: Enter and leaving it rename, Escape does not.
#[component]
pub(super) fn RenameField(page: Page, item: Arc<Item>) -> impl IntoView {
    let node = NodeRef::<html::Input>::new();
    let text = RwSignal::new(item.node.name.clone());
    let bad = RwSignal::new(false);
    let stem = stem(&item);
    node.on_load(move |field| {
        leptos::task::spawn_local(async move {
            // Its text is set after it is made.
            leptos::task::tick().await;
            let _ = field.focus();
            let _ = field.set_selection_range(0, stem);
        });
    });
    let say = move |problem: Option<String>| {
        bad.set(problem.is_some());
        page.problem.set(problem);
    };
    let typed = move |event| {
        text.set(event_target_value(&event));
        if bad.get_untracked() {
            say(None);
        }
    };
    let cancel = move || {
        if bad.get_untracked() {
            say(None);
        }
        page.renaming.set(None);
        page.list.focus();
    };
    let save = move || {
        if page.renaming.get_untracked() != Some(item.node.id) {
            return;
        }
        let name = text.get_untracked();
        match Name::new(name.trim().as_bytes()) {
            // What was not touched keeps all its bytes.
            Ok(_) if name == item.node.name => cancel(),
            Ok(name) => page.rename(&item, name),
            Err(_) => say(Some(words::bad_name().to_owned())),
        }
    };
    let left = save.clone();
    view! {
        <span class="input rename inert">
            <input node_ref=node aria-label=common::name() aria-invalid=move || bad.get().then_some("true")
                aria-describedby=move || bad.get().then_some(PROBLEM)
                prop:value=move || text.get() on:input=typed
                on:blur=move |_| left()
                on:keydown=move |event| {
                    event.stop_propagation();
                    // These keys are the input method's while it offers candidates.
                    if event.is_composing() {
                        return;
                    }
                    match event.key().as_str() {
                        "Enter" => { event.prevent_default(); save() }
                        "Escape" => { event.prevent_default(); cancel() }
                        _ => {}
                    }
                }/>
        </span>
    }
}

/// How much of a name comes before its ending, in UTF-16 units: that is what people mean to change.
fn stem(item: &Item) -> u32 {
    let name = &item.node.name;
    let end = match name.rfind('.') {
        Some(at) if at > 0 && !item.is_folder() => at,
        _ => name.len(),
    };
    name[..end].encode_utf16().count() as u32
}

//! A name is written in its row.

use std::sync::Arc;

use beckon_shared::{id::NodeId, path::Name};
use leptos::{html, prelude::*};

use super::{Page, item::Item};
use crate::{
    component::dialog::{ProblemLine, fresh_id},
    text::{common, drive as words},
};

/// A name that is being written.
#[derive(Debug, Clone)]
pub(super) struct Renaming {
    /// Whose it is.
    pub(super) node: NodeId,
    /// What was typed and refused before, and why.
    refused: Option<(String, String)>,
}

impl Renaming {
    /// From the name that it has.
    pub(super) fn of(node: NodeId) -> Self {
        Self { node, refused: None }
    }

    /// Again, from what the server refused.
    pub(super) fn refused(node: NodeId, typed: String, why: String) -> Self {
        let refused = Some((typed, why));
        Self { node, refused }
    }
}

/// The field in the place of the name: Enter and leaving it rename, Escape does not.
#[component]
pub(super) fn RenameField(page: Page, item: Arc<Item>) -> impl IntoView {
    let node = NodeRef::<html::Input>::new();
    let refused = page
        .renaming
        .with_untracked(|renaming| renaming.as_ref().and_then(|renaming| renaming.refused.clone()));
    let (typed_before, problem) = refused.unzip();
    let text = RwSignal::new(typed_before.unwrap_or_else(|| item.node.name.clone()));
    let problem = RwSignal::new(problem);
    let stem = stem(&item);
    node.on_load(move |field| {
        leptos::task::spawn_local(async move {
            // Its text is set after it is made.
            leptos::task::tick().await;
            let _ = field.focus();
            let _ = field.set_selection_range(0, stem);
        });
    });
    let typed = move |event| {
        text.set(event_target_value(&event));
        problem.set(None);
    };
    let cancel = move || {
        page.renaming.set(None);
        page.list.focus();
    };
    let save = move || {
        let is_mine = |renaming: &Option<Renaming>| renaming.as_ref().is_some_and(|one| one.node == item.node.id);
        if !page.renaming.with_untracked(is_mine) {
            return;
        }
        let name = text.get_untracked();
        match Name::new(name.trim().as_bytes()) {
            // What was not touched keeps all its bytes.
            Ok(_) if name == item.node.name => cancel(),
            Ok(name) => page.rename(&item, name),
            Err(_) => problem.set(Some(words::bad_name().to_owned())),
        }
    };
    let left = save.clone();
    let id = fresh_id("rename");
    let described = id.clone();
    let is_bad = move || problem.read().is_some();
    view! {
        <span class="input rename inert">
            <input node_ref=node aria-label=common::name() aria-invalid=move || is_bad().then_some("true")
                aria-describedby=move || is_bad().then(|| described.clone())
                prop:value=move || text.get() on:input=typed
                // The field is left too when it is taken away. Left with a name that cannot be, the old one stays.
                on:blur=move |_| match problem.try_with_untracked(Option::is_some) {
                    None => {}
                    Some(true) => page.renaming.set(None),
                    Some(false) => left(),
                }
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
            <span class="why" id=id><ProblemLine problem/></span>
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

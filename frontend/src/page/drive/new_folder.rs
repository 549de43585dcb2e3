//! The dialog that makes a folder.

use beckon_shared::path::Name;
use leptos::prelude::*;

use super::{Page, item, remote};
use crate::{
    component::dialog::{Dialog, ProblemLine, fresh_id},
    text::{self, common, drive as words},
};

/// The dialog.
#[component]
pub(super) fn NewFolder(page: Page) -> impl IntoView {
    view! {
        <Dialog open=page.naming_folder title=words::new_folder().to_owned() class="small">
            <Form page/>
        </Dialog>
    }
}

#[component]
fn Form(page: Page) -> impl IntoView {
    let (text, problem, busy) = (
        RwSignal::new(String::new()),
        RwSignal::new(None::<String>),
        RwSignal::new(false),
    );
    let id = fresh_id("folder");
    let make = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let Ok(name) = Name::new(text.get_untracked().trim().as_bytes()) else {
            problem.set(Some(words::bad_name().to_owned()));
            return;
        };
        busy.set(true);
        let parent = page.shelf.node.get_untracked().map(|node| node.id);
        leptos::task::spawn_local(async move {
            match remote::make_folder(parent, name).await {
                Ok(_) if page.is_gone() => {}
                Ok(node) => {
                    page.naming_folder.try_set(false);
                    page.shelf.read_again();
                    page.list.reveal(item::key(node.id));
                    page.list.focus();
                }
                Err(refusal) => _ = problem.try_set(Some(text::error::of(&refusal))),
            }
            busy.try_set(false);
        });
    };
    view! {
        <form on:submit=make>
            <div class="body">
                <div class="field">
                    <label for=id.clone()>{common::name()}</label>
                    <input class="input" id=id autofocus maxlength="255" autocomplete="off"
                        prop:value=move || text.get() on:input=move |event| text.set(event_target_value(&event))/>
                    <ProblemLine problem/>
                </div>
            </div>
            <footer>
                <button type="button" class="button" on:click=move |_| page.naming_folder.set(false)>{common::cancel()}</button>
                <button type="submit" class="button primary" aria-busy=move || busy.get().then_some("true")
                    prop:disabled=move || busy.get()>
                    {words::make_folder()}
                </button>
            </footer>
        </form>
    }
}

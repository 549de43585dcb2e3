//! A button that copies a text. The clipboard's own interface needs a secure context; elsewhere the older command does it.

use leptos::prelude::*;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;

use super::icon::Icon;
use crate::{dom, text};

/// Says for so long, in milliseconds, that it was copied.
const SAID: u32 = 2_000;

/// Copies `value` when it is clicked, and says so.
#[component]
pub(crate) fn CopyButton(
    /// What is copied.
    #[prop(into)]
    value: Signal<String>,
    /// Its classes.
    #[prop(default = "button")]
    class: &'static str,
) -> impl IntoView {
    let done = RwSignal::new(false);
    let copy = move |_| {
        leptos::task::spawn_local(async move {
            if copy(&value.get_untracked()).await {
                let _ = done.try_set(true);
                dom::sleep(SAID).await;
                let _ = done.try_set(false);
            }
        });
    };
    let icon = Signal::derive(move || if done.get() { "check" } else { "copy" });
    let word = move || {
        if done.get() {
            text::common::copied()
        } else {
            text::common::copy()
        }
    };
    view! {
        <button type="button" class=class on:click=copy><Icon name=icon/><span aria-live="polite">{word}</span></button>
    }
}

/// Copies a text; tells whether it could.
pub(crate) async fn copy(text: &str) -> bool {
    if dom::is_secure() {
        let clipboard = dom::window().navigator().clipboard();
        if JsFuture::from(clipboard.write_text(text)).await.is_ok() {
            return true;
        }
    }
    copy_by_command(text).unwrap_or(false)
}

/// Selects the text in a field that nobody sees, and has the document copy the selection.
fn copy_by_command(text: &str) -> Option<bool> {
    let document = dom::document().dyn_into::<web_sys::HtmlDocument>().ok()?;
    let before = dom::focused();
    let field = document
        .create_element("textarea")
        .ok()?
        .dyn_into::<web_sys::HtmlTextAreaElement>()
        .ok()?;
    field.set_class_name("sr");
    field.set_value(text);
    // In a modal dialog nothing outside it can be selected.
    let place = document.query_selector("dialog[open]").ok().flatten();
    let place = place.or_else(|| document.body().map(Into::into))?;
    place.append_child(&field).ok()?;
    field.select();
    let copied = document.exec_command("copy").ok();
    field.remove();
    if let Some(before) = before {
        let _ = before.focus();
    }
    copied
}

//! From a pressed key to what it does.

use std::{cell::Cell, rc::Rc};

use beckon_shared::time::Timestamp;
use leptos::{ev, leptos_dom::helpers::window_event_listener, prelude::*};
use wasm_bindgen::JsCast;
use web_sys::KeyboardEvent;

use super::Binding;
use crate::{dom, store::Stores};

/// The second of two letters must come within so many milliseconds.
const CHORD_MS: u128 = 1_500;

thread_local! {
    /// The first of two letters, and when it was pressed.
    static FIRST: Cell<Option<(char, Timestamp)>> = const { Cell::new(None) };
}

/// Listens for as long as the component lives.
pub(crate) fn listen(stores: Stores) {
    let pressed = window_event_listener(ev::keydown, move |event| {
        if event.default_prevented() || event.is_composing() || has_layer() {
            return;
        }
        if event.key() == "Escape" {
            escape(&event);
        } else if !is_in_field(&event) {
            press(&event, stores.prefs.letter_keys.get_untracked());
        }
    });
    on_cleanup(move || pressed.remove());
}

/// A modal dialog has its own keys.
fn has_layer() -> bool {
    dom::document().query_selector("dialog[open]").ok().flatten().is_some()
}

fn escape(event: &KeyboardEvent) {
    if super::escapes().iter().rev().any(|escape| (escape.act)()) {
        event.prevent_default();
    }
}

fn press(event: &KeyboardEvent, letters: bool) {
    let Some(key) = key_of(event) else { return };
    if key.chars().count() == 1 && !letters {
        return;
    }
    let bindings = super::bindings();
    let first = FIRST.take();
    let since = |at: Timestamp| dom::now().since(at).as_millis();
    let chord = first
        .filter(|(_, at)| since(*at) < CHORD_MS)
        .map(|(first, _)| format!("{first} {key}"));
    if let Some(act) = found(&bindings, chord.as_deref()).or_else(|| found(&bindings, Some(&key))) {
        event.prevent_default();
        act();
    } else if let Some(letter) = opens_chord(&bindings, &key) {
        FIRST.set(Some((letter, dom::now())));
    }
}

fn found(bindings: &[Binding], keys: Option<&str>) -> Option<Rc<dyn Fn()>> {
    let binding = bindings.iter().rev().find(|binding| Some(binding.keys) == keys)?;
    Some(Rc::clone(&binding.act))
}

fn opens_chord(bindings: &[Binding], key: &str) -> Option<char> {
    let mut chars = key.chars();
    let letter = chars.next().filter(|_| chars.next().is_none())?;
    let opens = |binding: &Binding| {
        binding
            .keys
            .strip_prefix(letter)
            .is_some_and(|rest| rest.starts_with(' '))
    };
    bindings.iter().any(opens).then_some(letter)
}

/// The key by the name that bindings use.
fn key_of(event: &KeyboardEvent) -> Option<String> {
    let key = event.key();
    let is_letter = key.chars().count() == 1;
    let is_alphabetic = key.chars().all(char::is_alphabetic);
    if event.alt_key() || (event.shift_key() && is_letter && is_alphabetic) {
        return None;
    }
    let key = if is_letter { key.to_lowercase() } else { key };
    let is_command = event.ctrl_key() || event.meta_key();
    Some(if is_command { format!("Ctrl+{key}") } else { key })
}

/// Whether what has the focus takes letters itself.
fn is_in_field(event: &KeyboardEvent) -> bool {
    let target = event
        .target()
        .and_then(|target| target.dyn_into::<web_sys::HtmlElement>().ok());
    let Some(target) = target else { return false };
    if target.is_content_editable() {
        return true;
    }
    match target.dyn_ref::<web_sys::HtmlInputElement>() {
        Some(input) => !matches!(
            input.type_().as_str(),
            "checkbox" | "radio" | "button" | "submit" | "range"
        ),
        None => matches!(target.tag_name().as_str(), "TEXTAREA" | "SELECT"),
    }
}

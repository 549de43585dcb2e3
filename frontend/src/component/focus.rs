//! Where the keyboard goes.

use wasm_bindgen::JsCast;
use web_sys::{FocusEvent, Node};

use crate::dom;

/// Whether the keyboard leaves the element that listens; another window in front is no leaving.
pub(crate) fn has_left(event: &FocusEvent) -> bool {
    let element: Option<Node> = event.current_target().and_then(|element| element.dyn_into().ok());
    let to: Option<Node> = event.related_target().and_then(|to| to.dyn_into().ok());
    let is_inside = to.is_some() && element.is_some_and(|element| element.contains(to.as_ref()));
    !is_inside && dom::document().has_focus().unwrap_or(true)
}

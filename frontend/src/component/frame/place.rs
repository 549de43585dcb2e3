//! Where a reader is on a page: the focus after a new page came, and how far a page was scrolled when it comes again.

use std::{cell::RefCell, collections::HashMap};

use leptos::{ev, leptos_dom::helpers::window_event_listener, prelude::*};
use wasm_bindgen::JsCast;

use crate::dom;

/// What scrolls.
const SCROLLER: &str = ".main .page-body";

thread_local! {
    /// How far each page was scrolled when it was left, by its path.
    static SCROLLED: RefCell<HashMap<String, i32>> = RefCell::default();
}

/// Keeps both for as long as the component lives.
pub(super) fn keep(path: Memo<String>) {
    let is_going_back = StoredValue::new(false);
    let popped = window_event_listener(ev::popstate, move |_| is_going_back.set_value(true));
    on_cleanup(move || popped.remove());
    remember(path);
    Effect::new(move |before: Option<String>| {
        let now = path.get();
        let back = is_going_back.try_update_value(std::mem::take).unwrap_or_default();
        if before.is_some_and(|before| before != now) {
            let now = now.clone();
            // Two frames: the first draws the page, and lays it out.
            request_animation_frame(move || request_animation_frame(move || arrive(&now, back)));
        }
        now
    });
}

/// Scroll events do not bubble, but they are captured on the way down.
fn remember(path: Memo<String>) {
    let noted = window_event_listener_with_capture(move |event| {
        let target = event
            .target()
            .and_then(|target| target.dyn_into::<web_sys::Element>().ok());
        if let Some(target) = target.filter(|target| target.matches(SCROLLER).unwrap_or(false)) {
            let at = target.scroll_top();
            SCROLLED.with_borrow_mut(|scrolled| scrolled.insert(path.get_untracked(), at));
        }
    });
    on_cleanup(noted);
}

fn window_event_listener_with_capture(act: impl Fn(web_sys::Event) + 'static) -> impl FnOnce() + Send + Sync + 'static {
    let closure = wasm_bindgen::closure::Closure::<dyn Fn(web_sys::Event)>::new(act);
    let function = closure.as_ref().unchecked_ref::<js_sys::Function>().clone();
    let _ = dom::window().add_event_listener_with_callback_and_bool("scroll", &function, true);
    let kept = StoredValue::new_local(Some((closure, function)));
    move || {
        let kept = kept.try_update_value(Option::take).flatten();
        if let Some((_closure, function)) = kept {
            let _ = dom::window().remove_event_listener_with_callback_and_bool("scroll", &function, true);
        }
    }
}

/// A page that took the focus itself keeps it.
fn arrive(path: &str, back: bool) {
    let is_inside = dom::focused().is_some_and(|focused| focused.closest(".main > *").ok().flatten().is_some());
    if !is_inside {
        dom::focus(if has_heading() { ".main h1" } else { ".main" });
    }
    let at = SCROLLED
        .with_borrow(|scrolled| scrolled.get(path).copied())
        .filter(|_| back);
    if let (Some(at), Ok(Some(scroller))) = (at, dom::document().query_selector(SCROLLER)) {
        scroller.set_scroll_top(at);
    }
}

fn has_heading() -> bool {
    dom::document()
        .query_selector(".main h1[tabindex]")
        .ok()
        .flatten()
        .is_some()
}

//! The details beside a list: open from the start where there is room, over the list where there is little, and on a
//! phone a page of their own, which going back closes.

use std::cell::Cell;

use leptos::{ev, leptos_dom::helpers::window_event_listener, prelude::*};
use wasm_bindgen::JsValue;

use crate::dom;

/// Wider windows have room for the details beside the list. Pixels.
const WIDE: f64 = 1080.0;
/// In windows no wider than this the details are a page of their own. Pixels.
const PHONE: f64 = 720.0;

thread_local! {
    /// Whether the details are wanted where there is room for them; the same in every list.
    static WANTED: Cell<bool> = const { Cell::new(true) };
}

/// Whether the details are open.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pane {
    open: RwSignal<bool>,
    /// Whether an entry of the history stands for them.
    has_entry: StoredValue<bool>,
}

impl Pane {
    /// Lives as long as the component that it is made in.
    pub(crate) fn new() -> Self {
        let pane = Self {
            open: RwSignal::new(is_wide() && WANTED.get()),
            has_entry: StoredValue::new(false),
        };
        pane.follow_width();
        pane.follow_history();
        pane
    }

    /// Whether they are open; tracked.
    pub(crate) fn is_open(self) -> bool {
        self.open.get()
    }

    /// Whether they are open; not tracked.
    pub(crate) fn peek(self) -> bool {
        self.open.get_untracked()
    }

    /// Opens them, or closes them.
    pub(crate) fn show(self, open: bool) {
        if is_wide() {
            WANTED.set(open);
        }
        if self.peek() == open {
            return;
        }
        self.open.set(open);
        let Ok(history) = dom::window().history() else { return };
        if open && is_phone() {
            let _ = history.push_state_with_url(&JsValue::NULL, "", None);
            self.has_entry.set_value(true);
        } else if !open && self.drop_entry() {
            let _ = history.back();
        }
    }

    /// Opens them if they are closed, and the other way round.
    pub(crate) fn toggle(self) {
        self.show(!self.peek());
    }

    /// Closes them where they lie over the list; tells whether they did.
    pub(crate) fn uncover(self) -> bool {
        let covers = self.peek() && !is_wide();
        if covers {
            self.show(false);
        }
        covers
    }

    fn drop_entry(self) -> bool {
        self.has_entry.try_update_value(std::mem::take).unwrap_or_default()
    }

    /// A window that becomes narrow is not to be covered by what stood beside the list.
    fn follow_width(self) {
        let was_wide = StoredValue::new(is_wide());
        let resized = window_event_listener(ev::resize, move |_| {
            let wide = is_wide();
            if was_wide.get_value() != wide {
                was_wide.set_value(wide);
                self.open.set(wide && WANTED.get());
            }
        });
        on_cleanup(move || resized.remove());
    }

    fn follow_history(self) {
        let popped = window_event_listener(ev::popstate, move |_| {
            if self.drop_entry() {
                self.open.set(false);
            }
        });
        on_cleanup(move || popped.remove());
    }
}

/// Whether the details are a page of their own.
pub(crate) fn is_phone() -> bool {
    width() <= PHONE
}

fn is_wide() -> bool {
    width() > WIDE
}

/// Of the window, in pixels.
fn width() -> f64 {
    let width = dom::window().inner_width().ok().and_then(|width| width.as_f64());
    width.unwrap_or(f64::MAX)
}

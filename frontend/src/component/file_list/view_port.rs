//! What can be seen of a list: measured, not known.

use leptos::{html, prelude::*};
use wasm_bindgen::{JsCast, closure::Closure};

use super::window;
use crate::dom;

/// A row's height until it is measured. Pixels.
const ROW: f64 = 36.0;
/// The head's height where there is one. Pixels.
const HEAD: f64 = 32.0;

/// Lengths in pixels, as signals.
#[derive(Debug, Clone, Copy)]
pub(super) struct ViewPort {
    /// How far it is scrolled.
    pub(super) scroll: RwSignal<f64>,
    /// Its height.
    pub(super) height: RwSignal<f64>,
    /// A row's height, from the style sheet.
    pub(super) row: RwSignal<f64>,
    node: NodeRef<html::Div>,
}

impl ViewPort {
    /// Measures when the list is there, and whenever its size changes.
    pub(super) fn new(node: NodeRef<html::Div>) -> Self {
        let port = Self {
            scroll: RwSignal::new(0.0),
            height: RwSignal::new(
                dom::window()
                    .inner_height()
                    .ok()
                    .and_then(|height| height.as_f64())
                    .unwrap_or(800.0),
            ),
            row: RwSignal::new(ROW),
            node,
        };
        let watch = Closure::<dyn FnMut()>::new(move || port.measure());
        let observer = web_sys::ResizeObserver::new(watch.as_ref().unchecked_ref()).ok();
        let kept = StoredValue::new_local((observer, watch));
        Effect::new(move || {
            let Some(node) = node.get() else { return };
            port.measure();
            kept.with_value(|(observer, _)| {
                if let Some(observer) = observer {
                    observer.observe(&node);
                }
            });
        });
        on_cleanup(move || {
            kept.try_with_value(|(observer, _)| observer.as_ref().map(web_sys::ResizeObserver::disconnect));
        });
        port
    }

    fn measure(self) {
        let Some(node) = self.node.try_get_untracked().flatten() else {
            return;
        };
        let height = f64::from(node.client_height());
        let row = dom::window()
            .get_computed_style(&node)
            .ok()
            .flatten()
            .and_then(|style| style.get_property_value("--row").ok())
            .and_then(|value| value.trim().trim_end_matches("px").parse().ok())
            .unwrap_or(ROW);
        if height > 0.0 && self.height.get_untracked() != height {
            self.height.set(height);
        }
        if self.row.get_untracked() != row {
            self.row.set(row);
        }
    }

    /// Takes in how far the list is scrolled now.
    pub(super) fn scrolled(self) {
        if let Some(node) = self.node.get_untracked() {
            self.scroll.set(f64::from(node.scroll_top()));
        }
    }

    /// Scrolls.
    pub(super) fn scroll_to(self, top: f64) {
        if let Some(node) = self.node.get_untracked() {
            node.set_scroll_top(top as i32);
            self.scroll.set(f64::from(node.scroll_top()));
        }
    }

    /// Scrolls just so far that a row is in view.
    pub(super) fn reveal(self, index: usize) {
        let (scroll, height, row) = (
            self.scroll.get_untracked(),
            self.height.get_untracked(),
            self.row.get_untracked(),
        );
        if let Some(top) = window::reveal(index, scroll, height, self.head(), row) {
            self.scroll_to(top);
        }
    }

    /// So many rows are a page.
    pub(super) fn page(self) -> usize {
        let rows = (self.height.get_untracked() - self.head()) / self.row.get_untracked();
        (rows as usize).saturating_sub(1).max(1)
    }

    fn head(self) -> f64 {
        let head = self
            .node
            .get_untracked()
            .and_then(|node| node.query_selector(".head").ok().flatten());
        head.map_or(HEAD, |head| f64::from(head.client_height()))
    }
}

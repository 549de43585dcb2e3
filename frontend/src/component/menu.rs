//! Menus: of a button, or of a place that was pointed at. Arrow keys, Home, End, typed letters and Escape work in them.

mod popup;

use std::rc::Rc;

use leptos::prelude::*;
use wasm_bindgen::JsCast;

use self::popup::Popup;
use super::icon::Icon;

/// One line of a menu.
#[derive(Clone)]
pub(crate) struct Entry {
    icon: &'static str,
    label: String,
    key: &'static str,
    is_bad: bool,
    is_apart: bool,
    act: Rc<dyn Fn()>,
}

impl Entry {
    /// A line that does something.
    pub(crate) fn new(icon: &'static str, label: impl Into<String>, act: impl Fn() + 'static) -> Self {
        Self {
            icon,
            label: label.into(),
            key: "",
            is_bad: false,
            is_apart: false,
            act: Rc::new(act),
        }
    }

    /// Tells the key that does the same.
    pub(crate) fn key(mut self, key: &'static str) -> Self {
        self.key = key;
        self
    }

    /// Takes something away, and so stands apart in red.
    pub(crate) fn bad(mut self) -> Self {
        self.is_bad = true;
        self.apart()
    }

    /// With a line above it.
    pub(crate) fn apart(mut self) -> Self {
        self.is_apart = true;
        self
    }
}

/// Where a menu opens, in pixels of the window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Place {
    /// At a point, as context menus do.
    Point(f64, f64),
    /// Below or above what lies between left, top, right and bottom, at its end side.
    Beside(f64, f64, f64, f64),
}

impl Place {
    /// Beside an element, as for `Shift+F10` on a row.
    pub(crate) fn beside(element: &web_sys::Element) -> Self {
        let at = element.get_bounding_client_rect();
        Self::Beside(at.left(), at.top(), at.right(), at.bottom())
    }
}

/// A menu without a button of its own: it is there while `open` holds a place.
#[component]
pub(crate) fn Menu(
    /// Where it is open.
    open: RwSignal<Option<Place>>,
    /// What it is for, to a screen reader.
    #[prop(into)]
    label: Signal<String>,
    /// Its lines, asked for each time that it opens.
    items: impl Fn() -> Vec<Entry> + 'static,
) -> impl IntoView {
    let items = StoredValue::new_local(items);
    move || {
        open.get().map(|place| {
            let entries = StoredValue::new_local(items.with_value(|items| items()));
            view! { <Popup open place label entries/> }
        })
    }
}

/// A button that opens a menu.
#[component]
pub(crate) fn MenuButton(
    /// What it says to a screen reader and on hover.
    #[prop(into)]
    label: Signal<String>,
    /// Its icon; the button shows nothing else unless it has children.
    #[prop(default = "more")]
    icon: &'static str,
    /// Its classes.
    #[prop(default = "button icon-only ghost sm")]
    class: &'static str,
    /// The lines of the menu, asked for each time that it opens.
    items: impl Fn() -> Vec<Entry> + 'static,
    /// What the button shows instead of its icon.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    let open = RwSignal::new(None);
    let toggle = move |event: web_sys::MouseEvent| {
        let button = event
            .current_target()
            .and_then(|target| target.dyn_into::<web_sys::Element>().ok());
        let place = button.map(|button| Place::beside(&button));
        open.update(|open| *open = if open.is_some() { None } else { place });
    };
    let is_open = move || if open.read().is_some() { "true" } else { "false" };
    let title = children.is_none().then_some(label);
    let face = match children {
        Some(children) => children(),
        None => view! { <Icon name=icon/> }.into_any(),
    };
    view! {
        <button
            type="button" class=class aria-haspopup="menu" aria-expanded=is_open
            aria-label=move || label.get() title=move || title.map(|title| title.get())
            on:click=toggle
        >
            {face}
        </button>
        <Menu open label items/>
    }
}

//! The menu while it is open: its lines, its keys, and where it stands.

use std::rc::Rc;

use leptos::{ev, html, leptos_dom::helpers::window_event_listener, prelude::*};
use wasm_bindgen::JsCast;
use web_sys::{HtmlElement, KeyboardEvent};

use super::{super::icon::Icon, Entry, Place};
use crate::dom;

/// No nearer to the window's edges than this, in pixels.
const MARGIN: f64 = 8.0;

/// An open menu. It takes the focus, and gives it back to where it was.
#[component]
pub(super) fn Popup(
    open: RwSignal<Option<Place>>,
    place: Place,
    label: Signal<String>,
    entries: StoredValue<Vec<Entry>, LocalStorage>,
) -> impl IntoView {
    let node = NodeRef::<html::Div>::new();
    let before = StoredValue::new_local(dom::focused());
    node.on_load(move |menu| {
        stand(&menu, place);
        focus(&menu, 0);
    });
    close_on_other_things(node, open);
    let leave = move || {
        open.set(None);
        if let Some(before) = before.get_value() {
            let _ = before.focus();
        }
    };
    let run = move |act: Rc<dyn Fn()>| {
        leave();
        act();
    };
    let keys = move |event: KeyboardEvent| {
        let Some(menu) = node.get_untracked() else { return };
        if matches!(event.key().as_str(), "Escape" | "Tab") {
            event.prevent_default();
            leave();
        } else if let Some(line) = line_for(&event, &menu, entries) {
            event.prevent_default();
            focus(&menu, line);
        }
        // The keys of the page below do not act while a menu is open.
        event.stop_propagation();
    };
    let lines = entries.with_value(|entries| entries.iter().cloned().map(|entry| line(entry, run)).collect_view());
    view! {
        <div class="menu popup" role="menu" tabindex="-1" aria-label=move || label.get() node_ref=node on:keydown=keys>{lines}</div>
    }
}

fn line(entry: Entry, run: impl Fn(Rc<dyn Fn()>) + Copy + 'static) -> impl IntoView {
    let act = entry.act;
    let class = if entry.is_bad { "bad" } else { "" };
    view! {
        {entry.is_apart.then(|| view! { <hr/> })}
        <button type="button" role="menuitem" tabindex="-1" class=class on:click=move |_| run(Rc::clone(&act))>
            <Icon name=entry.icon/>
            {entry.label}
            {(!entry.key.is_empty()).then(|| view! { <kbd>{entry.key}</kbd> })}
        </button>
    }
}

/// A press elsewhere, scrolling and a new size of the window close a menu.
fn close_on_other_things(node: NodeRef<html::Div>, open: RwSignal<Option<Place>>) {
    let pressed = window_event_listener(ev::pointerdown, move |event| {
        let target = event
            .target()
            .and_then(|target| target.dyn_into::<web_sys::Node>().ok());
        let is_inside = node.get_untracked().is_some_and(|menu| menu.contains(target.as_ref()));
        // A press on the menu's own button is a click that closes it by itself.
        let is_button = target
            .and_then(|target| target.dyn_into::<web_sys::Element>().ok())
            .is_some_and(|element| {
                element
                    .closest("[aria-haspopup][aria-expanded=\"true\"]")
                    .ok()
                    .flatten()
                    .is_some()
            });
        if !is_inside && !is_button {
            open.set(None);
        }
    });
    let resized = window_event_listener(ev::resize, move |_| open.set(None));
    on_cleanup(move || {
        pressed.remove();
        resized.remove();
    });
}

fn stand(menu: &HtmlElement, place: Place) {
    let window = dom::window();
    let size = |value: Result<wasm_bindgen::JsValue, _>| value.ok().and_then(|value| value.as_f64()).unwrap_or(0.0);
    let (width, height) = (size(window.inner_width()), size(window.inner_height()));
    let (own_width, own_height) = (f64::from(menu.offset_width()), f64::from(menu.offset_height()));
    let (left, top) = match place {
        Place::Point(x, y) => (x, y),
        Place::Beside(_, top, right, bottom) if bottom + 4.0 + own_height > height - MARGIN => {
            (right - own_width, top - 4.0 - own_height)
        }
        Place::Beside(_, _, right, bottom) => (right - own_width, bottom + 4.0),
    };
    let left = left.min(width - own_width - MARGIN).max(MARGIN);
    let top = top.min(height - own_height - MARGIN).max(MARGIN);
    dom::set_property(menu, "left", &format!("{left}px"));
    dom::set_property(menu, "top", &format!("{top}px"));
}

fn lines(menu: &HtmlElement) -> Vec<HtmlElement> {
    let Ok(found) = menu.query_selector_all("[role=menuitem]") else {
        return Vec::new();
    };
    (0..found.length())
        .filter_map(|at| found.get(at)?.dyn_into().ok())
        .collect()
}

fn focus(menu: &HtmlElement, line: usize) {
    if let Some(line) = lines(menu).get(line) {
        let _ = line.focus();
    }
}

/// Which line a key leads to.
fn line_for(
    event: &KeyboardEvent,
    menu: &HtmlElement,
    entries: StoredValue<Vec<Entry>, LocalStorage>,
) -> Option<usize> {
    let focused = dom::focused();
    let now = lines(menu).iter().position(|line| Some(line) == focused.as_ref());
    entries.with_value(|entries| {
        let labels: Vec<&str> = entries.iter().map(|entry| entry.label.as_str()).collect();
        step(&event.key(), now, &labels)
    })
}

fn step(key: &str, now: Option<usize>, labels: &[&str]) -> Option<usize> {
    let count = labels.len();
    if count == 0 {
        return None;
    }
    match key {
        "ArrowDown" => Some(now.map_or(0, |now| (now + 1) % count)),
        "ArrowUp" => Some(now.map_or(count - 1, |now| (now + count - 1) % count)),
        "Home" => Some(0),
        "End" => Some(count - 1),
        " " | "Enter" => None,
        _ => {
            let from = now.map_or(0, |now| now + 1);
            let key = key.to_lowercase();
            let is_letter = key.chars().count() == 1;
            let starts = |at: &usize| labels[*at].to_lowercase().starts_with(&key);
            (0..count)
                .map(|at| (from + at) % count)
                .find(|at| is_letter && starts(at))
        }
    }
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::step;

    const LABELS: [&str; 3] = ["Open", "Details", "Remove …"];

    #[wasm_bindgen_test]
    fn arrows_go_around() {
        assert_eq!(step("ArrowDown", Some(2), &LABELS), Some(0));
        assert_eq!(step("ArrowUp", Some(0), &LABELS), Some(2));
        assert_eq!(step("ArrowUp", None, &LABELS), Some(2));
    }

    #[wasm_bindgen_test]
    fn a_letter_finds_the_next_line_that_begins_with_it() {
        assert_eq!(step("r", Some(0), &LABELS), Some(2));
        assert_eq!(step("D", Some(1), &LABELS), Some(1));
        assert_eq!(step("x", Some(1), &LABELS), None);
        assert_eq!(step("Enter", Some(1), &LABELS), None);
    }
}

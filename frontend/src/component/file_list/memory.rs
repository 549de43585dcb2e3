//! Where somebody was in each list, for when they come back.

use std::{cell::RefCell, collections::VecDeque};

use leptos::prelude::*;
use wasm_bindgen::{JsCast, closure::Closure};

use super::Grid;
use crate::{component::selection::Key, dom};

/// So many places are remembered.
const PLACES: usize = 100;

struct Place {
    name: String,
    active: Option<Key>,
    scroll: f64,
}

thread_local! {
    static SEEN: RefCell<VecDeque<Place>> = const { RefCell::new(VecDeque::new()) };
    /// The page that somebody went back to, until its list is there.
    static BACK: RefCell<Option<String>> = const { RefCell::new(None) };
    /// The page of the list that was made last; nothing before the first one.
    static HERE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Takes up where somebody was at this place, and keeps where they are when they leave.
pub(super) fn remember(grid: Grid, name: String) {
    let goes_back = goes_back();
    let seen = SEEN.with_borrow(|places| {
        let place = places.iter().find(|place| place.name == name)?;
        Some((place.active.clone(), place.scroll))
    });
    if let Some((active, scroll)) = seen {
        if grid.list.active.get_untracked().is_none() {
            grid.list.wanted.set(active);
        }
        if goes_back {
            grid.list.focus();
        }
        Effect::new(move |done: Option<bool>| {
            if done == Some(true) || grid.rows.count.get() == 0 || grid.node.get().is_none() {
                return done == Some(true);
            }
            request_animation_frame(move || {
                if grid.inside.try_get_value().is_some() {
                    grid.port.scroll_to(scroll);
                }
            });
            true
        });
    }
    on_cleanup(move || {
        let (Some(active), Some(scroll)) = (
            grid.list.active.try_get_untracked(),
            grid.port.scroll.try_get_untracked(),
        ) else {
            return;
        };
        SEEN.with_borrow_mut(|places| {
            places.retain(|place| place.name != name);
            places.push_front(Place { name, active, scroll });
            places.truncate(PLACES);
        });
    });
}

/// Whether this list's page was come to by going back or forward.
fn goes_back() -> bool {
    let here = dom::window().location().href().ok();
    if HERE.replace(here.clone()).is_none() {
        watch();
    }
    BACK.take().is_some_and(|back| Some(back) == here)
}

/// Listens for as long as the app lives. It must hear of it before the page that is gone to is drawn, so on the way down.
fn watch() {
    let popped = Closure::<dyn FnMut()>::new(|| {
        let to = dom::window().location().href().ok();
        // Where only a layer of the page was closed, no list is made.
        let is_other = HERE.with_borrow(|here| *here != to);
        BACK.set(to.filter(|_| is_other));
    });
    let listener = popped.as_ref().unchecked_ref();
    let _ = dom::window().add_event_listener_with_callback_and_bool("popstate", listener, true);
    popped.forget();
}

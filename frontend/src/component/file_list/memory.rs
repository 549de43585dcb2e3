//! Where somebody was in each list, for when they come back.

use std::{cell::RefCell, collections::VecDeque};

use leptos::prelude::*;

use super::Grid;
use crate::component::selection::Key;

/// So many places are remembered.
const PLACES: usize = 100;

struct Place {
    name: String,
    active: Option<Key>,
    scroll: f64,
}

thread_local! {
    static SEEN: RefCell<VecDeque<Place>> = const { RefCell::new(VecDeque::new()) };
}

/// Takes up where somebody was at this place, and keeps where they are when they leave.
pub(super) fn remember(grid: Grid, name: String) {
    let seen = SEEN.with_borrow(|places| {
        let place = places.iter().find(|place| place.name == name)?;
        Some((place.active.clone(), place.scroll))
    });
    if let Some((active, scroll)) = seen {
        if grid.list.active.get_untracked().is_none() {
            grid.list.wanted.set(active);
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

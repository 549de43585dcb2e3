//! Mouse and finger on a list.

use std::time::Duration;

use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{DragEvent, Element, Event, MouseEvent, PointerEvent};

use super::{Dropping, Grid, MenuAt, keys};
use crate::component::drop_zone::is_ours;

/// A finger that rests so long begins to select.
const LONG_PRESS: Duration = Duration::from_millis(500);
/// A finger that moves further scrolls. Pixels.
const SLACK: i32 = 10;
/// What in a row is not the row's.
const INERT: &str = "button, a, input:not(.check), select, textarea, .inert";

/// A finger on the list.
#[derive(Debug, Clone, Default)]
pub(super) struct Press {
    /// The last pointer was a finger.
    is_touch: bool,
    from: (i32, i32),
    timer: Option<TimeoutHandle>,
    /// It rested and selected; what follows of it is no tap.
    was_long: bool,
}

/// The row that something happened in.
pub(super) fn index_of(event: &Event) -> Option<usize> {
    let row = element(event)?.closest(".file").ok()??;
    row.get_attribute("aria-rowindex")?
        .parse::<usize>()
        .ok()?
        .checked_sub(2)
}

/// Whether something happened in a part of a row that looks after itself.
pub(super) fn is_inert(event: &Event) -> bool {
    is_in(event, INERT)
}

fn is_in(event: &Event, selector: &str) -> bool {
    element(event).is_some_and(|element| element.closest(selector).ok().flatten().is_some())
}

fn element(event: &Event) -> Option<Element> {
    event.target()?.dyn_into().ok()
}

/// A click or a tap.
pub(super) fn clicked(grid: Grid, event: &MouseEvent) {
    let Some(index) = index_of(event) else { return };
    let Some(row) = grid.rows.peek(index).filter(|_| !is_inert(event)) else {
        return;
    };
    let press = grid.press.get_value();
    if press.is_touch && press.was_long {
        return;
    }
    let selection = grid.list.selection;
    let is_selecting = untrack(|| selection.len()) > 0;
    grid.list.wants_all.set(false);
    let on_check = is_in(event, ".pick");
    if event.shift_key() {
        keys::extend(grid, index, event.ctrl_key() || event.meta_key());
    } else if on_check || event.ctrl_key() || event.meta_key() || (press.is_touch && is_selecting) {
        selection.toggle(row.key);
    } else if press.is_touch || (is_in(event, ".label") && event.detail() < 2) {
        grid.activate(index);
        grid.on_open.run(row.key);
        return;
    } else {
        selection.only(row.key);
    }
    grid.activate(index);
    grid.focus_active();
    if on_check {
        mend_check(grid, index, event);
    }
}

/// The browser toggles a check by itself; a range may want it otherwise.
fn mend_check(grid: Grid, index: usize, event: &MouseEvent) {
    let check = element(event).and_then(|check| check.dyn_into::<web_sys::HtmlInputElement>().ok());
    let Some(check) = check else { return };
    request_animation_frame(move || {
        if grid.inside.try_get_value().is_none() {
            return;
        }
        if let Some(row) = grid.rows.peek(index) {
            check.set_checked(grid.list.selection.peek_has(&row.key));
        }
    });
}

/// A double click opens; on the name the first click did.
pub(super) fn double_clicked(grid: Grid, event: &MouseEvent) {
    if is_inert(event)
        || is_in(event, ".pick")
        || is_in(event, ".label")
        || grid.press.with_value(|press| press.is_touch)
    {
        return;
    }
    if let Some(row) = index_of(event).and_then(|index| grid.rows.peek(index)) {
        grid.on_open.run(row.key);
    }
}

/// The right button; of a finger that rests it is the sign that it selects.
pub(super) fn menu(grid: Grid, event: &MouseEvent) {
    let Some(index) = index_of(event) else { return };
    if is_inert(event) {
        return;
    }
    event.prevent_default();
    if grid.press.with_value(|press| press.is_touch) {
        return;
    }
    choose_for_menu(grid, index);
    grid.activate(index);
    grid.on_menu.run(MenuAt {
        x: event.client_x(),
        y: event.client_y(),
    });
}

/// A menu is about the chosen rows, if it was asked for on one of them; else about that row alone.
pub(super) fn choose_for_menu(grid: Grid, index: usize) {
    if let Some(row) = grid.rows.peek(index)
        && !grid.list.selection.peek_has(&row.key)
    {
        grid.list.selection.only(row.key);
    }
}

/// A pointer goes down.
pub(super) fn down(grid: Grid, event: &PointerEvent) {
    ended(grid);
    let is_touch = event.pointer_type() == "touch";
    let index = index_of(event).filter(|_| is_touch && !is_inert(event));
    let timer = index.and_then(|index| set_timeout_with_handle(move || rested(grid, index), LONG_PRESS).ok());
    grid.press.set_value(Press {
        is_touch,
        from: (event.client_x(), event.client_y()),
        timer,
        was_long: false,
    });
}

fn rested(grid: Grid, index: usize) {
    let is_gone = grid.press.try_update_value(|press| press.was_long = true).is_none();
    if is_gone {
        return;
    }
    if let Some(row) = grid.rows.peek(index) {
        grid.list.selection.toggle(row.key);
        grid.activate(index);
    }
}

/// A finger that moves scrolls, and no longer selects.
pub(super) fn moved(grid: Grid, event: &PointerEvent) {
    let is_far = grid.press.with_value(|press| {
        press.timer.is_some()
            && ((event.client_x() - press.from.0).abs() > SLACK || (event.client_y() - press.from.1).abs() > SLACK)
    });
    if is_far {
        ended(grid);
    }
}

/// The pointer is up or was taken away.
pub(super) fn ended(grid: Grid) {
    grid.press.update_value(|press| {
        if let Some(timer) = press.timer.take() {
            timer.clear();
        }
    });
}

/// Rows begin to be dragged: the chosen ones if this is one of them.
pub(super) fn drag(grid: Grid, event: DragEvent) {
    let Some(index) = index_of(&event) else { return };
    if let Some(on_drag) = grid.on_drag {
        choose_for_menu(grid, index);
        on_drag.run(event);
    }
}

/// Something is dragged over a row.
pub(super) fn drag_over(grid: Grid, event: &DragEvent) {
    if let Some((_, index)) = target(grid, event) {
        event.prevent_default();
        mark(grid.element(index).map(Into::into).as_ref(), true);
    }
}

/// What was dragged went on.
pub(super) fn drag_left(event: &DragEvent) {
    mark(row_element(event).as_ref(), false);
}

/// Something was dropped on a row.
pub(super) fn dropped(grid: Grid, event: DragEvent) {
    mark(row_element(&event).as_ref(), false);
    if let Some((drop, index)) = target(grid, &event) {
        event.prevent_default();
        event.stop_propagation();
        drop.take.run((index, event));
    }
}

/// The row that takes what is dragged.
fn target(grid: Grid, event: &DragEvent) -> Option<(Dropping, usize)> {
    let target = grid.drop.zip(index_of(event)).filter(|_| is_ours(event));
    target.filter(|(drop, index)| drop.can.run(*index))
}

fn row_element(event: &Event) -> Option<Element> {
    element(event)?.closest(".file").ok()?
}

fn mark(row: Option<&Element>, is_target: bool) {
    if let Some(row) = row {
        let _ = row.class_list().toggle_with_force("drop", is_target);
    }
}

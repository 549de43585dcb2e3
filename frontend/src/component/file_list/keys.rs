//! The keys of a list.

use leptos::prelude::*;
use web_sys::KeyboardEvent;

use super::{Grid, MenuAt, pointer, type_ahead::Typed};
use crate::{component::selection::Key, store};

/// Letters that are keys everywhere in the app.
const EVERYWHERE: &str = "gt/?f";

/// A key was pressed in the list.
pub(super) fn pressed(grid: Grid, event: &KeyboardEvent) {
    if event.alt_key() || event.is_composing() || pointer::is_inert(event) {
        return;
    }
    let was_taken = match moved_to(grid, event) {
        Some(index) => go(grid, index, event.shift_key()),
        None => act(grid, event) || (is_letter(grid, event) && jump(grid, event)),
    };
    if was_taken && !is_typed(event) {
        grid.typed.set_value(Typed::default());
    }
    if was_taken {
        event.prevent_default();
        event.stop_propagation();
    }
}

/// Whether the key writes something.
fn is_typed(event: &KeyboardEvent) -> bool {
    event.key().chars().nth(1).is_none()
}

/// Where the key leads to.
fn moved_to(grid: Grid, event: &KeyboardEvent) -> Option<usize> {
    let last = grid.rows.len().checked_sub(1)?;
    let (at, page) = (grid.list.at.get_untracked(), grid.port.page());
    let index = match event.key().as_str() {
        "ArrowDown" => at + 1,
        "ArrowUp" => at.saturating_sub(1),
        "PageDown" => at + page,
        "PageUp" => at.saturating_sub(page),
        "Home" => 0,
        "End" => last,
        _ => return None,
    };
    Some(index.min(last))
}

fn go(grid: Grid, index: usize, extends: bool) -> bool {
    if extends {
        extend(grid, index, false);
    }
    grid.activate(index);
    grid.focus_active();
    true
}

/// Chooses from the anchor to a row; without an anchor from the active row.
pub(super) fn extend(grid: Grid, to: usize, add: bool) {
    let selection = grid.list.selection;
    let anchor = selection.anchor().and_then(|anchor| grid.rows.find(&anchor));
    let from = anchor.unwrap_or_else(|| grid.list.at.get_untracked());
    if let (None, Some(row)) = (anchor, grid.rows.peek(from)) {
        selection.set_anchor(row.key);
    }
    selection.range(grid.rows.keys(from.min(to)..from.max(to) + 1), add);
}

/// Keys that do something; true if this was one.
fn act(grid: Grid, event: &KeyboardEvent) -> bool {
    let command = event.ctrl_key() || event.meta_key();
    let list = grid.list;
    match event.key().as_str() {
        "Enter" | "ArrowRight" if !command => with_active(grid, |key| grid.on_open.run(key)),
        "Backspace" | "ArrowLeft" if !command => {
            grid.on_up.run(());
            true
        }
        " " if event.shift_key() => {
            extend(grid, list.at.get_untracked(), command);
            true
        }
        " " if !is_typing(grid, event) => with_active(grid, |key| list.selection.toggle(key)),
        "a" | "A" if command => {
            grid.choose_all();
            true
        }
        "Escape" if untrack(|| list.selection.len()) > 0 => {
            list.wants_all.set(false);
            list.selection.clear();
            true
        }
        "ContextMenu" => open_menu(grid),
        "F10" if event.shift_key() => open_menu(grid),
        _ => false,
    }
}

fn with_active(grid: Grid, act: impl FnOnce(Key)) -> bool {
    if let Some(row) = grid.rows.peek(grid.list.at.get_untracked()) {
        act(row.key);
    }
    true
}

fn open_menu(grid: Grid) -> bool {
    let at = grid.list.at.get_untracked();
    if let Some(row) = grid.element(at) {
        let place = row.get_bounding_client_rect();
        pointer::choose_for_menu(grid, at);
        grid.on_menu.run(MenuAt {
            x: place.left() as i32 + 48,
            y: place.bottom() as i32,
        });
    }
    true
}

/// By the time of the keys, however long the list takes to find the name.
fn is_typing(grid: Grid, event: &KeyboardEvent) -> bool {
    grid.typed.with_value(|typed| typed.goes_on(event.time_stamp()))
}

/// Whether the key is a letter that jumps: it goes on with a word, it is no command, or shift says that none is meant.
fn is_letter(grid: Grid, event: &KeyboardEvent) -> bool {
    let key = event.key();
    let mut letters = key.chars();
    let (Some(letter), None) = (letters.next(), letters.next()) else {
        return false;
    };
    if event.ctrl_key() || event.meta_key() {
        return false;
    }
    let is_command = !event.shift_key() || !letter.is_alphabetic();
    let is_key = is_command && (EVERYWHERE.contains(letter) || grid.commands.contains(letter));
    let letter_keys = store::stores().prefs.letter_keys.get_untracked();
    is_typing(grid, event) || !(is_key && letter_keys)
}

fn jump(grid: Grid, event: &KeyboardEvent) -> bool {
    grid.typed
        .update_value(|typed| typed.add(&event.key(), event.time_stamp()));
    let (at, count) = (grid.list.at.get_untracked(), grid.rows.len());
    let label = |index| grid.rows.peek(index).map(|row| row.label);
    let found = grid.typed.with_value(|typed| typed.find(at, count, &label));
    if let Some(index) = found {
        go(grid, index, false);
    }
    true
}

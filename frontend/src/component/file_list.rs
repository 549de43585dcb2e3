//! The list of files: a grid in which only the rows in view exist, for 100,000 of them as for ten. Focus and selection
//! are two things; both are of ids.

mod head;
mod keys;
mod memory;
mod pointer;
mod row;
mod type_ahead;
mod view_port;
mod window;

use leptos::{html, prelude::*};
use wasm_bindgen::JsCast;

use self::{head::Head, memory::remember, pointer::Press, row::row, type_ahead::Typed, view_port::ViewPort};
use super::selection::{Key, Selection};
use crate::{dom, text};

pub(crate) use row::FileListSkeleton;

/// A list as its page knows it. It outlives what is drawn of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct List {
    /// The chosen rows.
    pub(crate) selection: Selection,
    /// The row that has the list's focus.
    pub(crate) active: RwSignal<Option<Key>>,
    /// Where that row stands.
    at: RwSignal<usize>,
    /// To be made active as soon as it is there.
    wanted: RwSignal<Option<Key>>,
    /// Grows when the list is to have the keyboard.
    focus: RwSignal<u32>,
    /// All rows are to be chosen as soon as they are there.
    wants_all: RwSignal<bool>,
    /// The first rows are to be seen.
    wants_top: RwSignal<bool>,
}

impl List {
    /// A list of which nothing is known yet.
    pub(crate) fn new() -> Self {
        Self {
            selection: Selection::new(),
            active: RwSignal::new(None),
            at: RwSignal::new(0),
            wanted: RwSignal::new(None),
            focus: RwSignal::new(0),
            wants_all: RwSignal::new(false),
            wants_top: RwSignal::new(false),
        }
    }

    /// Shows the first rows whenever a filter leaves others, and the active one again when it is gone.
    pub(crate) fn follow_filter(self, filter: RwSignal<String>) {
        Effect::new(move |before: Option<()>| {
            let is_empty = filter.with(|filter| filter.trim().is_empty());
            match self.active.get_untracked() {
                _ if before.is_none() => {}
                Some(active) if is_empty => self.reveal(active),
                _ => self.wants_top.set(true),
            }
        });
    }

    /// Makes a row the active one, and brings it into view, as soon as it is there; until then whoever goes to another row
    /// stays there.
    pub(crate) fn reveal(self, key: Key) {
        self.wanted.set(Some(key));
    }

    /// Gives the keyboard to the list.
    pub(crate) fn focus(self) {
        self.focus.update(|count| *count += 1);
    }

    /// What a command is about: the chosen rows, else the active one. Not tracked.
    pub(crate) fn targets(self) -> Vec<Key> {
        let chosen = self.selection.peek();
        if chosen.is_empty() {
            return self.active.get_untracked().into_iter().collect();
        }
        chosen
    }
}

/// What the list must know of a row; it is drawn anew when any of this changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// Its id in the list.
    pub(crate) key: Key,
    /// Its name, for letters and screen readers.
    pub(crate) label: String,
    /// Another number when its facts are others.
    pub(crate) version: u64,
}

/// Where the rows come from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows {
    /// How many there are.
    pub(crate) count: Signal<usize>,
    /// A row; nothing while it is not here yet. It may read signals.
    pub(crate) row: Callback<usize, Option<Row>>,
    /// What stands in a row, after its check.
    pub(crate) cells: Callback<usize, AnyView>,
    /// Whether all rows are here.
    pub(crate) complete: Signal<bool>,
}

impl Rows {
    fn peek(self, index: usize) -> Option<Row> {
        untrack(|| self.row.run(index))
    }

    fn len(self) -> usize {
        self.count.get_untracked()
    }

    fn find(self, key: &Key) -> Option<usize> {
        untrack(|| (0..self.len()).find(|index| self.row.run(*index).is_some_and(|row| row.key == *key)))
    }

    fn keys(self, range: std::ops::Range<usize>) -> Vec<Key> {
        untrack(|| {
            range
                .filter_map(|index| self.row.run(index))
                .map(|row| row.key)
                .collect()
        })
    }
}

/// A column behind the check.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    /// Its heading.
    pub(crate) name: &'static str,
    /// `num` for figures.
    pub(crate) class: &'static str,
    /// Whether a click on the heading sorts by it.
    pub(crate) sort: bool,
}

/// What the list is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sorted {
    /// Index of the column.
    pub(crate) column: usize,
    /// Largest first.
    pub(crate) descending: bool,
}

/// Where a menu is to open, in pixels of the page.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MenuAt {
    /// From the left.
    pub(crate) x: i32,
    /// From above.
    pub(crate) y: i32,
}

/// Rows that things can be dropped on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dropping {
    /// Whether this row takes anything.
    pub(crate) can: Callback<usize, bool>,
    /// Something was dropped on this row.
    pub(crate) take: Callback<(usize, web_sys::DragEvent)>,
}

/// All that the parts of a list share.
#[derive(Debug, Clone, Copy)]
struct Grid {
    list: List,
    rows: Rows,
    node: NodeRef<html::Div>,
    port: ViewPort,
    on_open: Callback<Key>,
    on_up: Callback<()>,
    on_menu: Callback<MenuAt>,
    on_drag: Option<Callback<web_sys::DragEvent>>,
    drop: Option<Dropping>,
    commands: &'static str,
    typed: StoredValue<Typed>,
    press: StoredValue<Press>,
    /// Whether the keyboard is in the list.
    inside: StoredValue<bool>,
}

/// The list.
#[component]
pub(crate) fn FileList(
    /// Selection and focus.
    list: List,
    /// Where the rows come from.
    rows: Rows,
    /// The columns behind the check.
    columns: Vec<Column>,
    /// What the list is of.
    #[prop(into)]
    label: Signal<String>,
    /// Scroll position and focus are remembered under this name.
    place: String,
    /// What it is sorted by.
    #[prop(into)]
    sorted: Signal<Option<Sorted>>,
    /// A heading was clicked.
    on_sort: Callback<usize>,
    /// A row was opened.
    on_open: Callback<Key>,
    /// The folder above is wanted.
    on_up: Callback<()>,
    /// The menu of the chosen rows is wanted.
    on_menu: Callback<MenuAt>,
    /// These rows exist now: from the first to before the second.
    #[prop(optional)]
    on_visible: Option<Callback<(usize, usize)>>,
    /// The chosen rows begin to be dragged.
    #[prop(optional)]
    on_drag: Option<Callback<web_sys::DragEvent>>,
    /// What rows take what is dropped.
    #[prop(optional)]
    drop: Option<Dropping>,
    /// Letters that are keys of the page.
    #[prop(optional)]
    commands: &'static str,
    /// Further classes.
    #[prop(optional)]
    class: &'static str,
) -> impl IntoView {
    let node = NodeRef::new();
    let port = ViewPort::new(node);
    let grid = Grid {
        list,
        rows,
        node,
        port,
        on_open,
        on_up,
        on_menu,
        on_drag,
        drop,
        commands,
        typed: StoredValue::default(),
        press: StoredValue::default(),
        inside: StoredValue::new(false),
    };
    let range =
        Memo::new(move |_| window::window(port.scroll.get(), port.height.get(), port.row.get(), rows.count.get()));
    if let Some(on_visible) = on_visible {
        Effect::new(move || on_visible.run(range.get()));
    }
    grid.follow_active();
    grid.follow_wishes();
    remember(grid, place);
    let class = format!("file-list {class}");
    view! {
        <div node_ref=node class=class class:selecting=move || list.selection.len() != 0 role="grid" aria-multiselectable="true"
            aria-rowcount=move || rows.count.get() + 1 aria-label=move || label.get()
            on:scroll=move |_| port.scrolled()>
            <Head grid columns sorted on_sort/>
            <div class="rows" role="rowgroup" style:height=move || format!("{}px", rows.count.get() as f64 * port.row.get())
                on:keydown=move |event| {
                    list.wanted.set(None);
                    keys::pressed(grid, &event);
                }
                on:focusin=move |event| grid.focus_came(&event)
                on:focusout=move |event| grid.focus_went(&event)
                on:click=move |event| pointer::clicked(grid, &event)
                on:dblclick=move |event| pointer::double_clicked(grid, &event)
                on:contextmenu=move |event| pointer::menu(grid, &event)
                on:pointerdown=move |event| {
                    list.wanted.set(None);
                    pointer::down(grid, &event);
                }
                on:pointermove=move |event| pointer::moved(grid, &event)
                on:pointerup=move |_| pointer::ended(grid)
                on:pointercancel=move |_| pointer::ended(grid)
                on:dragstart=move |event| pointer::drag(grid, event)
                on:dragover=move |event| pointer::drag_over(grid, &event)
                on:dragleave=move |event| pointer::drag_left(&event)
                on:drop=move |event| pointer::dropped(grid, event)>
                <For each=move || grid.indices(range.get()) key=|index| *index children=move |index| row(grid, index)/>
            </div>
        </div>
    }
}

impl Grid {
    /// The rows to draw: those in the window, and the active one, which must not lose the focus when it is scrolled away.
    fn indices(self, (first, end): (usize, usize)) -> Vec<usize> {
        let at = self.list.at.get();
        let mut indices: Vec<usize> = (first..end).collect();
        if at < first {
            indices.insert(0, at);
        } else if at >= end && at < self.rows.count.get() {
            indices.push(at);
        }
        indices
    }

    /// Keeps the active row when rows come, go and move; hands the focus to the next one if it vanished.
    fn follow_active(self) {
        let (list, rows) = (self.list, self.rows);
        Effect::new(move || {
            let (count, complete) = (rows.count.get(), rows.complete.get());
            let Some(last) = count.checked_sub(1) else { return };
            let at = list.at.get().min(last);
            let here = rows.row.run(at).map(|row| row.key);
            let active = list.active.get_untracked();
            let found = match (&active, &here) {
                (Some(active), Some(here)) if active == here => Some(at),
                (Some(active), _) if complete => rows.find(active),
                (Some(_), _) => return,
                (None, _) => Some(at),
            };
            if let Some(found) = found.filter(|found| *found != at) {
                list.at.set(found);
            } else if (found.is_none() || active.is_none()) && active != here {
                list.active.set(here);
            }
            // This effect hears of the place itself: what is right already must not be said again.
            if found.is_none() && list.at.get_untracked() != at {
                list.at.set(at);
            }
            if self.inside.get_value() {
                self.focus_again();
            }
        });
    }

    /// Does what the page asked for, as soon as the rows for it are there.
    fn follow_wishes(self) {
        let (list, rows) = (self.list, self.rows);
        Effect::new(move || {
            let Some(key) = list.wanted.get() else { return };
            let _ = rows.count.get();
            if let Some(index) = rows.find(&key) {
                self.activate(index);
                list.wanted.set(None);
            }
        });
        Effect::new(move || {
            if list.focus.get() > 0 && rows.count.get() > 0 {
                list.focus.set(0);
                self.focus_active();
            }
        });
        Effect::new(move || {
            if list.wants_top.get() {
                list.wants_top.set(false);
                self.port.scroll_to(0.0);
            }
        });
        Effect::new(move || {
            if list.wants_all.get() && rows.complete.get() {
                list.wants_all.set(false);
                list.selection.range(rows.keys(0..rows.len()), false);
            }
        });
    }

    /// Makes a row the active one and brings it into view.
    fn activate(self, index: usize) {
        self.list.at.set(index);
        self.list.active.set(self.rows.peek(index).map(|row| row.key));
        self.port.reveal(index);
    }

    /// The keyboard goes with the active row when that moves or is taken away, but leaves what it went to meanwhile: a
    /// menu, say.
    fn focus_again(self) {
        leptos::task::spawn_local(async move {
            leptos::task::tick().await;
            let Some(at) = self.list.at.try_get_untracked() else {
                return;
            };
            let focused = dom::focused().filter(|focused| focused.tag_name() != "BODY");
            let is_other_row = focused.as_ref().is_some_and(|focused| {
                let index = focused
                    .get_attribute("aria-rowindex")
                    .and_then(|index| index.parse().ok());
                index.is_some_and(|index: usize| index != at + 2)
            });
            if focused.is_none() || is_other_row {
                self.focus_active();
            }
        });
    }

    /// Gives the keyboard to the active row, once it is drawn.
    fn focus_active(self) {
        self.inside.set_value(true);
        leptos::task::spawn_local(async move {
            leptos::task::tick().await;
            let Some(at) = self.list.at.try_get_untracked() else {
                return;
            };
            let Some(row) = self.element(at) else { return };
            // A field inside the row, in which a name is written, keeps the keyboard.
            let field = dom::focused().and_then(|focused| focused.closest(".inert").ok().flatten());
            if !field.is_some_and(|field| row.contains(Some(&field))) {
                let options = web_sys::FocusOptions::new();
                options.set_prevent_scroll(true);
                let _ = row.focus_with_options(&options);
            }
        });
    }

    fn element(self, index: usize) -> Option<web_sys::HtmlElement> {
        let selector = format!(".file[aria-rowindex='{}']", index + 2);
        let node = self.node.try_get_untracked().flatten()?;
        node.query_selector(&selector).ok().flatten()?.dyn_into().ok()
    }

    fn focus_came(self, event: &web_sys::FocusEvent) {
        self.inside.set_value(true);
        if let Some(index) = pointer::index_of(event) {
            self.list.at.set(index);
            self.list.active.set(self.rows.peek(index).map(|row| row.key));
        }
    }

    /// The keyboard goes elsewhere, unless the row that had it was taken away under it.
    fn focus_went(self, event: &web_sys::FocusEvent) {
        let left = event
            .target()
            .and_then(|target| target.dyn_into::<web_sys::Node>().ok());
        if event.related_target().is_some() {
            self.inside.set_value(false);
            return;
        }
        leptos::task::spawn_local(async move {
            leptos::task::tick().await;
            let vanished = left.is_some_and(|left| !left.is_connected());
            if self.inside.try_set_value(vanished).is_none() && vanished {
                self.focus_active();
            }
        });
    }
}

/// How many of the rows are chosen, for the check in the head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Share {
    None,
    Some,
    All,
}

impl Grid {
    fn share(self) -> Share {
        match self.list.selection.len() {
            0 => Share::None,
            many if many >= self.rows.count.get() => Share::All,
            _ => Share::Some,
        }
    }

    /// Chooses all rows, those that are not here yet when they come; or none if all were chosen.
    fn toggle_all(self) {
        if untrack(|| self.share()) == Share::All {
            self.list.wants_all.set(false);
            self.list.selection.clear();
        } else {
            self.choose_all();
        }
    }

    fn choose_all(self) {
        self.list.selection.range(self.rows.keys(0..self.rows.len()), false);
        self.list.wants_all.set(!self.rows.complete.get_untracked());
    }
}

fn check_label(label: &str) -> String {
    text::common::select(&label)
}

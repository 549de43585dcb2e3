//! The head of a list: the check for all rows, and headings that sort.

use leptos::prelude::*;

use super::{Column, Grid, Share, Sorted};
use crate::{component::icon::Icon, text};

/// The row of headings, which stays in view.
#[component]
pub(super) fn Head(
    /// The list.
    grid: Grid,
    /// Its columns.
    columns: Vec<Column>,
    /// What it is sorted by.
    sorted: Signal<Option<Sorted>>,
    /// A heading was clicked.
    on_sort: Callback<usize>,
) -> impl IntoView {
    let headings: Vec<_> = columns
        .into_iter()
        .enumerate()
        .map(|(index, column)| heading(index, column, sorted, on_sort))
        .collect();
    view! {
        <div class="head-group" role="rowgroup">
            <div class="head" role="row" aria-rowindex="1">
                <span class="pick" role="columnheader">
                    <input class="check" type="checkbox" aria-label=text::common::select_all()
                        prop:checked=move || grid.share() == Share::All
                        prop:indeterminate=move || grid.share() == Share::Some
                        on:change=move |_| grid.toggle_all()/>
                </span>
                {headings}
            </div>
        </div>
    }
}

fn heading(
    index: usize,
    column: Column,
    sorted: Signal<Option<Sorted>>,
    on_sort: Callback<usize>,
) -> impl IntoView + use<> {
    let mine = move || sorted.get().filter(|sorted| sorted.column == index);
    let order = move || {
        column.sort.then(|| match mine() {
            None => "none",
            Some(sorted) if sorted.descending => "descending",
            Some(_) => "ascending",
        })
    };
    let arrow = move || {
        mine().map(|sorted| {
            let name = if sorted.descending { "down" } else { "up" };
            view! { <Icon name=name/> }
        })
    };
    let content = if column.sort {
        view! { <button on:click=move |_| on_sort.run(index)>{column.name} {arrow}</button> }.into_any()
    } else {
        column.name.into_any()
    };
    view! { <span role="columnheader" class=column.class aria-sort=order>{content}</span> }
}

//! One row, and what stands in its place until it is here.

use leptos::prelude::*;

use super::{Grid, Row, check_label};
use crate::dom;

/// A row at its place. It stays the same element while what stands in it changes, so that the focus stays too.
pub(super) fn row(grid: Grid, index: usize) -> impl IntoView {
    let known = Memo::new(move |_| grid.rows.row.run(index));
    let is_chosen =
        Memo::new(move |_| known.with(|row| row.as_ref().is_some_and(|row| grid.list.selection.has(&row.key))));
    let content = move || match known.get() {
        None => bones(index).into_any(),
        Some(row) => filled(grid, index, row, is_chosen),
    };
    view! {
        <div class="file" role="row" aria-rowindex=index + 2
            aria-selected=move || if is_chosen.get() { "true" } else { "false" }
            tabindex=move || if grid.list.at.get() == index { "0" } else { "-1" }
            draggable=grid.on_drag.map(|_| "true")
            style:top=move || format!("{}px", index as f64 * grid.port.row.get())>
            {content}
        </div>
    }
}

fn filled(grid: Grid, index: usize, row: Row, is_chosen: Memo<bool>) -> AnyView {
    let cells = untrack(|| grid.rows.cells.run(index));
    view! {
        <span class="pick" role="gridcell">
            <input class="check" type="checkbox" tabindex="-1" aria-label=check_label(&row.label)
                prop:checked=move || is_chosen.get()/>
        </span>
        {cells}
    }
    .into_any()
}

/// Of different lengths, as names are.
fn bones(index: usize) -> impl IntoView {
    let width = ["42%", "64%", "53%", "36%", "58%"][index % 5];
    view! {
        <span class="pick" role="gridcell"></span>
        <div class="name" role="gridcell"><i class="bone round"></i><i class="bone" style:--w=width></i></div>
        <i class="bone" role="gridcell" style:--w="70%"></i>
        <i class="bone not-phone" role="gridcell" style:--w="60%"></i>
        <i class="bone not-phone" role="gridcell" style:--w="70%"></i>
    }
}

/// What stands in the place of a list whose first rows are awaited; seen after 150 ms.
#[component]
pub(crate) fn FileListSkeleton(
    /// What is awaited, for screen readers.
    #[prop(into)]
    label: String,
) -> impl IntoView {
    let late = RwSignal::new(false);
    leptos::task::spawn_local(async move {
        dom::sleep(150).await;
        late.try_set(true);
    });
    view! {
        <div class="file-list" aria-busy="true" role="status">
            <span class="sr">{label}</span>
            <Show when=move || late.get()>
                {(0..12).map(|index| view! { <div class="file" aria-hidden="true">{still_bones(index)}</div> }).collect_view()}
            </Show>
        </div>
    }
}

fn still_bones(index: usize) -> impl IntoView {
    let width = ["42%", "64%", "53%", "36%", "58%"][index % 5];
    view! {
        <span class="not-phone"></span>
        <div class="name"><i class="bone round"></i><i class="bone" style:--w=width></i></div>
        <i class="bone" style:--w="70%"></i>
        <i class="bone not-phone" style:--w="60%"></i>
        <i class="bone not-phone" style:--w="70%"></i>
    }
}

//! The entries that a transfer could not store as they are, each with its reason.

use beckon_shared::{
    api::transfer::Problems,
    error::Refusal,
    id::TransferId,
    transfer::{Problem, TransferView},
};
use leptos::prelude::*;

use super::{ask::Asked, row::said, why};
use crate::{
    api,
    component::{dialog::Dialog, dialog::ProblemLine, skeleton::LineBones},
    format,
    store::stores,
    text::{self, sync, transfer as words},
};

#[component]
pub(super) fn ProblemDialog(asked: RwSignal<Option<Asked>>) -> impl IntoView {
    let open = RwSignal::new(false);
    Effect::new(move || open.set(matches!(*asked.read(), Some(Asked::Problems(_)))));
    let transfer = move || match &*asked.read() {
        Some(Asked::Problems(view)) => Some(view.clone()),
        _ => None,
    };
    let title = move || transfer().map(|view| heading(&view)).unwrap_or_default().to_owned();
    view! {
        <Dialog open title=Signal::derive(title)>
            <div class="body">{move || transfer().map(|view| view! { <ProblemList view/> })}</div>
        </Dialog>
    }
}

/// What stands above the list.
pub(crate) fn heading(view: &TransferView) -> &'static str {
    match view.task.writes() {
        true => sync::problems(),
        false => words::problems(),
    }
}

/// The list, a page at a time.
#[component]
pub(crate) fn ProblemList(
    /// The transfer.
    view: TransferView,
) -> impl IntoView {
    let machine = why::is_of_machine(stores(), &view).then(|| format::name(&view.machine));
    let found = RwSignal::new(Vec::<Problem>::new());
    let total = RwSignal::new(None::<u64>);
    let refused = RwSignal::new(None::<String>);
    let more = move || {
        leptos::task::spawn_local(async move {
            let after = found.try_with_untracked(Vec::len).unwrap_or_default();
            match read(view.id, after).await {
                Ok(page) => {
                    let _ = found.try_update(|found| found.extend(page.problems));
                    let _ = total.try_set(Some(page.total));
                }
                Err(refusal) => {
                    let _ = refused.try_set(Some(said(&refusal)));
                }
            }
        });
    };
    more();
    let rest = move || {
        total
            .get()
            .map_or(0, |total| total.saturating_sub(found.read().len() as u64))
    };
    view! {
        <ProblemLine problem=refused/>
        <Show when=move || total.read().is_none() && refused.read().is_none()><LineBones/></Show>
        {move || {
            let machine = machine.clone().filter(|_| total.get().is_some_and(|total| total > 0));
            machine.map(|machine| view! { <p class="quiet">{words::problems_by(&machine)}</p> })
        }}
        <Show when=move || total.get() == Some(0)><p class="quiet">{words::problems_none()}</p></Show>
        <ul class="problems">{move || found.get().into_iter().map(row).collect_view()}</ul>
        <Show when=move || { rest() > 0 }>
            <button type="button" class="button sm" on:click=move |_| more()>
                {move || words::problems_more(&format::count(rest()))}
            </button>
        </Show>
    }
}

async fn read(id: TransferId, after: usize) -> Result<Problems, Refusal> {
    api::get(&format!("/api/transfers/{id}/problems?after={after}")).await
}

fn row(problem: Problem) -> impl IntoView {
    let says = text::error::of_entry(&problem);
    view! { <li><bdi class="mono">{format::name(&problem.path.display())}</bdi><p class="quiet">{says}</p></li> }
}

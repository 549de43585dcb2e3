//! Which of the transfers of a machine goes first.

use beckon_shared::{
    id::TransferId,
    transfer::{Priority, TransferView},
};
use leptos::prelude::*;

use super::steer;
use crate::{
    component::dialog::ProblemLine,
    store::stores,
    text::{self, transfer as words},
};

/// The choice; a word once the transfer is over.
#[component]
pub(crate) fn PriorityField(
    /// The transfer.
    id: TransferId,
    /// How it stands.
    view: Signal<TransferView>,
) -> impl IntoView {
    let over = Memo::new(move |_| view.with(|view| view.state.is_over()));
    let chosen = Memo::new(move |_| view.with(|view| view.priority));
    move || match over.get() {
        true => view! { <span>{word(chosen.get())}</span> }.into_any(),
        false => view! { <Choice id chosen/> }.into_any(),
    }
}

#[component]
fn Choice(id: TransferId, chosen: Memo<Priority>) -> impl IntoView {
    let stores = stores();
    let problem = RwSignal::new(None::<String>);
    let choose = move |priority| {
        problem.set(None);
        leptos::task::spawn_local(async move {
            if let Err(refusal) = steer::prioritise(stores, id, priority).await {
                let _ = problem.try_set(Some(text::error::of(&refusal)));
            }
        });
    };
    let button = move |priority: Priority| {
        let pressed = move || if chosen.get() == priority { "true" } else { "false" };
        view! { <button type="button" aria-pressed=pressed on:click=move |_| choose(priority)>{word(priority)}</button> }
    };
    view! {
        <div class="segmented" role="group" aria-label=words::priority() title=words::priority_says()>
            {[Priority::Low, Priority::Normal, Priority::High].map(button).collect_view()}
        </div>
        <ProblemLine problem/>
    }
}

fn word(priority: Priority) -> &'static str {
    match priority {
        Priority::Low => words::low(),
        Priority::Normal => words::normal(),
        Priority::High => words::high(),
    }
}

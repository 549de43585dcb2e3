//! What works in the background: when it last ended, what came of it, when it works again.

use beckon_shared::api::admin::WorkerView;
use leptos::prelude::*;

use super::watch::Watch;
use crate::{
    component::time::Ago,
    format,
    text::{self, Lang, admin as words},
};

/// The list.
#[component]
pub(super) fn Workers(watch: Watch) -> impl IntoView {
    let workers = Memo::new(move |_| {
        watch
            .stats
            .with(|stats| stats.as_ref().map(|stats| stats.workers.clone()).unwrap_or_default())
    });
    view! {
        <section class="card" aria-labelledby="workers">
            <div class="card-head"><h2 class="grow" id="workers">{words::work()}</h2></div>
            <ul class="health workers">{move || workers.get().into_iter().map(row).collect_view()}</ul>
        </section>
    }
}

fn row(worker: WorkerView) -> impl IntoView {
    let last = match (worker.busy, worker.last) {
        (true, _) => words::working().into_any(),
        (false, Some(at)) => view! { <Ago at/> }.into_any(),
        (false, None) => words::not_yet().into_any(),
    };
    let note = note(&worker);
    view! {
        <li>
            <span>{name(&worker.name)}</span>
            <span class="fig">{last}</span>
            {(!note.is_empty()).then(|| view! { <span class="note">{note}</span> })}
        </li>
    }
}

fn name(name: &str) -> String {
    match name {
        "collect" => words::collect().to_owned(),
        "expiry" => words::expiry().to_owned(),
        "retention" => crate::text::past::versions().to_owned(),
        "stats" => words::stats().to_owned(),
        other => format::name(other),
    }
}

/// What came of the last round, which the server tells in English only, and when the next one is.
fn note(worker: &WorkerView) -> String {
    let outcome = match text::lang() {
        Lang::En if !worker.outcome.is_empty() => Some(worker.outcome.clone()),
        _ => None,
    };
    let next = worker.next.map(|next| words::next_at(&format::clock(next)));
    let parts: Vec<String> = outcome.into_iter().chain(next).collect();
    parts.join(" · ")
}

//! Transfers under way, of every account; never what they are of.

use beckon_shared::{
    api::admin::RunningTransfer,
    id::TransferId,
    transfer::{Progress as Done, TransferState},
};
use leptos::prelude::*;

use super::watch::Watch;
use crate::{
    component::progress::Progress,
    format,
    text::{admin as words, transfer},
};

/// The table.
#[component]
pub(super) fn Transfers(watch: Watch) -> impl IntoView {
    let ids = Memo::new(move |_| {
        let stats = watch.stats.read();
        stats
            .iter()
            .flat_map(|stats| &stats.transfers)
            .map(|transfer| transfer.id)
            .collect::<Vec<_>>()
    });
    let total = Memo::new(move |_| {
        watch
            .stats
            .with(|stats| stats.as_ref().map_or(0, |stats| stats.transfers_total))
    });
    let is_cut = Memo::new(move |_| ids.read().len() < total.get() as usize);
    let count = move || format::count(total.get().into());
    let table = move || {
        view! {
            <table class="table" aria-labelledby="transfers">
                <thead>
                    <tr>
                        <th scope="col">{words::machine()}</th>
                        <th scope="col">{words::account()}</th>
                        <th scope="col" class="wide">{words::state()}</th>
                        <th scope="col" class="used-cell">{words::progress()}</th>
                    </tr>
                </thead>
                <tbody><For each=move || ids.get() key=|id| *id let:id><Row watch id/></For></tbody>
            </table>
        }
    };
    view! {
        <section class="card table-card" aria-labelledby="transfers">
            <div class="card-head">
                <h2 class="grow" id="transfers">{words::transfers()}</h2>
                <span class="count-pill">{count}</span>
            </div>
            <Show when=move || !ids.read().is_empty() fallback=|| view! { <p class="nothing">{words::no_transfers()}</p> }>
                {table()}
                <Show when=move || is_cut.get()>
                    <p class="nothing">{transfer::newest(&format::count(ids.read().len() as u64))}</p>
                </Show>
            </Show>
        </section>
    }
}

#[component]
fn Row(watch: Watch, id: TransferId) -> impl IntoView {
    let row = Memo::new(move |_| {
        let stats = watch.stats.read();
        stats
            .iter()
            .flat_map(|stats| &stats.transfers)
            .find(|transfer| transfer.id == id)
            .cloned()
    });
    let of = move |read: fn(&RunningTransfer) -> String| {
        Memo::new(move |_| row.with(|row| row.as_ref().map(read).unwrap_or_default()))
    };
    let machine = of(|row| format::name(&row.machine));
    let value = Signal::derive(move || row.with(|row| row.as_ref().and_then(|row| percent(row.state, &row.progress))));
    let state = Signal::derive(move || match row.with(|row| row.as_ref().map(|row| row.state)) {
        Some(TransferState::Queued) => "waiting",
        _ => "running",
    });
    let label = Signal::derive(move || words::progress_of(&machine.get()));
    view! {
        <tr>
            <td class="name-cell"><span class="cut"><bdi>{machine}</bdi></span></td>
            <td class="name-cell quiet"><span class="cut"><bdi>{of(|row| format::name(&row.account))}</bdi></span></td>
            <td class="wide quiet">{of(|row| word(row.state).to_owned())}</td>
            <td class="used-cell">
                <span class="used tnum">{of(|row| figures(&row.progress))}</span>
                <Progress value state label/>
            </td>
        </tr>
    }
}

fn word(state: TransferState) -> &'static str {
    match state {
        TransferState::Queued => words::queued(),
        TransferState::Running => words::running(),
        _ => words::over(),
    }
}

fn figures(done: &Done) -> String {
    let (bytes, total) = (format::bytes(done.bytes_done), format::bytes(done.bytes_total));
    if done.walked {
        transfer::of(&bytes, &total)
    } else {
        transfer::so_far(&bytes, &total)
    }
}

/// How far it is; nothing while it runs and its end is not known.
fn percent(state: TransferState, done: &Done) -> Option<f64> {
    match state {
        TransferState::Queued => Some(0.0),
        _ if !done.walked => None,
        _ => Some(done.bytes_done as f64 * 100.0 / done.bytes_total.max(1) as f64),
    }
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    #[wasm_bindgen_test]
    fn how_far_a_transfer_is_shows_once_its_end_is_known() {
        let mut done = Done {
            bytes_total: 400,
            bytes_done: 100,
            ..Done::default()
        };
        assert_eq!(percent(TransferState::Queued, &done), Some(0.0));
        assert_eq!(percent(TransferState::Running, &done), None);
        done.walked = true;
        assert_eq!(percent(TransferState::Running, &done), Some(25.0));
    }
}

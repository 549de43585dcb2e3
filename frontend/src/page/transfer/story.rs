//! How a transfer came to stand as it does: a row for each change, with how long it stood so and what was done meanwhile.

use beckon_shared::{api::transfer::TransferEvent, transfer::TransferView};
use leptos::prelude::*;

use super::Reading;
use crate::{component::transfer, format, store::stores, text::transfer as words};

/// The server keeps so many changes of a transfer, the newest.
const KEPT: usize = 200;

/// The table; there is none before the story was read.
#[component]
pub(super) fn Story(reading: Reading, view: Signal<TransferView>) -> impl IntoView {
    let writes = view.with_untracked(|view| view.task.writes());
    let table = move || {
        let events = reading
            .detail
            .with(|detail| detail.as_ref().map(|detail| detail.events.clone()))?;
        let is_full = events.len() >= KEPT;
        let rows = (0..events.len()).map(|at| row(view, events[at], events.get(at + 1).copied()));
        let rows = rows.collect_view();
        Some(view! {
            <div class="card visits">
                <table>
                    <thead><tr>
                        <th scope="col">{words::story_when()}</th><th scope="col">{words::story_state()}</th>
                        <th scope="col" class="num">{words::story_lasted()}</th><th scope="col" class="num">{words::story_done()}</th>
                        {(!writes).then(|| view! { <th scope="col" class="num">{words::story_sent()}</th> })}
                    </tr></thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
            {is_full.then(|| view! { <p class="quiet">{words::story_newest(&KEPT)}</p> })}
        })
    };
    view! { <section class="stack close story"><h2>{words::story()}</h2>{table}</section> }
}

fn row(view: Signal<TransferView>, event: TransferEvent, next: Option<TransferEvent>) -> impl IntoView {
    let stores = stores();
    let (task, writes) = view.with_untracked(|view| (view.task, view.task.writes()));
    // The last row goes on.
    let next = move || next.or_else(|| view.with(|view| TransferEvent::still(view, stores.now.get())));
    let lasted = move || next().map(|next| format::span(next.at.since(event.at).as_secs()));
    let done = move || next().and_then(|next| figure(event.done_until(&next)));
    let sent = move || next().and_then(|next| figure(event.sent_until(&next)));
    let at = event.at;
    let since = move || format::moment(at, stores.now.get());
    let state = transfer::word(task, event.state, event.hold);
    view! {
        <tr>
            <td><time title=format::exact(at) datetime=at.to_string()>{since}</time></td>
            <td>{state}</td><td class="num">{lasted}</td><td class="num">{done}</td>{(!writes).then(|| view! { <td class="num">{sent}</td> })}
        </tr>
    }
}

fn figure(bytes: u64) -> Option<String> {
    (bytes > 0).then(|| format::bytes(bytes))
}

//! How a transfer came to stand as it does: a row for each change, with how long it stood so and what was done meanwhile.

use beckon_shared::{api::transfer::TransferEvent, time::Timestamp, transfer::TransferView};
use leptos::prelude::*;

use super::Reading;
use crate::{component::transfer, format, store::stores, text::transfer as words};

/// The server keeps so many changes of a transfer, the newest.
const KEPT: usize = 200;

/// The table; there is none before the story was read.
#[component]
pub(super) fn Story(reading: Reading, view: Signal<TransferView>) -> impl IntoView {
    let table = move || {
        let events = reading
            .detail
            .with(|detail| detail.as_ref().map(|detail| detail.events.clone()))?;
        let is_full = events.len() >= KEPT;
        let rows = (0..events.len()).map(|at| row(view, &events[at], events.get(at + 1)));
        let rows = rows.collect_view();
        Some(view! {
            <div class="card visits">
                <table>
                    <thead><tr>
                        <th scope="col">{words::story_when()}</th><th scope="col">{words::story_state()}</th>
                        <th scope="col" class="num">{words::story_lasted()}</th><th scope="col" class="num">{words::story_done()}</th>
                        <th scope="col" class="num">{words::story_sent()}</th>
                    </tr></thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
            {is_full.then(|| view! { <p class="quiet">{words::story_newest(&KEPT)}</p> })}
        })
    };
    view! { <section class="stack close story"><h2>{words::story()}</h2>{table}</section> }
}

/// A moment, and what was done by then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    at: Timestamp,
    done: u64,
    sent: u64,
}

impl Mark {
    fn of(event: &TransferEvent) -> Self {
        Self {
            at: event.at,
            done: event.bytes_done,
            sent: event.bytes_sent,
        }
    }

    /// This moment, of a transfer that is not over.
    fn still(view: &TransferView, now: Timestamp) -> Option<Self> {
        (!view.state.is_over()).then_some(Self {
            at: now,
            done: view.progress.bytes_done,
            sent: view.progress.bytes_sent,
        })
    }
}

fn row(view: Signal<TransferView>, event: &TransferEvent, next: Option<&TransferEvent>) -> impl IntoView {
    let stores = stores();
    let (from, to) = (Mark::of(event), next.map(Mark::of));
    // The last row goes on.
    let to = move || to.or_else(|| view.with(|view| Mark::still(view, stores.now.get())));
    let lasted = move || to().map(|to| format::span(to.at.since(from.at).as_secs()));
    // A retry counts what is done anew.
    let done = move || to().and_then(|to| figure(to.done.saturating_sub(from.done)));
    let sent = move || to().and_then(|to| figure(to.sent.saturating_sub(from.sent)));
    let at = event.at;
    let since = move || format::moment(at, stores.now.get());
    let state = transfer::word(event.state, event.hold);
    view! {
        <tr>
            <td><time title=format::exact(at) datetime=at.to_string()>{since}</time></td>
            <td>{state}</td><td class="num">{lasted}</td><td class="num">{done}</td><td class="num">{sent}</td>
        </tr>
    }
}

fn figure(bytes: u64) -> Option<String> {
    (bytes > 0).then(|| format::bytes(bytes))
}

//! When a device visited.

use beckon_shared::{api::device::VisitView, error::Refusal, id::DeviceId};
use leptos::prelude::*;

use crate::{
    api,
    component::{dialog::ProblemLine, skeleton::LineBones, time::Ago},
    format,
    store::stores,
    text::{self, common, device as words},
};

/// So many are shown at first.
const SHOWN: usize = 20;

/// The visits, read again whenever the device comes or goes.
#[component]
pub(super) fn Visits(id: DeviceId) -> impl IntoView {
    let stores = stores();
    let found = RwSignal::new(None::<Vec<VisitView>>);
    let problem = RwSignal::new(None::<String>);
    let most = RwSignal::new(SHOWN);
    let asked = StoredValue::new(0_u32);
    let read_again = move || {
        let Some(number) = asked.try_update_value(|asked| {
            *asked += 1;
            *asked
        }) else {
            return;
        };
        leptos::task::spawn_local(async move {
            let answer = read(id).await;
            // A late answer does not take the place of a newer one.
            if asked.try_get_value() == Some(number) {
                let _ = problem.try_set(answer.as_ref().err().map(text::error::of));
                if let Ok(visits) = answer {
                    let _ = found.try_set(Some(visits));
                }
            }
        });
    };
    // A device that came back at once may never have been seen away, but comes from another port.
    let visit = Memo::new(move |_| {
        stores
            .devices
            .get(id)
            .map(|view| (view.online, view.address, view.port))
    });
    Effect::new(move || {
        // Read, as a memo that is only tracked is never worked out.
        let _ = visit.get();
        read_again();
    });
    let count = move || found.with(|found| found.as_ref().map_or(0, Vec::len));
    view! {
        <section class="stack close">
            <div class="row"><h2>{words::visits()}</h2><span class="faint">{words::visits_says()}</span></div>
            <ProblemLine problem/>
            {move || problem.read().is_some().then(|| view! { <p><button type="button" class="button sm" on:click=move |_| read_again()>{common::retry()}</button></p> })}
            <Show when=move || found.read().is_some() fallback=|| view! { <LineBones/> }>
                <Table found most/>
            </Show>
            <Show when=move || { count() > most.get() }>
                <p><button type="button" class="button sm" on:click=move |_| most.set(usize::MAX)>
                    {move || text::transfer::show_rest(&format::count((count() - most.get().min(count())) as u64))}
                </button></p>
            </Show>
        </section>
    }
}

#[component]
fn Table(found: RwSignal<Option<Vec<VisitView>>>, most: RwSignal<usize>) -> impl IntoView {
    let shown = move || {
        let visits = found.get().unwrap_or_default();
        visits.into_iter().take(most.get()).map(row).collect_view()
    };
    let is_empty = move || found.with(|found| found.as_ref().is_some_and(Vec::is_empty));
    view! {
        <Show when=move || !is_empty() fallback=|| view! { <p class="quiet">{words::visits_none()}</p> }>
            <div class="card visits">
                <table>
                    <thead><tr>
                        <th scope="col">{words::visit_from()}</th><th scope="col">{words::visit_until()}</th>
                        <th scope="col">{words::address()}</th><th scope="col" class="not-phone">{words::version()}</th>
                    </tr></thead>
                    <tbody>{shown}</tbody>
                </table>
            </div>
        </Show>
    }
}

fn row(visit: VisitView) -> impl IntoView {
    let until = match visit.ended {
        Some(ended) => view! { <Ago at=ended/> }.into_any(),
        None => words::visit_lasts().into_any(),
    };
    view! {
        <tr>
            <td><Ago at=visit.started/></td><td>{until}</td>
            <td class="mono">{format::name(&format!("{}:{}", visit.address, visit.port))}</td>
            <td class="not-phone">{format::name(&visit.version)}</td>
        </tr>
    }
}

async fn read(id: DeviceId) -> Result<Vec<VisitView>, Refusal> {
    api::get(&format!("/api/devices/{id}/visits")).await
}

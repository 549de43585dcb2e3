//! What a transfer did in figures, and what was ordered.

use beckon_shared::{
    path::RootPath,
    transfer::{Progress, Task, TransferState, TransferView},
};
use leptos::prelude::*;

use super::Reading;
use crate::{
    component::{
        time::Ago,
        transfer::{self, PriorityField},
    },
    format, route,
    store::stores,
    text::{sync, transfer as words},
};

/// So many of the selected paths are shown.
const SELECTED: usize = 10;

/// What was sent, and what was not and why.
#[component]
pub(super) fn Figures(view: Signal<TransferView>) -> impl IntoView {
    let writes = view.with_untracked(|view| view.task.writes());
    let moved = match writes {
        true => view! { <CameFrom view/> }.into_any(),
        false => view! { <Sent view/> }.into_any(),
    };
    let failed = if writes {
        sync::figure_written()
    } else {
        words::figure_failed()
    };
    view! {
        <section class="stack close">
            <h2>{words::figures()}</h2>
            <dl class="facts card padded">
                <Figure view what=words::figure_files() of=files says=""/>
                <Figure view what=words::figure_content() of=content says=""/>
                {moved}
                <Figure view what=words::figure_unchanged() of=|progress| some(progress.files_unchanged, transfer::files) says=words::unchanged_says()/>
                <Figure view what=failed of=|progress| some(progress.failed, transfer::files) says=""/>
                <Figure view what=words::figure_torn() of=|progress| some(progress.torn, transfer::files) says=words::torn_says()/>
            </dl>
        </section>
    }
}

/// What was put on the wire, and what needed not be.
#[component]
fn Sent(view: Signal<TransferView>) -> impl IntoView {
    view! {
        <Figure view what=words::figure_sent() of=|progress| Some(format::bytes(progress.bytes_sent)) says=words::sent_says()/>
        <Figure view what=words::figure_present() of=|progress| some(progress.bytes_present, format::bytes) says=words::present_says()/>
    }
}

/// Where the content of a copy came from.
#[component]
fn CameFrom(view: Signal<TransferView>) -> impl IntoView {
    view! {
        <Figure view what=sync::own() of=|progress| some(progress.bytes_own, format::bytes) says=sync::own_says()/>
        <Figure view what=sync::direct() of=|progress| some(progress.bytes_direct, format::bytes) says=sync::direct_says()/>
        <Figure view what=sync::server() of=|progress| some(progress.bytes_server, format::bytes) says=""/>
        <Figure view what=sync::figure_conflicts() of=|progress| some(progress.conflicts, transfer::files) says=""/>
    }
}

/// A figure and what to know of it; nothing where there is none.
#[component]
fn Figure(
    view: Signal<TransferView>,
    what: &'static str,
    of: fn(&Progress) -> Option<String>,
    says: &'static str,
) -> impl IntoView {
    let figure = Memo::new(move |_| view.with(|view| of(&view.progress)));
    let says = move || (!says.is_empty()).then(|| view! { <span class="faint">" · "{says}</span> });
    move || {
        figure
            .get()
            .map(|figure| view! { <dt>{what}</dt><dd class="tnum">{figure}{says()}</dd> })
    }
}

fn files(progress: &Progress) -> Option<String> {
    let (done, total) = (format::count(progress.files_done), format::count(progress.files_total));
    Some(words::files_of(&done, &total)).filter(|_| progress.files_total > 0)
}

fn content(progress: &Progress) -> Option<String> {
    let (done, total) = (format::bytes(progress.bytes_done), format::bytes(progress.bytes_total));
    let says = if progress.walked {
        words::of(&done, &total)
    } else {
        words::so_far(&done, &total)
    };
    Some(says).filter(|_| progress.files_total > 0)
}

fn some(count: u64, says: fn(u64) -> String) -> Option<String> {
    (count > 0).then(|| says(count))
}

/// What was ordered, by whom, and how long it stands.
#[component]
pub(super) fn Order(reading: Reading, view: Signal<TransferView>) -> impl IntoView {
    let id = reading.id;
    let by = move || {
        let said = reading.detail.with(|detail| {
            let detail = detail.as_ref()?;
            Some((format::name(&detail.ordered_by), detail.given_directly))
        });
        let (name, directly) = said.filter(|(name, _)| !name.is_empty())?;
        let directly = directly.then(|| view! { <span class="faint">" "{words::given_directly()}</span> });
        Some(view! { <dt>{words::fact_by()}</dt><dd><bdi>{name}</bdi>{directly}</dd> })
    };
    let created = Memo::new(move |_| view.with(|view| view.created));
    view! {
        <section class="stack close">
            <h2>{words::facts()}</h2>
            <dl class="facts card padded">
                <dt>{words::fact_machine()}</dt><dd><Worker view/></dd>
                <From view/>
                <Selected reading view/>
                <dt>{words::priority()}</dt><dd><PriorityField id view/></dd>
                {by}
                <dt>{words::fact_ordered()}</dt><dd><Ago at=created/></dd>
                <End view/>
            </dl>
        </section>
    }
}

/// What does the work: a link to its page.
#[component]
fn Worker(view: Signal<TransferView>) -> impl IntoView {
    let stores = stores();
    let name = Memo::new(move |_| view.with(|view| transfer::worker(stores, view)));
    let href = route::device(view.with_untracked(|view| view.device));
    view! { <a href=href><bdi>{move || name.get()}</bdi></a> }
}

/// What a copy is made of, or who sends.
#[component]
fn From(view: Signal<TransferView>) -> impl IntoView {
    let from = Memo::new(move |_| {
        view.with(|view| {
            let label = match view.task {
                Task::Follow | Task::Copy => sync::fact_from(),
                Task::Send => sync::fact_sender(),
                Task::Upload | Task::Watch => return None,
            };
            Some((label, format::name(view.from.as_deref()?)))
        })
    });
    move || {
        from.get()
            .map(|(label, from)| view! { <dt>{label}</dt><dd><bdi>{from}</bdi></dd> })
    }
}

/// The first of what was selected.
#[component]
fn Selected(reading: Reading, view: Signal<TransferView>) -> impl IntoView {
    let (root, task) = view.with_untracked(|view| (format::name(&view.root), view.task));
    let label = match task {
        Task::Upload | Task::Send => words::fact_selected(),
        Task::Watch => sync::fact_kept(),
        Task::Follow | Task::Copy => sync::fact_to(),
    };
    let item = move |path: &RootPath| match path.is_root() {
        true if task.writes() => view! { <li><bdi class="mono">{root.clone()}</bdi></li> }.into_any(),
        true => view! { <li>{words::whole_folder(&root)}</li> }.into_any(),
        false => {
            let path = format!("{root}/{}", format::name(&path.display()));
            view! { <li><bdi class="mono">{path}</bdi></li> }.into_any()
        }
    };
    move || {
        reading.detail.with(|detail| {
            let detail = detail.as_ref()?;
            let shown = detail.selected.iter().take(SELECTED);
            let more = detail.selected_total?.saturating_sub(shown.len() as u64);
            let more = (more > 0).then(|| view! { <li class="faint">{words::and_more(&format::count(more))}</li> });
            let items = shown.map(&item).collect_view();
            Some(view! { <dt>{label}</dt><dd><ul class="selected">{items}{more}</ul></dd> })
        })
    }
}

/// When it ended, or lapses.
#[component]
fn End(view: Signal<TransferView>) -> impl IntoView {
    let stores = stores();
    let ends = Memo::new(move |_| view.with(|view| (view.ended, view.expires)));
    // What stands until somebody ends it lapses only before it was begun.
    let is_open_ended =
        Memo::new(move |_| view.with(|view| view.task.is_standing() && view.state != TransferState::Queued));
    move || match ends.get() {
        (None, _) if is_open_ended.get() => ().into_any(),
        (Some(ended), _) => view! { <dt>{words::fact_ended()}</dt><dd><Ago at=ended/></dd> }.into_any(),
        (None, expires) => {
            let says = move || format::moment(expires, stores.now.get());
            view! { <dt>{words::fact_lapses()}</dt><dd><time title=format::exact(expires) datetime=expires.to_string()>{says}</time></dd> }
                .into_any()
        }
    }
}

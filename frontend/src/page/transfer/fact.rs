//! What a transfer did in figures, and what was ordered.

use beckon_shared::{
    path::RootPath,
    transfer::{Progress, TransferView},
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
    text::transfer as words,
};

/// So many of the selected paths are shown.
const SELECTED: usize = 10;

/// What was sent, and what was not and why.
#[component]
pub(super) fn Figures(view: Signal<TransferView>) -> impl IntoView {
    view! {
        <section class="stack close">
            <h2>{words::figures()}</h2>
            <dl class="facts card padded">
                <Figure view what=words::figure_files() of=files says=""/>
                <Figure view what=words::figure_content() of=content says=""/>
                <Figure view what=words::figure_sent() of=|progress| Some(format::bytes(progress.bytes_sent)) says=words::sent_says()/>
                <Figure view what=words::figure_present() of=|progress| some(progress.bytes_present, format::bytes) says=words::present_says()/>
                <Figure view what=words::figure_unchanged() of=|progress| some(progress.files_unchanged, transfer::files) says=words::unchanged_says()/>
                <Figure view what=words::figure_failed() of=|progress| some(progress.failed, transfer::files) says=""/>
                <Figure view what=words::figure_torn() of=|progress| some(progress.torn, transfer::files) says=words::torn_says()/>
            </dl>
        </section>
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
        let name = reading
            .detail
            .with(|detail| detail.as_ref().map(|detail| format::name(&detail.ordered_by)));
        name.filter(|name| !name.is_empty())
            .map(|name| view! { <dt>{words::fact_by()}</dt><dd><bdi>{name}</bdi></dd> })
    };
    let created = Memo::new(move |_| view.with(|view| view.created));
    view! {
        <section class="stack close">
            <h2>{words::facts()}</h2>
            <dl class="facts card padded">
                <dt>{words::fact_machine()}</dt><dd><Worker view/></dd>
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

/// The first of what was selected.
#[component]
fn Selected(reading: Reading, view: Signal<TransferView>) -> impl IntoView {
    let root = view.with_untracked(|view| format::name(&view.root));
    let item = move |path: &RootPath| match path.is_root() {
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
            Some(view! { <dt>{words::fact_selected()}</dt><dd><ul class="selected">{items}{more}</ul></dd> })
        })
    }
}

/// When it ended, or lapses.
#[component]
fn End(view: Signal<TransferView>) -> impl IntoView {
    let stores = stores();
    let ends = Memo::new(move |_| view.with(|view| (view.ended, view.expires)));
    move || match ends.get() {
        (Some(ended), _) => view! { <dt>{words::fact_ended()}</dt><dd><Ago at=ended/></dd> }.into_any(),
        (None, expires) => {
            let says = move || format::moment(expires, stores.now.get());
            view! { <dt>{words::fact_lapses()}</dt><dd><time title=format::exact(expires) datetime=expires.to_string()>{says}</time></dd> }
                .into_any()
        }
    }
}

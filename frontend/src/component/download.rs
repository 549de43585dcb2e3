//! Downloads straight from machines, as rows of the tray.

use beckon_shared::browse::Route;
use leptos::prelude::*;

use super::{icon::Icon, progress::Progress};
use crate::{
    download::{
        self,
        message::{DownloadId, Leftovers},
    },
    format,
    store::{Download, DownloadState as State, Stores, stores},
    text::{self, download as words, reach, transfer},
};

/// So many of what could not be read are named in a row.
const NAMED: usize = 3;

/// All downloads of this page; nothing while there are none.
#[component]
pub(crate) fn DownloadRows() -> impl IntoView {
    let downloads = stores().downloads;
    let ids = Memo::new(move |_| downloads.all().iter().map(|one| one.id).collect::<Vec<_>>());
    view! {
        <Show when=move || !ids.read().is_empty()>
            <ul class="transfers" aria-label=words::downloads()>
                <For each=move || ids.get() key=|id| *id children=|id| view! { <Row id/> }/>
            </ul>
        </Show>
    }
}

#[component]
fn Row(id: DownloadId) -> impl IntoView {
    let stores = stores();
    let row = Memo::new(move |_| stores.downloads.row(id));
    let state = Memo::new(move |_| row.with(|row| row.as_ref().map(class).unwrap_or_default()));
    let text = move |of: fn(&Download) -> String| move || row.with(|row| row.as_ref().map(of).unwrap_or_default());
    let name = text(|row| format::name(&row.name));
    let label = Signal::derive(move || words::progress_of(&name()));
    let percent = Signal::derive(move || row.with(|row| row.as_ref().map_or(Some(0.0), Download::percent)));
    let is_moving = Memo::new(move |_| matches!(state.get(), "running" | "waiting"));
    view! {
        <li class="transfer" data-state=move || state.get() data-download=id.0.to_string()>
            <Icon name="download"/>
            <div class="grow">
                <div class="what"><bdi class="cut">{name}</bdi></div>
                <div class="route">
                    <bdi class="cut">{move || machine(stores, &row.get())}</bdi><Icon name="arrow"/>
                    <span class="cut">{words::this_computer()}</span>
                    {move || row.with(|row| row.as_ref().and_then(|row| row.figures.route)).filter(|_| is_moving.get()).map(badge)}
                </div>
            </div>
            <div class="so-far">
                <Show when=move || is_moving.get()><Progress value=percent state=state label/></Show>
                <div class="figures"><span>{text(amount)}</span><span>{text(speed)}</span></div>
            </div>
            <div class="acts">{move || acts(stores, id, state.get(), &name())}</div>
            {move || row.get().and_then(|row| why(stores, &row))}
        </li>
    }
}

/// As a row of transfers is drawn in this state.
fn class(row: &Download) -> &'static str {
    match row.state {
        State::Queued => "waiting",
        State::Running if row.figures.waits => "waiting",
        State::Running => "running",
        State::Partly(_) => "partly",
        State::Failed(_) => "failed",
    }
}

fn machine(stores: Stores, row: &Option<Download>) -> String {
    let view = row.as_ref().and_then(|row| stores.devices.get(row.machine));
    view.map(|view| format::name(view.name.as_str())).unwrap_or_default()
}

fn badge(route: Route) -> AnyView {
    let (icon, class, word) = match route {
        Route::Lan => ("bolt", "badge ok", reach::lan()),
        Route::Direct => ("bolt", "badge ok", reach::direct()),
        Route::Relay => ("relay", "badge", reach::relay()),
    };
    view! { <span class=class><Icon name=icon/>{word}</span> }.into_any()
}

fn amount(row: &Download) -> String {
    let (done, total) = (format::bytes(row.figures.done), format::bytes(row.figures.total));
    match &row.state {
        State::Queued => words::queued().to_owned(),
        _ if row.figures.total == 0 && !row.figures.is_all => words::starting().to_owned(),
        State::Partly(_) => done,
        _ if row.figures.is_all => transfer::of(&done, &total),
        _ => transfer::so_far(&done, &total),
    }
}

fn speed(row: &Download) -> String {
    let Some(rate) = row.rate else {
        return String::new();
    };
    let rest = row.figures.total.saturating_sub(row.figures.done);
    match row.figures.is_all && rate >= 1.0 {
        true => transfer::rate_left(&format::rate(rate), &format::left((rest as f64 / rate).ceil() as u64)),
        false => format::rate(rate),
    }
}

fn acts(stores: Stores, id: DownloadId, state: &'static str, name: &str) -> AnyView {
    let is_over = matches!(state, "partly" | "failed");
    let again = (state == "failed").then(|| {
        let act = move |_| download::again(stores, id);
        view! {
            <button type="button" class="button sm first" on:click=act>
                <Icon name="retry"/><span class="word">{words::again()}</span>
            </button>
        }
    });
    let label = if is_over {
        words::dismiss(&name)
    } else {
        words::cancel(&name)
    };
    let end = move |_| match is_over {
        true => download::put_away(stores, id),
        false => download::cancel(stores, id),
    };
    view! {
        {again}
        <button type="button" class="button icon-only ghost sm first" aria-label=label.clone() title=label on:click=end>
            <Icon name="x"/>
        </button>
    }
    .into_any()
}

/// Why it does not go on, or what it lacks.
fn why(stores: Stores, row: &Download) -> Option<AnyView> {
    let (class, icon, says) = match &row.state {
        State::Failed(refusal) => ("why bad", "stop", words::failed(&text::error::of(refusal))),
        State::Partly(left) => ("why warn", "alert", lacks(left)),
        State::Running if row.figures.waits => {
            let name = machine(stores, &Some(row.clone()));
            ("why", "info", words::waits(&name))
        }
        State::Running | State::Queued => return None,
    };
    let view =
        view! { <div class=class role="status"><Icon name=icon class="sm"/><span class="grow">{says}</span></div> };
    Some(view.into_any())
}

fn lacks(left: &Leftovers) -> String {
    let named = left.some.iter().take(NAMED);
    let named: Vec<_> = named
        .map(|(path, refusal)| format!("{}: {}", format::name(path), text::error::of(refusal)))
        .collect();
    let head = match left.count {
        1 => words::left_out_one().to_owned(),
        count => words::left_out(&format::count(count)),
    };
    format!("{head} {}", named.join(" "))
}

/// In the line of the tray: what is downloaded, and what is not done.
#[component]
pub(crate) fn DownloadCounts() -> impl IntoView {
    let downloads = stores().downloads;
    let said = Memo::new(move |_| said(&downloads.all()));
    let over = Memo::new(move |_| downloads.all().iter().filter(|one| one.is_over()).count() as u64);
    let needy = move || {
        let says = match over.get() {
            0 => return None,
            1 => words::not_done_one().to_owned(),
            count => words::not_done(&format::count(count)),
        };
        Some(view! { <span class="needy"><Icon name="stop" class="sm"/>{says}</span> })
    };
    view! {
        {move || said.get().map(|said| view! { <span class="cut"><Icon name="download" class="sm"/>{said}</span> })}
        {needy}
    }
}

/// `Downloading film.mkv: 45 %`, or how many there are.
fn said(all: &[Download]) -> Option<String> {
    let open: Vec<_> = all.iter().filter(|one| !one.is_over()).collect();
    match open.as_slice() {
        [] => None,
        [one] => {
            let name = format::name(&one.name);
            Some(match one.percent() {
                Some(percent) => words::one(&name, &(percent.floor() as u64)),
                None => words::one_unknown(&name),
            })
        }
        several => Some(words::several(&format::count(several.len() as u64))),
    }
}

/// What a screen reader hears: each quarter of the way of what is downloaded, and what was not done.
#[component]
pub(crate) fn DownloadSaid() -> impl IntoView {
    let downloads = stores().downloads;
    let said = Memo::new(move |_| {
        let all = downloads.all();
        let failed = all.iter().rev().find_map(|one| match &one.state {
            State::Failed(refusal) => Some((one, refusal)),
            _ => None,
        });
        let open = all.iter().find(|one| !one.is_over());
        match (open, failed) {
            (Some(one), _) => {
                let quarter = (one.percent().unwrap_or(0.0) / 25.0).floor() as u64 * 25;
                words::one(&format::name(&one.name), &quarter)
            }
            (None, Some((one, refusal))) => {
                let title = text::machine::download_failed(&format::name(&one.name));
                format!("{title} {}", text::error::of(refusal))
            }
            (None, None) => String::new(),
        }
    });
    view! { <p class="sr" role="status">{move || said.get()}</p> }
}

//! How the server is, worst first: a shape, a word, and what to do.

use beckon_shared::api::admin::{Finding, Level, Topic};
use leptos::prelude::*;

use super::watch::Watch;
use crate::{
    component::badge::Badge,
    text::{admin as words, admin::finding},
};

/// The list.
#[component]
pub(super) fn Health(watch: Watch) -> impl IntoView {
    let findings = Memo::new(move |_| {
        watch
            .stats
            .with(|stats| stats.as_ref().map(|stats| stats.health.clone()).unwrap_or_default())
    });
    let row = |found: Finding| {
        let dot = format!("dot {}", shape(found.level));
        let note = (found.level != Level::Well).then(|| view! { <span class="note">{finding(&found)}</span> });
        view! { <li><span class=dot></span><span>{topic(found.topic)}</span><span class="fig">{word(found.level)}</span>{note}</li> }
    };
    view! {
        <section class="card" aria-labelledby="health">
            <div class="card-head"><h2 class="grow" id="health">{words::health()}</h2><span role="status">{move || verdict(&findings.read())}</span></div>
            <ul class="health">{move || findings.get().into_iter().map(row).collect_view()}</ul>
        </section>
    }
}

/// All of it in a badge.
fn verdict(findings: &[Finding]) -> impl IntoView + use<> {
    let count = |level: Level| findings.iter().filter(|found| found.level == level).count();
    match (count(Level::Broken), count(Level::Look)) {
        (0, 0) => view! { <Badge text=words::all_well().to_owned() kind="ok" icon="check"/> },
        (0, look) => view! { <Badge text=words::to_look_at(&look) kind="warn" icon="alert"/> },
        (broken, _) => view! { <Badge text=words::to_mend(&broken) kind="bad" icon="stop"/> },
    }
}

/// The shape of a level: round is well, a square asks to look, a diamond is broken.
fn shape(level: Level) -> &'static str {
    match level {
        Level::Well => "on",
        Level::Look => "warn",
        Level::Broken => "bad",
    }
}

fn word(level: Level) -> &'static str {
    match level {
        Level::Well => words::well(),
        Level::Look => words::look(),
        Level::Broken => words::broken(),
    }
}

fn topic(topic: Topic) -> &'static str {
    match topic {
        Topic::Database => words::database(),
        Topic::Disk => words::disk(),
        Topic::Room => words::room(),
        Topic::Workers => words::work(),
        Topic::Tls => words::tls(),
        Topic::Transfers => words::uploads(),
    }
}

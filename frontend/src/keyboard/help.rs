//! The dialog that lists all keys.

use leptos::prelude::*;

use crate::{component::dialog::Dialog, store::stores, text, text::keyboard as words};

type Line = (&'static str, &'static str);

/// All keys: the ones everywhere, those of the page that is open, those of lists.
#[component]
pub(crate) fn KeyHelp(open: RwSignal<bool>) -> impl IntoView {
    let letters = stores().prefs.letter_keys;
    view! {
        <Dialog open title=words::keys().to_owned()>
            <div class="body keys">
                {(!letters.get_untracked()).then(|| view! { <p class="quiet">{words::letters_off()}</p> })}
                {groups().into_iter().map(|(name, lines)| group(name, lines)).collect_view()}
            </div>
        </Dialog>
    }
}

fn group(name: &'static str, lines: Vec<Line>) -> impl IntoView {
    let line = |(keys, says): Line| view! { <div><dt>{caps(keys)}</dt><dd>{says}</dd></div> };
    view! { <section><h3>{name}</h3><dl>{lines.into_iter().map(line).collect_view()}</dl></section> }
}

fn caps(keys: &'static str) -> impl IntoView {
    keys.split(' ')
        .map(|key| view! { <kbd>{shown(key)}</kbd> })
        .collect_view()
}

fn shown(key: &str) -> String {
    match key {
        "Space" if text::lang() == text::Lang::Zh => "空格".to_owned(),
        key if key.chars().count() == 1 => key.to_uppercase(),
        key => key.replace("Ctrl+", "Ctrl + ").replace("Shift+", "Shift + "),
    }
}

/// The bindings by their groups, in the order in which they were made; then what is done with files where they are
/// listed, as far as no binding has the key here; then what every list does.
fn groups() -> Vec<(&'static str, Vec<Line>)> {
    let mut groups: Vec<(&'static str, Vec<Line>)> = Vec::new();
    for binding in super::bindings() {
        let (name, line) = ((binding.group)(), (binding.keys, (binding.words)()));
        match groups.iter_mut().find(|(known, _)| *known == name) {
            Some((_, lines)) if lines.contains(&line) => {}
            Some((_, lines)) => lines.push(line),
            None => groups.push((name, vec![line])),
        }
    }
    let is_free = |(keys, _): &Line| !groups.iter().any(|(_, lines)| lines.iter().any(|line| line.0 == *keys));
    let files: Vec<Line> = files().into_iter().filter(is_free).collect();
    if !files.is_empty() {
        groups.push((words::files(), files));
    }
    groups.push((words::lists(), lists()));
    groups
}

fn files() -> Vec<Line> {
    vec![
        ("u", words::upload()),
        ("d", words::download()),
        ("f", words::filter()),
        ("i", words::details()),
        ("r", words::refresh()),
        ("F2", words::rename()),
        ("Delete", words::delete()),
    ]
}

fn lists() -> Vec<Line> {
    vec![
        ("↑ ↓", words::step()),
        ("Home End PgUp PgDn", words::ends()),
        ("a … z", words::letters()),
        ("Enter →", words::open()),
        ("Backspace ←", words::up()),
        ("Space", words::select()),
        ("Shift+↓", words::extend()),
        ("Ctrl+A", words::select_all()),
        ("Shift+F10", words::menu()),
        ("Esc", words::escape()),
    ]
}

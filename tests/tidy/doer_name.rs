//! No type is named for doing: a `Manager` says nothing about what it holds.

use crate::{assert_none, sample, source, source::Source};

const KEYWORDS: &[&str] = &["struct", "enum", "trait", "type", "union"];

const SUFFIXES: &[&str] = &["Manager", "Helper", "Helpers", "Util", "Utils", "Service", "Handler"];

fn violations(sources: &[Source]) -> Vec<String> {
    sources
        .iter()
        .filter(|source| source.is_rust())
        .flat_map(doers)
        .collect()
}

fn doers(source: &Source) -> Vec<String> {
    let lines = source.code_lines();
    let names = lines.flat_map(|(line, code)| declared(code).map(move |name| (line, name)));
    let bad = names.filter(|(_, name)| SUFFIXES.iter().any(|suffix| name.ends_with(suffix)));
    bad.map(|(line, name)| source.at(line, &format!("`{name}`: name it for what it is or holds")))
        .collect()
}

/// The names of types that a line declares.
fn declared(code: &str) -> impl Iterator<Item = &str> {
    let mut words = code.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
    std::iter::from_fn(move || {
        words.find(|word| KEYWORDS.contains(word))?;
        words.next()
    })
}

#[test]
fn no_type_is_named_for_doing() {
    assert_none(&violations(&source::all()));
}

#[test]
fn a_doer_is_found() {
    // Put together here, so that this file does not break its own rule.
    let names = [
        "pub(crate) struct Device",
        "Manager<T>(T);\nenum ",
        "Handler {}\ntype Path",
        "Util = u8;\n",
    ];
    let found = violations(&[sample("a.rs", &names.concat())]);
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found[0].starts_with("a.rs:1: `DeviceManager`"));
}

#[test]
fn a_name_that_merely_contains_such_a_word_is_fine() {
    let names = "struct ServiceUnit;\nfn f(handler: impl Handler) {}\n// struct PathHelper;\n";
    assert_none(&violations(&[sample("a.rs", names)]));
}

//! A lint is switched off only with a reason beside it.

use crate::{assert_none, sample, source, source::Source};

/// Written in two parts, so that this file does not break its own rule.
const SWITCHES: &[&str] = &[concat!("al", "low("), concat!("exp", "ect(")];

fn violations(sources: &[Source]) -> Vec<String> {
    sources
        .iter()
        .filter(|source| source.is_rust())
        .flat_map(unreasoned)
        .collect()
}

fn unreasoned(source: &Source) -> Vec<String> {
    let attributes = attributes(&source.text);
    let bad = attributes
        .into_iter()
        .filter(|(_, text)| SWITCHES.iter().any(|switch| has_word(text, switch)) && !text.contains("reason"));
    bad.map(|(line, text)| source.at(line, &format!("`#[{text}]` has no `reason = \"...\"`")))
        .collect()
}

/// The attributes that begin a line of the file: line number and what stands between the outer brackets.
fn attributes(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut offset = 0;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let trimmed = line.trim_start();
        if let Some(rest) = trimmed.strip_prefix("#[").or_else(|| trimmed.strip_prefix("#![")) {
            let from = offset + line.len() - rest.len();
            found.push((index + 1, &text[from..closing(text, from)]));
        }
        offset += line.len();
    }
    found
}

/// Where the bracket that was opened just before `from` is closed.
fn closing(text: &str, from: usize) -> usize {
    let mut depth = 1;
    for (at, letter) in text[from..].char_indices() {
        match letter {
            '[' => depth += 1,
            ']' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return from + at;
        }
    }
    text.len()
}

/// Whether `word` stands in `text` and not as the end of a longer name.
fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word)
        .any(|(at, _)| !text[..at].ends_with(|letter: char| letter.is_alphanumeric() || letter == '_'))
}

#[test]
fn every_lint_that_is_switched_off_has_a_reason() {
    assert_none(&violations(&source::all()));
}

#[test]
fn a_switch_without_a_reason_is_found() {
    let lint = "clippy::unwrap_used";
    for switch in SWITCHES {
        let bad = sample("a.rs", &format!("fn a() {{}}\n#[{switch}{lint})]\nfn b() {{}}\n"));
        let good = sample(
            "b.rs",
            &format!("#![{switch}\n    {lint},\n    reason = \"[why]\"\n)]\n"),
        );
        let outer = sample("c.rs", &format!("#[cfg_attr(test, {switch}{lint}))]\n"));
        let found = violations(&[bad, good, outer]);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found[0].starts_with("a.rs:2:") && found[1].starts_with("c.rs:1:"),
            "{found:?}"
        );
    }
}

#[test]
fn a_test_that_should_panic_is_no_switch() {
    let other = sample("a.rs", concat!("#[should_panic(exp", "ected = \"x\")]\nfn a() {}\n"));
    assert_none(&violations(&[other]));
}

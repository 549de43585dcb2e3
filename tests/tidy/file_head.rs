//! A Rust file opens with `//!` and what lives there.

use crate::{assert_none, sample, source, source::Source};

fn violations(sources: &[Source]) -> Vec<String> {
    let files = sources.iter().filter(|source| source.is_rust());
    let headless = files.filter(|source| !says_something(&source.text));
    headless
        .map(|source| source.at(1, "open the file with `//!` and what lives there"))
        .collect()
}

fn says_something(text: &str) -> bool {
    let first = text.lines().next().unwrap_or_default();
    first.strip_prefix("//!").is_some_and(|head| !head.trim().is_empty())
}

#[test]
fn every_file_says_what_lives_there() {
    assert_none(&violations(&source::all()));
}

#[test]
fn a_file_without_a_head_is_found() {
    let found = violations(&[
        sample("good.rs", "//! Good.\n"),
        sample("bare.rs", "fn a() {}\n"),
        sample("mute.rs", "//!\n"),
        sample("empty.rs", ""),
        sample("page.md", "# No Rust\n"),
    ]);
    assert_eq!(found.len(), 3, "{found:?}");
}

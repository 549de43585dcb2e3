//! `ARCHITECTURE.md` names no path that does not exist.

use std::path::Path;

use crate::{assert_none, source};

/// Endings by which a name without a folder is still meant as a path.
const ENDINGS: &[&str] = &[".rs", ".md", ".toml", ".css", ".js", ".html", ".lock"];

fn violations(page: &str, root: &Path) -> Vec<String> {
    let lines = page.lines().enumerate();
    let named = lines.flat_map(|(index, line)| quoted(line).map(move |word| (index + 1, word)));
    let missing = named.filter(|(_, word)| is_path(word, root) && !root.join(word).exists());
    missing
        .map(|(line, word)| format!("ARCHITECTURE.md:{line}: `{word}` does not exist"))
        .collect()
}

/// What stands between backticks in a line.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// Whether a word is meant as a path of the repository: by its ending, or because it begins with one of our folders.
/// `/lan` is a URL, `MACHINE/ROOT` a place in the drive, `application/json` a media type.
fn is_path(word: &str, root: &Path) -> bool {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "._-/".contains(letter);
    if word.starts_with(['/', '-']) || !word.chars().all(plain) {
        return false;
    }
    let has_ending = ENDINGS
        .iter()
        .any(|ending| word.len() > ending.len() && word.ends_with(ending));
    let ours = word
        .split_once('/')
        .is_some_and(|(folder, _)| root.join(folder).is_dir());
    has_ending || ours
}

#[test]
fn every_path_in_the_architecture_exists() {
    let root = source::root();
    let page = std::fs::read_to_string(root.join("ARCHITECTURE.md"));
    assert_none(&violations(&page.expect("ARCHITECTURE.md stands in the root"), &root));
}

#[test]
fn a_path_that_does_not_exist_is_found() {
    let page = "See `tests/tidy/main.rs`, `tests/tidy`,\n`tests/nowhere` and `gone.rs`; `agent/src/gone/`.";
    let found = violations(page, &source::root());
    assert_eq!(
        found,
        [
            "ARCHITECTURE.md:2: `tests/nowhere` does not exist",
            "ARCHITECTURE.md:2: `gone.rs` does not exist",
            "ARCHITECTURE.md:2: `agent/src/gone/` does not exist",
        ]
    );
}

#[test]
fn what_is_no_path_is_left_alone() {
    let page = "`/lan`, `MACHINE/ROOT/PATH`, `application/json`, `--data`, `tests/*.rs`, `a b/c`, `and/or`";
    assert_none(&violations(page, &source::root()));
}

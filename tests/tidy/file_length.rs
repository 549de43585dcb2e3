//! A file is short enough to be read at one go.

use std::io::{Write as _, stderr};

use crate::{assert_none, sample, source, source::Source};

/// Above this many lines a file must be split.
const LIMIT: usize = 800;

/// Above this many lines a file is named in the output of the test, as the next one to be split.
const WARNING: usize = 600;

fn longer_than(limit: usize, sources: &[Source]) -> Vec<String> {
    let files = sources
        .iter()
        .filter(|source| source.is_rust() || source.path.ends_with(".css"));
    let lengths = files.map(|source| (source.text.lines().count(), &source.path));
    let mut long: Vec<_> = lengths.filter(|(length, _)| *length > limit).collect();
    long.sort_by(|a, b| b.cmp(a));
    long.into_iter()
        .map(|(length, path)| format!("{path}: {length} lines"))
        .collect()
}

#[test]
fn no_file_is_too_long() {
    let sources = source::all();
    let long = longer_than(WARNING, &sources);
    if !long.is_empty() {
        // Written past the test runner's capture, so that it is seen although the test passes.
        let _ = writeln!(stderr(), "warning: over {WARNING} lines:\n  {}", long.join("\n  "));
    }
    assert_none(&longer_than(LIMIT, &sources));
}

#[test]
fn a_file_that_is_too_long_is_found() {
    let sources = [
        sample("long.rs", &"\n".repeat(801)),
        sample("fits.rs", &"\n".repeat(800)),
        sample("long.md", &"\n".repeat(5000)),
    ];
    assert_eq!(longer_than(LIMIT, &sources), ["long.rs: 801 lines"]);
    assert_eq!(longer_than(WARNING, &sources).len(), 2);
}

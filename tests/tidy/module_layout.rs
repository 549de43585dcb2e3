//! A module is `foo.rs` beside `foo/`, so that twenty open tabs do not all read `mod.rs`.

use crate::{assert_none, sample, source, source::Source};

fn violations(sources: &[Source]) -> Vec<String> {
    let bad = sources
        .iter()
        .filter(|source| source.path.rsplit('/').next() == Some("mod.rs"));
    bad.map(|source| format!("{}: name it for its module and put it beside the folder", source.path))
        .collect()
}

#[test]
fn no_module_lies_in_a_mod_rs() {
    assert_none(&violations(&source::all()));
}

#[test]
fn a_mod_rs_is_found() {
    let sources = [sample("agent/src/root/mod.rs", ""), sample("agent/src/mod_rs.rs", "")];
    assert_eq!(violations(&sources).len(), 1);
}

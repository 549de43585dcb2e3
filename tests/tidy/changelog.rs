//! `CHANGELOG.md` has a place for what comes next.

use crate::{assert_none, source};

fn violations(page: &str) -> Vec<String> {
    let mut headings = page.lines().filter_map(|line| line.strip_prefix("## "));
    let first = headings.next().unwrap_or_default();
    if first.trim_matches(['[', ']', ' ']) == "Unreleased" {
        return Vec::new();
    }
    vec![format!(
        "CHANGELOG.md: the first section is `{first}`, not `Unreleased`"
    )]
}

#[test]
fn the_changelog_begins_with_what_is_unreleased() {
    let page = std::fs::read_to_string(source::root().join("CHANGELOG.md"));
    assert_none(&violations(&page.expect("CHANGELOG.md stands in the root")));
}

#[test]
fn a_changelog_without_an_unreleased_section_is_found() {
    assert_eq!(violations("# Changes\n\n## 1.0\n\n- All.\n").len(), 1);
    assert_eq!(violations("").len(), 1);
    assert_none(&violations("# Changes\n\n## [Unreleased]\n\n## 1.0\n"));
}

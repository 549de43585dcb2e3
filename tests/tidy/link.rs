//! Links between Markdown files lead somewhere.

use std::{
    collections::HashSet,
    path::{Component, Path, PathBuf},
};

use crate::{assert_none, sample, source, source::Source};

fn violations(sources: &[Source], exists: impl Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for page in sources.iter().filter(|source| source.is_markdown()) {
        for (line, target) in links(&page.text) {
            if !leads_somewhere(page, &target, sources, &exists) {
                found.push(page.at(line, &format!("the link `{target}` leads nowhere")));
            }
        }
    }
    found
}

fn leads_somewhere(page: &Source, target: &str, sources: &[Source], exists: impl Fn(&str) -> bool) -> bool {
    if target.contains("://") || target.starts_with("mailto:") {
        return true;
    }
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let path = if path.is_empty() {
        page.path.clone()
    } else {
        resolve(&page.path, path)
    };
    let there = sources.iter().find(|source| source.path == path);
    match there {
        Some(there) if !anchor.is_empty() => anchors(&there.text).contains(anchor),
        Some(_) => true,
        None => exists(&path),
    }
}

/// The path that `target` means in the page at `page`, from the root of the repository.
fn resolve(page: &str, target: &str) -> String {
    let mut path = PathBuf::new();
    let folder = Path::new(page).parent().unwrap_or(Path::new(""));
    for part in folder.join(target).components() {
        match part {
            Component::ParentDir => {
                path.pop();
            }
            Component::Normal(name) => path.push(name),
            _ => {}
        }
    }
    path.to_string_lossy().into_owned()
}

/// The targets of `[text](target)`, with their lines.
fn links(text: &str) -> Vec<(usize, String)> {
    let lines = prose(text).flat_map(|(number, line)| {
        let outside: String = line.split('`').step_by(2).collect::<Vec<_>>().join("``");
        let targets = outside.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        let targets = targets.filter_map(|target| target.split_whitespace().next());
        targets.map(|target| (number, target.to_owned())).collect::<Vec<_>>()
    });
    lines.collect()
}

/// The anchors that a reader's heading makes, as GitHub spells them.
fn anchors(text: &str) -> HashSet<String> {
    let mut found = HashSet::new();
    for (_, line) in prose(text).filter(|(_, line)| line.starts_with('#')) {
        let base = slug(line.trim_start_matches('#').trim());
        let repeats = (1..).map(|number| format!("{base}-{number}"));
        let free = std::iter::once(base.clone())
            .chain(repeats)
            .find(|name| !found.contains(name));
        found.extend(free);
    }
    found
}

fn slug(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.flat_map(char::to_lowercase)
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

/// The lines outside fenced code, with their numbers.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        (!fenced && !fence).then_some((index + 1, line))
    })
}

#[test]
fn every_link_leads_somewhere() {
    let root = source::root();
    assert_none(&violations(&source::all(), |path| root.join(path).exists()));
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let pages = [
        sample(
            "docs/A.md",
            "# One head\n[b](B.md) [c](C.md)\n[up](../README.md#what-it-is)\n",
        ),
        sample("docs/B.md", "[a](A.md#one-head) [x](A.md#two) [own](#none)\n"),
        sample(
            "README.md",
            "## What *it* is\n[web](https://example.org) `[no](link)`\n```\n[no](x)\n```\n",
        ),
    ];
    assert_eq!(
        violations(&pages, |_| false),
        [
            "docs/A.md:2: the link `C.md` leads nowhere",
            "docs/B.md:1: the link `A.md#two` leads nowhere",
            "docs/B.md:1: the link `#none` leads nowhere",
        ]
    );
    assert_eq!(violations(&pages, |path| path == "docs/C.md").len(), 2);
}

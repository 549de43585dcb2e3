//! The documents name no package registry's host: where packages come from is the matter of each machine's set-up, and
//! an address that was right once misleads later.

use crate::{assert_none, sample, source, source::Source};

/// Name and top-level domain apart, so that this page keeps its own rule.
const HOSTS: &[(&str, &str)] = &[
    ("crates", "io"),
    ("npmjs", "org"),
    ("npmjs", "com"),
    ("pypi", "org"),
    ("pythonhosted", "org"),
    ("proxy.golang", "org"),
    ("rubygems", "org"),
    ("deb.debian", "org"),
    ("archive.ubuntu", "com"),
    ("docker", "io"),
    ("ghcr", "io"),
    ("quay", "io"),
    ("static.rust-lang", "org"),
];

fn violations(sources: &[Source]) -> Vec<String> {
    sources
        .iter()
        .filter(|source| source.is_markdown())
        .flat_map(hosts)
        .collect()
}

fn hosts(page: &Source) -> Vec<String> {
    let lines = page.text.lines().enumerate();
    let named = lines.flat_map(|(index, line)| {
        HOSTS
            .iter()
            .map(|(name, domain)| format!("{name}.{domain}"))
            .filter(move |host| line.contains(host.as_str()))
            .map(move |host| (index + 1, host))
    });
    named
        .map(|(line, host)| page.at(line, &format!("names the registry host {host}")))
        .collect()
}

#[test]
fn no_document_names_a_registry_host() {
    assert_none(&violations(&source::all()));
}

#[test]
fn a_registry_host_is_found() {
    let pages = [
        sample(
            "docs/A.md",
            &format!("Fetched\nfrom https://static.{}.io/x.\n", "crates"),
        ),
        sample("README.md", "Built by cargo.\n"),
    ];
    assert_eq!(
        violations(&pages),
        [format!("docs/A.md:2: names the registry host {}.io", "crates")]
    );
}

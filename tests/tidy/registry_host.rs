//! The documents name no package registry's host: where packages come from is the matter of each machine's set-up, and
//! an address that was right once misleads later.

use crate::{assert_none, sample, source, source::Source};

const HOSTS: &[&str] = &[
    "crates.io",
    "npmjs.org",
    "npmjs.com",
    "pypi.org",
    "pythonhosted.org",
    "proxy.golang.org",
    "rubygems.org",
    "deb.debian.org",
    "archive.ubuntu.com",
    "docker.io",
    "ghcr.io",
    "quay.io",
    "static.rust-lang.org",
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
            .filter(move |host| line.contains(**host))
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
        sample("docs/A.md", "Fetched\nfrom https://static.crates.io/x.\n"),
        sample("README.md", "Built by cargo.\n"),
    ];
    assert_eq!(violations(&pages), ["docs/A.md:2: names the registry host crates.io"]);
}

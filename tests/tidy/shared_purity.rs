//! `shared` does no I/O and needs no runtime, so that it runs in a browser and in simulation.

use crate::{assert_none, sample, source, source::Source};

/// Crates that do I/O or are a runtime; a name that ends in `-` means all that begin so.
const CRATES: &[&str] = &[
    "tokio",
    "tokio-",
    "async-std",
    "smol",
    "mio",
    "socket2",
    "polling",
    "reqwest",
    "hyper",
    "hyper-",
    "actix-",
    "axum",
    "tungstenite",
    "rustls",
    "sea-orm",
    "sqlx",
    "rusqlite",
    "redb",
    "object_store",
    "cap-",
    "rustix",
    "nix",
    "libc",
    "tempfile",
    "walkdir",
    "notify",
    "tracing-subscriber",
    "zstd",
    "web-sys",
    "js-sys",
    "gloo-",
];

/// Modules of `std` that do I/O or read the machine's state, each with what to do instead.
const MODULES: &[(&str, &str)] = &[
    ("fs", "let the caller read and write"),
    ("net", "address types are in `core::net`; sockets are the caller's"),
    ("process", "let the caller start programs"),
    ("thread", "let the caller run threads"),
    ("env", "let the caller read the environment"),
];

fn crate_violations(manifest: &str) -> Vec<String> {
    let mut section = "";
    let mut found = Vec::new();
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line.trim_matches(['[', ']']);
        }
        let name = dependency(section, line).filter(|name| is_banned(name));
        found.extend(name.map(|name| format!("shared/Cargo.toml: {name} does I/O or is a runtime")));
    }
    found
}

/// The crate that a line of the manifest depends on, tests excepted.
fn dependency<'a>(section: &'a str, line: &'a str) -> Option<&'a str> {
    let (kind, table) = section.rsplit_once("dependencies").unwrap_or(("dev-", ""));
    if kind.ends_with("dev-") || kind.ends_with("build-") {
        return None;
    }
    if let Some(name) = table.strip_prefix('.') {
        return line.starts_with('[').then_some(name);
    }
    let name = line.split(['=', '.', ' ']).next().unwrap_or_default();
    (!name.is_empty() && !name.starts_with(['[', '#'])).then_some(name)
}

fn is_banned(name: &str) -> bool {
    CRATES.iter().any(|banned| match banned.strip_suffix('-') {
        Some(_) => name.starts_with(banned),
        None => name == *banned,
    })
}

fn module_violations(sources: &[Source]) -> Vec<String> {
    let files = sources
        .iter()
        .filter(|file| file.is_rust() && file.path.starts_with("shared/src/"));
    files.flat_map(impure_uses).collect()
}

fn impure_uses(source: &Source) -> Vec<String> {
    let code: String = source.code_lines().flat_map(|(_, line)| [line, "\n"]).collect();
    let mut found = Vec::new();
    for (at, _) in code.match_indices("std::") {
        let line = code[..at].matches('\n').count() + 1;
        for name in first_names(&code[at + "std::".len()..]) {
            let banned = MODULES.iter().find(|(module, _)| *module == name);
            found.extend(
                banned.map(|(module, advice)| {
                    source.at(line, &format!("`std::{module}` has no place in shared: {advice}"))
                }),
            );
        }
    }
    found
}

/// The names that follow a `std::`: one, or those of a group `{a, b::c, d::{e}}`.
fn first_names(rest: &str) -> Vec<&str> {
    let Some(group) = rest.strip_prefix('{') else {
        return vec![leading_name(rest)];
    };
    let mut names = Vec::new();
    let (mut depth, mut from) = (0, 0);
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                names.push(leading_name(group[from..at].trim_start()));
                from = at + 1;
                if letter == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    names
}

fn leading_name(text: &str) -> &str {
    let end = text
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(text.len());
    &text[..end]
}

#[test]
fn shared_depends_on_no_crate_that_does_io() {
    let manifest = std::fs::read_to_string(source::root().join("shared/Cargo.toml"));
    assert_none(&crate_violations(&manifest.expect("shared has a manifest")));
}

#[test]
fn shared_uses_no_module_that_does_io() {
    assert_none(&module_violations(&source::all()));
}

#[test]
fn a_crate_that_does_io_is_found() {
    let manifest = "[package]\nname = \"tokio\"\n[dependencies]\nserde.workspace = true\ntokio = \"1\"\n\
        actix-web.workspace = true\n[target.'cfg(unix)'.dependencies]\nlibc = \"0\"\n\
        [dependencies.reqwest]\nversion = \"1\"\n[dev-dependencies]\ntempfile = \"3\"\n";
    let found = crate_violations(manifest);
    let names: Vec<_> = found.iter().filter_map(|line| line.split(' ').nth(1)).collect();
    assert_eq!(names, ["tokio", "actix-web", "libc", "reqwest"]);
}

#[test]
fn a_module_that_does_io_is_found() {
    let found = module_violations(&[
        sample(
            "shared/src/a.rs",
            "use std::fmt;\n\nuse std::{\n    fmt,\n    io::{self, net},\n    fs::File,\n};\n",
        ),
        sample(
            "shared/src/b.rs",
            "fn a(x: std::net::IpAddr) {}\n// std::fs is not used\n",
        ),
        sample("agent/src/c.rs", "use std::fs;\n"),
    ]);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("shared/src/a.rs:3: `std::fs`"), "{found:?}");
    assert!(found[1].starts_with("shared/src/b.rs:1: `std::net`"), "{found:?}");
}

//! Some crates are known to one place only, so that they can be replaced there.

use crate::{assert_none, sample, source, source::Source};

/// The database is spoken to in one place: functions per use case, behind `Access`.
const DATABASE: &str = "backend/src/store/meta";

fn database_violations(sources: &[Source]) -> Vec<String> {
    let strangers = users(sources, "sea_orm")
        .filter(|path| !path.starts_with(DATABASE) && !path.contains("migration") && !path.starts_with("tests/"));
    strangers
        .map(|path| format!("{path}: sea_orm is for {DATABASE} alone"))
        .collect()
}

/// WebSocket frames are pumped in one module: a file, or a file and the folder beside it.
fn socket_violations(sources: &[Source]) -> Vec<String> {
    let paths: Vec<_> = users(sources, "actix_ws")
        .filter(|path| path.starts_with("backend/"))
        .collect();
    let Some(place) = paths
        .iter()
        .map(|path| path.trim_end_matches(".rs"))
        .min_by_key(|p| p.len())
    else {
        return Vec::new();
    };
    let strangers = paths.iter().filter(|path| !is_in_module(path, place));
    strangers
        .map(|path| format!("{path}: actix_ws is for {place} alone"))
        .collect()
}

fn is_in_module(path: &str, module: &str) -> bool {
    let rest = path.strip_prefix(module);
    rest.is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
}

/// The files whose code uses a crate, or one whose name begins with it; a log filter may name it.
fn users<'a>(sources: &'a [Source], name: &'a str) -> impl Iterator<Item = &'a str> {
    let uses = move |code: &str| {
        let rest = code
            .match_indices(name)
            .map(|(at, _)| code[at + name.len()..].trim_start_matches(|c: char| c.is_alphanumeric() || c == '_'));
        rest.into_iter()
            .any(|rest| rest.starts_with("::") || rest.starts_with(';') || rest.starts_with(" as "))
    };
    let files = sources.iter().filter(|source| source.is_rust());
    let users = files.filter(move |source| source.code_lines().any(|(_, code)| uses(code)));
    users.map(|source| source.path.as_str())
}

#[test]
fn only_the_metadata_store_knows_the_database() {
    assert_none(&database_violations(&source::all()));
}

#[test]
fn only_the_socket_pump_knows_actix_ws() {
    assert_none(&socket_violations(&source::all()));
}

#[test]
fn a_second_place_that_knows_the_database_is_found() {
    let code = "use sea_orm::Database;\n";
    let found = database_violations(&[
        sample("backend/src/store/meta/device.rs", code),
        sample("backend/src/store/meta.rs", code),
        sample("backend/src/migration/first.rs", code),
        sample("backend/src/http/device.rs", code),
        sample("backend/src/app.rs", "// sea_orm is not for this file\n"),
    ]);
    assert_eq!(
        found,
        ["backend/src/http/device.rs: sea_orm is for backend/src/store/meta alone"]
    );
}

#[test]
fn a_second_place_that_knows_actix_ws_is_found() {
    let code = "use actix_ws::Session;\n";
    let pump = || {
        vec![
            sample("backend/src/socket/pump.rs", code),
            sample("backend/src/socket.rs", code),
        ]
    };
    assert_none(&socket_violations(&pump()));
    let mut sources = pump();
    sources.push(sample("backend/src/socket_two.rs", code));
    let found = socket_violations(&sources);
    assert_eq!(
        found,
        ["backend/src/socket_two.rs: actix_ws is for backend/src/socket alone"]
    );
}

//! Files that pretend to be something else, looked at and opened: nothing of them runs on our origin.

use std::{fs, path::Path};

use beckon_tests::{
    Account, Server,
    page::{css, heading, role},
};
use serde_json::{Value, json};
use thirtyfour::Key;

use crate::scene;

/// What a file does if it can: it leaves marks where the page can see them.
const MARK: &str = "try{parent.pwned=1;top.pwned=1;opener.pwned=1}catch(e){};window.pwned=1;localStorage.setItem('pwned',location.href)";

/// 30 files: kinds that browsers run, under names of kinds that they show, and the other way round.
fn write_all(folder: &Path) -> Vec<String> {
    let html = format!(
        "<!doctype html><html><body onload=\"{MARK}\"><script>{MARK}</script><img src=x onerror=\"{MARK}\"></body></html>"
    );
    let svg = format!(
        "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9' onload=\"{MARK}\"><script>{MARK}</script><foreignObject><iframe src=\"javascript:{MARK}\"/></foreignObject></svg>"
    );
    let xml = format!("<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'><script>{MARK}</script></html>");
    let pdf = format!(
        "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R/OpenAction<</S/JavaScript/JS({MARK})>>>>endobj\n2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF{html}"
    );
    let gif = format!("GIF89a/*\x01\x00\x01\x00*/=1;{MARK}//{html}");
    let script = MARK.to_owned();
    let bodies = [
        ("html", html),
        ("svg", svg),
        ("xml", xml),
        ("pdf", pdf),
        ("gif", gif),
        ("js", script),
    ];
    let endings = ["html", "svg", "png", "pdf", "txt"];
    let mut names = Vec::new();
    for (kind, body) in &bodies {
        for ending in endings {
            let name = format!("{kind} as.{ending}");
            fs::write(folder.join(&name), body).unwrap();
            names.push(name);
        }
    }
    names
}

#[test]
fn thirty_files_of_two_kinds_are_looked_at_and_nothing_runs() {
    let server = Server::start();
    let ann = Account::sign_up(&server, "ann");
    let source = tempfile::tempdir().unwrap();
    let names = write_all(source.path());
    assert_eq!(names.len(), 30);
    let mut put = vec!["put".to_owned()];
    put.extend(
        names
            .iter()
            .map(|name| source.path().join(name).to_str().unwrap().to_owned()),
    );
    ann.cli().run(&put).expect_ok();
    let page = scene::sign_in(&server, "ann");
    page.go("/drive/Files");
    // What a broken picture or a frame that may not run scripts reports is what should happen.
    page.expect_error("blob:");
    page.expect_error("sandbox");
    let mut sorted = names.clone();
    sorted.sort();
    page.click(role("row", &sorted[0]));
    for name in &sorted {
        page.see(heading(name));
        page.see_gone(css(".preview .bone"));
        page.press(Key::Down);
    }
    let listing = "const done = arguments[0]; fetch('/api/drive/list?path=Files').then(a => a.json()).then(l => done(l.children.map(c => c.id)))";
    let ids = page.script_async(listing, &[]);
    let ids: Vec<_> = ids
        .as_array()
        .unwrap()
        .iter()
        .map(|id| id.as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids.len(), 30);
    for id in &ids {
        let place = format!("/api/drive/file/{id}");
        let headers = "const done = arguments[arguments.length - 1]; fetch(arguments[0]).then(a => done([a.headers.get('content-disposition'), a.headers.get('x-content-type-options'), a.headers.get('content-security-policy')]))";
        let headers = page.script_async(headers, &[json!(place)]);
        assert!(headers[0].as_str().unwrap().starts_with("attachment"), "{headers}");
        assert_eq!(headers[1], "nosniff");
        assert!(headers[2].as_str().unwrap().contains("sandbox"), "{headers}");
        page.script("location.href = arguments[0]", &[json!(place)]);
    }
    page.see(heading("Files"));
    assert_eq!(
        page.script("return [window.pwned || null, localStorage.getItem('pwned')]", &[]),
        json!([Value::Null, Value::Null])
    );
}

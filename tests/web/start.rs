//! Somebody opens the server's address: the web app starts, quickly and under a strict policy.

use beckon_tests::{
    Server, curl,
    page::{Options, Page, css},
};

/// What only a page that runs has.
const DRAWN: &str = "body > :not(noscript, svg)";

#[test]
fn the_web_app_starts_at_each_of_its_addresses() {
    let server = Server::start();
    let page = Page::open(server.url());
    for path in ["/", "/sign-in", "/setup", "/drive/Files/a", "/machines"] {
        page.go(path);
        page.see(css(DRAWN));
        let words = page.script("return document.body.innerText", &[]);
        assert!(!words.as_str().unwrap().contains("did not start"), "{path}: {words}");
    }
}

#[test]
fn the_web_app_starts_on_a_phone_in_the_dark() {
    let server = Server::start();
    let page = Page::open_with(Options::default().phone().dark(), &format!("{}/sign-in", server.url()));
    page.see(css(DRAWN));
    let width = page.script(
        "return [innerWidth, matchMedia('(prefers-color-scheme: dark)').matches]",
        &[],
    );
    assert_eq!(width, serde_json::json!([390, true]));
    let touch = page.script("return matchMedia('(pointer: coarse)').matches", &[]);
    assert_eq!(touch, true);
}

#[test]
fn the_browser_asks_for_what_it_knows_only_once() {
    let server = Server::start();
    let page = Page::open(&format!("{}/sign-in", server.url()));
    page.see(css(DRAWN));
    page.reload();
    page.see(css(DRAWN));
    let sizes = "return performance.getEntriesByType('resource')
        .filter((entry) => entry.name.includes('/app/')).map((entry) => [entry.name, entry.transferSize])";
    for entry in page.script(sizes, &[]).as_array().expect("a list") {
        assert_eq!(entry[1], 0, "fetched again: {entry}");
    }
}

#[test]
fn the_files_of_the_web_app_are_kept_for_ever_and_its_page_is_asked_for() {
    let server = Server::start();
    let page = curl([server.url()]).expect_status(200);
    assert_eq!(page.expect_header("cache-control"), "no-cache");
    let html = page.text();
    let script = html
        .split("src=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .expect("a script");
    let file = curl([format!("{}{script}", server.url())]).expect_status(200);
    assert_eq!(
        file.expect_header("cache-control"),
        "public, max-age=31536000, immutable"
    );
    assert_eq!(file.expect_header("content-type"), "text/javascript; charset=utf-8");
    assert!(
        !html.contains("<style") && !html.contains(" style=") && !html.contains(" onload="),
        "{html}"
    );
    let head = curl(["--head", server.url()]).expect_status(200);
    assert_eq!(head.expect_header("etag"), page.expect_header("etag"));
}

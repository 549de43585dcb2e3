//! Which addresses are the web app's, and what is at them.

use crate::file::{self, File};

/// The addresses that the web app shows pages at; at others it says that there is no page.
const PAGES: &[&str] = &[
    "/",
    "/setup",
    "/invite",
    "/sign-in",
    "/recover",
    "/machines",
    "/drive",
    "/transfers",
    "/search",
    "/settings",
    "/admin",
];

/// What they begin with where more follows, which is the page's own affair.
const PAGES_BELOW: &[&str] = &[
    "/machine/",
    "/device/",
    "/drive/",
    "/transfers/",
    "/settings/",
    "/admin/",
];

/// What has a fixed address: browsers and systems ask for it there, or its reach follows from where it lies.
const FIXED: &[&str] = &["/manifest.webmanifest", "/icon.svg", "/favicon.ico", "/save.js"];

/// First parts of addresses that programs ask at. Whatever of them is not there is not told by a page.
const FOR_PROGRAMS: &[&str] = &["api", "bulk", "app", "socket", "relay", "lan", "save", "healthz"];

/// What is at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// The page, which knows the address.
    Page,
    /// The page, which will say that there is nothing.
    Nowhere,
    /// A file that is asked for again each time.
    Fixed(&'static File),
    /// A file that never changes: another content has another name.
    Hashed(&'static File),
}

/// What is at the path of an address; nothing if the web app has no part in it.
pub(crate) fn look_up(path: &str) -> Option<Found> {
    if FIXED.contains(&path) {
        return file::find(path).map(Found::Fixed);
    }
    if path.starts_with("/app/") {
        return file::find(path).map(Found::Hashed);
    }
    if PAGES.contains(&path) || PAGES_BELOW.iter().any(|start| path.starts_with(start)) {
        return Some(Found::Page);
    }
    let first = path.split('/').nth(1).unwrap_or_default();
    (!FOR_PROGRAMS.contains(&first)).then_some(Found::Nowhere)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_of_the_web_app_shows_its_page() {
        for path in [
            "/",
            "/setup",
            "/machine/ab/root/x%2Fy",
            "/drive",
            "/drive/Files/a",
            "/settings/devices",
        ] {
            assert_eq!(look_up(path), Some(Found::Page), "{path}");
        }
    }

    #[test]
    fn an_address_of_nothing_is_told_to_people_by_the_page_and_to_programs_by_whoever_serves() {
        for path in ["/nothing", "/machinery", "/machine", "/index.html", "/saved"] {
            assert_eq!(look_up(path), Some(Found::Nowhere), "{path}");
        }
        for path in [
            "/app/none-0.js",
            "/app/../index.html",
            "/api",
            "/api/nothing",
            "/bulk/nothing",
            "/save/0123",
        ] {
            assert_eq!(look_up(path), None, "{path}");
        }
    }
}

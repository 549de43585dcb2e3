//! What this browser tells of itself in the control list.

use beckon_shared::{device::Platform, path::Label};
use js_sys::{Array, Reflect};

use crate::{dom, text};

/// Of the app; the same as the server's that it came from.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A name for it: `Firefox on Windows`.
pub(crate) fn name() -> Option<Label> {
    let agent = agent();
    let browser = match browser_of(&agent) {
        // Only where the browser tells its makers apart; its user agent does not.
        "Chrome" if is_unbranded() => "Chromium",
        browser => browser,
    };
    Label::new(text::account::device_name(&browser, &system_of(&agent))).ok()
}

/// The operating system.
pub(crate) fn os() -> String {
    system_of(&agent()).to_owned()
}

/// Its path alphabet.
pub(crate) fn platform() -> Platform {
    match system_of(&agent()) {
        "Windows" => Platform::Windows,
        _ => Platform::Unix,
    }
}

fn agent() -> String {
    dom::window().navigator().user_agent().unwrap_or_default()
}

/// The first that fits; most name others behind their own name.
fn browser_of(agent: &str) -> &'static str {
    const MARKS: [(&str, &str); 11] = [
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("SamsungBrowser/", "Samsung Internet"),
        ("Vivaldi/", "Vivaldi"),
        ("Firefox/", "Firefox"),
        ("FxiOS/", "Firefox"),
        ("CriOS/", "Chrome"),
        ("HeadlessChrome/", "Chromium"),
        ("Chromium/", "Chromium"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ];
    first_of(&MARKS, agent).unwrap_or("Browser")
}

fn system_of(agent: &str) -> &'static str {
    const MARKS: [(&str, &str); 7] = [
        ("Android", "Android"),
        ("iPhone", "iOS"),
        ("iPad", "iPadOS"),
        ("Windows", "Windows"),
        ("CrOS", "ChromeOS"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ];
    first_of(&MARKS, agent).unwrap_or("Unix")
}

fn first_of(marks: &[(&str, &'static str)], agent: &str) -> Option<&'static str> {
    marks
        .iter()
        .find(|(mark, _)| agent.contains(mark))
        .map(|(_, name)| *name)
}

/// Whether the browser lists its brands and is of none but Chromium itself.
fn is_unbranded() -> bool {
    let brands = Reflect::get(&dom::window().navigator(), &"userAgentData".into())
        .and_then(|data| Reflect::get(&data, &"brands".into()))
        .map(|brands| Array::from(&brands));
    let Ok(brands) = brands else { return false };
    let names = brands
        .iter()
        .filter_map(|brand| Reflect::get(&brand, &"brand".into()).ok()?.as_string());
    let names: Vec<String> = names.collect();
    names.iter().any(|name| name == "Chromium") && !names.iter().any(|name| name == "Google Chrome")
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    #[wasm_bindgen_test]
    fn browsers_are_told_apart_though_all_name_each_other() {
        let edge = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0";
        let safari = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Mobile/15E148 Safari/604.1";
        let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";
        assert_eq!((browser_of(edge), system_of(edge)), ("Edge", "Windows"));
        assert_eq!((browser_of(safari), system_of(safari)), ("Safari", "iOS"));
        assert_eq!((browser_of(firefox), system_of(firefox)), ("Firefox", "Linux"));
        assert_eq!((browser_of(""), system_of("")), ("Browser", "Unix"));
    }

    #[wasm_bindgen_test]
    fn this_browser_has_a_name() {
        assert!(name().is_some());
    }
}

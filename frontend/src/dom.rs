//! The browser's objects, where they are sure to be there, and the few things that are done with them in many places.

use beckon_shared::time::Timestamp;
use leptos::prelude::document as leptos_document;
use wasm_bindgen::JsCast;

/// The window; only a worker has none.
pub(crate) fn window() -> web_sys::Window {
    leptos::prelude::window()
}

/// The document.
pub(crate) fn document() -> web_sys::Document {
    leptos_document()
}

/// Local storage, unless the browser forbids it.
pub(crate) fn local_storage() -> Option<web_sys::Storage> {
    window().local_storage().ok().flatten()
}

/// This browser's clock. It works in workers too.
pub(crate) fn now() -> Timestamp {
    Timestamp(js_sys::Date::now() as i64)
}

/// Fresh random bytes.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // The browser's own generator does not fail; zeros would be refused by every check of freshness that follows.
    if getrandom::fill(&mut bytes).is_err() {
        wasm_bindgen::throw_str("this browser has no random numbers");
    }
    bytes
}

/// `scheme://host[:port]` of the server: that of this page, unless the page was handed out by somebody else who names it.
pub(crate) fn origin() -> String {
    meta("server").unwrap_or_else(address)
}

/// `scheme://host[:port]` of this page, where all that it fetches is.
pub(crate) fn address() -> String {
    window().location().origin().unwrap_or_default()
}

/// `host[:port]` of the server.
pub(crate) fn host() -> String {
    let url = web_sys::Url::new(&origin());
    url.map(|url| url.host()).unwrap_or_default()
}

/// What the page's `meta` element of this name says.
pub(crate) fn meta(name: &str) -> Option<String> {
    let meta = document().query_selector(&format!("meta[name={name}]")).ok()??;
    meta.get_attribute("content")
}

/// Whether the page is a secure context: TLS or loopback.
pub(crate) fn is_secure() -> bool {
    window().is_secure_context()
}

/// Sets an inline custom property through the DOM, which a strict CSP allows.
pub(crate) fn set_property(element: &web_sys::Element, name: &str, value: &str) {
    if let Some(element) = element.dyn_ref::<web_sys::HtmlElement>() {
        let _ = element.style().set_property(name, value);
    }
}

/// The element that has the focus.
pub(crate) fn focused() -> Option<web_sys::HtmlElement> {
    document().active_element()?.dyn_into().ok()
}

/// Gives the focus to the first element that a selector finds.
pub(crate) fn focus(selector: &str) {
    if let Ok(Some(element)) = document().query_selector(selector)
        && let Ok(element) = element.dyn_into::<web_sys::HtmlElement>()
    {
        let _ = element.focus();
    }
}

/// Has the browser download an address of ours.
pub(crate) fn download(href: &str, name: &str) {
    let Ok(anchor) = document().create_element("a") else {
        return;
    };
    let _ = anchor.set_attribute("href", href);
    let _ = anchor.set_attribute("download", name);
    if let Ok(anchor) = anchor.dyn_into::<web_sys::HtmlElement>() {
        anchor.click();
    }
}

/// Waits.
pub(crate) async fn sleep(millis: u32) {
    gloo_timers::future::TimeoutFuture::new(millis).await;
}

/// What a future comes to, if that is in time.
pub(crate) async fn within<T>(millis: u32, future: impl Future<Output = T>) -> Option<T> {
    let (future, end) = (std::pin::pin!(future), std::pin::pin!(sleep(millis)));
    match futures_util::future::select(future, end).await {
        futures_util::future::Either::Left((value, _)) => Some(value),
        futures_util::future::Either::Right(_) => None,
    }
}

//! What this browser lets this page do in the local network.

use std::cell::RefCell;

use js_sys::{Function, Object, Promise, Reflect};
use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use wasm_bindgen_futures::JsFuture;

use super::judge::{self, Browser, From, Permission};
use crate::dom;

/// What browsers call the permission; the second one in some older ones.
const NAMES: [&str; 2] = ["local-network", "local-network-access"];

thread_local! {
    static PERMISSION: RefCell<Option<ArcRwSignal<Permission>>> = const { RefCell::new(None) };
}

/// The permission, live; unknown until the browser has told it.
pub(super) fn permission() -> ArcRwSignal<Permission> {
    PERMISSION.with_borrow_mut(|permission| {
        let fresh = || ArcRwSignal::new(Permission::Unknown);
        permission.get_or_insert_with(fresh).clone()
    })
}

/// Asks the browser, and hears from now on when the person decides otherwise; `granted` is called when that is a yes.
pub(super) async fn watch(granted: fn()) {
    for name in NAMES {
        let Some(status) = query(name).await else { continue };
        permission().set(state(&status));
        let told = status.clone();
        let changed = Closure::<dyn FnMut()>::new(move || {
            let now = state(&told);
            permission().set(now);
            if now == Permission::Granted {
                granted();
            }
        });
        let _ = Reflect::set(&status, &"onchange".into(), changed.as_ref());
        // As long as the page lives.
        changed.forget();
        return;
    }
}

/// The status of a permission; nothing if the browser does not know it.
async fn query(name: &str) -> Option<JsValue> {
    let permissions = Reflect::get(&dom::window().navigator(), &"permissions".into()).ok()?;
    let query: Function = Reflect::get(&permissions, &"query".into()).ok()?.dyn_into().ok()?;
    let wanted = Object::new();
    Reflect::set(&wanted, &"name".into(), &name.into()).ok()?;
    let asked: Promise = query.call1(&permissions, &wanted).ok()?.dyn_into().ok()?;
    JsFuture::from(asked).await.ok()
}

fn state(status: &JsValue) -> Permission {
    let state = Reflect::get(status, &"state".into()).ok();
    match state.and_then(|state| state.as_string()).as_deref() {
        Some("granted") => Permission::Granted,
        Some("denied") => Permission::Denied,
        Some("prompt") => Permission::Unasked,
        _ => Permission::Unknown,
    }
}

/// The kind of this browser.
pub(super) fn browser() -> Browser {
    let agent = dom::window().navigator().user_agent().unwrap_or_default();
    // Browsers of iPhones that name Chrome are Safari inside, and write `CriOS`.
    if agent.contains("Chrome/") {
        Browser::Chromium
    } else {
        Browser::Other
    }
}

/// Where the page came from; the server saw the browser at `seen_at`.
pub(super) fn from(seen_at: &str) -> From {
    let location = dom::window().location();
    let protocol = location.protocol().unwrap_or_default();
    let host = location.hostname().unwrap_or_default();
    judge::from(&protocol, &host, seen_at)
}

/// Whether there is a worker that may open sockets to machines.
pub(super) fn has_worker() -> bool {
    dom::meta("session-worker").is_some()
}
